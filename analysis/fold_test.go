package analysis

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay/order"
)

var dictionary = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// columnTypes are the types in which a dataset gives the columns to folds.
var columnTypes = map[string]arrow.DataType{
	"addr": arrow.BinaryTypes.String, "port": arrow.PrimitiveTypes.Uint16, "attempt": arrow.PrimitiveTypes.Uint32,
	"visit": dictionary, "handshake": dictionary, "state": dictionary, "label": dictionary, "evidence": dictionary,
	"sent_bytes": arrow.PrimitiveTypes.Uint32, "fin": arrow.FixedWidthTypes.Boolean, "rst": arrow.FixedWidthTypes.Boolean,
	"synack_time": arrow.FixedWidthTypes.Timestamp_ns, "data_time": arrow.FixedWidthTypes.Timestamp_ns, "end_time": arrow.FixedWidthTypes.Timestamp_ns,
	"asn": arrow.PrimitiveTypes.Int64, "as_name": arrow.BinaryTypes.String, "delay_ms": arrow.PrimitiveTypes.Int64,
	"ack_time": arrow.FixedWidthTypes.Timestamp_ns, "syn_time": arrow.FixedWidthTypes.Timestamp_ns, "synacks": arrow.PrimitiveTypes.Uint32, "retransmits": arrow.PrimitiveTypes.Uint32,
	"response": arrow.BinaryTypes.Binary, "truncated": arrow.FixedWidthTypes.Boolean,
	"reset_text": arrow.BinaryTypes.Binary,
}

// batchOf makes a batch of a text with a line of column names and then a line a row, cells apart by blanks: "-" is an
// empty name, or no time; times are in seconds. A column of the fold that the text does not have is "-" or 0.
func batchOf(t testing.TB, fold Fold, text string) arrow.Record {
	t.Helper()
	var lines [][]string
	for line := range strings.Lines(text) {
		if cells := strings.Fields(line); len(cells) > 0 {
			lines = append(lines, cells)
		}
	}
	var fields []arrow.Field
	for _, name := range fold.Columns() {
		fields = append(fields, arrow.Field{Name: name, Type: columnTypes[name], Nullable: strings.HasSuffix(name, "_time")})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for _, cells := range lines[1:] {
		for i, f := range fields {
			cell := "-"
			if at := slices.Index(lines[0], f.Name); at >= 0 {
				cell = cells[at]
			}
			if err := appendCell(b.Field(i), cell); err != nil {
				t.Fatalf("%v, column %s: %v", cells, f.Name, err)
			}
		}
	}
	return b.NewRecord()
}

func appendCell(b array.Builder, cell string) (err error) {
	if _, isTime := b.(*array.TimestampBuilder); cell == "-" && !isTime {
		switch b.(type) {
		case *array.BinaryDictionaryBuilder, *array.BinaryBuilder:
			cell = ""
		default:
			cell = "0"
		}
	}
	var n uint64
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(cell)
	case *array.BinaryDictionaryBuilder:
		return b.AppendString(cell)
	case *array.BinaryBuilder: // as a Go string, without its quotes
		cell, err = strconv.Unquote(`"` + cell + `"`)
		b.AppendString(cell)
	case *array.Uint16Builder:
		n, err = strconv.ParseUint(cell, 10, 16)
		b.Append(uint16(n))
	case *array.Uint32Builder:
		n, err = strconv.ParseUint(cell, 10, 32)
		b.Append(uint32(n))
	case *array.Int64Builder:
		n, err = strconv.ParseUint(cell, 10, 63)
		b.Append(int64(n))
	case *array.BooleanBuilder:
		b.Append(cell == "yes")
	case *array.TimestampBuilder:
		if cell == "-" {
			b.AppendNull()
			return nil
		}
		var seconds float64
		seconds, err = strconv.ParseFloat(cell, 64)
		b.Append(arrow.Timestamp(math.Round(seconds * 1e9)))
	default:
		err = fmt.Errorf("no such column")
	}
	return err
}

// everyField compares sums by what is in them.
var everyField = cmp.Exporter(func(reflect.Type) bool { return true })

