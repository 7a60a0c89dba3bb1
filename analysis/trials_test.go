package analysis

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"laserdisc/replay/order"
)

// Host 1 is a web server on 22, whose TLS answers http too, and on 80, where that is expected. Host 2 speaks ssh on 8080
// whatever it hears; its port 80 hangs up on everybody, and its 81 serves fresh sources only. Host 3 acknowledges data on every
// port. Host 4 sends what nobody recognises.
const trialsText = `
	addr     port  visit     handshake state      label   evidence rst syn_time synack_time data_time end_time sent_bytes synacks retransmits
	10.0.0.1 22    first     wait      silent     -       none     -   -        1           -         3        0          1       0
	10.0.0.1 22    first     http      sends_data http    certain  -   3        4           5         5.5      100        1       1
	10.0.0.1 22    first     tls       sends_data tls     likely   yes 6        7           8         8        200        2       0
	10.0.0.1 80    first     http      sends_data http    certain  -   3        4           5         5        100        1       0
	10.0.0.2 80    first     wait      reset_after_handshake - none yes 1       1           -         1.5      0          1       0
	10.0.0.2 80    first     http      acks_data  -       none     yes 2        2           -         2.5      100        1       0
	10.0.0.2 81    first     http      no_data_ack -      none     -   2        2           -         9        100        1       0
	10.0.0.2 81    fresh     http      sends_data http    certain  -   2        2           3         9        100        1       0
	10.0.0.2 81    wrong     tls       sends_data tls     certain  -   1        1           2         2        100        1       0
	10.0.0.2 81    followup  http      sends_data http    certain  -   1        1           2         2        100        1       0
	10.0.0.2 81    control   http      sends_data http    certain  -   1        1           2         2        100        1       0
	10.0.0.2 8080  first     wait      sends_data ssh     certain  -   1        1           2         2        0          1       0
	10.0.0.2 8080  first     http      sends_data ssh     certain  -   1        1           2         2        100        1       0
	10.0.0.2 8080  first     tls       sends_data ssh     weak     -   1        1           2         2        200        1       0
	10.0.0.3 81    first     wait      acks_data  -       none     -   1        1           -         9        0          1       0
	10.0.0.3 50000 ephemeral http      acks_data  -       none     -   1        1           -         9        100        1       0
	10.0.0.3 50001 ephemeral http      sends_data -       none     -   1        1           2         9        100        1       0
	10.0.0.4 81    first     wait      silent     -       none     -   1        1           -         2        0          1       0
	10.0.0.4 81    first     http      sends_data unknown none     -   1        1           2         2        100        1       0
	10.0.0.4 81    first     tls       no_answer  -       none     -   1        -           -         5        200        0       1
	10.0.0.4 9     first     http      acks_data  -       none     -   1        1           -         2        100        1       0
	10.0.0.4 50000 ephemeral http      closed     -       none     yes 1        -           -         2        100        0       0
	10.0.0.4 50001 ephemeral http      acks_data  -       none     -   1        1           -         2        100        0       0`

