package reports

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/reports/plotters"
)

// curveStyles are the styles of the lines, told apart by colour, dashes and markers.
var curveStyles = []struct {
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

// newCurve gives a line in style i of curveStyles, and its markers.
func newCurve(i int, points, marks plotter.XYs) (*plotter.Line, *plotter.Scatter, error) {
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, nil, err
	}
	markers, err := plotter.NewScatter(marks)
	if err != nil {
		return nil, nil, err
	}
	line.LineStyle = curveStyles[i].line
	markers.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: 1.9, Shape: curveStyles[i].glyph}
	return line, markers, nil
}

// ruleLine is for what is no data: a bound, or where two things are equal.
var ruleLine = draw.LineStyle{Color: gray, Width: axisLine, Dashes: dashed}

// addLine draws a straight line.
func addLine(p *plot.Plot, style draw.LineStyle, from, to plotter.XY) error {
	line, err := plotter.NewLine(plotter.XYs{from, to})
	if err != nil {
		return err
	}
	line.LineStyle = style
	p.Add(line)
	return nil
}

// addBand fills what is between two edges with a colour made light, if there is any.
func addBand(p *plot.Plot, low, high plotter.XYs, c color.Color) error {
	if len(low) == 0 {
		return nil
	}
	around := slices.Clone(low)
	for _, at := range slices.Backward(high) {
		around = append(around, at)
	}
	band, err := plotter.NewPolygon(around)
	if err != nil {
		return err
	}
	band.Color, band.LineStyle = faint(c), draw.LineStyle{}
	p.Add(band)
	return nil
}

// faint is a colour that others show through.
func faint(c color.Color) color.Color {
	solid := color.NRGBAModel.Convert(c).(color.NRGBA)
	solid.A = 0x38
	return solid
}

// labelled is a line of a plot with the name that stands at its end.
type labelled struct {
	name   string
	points plotter.XYs
	few    bool // whether its points are of fewer services than fewServices: markers are hollow
}

// addLines draws lines in the styles of curveStyles, and labels at their ends. A line without points is left out.
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
		if l.few {
			markers.Shape = draw.RingGlyph{}
		}
		p.Add(line, markers)
		ends, names, styles = append(ends, l.points[len(l.points)-1]), append(names, l.name), append(styles, line.LineStyle)
	}
	if len(ends) > 0 {
		p.Add(plotters.NewEndLabels(ends, names, sans(tickSize), styles))
	}
	return nil
}
