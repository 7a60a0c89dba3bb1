package plotters

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// StackedBars draws upright bars, each of layers on top of each other.
type StackedBars struct {
	X          []float64      // the middle of each bar, in units of the x axis
	Width      float64        // of the bars, in units of the x axis
	Layers     []Layer        // from the bottom
	Outline    draw.LineStyle // of a whole bar
	Horizontal bool           // whether the bars lie instead: the axes change places, and layers go from the left
}

// Layer is one part of every bar. Its Fill is a thumbnail for the legend.
type Layer struct {
	Fill
	Heights []float64 // of each bar, in units of the y axis, not negative
}

// NewStackedBars returns bars that take up four fifths of the room between those that stand 1 apart. It is an error if
// the layers have not one height for each bar.
func NewStackedBars(x []float64, layers ...Layer) (*StackedBars, error) {
	for i, l := range layers {
		if len(l.Heights) != len(x) {
			return nil, fmt.Errorf("plotters: layer %d has %d heights for %d bars", i, len(l.Heights), len(x))
		}
	}
	return &StackedBars{X: x, Width: 0.8, Layers: layers, Outline: thin}, nil
}

// Plot implements plot.Plotter.
func (b *StackedBars) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	at := func(x, low, high float64) vg.Rectangle {
		if b.Horizontal {
			return rectangle(toX(low), toY(x-b.Width/2), toX(high), toY(x+b.Width/2))
		}
		return rectangle(toX(x-b.Width/2), toY(low), toX(x+b.Width/2), toY(high))
	}
	for i, x := range b.X {
		top := 0.0
		for _, l := range b.Layers {
			l.Paint(c, at(x, top, top+l.Heights[i]))
			top += l.Heights[i]
		}
		if top > 0 {
			outline(c, at(x, 0, top), b.Outline)
		}
	}
}

// DataRange implements plot.DataRanger. It begins at 0, and goes from one edge of a bar to the other of another.
func (b *StackedBars) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax = span(b.X)
	for i := range b.X {
		top := 0.0
		for _, l := range b.Layers {
			top += l.Heights[i]
		}
		ymax = max(ymax, top)
	}
	xmin, xmax = xmin-b.Width/2, xmax+b.Width/2
	if b.Horizontal {
		return 0, ymax, xmin, xmax
	}
	return xmin, xmax, 0, ymax
}

var (
	_ plot.Plotter    = (*StackedBars)(nil)
	_ plot.DataRanger = (*StackedBars)(nil)
)
