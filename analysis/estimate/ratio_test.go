package estimate

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The Physicians' Health Study (1989, New England Journal of Medicine 321, table 1) has 189 heart attacks among 11,034 on placebo
// and 104 among 11,037 on aspirin: 1.82 times as many, 1.43 to 2.31, which is exp(log(r) ± 1.959964 sqrt((1-p1)/x1 +
// (1-p2)/x2)).
func TestRatioOfServices(t *testing.T) {
	r := Ratio{on: Alone(189, 11034), against: Alone(104, 11037)}
	e, err := r.Shares(Design{Unit: ByService, Drawn: 22071, Of: 1 << 60})
	if err != nil || math.Abs(e.Value-1.817802) > 1e-6 || math.Abs(e.Lo-1.433031) > 1e-6 || math.Abs(e.Hi-2.305884) > 1e-6 {
		t.Errorf("%v, %v", e, err)
	}
	e, err = r.Totals(Design{Unit: ByService, Drawn: 22071, Of: 1 << 60})
	if want := math.Exp(normalQuantile * math.Sqrt(1./189+1./104)); err != nil || math.Abs(e.Value-189./104) > 1e-9 || math.Abs(e.Hi/e.Value-want) > 1e-9 {
		t.Errorf("%v, %v", e, err)
	}
}

// pairOf is a host: its services in two groups, and how many of them are of the kind.
type pairOf struct{ x1, k1, x2, k2 uint32 }

// The exact sums give the variance that the residuals of all hosts do, whatever parts they were summed up in.
func TestRatioOverHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pairOf {
			k1, k2 := rapid.Uint32Range(0, 40).Draw(t, "k1"), rapid.Uint32Range(0, 9).Draw(t, "k2")
			return pairOf{rapid.Uint32Range(0, k1).Draw(t, "x1"), k1, rapid.Uint32Range(0, k2).Draw(t, "x2"), k2}
		}), 60, 400).Draw(t, "hosts")
		var r, part Ratio
		var x1, k1, x2, k2 float64
		for i, h := range hosts {
			x1, k1, x2, k2 = x1+float64(h.x1), k1+float64(h.k1), x2+float64(h.x2), k2+float64(h.k2)
			of := &r
			if i%3 == 0 {
				of = &part
			}
			of.Add(h.x1, h.k1, h.x2, h.k2)
		}
		r.Merge(part)
		n := float64(len(hosts) + 50) // some that were drawn have no service
		d := Design{Unit: ByHost, Drawn: uint64(n), Of: 10 * uint64(n)}
		shares, err := r.Shares(d)
		if err != nil {
			t.Fatal(err)
		}
		totals, err := r.Totals(d)
		if err != nil {
			t.Fatal(err)
		}
		var ofShares, ofTotals float64
		for _, h := range hosts {
			e := (float64(h.x1)-x1/k1*float64(h.k1))/x1 - (float64(h.x2)-x2/k2*float64(h.k2))/x2
			ofShares += e * e
			e = float64(h.x1)/x1 - float64(h.x2)/x2
			ofTotals += e * e
		}
		for _, c := range []struct {
			name   string
			got    Estimate
			value  float64
			square float64
		}{{"shares", shares, x1 / k1 / (x2 / k2), ofShares}, {"totals", totals, x1 / x2, ofTotals}} {
			if !c.got.HasInterval() {
				continue
			}
			want := studentQuantile(c.got.EffectiveHosts-1, 0.025) * math.Sqrt(0.9*n/(n-1)*c.square)
			if got := math.Log(c.got.Hi / c.got.Value); math.Abs(got-want) > 1e-9*want || math.Abs(c.got.Value-c.value) > 1e-12*c.value {
				t.Fatalf("%s: %v, interval of exp(%v), want exp(%v) around %v", c.name, c.got, got, want, c.value)
			}
		}
	})
}