// TestFoldsMerge cuts every text into two batches at each line, for one fold and for two that are merged: what the
// folds count is the same. Two folds are cut between hosts only, as a dataset's partitions are.
func TestFoldsMerge(t *testing.T) {
	for _, c := range []struct {
		name   string
		text   string
		fold   func() Fold
		result func(Fold) any
	}{
		{"census", censusText, func() Fold { return new(Census) }, func(f Fold) any { return f.(*Census).Kinds() }},
		{"examples", examplesText, func() Fold { return new(Examples) }, func(f Fold) any { return f.(*Examples).List() }},
		{"contents", contentsText(t), func() Fold { return NewContents(estimate.ByHost) }, func(f Fold) any {
			ratios, reads, err := f.(*Contents).Ratios()
			if err != nil {
				t.Fatal(err)
			}
			return []any{fmt.Sprintf("%v", ratios), reads}
		}},
		{"responses", responsesText, func() Fold { return new(Responses) }, func(f Fold) any {
			handshakes, patterns := f.(*Responses).Patterns([]string{"wait", "http"})
			return []any{handshakes, patterns}
		}},
		{"trials", trialsText, func() Fold { return NewTrials(Counting{Ports: []uint16{22, 81, 8080}}) }, func(f Fold) any {
			o, err := f.(*Trials).Outcomes(0)
			if err != nil {
				t.Fatal(err)
			}
			return told(o)
		}},
		{"trials together", trialsText, func() Fold {
			return NewTrials(Counting{Ports: []uint16{22}}, Counting{Ports: []uint16{80, 81}, Expected: true})
		}, func(f Fold) any {
			var list []any
			for i := range 2 {
				o, err := f.(*Trials).Outcomes(i)
				if err != nil {
					t.Fatal(err)
				}
				shares, between := o.Identified(order.Greedy(order.Patterns(o.Services), o.Handshakes))
				list = append(list, told(o), shares, between, o.Hosts)
			}
			return list
		}},
		{"answers", answersText, func() Fold { return NewAnswers(time.Second) }, func(f Fold) any { return toldAnswers(f.(*Answers)) }},
		{"curves", curvesText, func() Fold { return new(Curves) }, func(f Fold) any { return toldCurves(f.(*Curves)) }},
		{"follow-ups", followupsText, func() Fold { return newToldFollowups() }, func(f Fold) any { return f.(*Followups[string, string]).Counted().Groups() }},
		{"all ports", allPortsText, func() Fold { return new(AllPorts) }, func(f Fold) any {
			steps, hosts, services := f.(*AllPorts).Steps()
			return []any{steps, hosts, services}
		}},
		{"unrecognised", unrecognisedText, func() Fold { return NewUnrecognised([]string{"vnc"}) }, func(f Fold) any {
			responses, kept := f.(*Unrecognised).Responses()
			return []any{responses, kept}
		}},
		{"relabel", relabelText, func() Fold { return NewRelabel([]string{"vnc"}) }, func(f Fold) any {
			moves, services, err := f.(*Relabel).Moves()
			if err != nil {
				t.Fatal(err)
			}
			return []any{moves, services}
		}},
		{"inventory", inventoryText, func() Fold { return new(Inventory) }, func(f Fold) any {
			sample, everywhere := f.(*Inventory).Sample(new(record.Manifest), []uint16{22, 80})
			return []any{sample, everywhere}
		}},
		{"connections", connectionsText, func() Fold { return new(Connections) }, func(f Fold) any { return f.(*Connections).States() }},
		{"unknowns", unknownsText, func() Fold { return new(Unknowns) }, func(f Fold) any { return f.(*Unknowns).Hosts() }},
		{"streaks", streaksText, func() Fold { return NewStreaks(stateOf) }, func(f Fold) any { return blocksOf(t, f.(*Streaks), 29) }},
	} {
		whole := c.fold()
		batch := batchOf(t, whole, c.text)
		if err := whole.Add(batch); err != nil {
			t.Fatal(c.name, err)
		}
		want := c.result(whole)
		n := batch.NumRows()
		host := func(row int64) string {
			return strings.Fields(strings.Split(strings.TrimSpace(c.text), "\n")[row+1])[0]
		}
		for cut := range n + 1 {
			one := c.fold()
			for _, part := range []arrow.Record{batch.NewSlice(0, cut), batch.NewSlice(cut, n)} {
				if err := one.Add(part); err != nil {
					t.Fatal(c.name, err)
				}
			}
			if d := cmp.Diff(want, c.result(one), everyField); d != "" {
				t.Errorf("%s: two batches, cut at %d: %s", c.name, cut, d)
			}
			if cut > 0 && cut < n && host(cut) == host(cut-1) {
				continue
			}
			// The part that comes second is the one that is merged into, so that its numbers of names are others.
			first, second := c.fold(), c.fold()
			if err := first.Add(batch.NewSlice(0, cut)); err != nil {
				t.Fatal(c.name, err)
			}
			if err := second.Add(batchOf(t, second, after(c.text, cut))); err != nil {
				t.Fatal(c.name, err)
			}
			if err := second.Merge(first); err != nil {
				t.Fatal(c.name, err)
			}
			if d := cmp.Diff(want, c.result(second), everyField); d != "" {
				t.Errorf("%s: two folds, cut at %d: %s", c.name, cut, d)
			}
		}
	}
}

