package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ResponseMatrix is Figure 10: the share of a protocol's services that send data
// back when the client starts with a handshake.
type ResponseMatrix struct {
	Handshakes []string // the columns, by laserdisc's names
	Rows       []MatrixRow
}

// MatrixRow is one protocol of the ResponseMatrix.
type MatrixRow struct {
	Protocol string
	Shares   []float64 // 0 to 1, one per handshake
}

// Share gives one cell, and false for a pair that the figure does not have.
func (m ResponseMatrix) Share(protocol, handshake string) (float64, bool) {
	column := slices.Index(m.Handshakes, handshake)
	row := slices.IndexFunc(m.Rows, func(r MatrixRow) bool { return r.Protocol == protocol })
	if column < 0 || row < 0 {
		return 0, false
	}
	return m.Rows[row].Shares[column], true
}

// TelnetPort is one line of Table 1: a port on which Telnet is common, in the
// paper's 0.1 % sample of IPv4, and the AS that has most of it there.
type TelnetPort struct {
	Port       uint16
	Hosts      uint64
	TopAS      string
	ASN        uint32
	ShareInTop float64 // of Hosts, in that AS: 0 to 1
}

// OrderStep is one handshake of an optimal order (Table 2).
type OrderStep struct {
	Handshake string
	Gain      float64 // share of identifiable services that it adds: 0 to 1
}

// HandshakeOrder is Table 2: the first steps of the greedy order for the
// assigned ports and for the ephemeral ones, the expected protocol left out.
type HandshakeOrder struct {
	Assigned, Ephemeral []OrderStep
}

// OptionShare is one line of Table 3: of the addresses that answer to at least
// one of two variants of a handshake, the share that answers to just this one
// ("only ..."), or to both.
type OptionShare struct {
	Port     uint16
	Protocol string
	Option   string
	Share    float64 // 0 to 1
}

// TextKey is where to look a number of the paper's text up.
type TextKey struct {
	Section string // "3.1"; a figure's numbers are in the section that the figure is of
	Name    string
	Of      string // a port, "popular", "unpopular", or what else the number is of
}

// TextValue is a number that the paper gives in its text or in a figure, and in no table: most are shares, 0 to 1.
type TextValue struct {
	TextKey
	Value float64
	Words string // what the number is; no other has the same words
}

// Comparison is one column of Table 4: a scan of one port, LZR against ZGrab.
type Comparison struct {
	Port       uint16
	Handshakes []string // in the order in which LZR tried them

	SYNACK              uint64 // services
	ZeroWindow          uint64
	RST                 uint64
	AcksData            uint64
	ExpectedLZR         uint64 // speak the first handshake's protocol, as LZR finds
	ExpectedZGrab       uint64 // and as ZGrab finds
	UnexpectedLZR       uint64 // speak another that LZR identifies
	UnexpectedProtocols uint64 // so many different ones

	Live, LiveZGrab       Gain // ZMap and LZR, and the two feeding ZGrab
	Offline, OfflineZGrab Gain // the same from a finished ZMap scan
}

// Gain compares a way of scanning with ZMap and ZGrab alone.
type Gain struct {
	Speedup   float64 // times as fast
	Bandwidth float64 // share of bytes saved; negative where it costs more
}

var (
	matrix      = embedded("figure10_matrix.tsv", parseMatrix)
	telnet      = embedded("table1_telnet_ports.tsv", parseTelnetPorts)
	order       = embedded("table2_order.tsv", parseOrder)
	options     = embedded("table3_options.tsv", parseOptions)
	performance = embedded("table4_performance.tsv", parsePerformance)
	text        = embedded("text.tsv", parseText)
)

// Matrix gives Figure 10. Protocols for which the paper's copy at hand had no
// row are left out.
func Matrix() ResponseMatrix {
	m := ResponseMatrix{Handshakes: slices.Clone(matrix().Handshakes)}
	for _, row := range matrix().Rows {
		m.Rows = append(m.Rows, MatrixRow{row.Protocol, slices.Clone(row.Shares)})
	}
	return m
}

// TelnetPorts gives Table 1, most hosts first.
func TelnetPorts() []TelnetPort { return slices.Clone(telnet()) }

// Order gives Table 2.
func Order() HandshakeOrder {
	return HandshakeOrder{slices.Clone(order().Assigned), slices.Clone(order().Ephemeral)}
}

// Options gives Table 3.
func Options() []OptionShare { return slices.Clone(options()) }

// Performance gives Table 4, one element per scan.
func Performance() []Comparison {
	scans := slices.Clone(performance())
	for i := range scans {
		scans[i].Handshakes = slices.Clone(scans[i].Handshakes)
	}
	return scans
}

// Text gives the numbers of the text, in the order of the paper.
func Text() []TextValue { return slices.Clone(text()) }

// InText gives one number of the text, and NaN if it has none of that name.
func InText(section, name, of string) float64 {
	key := TextKey{section, name, of}
	for _, v := range text() {
		if v.TextKey == key {
			return v.Value
		}
	}
	return math.NaN()
}

