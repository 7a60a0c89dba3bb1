package estimate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/combin"
)

// samples is how many samples are drawn of each population at each rate, and what the coverage of so few may be off by, in
// standard errors.
func samples(full int) (n int, slack float64) {
	if testing.Short() {
		return full / 10, 2
	}
	return full, 0
}

// coverage is what became of an estimate in many samples.
type coverage struct {
	name      string
	truth     float64
	values    []float64
	effective []float64
	widths    []float64 // of the intervals that were printed
	covered   int       // by these
	always    int       // samples in which the interval would cover, printed or not
	naive     int       // samples in which an interval covers that takes services for independent
}

func (c *coverage) add(e Estimate, always, naive [2]float64) {
	c.values = append(c.values, e.Value)
	c.effective = append(c.effective, e.EffectiveHosts)
	if e.HasInterval() {
		c.widths = append(c.widths, e.Hi-e.Lo)
		if c.within(e.Lo, e.Hi) {
			c.covered++
		}
	}
	if c.within(always[0], always[1]) {
		c.always++
	}
	if c.within(naive[0], naive[1]) {
		c.naive++
	}
}

func (c *coverage) within(lo, hi float64) bool { return lo <= c.truth && c.truth <= hi }

// row is a line of the table in docs/estimates.md.
func (c *coverage) row(population, name string, rate float64) string {
	printed, relative := "", ""
	if len(c.widths) > 0 {
		printed = fmt.Sprintf("%.1f", c.printed())
		relative = fmt.Sprintf("%.2f", c.relativeWidth())
	}
	n := len(c.values)
	return fmt.Sprintf("| %s | %s | %.4g %% | %.1f | %.1f | %s | %s | %.1f | %.1f |", population, name, 100*rate,
		median(c.effective), percent(len(c.widths), n), printed, relative, percent(c.always, n), percent(c.naive, n))
}

// printed is the coverage of the intervals that were printed, in percent.
func (c *coverage) printed() float64 { return 100 * float64(c.covered) / float64(len(c.widths)) }

// relativeWidth is the median width in those of the interval of an estimator that knows its own error.
func (c *coverage) relativeWidth() float64 {
	return median(c.widths) / (2 * normalQuantile * stat.StdDev(c.values, nil))
}