var sameAddress = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// after is a text without its first rows.
func after(text string, rows int64) string {
	lines := slices.Collect(strings.Lines(strings.TrimSpace(text)))
	return lines[0] + strings.Join(lines[1+rows:], "")
}

const censusText = `
	port state        label      evidence
	80   sends_data   http       certain
	80   sends_data   http       likely
	80   sends_data   http       weak
	80   sends_data   unknown    none
	80   acks_data    -          none
	80   closed       -          none
	22   sends_data   ssh        certain
	443  dynamic_blocking tls    certain
	443  sends_data   kubernetes likely
	443  silent       -          none`

func TestCensus(t *testing.T) {
	c := new(Census)
	if err := c.Add(batchOf(t, c, censusText)); err != nil {
		t.Fatal(err)
	}
	want := []Kind{
		{22, session.SendsData, "ssh", 1},
		{80, session.AcksData, "", 1},
		{80, session.SendsData, "", 2},
		{80, session.SendsData, "http", 2},
		{443, session.Silent, "", 1},
		{443, session.DynamicBlocking, "tls", 1},
		{443, session.SendsData, "kubernetes", 1},
	}
	if d := cmp.Diff(want, c.Kinds()); d != "" {
		t.Error(d)
	}
}

// The second host's 6443 is http by its first answer, and kubernetes by the more specific one of a second look.
const responsesText = `
	addr     port visit     handshake state          label      evidence rst synack_time end_time sent_bytes
	10.0.0.1 80   first     wait      silent         -          none     -   1           3        0
	10.0.0.1 80   first     http      sends_data     http       likely   -   1           3        10
	10.0.0.1 80   first     tls       sends_data     tls        certain  -   1           3        10
	10.0.0.2 6443 first     wait      acks_data      -          none     -   1           3        0
	10.0.0.2 6443 first     http      sends_data     http       certain  -   1           3        10
	10.0.0.2 6443 again     http      sends_data     kubernetes likely   -   1           3        10
	10.0.0.2 6443 fresh     smtp      sends_data     ftp        certain  -   1           3        10
	10.0.0.2 8080 ephemeral http      sends_data     ftp        certain  -   1           3        10
	10.0.0.3 80   first     wait      closed         -          none     yes -           3        0
	10.0.0.3 81   first     wait      closed         -          none     yes -           3        0
	10.0.0.3 81   first     http      acks_data      -          none     -   1           3        10
	10.0.0.4 22   first     dns       sends_data     echo       none     -   1           3        10
	10.0.0.4 23   first     wait      reset_after_handshake - none       yes 1           1.5      0
	10.0.0.4 23   first     http      acks_data      -          none     yes 1           1.5      10
	10.0.0.5 80   first     wait      silent         -          none     -   1           3        0
	10.0.0.5 80   first     http      sends_data     http       certain  -   1           3        10
	10.0.0.5 80   first     tls       sends_data     tls        certain  -   1           3        10`

