package estimate

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestErrors gives what cannot be estimated: each is an error that says what is wrong.
func TestErrors(t *testing.T) {
	var hosts Hosts
	hosts.Add(1, 2)
	hosts.Add(2, 2)
	sample := Design{ByHost, 10, 100}
	var ports Ports
	ports.Add(address(1), 80)
	curve, err := ports.Curve(sample)
	if err != nil {
		t.Fatal(err)
	}
	nan := []float64{1, 2, math.NaN(), 4}
	for _, c := range []struct {
		name, want string
		call       func() error
	}{
		{"empty sample", "0 units of 7", func() error { _, err := hosts.Share(Design{ByHost, 0, 7}); return err }},
		{"more than all", "3 units of 2", func() error { _, err := hosts.Total(Design{ByHost, 3, 2}); return err }},
		{"hosts not drawn", "2 were seen", func() error { _, err := hosts.Share(Design{ByHost, 1, 9}); return err }},
		{"blocks not drawn", "2 were seen", func() error { _, err := hosts.Share(Design{ByBlock(24), 1, 9}); return err }},
		{"services not drawn", "4 were seen", func() error { _, err := hosts.Total(Design{ByService, 3, 9}); return err }},
		{"curve", "0 units of 9", func() error { _, err := ports.Curve(Design{ByHost, 0, 9}); return err }},
		{"no ports", "on 0 ports", func() error { _, err := curve.Share(0); return err }},
		{"share above 1", "1.5 is no share", func() error { _, err := curve.PortsFor(1.5); return err }},
		{"share 0", "0 is no share", func() error { _, err := curve.PortsFor(0); return err }},
		{"Chao1", "0 units", func() error { _, err := Kinds{}.Chao1(Design{Of: 1}); return err }},
		{"coverage", "0 units", func() error { _, err := Kinds{}.Coverage(Design{Of: 1}); return err }},
		{"Grubbs, two", "needs three values, has 2", func() error { _, err := Grubbs([]float64{1, 2}); return err }},
		{"Grubbs, equal", "that differ", func() error { _, err := Grubbs([]float64{2, 2, 2}); return err }},
		{"Grubbs, NaN", "value 3 is NaN", func() error { _, err := Grubbs(nan); return err }},
		{"outliers, NaN", "value 3 is NaN", func() error { _, err := Outliers(nan, 0.001); return err }},
		{"Spearman, unpaired", "has 3 and 2", func() error { _, err := Spearman([]float64{1, 2, 3}, []float64{1, 2}); return err }},
		{"Spearman, equal", "that differ", func() error { _, err := Spearman([]float64{1, 2, 3}, []float64{1, 1, 1}); return err }},
		{"Smirnov, empty", "of 1 and 0 values", func() error { _, err := Smirnov([]float64{1}, nil); return err }},
		{"Smirnov, infinite", "value 1 is +Inf", func() error { _, err := Smirnov([]float64{1}, []float64{math.Inf(1)}); return err }},
		{"margin", "margin", func() error { _, err := Pairs{Both: 1}.Equivalence(1); return err }},
		{"no pairs", "no pairs", func() error { _, err := Pairs{}.Equivalence(0.1); return err }},
		{"dip, empty", "has 0 and 9", func() error { _, err := DipTest(nil, 9, rand.New(rand.NewPCG(1, 1))); return err }},
		{"duration", "duration 1 is -1", func() error { _, err := KaplanMeier([]Duration{{Time: -1}}); return err }},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// TestEdges gives what can be estimated, but barely.
func TestEdges(t *testing.T) {
	one := func(x, k uint32) (h Hosts) { h.Add(x, k); return h }
	many := func(x, k uint32, n int) (h Hosts) {
		for range n {
			h.Add(x, k)
		}
		return h
	}
	mixed := many(1, 3, 500)
	mixed.Merge(many(2, 3, 500))
	for _, c := range []struct {
		name  string
		hosts Hosts
		d     Design
		total bool
		want  string
	}{
		{"nothing", Hosts{}, Design{ByHost, 10, 100}, false,
			"NaN; n = 0; Wilson; 10 of 100 by host; no data"},
		{"nothing, total by service", Hosts{}, Design{ByService, 10, 100}, true,
			"0 (0 to 25.69 at 95 %); n = 0; Horvitz-Thompson; 10 of 100 by service"},
		{"nothing, total by host", Hosts{}, Design{ByHost, 10, 100}, true,
			"0; n = 0; Horvitz-Thompson, log scale; 10 of 100 by host; too few effective hosts"},
		{"no sample", many(1, 2, 99), Design{}, false,
			"0.5; n = 198 on 99 hosts (0 effective); not one random sample"},
		{"no sample, total", many(1, 2, 99), Design{}, true,
			"99; n = 99 on 99 hosts (0 effective); not one random sample"},
		{"one host", one(3, 4), Design{ByHost, 10, 100}, false,
			"0.75; n = 4 on 1 hosts (0 effective); Korn-Graubard; 10 of 100 by host; too few effective hosts"},
		{"the same share on all", many(1, 2, 99), Design{ByHost, 100, 1000}, false,
			"0.5; n = 198 on 99 hosts (0 effective); Korn-Graubard; 100 of 1000 by host; too few effective hosts"},
		{"census", one(3, 4), Design{ByHost, 10, 10}, false,
			"0.75 (0.75 to 0.75 at 95 %); n = 4 on 1 hosts (0 effective); Korn-Graubard; 10 of 10 by host"},
		{"census by service", one(3, 4), Design{ByService, 10, 10}, false,
			"0.75 (0.75 to 0.75 at 95 %); n = 4 on 1 hosts (0 effective); Wilson; 10 of 10 by service"},
		{"one service a host", many(0, 1, 20), Design{ByHost, 20, 1 << 40}, false,
			"0 (0 to 0.1611 at 95 %); n = 20 on 20 hosts (0 effective); Wilson; 20 of 1099511627776 by host"},
		{"two kinds of hosts", mixed, Design{ByHost, 2000, 1 << 40}, false,
			"0.5 (0.4896 to 0.5104 at 95 %); n = 3000 on 1000 hosts (1000 effective); Korn-Graubard; 2000 of 1099511627776 by host"},
		{"two kinds of blocks", mixed, Design{ByBlock(24), 2000, 1 << 40}, false,
			"0.5 (0.4896 to 0.5104 at 95 %); n = 3000 in 1000 blocks (1000 effective); Korn-Graubard; 2000 of 1099511627776 by /24"},
		{"two kinds of blocks, total", mixed, Design{ByBlock(120), 2000, 4000}, true,
			"3000 (2899 to 3105 at 95 %); n = 1500 in 1000 blocks (1228 effective); Horvitz-Thompson, log scale; 2000 of 4000 by /120"},
		{"one block", one(3, 4), Design{ByBlock(24), 10, 100}, false,
			"0.75; n = 4 in 1 blocks (0 effective); Korn-Graubard; 10 of 100 by /24; too few effective hosts"},
		{"two kinds of hosts, total", mixed, Design{ByHost, 2000, 4000}, true,
			"3000 (2899 to 3105 at 95 %); n = 1500 on 1000 hosts (1228 effective); Horvitz-Thompson, log scale; 2000 of 4000 by host"},
	} {
		estimate := c.hosts.Share
		if c.total {
			estimate = c.hosts.Total
		}
		e, err := estimate(c.d)
		if err != nil {
			t.Fatal(err)
		}
		if e.String() != c.want {
			t.Errorf("%s:\n%v, want\n%v", c.name, e, c.want)
		}
	}
}

// TestCluster gives what a host was drawn with.
func TestCluster(t *testing.T) {
	for _, c := range []struct {
		unit       Unit
		host, want string
	}{
		{ByService, "192.0.2.77", "192.0.2.77/32"},
		{ByHost, "2001:db8::7", "2001:db8::7/128"},
		{ByBlock(24), "192.0.2.77", "192.0.2.0/24"},
		{ByBlock(32), "192.0.2.77", "192.0.2.77/32"},
		{ByBlock(121), "2001:db8::87", "2001:db8::80/121"},
		{ByBlock(128), "2001:db8::87", "2001:db8::87/128"},
	} {
		if got := c.unit.Cluster(netip.MustParseAddr(c.host)); got.String() != c.want {
			t.Errorf("%v: %s is in %v, want %s", c.unit, c.host, got, c.want)
		}
	}
}

// A curve from few blocks has no band, as one from few hosts has none.
func TestCurveOfFewBlocks(t *testing.T) {
	for _, unit := range []Unit{ByService, ByHost, ByBlock(24)} {
		var ports Ports
		for i := range 20 {
			ports.Add(address(i), uint16(80+i%3))
		}
		curve, err := ports.Curve(Design{unit, 40, 400})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := curve.Share(2); err != nil || e.HasInterval() != (unit == ByService) {
			t.Errorf("%v: %v, error %v", unit, e, err)
		}
	}
}

// TestOutliers takes the large values out one after the other, also where the second hides the first from a single test.
func TestOutliers(t *testing.T) {
	values := []float64{10, 9000, 12, 9, 11, 10, 13, 8, 300, 11, 10, 9, 12, 11, 10, 9, 8, 12, 13, 10}
	got, err := Outliers(values, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != 1 || got[1] != 8 {
		t.Errorf("outliers are %v, want 1 and 8", got)
	}
	for _, none := range [][]float64{nil, {1, 2}, {3, 3, 3, 3}, {1, 2, 3, 4}} {
		if got, err := Outliers(none, 0.001); err != nil || len(got) > 0 {
			t.Errorf("outliers of %v are %v, error %v", none, got, err)
		}
	}
}

// TestSmirnovLarge is beyond the exact path, where the limit is close to it.
func TestSmirnovLarge(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 5))
	sample := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = g.NormFloat64() + shift
		}
		return x
	}
	x, y := sample(1000, 0), sample(1000, 0.06)
	exact, err := Smirnov(x, y)
	if err != nil {
		t.Fatal(err)
	}
	if limit := kolmogorov(exact.Statistic * math.Sqrt(500)); math.Abs(limit/exact.P-1) > 0.05 {
		t.Errorf("p is %v, in the limit %v", exact.P, limit)
	}
	more, err := Smirnov(x, append(y, 0))
	if err != nil {
		t.Fatal(err)
	}
	if exact.Method != "Smirnov, exact" || more.Method != "Smirnov, limit" || math.Abs(more.P/exact.P-1) > 0.1 {
		t.Errorf("%v, with one value more %v", exact, more)
	}
}

