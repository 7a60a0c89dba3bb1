package estimate

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"gonum.org/v1/gonum/stat/distuv"
)

// Hosts sums up hosts of which some services are of a kind, or blocks where these were drawn (Unit.Cluster). The zero Hosts has
// seen none.
//
// It keeps the sums of the powers of x and k, x services of the kind among the k of a host, that the second and the fourth power
// of a host's residual K·x - X·k are made of, where X and K are the sums of x and k, known only at the end. The sums are
// integers that cannot overflow, so that the residuals are exact and merging is.
type Hosts struct {
	hosts      uint64
	x, k       uint64
	xx, xk, kk sum
	xxx        sum
	quartic    [5]sum // of x^4, x^3 k, x^2 k^2, x k^3, k^4
}

// Add takes a host into account: how many of its services are of the kind, of how many. A host without services is left out.
func (h *Hosts) Add(hits, services uint32) {
	x, k := uint64(min(hits, services)), uint64(services)
	if k == 0 {
		return
	}
	h.hosts++
	h.x += x
	h.k += k
	xx, xk, kk := x*x, x*k, k*k
	h.xx.add(xx, 1)
	h.xk.add(xk, 1)
	h.kk.add(kk, 1)
	h.xxx.add(xx, x)
	h.quartic[0].add(xx, xx)
	h.quartic[1].add(xx, xk)
	h.quartic[2].add(xx, kk)
	h.quartic[3].add(xk, kk)
	h.quartic[4].add(kk, kk)
}

// Alone gives hosts that have one service each, of which some are of the kind. The services of one port are such.
func Alone(hits, services uint64) Hosts {
	hits = min(hits, services)
	x, k := sum{hits}, sum{services}
	return Hosts{hosts: services, x: hits, k: services, xx: x, xk: x, kk: k, xxx: x, quartic: [5]sum{x, x, x, x, k}}
}

// Merge takes into account the hosts that another has seen, none of which this one has.
func (h *Hosts) Merge(other Hosts) {
	h.hosts += other.hosts
	h.x += other.x
	h.k += other.k
	h.xx.merge(other.xx)
	h.xk.merge(other.xk)
	h.kk.merge(other.kk)
	h.xxx.merge(other.xxx)
	for i := range h.quartic {
		h.quartic[i].merge(other.quartic[i])
	}
}

// Among gives all the hosts of a group, of which h has seen those that have services of the kind, and no others. So a kind that
// few hosts have costs no more than these: all has every host, each added without hits.
func (h Hosts) Among(all Hosts) Hosts {
	all.x, all.xx, all.xk, all.xxx = h.x, h.xx, h.xk, h.xxx
	copy(all.quartic[:4], h.quartic[:4])
	return all
}

// Services are how many services of the kind were seen, of how many.
func (h Hosts) Services() (hits, services uint64) { return h.x, h.k }

// Hosts are how many hosts were seen.
func (h Hosts) Hosts() uint64 { return h.hosts }

// Share estimates which share of the population's services is of the kind.
//
// Where services were drawn, the interval is Wilson's (1927, Journal of the American Statistical Association 22), with n divided
// by the share of the population that was not drawn. So it is where hosts were drawn and each has one service.
//
// Where hosts were drawn, the share is a ratio of totals, and its variance is linearised over hosts, with the finite-population
// correction (Cochran, Sampling Techniques, 3rd edition, 6.4). The interval is Korn and Graubard's (1998, Survey Methodology 24),
// Clopper and Pearson's for as many services as would vary as much; its t has the effective number of hosts, less one, as its
// degrees of freedom. With fewer than 50 there is no interval.
func (h Hosts) Share(d Design) (Estimate, error) {
	e := Estimate{Design: d, N: h.k, Hosts: h.hosts, Value: math.NaN(), Method: "Wilson"}
	byHost := d.Unit != ByService && h.k != h.hosts
	if byHost {
		e.Method = "Korn-Graubard"
	}
	if h.k > 0 {
		e.Value = float64(h.x) / float64(h.k)
	} else {
		e = e.warn(NoData)
	}
	if !d.random() {
		e.Method = ""
		return e.warn(NoSample), nil
	}
	if err := h.check(d); err != nil || h.k == 0 {
		return e, err
	}
	square, quartic := h.residuals()
	e.EffectiveHosts = effective(square, quartic)
	if !byHost {
		return e.between(wilson(e.Value, float64(h.k)/(1-d.Fraction()))), nil
	}
	if d.census() {
		return e.between(e.Value, e.Value), nil
	}
	if e.EffectiveHosts < enoughHosts {
		return e.warn(TooFewHosts), nil
	}
	return e.between(kornGraubard(e.Value, h.variance(square, d), float64(h.k), e.EffectiveHosts-1)), nil
}

// Total estimates how many services of the kind the population has: those that were seen, divided by the share of the
// population that was drawn (Horvitz and Thompson 1952, Journal of the American Statistical Association 47).
//
// Where services were drawn, the interval is that of their share among the targets. Where hosts were drawn, it is one of the
// logarithm of the total, with the variance over all hosts that were drawn, those without any such service included, and t as in
// Share.
func (h Hosts) Total(d Design) (Estimate, error) {
	e := Estimate{Design: d, N: h.x, Hosts: h.hosts, Method: "Horvitz-Thompson"}
	if !d.random() {
		e.Value, e.Method = float64(h.x), ""
		return e.warn(NoSample), nil
	}
	if err := h.check(d); err != nil {
		return e, err
	}
	n, x := float64(d.Drawn), float64(h.x)
	e.Value = x / d.Fraction()
	if d.Unit == ByService {
		lo, hi := wilson(x/n, n/(1-d.Fraction()))
		return e.between(lo*float64(d.Of), hi*float64(d.Of)), nil
	}
	e.Method += ", log scale"
	var lo, hi float64
	lo, hi, e.EffectiveHosts = h.logTotal(d)
	if e.EffectiveHosts < enoughHosts && !d.census() {
		return e.warn(TooFewHosts), nil
	}
	return e.between(lo, hi), nil
}

