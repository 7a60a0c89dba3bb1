package estimate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Test is what came of a test of a hypothesis.
type Test struct {
	Statistic float64
	P         float64 // the probability of a statistic at least as extreme if the hypothesis holds
	N         int     // observations, of both samples together
	Method    string  // names the authors, and the way to P
}

func (t Test) String() string {
	return fmt.Sprintf("%s: statistic %.4g, p = %.3g, n = %d", t.Method, t.Statistic, t.P, t.N)
}

// Grubbs tests whether the largest of at least three values is too large to be of the same normal distribution as the others
// (Grubbs 1950, Annals of Mathematical Statistics 21; one-sided). The statistic is how many standard deviations it is above the
// mean. P is Bonferroni's bound, which is exact up to 0.5 for the sizes of his tables.
func Grubbs(values []float64) (Test, error) {
	n := float64(len(values))
	t := Test{N: len(values), Method: "Grubbs, one-sided"}
	if err := finite("Grubbs", values); err != nil {
		return t, err
	}
	if len(values) < 3 {
		return t, fmt.Errorf("estimate: Grubbs's test needs three values, has %d", len(values))
	}
	if slices.Min(values) == slices.Max(values) {
		return t, fmt.Errorf("estimate: Grubbs's test needs values that differ")
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	t.Statistic = (slices.Max(values) - mean) / deviation
	g := t.Statistic * t.Statistic
	// The square can be above what is possible, (n-1)^2 / n, by rounding only: then all values but one are the same.
	t.P = min(1, n*studentSurvival(n-2, math.Sqrt(n*(n-2)*g/max(0, (n-1)*(n-1)-n*g))))
	return t, nil
}

// Outliers are the indexes of the values that Grubbs's test takes out one after the other, the largest of those left each time,
// until it finds none at the level alpha; so the paper tells popular ports from others, at 0.001. Fewer than three values, or
// values that do not differ, have none.
func Outliers(values []float64, alpha float64) ([]int, error) {
	if err := finite("Grubbs", values); err != nil {
		return nil, err
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	left := slices.Sorted(slices.Values(values))
	var out []int
	for len(left) >= 3 && left[0] < left[len(left)-1] {
		t, err := Grubbs(left)
		if err != nil {
			return nil, err
		}
		if t.P >= alpha {
			break
		}
		left = left[:len(left)-1]
		out = append(out, order[len(left)])
	}
	return out, nil
}

// Spearman tests whether two values of the same things go together in rank. The statistic is the correlation of the ranks, values
// that are equal having the mean of theirs (Spearman 1904, American Journal of Psychology 15). P is two-sided, from Student's t
// with n-2 degrees of freedom, as in SciPy: too rough for fewer than ten pairs.
func Spearman(x, y []float64) (Test, error) {
	n := float64(len(x))
	t := Test{N: len(x), Method: "Spearman, Student's t"}
	if err := finite("Spearman", x, y); err != nil {
		return t, err
	}
	if len(x) != len(y) || len(x) < 3 {
		return t, fmt.Errorf("estimate: Spearman's correlation needs three pairs, has %d and %d values", len(x), len(y))
	}
	t.Statistic = min(1, max(-1, stat.Correlation(ranks(x), ranks(y), nil)))
	if math.IsNaN(t.Statistic) {
		return t, fmt.Errorf("estimate: Spearman's correlation needs values that differ")
	}
	r := t.Statistic
	t.P = min(1, 2*studentSurvival(n-2, math.Abs(r)*math.Sqrt((n-2)/((1+r)*(1-r)))))
	return t, nil
}

// ranks are the ranks of values from 1 on, equal ones having the mean of theirs.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	ranks := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+1+to) / 2
		}
		from = to
	}
	return ranks
}

// Pairs counts things by what two methods make of each: hosts that two scanners find, services that two handshakes identify.
type Pairs struct {
	Both, First, Second, Neither uint64
}

// McNemar tests whether one of the methods finds more than the other, exactly (McNemar 1947, Psychometrika 12): those that only
// one finds are tosses of a fair coin if not. The statistic is how many only the method finds that finds fewer alone. P is
// two-sided.
func (p Pairs) McNemar() Test {
	t := Test{Statistic: float64(min(p.First, p.Second)), P: 1, N: int(p.total()), Method: "McNemar, exact"}
	if p.First != p.Second {
		t.P = min(1, 2*distuv.Binomial{N: float64(p.First + p.Second), P: 0.5}.CDF(t.Statistic))
	}
	return t
}