// TestBootstrap: the interval is what the resamples gave, where a sample of enough hosts was drawn.
func TestBootstrap(t *testing.T) {
	drawn := Design{Unit: ByHost, Drawn: 100, Of: 1000}
	for _, c := range []struct {
		design          Design
		services, hosts uint64
		want            string
	}{
		{drawn, 60, 50, "0.5 (0.4 to 0.6 at 95 %); n = 60 on 50 hosts (0 effective); bootstrap over hosts, percentiles; 100 of 1000 by host"},
		{drawn, 60, 49, "0.5; n = 60 on 49 hosts (0 effective); bootstrap over hosts, percentiles; 100 of 1000 by host; too few effective hosts"},
		{Design{Unit: ByHost, Drawn: 9, Of: 9}, 60, 9, "0.5 (0.5 to 0.5 at 95 %); n = 60 on 9 hosts (0 effective); bootstrap over hosts, percentiles; 9 of 9 by host"},
		{Design{}, 60, 50, "0.5; n = 60 on 50 hosts (0 effective); not one random sample"},
		{drawn, 0, 0, "0.5; n = 0; bootstrap over hosts, percentiles; 100 of 1000 by host; no data"},
	} {
		e, err := Bootstrap(0.5, 0.4, 0.6, c.design, c.services, c.hosts)
		if got := e.String(); err != nil || got != c.want {
			t.Errorf("%s (%v), want %s", got, err, c.want)
		}
	}
	if _, err := Bootstrap(0.5, 0.4, 0.6, Design{Drawn: 2, Of: 1}, 1, 1); err == nil {
		t.Error("no error for 2 drawn of 1")
	}
}