// check holds the coverage of printed intervals to what is asked, if most samples have one. The few that have one where most
// have not are those that missed the large hosts.
func (c *coverage) check(t *testing.T, least, most, width, slack float64) {
	t.Helper()
	n := float64(len(c.widths))
	if n < float64(len(c.values))/2 {
		return
	}
	off := slack * 100 * math.Sqrt(0.95*0.05/n)
	if got := c.printed(); got < least-off || got > most+off {
		t.Errorf("%.1f %% of the intervals cover, want %v to %v", got, least, most)
	}
	if got := c.relativeWidth(); got > width*(1+off/100) {
		t.Errorf("the median width is %.2f of the estimator's own, want at most %v", got, width)
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if len(x) == 0 {
		return math.NaN()
	}
	return x[len(x)/2]
}

// TestCoverageOfShares prints how often the intervals of shares and totals hold where hosts are drawn.
func TestCoverageOfShares(t *testing.T) {
	n, slack := samples(1000)
	t.Log("| population | estimate | sample | effective hosts, median | printed | cover | width | would cover, always printed | would cover, services independent |")
	for _, p := range populations() {
		for _, rate := range []float64{0.001, 0.01, 0.1} {
			c := drawHosts(t, &p, rate, n)
			for i := range c {
				t.Log(c[i].row(p.name, c[i].name, rate))
				if i < len(kinds) {
					c[i].check(t, 93, 99, 1.5, slack)
				} else {
					c[i].check(t, 93, 97, 1.5, slack)
				}
			}
			if c[0].naive > n*9/10 {
				t.Errorf("%s: an interval that takes services for independent covers in %d of %d samples: this is no test", p.name, c[0].naive, n)
			}
		}
	}
}

// drawHosts draws n samples of hosts, and gives what became of the shares of the kinds, and of the total of the first.
func drawHosts(t *testing.T, p *population, rate float64, n int) []coverage {
	var all [len(kinds)]Hosts
	for i := range p.hosts {
		for j := range kinds {
			all[j].Add(kinds[j].of(&p.hosts[i]), p.hosts[i].services)
		}
	}
	c := make([]coverage, len(kinds)+1)
	for j := range kinds {
		c[j].name, c[j].truth = kinds[j].name, float64(all[j].x)/float64(all[j].k)
	}
	total := &c[len(kinds)]
	total.name, total.truth = kinds[0].name+", total", float64(all[0].x)

	g := rand.New(rand.NewPCG(1, uint64(rate*1e6)))
	order := numbers(p.addresses)
	d := Design{ByHost, uint64(math.Ceil(rate * float64(p.addresses))), uint64(p.addresses)}
	for range n {
		var seen [len(kinds)]Hosts
		for _, i := range draw(g, order, int(d.Drawn)) {
			if int(i) < len(p.hosts) { // else it is an address without services
				for j := range kinds {
					seen[j].Add(kinds[j].of(&p.hosts[i]), p.hosts[i].services)
				}
			}
		}
		for j, h := range seen {
			e, err := h.Share(d)
			if err != nil {
				t.Fatal(err)
			}
			c[j].add(e, alwaysShare(h, d), naiveShare(h, d))
		}
		e, err := seen[0].Total(d)
		if err != nil {
			t.Fatal(err)
		}
		total.add(e, alwaysTotal(seen[0], d), naiveTotal(seen[0], d))
	}
	return c
}

// TestCoverageByService is the same where services are drawn.
func TestCoverageByService(t *testing.T) {
	n, slack := samples(1000)
	t.Log("| population | estimate | sample | cover | width |")
	for _, p := range populations()[:1] {
		var left [len(kinds)]int
		services := 0
		for i := range p.hosts {
			for j := range kinds {
				left[j] += int(kinds[j].of(&p.hosts[i]))
			}
			services += int(p.hosts[i].services)
		}
		for _, rate := range []float64{0.001, 0.01, 0.1} {
			g := rand.New(rand.NewPCG(2, uint64(rate*1e6)))
			d := Design{ByService, uint64(math.Ceil(rate * float64(services))), uint64(services)}
			c := make([]coverage, 2*len(kinds))
			for range n {
				for j, x := range drawServices(g, left, services, int(d.Drawn)) {
					h := Hosts{hosts: d.Drawn, x: x, k: d.Drawn}
					share, err := h.Share(d)
					if err != nil {
						t.Fatal(err)
					}
					total, err := h.Total(d)
					if err != nil {
						t.Fatal(err)
					}
					c[j].truth, c[len(kinds)+j].truth = float64(left[j])/float64(services), float64(left[j])
					c[j].add(share, [2]float64{}, [2]float64{})
					c[len(kinds)+j].add(total, [2]float64{}, [2]float64{})
				}
			}
			for i := range c {
				name := kinds[i%len(kinds)].name
				if i >= len(kinds) {
					name += ", total"
				}
				t.Logf("| %s | %s | %.4g %% | %.1f %% | %.2f |", p.name, name, 100*rate, c[i].printed(), c[i].relativeWidth())
				c[i].check(t, 93, 99, 1.5, slack)
			}
		}
	}
}

// drawServices is how many of the n services that are drawn are of each kind.
func drawServices(g *rand.Rand, of [len(kinds)]int, services, n int) (x [len(kinds)]uint64) {
	for j := range of {
		k := hypergeometric(g.Float64(), of[j], services, n)
		x[j], services, n = uint64(k), services-of[j], n-k
	}
	return x
}

// hypergeometric is how many of n of services are among the first of, by inversion from the mode outwards, with u in [0, 1).
func hypergeometric(u float64, of, services, n int) int {
	choose := func(n, k int) float64 { return combin.LogGeneralizedBinomial(float64(n), float64(k)) }
	mode := (n + 1) * (of + 1) / (services + 2)
	p := math.Exp(choose(of, mode) + choose(services-of, n-mode) - choose(services, n))
	down, up := mode, mode
	below, above := p, p
	for u -= p; u >= 0 && (below > 0 || above > 0); {
		above *= float64(of-up) / float64(up+1) * float64(n-up) / float64(services-of-n+up+1)
		up++
		if u -= above; u < 0 {
			return up
		}
		below *= float64(down) / float64(of-down+1) * float64(services-of-n+down) / float64(n-down+1)
		down--
		if u -= below; u < 0 {
			return down
		}
	}
	return mode
}

// TestCoverageOfCurves prints how often the band of the curve of HTTP over ports holds.
func TestCoverageOfCurves(t *testing.T) {
	n, slack := samples(300)
	t.Log("| population | design | sample | n, median | printed | C(10) | C(1,000) | C(10,000) | C(25,000) | C(10), always printed | C(1,000), median band | ports for 90 % |")
	for _, p := range populations() {
		for _, unit := range p.curves {
			for _, rate := range []float64{0.0005, 0.01, 0.1} {
				measureCurves(t, &p, unit, rate, n, slack)
			}
		}
	}
}

// measureCurves draws n samples of a population, prints a line of the table, and holds it to what is asked.
func measureCurves(t *testing.T, p *population, unit Unit, rate float64, n int, slack float64) {
	t.Helper()
	truth, first := p.curve()
	of := p.addresses
	if unit == ByService {
		of = first[len(p.hosts)]
	}
	d := Design{unit, uint64(math.Ceil(rate * float64(of))), uint64(of)}
	g := rand.New(rand.NewPCG(3, uint64(rate*1e6)))
	order := numbers(of)
	sizes := []int{10, 1000, 10000, 25000}
	var services, lows, highs, least []float64
	var printed, always, inRange, more int
	inside := make([]int, len(sizes))
	for range n {
		sample := draw(g, order, int(d.Drawn))
		slices.Sort(sample)
		c, err := p.sampled(unit, sample, first).Curve(d)
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, float64(c.form.N))
		if c.lower[min(10, c.Ports())-1] <= truth[9] && truth[9] <= c.upper[min(10, c.Ports())-1] {
			always++
		}
		if !c.form.HasInterval() {
			continue
		}
		printed++
		for j, k := range sizes {
			e, err := c.Share(k)
			if err != nil {
				t.Fatal(err)
			}
			if e.Lo <= truth[k-1] && truth[k-1] <= e.Hi {
				inside[j]++
			}
			if k == 1000 {
				lows, highs = append(lows, e.Lo), append(highs, e.Hi)
			}
		}
		e, err := c.PortsFor(0.9)
		if err != nil {
			t.Fatal(err)
		}
		if want := reach(truth, 0.9); e.Lo <= want && want <= e.Hi {
			inRange++
		}
		if math.IsInf(e.Hi, 1) {
			more++
		}
		least = append(least, e.Lo)
	}
	line := fmt.Sprintf("| %s | %v | %.4g %% | %.0f | %.1f |", p.name, unit, 100*rate, median(services), percent(printed, n))
	if printed == 0 {
		t.Logf("%s | | | | %.1f | | |", line, percent(always, n))
		return
	}
	for _, k := range inside {
		line += fmt.Sprintf(" %.1f |", percent(k, printed))
	}
	t.Logf("%s %.1f | %.3f to %.3f, truth %.3f | %.0f and more, median; covers %.1f, without an end %.1f; truth %.0f |", line,
		percent(always, n), median(lows), median(highs), truth[999], median(least), percent(inRange, printed), percent(more, printed), reach(truth, 0.9))
	if printed < n/2 {
		return
	}
	for j := range sizes[:3] {
		if off := slack * 100 * math.Sqrt(0.95*0.05/float64(printed)); percent(inside[j], printed) < 93-off {
			t.Errorf("C(%d) is in the band in %.1f %% of samples, want 93", sizes[j], percent(inside[j], printed))
		}
	}
}