// Equivalence tests whether the shares that the two methods find differ by less than a margin, above 0 and below 1: the
// hypothesis is that they differ by that or more, and a small P speaks for equivalence. It makes two one-sided tests (TOST;
// Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15) of the score (Nam 1997, Biometrics 53; Tango 1998,
// Statistics in Medicine 17), which does not take few pairs without a difference for a proof. The statistic is the smaller of the
// two, P the larger.
func (p Pairs) Equivalence(margin float64) (Test, error) {
	t := Test{N: int(p.total()), Method: fmt.Sprintf("TOST, score, margin %g", margin)}
	if !(margin > 0 && margin < 1) {
		return t, fmt.Errorf("estimate: a margin of equivalence is above 0 and below 1: %v", margin)
	}
	if t.N == 0 {
		return t, fmt.Errorf("estimate: no pairs to test for equivalence")
	}
	n, first, second := float64(t.N), float64(p.First), float64(p.Second)
	t.Statistic = min(tango(n, first, second, margin), tango(n, second, first, margin))
	t.P = distuv.UnitNormal.Survival(t.Statistic)
	return t, nil
}

func (p Pairs) total() uint64 { return p.Both + p.First + p.Second + p.Neither }

// tango is the score of the hypothesis that the first share is below the second by the margin, of n pairs of which so many are
// found by one alone: Tango's equations (2) and (4), with the share that only the second finds at its most likely under the
// hypothesis.
func tango(n, first, second, margin float64) float64 {
	b := -(first + second) - (2*n-first+second)*margin
	c := second * margin * (1 + margin)
	likely := (math.Sqrt(b*b-8*n*c) - b) / (4 * n)
	return (first - second + n*margin) / math.Sqrt(n*(2*likely-margin*(1+margin)))
}

// finite says which of the values is not a number, or infinite.
func finite(test string, samples ...[]float64) error {
	for _, values := range samples {
		for i, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("estimate: %s: value %d is %v", test, i+1, x)
			}
		}
	}
	return nil
}

// Fisher tests whether things of two independent samples are of a kind as often, exactly (Fisher 1935, Journal of the Royal
// Statistical Society 98): hits of n in each. Where chance assigned things to the two, as an experiment does with its arms, the test
// holds whatever the things have to do with each other, if what is done to them does nothing. The statistic is the odds ratio, NaN if
// that is 0/0. P is two-sided: the probability of all tables with these totals that are as unlikely as this one, or more.
func Fisher(hits1, n1, hits2, n2 uint64) (Test, error) {
	t := Test{N: int(n1 + n2), P: 1, Method: "Fisher, exact"}
	if hits1 > n1 || hits2 > n2 {
		return t, fmt.Errorf("estimate: %d hits of %d and %d of %d", hits1, n1, hits2, n2)
	}
	t.Statistic = float64(hits1) * float64(n2-hits2) / (float64(n1-hits1) * float64(hits2))
	hits := hits1 + hits2
	first, last := uint64(0), min(hits, n1)
	if hits > n2 {
		first = hits - n2
	}
	probability := func(x uint64) float64 {
		return math.Exp(logBinomial(n1, x) + logBinomial(n2, hits-x) - logBinomial(n1+n2, hits))
	}
	const rounding = 1 + 1e-7 // as R has it: tables that are equally unlikely
	here, sum := probability(hits1)*rounding, 0.0
	for x := first; x <= last; x++ {
		if p := probability(x); p <= here {
			sum += p
		}
	}
	t.P = min(1, sum)
	return t, nil
}

// logBinomial is the logarithm of n over k.
func logBinomial(n, k uint64) float64 {
	lgamma := func(x uint64) float64 {
		v, _ := math.Lgamma(float64(x) + 1)
		return v
	}
	return lgamma(n) - lgamma(k) - lgamma(n-k)
}

// Quotient estimates how many times as large one share is as another, of other things, such as the arms of an experiment: its interval
// is made from theirs (the method of variance estimates recovery; Donner and Zou 2012, Statistical Methods in Medical Research 21).
// There is none if one of them has none; Hi is +Inf if the other share may be 0. Where hosts have things in both, Ratio is right.
func Quotient(share, of Estimate) Estimate {
	e := Estimate{
		Value: share.Value / of.Value, Design: share.Design, N: share.N + of.N, Hosts: share.Hosts + of.Hosts,
		EffectiveHosts: min(share.EffectiveHosts, of.EffectiveHosts), Method: "MOVER of " + share.Method,
	}
	for _, w := range append(slices.Clip(share.Warnings), of.Warnings...) {
		if !slices.Contains(e.Warnings, w) {
			e = e.warn(w)
		}
	}
	if !share.HasInterval() || !of.HasInterval() || math.IsNaN(e.Value) {
		return e
	}
	x, l1, u1 := share.Value, share.Lo, share.Hi
	y, l2, u2 := of.Value, of.Lo, of.Hi
	root := func(a, b float64) float64 { return math.Sqrt(max(0, x*x*y*y-a*b)) }
	lo, hi := 0.0, math.Inf(1)
	if x > 0 { // the published form, times its conjugate, which has no 0/0 where u2 is 2y
		lo = l1 * (2*x - l1) / (x*y + root(l1*(2*x-l1), u2*(2*y-u2)))
	}
	if l2 > 0 {
		hi = (x*y + root(u1*(2*x-u1), l2*(2*y-l2))) / (l2 * (2*y - l2))
	}
	return e.between(lo, hi)
}
