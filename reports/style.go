package reports

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/reports/plotters"
)

// The colours of Okabe and Ito, which the colour-blind can tell apart (Color Universal Design, 2008).
var (
	black         = color.NRGBA{0x00, 0x00, 0x00, 0xff}
	orange        = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	skyBlue       = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	bluishGreen   = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	yellow        = color.NRGBA{0xf0, 0xe4, 0x42, 0xff}
	blue          = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	vermilion     = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
	reddishPurple = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}

	gray      = color.NRGBA{0x66, 0x66, 0x66, 0xff}
	lightGray = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}
)

// Sizes of type and widths of lines, in points.
const (
	labelSize = vg.Length(7.5)
	tickSize  = vg.Length(7)
	noteSize  = vg.Length(5.5)
	axisLine  = vg.Length(0.5)
	curveLine = vg.Length(1)
)

// sans is the style of all texts. There is neither bold nor italic type, nor any but ASCII, for vgpdf cannot do either.
func sans(size vg.Length) text.Style {
	return text.Style{Color: black, Font: sansFont(size), Handler: plot.DefaultTextHandler}
}

func sansFont(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// newPlot gives a plot in the style of all, with faint lines at the ticks of the y axis.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sansFont(labelSize)
		axis.Label.Padding = 2
		axis.Tick.Label.Font = sansFont(tickSize)
		axis.Tick.Length = 2.5
		axis.Padding = 0
	}
	p.Y.Tick.Label.YAlign = -0.6 // gonum sets the labels higher than the ticks by the depth of letters that go below
	p.Add(&plotter.Grid{Horizontal: draw.LineStyle{Color: lightGray, Width: 0.35}})
	return p
}

// upright turns the tick labels of the x axis, so that long ones stand side by side, and makes the ticks too thin to be
// seen. Their length remains, for gonum sets the labels higher by the depth of letters that go below.
func upright(p *plot.Plot) {
	p.X.Tick.Length, p.X.Tick.Width, p.X.Tick.Color = 3, 0.01, color.White
	p.X.Tick.Label.Rotation = math.Pi / 2
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YCenter
}

// hatched is a colour with thin lines on it, rising for slope 1 and falling for -1.
func hatched(c color.Color, slope float64) plotters.Fill {
	return plotters.Fill{Color: c, Hatch: draw.LineStyle{Color: black, Width: 0.3}, Slope: slope, Space: 2.4}
}

// entry is one line of a legend.
type entry struct {
	name   string
	thumbs []plot.Thumbnailer // drawn over each other
}

// addLegend draws a legend in columns along the top of a canvas, by rows, and returns what is left below.
func addLegend(c draw.Canvas, columns int, entries []entry) draw.Canvas {
	const line, gap = vg.Length(9.5), vg.Length(4)
	rows := (len(entries) + columns - 1) / columns
	width := (c.Max.X - c.Min.X) / vg.Length(columns)
	for i, e := range entries {
		l := plot.NewLegend()
		l.TextStyle.Font = sansFont(tickSize)
		l.Top, l.Left, l.ThumbnailWidth = true, true, 14
		l.Add(e.name, e.thumbs...)
		left, top := c.Min.X+width*vg.Length(i%columns), c.Max.Y-line*vg.Length(i/columns)
		l.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: left, Y: top - line}, Max: vg.Point{X: left + width, Y: top}}})
	}
	return draw.Crop(c, 0, 0, 0, -line*vg.Length(rows)-gap)
}

// drawUnder draws a plot with a label under its x axis. gonum's own label is in the middle of a logarithmic axis, but the
// room that gonum leaves for it is not.
func drawUnder(c draw.Canvas, p *plot.Plot, label string) {
	style := p.X.Label.TextStyle
	plotted := draw.Crop(c, 0, 0, style.Height(label)+p.X.Label.Padding, 0)
	p.Draw(plotted)
	data := p.DataCanvas(plotted)
	c.FillText(style, vg.Point{X: data.Center().X, Y: c.Min.Y + style.FontExtents().Descent}, label)
}

// stack draws plots above each other, their data between the same x, and each as high as its part of the heights says.
func stack(c draw.Canvas, plots []*plot.Plot, heights []float64) {
	const gap = vg.Length(5)
	whole := 0.0
	// What is below the data (labels of ticks and of the axis) comes on top of the heights.
	room := c.Max.Y - c.Min.Y - gap*vg.Length(len(plots)-1)
	below := make([]vg.Length, len(plots))
	left, right := vg.Length(0), vg.Length(0)
	for i, p := range plots {
		data := p.DataCanvas(c)
		below[i] = data.Min.Y - c.Min.Y
		left, right = max(left, data.Min.X-c.Min.X), max(right, c.Max.X-data.Max.X)
		room -= below[i]
		whole += heights[i]
	}
	top := c.Max.Y
	for i, p := range plots {
		height := below[i] + room*vg.Length(heights[i]/whole)
		part := c
		part.Max.Y, part.Min.Y = top, top-height
		data := p.DataCanvas(part)
		p.Draw(draw.Crop(part, left-(data.Min.X-c.Min.X), c.Max.X-data.Max.X-right, 0, 0))
		top -= height + gap
	}
}

// beside cuts a canvas into n of the same width, side by side.
func beside(c draw.Canvas, n int) []draw.Canvas {
	const gap = vg.Length(10)
	width := (c.Max.X - c.Min.X - gap*vg.Length(n-1)) / vg.Length(n)
	parts := make([]draw.Canvas, n)
	for i := range parts {
		parts[i] = c
		parts[i].Min.X = c.Min.X + (width+gap)*vg.Length(i)
		parts[i].Max.X = parts[i].Min.X + width
	}
	return parts
}

// plural writes a count of something.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return plotters.Thousands(n) + " " + noun
}