func TestResponses(t *testing.T) {
	r := new(Responses)
	if err := r.Add(batchOf(t, r, responsesText)); err != nil {
		t.Fatal(err)
	}
	handshakes, patterns := r.Patterns([]string{"wait", "http", "pptp"})
	if d := cmp.Diff([]string{"wait", "http", "dns", "tls"}, handshakes); d != "" {
		t.Error(d)
	}
	set := func(names ...string) (s order.Set) {
		for _, name := range names {
			s.Add(slices.Index(handshakes, name))
		}
		return s
	}
	want := []Response{
		{Port: 22, Tried: set("dns"), SentData: set("dns"), Services: 1},
		{Port: 23, Tried: set("wait", "http"), Services: 1},
		{Port: 80, Label: "tls", Tried: set("wait", "http", "tls"), SentData: set("http", "tls"), Identified: set("http", "tls"),
			Services: 2}, // tls stands before http in the table
		{Port: 81, Tried: set("http"), Services: 1},
		{Port: 6443, Label: "kubernetes", Tried: set("wait", "http"), SentData: set("http"), Identified: set("http"), Services: 1},
	}
	if d := cmp.Diff(want, patterns); d != "" {
		t.Error(d)
	}
	left := Unexpected(On(patterns, []uint16{23, 80, 6443}))
	if d := cmp.Diff(want[1:3], left); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]order.Pattern{{Services: 1, Weight: 1}, {Identified: set("http", "tls"), Services: 2, Weight: 2}}, Identified(left)); d != "" {
		t.Error(d)
	}
}

// Host 1 acknowledges everything, host 2 its first probe, host 3 none; host 4 was not probed, and its port 1 hangs up.
const allPortsText = `
	addr     port  attempt visit     state      rst synack_time end_time sent_bytes
	10.0.0.1 80    0       first     acks_data  -   1           3        10
	10.0.0.1 81    0       first     sends_data -   1           3        10
	10.0.0.1 81    1       first     acks_data  -   1           3        10
	10.0.0.1 82    0       first     acks_data  -   1           3        10
	10.0.0.1 50000 1       ephemeral acks_data  -   1           3        10
	10.0.0.1 50001 0       ephemeral acks_data  -   1           3        10
	10.0.0.1 50002 2       ephemeral sends_data -   1           3        10
	10.0.0.2 80    0       first     acks_data  -   1           3        10
	10.0.0.2 50000 2       ephemeral closed     yes -           3        10
	10.0.0.2 50001 0       ephemeral acks_data  -   1           3        10
	10.0.0.2 50002 1       ephemeral no_answer  -   -           3        10
	10.0.0.3 80    0       first     acks_data  -   1           3        10
	10.0.0.3 50000 0       ephemeral silent     -   1           3        0
	10.0.0.3 50001 1       ephemeral acks_data  -   1           3        10
	10.0.0.4 1     0       first     reset_after_handshake yes 1 1.1     0
	10.0.0.4 1     1       first     acks_data  yes 1           1.1      10
	10.0.0.4 2     0       first     no_data_ack -  1           3        10
	10.0.0.4 2     1       again     acks_data  -   1           3        10
	10.0.0.4 3     0       first     no_data_ack -  1           3        10
	10.0.0.4 3     1       fresh     acks_data  -   1           3        10`

func TestAllPorts(t *testing.T) {
	a := new(AllPorts)
	if err := a.Add(batchOf(t, a, allPortsText)); err != nil {
		t.Fatal(err)
	}
	steps, hosts, services := a.Steps()
	if d := cmp.Diff([]AllPortsStep{{1, 2, 3}, {2, 1, 2}, {3, 1, 2}}, steps); d != "" {
		t.Error(d)
	}
	if hosts != 3 || services != 5 {
		t.Errorf("%d hosts, %d services", hosts, services)
	}
}

// The connections of an ephemeral port and of a follow-up do not count.
const connectionsText = `
	addr     port  visit     state                 synacks
	10.0.0.1 80    first     dropped_handshake     9
	10.0.0.1 80    again     dropped_handshake     4
	10.0.0.1 81    first     reset_after_handshake 1
	10.0.0.1 81    again     reset_after_handshake 1
	10.0.0.2 80    first     closed                0
	10.0.0.3 80    first     reset_after_handshake 2
	10.0.0.3 81    first     acks_data             1
	10.0.0.3 81    fresh     no_answer             0
	10.0.0.3 81    followup  acks_data             5
	10.0.0.3 81    wrong     acks_data             5
	10.0.0.3 81    control   acks_data             5
	10.0.0.3 50000 ephemeral reset_after_handshake 7
	10.0.0.4 80    first     sends_data            1`