func outcomesOf(t testing.TB, counting Counting, text string) *Outcomes {
	t.Helper()
	trials := NewTrials(counting)
	if err := trials.Add(batchOf(t, trials, text)); err != nil {
		t.Fatal(err)
	}
	o, err := trials.Outcomes(0)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTrials(t *testing.T) {
	counting := Counting{Ports: []uint16{22, 80, 81, 8080}, Handshakes: []string{"pptp", "wait", "http"}}
	o := outcomesOf(t, counting, trialsText)
	if d := cmp.Diff([]string{"wait", "http", "tls"}, o.Handshakes); d != "" {
		t.Error(d)
	}
	set := func(names ...string) (s order.Set) {
		for _, name := range names {
			s.Add(slices.Index(o.Handshakes, name))
		}
		return s
	}
	s := uint64(1e9)
	want := []order.Outcome{
		{Class: "http", Pattern: order.Pattern{Identified: set("wait", "http"), Services: 1, Weight: 1}, SentData: set("wait", "http", "tls"),
			Costs: []order.Cost{{Packets: 4, Bytes: 160, Nanoseconds: s}, {Packets: 4, Bytes: 260, Nanoseconds: s}, {Packets: 4, Bytes: 360, Nanoseconds: s}}},
		{Class: "ssh", Pattern: order.Pattern{Identified: set("http", "tls"), Services: 1, Weight: 1}, SentData: set("http", "tls"),
			Costs: []order.Cost{
				{Packets: 3, Bytes: 120, Nanoseconds: 2 * s},         // SYN, ACK, RST; when the SYN was sent is not known
				{Packets: 5, Bytes: 300, Nanoseconds: 2*s + s/2},     // and the ACK of the response, and one of these again
				{Packets: 4, Bytes: 160 + 200, Nanoseconds: 2 * s}}}, // two SYN-ACKs, and no RST after the server's
		{Class: "unassigned", Pattern: order.Pattern{Services: 1, Weight: 1}, SentData: set("http"),
			Costs: []order.Cost{{Packets: 3, Bytes: 120, Nanoseconds: s}, {Packets: 4, Bytes: 260, Nanoseconds: s}, {Packets: 2, Bytes: 280, Nanoseconds: 4 * s}}},
	}
	if d := cmp.Diff(want, o.Services); d != "" {
		t.Error(d)
	}
	if o.Expected != 1 {
		t.Errorf("%d services speak what is expected, want that of host 1 on port 80", o.Expected)
	}

	// What is the protocol of the handshake and the service's: not the http of a service that speaks tls.
	counting.Own = true
	own := outcomesOf(t, counting, trialsText)
	for i, identified := range []order.Set{set("wait"), set("tls"), set()} {
		if own.Services[i].Identified != identified {
			t.Errorf("own protocols: %+v, want %v", own.Services[i], identified)
		}
	}

	// A port counts for 1, where something is identified.
	counting.ByPort = true
	for _, of := range outcomesOf(t, counting, trialsText).Services {
		if want := order.PortWeight * int64(min(1, of.Identified.Len())); of.Weight != want {
			t.Errorf("%+v, want a weight of %d", of, want)
		}
	}
}

func TestCostOfIPv6(t *testing.T) {
	o := outcomesOf(t, Counting{Ports: []uint16{81}}, `
		addr        port visit handshake state      label evidence syn_time synack_time data_time end_time sent_bytes synacks
		2001:db8::1 81   first http      sends_data http  certain  1        2           3         3        100        1`)
	if d := cmp.Diff([]order.Cost{{Packets: 4, Bytes: 4*60 + 100, Nanoseconds: 2e9}}, o.Services[0].Costs); d != "" {
		t.Error(d)
	}
}

func TestIsOwn(t *testing.T) {
	for _, c := range []struct {
		handshake, label string
		want             bool
	}{
		{"tls", "tls", true}, {"tls-legacy", "tls", true}, {"http-options", "http", true}, {"pptp-badcookie", "pptp", true},
		{"tls", "http", false}, {"http", "kubernetes", false}, {"wait", "ssh", true}, {"wait", "smtp", true}, {"wait", "http", false},
		{"wait", "unknown", false}, {"ssh", "ssh", true}, {"ssh", "ftp", false}, {"other", "other", false},
	} {
		if got := isOwn(c.handshake, c.label); got != c.want {
			t.Errorf("%s identifies %s: %t", c.handshake, c.label, got)
		}
	}
}

// anyTrials is a text of services on some hosts and ports, each of which a few handshakes identify.
func anyTrials(t *rapid.T) (text string, hosts []string) {
	var b strings.Builder
	b.WriteString("addr port visit handshake state label evidence\n")
	for i := range rapid.IntRange(1, 30).Draw(t, "hosts") {
		host := netip.AddrFrom4([4]byte{10, 0, byte(i / 8), byte(i)}).String()
		hosts = append(hosts, host)
		for port := range rapid.IntRange(1, 3).Draw(t, "services") {
			for _, name := range []string{"wait", "tls", "http", "redis"} {
				state, label, evidence := "acks_data", "-", "none"
				if rapid.Bool().Draw(t, "answers") {
					state, label, evidence = "sends_data", rapid.SampledFrom([]string{"ssh", "tls", "http", "redis"}).Draw(t, "label"), "certain"
				}
				fmt.Fprintf(&b, "%s %d first %s %s %s %s\n", host, 1000+port, name, state, label, evidence)
			}
		}
	}
	return b.String(), hosts
}

// TestTrialsMerge divides hosts among parts at random: merged, they give what the whole does, each of the resamples included.
func TestTrialsMerge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, hosts := anyTrials(rt)
		counting := Counting{Ports: []uint16{1000, 1001, 1002}, Own: rapid.Bool().Draw(rt, "own"), ByPort: rapid.Bool().Draw(rt, "port"),
			Seed: rapid.Uint64().Draw(rt, "seed")}
		whole := outcomesOf(t, counting, text)
		parts := make([]*Trials, 3)
		texts := make([]strings.Builder, len(parts))
		in := make(map[string]int)
		for _, host := range hosts {
			in[host] = rapid.IntRange(0, len(parts)-1).Draw(rt, "part")
		}
		lines := slices.Collect(strings.Lines(text))
		for _, line := range lines[1:] {
			texts[in[strings.Fields(line)[0]]].WriteString(line)
		}
		for i := range parts {
			parts[i] = NewTrials(counting)
			if err := parts[i].Add(batchOf(t, parts[i], lines[0]+texts[i].String())); err != nil {
				rt.Fatal(err)
			}
		}
		for _, other := range parts[1:] {
			if err := parts[0].Merge(other); err != nil {
				rt.Fatal(err)
			}
		}
		merged, err := parts[0].Outcomes(0)
		if err != nil {
			rt.Fatal(err)
		}
		// The handshakes are in one order, whatever that of the parts; so the sets compare.
		if d := cmp.Diff(told(whole), told(merged)); d != "" {
			rt.Fatal(d)
		}
	})
}