// What was not drawn at random has a curve, without a band.
func TestCurveOfNoSample(t *testing.T) {
	var p Ports
	for host := range 3 {
		p.Add(netip.AddrFrom4([4]byte{10, 0, 0, byte(host)}), uint16(80+host/2))
	}
	c, err := p.Curve(Design{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Share(1)
	if err != nil || e.HasInterval() || e.Value != 2.0/3 || !slices.Equal(e.Warnings, []Warning{NoSample}) {
		t.Errorf("%v, %v", e, err)
	}
}

// TestQuotient draws two samples of services with shares like those of a follow-up that spoils, at once and after a while, and counts
// how often the interval holds their ratio.
func TestQuotient(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	share := func(p float64, n int) Estimate {
		hits := 0
		for range n {
			if random.Float64() < p {
				hits++
			}
		}
		e, err := Alone(uint64(hits), uint64(n)).Share(Design{Drawn: 1 << 20, Of: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, c := range []struct {
		p, of float64
		n     int
	}{{0.0725, 0.29, 200}, {0.0725, 0.29, 40}, {0.0029, 0.29, 300}, {0.29, 0.29, 100}, {0.6, 0.2, 150}} {
		const samples = 2000
		holds := 0
		for range samples {
			e := Quotient(share(c.p, c.n), share(c.of, c.n))
			if e.HasInterval() && e.Lo <= c.p/c.of && c.p/c.of <= e.Hi {
				holds++
			}
			if e.HasInterval() && !math.IsNaN(e.Value) && (e.Lo > e.Value || e.Hi < e.Value) {
				t.Fatalf("%v", e)
			}
		}
		t.Logf("%.4f of %.4f, n = %d: holds in %.1f %%", c.p, c.of, c.n, 100*float64(holds)/samples)
		if holds < samples*93/100 || holds > samples*995/1000 {
			t.Errorf("the ratio of %.4f and %.4f, n = %d, is in %d of %d intervals", c.p, c.of, c.n, holds, samples)
		}
	}
	some := Estimate{Value: 0.1, Lo: 0.05, Hi: 0.2, Confidence: Confidence}
	for _, c := range []struct {
		share, of Estimate
		want      string
	}{
		{some, Estimate{Value: 0.1, Lo: 0, Hi: 0.2, Confidence: Confidence}, "1 (more than 0.375 at 95 %)"},
		{some, Estimate{Value: 0.2, Warnings: []Warning{TooFewHosts}}, "0.5"},
		{Estimate{Value: 0, Lo: 0, Hi: 0.2, Confidence: Confidence}, some, "0 (0 to 2.309 at 95 %)"},
	} {
		if got, _, _ := strings.Cut(Quotient(c.share, c.of).String(), ";"); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
