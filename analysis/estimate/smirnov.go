package estimate

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// exactPaths is how many points of the lattice an exact P may take: some milliseconds.
const exactPaths = 1_000_000

// Smirnov tests whether two samples are of the same distribution: the two-sample test of Kolmogorov and Smirnov, two-sided. The
// statistic is the largest distance of their distribution functions.
//
// P is exact, given which values are equal, if the product of the sizes is at most a million: the share of the paths through a
// lattice that leave the band (Hodges 1957, Arkiv för Matematik 3; ties as in Schröer and Trenkler 1995, Computational Statistics
// and Data Analysis 20). Otherwise it is that of the limit for large samples (Smirnov 1948, Annals of Mathematical Statistics 19),
// which equal values make too large.
func Smirnov(x, y []float64) (Test, error) {
	t := Test{N: len(x) + len(y), Method: "Smirnov, exact"}
	if err := finite("Smirnov", x, y); err != nil {
		return t, err
	}
	if len(x) == 0 || len(y) == 0 {
		return t, fmt.Errorf("estimate: Smirnov's test needs two samples, of %d and %d values", len(x), len(y))
	}
	x, y = slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))
	t.Statistic = stat.KolmogorovSmirnov(x, nil, y, nil)
	n, m := float64(len(x)), float64(len(y))
	if n*m > exactPaths {
		t.Method = "Smirnov, limit"
		t.P = kolmogorov(math.Sqrt(n*m/(n+m)) * t.Statistic)
		return t, nil
	}
	t.P = paths(len(x), len(y), int(math.Round(t.Statistic*n*m)), ends(x, y))
	return t, nil
}

// ends tells, for each number of values of both samples from the smallest on, whether the next one is larger than the last.
func ends(x, y []float64) []bool {
	both := slices.Sorted(slices.Values(slices.Concat(x, y)))
	list := make([]bool, len(both)+1)
	for i := range list {
		list[i] = i > 0 && (i == len(both) || both[i] > both[i-1])
	}
	return list
}

// paths is the share of the paths from (0, 0) to (n, m), in steps to the right or up, that are at some point (i, j) at least far
// from the diagonal: |i m - j n| >= far. Only points count where a distribution function can be read.
func paths(n, m, far int, end []bool) float64 {
	p := make([]float64, m+1) // for each j, the share of the paths to (i, j) that have been far
	for i := range n + 1 {
		for j := range m + 1 {
			switch {
			case end[i+j] && max(i*m-j*n, j*n-i*m) >= far:
				p[j] = 1
			case i == 0 && j == 0:
				p[j] = 0
			case i == 0:
				p[j] = p[j-1]
			case j > 0:
				p[j] = (float64(i)*p[j] + float64(j)*p[j-1]) / float64(i+j)
			}
		}
	}
	return p[m]
}

// kolmogorov is the probability that the largest distance, times the root of the effective size, is at least this in the limit.
func kolmogorov(distance float64) float64 {
	sum := 0.0
	if distance < 1 { // the theta function's other form converges where this one does not
		for k := 1.0; k <= 9; k += 2 {
			sum += math.Exp(-k * k * math.Pi * math.Pi / (8 * distance * distance))
		}
		return 1 - sum*math.Sqrt(2*math.Pi)/max(distance, math.SmallestNonzeroFloat64)
	}
	for k := 9.0; k >= 1; k-- {
		sum = math.Exp(-2*k*k*distance*distance) - sum
	}
	return 2 * sum
}