func parseText(name string, data []byte) ([]TextValue, error) {
	keys, words := make(map[TextKey]bool), make(map[string]bool)
	return parseRows(name, data, []string{"section", "name", "of", "value", "words"}, func(c *cells) TextValue {
		v := TextValue{TextKey{c.text(), c.text(), c.text()}, cell(c, parseNumber), c.text()}
		switch {
		case v.Words == "":
			c.fail(errors.New("words: none"))
		case words[v.Words]:
			c.fail(fmt.Errorf("words: %q a second time", v.Words))
		case keys[v.TextKey]:
			c.fail(fmt.Errorf("%s %s %s: a second time", v.Section, v.Name, v.Of))
		}
		keys[v.TextKey], words[v.Words] = true, true
		return v
	})
}

func parseMatrix(name string, text []byte) (ResponseMatrix, error) {
	t, err := parseTable(name, text)
	if err != nil {
		return ResponseMatrix{}, err
	}
	if t.columns[0] != "protocol" {
		return ResponseMatrix{}, fmt.Errorf("%s:1: first column is %q, want %q", name, t.columns[0], "protocol")
	}
	rows, err := parseRows(name, text, t.columns, func(c *cells) MatrixRow {
		row := MatrixRow{Protocol: c.text()}
		for range t.columns[1:] {
			row.Shares = append(row.Shares, c.share())
		}
		return row
	})
	return ResponseMatrix{t.columns[1:], rows}, err
}

func parseTelnetPorts(name string, text []byte) ([]TelnetPort, error) {
	columns := []string{"port", "hosts", "top_as", "asn", "share_in_top_as"}
	return parseRows(name, text, columns, func(c *cells) TelnetPort {
		var p TelnetPort
		p.Port = c.port()
		p.Hosts = c.count()
		p.TopAS = c.text()
		p.ASN = cell(c, parseASN)
		p.ShareInTop = c.share()
		return p
	})
}

func parseOrder(name string, text []byte) (HandshakeOrder, error) {
	columns := []string{"rank", "assigned_handshake", "assigned_delta", "ephemeral_handshake", "ephemeral_delta"}
	var o HandshakeOrder
	_, err := parseRows(name, text, columns, func(c *cells) uint64 {
		rank := c.count()
		o.Assigned = append(o.Assigned, OrderStep{c.text(), c.share()})
		o.Ephemeral = append(o.Ephemeral, OrderStep{c.text(), c.share()})
		if rank != uint64(len(o.Assigned)) {
			c.fail(fmt.Errorf("rank: %d, want %d", rank, len(o.Assigned)))
		}
		return rank
	})
	return o, err
}

func parseOptions(name string, text []byte) ([]OptionShare, error) {
	columns := []string{"port", "protocol", "option", "share_of_ips_that_send_data"}
	return parseRows(name, text, columns, func(c *cells) OptionShare {
		return OptionShare{c.port(), c.text(), c.text(), c.share()}
	})
}

// parsePerformance reads a table that has a column per scan and a row per value.
func parsePerformance(name string, text []byte) ([]Comparison, error) {
	t, err := parseTable(name, text)
	if err != nil {
		return nil, err
	}
	scans, err := scansOf(t.columns[1:])
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	seen := make(map[string]bool)
	_, err = parseRows(name, text, t.columns, func(c *cells) string {
		value := c.text()
		if seen[value] {
			c.fail(fmt.Errorf("row %q a second time", value))
		}
		seen[value] = true
		for i := range scans {
			scans[i].read(value, c)
		}
		return value
	})
	if err == nil && len(seen) != 16 {
		err = fmt.Errorf("%s: %d rows, want 16", name, len(seen))
	}
	return scans, err
}

// scansOf reads column names such as "80/http,tls".
func scansOf(columns []string) ([]Comparison, error) {
	var scans []Comparison
	for _, column := range columns {
		number, handshakes, ok := strings.Cut(column, "/")
		port, err := parsePort(number)
		if !ok || err != nil {
			return nil, fmt.Errorf("column %q is not a port, / and its handshakes", column)
		}
		scans = append(scans, Comparison{Port: port, Handshakes: strings.Split(handshakes, ",")})
	}
	return scans, nil
}

// read takes the next cell of the row with the given name.
func (p *Comparison) read(row string, c *cells) {
	counts := map[string]*uint64{
		"syn_ack":                     &p.SYNACK,
		"zero_window":                 &p.ZeroWindow,
		"rst":                         &p.RST,
		"acks_data":                   &p.AcksData,
		"expected_lzr":                &p.ExpectedLZR,
		"expected_zgrab":              &p.ExpectedZGrab,
		"unexpected_lzr":              &p.UnexpectedLZR,
		"unique_unexpected_protocols": &p.UnexpectedProtocols,
	}
	gains := map[string]*Gain{
		"zmap_lzr":               &p.Live,
		"zmap_lzr_zgrab":         &p.LiveZGrab,
		"offline_zmap_lzr":       &p.Offline,
		"offline_zmap_lzr_zgrab": &p.OfflineZGrab,
	}
	kind, way, _ := strings.Cut(row, "_")
	switch {
	case counts[row] != nil:
		*counts[row] = c.count()
	case kind == "speedup" && gains[way] != nil:
		gains[way].Speedup = cell(c, parseNumber)
	case kind == "bandwidth" && gains[way] != nil:
		gains[way].Bandwidth = cell(c, parsePercent)
	default:
		c.next()
		c.fail(fmt.Errorf("unknown row %q", row))
	}
}
