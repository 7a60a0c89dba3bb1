package reports

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of Okabe and Ito, which the colour-blind can tell apart (Color Universal Design,
// 2008).
var (
	black         = color.NRGBA{0x00, 0x00, 0x00, 0xff}
	orange        = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	skyBlue       = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	bluishGreen   = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	yellow        = color.NRGBA{0xf0, 0xe4, 0x42, 0xff}
	blue          = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	vermilion     = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
	reddishPurple = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}

	white     = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	gray      = color.NRGBA{0x66, 0x66, 0x66, 0xff}
	lightGray = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}
)

// Widths of lines and sizes of type, in points.
const (
	axisLine  = vg.Length(0.5)
	tickSize  = 6.5
	labelSize = 7.5
)

// sheet is a canvas with what figures are made of. Lengths are in points.
type sheet struct{ draw.Canvas }

// label says how a text is set: to the right of a point and above it, unless told otherwise. There
// is neither bold nor italic type, nor any but ASCII, for vgpdf cannot do either.
type label struct {
	size  float64
	color color.Color // nil is black
	x     text.XAlignment
	y     text.YAlignment
	turn  float64 // radians, counterclockwise
}

func (l label) style() text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(l.size)}
	if l.color == nil {
		l.color = black
	}
	return text.Style{Color: l.color, Font: f, XAlign: l.x, YAlign: l.y, Rotation: l.turn, Handler: plot.DefaultTextHandler}
}

func (s sheet) text(l label, x, y vg.Length, txt string) {
	s.FillText(l.style(), vg.Point{X: x, Y: y}, txt)
}

func (l label) width(txt string) vg.Length { return l.style().Width(txt) }

// line draws a straight line.
func (s sheet) line(c color.Color, width, x0, y0, x1, y1 vg.Length) {
	s.StrokeLine2(draw.LineStyle{Color: c, Width: width}, x0, y0, x1, y1)
}

func (s sheet) fill(r vg.Rectangle, c color.Color) {
	s.SetColor(c)
	s.Fill(r.Path())
}

// hatching is a pattern of parallel lines that keeps areas apart without their colours.
type hatching struct {
	slope   float64 // 1 rises, -1 falls, 0 is none
	spacing vg.Length
}

// area is how a rectangle is filled.
type area struct {
	color color.Color
	hatch hatching
}

func (s sheet) area(r vg.Rectangle, a area) {
	if r.Max.Y <= r.Min.Y {
		return
	}
	s.fill(r, a.color)
	if a.hatch.slope == 0 {
		return
	}
	// The lines y = slope*x + b that meet the rectangle, b a multiple of the spacing.
	up, down := r.Max.Y, r.Min.Y
	slope := vg.Length(a.hatch.slope)
	low, high := down-max(slope*r.Min.X, slope*r.Max.X), up-min(slope*r.Min.X, slope*r.Max.X)
	for i := math.Ceil(float64(low / a.hatch.spacing)); i <= math.Floor(float64(high/a.hatch.spacing)); i++ {
		b := vg.Length(i) * a.hatch.spacing
		x0, x1 := (down-b)/slope, (up-b)/slope
		x0, x1 = max(min(x0, x1), r.Min.X), min(max(x0, x1), r.Max.X)
		if x0 < x1 {
			s.line(black, 0.3, x0, slope*x0+b, x1, slope*x1+b)
		}
	}
}

// frame outlines a rectangle.
func (s sheet) frame(r vg.Rectangle, c color.Color, width vg.Length) {
	s.SetColor(c)
	s.SetLineWidth(width)
	s.SetLineDash(nil, 0)
	s.Stroke(r.Path())
}

func rectangle(x0, y0, x1, y1 vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}
}

// axis maps values to places on the sheet.
type axis struct {
	min, max float64
	log      bool
	from, to vg.Length
}

func (a axis) at(v float64) vg.Length {
	f := func(v float64) float64 { return v }
	if a.log {
		f = math.Log10
	}
	return a.from + (a.to-a.from)*vg.Length((f(v)-f(a.min))/(f(a.max)-f(a.min)))
}

// tick is a mark on an axis; minor ones have no label.
type tick struct {
	value float64
	label string
}

// ticks gives at most n steps of 1, 2, 2.5 or 5 times a power of ten from 0, and where they end.
func ticks(max float64, n int) ([]tick, float64) {
	if max <= 0 {
		max = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(max/float64(n))))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step*m*float64(n) >= max {
			step *= m
			break
		}
	}
	step = math.Max(math.Ceil(step), 1) // they are counts
	var list []tick
	end := math.Ceil(max/step) * step
	for i := 0; float64(i)*step <= end; i++ {
		list = append(list, tick{float64(i) * step, si(float64(i) * step)})
	}
	return list, end
}

// decades gives the ticks of a logarithmic axis from 1. Where it has less than two and a half
// decades, 2 and 5 are labelled too.
func decades(max float64) []tick {
	var list []tick
	for decade := 1.0; decade <= max; decade *= 10 {
		for i := 1.0; i < 10 && i*decade <= max; i++ {
			t := tick{value: i * decade}
			if i == 1 || max < 300 && (i == 2 || i == 5) {
				t.label = thousands(int(t.value))
			}
			list = append(list, t)
		}
	}
	return list
}

// percents gives the ticks of an axis of shares.
func percents() []tick {
	var list []tick
	for p := 0; p <= 100; p += 20 {
		list = append(list, tick{float64(p) / 100, strconv.Itoa(p)})
	}
	return list
}

// si shortens round numbers: 1,500, 20k, 1.5M.
func si(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	}
	return thousands(int(v))
}

// thousands writes a count with separators.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// panel is the area inside two axes.
type panel struct{ x, y axis }

// yAxis draws the left axis, with its title and faint lines across the panel.
func (s sheet) yAxis(p panel, ticks []tick, title string) {
	widest := vg.Length(0)
	l := label{size: tickSize, x: text.XRight, y: -0.4}
	for _, t := range ticks {
		y := p.y.at(t.value)
		s.line(lightGray, 0.35, p.x.from, y, p.x.to, y)
		s.line(black, axisLine, p.x.from-2.5, y, p.x.from, y)
		s.text(l, p.x.from-4, y, t.label)
		widest = max(widest, l.width(t.label))
	}
	s.line(black, axisLine, p.x.from, p.y.from, p.x.from, p.y.to)
	s.text(label{size: labelSize, x: text.XCenter, y: text.YBottom, turn: math.Pi / 2},
		p.x.from-7-widest, (p.y.from+p.y.to)/2, title)
}

// xAxis draws the bottom axis with its title.
func (s sheet) xAxis(p panel, ticks []tick, title string) {
	for _, t := range ticks {
		length := vg.Length(2.5)
		if t.label == "" {
			length = 1.5
		}
		x := p.x.at(t.value)
		s.line(black, axisLine, x, p.y.from, x, p.y.from-length)
		s.text(label{size: tickSize, x: text.XCenter, y: text.YTop}, x, p.y.from-3.5, t.label)
	}
	s.line(black, axisLine, p.x.from, p.y.from, p.x.to, p.y.from)
	s.text(label{size: labelSize, x: text.XCenter, y: text.YTop}, (p.x.from+p.x.to)/2, p.y.from-13, title)
}