func TestConnections(t *testing.T) {
	c := new(Connections)
	if err := c.Add(batchOf(t, c, connectionsText)); err != nil {
		t.Fatal(err)
	}
	want := []ConnectionsOf{
		{session.DroppedHandshake, 2, 11}, {session.ResetAfterHandshake, 3, 1}, {session.AcksData, 1, 0}, {session.SendsData, 1, 0},
	}
	if d := cmp.Diff(want, c.States()); d != "" {
		t.Error(d)
	}
}

// Hosts 1 and 5 have one unknown service, and host 3 two, of which one was told by ephemeral probes; host 2 has none.
const unknownsText = `
	addr     port state      label   evidence
	10.0.0.1 80   sends_data http    certain
	10.0.0.1 81   sends_data unknown none
	10.0.0.1 82   no_data_ack -      none
	10.0.0.2 80   sends_data ssh     likely
	10.0.0.3 80   all_ports  -       none
	10.0.0.3 81   acks_data  -       none
	10.0.0.4 80   closed     -       none
	10.0.0.5 80   sends_data http    weak
	10.0.0.5 81   sends_data http    likely`

func TestUnknowns(t *testing.T) {
	u := new(Unknowns)
	if err := u.Add(batchOf(t, u, unknownsText)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]UnknownCount{{UnknownHosts{1, 0}, 2}, {UnknownHosts{2, 1}, 1}}, u.Hosts()); d != "" {
		t.Error(d)
	}
}

// On port 80, five addresses refuse data by a window of zero, of which the fourth does otherwise; the border of a /29 is behind .7.
const streaksText = `
	addr      port state       evidence
	10.0.0.3  80   zero_window none
	10.0.0.4  80   zero_window none
	10.0.0.4  81   zero_window none
	10.0.0.5  80   zero_window none
	10.0.0.5  81   no_data_ack none
	10.0.0.6  80   no_data_ack none
	10.0.0.6  81   zero_window none
	10.0.0.7  80   zero_window none
	10.0.0.8  80   zero_window none
	10.0.0.10 80   zero_window none
	10.0.0.11 80   silent none
	10.0.0.12 80   closed none`

func TestStreaks(t *testing.T) {
	s := NewStreaks(stateOf)
	if err := s.Add(batchOf(t, s, streaksText)); err != nil {
		t.Fatal(err)
	}
	want := map[string]estimate.Hosts{}
	count := func(behaviour string, least int, hits, services uint32) {
		name := fmt.Sprintf("%s %d", behaviour, least)
		sums := want[name]
		sums.Add(hits, services)
		want[name] = sums
	}
	// The blocks are 10.0.0.0/29 and 10.0.0.8/29.
	count("zero_window", 0, 6, 6)
	count("zero_window", 0, 2, 2)
	count("zero_window", 1, 3, 6) // .3 to .5 on port 80
	count("zero_window", 1, 0, 2)
	count("no_data_ack", 0, 2, 2)
	if d := cmp.Diff(want, blocksOf(t, s, 29), everyField); d != "" {
		t.Error(d)
	}
	if got := blocksOf(t, s, 28)["zero_window 1"]; got.Hosts() != 1 {
		t.Errorf("%d blocks of /28", got.Hosts())
	} else if hits, _ := got.Services(); hits != 5 { // and .7 and .8
		t.Errorf("%d services in streaks of a /28", hits)
	}
	if _, err := s.Blocks(33); err == nil || !strings.Contains(err.Error(), "10.0.0.3 is in no block of /33") {
		t.Errorf("blocks of /33: error %v", err)
	}
}

// stateOf is the behaviour of those that were connected and never acknowledged data.
func stateOf(s *Seen) string {
	if s.State == session.ZeroWindow || s.State == session.NoDataAck {
		return s.State.String()
	}
	return ""
}

// blocksOf are the sums of each behaviour and size of streaks.
func blocksOf(t *testing.T, s *Streaks, drawn int) map[string]estimate.Hosts {
	t.Helper()
	shares, err := s.Blocks(drawn)
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]estimate.Hosts)
	for _, behaviour := range shares.Groups() {
		for _, least := range shares.Kinds(behaviour) {
			list[fmt.Sprintf("%s %d", behaviour, least)] = shares.Of(behaviour, least)
		}
	}
	return list
}

