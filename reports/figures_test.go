package reports

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
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
		{80, "http", 3, 12, 32, 16},
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

func TestCoverProtocols(t *testing.T) {
	got := coverProtocols([]analysis.Kind{
		{Port: 80, State: session.SendsData, Label: "http", Services: 2},
		{Port: 80, State: session.DynamicBlocking, Label: "http", Services: 1},
		{Port: 8080, State: session.SendsData, Label: "http", Services: 5},
		{Port: 22, State: session.SendsData, Label: "ssh", Services: 1},
		{Port: 21, State: session.SendsData, Label: "ssh", Services: 1},
		{Port: 80, State: session.SendsData, Services: 100},
	})
	want := []coverage{
		{"http", 8, []portCount{{8080, 5}, {80, 3}}},
		{"ssh", 2, []portCount{{21, 1}, {22, 1}}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(coverage{}, portCount{})); d != "" {
		t.Error(d)
	}
	if got := mostCommon([]coverage{{total: 11}, {total: 10}, {total: 9}}); len(got) != 2 {
		t.Errorf("%d curves", len(got))
	}
}

// A curve over all ports is drawn with a few hundred points, from its first to its last.
func TestCurve(t *testing.T) {
	c := coverage{protocol: "http"}
	for port := range 65535 {
		c.ports = append(c.ports, portCount{uint16(port + 1), 1})
		c.total++
	}
	points, marks := c.curve(math.Log(65535), 0.5)
	if last := points[len(points)-1]; len(points) > 2000 || points[0].X != 1 || last.X != 65535 || last.Y != 1 {
		t.Errorf("%d points, from %v to %v", len(points), points[0], last)
	}
	if len(marks) < 5 || len(marks) > 10 {
		t.Errorf("%d markers", len(marks))
	}
}

func set(handshakes ...int) (s order.Set) {
	for _, h := range handshakes {
		s.Add(h)
	}
	return s
}

func TestMatrixAndOrder(t *testing.T) {
	handshakes := []string{"http", "tls"}
	patterns := []analysis.Response{
		{Port: 443, Label: "http", Tried: set(0, 1), SentData: set(0), Identified: set(0), Services: 1},
		{Port: 443, Label: "http", Tried: set(0, 1), SentData: set(0, 1), Identified: set(0, 1), Services: 1},
		{Port: 443, Label: "tls", Tried: set(0, 1), SentData: set(1), Identified: set(1), Services: 1}, // as expected
		{Port: 65535, Label: "tls", Tried: set(1), SentData: set(1), Identified: set(1), Services: 1},
		{Port: 443, Tried: set(0, 1), Services: 7},
	}
	want := []matrixRow{
		{"http", 2, []matrixCell{{2, 2}, {2, 1}}},
		{"tls", 2, []matrixCell{{1, 0}, {2, 2}}},
	}
	if d := cmp.Diff(want, fillMatrix(handshakes, patterns), cmp.AllowUnexported(matrixRow{}, matrixCell{})); d != "" {
		t.Error(d)
	}
	orders := bestOrders(handshakes, patterns)
	assigned := []order.Step{{Rank: 1, Handshake: "http", Gained: 2, Share: 1, Cumulative: 2, CumulativeShare: 1}}
	if d := cmp.Diff(assigned, orders[0].steps); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{2}, orders[0].exact); d != "" {
		t.Error(d)
	}
	ephemeral := []order.Step{{Rank: 1, Handshake: "tls", Gained: 1, Share: 1, Cumulative: 1, CumulativeShare: 1}}
	if d := cmp.Diff(ephemeral, orders[1].steps); d != "" {
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
			l.inTop.Value, percentRange(l.inTop), l.published != nil))
	}
	want := []string{"ssh 1 23 50 false 0.00 0.00-40.9 false", "telnet 1 2323 4000 true 0.25 21.2-29.2 false", "telnet 2 23 1000 true 0.09 5.0-15.8 true"}
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