func percent(k, n int) float64 { return 100 * float64(k) / float64(n) }

// sampled counts the HTTP services of a sample of numbers, in order: of services, by the number of those before each host, or of
// hosts.
func (p *population) sampled(unit Unit, sample []int32, first []int) *Ports {
	ports := &Ports{Seed: 4}
	host := 0
	for _, i := range sample {
		switch {
		case unit == ByService:
			for first[host+1] <= int(i) {
				host++
			}
			ports.Add(address(host), p.hosts[host].ports[int(i)-first[host]])
		case int(i) < len(p.hosts):
			for _, port := range p.hosts[i].ports {
				ports.Add(address(int(i)), port)
			}
		}
	}
	return ports
}

// curve is the population's own curve, and the number of HTTP services before each host.
func (p *population) curve() (shares []float64, first []int) {
	counts := make([]int, 1<<16)
	first = make([]int, 1, len(p.hosts)+1)
	for i := range p.hosts {
		for _, port := range p.hosts[i].ports {
			counts[port]++
		}
		first = append(first, first[i]+len(p.hosts[i].ports))
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	sum := 0
	for _, n := range counts {
		sum += n
		shares = append(shares, float64(sum)/float64(first[len(p.hosts)]))
	}
	return shares, first
}

// alwaysShare is Share's interval with no regard to how many effective hosts there are.
func alwaysShare(h Hosts, d Design) [2]float64 {
	square, quartic := h.residuals()
	if square.Sign() == 0 || h.hosts < 2 {
		return [2]float64{math.NaN(), math.NaN()}
	}
	lo, hi := kornGraubard(float64(h.x)/float64(h.k), h.variance(square, d), float64(h.k), max(0.1, effective(square, quartic)-1))
	return [2]float64{lo, hi}
}

func alwaysTotal(h Hosts, d Design) [2]float64 {
	if h.x == 0 {
		return [2]float64{math.NaN(), math.NaN()}
	}
	lo, hi, _ := h.logTotal(d)
	return [2]float64{lo, hi}
}

func naiveShare(h Hosts, d Design) [2]float64 {
	lo, hi := wilson(float64(h.x)/float64(h.k), float64(h.k)/(1-d.Fraction()))
	return [2]float64{lo, hi}
}

func naiveTotal(h Hosts, d Design) [2]float64 {
	half := normalQuantile * math.Sqrt(float64(h.x))
	return [2]float64{(float64(h.x) - half) / d.Fraction(), (float64(h.x) + half) / d.Fraction()}
}

// The populations are what samples are drawn from. The first is that of the measurements before this package; the others have fewer
// large hosts.
var populations = sync.OnceValue(func() []population {
	list := []population{
		heavy("heavy", 1.15, 2000, ByService),
		heavy("heavy, at most 20", 1.15, 20, ByHost),
		heavy("tail 2.5", 2.5, 2000, ByHost),
	}
	if *withLab {
		list = append(list, labPopulation())
	}
	return list
})

// address is that of host i.
func address(i int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(i)+10<<24)
	return netip.AddrFrom4(a)
}