// told is all that Outcomes give.
func told(o *Outcomes) []any {
	list := []any{o.Handshakes, o.Services, o.Expected}
	for tenth := range Tenths {
		in, others := o.Tenth(tenth)
		list = append(list, in, others)
	}
	for r := range Resamples {
		list = append(list, o.Resample(r))
	}
	return list
}

// TestResample draws the resamples: how often a group is in each is a Poisson variable of mean 1, the groups and tenths that many
// hosts are dealt into are alike, and another seed gives others.
func TestResample(t *testing.T) {
	const hosts = 50 * hostGroups
	var counts [12]int
	var tenths [Tenths]int
	var groups [hostGroups]int
	for i := range hosts {
		host := hostKey(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), 1)
		tenths[host.tenth()]++
		groups[host.group()]++
	}
	same := 0
	for r := range Resamples {
		weights, other := drawGroups(1, r), drawGroups(2, r)
		sum := 0
		for g, w := range weights {
			counts[w]++
			sum += int(w)
			if w == other[g] {
				same++
			}
		}
		if math.Abs(float64(sum)-hostGroups) > 5*math.Sqrt(hostGroups) { // 1,000 sums with a standard deviation of 32
			t.Errorf("resample %d has %d groups", r, sum)
		}
	}
	n := float64(hostGroups * Resamples)
	p := math.Exp(-1)
	for k, got := range counts {
		if want := n * p; math.Abs(float64(got)-want) > 5*math.Sqrt(want)+n/(1<<16) {
			t.Errorf("%d draws of %d, want %.0f", got, k, want)
		}
		p /= float64(k + 1)
	}
	var agree float64 // of two independent Poisson variables
	for k, f := 0, 1.0; k < 10; k, f = k+1, f*float64(k+1) {
		agree += math.Exp(-2) / (f * f)
	}
	if got := float64(same) / n; math.Abs(got-agree) > 0.005 {
		t.Errorf("two seeds agree in %.3f of the draws, want %.3f", got, agree)
	}
	for i, got := range tenths {
		if math.Abs(float64(got)-hosts/Tenths) > 5*math.Sqrt(hosts/Tenths) {
			t.Errorf("tenth %d has %d hosts of %d", i, got, hosts)
		}
	}
	for i, got := range groups {
		if math.Abs(float64(got)-hosts/hostGroups) > 5*math.Sqrt(hosts/hostGroups) {
			t.Errorf("group %d has %d hosts of %d", i, got, hosts)
		}
	}
}

