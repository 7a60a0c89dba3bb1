package reports

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

func TestStackPorts(t *testing.T) {
	got := stackPorts([]analysis.Kind{
		{Port: 80, State: session.Shunned, Services: 1},
		{Port: 80, State: session.AllPorts, Services: 2},
		{Port: 80, State: session.AcksData, Services: 4},
		{Port: 80, State: session.SendsData, Services: 8},
		{Port: 80, State: session.SendsData, Label: "http", Services: 15},
		{Port: 80, State: session.DynamicBlocking, Label: "http", Services: 1},
		{Port: 80, State: session.SendsData, Label: "tls", Services: 32},
		{Port: 22, State: session.SendsData, Label: "ssh", Services: 63},
		{Port: 9999, State: session.SendsData, Label: "ssh", Services: 63},
		{Port: 10000, State: session.SendsData, Label: "ssh", Services: 64},
	})
	want := []portStack{
		{port: 22, expected: "ssh", l7Expected: 63},
		{80, "http", 1, 14, 32, 16},
		{port: 10000, l7Other: 64},
		{port: 9999, l7Other: 63},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(portStack{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]portStack{want[1], want[2]}, mostServices([]portStack{want[1], want[2], want[3]}, 2), cmp.AllowUnexported(portStack{})); d != "" {
		t.Error(d)
	}
}

// onPorts is the services of a protocol on some ports, one a host.
func onPorts(t *testing.T, ports ...uint16) coverage {
	t.Helper()
	of := &estimate.Ports{Seed: curveTestSeed}
	for i, port := range ports {
		of.Add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), port)
	}
	curve, err := of.Curve(estimate.Design{Unit: estimate.ByService, Drawn: 1 << 20, Of: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	return coverage{"http", len(ports), of.Ranking(), curve, publishedCoverage("http")}
}

const curveTestSeed = 1

// The table has each port that was seen, most services first, and further numbers of ports if the curve is drawn.
func TestCoverage(t *testing.T) {
	c := onPorts(t, 8080, 80, 80, 443)
	var got []string
	for _, r := range c.rows(true) {
		port := get(r.port(), 0, func(p estimate.PortServices) uint16 { return p.Port })
		got = append(got, fmt.Sprintf("%d: %d, %.2f, paper %.3f", r.k, port, c.share(r.k).Value, r.published()))
	}
	want := []string{
		"1: 80, 0.50, paper 0.030", "2: 443, 0.75, paper 0.042", "3: 8080, 1.00, paper 0.049",
		"10: 0, 1.00, paper NaN", "100: 0, 1.00, paper NaN", "1000: 0, 1.00, paper NaN", "10000: 0, 1.00, paper NaN",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := len(c.rows(false)); n != 3 {
		t.Errorf("%d rows of a curve that is not drawn", n)
	}
	if got := mostCommon([]coverage{{total: 11}, {total: 10}, {total: 9}}); len(got) != 2 {
		t.Errorf("%d curves", len(got))
	}
	needed := neededRow{&c, 0.9}
	if e := needed.ports(); e.Value != 3 || !math.IsInf(e.Hi, 1) || portRange(e) != fmt.Sprintf("> %.0f", e.Lo) || needed.published() != 25_000 {
		t.Errorf("ports for 90 %%: %v, %q; paper %v", e, portRange(e), needed.published())
	}
	if got := portRange(estimate.Estimate{Value: 263}); got != ">= 263" {
		t.Errorf("without an interval: %q", got)
	}
}

// A curve over all ports is drawn with a few hundred points, from its first to its last.
func TestCurve(t *testing.T) {
	var ports []uint16
	for port := range 65535 {
		ports = append(ports, uint16(port+1))
	}
	c := onPorts(t, ports...)
	points, marks := c.line(math.Log(65535), 0.5)
	if last := points[len(points)-1]; len(points) > 2000 || points[0].X != 1 || last.X != 65535 || last.Y != 1 {
		t.Errorf("%d points, from %v to %v", len(points), points[0], last)
	}
	if len(marks) < 5 || len(marks) > 10 {
		t.Errorf("%d markers", len(marks))
	}
	if low, high := c.band(math.Log(65535)); len(low) != len(high) || len(low) > 2000 || low[len(low)-1].X != 65535 {
		t.Errorf("%d and %d points of a band", len(low), len(high))
	}
}

func set(handshakes ...int) (s order.Set) {
	for _, h := range handshakes {
		s.Add(h)
	}
	return s
}

// tried is a run in which http and tls are tried on every service: each line is an address, a port, and what the two drew, "" for none.
func tried(t *testing.T, synthetic string, services ...[4]string) map[string]shown {
	t.Helper()
	list, err := handshake.Parse("http,tls")
	if err != nil {
		t.Fatal(err)
	}
	m := newSample(0, "http,tls", true, 0).manifest(t, "paper")
	m.Synthetic = synthetic
	var attempts []session.Attempt
	for _, s := range services {
		for i, label := range s[2:] {
			a := session.Attempt{Service: netip.MustParseAddrPort(s[0] + ":" + s[1]), Number: i, Handshake: list[i], State: session.AcksData,
				SYNACKs: 1, SYNACKTime: 1e9, AckTime: 1e9, SentBytes: 10, AckedBytes: 10}
			if label != "" {
				a.State, a.DataTime, a.Verdict = session.SendsData, 2e9, handshake.Verdict{Label: label, Evidence: handshake.Certain}
			}
			attempts = append(attempts, a)
		}
	}
	return exhibitsOf(t, datasetOf(t, m, nil, attempts))
}

// cellsOf are some columns of a table's rows.
func cellsOf(t *testing.T, s shown, columns ...string) (list []string) {
	t.Helper()
	lines := rows(t, s.table)
	for _, line := range lines[1:] {
		var cells []string
		for _, name := range columns {
			cells = append(cells, line[slices.Index(lines[0], name)])
		}
		list = append(list, strings.Join(cells, " "))
	}
	return list
}

// TestHandshakes counts by hand what http and tls draw from six services on 443, one of which says nothing, and one of tls on an
// ephemeral port.
func TestHandshakes(t *testing.T) {
	services := [][4]string{
		{"10.0.0.1", "443", "http", ""}, {"10.0.0.2", "443", "http", "http"}, {"10.0.0.3", "443", "http", "tls"}, // tls ranks before http
		{"10.0.0.4", "443", "", "tls"}, {"10.0.0.5", "443", "", ""}, {"10.0.0.6", "443", "http", "http"}, {"10.0.0.6", "65535", "", "tls"},
	}
	by := tried(t, "lab", services...)
	for _, c := range []struct {
		exhibit string
		columns []string
		want    []string
	}{
		{"figure10", []string{"protocol", "handshake", "services", "sent_data", "share", "published", "guessed"}, []string{
			"http http 3 3 1.000000 1.000000 ", "http tls 3 2 0.666667 0.670000 ", "tls http 3 1 0.333333 0.410000 ", "tls tls 3 3 1.000000 1.000000 ",
		}},
		{"table2", []string{"ports", "rank", "handshake", "gained", "share", "cumulative_share", "optimum", "published_handshake", "published_share", "published", "warnings"}, []string{
			// On 443 tls is expected; on 65535 it is not.
			"assigned 1 http 3 1.000000 1.000000 1.000000 wait 0.513000  too few effective hosts; fewer than 200 identified services",
			"assigned 2      tls 0.290000  ", "assigned 3      http 0.136000  ", "assigned 4      dns 0.034000  ", "assigned 5      pptp 0.018000  ",
			"ephemeral 1 tls 1 1.000000 1.000000 1.000000 wait 0.663000  too few effective hosts; fewer than 200 identified services",
			"ephemeral 2      http 0.171000  ", "ephemeral 3      tls 0.159000  ", "ephemeral 4      oracle 0.002300  ", "ephemeral 5      pptp 0.001400  ",
		}},
		{"figure08", []string{"services", "handshakes", "last", "share", "n", "published"}, []string{
			// Of seven services tls finds five, and http one more; on equal gains the first in the list comes first.
			"all ports 1 tls 0.714286 7 ", "all ports 2 http 0.857143 7 0.960000", "ephemeral ports 1 tls 1.000000 1 0.210000",
		}},
		{"single", []string{"what", "services", "share", "n", "published"}, []string{
			"identified by tls alone 5 0.833333 6 ", "identified by http alone 4 0.666667 6 0.880000",
			"acknowledge data only when it is sent again, with PSH 0 0.000000 7 0.001800",
		}},
	} {
		if d := cmp.Diff(c.want, cellsOf(t, by[c.exhibit], c.columns...)); d != "" {
			t.Errorf("%s: %s", c.exhibit, d)
		}
	}
	if c := by["table2"].Caption; !strings.Contains(c, "On the assigned and ephemeral ports they are fewer than 200") {
		t.Error(c)
	}
	for _, line := range cellsOf(t, by["ranks"], "ports", "handshake", "rank") {
		if line != "assigned http 1" && line != "ephemeral tls 1" {
			t.Errorf("ranks: %s", line)
		}
	}
	if real := tried(t, "", services...); strings.Contains(real["figure10"].Caption, "dot") || !strings.Contains(by["figure10"].Caption, "dot") {
		t.Errorf("what the lab guesses: %s", real["figure10"].Caption)
	}
}

// What the sample did not see, by hand: of three ports with http two have one service.
func TestUnseen(t *testing.T) {
	rows, err := unseenRows([]analysis.Kind{
		{Port: 80, State: session.SendsData, Label: "http", Services: 2},
		{Port: 81, State: session.SendsData, Label: "http", Services: 1},
		{Port: 82, State: session.DynamicBlocking, Label: "http", Services: 1},
		{Port: 82, State: session.AcksData, Services: 1},
		{Port: 83, State: session.AllPorts, Services: 1},
		{Port: 84, State: session.NoDataAck, Services: 1},
		{Port: 85, State: session.AcksData, Services: 1},
	}, estimate.Design{Drawn: 10, Of: 100})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s of %s: %v, at least %.3f, covered %.3f", r.kinds, r.of, r.counts, r.atLeast.Value, r.covered.Value))
	}
	want := []string{
		"ports of services that acknowledge data: {4 2 2 6}, at least 4.833, covered 0.667",
		"ports of identified services: {3 2 1 4}, at least 4.500, covered 0.500",
		"protocols of identified services: {1 0 0 4}, at least 1.000, covered 1.000",
		"ports of http: {3 2 1 4}, at least 4.500, covered 0.500",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCompareOptions(t *testing.T) {
	list := compareOptions([]string{"http", "http-options", "tls"}, []analysis.Response{
		{Port: 8081, SentData: set(0, 1), Services: 1},
		{Port: 8081, SentData: set(0, 2), Services: 2},
		{Port: 8081, SentData: set(1), Services: 1},
		{Port: 8081, SentData: set(2), Services: 5},
		{Port: 80, SentData: set(0), Services: 5},
	})
	if len(list) != 1 || list[0].port != 8081 || list[0].counts != [3]int{2, 1, 1} || list[0].published != [3]float64{0.27, 0.073, 0.657} {
		t.Fatalf("%+v", list)
	}
	lines, err := optionLines(list, estimate.Design{Drawn: 10, Of: 100})
	if err != nil {
		t.Fatal(err)
	}
	// Of three services that only one way draws data from, two are the first's or more in half of the tosses: p = 1.
	if l := lines[0]; l.share.Value != 0.5 || l.share.N != 4 || !l.share.HasInterval() || l.test.P != 1 || l.test.Statistic != 1 {
		t.Errorf("%v; %v", l.share, l.test)
	}
	if many := (&option{counts: [3]int{20, 2, 100}}).test(); math.Abs(many.P-2*(1+22+231)/math.Exp2(22)) > 1e-12 {
		t.Errorf("%v", many)
	}
}

// In which order the ways of asking were tried is said.
func TestOptionOrder(t *testing.T) {
	fixed, random, observed := &record.Manifest{}, &record.Manifest{}, &record.Manifest{Observed: &record.Observed{}}
	random.RandomOrder = true
	for _, c := range []struct {
		runs []*record.Manifest
		want string
	}{
		{[]*record.Manifest{fixed}, "in one order"}, {[]*record.Manifest{random}, "drawn for each service"},
		{[]*record.Manifest{fixed, random}, "in one order"}, {[]*record.Manifest{observed}, "the capture's client"},
	} {
		if got := (sources{{Manifests: c.runs}}).optionOrder(); !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q", got, c.want)
		}
	}
}

func TestRankPorts(t *testing.T) {
	kinds := []analysis.Kind{
		{Port: 9999, State: session.SendsData, Label: "http", Services: 7},
		{Port: 443, State: session.ZeroWindow, Services: 3},
		{Port: 443, State: session.SendsData, Label: "tls", Services: 4},
		{Port: 80, State: session.SendsData, Label: "http", Services: 400},
	}
	scanned := slices.Sorted(slices.Values(append(datasets.Assigned(), 9999)))
	list, err := rankPorts(append(kinds, analysis.Kind{Port: 50_000, State: session.AllPorts, Services: 9}), scanned, estimate.Design{Unit: estimate.ByHost, Drawn: 1000, Of: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list {
		p := &list[i]
		got = append(got, fmt.Sprintf("%d %d %s %s %q %q %.0f %t %v", p.rank, p.port, p.expected(), p.iana(), p.marked(), p.top30(), p.total.Value, p.total.HasInterval(), p.published))
	}
	want := []string{ // 80 stands out of 37 ports; 7 services are on too few hosts for an interval
		`1 80 http HTTP "both" "yes" 4000 true 6.26e+07`,
		`2 443 tls HTTPS "both" "yes" 70 false 5.18e+07`,
		`2 9999   "" "" 70 false NaN`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Without the others' zeros nothing stands out.
	if list, err = rankPorts(kinds, []uint16{80, 443, 9999}, estimate.Design{}); err != nil || list[0].marked() != "paper" || list[0].total.HasInterval() {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTopASes(t *testing.T) {
	origins := []analysis.Origin{
		{Protocol: "ssh", Port: 23, Services: 5},
		{Protocol: "telnet", Port: 2323, Services: 400, ASN: 64500, AS: "one", InTop: 100},
		{Protocol: "telnet", Port: 23, Services: 100, ASN: 64501, AS: "two", InTop: 9},
	}
	list, err := topASes(origins, estimate.Design{Unit: estimate.ByHost, Drawn: 1000, Of: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range list {
		got = append(got, fmt.Sprintf("%s %d %d %.0f %t %.2f %s %t", l.Protocol, l.rank, l.Port, l.total.Value, l.total.HasInterval(),
			l.inTop.Value, interval(l.inTop, percent), l.published != nil))
	}
	want := []string{"ssh 1 23 50 false 0.00 0.00 to 40.9 false", "telnet 1 2323 4000 true 0.25 21.2 to 29.2 false", "telnet 2 23 1000 true 0.09 5.0 to 15.8 true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if over := mostPortsWithASes.of(sources{{Manifests: []*record.Manifest{{}}}}); len(over) != 0 {
		t.Error("a dataset without ASes is selected")
	}
	if got := shorten("Télécom de la République de Somewhere", 12); got != "T?l?com de.." {
		t.Error(got)
	}
}

// TestFollowups counts by hand what comes of follow-ups: of four of tls after a GET that drew data two fail at once, and none of two
// later; their control has eight. The GET that drew nothing spoils nothing.
func TestFollowups(t *testing.T) {
	counted := new(analysis.Shares[string, string])
	host := 0
	count := func(n int, s analysis.FollowedUp) {
		for range n {
			s.Addr, s.Protocol = fmt.Sprintf("10.0.0.%d", host), "tls"
			host++
			countFollowup(&s, counted)
		}
	}
	after := func(sent bool, delay time.Duration, state session.State) analysis.FollowedUp {
		return analysis.FollowedUp{Wrong: "http", SentData: sent, Delay: delay, State: state}
	}
	count(8, analysis.FollowedUp{Control: true, State: session.SendsData})
	count(2, after(true, 0, session.SendsData))
	count(1, after(true, 0, session.Closed))
	count(1, after(true, 0, session.NoAnswer))
	count(2, after(true, 5*time.Second, session.SendsData))
	count(3, after(false, 0, session.SendsData))
	rows, err := followupRows(counted, []time.Duration{0, 5 * time.Second}, estimate.Design{Drawn: 100, Of: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		if r.share.N > 0 {
			got = append(got, fmt.Sprintf("%s %s %s: %.2f of %d, p %.4f, paper %.2f", r.what, r.line, armName(r.control, r.delay), r.share.Value, r.share.N, r.test.P, r.published))
		}
	}
	want := []string{
		"fails tls after http alone: 0.00 of 8, p 0.0000, paper NaN",
		"fails tls after http 0 s: 0.50 of 4, p 0.0909, paper 0.29", // 4 over 2, of 12 over 2
		"fails tls after http 5 s: 0.00 of 2, p 1.0000, paper NaN",
		"fails others alone: 0.00 of 8, p 0.0000, paper NaN",
		"fails no data alone: 0.00 of 8, p 0.0000, paper NaN",
		"fails no data 0 s: 0.00 of 3, p 1.0000, paper NaN",
		"reset tls after http 0 s: 0.50 of 2, p 0.0000, paper NaN",
		"no_synack tls after http 0 s: 0.50 of 2, p 0.0000, paper NaN",
		"recovered spoiled 5 s: 1.00 of 6, p 0.0000, paper 0.75",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	last := rows[len(rows)-1].share
	if !last.HasInterval() || last.Lo < 0 || last.Hi != 1 || last.Lo > 0.5 {
		t.Errorf("recovered: %v", last)
	}
}

func TestTable4(t *testing.T) {
	batch := func(text string) *findingsByState {
		f := &findingsByState{Findings: analysis.OfDataset()}
		for line := range strings.Lines(text) {
			cells := strings.Fields(line)
			if len(cells) == 0 {
				continue
			}
			at := netip.MustParseAddrPort(cells[0])
			s := session.Service{Service: at, Handshake: "http"}
			if err := s.State.UnmarshalText([]byte(cells[1])); err != nil {
				t.Fatal(err)
			}
			if len(cells) > 2 {
				s.Label, s.Evidence = cells[2], handshake.Certain
			}
			d := datasetOf(t, newSample(0, "http", false, 0).manifest(t, "80,443"), []session.Service{s}, nil)
			one := &findingsByState{Findings: analysis.OfDataset()}
			if err := d.Fold(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			if err := f.Merge(one); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
	first := batch(`
		10.0.0.1:80  sends_data http
		10.0.0.2:80  sends_data ssh
		10.0.0.3:80  zero_window
		10.0.0.4:443 reset_after_handshake
		10.0.0.5:443 all_ports
	`)
	second := batch(`
		10.0.0.1:80  sends_data http
		10.0.0.2:80  acks_data
		10.0.0.4:443 sends_data tls
		10.0.0.6:443 closed
	`)
	levels := analysis.Compare(first.Findings, second.Findings)
	ports := comparePorts(first, second, &levels[analysis.Identifies])
	want := []*table4Port{
		{port: 80, sides: [2]portFindings{{answers: 3, zeroWindow: 1, acks: 2, expected: 1, unexpected: 1}, {answers: 2, acks: 2, expected: 1}},
			identified: estimate.Pairs{Both: 1, First: 1}},
		{port: 443, sides: [2]portFindings{{answers: 2, resets: 1, acks: 1}, {answers: 1, acks: 1, expected: 1}}, identified: estimate.Pairs{Second: 1}},
	}
	if ports[0].published == nil || ports[0].published.SYNACK != 62_600_000 {
		t.Errorf("%+v", ports[0].published)
	}
	if d := cmp.Diff(want, ports, cmp.AllowUnexported(table4Port{}, portFindings{}), cmpopts.IgnoreFields(table4Port{}, "published")); d != "" {
		t.Error(d)
	}
	if got, err := agreement(levels[analysis.Identifies].Services); err != nil || !strings.HasPrefix(got, "Both identified 1 service, A alone 1, B alone 1: McNemar's exact p = 1 ") {
		t.Error(got, err)
	}
}

func TestPairs(t *testing.T) {
	of := func(targets string, change func(*record.Manifest)) source {
		m := newSample(0, "http", false, 0).manifest(t, "80")
		m.TargetDigest = targets
		change(m)
		return source{Dir: targets, Manifests: []*record.Manifest{m}}
	}
	same := func(*record.Manifest) {}
	tls := func(m *record.Manifest) { m.Handshakes = []string{"tls"} }
	short := func(m *record.Manifest) { tls(m); m.NotProbed = 1 }
	for i, c := range []struct {
		all  sources
		want int
	}{
		{sources{of("a", same), of("a", same)}, 0},
		{sources{of("a", same), of("b", tls)}, 0},
		{sources{of("a", same), of("a", short)}, 0},
		{sources{of("a", same), of("b", tls), of("a", tls)}, 2},
	} {
		if got := c.all.pair(); len(got) != c.want {
			t.Errorf("%d: %d datasets", i, len(got))
		}
	}
}

func TestCosts(t *testing.T) {
	start := time.Unix(1000, 0)
	a := &record.Manifest{Start: start, End: start.Add(10 * time.Second), Counters: record.Counters{Sent: 5, SentBytes: 250}}
	b := &record.Manifest{Start: start, End: start.Add(25 * time.Second), Counters: record.Counters{Sent: 9, SentBytes: 1000}}
	list := costs(a, b)
	last := list[len(list)-2:]
	if last[0].first != 2.5 || last[1].first != 0.75 || last[0].paper != [2]float64{1.6, 6.3} || last[1].paper != [2]float64{0.6, 0.87} {
		t.Errorf("%+v", last)
	}
	b.Counters.SentBytes = 0 // of a version that did not count them
	if last := costs(a, b); !math.IsNaN(last[len(last)-1].first) {
		t.Errorf("%+v", last)
	}
}