// In samples of hosts intervals hold in 93 to 99 %: where some hosts have eight services, and those in both groups are alike, and
// where each has at most one service in a group, and some ten of the kind are seen.
func TestRatioCovers(t *testing.T) {
	for _, c := range []struct {
		name               string
		most               float64 // services of a host in the second group
		sample             int
		devices            float64 // share of the hosts
		onEach, onOther    float64 // share of the first group's services that are of the kind, on devices and elsewhere
		against, otherwise float64 // likewise in the second group
	}{
		{"many services", 8, 4000, 0.2, 0.8, 0.02, 0.3, 0.04},
		{"one service", 1, 400, 0.05, 0.9, 0.02, 0.9, 0.05},
	} {
		const addresses, samples = 40_000, 600
		g := rand.New(rand.NewPCG(3, 3))
		hosts := make([]pairOf, addresses)
		var all Ratio
		for i := range hosts {
			h := &hosts[i]
			h.k1, h.k2 = uint32(g.IntN(2)), uint32(min(c.most+1, math.Pow(1-g.Float64(), -1/1.5))-1)
			if c.most == 1 {
				h.k2 = uint32(g.IntN(2))
			}
			onKind, againstKind := c.onOther, c.otherwise
			if g.Float64() < c.devices {
				onKind, againstKind = c.onEach, c.against
			}
			h.x1, h.x2 = binomial(g, h.k1, onKind), binomial(g, h.k2, againstKind)
			all.Add(h.x1, h.k1, h.x2, h.k2)
		}
		census := Design{Unit: ByHost, Drawn: addresses, Of: addresses}
		for i, ratio := range []func(Ratio, Design) (Estimate, error){Ratio.Shares, Ratio.Totals} {
			of := [...]string{"shares", "totals"}[i]
			truth, err := ratio(all, census)
			if err != nil || truth.Lo != truth.Hi {
				t.Fatal(truth, err)
			}
			printed, held := 0, 0
			for range samples {
				var r Ratio
				for _, i := range g.Perm(addresses)[:c.sample] {
					r.Add(hosts[i].x1, hosts[i].k1, hosts[i].x2, hosts[i].k2)
				}
				e, err := ratio(r, Design{Unit: ByHost, Drawn: uint64(c.sample), Of: addresses})
				if err != nil {
					t.Fatal(err)
				}
				if e.HasInterval() {
					printed++
					if e.Lo <= truth.Value && truth.Value <= e.Hi {
						held++
					}
				}
			}
			cover := 100 * float64(held) / float64(printed)
			t.Logf("%s, %s: %.3f times; printed %d of %d, held in %.1f %%", c.name, of, truth.Value, printed, samples, cover)
			if printed < samples*9/10 || cover < 93 || cover > 99 {
				t.Errorf("%s, %s: printed %d of %d, held in %.1f %%", c.name, of, printed, samples, cover)
			}
		}
	}
}

func TestRatioWithout(t *testing.T) {
	var few Ratio
	for range 20 {
		few.Add(1, 3, 2, 3)
	}
	byHost := Design{Unit: ByHost, Drawn: 100, Of: 1000}
	for _, c := range []struct {
		name    string
		r       Ratio
		d       Design
		value   float64 // NaN for none
		warning Warning
	}{
		{"nothing", Ratio{}, byHost, math.NaN(), NoHits},
		{"none against", Ratio{on: Alone(3, 9), against: Alone(0, 9)}, byHost, math.NaN(), NoHits},
		{"none on", Ratio{on: Alone(0, 9), against: Alone(3, 9)}, byHost, 0, NoHits},
		{"no sample", Ratio{on: Alone(6, 9), against: Alone(3, 9)}, Design{}, 2, NoSample},
		{"few hosts", few, byHost, 0.5, TooFewHosts},
	} {
		e, err := c.r.Shares(c.d)
		if err != nil || e.HasInterval() || len(e.Warnings) != 1 || e.Warnings[0] != c.warning || math.IsNaN(c.value) != math.IsNaN(e.Value) ||
			!math.IsNaN(c.value) && math.Abs(e.Value-c.value) > 1e-12 {
			t.Errorf("%s: %v, %v", c.name, e, err)
		}
	}
	if _, err := few.Shares(Design{Unit: ByHost, Drawn: 10, Of: 100}); err == nil {
		t.Error("20 hosts of a sample of 10")
	}
}
