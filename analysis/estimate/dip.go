package estimate

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// DipTest tests whether values are of a distribution with one mode (Hartigan and Hartigan 1985, Annals of Statistics 13). The
// statistic is the dip: how far their distribution function is, at the farthest, from the closest that has one mode. P is the
// share of so many samples of as many values from the uniform distribution, whose dip is the largest in expectation, that have as
// large a dip; the values themselves count as one more.
func DipTest(values []float64, samples int, random *rand.Rand) (Test, error) {
	t := Test{N: len(values), Method: fmt.Sprintf("dip, %d uniform samples", samples)}
	if err := finite("dip", values); err != nil {
		return t, err
	}
	if len(values) == 0 || samples < 1 {
		return t, fmt.Errorf("estimate: the dip test needs values and samples, has %d and %d", len(values), samples)
	}
	t.Statistic = dip(slices.Sorted(slices.Values(values)))
	larger := 1
	uniform := make([]float64, len(values))
	for range samples {
		for i := range uniform {
			uniform[i] = random.Float64()
		}
		slices.Sort(uniform)
		if dip(uniform) >= t.Statistic {
			larger++
		}
	}
	t.P = float64(larger) / float64(samples+1)
	return t, nil
}

// dip is the dip of sorted values.
//
// A distribution function with one mode is convex up to that, and concave from there. So the distribution function of the values
// is compared with its greatest convex minorant and its least concave majorant. Where these are furthest apart is the interval that
// holds the mode of the closest such function; within it the same is done again, until what they are apart there is no more than
// what the function differs from them outside (section 4 of the article; algorithm AS 217, Applied Statistics 34, 1985).
func dip(sorted []float64) float64 {
	var f steps
	for i, x := range sorted {
		if i == 0 || x > sorted[i-1] {
			f.x, f.below, f.upTo = append(f.x, x), append(f.below, float64(i)), append(f.upTo, 0)
		}
		f.upTo[len(f.upTo)-1] = float64(i + 1)
	}
	minorant, majorant := make([]float64, len(f.x)), make([]float64, len(f.x))
	largest := 1.0 // twice the dip, times n; a step alone is as much
	first, last := 0, len(f.x)-1
	for {
		lower := f.hull(minorant, f.below, first, last, 1)
		upper := f.hull(majorant, f.upTo, first, last, -1)
		apart, left, right := 0.0, first, last
		for i, j := 0, 0; i < len(lower); i++ { // at the vertices of the minorant
			for upper[j] < lower[i] {
				j++
			}
			if d := majorant[lower[i]] - f.below[lower[i]]; d > apart {
				apart, left, right = d, lower[i], upper[j]
			}
		}
		for i, j := 0, 0; j < len(upper); j++ { // at those of the majorant
			for i+1 < len(lower) && lower[i+1] <= upper[j] {
				i++
			}
			if d := f.upTo[upper[j]] - minorant[upper[j]]; d > apart {
				apart, left, right = d, lower[i], upper[j]
			}
		}
		if apart <= largest {
			break
		}
		for i := first; i < left; i++ { // the step at left may be the mode
			largest = max(largest, f.upTo[i]-minorant[i])
		}
		for i := right + 1; i <= last; i++ {
			largest = max(largest, majorant[i]-f.below[i])
		}
		if left == first && right == last {
			break
		}
		first, last = left, right
	}
	return largest / float64(2*len(sorted))
}

// steps are the steps of a distribution function, times n: at each value, how many are below and how many up to it.
type steps struct{ x, below, upTo []float64 }

// hull fills in the greatest convex minorant (sign 1) or the least concave majorant (sign -1) of the points (x, y) from first to
// last, and gives the indexes of its vertices.
func (f *steps) hull(curve, y []float64, first, last int, sign float64) []int {
	var vertices []int
	for i := first; i <= last; i++ {
		for len(vertices) >= 2 {
			a, b := vertices[len(vertices)-2], vertices[len(vertices)-1]
			if sign*((y[b]-y[a])*(f.x[i]-f.x[b])-(y[i]-y[b])*(f.x[b]-f.x[a])) < 0 {
				break
			}
			vertices = vertices[:len(vertices)-1]
		}
		vertices = append(vertices, i)
	}
	for k := range vertices[1:] {
		a, b := vertices[k], vertices[k+1]
		for i := a; i < b; i++ {
			curve[i] = y[a] + (y[b]-y[a])*(f.x[i]-f.x[a])/(f.x[b]-f.x[a])
		}
	}
	curve[last] = y[last]
	return vertices
}