// TestSpread compares how shares vary among the resamples with how they do among samples of as many hosts: of few hosts, and of ten
// times as many as there are groups, with one service each and with up to eight that are alike.
func TestSpread(t *testing.T) {
	for _, c := range []struct{ hosts, most int }{{200, 1}, {200, 8}, {10 * hostGroups, 1}, {10 * hostGroups, 8}} {
		var text strings.Builder
		text.WriteString("addr port visit handshake state label evidence\n")
		var hits, all []float64
		for i := range c.hosts {
			name, services := "http", 1+i*7919%c.most
			if i*2654435761>>7%3 == 0 {
				name = "tls"
			}
			for port := range services {
				fmt.Fprintf(&text, "10.0.%d.%d %d first %s sends_data %s certain\n", i/256, i%256, 9000+port, name, name)
			}
			all = append(all, float64(services))
			hits = append(hits, map[string]float64{"http": float64(services)}[name])
		}
		x, k := floats.Sum(hits), floats.Sum(all)
		square := 0.0
		for i := range hits {
			e := hits[i] - x/k*all[i]
			square += e * e
		}
		want := 2 * 1.96 * math.Sqrt(square) / k
		o := outcomesOf(t, Counting{Ports: []uint16{9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007}}, text.String())
		steps := order.Greedy(order.Patterns(o.Services), o.Handshakes)
		gain := o.Bootstrap(steps).Gains[0]
		if got := gain.Hi - gain.Lo; math.Abs(got/want-1) > 0.15 {
			t.Errorf("%d hosts with up to %d services: %.4f wide, want %.4f", c.hosts, c.most, got, want)
		}
		if o.Hosts != uint64(c.hosts) {
			t.Errorf("%d hosts, want %d", o.Hosts, c.hosts)
		}
	}
}

// What nothing identifies counts in Identified, and what is expected only where it is asked for.
func TestIdentified(t *testing.T) {
	counting := Counting{Ports: []uint16{22, 80, 81, 8080}, Expected: true, Handshakes: []string{"wait", "http", "tls"}}
	o := outcomesOf(t, counting, trialsText)
	steps := order.Greedy(order.Patterns(o.Services), o.Handshakes)
	shares, between := o.Identified(steps) // http identifies three of four services, and nothing the unknown one
	if d := cmp.Diff([]float64{0.75}, shares); d != "" || len(steps) != 1 || o.Hosts != 3 || o.IdentifiedHosts != 2 {
		t.Errorf("%v; %d steps; %d hosts: %s", shares, len(steps), o.Hosts, d)
	}
	if len(between) != 1 || between[0].Lo >= 0.75 || between[0].Hi != 1 {
		t.Errorf("between %v", between)
	}
	if o.Expected != 0 {
		t.Errorf("%d services were left out", o.Expected)
	}
}

// A variant of a handshake identifies nothing where variants are left out; a service that only it makes speak is not identified.
func TestNoVariants(t *testing.T) {
	const text = `
		addr     port visit handshake  state      label evidence
		10.0.0.1 81   first tls-legacy sends_data tls   certain
		10.0.0.1 81   first tls        sends_data tls   certain
		10.0.0.2 81   first tls-legacy sends_data tls   certain
		10.0.0.2 81   first tls        acks_data  -     none`
	for _, no := range []bool{false, true} {
		for _, own := range []bool{false, true} {
			o := outcomesOf(t, Counting{Ports: []uint16{81}, NoVariants: no, Own: own}, text)
			steps := order.Greedy(order.Patterns(o.Services), o.Handshakes)
			if want := map[bool]order.Step{
				false: {Rank: 1, Handshake: "tls-legacy", Gained: 2, Share: 1, Cumulative: 2, CumulativeShare: 1},
				true:  {Rank: 1, Handshake: "tls", Gained: 1, Share: 1, Cumulative: 1, CumulativeShare: 1},
			}[no]; len(steps) != 1 || steps[0] != want {
				t.Errorf("without variants %t, own %t: %+v", no, own, steps)
			}
		}
	}
}

// TestTenths: a tenth and the others are all services, and have the weight of all.
func TestTenths(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, _ := anyTrials(rt)
		o := outcomesOf(t, Counting{Ports: []uint16{1000, 1001, 1002}, ByPort: rapid.Bool().Draw(rt, "port")}, text)
		services, weight, want, wantWeight := 0, int64(0), 0, int64(0)
		for _, s := range o.Services {
			want, wantWeight = want+s.Services, wantWeight+s.Weight
		}
		for tenth := range Tenths {
			in, others := o.Tenth(tenth)
			n, w := 0, int64(0)
			for _, s := range in {
				services, weight = services+s.Services, weight+s.Weight
				n, w = n+s.Services, w+s.Weight
			}
			for _, s := range others {
				n, w = n+s.Services, w+s.Weight
			}
			if n != want || w != wantWeight {
				rt.Fatalf("tenth %d and the others: %d services that weigh %d, not %d that weigh %d", tenth, n, w, want, wantWeight)
			}
		}
		if off := weight - wantWeight; services != want || max(off, -off) > int64(Tenths*len(o.Services)) { // rounding
			rt.Fatalf("all tenths: %d services that weigh %d, not %d that weigh %d", services, weight, want, wantWeight)
		}
	})
}

