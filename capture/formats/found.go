package formats

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"laserdisc/capture/handshake"
)

// Tool is a program whose results [ReadFound] reads, and what they tell.
type Tool struct {
	Name       string
	Answers    bool // which services answered with a SYN-ACK
	Acks       bool // which of them acknowledged data
	Identifies bool // which protocol they speak
	Targets    bool // all that was tried, whatever came of it
}

var (
	toolZMap   = &Tool{Name: "ZMap", Answers: true}
	toolLZR    = &Tool{Name: "LZR", Answers: true, Acks: true, Identifies: true}
	toolZGrab2 = &Tool{Name: "ZGrab2", Identifies: true, Targets: true}
)

// Found is what a line tells of a service.
type Found struct {
	Service netip.AddrPort
	Answers bool
	Acks    bool
	Label   string    // the tool's name of the protocol; "" if it found none
	Time    time.Time // when; zero if the line does not tell
}

// ReadFound reads what another tool found, and calls each with one service after another; a line may tell of several, and several
// of one. The lines, of at most [MaxLine] bytes, are all of one tool:
//
//	ZMap     JSON with saddr and sport, or CSV whose first line names these columns; lines whose success is 0, or whose
//	         classification is not synack, are left out
//	LZR      JSON with HandshakeNum; a fingerprint that names a protocol is a label
//	ZGrab2   JSON with ip and data; a module whose status is success has its protocol as the label
//
// The tool is nil if there is no line. An error names the line by its number from 1, unless it is of r or each.
func ReadFound(r io.Reader, each func(*Found) error) (*Tool, error) {
	var f foundReader
	lines := bufio.NewReaderSize(r, 1<<16)
	var line []byte
	for n := 1; ; n++ {
		var err, end error
		line, err, end = readLine(lines, line[:0])
		if err == nil && len(bytes.TrimSpace(line)) > 0 {
			err = f.read(bytes.TrimSpace(line))
		}
		if err != nil {
			return f.tool, fmt.Errorf("line %d: %w", n, err)
		}
		for i := range f.found {
			if err := each(&f.found[i]); err != nil {
				return f.tool, err
			}
		}
		f.found = f.found[:0]
		if errors.Is(end, io.EOF) {
			return f.tool, nil
		}
		if end != nil {
			return f.tool, end
		}
	}
}

// foundReader reads one line after another.
type foundReader struct {
	tool    *Tool    // of the lines so far
	columns []string // of CSV
	found   []Found  // of the last line
}

func (f *foundReader) read(line []byte) error {
	if line[0] != '{' {
		return f.readCSV(line)
	}
	if f.columns != nil {
		return errors.New("JSON, after CSV")
	}
	var l foundLine
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("not such a line: %w", err)
	}
	tool := toolZMap
	switch {
	case l.IP != nil && l.Data != nil:
		tool = toolZGrab2
	case l.Number != nil:
		tool = toolLZR
	}
	if f.tool != nil && f.tool != tool {
		return fmt.Errorf("a line of %s, after those of %s", tool.Name, f.tool.Name)
	}
	f.tool = tool
	if tool == toolZGrab2 {
		return f.zgrab(&l)
	}
	service, err := serviceOf(l.Source, l.Port, "saddr", "sport")
	if err != nil {
		return err
	}
	one := Found{Service: service, Answers: true, Time: l.time()}
	if tool == toolZMap {
		if l.answered() {
			f.found = append(f.found, one)
		}
		return nil
	}
	data := len(l.Data) > 0 && string(l.Data) != `""` && string(l.Data) != "null"
	one.Answers = data || l.ACKed || l.Expected != "sa" // sa: it waited for the SYN-ACK
	one.Acks = data || l.ACKed || l.Expected == "data"
	switch l.Fingerprint {
	case handshake.Unknown, handshake.Echo, handshake.AllOnes: // the last two of scan --format lzr
	default:
		one.Label = l.Fingerprint
	}
	f.found = append(f.found, one)
	return nil
}

