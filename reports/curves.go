package reports

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/reports/plotters"
)

// curves are the styles of the lines, told apart by colour, dashes and markers.
var curves = []struct {
	line  draw.LineStyle
	glyph draw.GlyphDrawer
}{
	{draw.LineStyle{Width: curveLine, Color: blue}, draw.CircleGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: vermilion}, draw.SquareGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: bluishGreen}, draw.TriangleGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: black}, draw.CrossGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: orange}, draw.RingGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: skyBlue, Dashes: dashed}, draw.BoxGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: reddishPurple, Dashes: dashed}, draw.PyramidGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: gray, Dashes: dashed}, draw.PlusGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: blue, Dashes: dotted}, draw.RingGlyph{}},
	{draw.LineStyle{Width: curveLine, Color: vermilion, Dashes: dotted}, draw.BoxGlyph{}},
}

var (
	dashed = []vg.Length{4, 1.5}
	dotted = []vg.Length{1, 1}
)

// newCurve gives a line in style i of curves, and its markers.
func newCurve(i int, points, marks plotter.XYs) (*plotter.Line, *plotter.Scatter, error) {
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, nil, err
	}
	markers, err := plotter.NewScatter(marks)
	if err != nil {
		return nil, nil, err
	}
	line.LineStyle = curves[i].line
	markers.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: 1.9, Shape: curves[i].glyph}
	return line, markers, nil
}

// labelled is a line of a plot with the name that stands at its end.
type labelled struct {
	name   string
	points plotter.XYs
}

// addLines draws lines in the styles of curves, and labels at their ends. A line without points is left out.
func addLines(p *plot.Plot, lines []labelled) error {
	var ends plotter.XYs
	var names []string
	var styles []draw.LineStyle
	for i, l := range lines {
		if len(l.points) == 0 {
			continue
		}
		line, markers, err := newCurve(i, l.points, l.points)
		if err != nil {
			return err
		}
		p.Add(line, markers)
		ends, names, styles = append(ends, l.points[len(l.points)-1]), append(names, l.name), append(styles, line.LineStyle)
	}
	if len(ends) > 0 {
		p.Add(plotters.NewEndLabels(ends, names, sans(tickSize), styles))
	}
	return nil
}
