package reports

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// Every state of a service is either a defence or lets data in, as Figure 1 has it, too.
func TestDefences(t *testing.T) {
	acks := map[session.State]bool{}
	seen := 0
	for _, tcp := range tcpStates {
		for _, s := range tcp.states {
			acks[s] = tcp.name == "ACKNOWLEDGES DATA"
			seen++
		}
	}
	for s := session.Churned; s <= session.SendsData; s++ {
		seen--
		d := defence(s)
		if (d == "") != acks[s] || d != "" && !slices.ContainsFunc(defences, func(l layerOf) bool { return l.kind == d }) {
			t.Errorf("%v is %q", s, d)
		}
		if (outcome(80, s, "") == "") != (d != "") {
			t.Errorf("%v is %q, and %q", s, d, outcome(80, s, ""))
		}
	}
	if seen != 0 {
		t.Errorf("Figure 1 has %d states too many", seen)
	}
	for _, c := range []struct {
		port  uint16
		state session.State
		label string
		want  string
	}{
		{80, session.SendsData, "http", speaksExpected}, {80, session.DynamicBlocking, "http", speaksExpected}, {81, session.SendsData, "http", speaksOther},
		{443, session.SendsData, "http", speaksOther}, {80, session.SendsData, "", unknownOnThisPort}, {80, session.AllPorts, "", unknownAcross},
		{80, session.NoDataAck, "", ""},
	} {
		if got := outcome(c.port, c.state, c.label); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// madeUpClasses are three hosts: one with a service on a popular, an unpopular and another port, one that hides, one all-ports host.
func madeUpClasses(t *testing.T, m *record.Manifest) *byClass {
	t.Helper()
	rows := madeUp{}
	one, two, three := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	rows.add(one, 80, session.SendsData, "http")
	rows.add(one, 23, session.SendsData, "http")
	rows.add(one, 30005, session.SendsData, "tls")
	rows.add(two, 23, session.ZeroWindow, "")
	rows.add(two, 80, session.SendsData, "")
	rows.add(three, 23, session.AllPorts, "")
	rows.add(three, 30005, session.AllPorts, "")
	d := datasetOf(t, m, rows.services, rows.attempts)
	census := []analysis.Kind{
		{Port: 23, State: session.ZeroWindow, Services: 1}, {Port: 23, State: session.AllPorts, Services: 1},
		{Port: 23, State: session.SendsData, Label: "http", Services: 1},
		{Port: 80, State: session.SendsData, Services: 1}, {Port: 80, State: session.SendsData, Label: "http", Services: 1},
		{Port: 30005, State: session.AllPorts, Services: 1}, {Port: 30005, State: session.SendsData, Label: "tls", Services: 1},
	}
	b := newByClassOf(census)
	if err := d.Fold(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestByClass(t *testing.T) {
	b := madeUpClasses(t, newSample(0, everything, true, 0).manifest(t, "paper"))
	var got []string
	for _, c := range []class{everyPort, popular, unpopular, others} {
		for o := range ofCount {
			for _, kind := range b.Kinds(o.in(c)) {
				hits, all := b.Services(o.in(c), kind)
				got = append(got, fmt.Sprintf("%v: %s: %d of %d %s", c, kind, hits, all, o))
			}
		}
	}
	want := []string{
		"all: all_ports: 2 of 7 services", "all: not_acknowledging: 1 of 7 services", "all: zero_window: 1 of 7 services",
		"all: not_acknowledging: 1 of 1 services that acknowledge no data", "all: zero_window: 1 of 1 services that acknowledge no data",
		"all: all_ports: 2 of 6 services that acknowledge data", "all: expected: 1 of 6 services that acknowledge data",
		"all: not_expected: 5 of 6 services that acknowledge data", "all: unexpected: 2 of 6 services that acknowledge data",
		"all: unknown: 1 of 6 services that acknowledge data", "all: unknown_across_ports: 2 of 6 services that acknowledge data",
		"all: all_ports: 1 of 4 services that acknowledge data, on assigned ports", "all: expected: 1 of 4 services that acknowledge data, on assigned ports",
		"all: not_expected: 3 of 4 services that acknowledge data, on assigned ports",
		"all: unexpected: 1 of 4 services that acknowledge data, on assigned ports", "all: unknown: 1 of 4 services that acknowledge data, on assigned ports",
		"all: unknown_across_ports: 1 of 4 services that acknowledge data, on assigned ports",
		"all: expected: 1 of 4 services that acknowledge data, without all-ports hosts",
		"all: not_expected: 3 of 4 services that acknowledge data, without all-ports hosts",
		"all: unexpected: 2 of 4 services that acknowledge data, without all-ports hosts",
		"all: unknown: 1 of 4 services that acknowledge data, without all-ports hosts",
		"all: http: 1 of 2 unexpected services", "all: tls: 1 of 2 unexpected services",
		"all: all_ports: 2 of 3 unidentified services that acknowledge data", "all: unknown: 1 of 3 unidentified services that acknowledge data",
		"all: unknown_across_ports: 2 of 3 unidentified services that acknowledge data",
		"all: all_ports: 1 of 3 hosts with a service that acknowledges data",
		"popular: expected: 1 of 2 services that acknowledge data", "popular: not_expected: 1 of 2 services that acknowledge data",
		"popular: unknown: 1 of 2 services that acknowledge data",
		"popular: expected: 1 of 2 services that acknowledge data, on assigned ports",
		"popular: not_expected: 1 of 2 services that acknowledge data, on assigned ports",
		"popular: unknown: 1 of 2 services that acknowledge data, on assigned ports",
		"popular: expected: 1 of 2 services that acknowledge data, without all-ports hosts",
		"popular: not_expected: 1 of 2 services that acknowledge data, without all-ports hosts",
		"popular: unknown: 1 of 2 services that acknowledge data, without all-ports hosts",
		"popular: unknown: 1 of 1 unidentified services that acknowledge data",
	}
	if d := cmp.Diff(want, got[:len(want)]); d != "" {
		t.Error(d)
	}
}

// With all-ports hosts in a sample of hosts there is no interval, and a share of hosts has one of no sample but of hosts.
func TestClassShares(t *testing.T) {
	b := madeUpClasses(t, newSample(0, everything, true, 0).manifest(t, "paper"))
	hosts, drawn := estimate.Design{Unit: estimate.ByHost, Drawn: 10, Of: 10}, estimate.Design{Unit: estimate.ByService, Drawn: 10, Of: 100}
	for _, c := range []struct {
		of     of
		class  class
		kind   string
		design estimate.Design
		want   string
	}{
		{ofAcking, everyPort, speaksExpected, hosts,
			"0.1667; n = 6 on 3 hosts (2 effective); Korn-Graubard; 10 of 10 by host; all-ports hosts are among them"},
		{ofFiltered, everyPort, speaksExpected, hosts, "0.25 (0.25 to 0.25 at 95 %); n = 4 on 2 hosts (2 effective); Korn-Graubard; 10 of 10 by host"},
		{ofAcking, everyPort, speaksExpected, drawn, "(0.03235 to 0.5447 at 95 %)"},
		{ofHosts, everyPort, onEveryPort, hosts, "0.3333 (0.3333 to 0.3333 at 95 %); n = 3 on 3 hosts"},
		{ofHosts, everyPort, onEveryPort, drawn, "not one random sample"},
	} {
		e, err := b.share(c.of, c.class, c.kind, c.design)
		if got := e.String(); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%v %v %s: %s, error %v; want %s", c.class, c.of, c.kind, got, err, c.want)
		}
	}
}

// Of the unpopular ports 23 and 30005 each weighs alike: on the one 2 of 3 services acknowledge data, on the other all, and of these a half
// and none are identified.
func TestClassMeans(t *testing.T) {
	b := madeUpClasses(t, newSample(0, everything, true, 0).manifest(t, "paper"))
	hosts, drawn := estimate.Design{Unit: estimate.ByHost, Drawn: 10, Of: 100}, estimate.Design{Unit: estimate.ByService, Drawn: 10, Of: 100}
	for _, c := range []struct {
		of     of
		class  class
		kind   string
		design estimate.Design
		want   string
	}{
		{ofServices, unpopular, notAcknowledging, hosts, "0.1667; n = 5 on 3 hosts (2 effective); Korn-Graubard, mean over ports; 10 of 100 by host; " +
			"too few effective hosts; only 2 of the class's 49 ports have such services"},
		{ofServices, unpopular, "nothing", hosts, "0; n = 5 on 3 hosts"},
		{ofServices, unpopular, notAcknowledging, drawn, "Wilson, mean over ports"},
		{ofAcking, unpopular, speaksOther, hosts, "0.5; n = 4 on 2 hosts"},
		{ofExpectable, unpopular, speaksOther, hosts, "0.5 (0.05965 to 0.9404 at 95 %); n = 2 on 2 hosts (2 effective); Wilson, mean over ports; 10 of 100 by host; only 1 of the class's 31 ports"},
		{ofServices, popular, speaksOther, estimate.Design{}, "not one random sample; only 1 of the class's 6 ports"},
		{ofUnexpected, popular, "http", hosts, "NaN; n = 0; Wilson"},
	} {
		e, err := b.mean(c.of, c.class, c.kind, c.design)
		if got := e.String(); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%v %v %s: %s, error %v; want %s", c.class, c.of, c.kind, got, err, c.want)
		}
	}
}

// Two parts of the hosts, merged, have what the whole has.
func TestMeansMerge(t *testing.T) {
	census := func(count func(group int, port uint16, services int, kinds []string)) {
		count(1, 80, 600, []string{"http"})
		count(1, 80, 400, nil)
		count(1, 22, 1000, []string{"ssh"})
		count(1, 22, 200, []string{"http"})
	}
	whole, parts := newMeans(census), [2]*means{newMeans(census), newMeans(census)}
	for i := range 1200 {
		for _, m := range []*means{whole, parts[i%2]} {
			host := fmt.Sprint(i)
			if i < 1000 {
				m.add(host, 1, 80, []string{"http"}[:oneIf(i < 600)])
			}
			m.add(host, 1, 22, []string{[]string{"ssh", "http"}[oneIf(i < 200)]})
		}
	}
	parts[0].merge(parts[1])
	d := estimate.Design{Unit: estimate.ByHost, Drawn: 2000, Of: 20000}
	for _, kind := range []string{"http", "ssh", "other"} {
		want, err := whole.of(1, kind).Estimate(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parts[0].of(1, kind).Estimate(d)
		if err != nil || cmp.Diff(want, got) != "" || want.HasInterval() == (kind == "other") {
			t.Errorf("%s: %v, error %v; want %v", kind, got, err, want)
		}
	}
}

func oneIf(is bool) int { return map[bool]int{true: 1}[is] }

// Of a class its bar comes first, and then those of its ports, those without an expected protocol apart.
func TestBars(t *testing.T) {
	b := newByClassOf([]analysis.Kind{
		{Port: 23, State: session.ZeroWindow, Services: 1}, {Port: 23, State: session.SendsData, Label: "telnet", Services: 2},
		{Port: 80, State: session.Shunned, Services: 4}, {Port: 80, State: session.Churned, Services: 8},
		{Port: 5060, State: session.ZeroWindow, Services: 16}, {Port: 30005, State: session.AcksData, Services: 32},
		{Port: 4, State: session.ZeroWindow, Services: 64},
	})
	s := &stacks{
		of: ofServices, classes: []class{popular, unpopular, others}, judged: notAcknowledging,
		layers: []layerOf{{kind: "zero_window"}, {kind: "shunned"}},
		kind:   func(k *analysis.Kind) string { return defence(k.State) },
		paper:  func(_ class, _ int, _ string) float64 { return notPublished },
	}
	bars := b.bars(s)
	want := []bar{
		{popular, -1, 12, []int{0, 4}, false}, {popular, 80, 12, []int{0, 4}, true},
		{unpopular, -1, 51, []int{17, 0}, true}, {unpopular, 5060, 16, []int{16, 0}, true}, {unpopular, 23, 3, []int{1, 0}, false},
		{unpopular, 30005, 32, []int{0, 0}, true},
		{others, -1, 64, []int{64, 0}, true}, {others, 4, 64, []int{64, 0}, true},
	}
	if d := cmp.Diff(want, bars, cmp.AllowUnexported(bar{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want[6:], mostBars(bars[6:], 1), cmp.AllowUnexported(bar{})); d != "" {
		t.Error(d)
	}
	if got := mostBars(bars, 2); len(got) != 5 || got[2].port != 30005 || got[4].port != 4 {
		t.Errorf("%+v", got)
	}
	if _, err := b.rows(s, bars, estimate.Design{}); err != nil {
		t.Error(err)
	}
}

// Figure 6 has the services of Figure 5, and Figure 1 all of them, of one dataset.
func TestFigure06(t *testing.T) {
	by := exhibitsOf(t, madeUpRun(t, "figure06"))
	in05, in06 := make(map[string]int), make(map[string]int) // services, by port and Figure 5's name
	for _, r := range rows(t, by["figure05"].table)[1:] {
		if r[2] != "synack_only" {
			in05[r[0]+" "+r[2]] = atoi(t, r[3])
		}
	}
	across := 0
	for _, r := range rows(t, by["figure06"].table)[1:] {
		if r[1] == "" {
			continue
		}
		name := map[string]string{speaksExpected: "l7_expected", speaksOther: "l7_other", unknownOnThisPort: "acks_data", unknownAcross: "acks_data"}[r[2]]
		in06[r[1]+" "+name] += atoi(t, r[5])
		if r[2] == unknownAcross {
			across += atoi(t, r[5])
		}
	}
	if d := cmp.Diff(in05, in06); d != "" || len(in05) != 3*len(datasets.Ports()) || across == 0 {
		t.Errorf("%d lines, %d services of all-ports hosts; Figures 5 and 6: %s", len(in05), across, d)
	}
}

func atoi(t *testing.T, cell string) int {
	t.Helper()
	n, err := strconv.Atoi(cell)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRankings(t *testing.T) {
	var kinds []analysis.Kind
	for port := range uint16(13_000) {
		kinds = append(kinds, analysis.Kind{Port: 1 + port, State: session.AcksData, Services: 13_000 - int(port)})
	}
	for port, n := range map[uint16]int{1: 1, 12_000: 2, 12_500: 3} { // on ports of 504, 1,003 and 13,001 services
		kinds = append(kinds, analysis.Kind{Port: port, State: session.SendsData, Label: "telnet", Services: n})
	}
	list := rankByProtocol(kinds)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	want := []rankedPort{{portCount{12_500, 3}, 12_497}, {portCount{12_000, 2}, 11_998}, {portCount{1, 1}, 1}}
	if d := cmp.Diff(want, list[0].top, cmp.AllowUnexported(rankedPort{}, portCount{})); d != "" {
		t.Error(d)
	}
	if r := list[0]; r.below() != 1 || !r.ok || r.test.Statistic != -1 || r.paperBelow() != 0.7 {
		t.Errorf("%d below, Spearman %+v, in the paper %v", r.below(), r.test, r.paperBelow())
	}
}

// Numbers that are ever rarer have one mode, although each is a heap; a second heap far away is another, if there is enough of it.
func TestDipOf(t *testing.T) {
	over := sources{{Manifests: []*record.Manifest{{Seed: 1}}}}
	count := func(unknown, hosts int) analysis.UnknownCount {
		return analysis.UnknownCount{UnknownHosts: analysis.UnknownHosts{Unknown: unknown}, Hosts: hosts}
	}
	falling := []analysis.UnknownCount{count(1, 600), count(2, 250), count(3, 100), count(4, 40), count(5, 10)}
	for _, c := range []struct {
		list []analysis.UnknownCount
		want string
	}{
		{falling, "p = 1 "},
		{append(slices.Clone(falling), count(65_000, 400)), "p = 0.001 "},
		{falling[4:5][:0], "too few"},
	} {
		if got := dipOf(c.list, over); !strings.Contains(got, c.want) {
			t.Errorf("%v: %s", c.list, got)
		}
	}
}

// Two blocks of /30 were drawn: one that behaves alike, one that does not.
func TestFigure04(t *testing.T) {
	made := madeUp{}
	states := slices.Repeat([]session.State{session.ZeroWindow}, 7)
	states[5] = session.AcksData
	for i, state := range states {
		made.add(made.host(i), 80, state, "")
	}
	m := newSample(0, everything, true, 0).manifest(t, "80")
	m.Sample = &target.Sample{Unit: "block", Bits: 30, Drawn: 2, Of: 2, Shard: 1, Shards: 1}
	s := exhibitsOf(t, datasetOf(t, m, made.services, made.attempts))["figure04"]
	if s.Lacks != nil {
		t.Fatal(s.Lacks.Needs)
	}
	var got []string
	for _, r := range rows(t, s.table)[1:] {
		got = append(got, strings.Join(r[:5], " "))
	}
	want := []string{
		"zero_window 32 1 6 1.000000", "zero_window 31 2 4 0.666667", "zero_window 30 4 4 0.666667",
		"acks_data 32 1 1 1.000000", "acks_data 31 2 0 0.000000", "acks_data 30 4 0 0.000000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The tables of sections 2 and 3.1, and the figures, have every value of the paper's text about what they show.
func TestPublished(t *testing.T) {
	published := make(map[string]int)
	for name, s := range madeUpExhibits(t) {
		if s.Lacks != nil || !s.table.Schema().HasField(publishedColumn) {
			continue
		}
		lines := rows(t, s.table)
		at := slices.Index(lines[0], publishedColumn)
		for _, line := range lines[1:] {
			if line[at] != "" {
				published[name]++
			}
		}
	}
	want := map[string]int{
		"figure03":  3,     // popular and unpopular ports, and port 11211
		"section2":  3 + 9, // of all; and by defence, two of them over all ports
		"figure06":  7,     // of ports 80, 443 and 623 what is expected and what is not, of 102 the former
		"figure07":  3,     // HTTP and TLS of all, TLS of 80
		"section31": 5, "unknowns": 3, "protocols": 1,
	}
	for name, n := range want {
		if published[name] != n {
			t.Errorf("%s has %d of the paper's values, want %d", name, published[name], n)
		}
	}
	if p := paperNoAck(11211, notAcknowledging); math.Abs(p-0.842) > 0.0005 { // 6.33 SYN-ACKs for each that acknowledges data
		t.Errorf("11211: %v", p)
	}
}

// On an ephemeral port two protocols were seen, one of them once, on another none; of a third, that was not scanned, nothing is said.
func TestProtocolsOnPorts(t *testing.T) {
	list, err := protocolsOnPorts([]analysis.Kind{
		{Port: 62220, State: session.SendsData, Label: "http", Services: 9}, {Port: 62220, State: session.DynamicBlocking, Label: "ssh", Services: 1},
		{Port: 62220, State: session.AcksData, Services: 5}, {Port: 65535, State: session.SendsData, Label: "tls", Services: 5},
		{Port: 443, State: session.SendsData, Label: "tls", Services: 5}, {Port: 1, State: session.SendsData, Label: "tls", Services: 5},
	}, []uint16{1, 443, 53194, 62220}, estimate.Design{Unit: estimate.ByHost, Drawn: 10, Of: 100})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprintf("%s: %d, %g, %v; paper %g", p.set, p.ports, p.seen, p.atLeast, p.paper))
	}
	want := []string{
		"popular: 1, 1, 1; n = 5; Chao1, mean over ports; 10 of 100 by host; a lower bound: there may be more; paper NaN",
		"ephemeral: 2, 1, 1; n = 10; Chao1, mean over ports; 10 of 100 by host; a lower bound: there may be more; paper 10",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Which runs an exhibit takes: not those that say newlines alone, nor those of blocks, unless it is about these.
func TestSelections(t *testing.T) {
	run := func(ports string, as func(*record.Manifest)) *analysis.Dataset {
		s := newSample(0, "http", false, 0)
		m := s.manifest(t, ports)
		as(m)
		return datasetOf(t, m, nil, nil)
	}
	two := []netip.Addr{netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("10.255.0.2")}
	usual := run("80,443", func(*record.Manifest) {})
	twice := run("80", func(m *record.Manifest) { m.Liveness, m.Revisit, m.Sources = true, 1, two })
	once := run("80", func(m *record.Manifest) { m.Liveness, m.Sources = true, two })
	ofBlocks := &target.Sample{Unit: "block", Bits: 24, Drawn: 1, Of: 2, Shard: 1, Shards: 1}
	blocks := run("80", func(m *record.Manifest) { m.Sample = ofBlocks })
	shard := run("80", func(m *record.Manifest) { s := *ofBlocks; s.Shards = 2; m.Sample = &s })
	hosts := run("all", func(m *record.Manifest) { m.EphemeralProbes = 5 })
	names := map[*analysis.Dataset]string{usual: "usual", twice: "twice", once: "once", blocks: "blocks", shard: "shard", hosts: "hosts"}
	all, err := load([]*analysis.Dataset{shard, once, blocks, twice, hosts, usual})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from selection
		want string
	}{
		{fewestPorts, "usual"}, {mostPorts, "hosts"}, {probedPorts, "hosts"}, {secondLook, "twice"}, {patientPorts, "twice"}, {wholeBlocks, "blocks"},
		{hostsOnAllPorts, "hosts"},
	} {
		var got []string
		for _, s := range c.from.of(all) {
			got = append(got, names[s.dataset])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.from.Needs, got, c.want)
		}
	}
	if got := patientPorts.of(all[5:]); len(got) != 1 || got[0].dataset != usual {
		t.Errorf("without a patient run: %v", got)
	}
}
