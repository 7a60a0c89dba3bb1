package estimate

import (
	"fmt"
	"math"
	"slices"
)

// Curve is which share of a population's services is on the k ports that have most of them, for k = 1, 2, ... A sample tells
// it within a band alone.
//
// The ports that have most in a sample have more than their share in it, and ports that are rarer than the sample are not in it,
// so that the curve of the sample itself, the plug-in, is above the population's in expectation. It is the upper edge. For the
// lower edge one half of the hosts says in which order the ports come, and the services of the other half are counted, and the
// other way round: what that expects is the share of k ports that need not be the ones with most.
//
// Each edge is moved outwards by its own error, which is linearised over the random groups of hosts (Wolter, Introduction to
// Variance Estimation, 2nd edition, chapter 2), with t. docs/estimates.md has how often the band holds.
type Curve struct {
	form                 Estimate  // what all estimates from it share
	plugIn, lower, upper []float64 // at k-1, up to the number of ports seen; the edges with their errors
}

// Curve makes the curve of what was counted. Its band holds with the confidence at a k, not at all of them at once. Where hosts
// were drawn, fewer than 50 effective ones give no band.
func (p *Ports) Curve(d Design) (*Curve, error) {
	hosts := p.all()
	if err := hosts.check(d); err != nil {
		return nil, err
	}
	c := &Curve{form: Estimate{
		Design: d, N: hosts.k, Hosts: hosts.hosts, EffectiveHosts: effective(hosts.kk.big(), hosts.quartic[4].big()),
		Method: "plug-in above, split halves below",
	}}
	switch {
	case hosts.k == 0:
		c.form = c.form.warn(NoData)
		return c, nil
	case !d.random():
		c.form = c.form.warn(NoSample)
	case d.Unit != ByService && !d.census() && c.form.EffectiveHosts < enoughHosts:
		c.form = c.form.warn(TooFewHosts)
	default:
		c.form.Confidence = Confidence
	}

	var of [groups]float64 // services over all ports
	for i := range p.counts {
		for g, n := range p.counts[i] {
			of[g] += float64(n)
		}
	}
	whole := p.rank(0, 1)
	sums := make([][groups]float64, len(whole))
	p.cumulate(sums, whole, 0, 1)
	var errors []float64
	c.plugIn, errors = shares(sums, &of)
	if d.census() || !d.random() {
		c.lower, c.upper = c.plugIn, c.plugIn
		return c, nil
	}
	scale := math.Sqrt(1-d.Fraction()) * studentQuantile(groups-1, (1-Confidence)/2)
	c.upper = make([]float64, len(sums))
	for i := range c.upper {
		c.upper[i] = min(1, c.plugIn[i]+scale*errors[i])
	}

	clear(sums)
	p.cumulate(sums, p.rank(0, 2), 1, 2)
	p.cumulate(sums, p.rank(1, 2), 0, 2)
	c.lower, errors = shares(sums, &of)
	for i := range c.lower {
		c.lower[i] = max(0, c.lower[i]-scale*errors[i])
	}
	return c, nil
}

// Ports is how many ports were seen.
func (c *Curve) Ports() int { return len(c.plugIn) }

// Share is the share of services on the k ports that have most, k at least 1. The value is the plug-in, which is too large in
// expectation.
func (c *Curve) Share(k int) (Estimate, error) {
	e := c.form
	if k < 1 {
		return e, fmt.Errorf("estimate: no services are on %d ports", k)
	}
	if len(c.plugIn) == 0 {
		e.Value = math.NaN()
		return e, nil
	}
	i := min(k, len(c.plugIn)) - 1
	e.Value = c.plugIn[i]
	if e.HasInterval() {
		e.Lo, e.Hi = c.lower[i], c.upper[i]
	}
	return e, nil
}

// PortsFor is how many ports it takes to hold a share of the services, above 0 and at most 1. The interval is from the k where
// the upper edge reaches the share to the k where the lower edge does; Hi is +Inf, "more than", if it does not. The value is the
// plug-in's, which is too small in expectation.
func (c *Curve) PortsFor(share float64) (Estimate, error) {
	e := c.form
	if !(share > 0 && share <= 1) {
		return e, fmt.Errorf("estimate: %v is no share of the services", share)
	}
	if len(c.plugIn) == 0 {
		e.Value = math.NaN()
		return e, nil
	}
	e.Value = reach(c.plugIn, share)
	if e.HasInterval() {
		e.Lo, e.Hi = reach(c.upper, share), reach(c.lower, share)
	}
	return e, nil
}

// reach is the number of ports at which an edge reaches a share, +Inf if it does not.
func reach(edge []float64, share float64) float64 {
	const rounding = 1e-12 // of sums of shares
	for i, s := range edge {
		if s >= share-rounding {
			return float64(i + 1)
		}
	}
	return math.Inf(1)
}

// rank gives the ports that have services in some of the groups, those with most first.
func (p *Ports) rank(first, step int) []ranked {
	var list []ranked
	for i, port := range p.ports {
		if n := p.counts[i].all(first, step); n > 0 {
			list = append(list, ranked(n<<16|uint64(port)))
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

// ranked is a port, in the lower 16 bits, and its services.
type ranked uint64

func (r ranked) port() uint16     { return uint16(r) }
func (r ranked) services() uint64 { return uint64(r >> 16) }

// cumulate puts into sums, at k-1, the services of some of the groups on the first k ports of a ranking. Ports with as many services
// as each other stand in every order at once: each adds their mean.
func (p *Ports) cumulate(sums [][groups]float64, ranking []ranked, first, step int) {
	var sum [groups]float64
	for from := 0; from < len(ranking); {
		to := from
		var tied tally
		for ; to < len(ranking) && ranking[to].services() == ranking[from].services(); to++ {
			for g := first; g < groups; g += step {
				tied[g] += p.of(ranking[to].port())[g]
			}
		}
		for i := from; i < to; i++ {
			for g := first; g < groups; g += step {
				sums[i][g] = sum[g] + float64(tied[g])*float64(i+1-from)/float64(to-from)
			}
		}
		for g := first; g < groups; g += step {
			sum[g] += float64(tied[g])
		}
		from = to
	}
	for i := len(ranking); i < len(sums); i++ {
		for g := first; g < groups; g += step {
			sums[i][g] = sum[g]
		}
	}
}

// shares are, for each k, the share of all services, and its standard error before the finite-population correction.
func shares(sums [][groups]float64, of *[groups]float64) (share, errors []float64) {
	share, errors = make([]float64, len(sums)), make([]float64, len(sums))
	var n float64
	for _, services := range of {
		n += services
	}
	for i := range sums {
		var x, square float64
		for _, s := range sums[i] {
			x += s
		}
		share[i] = x / n
		for g, s := range sums[i] {
			e := s - share[i]*of[g]
			square += e * e
		}
		errors[i] = math.Sqrt(square*groups/(groups-1)) / n
	}
	return share, errors
}
