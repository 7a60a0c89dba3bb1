// Package plotters has the plotters and tickers that gonum.org/v1/plot lacks and the figures of a paper need: stacked
// bars with hatching, a matrix of shares with its numbers, labels at the ends of lines, a ruled table, and ticks for
// counts, decades and percents.
//
// They work as those of gonum.org/v1/plot/plotter do: one makes a value, sets its styles, and adds it to a plot.Plot,
// whose axes, grids and legends go with it. Each has an example, and a picture of that in testdata.
package plotters

import (
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// middle sets figures and small letters so that they are in the middle of a line, upright: half of a text's height
// includes the room for letters that go below.
const middle = text.YAlignment(-0.4)

// rectangle is that between two corners, wherever they are.
func rectangle(x0, y0, x1, y1 vg.Length) vg.Rectangle {
	return vg.Rectangle{
		Min: vg.Point{X: min(x0, x1), Y: min(y0, y1)},
		Max: vg.Point{X: max(x0, x1), Y: max(y0, y1)},
	}
}

// span is the smallest and the largest of some values, both infinite if there are none.
func span(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}
