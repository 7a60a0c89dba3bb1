package estimate

import (
	"math"
	"math/big"
)

// Ratio sums up hosts that have services in one or both of two groups, such as those on two ports, to tell how much more often
// services of the one group are of a kind than those of the other. The zero Ratio has seen none.
type Ratio struct {
	on, against Hosts
	joint       [4]sum // x1·x2, x1·k2, k1·x2, k1·k2 of a host, where x of its k services in group 1 or 2 are of the kind
}

// Add takes a host into account: its services in both groups, and how many of each are of the kind.
func (r *Ratio) Add(onHits, onServices, againstHits, againstServices uint32) {
	x1, k1 := uint64(min(onHits, onServices)), uint64(onServices)
	x2, k2 := uint64(min(againstHits, againstServices)), uint64(againstServices)
	r.on.Add(onHits, onServices)
	r.against.Add(againstHits, againstServices)
	r.joint[0].add(x1, x2)
	r.joint[1].add(x1, k2)
	r.joint[2].add(k1, x2)
	r.joint[3].add(k1, k2)
}

// Merge takes into account the hosts that another has seen, none of which this one has.
func (r *Ratio) Merge(other Ratio) {
	r.on.Merge(other.on)
	r.against.Merge(other.against)
	for i := range r.joint {
		r.joint[i].merge(other.joint[i])
	}
}

// On are the hosts with services in the first group.
func (r Ratio) On() Hosts { return r.on }

// Against are the hosts with services in the second group.
func (r Ratio) Against() Hosts { return r.against }

// Shares estimates how many times as large the share of the kind is in the first group as in the second.
//
// Where services were drawn, the interval is that of Katz, Baptista, Azen and Pike (1978, Biometrics 34), on the log scale. Where
// hosts were drawn, the variance of the logarithm is linearised over hosts, so that what a host brings to both groups counts, and
// t has the smaller of the groups' effective numbers of hosts, less one, as its degrees of freedom; if that is below 50 there is
// no interval. Where no host has two services in a group, as on two ports, the interval is normal, however few there are. All have
// the finite-population correction.
func (r Ratio) Shares(d Design) (Estimate, error) {
	on, against := r.on, r.against
	x1, k1, x2, k2 := float64(on.x), float64(on.k), float64(against.x), float64(against.k)
	e := Estimate{Design: d, N: on.k + against.k, Value: x1 / k1 / (x2 / k2), Method: "Katz"}
	if d.Unit == ByService {
		return r.finish(e, func() (float64, float64) { return (1-x1/k1)/x1 + (1-x2/k2)/x2, math.Inf(1) })
	}
	e.Method = "linearised, log scale"
	return r.finish(e, func() (variance, hosts float64) {
		square1, quartic1 := on.residuals()
		square2, quartic2 := against.residuals()
		// The sum of (K1·x1 - X1·k1)(K2·x2 - X2·k2).
		both := r.products(product{on.k, against.k}, product{on.k, against.x}, product{on.x, against.k}, product{on.x, against.x})
		n := float64(d.Drawn)
		variance = float(square1)/(k1*k1*x1*x1) + float(square2)/(k2*k2*x2*x2) - 2*float(both)/(k1*x1*k2*x2)
		return n / (n - 1) * variance, min(effective(square1, quartic1), effective(square2, quartic2))
	})
}

// Totals estimates how many times as many services of the kind there are in the first group as in the second. The intervals are
// made as those of Shares are; those over hosts count the hosts without any such service.
func (r Ratio) Totals(d Design) (Estimate, error) {
	on, against := r.on, r.against
	x1, x2 := float64(on.x), float64(against.x)
	e := Estimate{Design: d, N: on.x + against.x, Value: x1 / x2, Method: "Poisson, log scale"}
	if d.Unit == ByService {
		return r.finish(e, func() (float64, float64) { return 1/x1 + 1/x2, math.Inf(1) })
	}
	e.Method = "linearised, log scale"
	return r.finish(e, func() (variance, hosts float64) {
		square1, quartic1 := on.deviations(d.Drawn)
		square2, quartic2 := against.deviations(d.Drawn)
		n := float64(d.Drawn)
		// The sum of (n·x1 - X1)(n·x2 - X2) over all n hosts is n^2 times that of x1·x2, less n·X1·X2.
		both := n*n*float(r.joint[0].big()) - n*x1*x2
		variance = (float(square1)/(x1*x1) + float(square2)/(x2*x2) - 2*both/(x1*x2)) / (n * n)
		return n / (n - 1) * variance, min(effective(square1, quartic1), effective(square2, quartic2))
	})
}

// product is the factor of one of the joint sums.
type product [2]uint64

// products is the first of the joint sums times its factor, less the second and the third times theirs, and the fourth times its.
func (r *Ratio) products(factors ...product) *big.Int {
	total := new(big.Int)
	for i, f := range factors {
		term := r.joint[i].big()
		term.Mul(term, new(big.Int).SetUint64(f[0]))
		term.Mul(term, new(big.Int).SetUint64(f[1]))
		if i == 1 || i == 2 {
			term.Neg(term)
		}
		total.Add(total, term)
	}
	return total
}

// finish gives an estimate of a ratio its interval, from the variance of its logarithm and the effective number of hosts, which it
// asks for if there are such.
func (r *Ratio) finish(e Estimate, spread func() (variance, hosts float64)) (Estimate, error) {
	d := e.Design
	e.Hosts = max(r.on.hosts, r.against.hosts)
	for _, h := range []Hosts{r.on, r.against} {
		if err := h.check(d); d.random() && err != nil {
			return e, err
		}
	}
	if !d.random() {
		e.Method = ""
		e = e.warn(NoSample)
	}
	switch {
	case r.on.x == 0 || r.against.x == 0:
		if r.against.x == 0 || r.on.k == 0 {
			e.Value = math.NaN()
		}
		return e.warn(NoHits), nil
	case !d.random():
		return e, nil
	case d.census():
		return e.between(e.Value, e.Value), nil
	}
	variance, hosts := spread()
	quantile := normalQuantile
	if d.Unit != ByService {
		e.EffectiveHosts = hosts
		switch alone := r.on.k == r.on.hosts && r.against.k == r.against.hosts; {
		case alone:
		case hosts < enoughHosts:
			return e.warn(TooFewHosts), nil
		default:
			quantile = studentQuantile(hosts-1, (1-Confidence)/2)
		}
	}
	factor := math.Exp(quantile * math.Sqrt((1-d.Fraction())*variance))
	return e.between(e.Value/factor, e.Value*factor), nil
}