// What another version's table has is an error that names the column, and never a wrong count.
func TestFoldErrors(t *testing.T) {
	good := batchOf(t, new(Census), censusText)
	renamed := func(record arrow.Record, as ...string) arrow.Record {
		fields := slices.Clone(record.Schema().Fields())
		for i := range as {
			fields[i].Name = as[i]
		}
		return array.NewRecord(arrow.NewSchema(fields, nil), record.Columns(), record.NumRows())
	}
	var many strings.Builder
	many.WriteString("addr port visit handshake state label evidence\n")
	for i := range order.MaxHandshakes + 1 {
		fmt.Fprintf(&many, "10.0.0.1 80 first h%d acks_data - none\n", i)
	}
	for _, c := range []struct {
		fold   Fold
		record arrow.Record
		want   string
	}{
		{new(Census), renamed(good, "ports"), `0 columns "port"`},
		{new(Census), renamed(good, "state", "port"), `column "port" is dictionary<values=utf8, indices=int32, ordered=false>, not what a fold reads as *array.Uint16`},
		{new(Census), renamed(good, "port", "evidence", "label", "state"), `column "state": session: no state is called "certain"`},
		{new(Census), renamed(good, "port", "evidence2", "evidence", "state"), `column "state": session: no state is called`},
		{new(Census), renamed(good, "port", "state", "evidence", "label"), `column "evidence": no evidence is called "http"`},
		{new(Responses), batchOf(t, new(Responses), many.String()), `handshake "h128" is one more than 128`},
		{NewTrials(Counting{}), batchOf(t, new(Responses), many.String()), `handshake "h128" is one more than 128`},
		{NewTrials(Counting{}), batchOf(t, new(Responses), responsesText), `0 columns "sent_bytes"`},
		{NewAnswers(0), batchOf(t, new(Responses), many.String()), `handshake "h128" is one more than 128`},
		{NewAnswers(0), batchOf(t, new(Responses), responsesText), `0 columns "sent_bytes"`},
		{new(AllPorts), good, `0 columns "addr"`},
		{newToldFollowups(), batchOf(t, new(Responses), responsesText), `0 columns "delay_ms"`},
		{new(Connections), good, `0 columns "visit"`},
		{new(Unknowns), good, `0 columns "addr"`},
		{NewStreaks(stateOf), batchOf(t, NewStreaks(stateOf), "addr port state evidence\n10.0.0 80 no_data_ack none"), `column "addr": ParseAddr("10.0.0")`},
		{new(Curves), good, `0 columns "addr"`},
	} {
		err := c.fold.Add(c.record)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, should say %q", err, c.want)
		}
	}
	all := func() []Fold {
		return []Fold{new(Census), new(Responses), NewTrials(Counting{}), NewAnswers(0), new(Curves), new(AllPorts), new(Connections), new(Unknowns), NewStreaks(stateOf),
			new(Inventory), new(Examples), newToldFollowups(), NewUnrecognised(nil), NewMistaken(nil, nil), NewRelabel(nil)}
	}
	for _, a := range all() {
		for _, b := range all() {
			if err := a.Merge(b); (err == nil) != (fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)) {
				t.Errorf("%T and %T: %v", a, b, err)
			}
		}
	}
}

// BenchmarkFolds tells what a row costs each fold: `go test -tags noasm -bench Folds -run none ./analysis`.
func BenchmarkFolds(b *testing.B) {
	for _, f := range []struct {
		name string
		fold Fold
		text string
	}{{"answers", NewAnswers(time.Second), answersText}, {"curves", new(Curves), curvesText}, {"census", new(Census), censusText}, {"responses", new(Responses), responsesText}, {"trials", NewTrials(Counting{Ports: []uint16{22, 81, 8080}}), trialsText}, {"allports", new(AllPorts), allPortsText}} {
		rows := slices.Collect(strings.Lines(strings.TrimSpace(f.text) + "\n"))
		batch := batchOf(b, f.fold, rows[0]+strings.Repeat(strings.Join(rows[1:], ""), 2000))
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				if err := f.fold.Add(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(int64(b.N)*batch.NumRows()), "ns/row")
		})
	}
}