// One host in three speaks tls, the others http: http is first in nearly all resamples, and gains two thirds, give or take
// two standard deviations.
func TestBootstrap(t *testing.T) {
	const hosts = 300
	var text strings.Builder
	text.WriteString("addr port visit handshake state label evidence\n")
	for i := range hosts {
		name := "http"
		if i%3 == 0 {
			name = "tls"
		}
		fmt.Fprintf(&text, "10.0.%d.%d 81 first %s sends_data %s certain\n", i/256, i%256, name, name)
	}
	o := outcomesOf(t, Counting{Ports: []uint16{81}}, text.String())
	steps := order.Greedy(order.Patterns(o.Services), o.Handshakes)
	b := o.Bootstrap(steps)
	if d := cmp.Diff([]string{"http", "tls"}, b.Handshakes); d != "" {
		t.Error(d)
	}
	if b.At(0, 0) < Resamples*99/100 || b.At(0, 0)+b.At(0, 1) != Resamples || b.At(0, 0) != b.At(1, 1) || b.At(0, 5) != 0 {
		t.Errorf("ranks %v", b.Ranks)
	}
	deviation := math.Sqrt(2. / 9 / hosts)
	for i, want := range []Interval{{2./3 - 1.96*deviation, 2./3 + 1.96*deviation}, {1./3 - 1.96*deviation, 1./3 + 1.96*deviation}} {
		if got := b.Gains[i]; math.Abs(got.Lo-want.Lo) > deviation/4 || math.Abs(got.Hi-want.Hi) > deviation/4 {
			t.Errorf("%s gains %+v, want about %+v", b.Handshakes[i], got, want)
		}
	}
	held := o.HeldOut(3)
	if math.Abs(held[0]-2./3) > 1e-9 || held[1] != 1 || held[2] != 1 {
		t.Errorf("held out %v", held)
	}
	if fixed, adaptive, all := o.Efforts(); fixed != adaptive || all != hosts || fixed.Identified != all || fixed.Tried != 200+2*100 {
		t.Errorf("fixed %+v, adaptive %+v, of %g", fixed, adaptive, all)
	}
}

func TestTrialsTooMany(t *testing.T) {
	trials := NewTrials(Counting{Ports: []uint16{22, 8080}, ByPort: true})
	trials.limit = 5000
	err := trials.Add(batchOf(t, trials, trialsText))
	if want := "services responded in 1 ways on 2 ports, too many to resample"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, should say %q", err, want)
	}
	if _, again := trials.Outcomes(0); again == nil {
		t.Error("there is a result nevertheless")
	}
	if err := NewTrials(Counting{}).Merge(NewTrials(Counting{Own: true})); err == nil {
		t.Error("two rules merge")
	}
}

// BenchmarkTrials counts a million services, each on a host of its own and tried with five handshakes, and ranks the handshakes in
// all of the resamples: `go test -tags noasm -run none -bench Trials -benchtime 1x -cpu 1 ./analysis`.
func BenchmarkTrials(b *testing.B) {
	const services, batchServices = 1_000_000, 5000
	handshakes := []string{"wait", "tls", "http", "dns", "redis"}
	for b.Loop() {
		trials := NewTrials(Counting{Ports: []uint16{81, 82}})
		for first := 0; first < services; first += batchServices {
			b.StopTimer()
			var text strings.Builder
			text.WriteString("addr port visit handshake state label evidence\n")
			for i := first; i < first+batchServices; i++ {
				for h, name := range handshakes {
					state, label, evidence := "acks_data", "-", "none"
					if i*2654435761>>h%7 == 0 {
						state, label, evidence = "sends_data", handshakes[max(1, h)], "certain"
					}
					fmt.Fprintf(&text, "10.%d.%d.%d %d first %s %s %s %s\n", i>>16, i>>8&255, i&255, 81+i&1, name, state, label, evidence)
				}
			}
			batch := batchOf(b, trials, text.String())
			b.StartTimer()
			if err := trials.Add(batch); err != nil {
				b.Fatal(err)
			}
		}
		o, err := trials.Outcomes(0)
		if err != nil {
			b.Fatal(err)
		}
		o.Bootstrap(order.Greedy(order.Patterns(o.Services), o.Handshakes))
	}
	b.ReportMetric(services*float64(b.N)/b.Elapsed().Seconds(), "services/s")
}