// foundLine is a line of JSON, with the fields of all tools.
type foundLine struct {
	Source         *netip.Addr `json:"saddr"` // of ZMap and LZR: the service
	Port           uint16      `json:"sport"`
	Classification string      `json:"classification"` // of ZMap
	Success        any         `json:"success"`        // a boolean, or 0 or 1
	TimestampText  string      `json:"timestamp_str"`
	Number         *int        `json:"HandshakeNum"` // of LZR
	ACKed          bool        `json:"ACKed"`
	Fingerprint    string      `json:"fingerprint"`
	Expected       string      `json:"expectedRToLZR"`
	Timestamp      string      `json:"Timestamp"`

	IP      *netip.Addr     `json:"ip"` // of ZGrab2
	OwnPort uint16          `json:"port"`
	Data    json.RawMessage `json:"data"` // of ZGrab2, by module; of LZR a text
}

// answered reports whether ZMap's line is about a SYN-ACK.
func (l *foundLine) answered() bool {
	return (l.Classification == "" || l.Classification == "synack") && l.Success != false && l.Success != 0.0
}

func (l *foundLine) time() time.Time {
	for _, text := range []string{l.Timestamp, l.TimestampText} {
		if t := parseTime(text); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// parseTime reads a time as these tools write it: RFC 3339, of ZMap with a zone without a colon. Zero is none.
func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// serviceOf puts a service together, of fields with these names.
func serviceOf(addr *netip.Addr, port uint16, addrName, portName string) (netip.AddrPort, error) {
	switch {
	case addr == nil || !addr.IsValid():
		return netip.AddrPort{}, fmt.Errorf("no %s in it", addrName)
	case port == 0:
		return netip.AddrPort{}, fmt.Errorf("no %s in it", portName)
	case addr.Zone() != "":
		return netip.AddrPort{}, fmt.Errorf("%s: %v has a zone", addrName, addr)
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}

// zgrab reads a line of ZGrab2's: what each module made of the host.
func (f *foundReader) zgrab(l *foundLine) error {
	var modules map[string]struct {
		Status    string `json:"status"`
		Protocol  string `json:"protocol"`
		Port      uint16 `json:"port"`
		Timestamp string `json:"timestamp"`
	}
	if err := json.Unmarshal(l.Data, &modules); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	var names []string
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m := modules[name]
		if m.Port == 0 {
			m.Port = l.OwnPort
		}
		service, err := serviceOf(l.IP, m.Port, "ip", "port")
		if err != nil {
			return err
		}
		one := Found{Service: service, Time: parseTime(m.Timestamp)}
		if m.Status == "success" {
			one.Answers, one.Acks, one.Label = true, true, name
			if m.Protocol != "" {
				one.Label = m.Protocol
			}
		}
		f.found = append(f.found, one)
	}
	return nil
}

// readCSV reads a line of ZMap's CSV; the first one has the names of the columns.
func (f *foundReader) readCSV(line []byte) error {
	r := csv.NewReader(bytes.NewReader(line))
	cells, err := r.Read()
	if err != nil {
		return fmt.Errorf("neither JSON nor CSV: %w", err)
	}
	if f.tool != nil && f.columns == nil {
		return errors.New("CSV, after JSON")
	}
	if f.columns == nil {
		if !slices.Contains(cells, "saddr") || !slices.Contains(cells, "sport") {
			return errors.New("the first line names no columns saddr and sport: run zmap with -f saddr,sport")
		}
		f.tool, f.columns = toolZMap, cells
		return nil
	}
	if len(cells) != len(f.columns) {
		return fmt.Errorf("%d cells, of %d columns", len(cells), len(f.columns))
	}
	var l foundLine
	for i, name := range f.columns {
		cell := cells[i]
		switch name {
		case "saddr":
			addr, err := netip.ParseAddr(cell)
			if err != nil {
				return fmt.Errorf("saddr: %w", err)
			}
			l.Source = &addr
		case "sport":
			port, err := strconv.ParseUint(cell, 10, 16)
			if err != nil {
				return fmt.Errorf("sport: %q is not a port", cell)
			}
			l.Port = uint16(port)
		case "classification":
			l.Classification = cell
		case "success":
			l.Success = cell == "1" || cell == "true"
		case "timestamp_str":
			l.TimestampText = cell
		}
	}
	service, err := serviceOf(l.Source, l.Port, "saddr", "sport")
	if err == nil && l.answered() {
		f.found = append(f.found, Found{Service: service, Answers: true, Time: l.time()})
	}
	return err
}