// logTotal is the interval of a total on the log scale, and the effective hosts that its t has.
func (h Hosts) logTotal(d Design) (lo, hi, hosts float64) {
	square, quartic := h.deviations(d.Drawn)
	n, x := float64(d.Drawn), float64(h.x)
	hosts = effective(square, quartic)
	deviation := math.Sqrt((1 - d.Fraction()) * n / (n - 1) * (float(square) / n / n)) // of x
	factor := math.Exp(studentQuantile(max(1, hosts-1), (1-Confidence)/2) * deviation / x)
	return x / d.Fraction() / factor, x / d.Fraction() * factor, hosts
}

// check says what is wrong with a design, or with it and these hosts.
func (h Hosts) check(d Design) error {
	if err := d.check(); err != nil {
		return err
	}
	if !d.random() {
		return nil
	}
	units := h.k
	if d.Unit != ByService {
		units = h.hosts
	}
	if d.random() && units > d.Drawn {
		return fmt.Errorf("estimate: %d were seen of a sample of %v", units, d)
	}
	return nil
}

// residuals are the sums of the squares and the fourth powers of K·x - X·k over the hosts.
func (h Hosts) residuals() (square, quartic *big.Int) {
	k, x := new(big.Int).SetUint64(h.k), new(big.Int).SetUint64(h.x)
	return expand(k, x, h.xx, h.xk, h.kk), expand(k, x, h.quartic[:]...)
}

// deviations are the sums of the squares and the fourth powers of n·x - X over n hosts, those without services included.
func (h Hosts) deviations(drawn uint64) (square, quartic *big.Int) {
	n, x := new(big.Int).SetUint64(drawn), new(big.Int).SetUint64(h.x)
	ones, first := sum{drawn}, sum{h.x}
	return expand(n, x, h.xx, first, ones), expand(n, x, h.quartic[0], h.xxx, h.xx, first, ones)
}

// expand is the sum of (a·x - b·k)^n over the hosts by the binomial theorem, of the sums of x^n, x^(n-1) k, ... k^n.
func expand(a, b *big.Int, sums ...sum) *big.Int {
	n := int64(len(sums) - 1)
	minus := new(big.Int).Neg(b)
	total := new(big.Int)
	for i, s := range sums {
		term := s.big()
		term.Mul(term, new(big.Int).Binomial(n, int64(i)))
		term.Mul(term, new(big.Int).Exp(a, big.NewInt(n-int64(i)), nil))
		term.Mul(term, new(big.Int).Exp(minus, big.NewInt(int64(i)), nil))
		total.Add(total, term)
	}
	return total
}

// variance is that of the ratio X/K, of the sum of the squared residuals.
func (h Hosts) variance(square *big.Int, d Design) float64 {
	n, k := float64(h.hosts), float64(h.k)
	return (1 - d.Fraction()) * n / (n - 1) * (float(square) / k / k / k / k)
}

// effective is the effective number of hosts, square^2 / quartic.
func effective(square, quartic *big.Int) float64 {
	if quartic.Sign() == 0 {
		return 0
	}
	ratio, _ := new(big.Rat).SetFrac(new(big.Int).Mul(square, square), quartic).Float64()
	return ratio
}

// wilson is the interval for a share p of n.
func wilson(p, n float64) (lo, hi float64) {
	if math.IsInf(n, 1) {
		return p, p
	}
	z := normalQuantile
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	lo, hi = max(0, centre-half), min(1, centre+half)
	if p == 0 {
		lo = 0 // but for rounding
	}
	if p == 1 {
		hi = 1
	}
	return lo, hi
}

// kornGraubard is the interval for a share p of n services, which is neither 0 nor 1, from its variance, which is not 0, and
// the degrees of freedom that this has.
func kornGraubard(p, variance, n, degrees float64) (lo, hi float64) {
	tail := (1 - Confidence) / 2
	ratio := studentQuantile(n-1, tail) / studentQuantile(degrees, tail)
	size := p * (1 - p) / variance * ratio * ratio
	lo = distuv.Beta{Alpha: size * p, Beta: size*(1-p) + 1}.Quantile(tail)
	hi = distuv.Beta{Alpha: size*p + 1, Beta: size * (1 - p)}.Quantile(1 - tail)
	return lo, hi
}

// sum is an integer of 192 bits, least significant word first: the sum of the fourth powers of 2^64 numbers of 32 bits.
type sum [3]uint64

// add adds the product a·b.
func (s *sum) add(a, b uint64) {
	hi, lo := bits.Mul64(a, b)
	s.merge(sum{lo, hi, 0})
}

func (s *sum) merge(other sum) {
	var carry uint64
	s[0], carry = bits.Add64(s[0], other[0], 0)
	s[1], carry = bits.Add64(s[1], other[1], carry)
	s[2], _ = bits.Add64(s[2], other[2], carry)
}

func (s sum) big() *big.Int {
	total := new(big.Int)
	for i := len(s) - 1; i >= 0; i-- {
		total.Lsh(total, 64)
		total.Add(total, new(big.Int).SetUint64(s[i]))
	}
	return total
}

func float(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}
