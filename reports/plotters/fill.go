package plotters

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Fill is how an area is filled: with a colour, and with parallel lines on it that tell it apart where colours do not.
type Fill struct {
	Color color.Color    // nil is none
	Hatch draw.LineStyle // of the lines; the zero style draws none
	Slope float64        // of the lines, 1 rises to the right; valid only with a Hatch, and not 0 then
	Space vg.Length      // between two lines, measured upright; valid only with a Hatch, and over 0 then
}

// Paint fills a rectangle. Where lines of neighbouring rectangles meet, they go on.
func (f Fill) Paint(c draw.Canvas, r vg.Rectangle) {
	if r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return
	}
	if f.Color != nil {
		c.SetColor(f.Color)
		c.Fill(r.Path())
	}
	if f.Hatch.Color == nil || f.Hatch.Width <= 0 {
		return
	}
	// The lines are y = slope*x + b, with b a multiple of the space: those that meet the rectangle are cut to it.
	slope := vg.Length(f.Slope)
	low := r.Min.Y - max(slope*r.Min.X, slope*r.Max.X)
	high := r.Max.Y - min(slope*r.Min.X, slope*r.Max.X)
	for i := math.Ceil(float64(low / f.Space)); i <= math.Floor(float64(high/f.Space)); i++ {
		b := vg.Length(i) * f.Space
		left, right := (r.Min.Y-b)/slope, (r.Max.Y-b)/slope
		left, right = max(min(left, right), r.Min.X), min(max(left, right), r.Max.X)
		if left < right {
			c.StrokeLine2(f.Hatch, left, slope*left+b, right, slope*right+b)
		}
	}
}

// Thumbnail implements plot.Thumbnailer: a swatch with a thin outline.
func (f Fill) Thumbnail(c *draw.Canvas) {
	f.Paint(*c, c.Rectangle)
	outline(*c, c.Rectangle, thin)
}

// thin is the outline of what would not be seen on white without one.
var thin = draw.LineStyle{Color: color.Black, Width: 0.3}

func outline(c draw.Canvas, r vg.Rectangle, style draw.LineStyle) {
	if style.Color == nil || style.Width <= 0 {
		return
	}
	c.SetLineStyle(style)
	c.Stroke(r.Path())
}

var _ plot.Thumbnailer = Fill{}
