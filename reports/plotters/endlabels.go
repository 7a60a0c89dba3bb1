package plotters

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// EndLabels writes a label to the right of each point, usually the end of a line: no legend is to be looked up. Where
// labels would cover each other they are moved up and down, no further than that takes, and not below or above the data.
type EndLabels struct {
	plotter.XYs
	Labels []string
	Styles []text.Style // of each label: the colour is the line's
	Gap    vg.Length    // between a point and its label
	Leader vg.Length    // width of the line from a point to a label that was moved
}

// NewEndLabels returns labels in one style, and in the colour of each line.
func NewEndLabels(ends plotter.XYs, labels []string, style text.Style, lines []draw.LineStyle) *EndLabels {
	l := &EndLabels{XYs: ends, Labels: labels, Gap: 3, Leader: 0.3}
	style.XAlign, style.YAlign = text.XLeft, middle
	for _, line := range lines {
		style.Color = line.Color
		l.Styles = append(l.Styles, style)
	}
	return l
}

// Plot implements plot.Plotter.
func (l *EndLabels) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	at := make([]vg.Length, len(l.Labels))
	heights := make([]vg.Length, len(l.Labels))
	for i := range l.Labels {
		at[i], heights[i] = toY(l.XYs[i].Y), l.Styles[i].FontExtents().Height
	}
	for i, y := range spreadWithin(at, heights, c.Min.Y, c.Max.Y) {
		x := toX(l.XYs[i].X)
		if moved := y - at[i]; moved > 1 || moved < -1 {
			c.StrokeLine2(draw.LineStyle{Color: l.Styles[i].Color, Width: l.Leader}, x+1, at[i], x+l.Gap-0.5, y)
		}
		c.FillText(l.Styles[i], vg.Point{X: x + l.Gap, Y: y}, l.Labels[i])
	}
}

// spreadWithin spreads places between two ends. It is spread if there is no room for that.
func spreadWithin(at, heights []vg.Length, low, high vg.Length) []vg.Length {
	moved := spread(at, heights)
	for range at { // moving some in may push others out at the other end, at most as often as there are places
		within := make([]vg.Length, len(at))
		for i, y := range moved {
			within[i] = min(max(y, low+heights[i]/2), high-heights[i]/2)
		}
		moved = spread(within, heights)
	}
	return moved
}

// spread moves places apart until no two are closer than their heights allow, each as little as it can: neighbours that
// touch become one block, in the middle of where they were.
func spread(at, heights []vg.Length) []vg.Length {
	type block struct {
		of             []int // from the bottom
		middle, height vg.Length
	}
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	var blocks []block
	for _, i := range order {
		blocks = append(blocks, block{[]int{i}, at[i], heights[i]})
		for n := len(blocks); n > 1; n = len(blocks) {
			low, high := blocks[n-2], blocks[n-1]
			if high.middle-low.middle >= (low.height+high.height)/2 {
				break
			}
			count := vg.Length(len(low.of) + len(high.of))
			middle := (low.middle*vg.Length(len(low.of)) + high.middle*vg.Length(len(high.of))) / count
			blocks = append(blocks[:n-2], block{append(low.of, high.of...), middle, low.height + high.height})
		}
	}
	moved := make([]vg.Length, len(at))
	for _, b := range blocks {
		y := b.middle - b.height/2
		for _, i := range b.of {
			moved[i] = y + heights[i]/2
			y += heights[i]
		}
	}
	return moved
}

// GlyphBoxes implements plot.GlyphBoxer: the plot leaves room for the labels at its right.
func (l *EndLabels) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	boxes := make([]plot.GlyphBox, len(l.Labels))
	for i, label := range l.Labels {
		boxes[i] = plot.GlyphBox{
			X: p.X.Norm(l.XYs[i].X), Y: p.Y.Norm(l.XYs[i].Y),
			Rectangle: l.Styles[i].Rectangle(label).Add(vg.Point{X: l.Gap}),
		}
	}
	return boxes
}

var (
	_ plot.Plotter    = (*EndLabels)(nil)
	_ plot.DataRanger = (*EndLabels)(nil)
	_ plot.GlyphBoxer = (*EndLabels)(nil)
)

// DataRange implements plot.DataRanger.
func (l *EndLabels) DataRange() (xmin, xmax, ymin, ymax float64) { return plotter.XYRange(l.XYs) }
