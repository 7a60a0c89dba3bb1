package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// coverage is one curve of Figure 9: where the services of a protocol are.
type coverage struct {
	protocol string
	total    int
	ports    []portCount // most services first
}

type portCount struct {
	port     uint16
	services int
}

// coverProtocols ranks the ports of each protocol by the number of its services there; of equals
// the lower port comes first. The protocol with the most services comes first.
func coverProtocols(c census) []coverage {
	counts := make(map[string]map[uint16]int)
	for k, n := range c {
		if k.label == "" {
			continue
		}
		if counts[k.label] == nil {
			counts[k.label] = make(map[uint16]int)
		}
		counts[k.label][k.port] += n
	}
	var list []coverage
	for protocol, ports := range counts {
		cover := coverage{protocol: protocol}
		for port, n := range ports {
			cover.ports = append(cover.ports, portCount{port, n})
			cover.total += n
		}
		slices.SortFunc(cover.ports, func(a, b portCount) int {
			return cmp.Or(cmp.Compare(b.services, a.services), cmp.Compare(a.port, b.port))
		})
		list = append(list, cover)
	}
	slices.SortFunc(list, func(a, b coverage) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.protocol, b.protocol))
	})
	return list
}

// figure09 is the paper's Figure 9 (section 3.2): how many ports hold what share of a protocol's
// services, for the ten protocols with the most.
func figure09(covers []coverage, note string) figure {
	f := figure{
		Name: "figure09", Title: "Figure 9", Note: note,
		Width: oneColumn, Height: 2.9 * vg.Inch,
		header: []string{"protocol", "rank", "port", "services", "share", "cumulative_share"},
	}
	n, ports := 0, make(map[uint16]bool)
	for _, c := range covers {
		n += c.total
		sum := 0
		for i, p := range c.ports {
			ports[p.port] = true
			sum += p.services
			f.rows = append(f.rows, []string{c.protocol, strconv.Itoa(i + 1), strconv.Itoa(int(p.port)), strconv.Itoa(p.services),
				share(float64(p.services) / float64(c.total)), share(float64(sum) / float64(c.total))})
		}
	}
	shown := mostCommon(covers)
	f.Caption = fmt.Sprintf("Share of a protocol's services that are on its k most common ports, each protocol's ports ranked by its own services there. "+
		"n = %s identified services of %s on %s; in brackets, the services of each protocol.", thousands(n), plural(len(covers), "protocol"), plural(len(ports), "port"))
	if len(shown) < len(covers) {
		f.Caption += fmt.Sprintf(" Shown are those with the most services, at most %d, and at least %d services each.", len(curves), leastServices)
	}
	f.draw = func(s sheet) { drawCoverage(s, shown, n) }
	return f
}

// leastServices is how many services a curve is drawn for: that of a handful says nothing.
const leastServices = 10

func mostCommon(covers []coverage) []coverage {
	n := slices.IndexFunc(covers, func(c coverage) bool { return c.total < leastServices })
	if n < 0 {
		n = len(covers)
	}
	return covers[:min(n, len(curves))]
}

// curves are the styles of the lines, told apart by colour, dashes and markers.
var curves = []struct {
	line  draw.LineStyle
	glyph draw.GlyphDrawer
}{
	{draw.LineStyle{Color: blue}, draw.CircleGlyph{}},
	{draw.LineStyle{Color: vermilion}, draw.SquareGlyph{}},
	{draw.LineStyle{Color: bluishGreen}, draw.TriangleGlyph{}},
	{draw.LineStyle{Color: black}, draw.CrossGlyph{}},
	{draw.LineStyle{Color: orange}, draw.RingGlyph{}},
	{draw.LineStyle{Color: skyBlue, Dashes: dashed}, draw.BoxGlyph{}},
	{draw.LineStyle{Color: reddishPurple, Dashes: dashed}, draw.PyramidGlyph{}},
	{draw.LineStyle{Color: gray, Dashes: dashed}, draw.PlusGlyph{}},
	{draw.LineStyle{Color: blue, Dashes: dotted}, draw.RingGlyph{}},
	{draw.LineStyle{Color: vermilion, Dashes: dotted}, draw.BoxGlyph{}},
}

var (
	dashed = []vg.Length{4, 1.5}
	dotted = []vg.Length{1, 1}
)

func drawCoverage(s sheet, covers []coverage, n int) {
	const columns, entry = 3, vg.Length(9)
	rows := (len(covers) + columns - 1) / columns
	most := 1
	for _, c := range covers {
		most = max(most, len(c.ports))
	}
	p := panel{
		x: axis{min: 1, max: math.Max(10, float64(most)), log: true, from: s.Min.X + 30, to: s.Max.X - 8},
		y: axis{max: 1, from: s.Min.Y + 26, to: s.Max.Y - entry*vg.Length(rows) - 16},
	}
	s.yAxis(p, percents(), "Share of a protocol's services (%)")
	s.xAxis(p, decades(p.x.max), "Number of ports, each protocol's most common first")
	s.text(label{size: tickSize, x: text.XRight}, p.x.to, p.y.to+4, "n = "+thousands(n)+" identified services")

	for i := len(covers) - 1; i >= 0; i-- { // the largest on top
		s.curve(p, covers[i], i)
	}
	width := (s.Max.X - s.Min.X - 12) / columns
	for i, c := range covers {
		x, y := s.Min.X+8+width*vg.Length(i%columns), s.Max.Y-entry*vg.Length(i/columns)-6
		s.stroke(i, []vg.Point{{X: x, Y: y}, {X: x + 14, Y: y}})
		s.marker(i, vg.Point{X: x + 7, Y: y})
		s.text(label{size: tickSize, y: -0.4}, x+17, y, c.protocol+" ("+si(float64(c.total))+")")
	}
}

// curve draws one protocol's curve. A point for each port would be more than a page can show, so
// it is thinned to places that differ.
func (s sheet) curve(p panel, c coverage, style int) {
	var line []vg.Point
	sum, marked := 0, vg.Length(math.Inf(-1))
	var markers []vg.Point
	// Markers of different curves are shifted, so that they do not cover each other.
	const apart = vg.Length(34)
	shift := apart * vg.Length(style) / vg.Length(len(curves))
	for i, port := range c.ports {
		sum += port.services
		at := vg.Point{X: p.x.at(float64(i + 1)), Y: p.y.at(float64(sum) / float64(c.total))}
		last := i == len(c.ports)-1
		if i == 0 || last || at.X-line[len(line)-1].X > 0.2 || at.Y-line[len(line)-1].Y > 0.2 {
			line = append(line, at)
		}
		if i == 0 || last || at.X > marked+apart && at.X > p.x.from+shift {
			markers = append(markers, at)
			marked = at.X
		}
	}
	s.stroke(style, line)
	for _, at := range markers {
		s.marker(style, at)
	}
}

func (s sheet) stroke(style int, line []vg.Point) {
	l := curves[style].line
	l.Width = 0.9
	s.StrokeLines(l, line)
}

func (s sheet) marker(style int, at vg.Point) {
	c := curves[style]
	s.SetLineDash(nil, 0)
	s.DrawGlyphNoClip(draw.GlyphStyle{Color: c.line.Color, Radius: 1.8, Shape: c.glyph}, at)
}
