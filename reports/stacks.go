package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// stacks are bars of shares, one for each port, and one for each of some classes of ports, whose parts are kinds of services.
type stacks struct {
	of      of      // what the shares are of
	classes []class // in the order of the bars
	layers  []layerOf
	kind    func(*analysis.Kind) string                  // of a port's services: a layer's, "" for another, absent for those not counted
	judged  string                                       // the kind whose interval is drawn: the lowest layer's, or one of all layers together
	paper   func(c class, port int, kind string) float64 // the paper's value, NaN for none; port is -1 for a class
	says    func(port int, kind string) string           // what the paper says instead of a value, "" for nothing; nil if it says no such thing
}

// absent is no kind of service.
const absent = "-"

// layerOf is a part of bars: services of one kind.
type layerOf struct {
	kind, title string // in tables, and in legends
	fill        plotters.Fill
}

// bar is one bar: the services of a port, or of a class of ports.
type bar struct {
	class    class
	port     int   // -1 if it is of the class
	services int   // that the shares are of
	parts    []int // services of each layer, from the bottom; together they may be fewer
	apart    bool  // from the bar before it
}

func (b *bar) name() string {
	if b.port < 0 {
		return b.class.String() + " ports"
	}
	return portName(uint16(b.port), datasets.Expected(uint16(b.port)))
}

// classShare is a line of a table: the share of a kind of services of a port or class.
type classShare struct {
	class
	port      int // -1 if the share is of the class
	of        of
	kind      string
	services  int
	overPorts bool // whether the share is a mean over ports, each of which weighs alike, and not one of all services together
	share     estimate.Estimate
	paper     float64 // NaN for none
}

// weight is what weighs alike in the share of a class: each port, or each service; "" of a port's own share.
func (s *classShare) weight() string {
	switch {
	case s.overPorts:
		return "by port"
	case s.port < 0:
		return "by service"
	}
	return ""
}

// classColumns are the columns of a table of such shares.
func classColumns() []column[classShare] {
	return []column[classShare]{
		texts("ports", func(s *classShare) string { return s.class.String() }),
		numbers("port", "", func(s *classShare) int { return s.port }),
		texts("kind", func(s *classShare) string { return s.kind }),
		texts("of", func(s *classShare) string { return s.of.String() }),
		texts("weight", (*classShare).weight),
		numbers("services", "services", func(s *classShare) int { return s.services }),
		estimates("share", "share of the services that `of` names", func(s *classShare) estimate.Estimate { return s.share }),
		paper("share of the services that `of` names", func(s *classShare) float64 { return s.paper }),
	}
}

// portBars gives the bars of the ports: those that a protocol is expected on, then the others; of each, those with most services first.
func (b *byClass) portBars(s *stacks) []bar {
	at := make(map[uint16]int)
	var list []bar
	for i := range b.kinds {
		k := &b.kinds[i]
		kind := s.kind(k)
		if kind == absent {
			continue
		}
		if _, ok := at[k.Port]; !ok {
			at[k.Port] = len(list)
			list = append(list, bar{class: classOf(k.Port), port: int(k.Port), parts: make([]int, len(s.layers))})
		}
		one := &list[at[k.Port]]
		one.services += k.Services
		if l := slices.IndexFunc(s.layers, func(l layerOf) bool { return l.kind == kind }); l >= 0 {
			one.parts[l] += k.Services
		}
	}
	expected := func(b bar) int {
		if datasets.Expected(uint16(b.port)) != "" {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b bar) int {
		return cmp.Or(cmp.Compare(expected(a), expected(b)), cmp.Compare(b.services, a.services), cmp.Compare(a.port, b.port))
	})
	return list
}

// bars gives the bars, each class's before those of its ports.
func (b *byClass) bars(s *stacks) []bar {
	ports := b.portBars(s)
	var list []bar
	for _, c := range s.classes {
		whole := bar{class: c, port: -1, parts: make([]int, len(s.layers)), apart: len(list) > 0}
		var mine []bar
		for _, p := range ports {
			if c != everyPort && c != p.class {
				continue
			}
			p.apart = len(mine) == 0 || datasets.Expected(uint16(p.port)) == "" && datasets.Expected(uint16(mine[len(mine)-1].port)) != ""
			mine = append(mine, p)
			whole.services += p.services
			for i, n := range p.parts {
				whole.parts[i] += n
			}
		}
		if len(mine) > 0 {
			list = append(append(list, whole), mine...)
		}
	}
	return list
}

// rows gives the lines of the table: of each bar, its layers, after what is judged if that is none of them.
func (b *byClass) rows(s *stacks, bars []bar, design estimate.Design) (rows []classShare, err error) {
	kinds := make([]string, len(s.layers))
	for i, l := range s.layers {
		kinds[i] = l.kind
	}
	for _, one := range bars {
		parts := one.parts
		names := kinds
		if !slices.Contains(kinds, s.judged) {
			together := 0
			for _, n := range parts {
				together += n
			}
			names, parts = append([]string{s.judged}, kinds...), append([]int{together}, parts...)
		}
		for i, kind := range names {
			row := classShare{class: one.class, port: one.port, of: s.of, kind: kind, services: parts[i], paper: s.paper(one.class, one.port, kind)}
			switch row.overPorts = one.port < 0 && one.class.hasMeans(); {
			case row.overPorts:
				row.share, err = b.mean(s.of, one.class, kind, design)
			case one.port < 0:
				row.share, err = b.share(s.of, one.class, kind, design)
			default:
				row.share, err = estimate.Alone(uint64(parts[i]), uint64(one.services)).Share(design)
			}
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// figure makes the figure of the bars. Services are what is counted, and n begins with how many.
func (b *byClass) figure(s *stacks, over sources, caption, counted, axis string) (figure, error) {
	bars := b.bars(s)
	rows, err := b.rows(s, bars, over.design())
	if err != nil {
		return figure{}, err
	}
	all, ports := 0, 0
	for _, one := range bars {
		if one.port >= 0 {
			all += one.services
			ports++
		}
	}
	n := fmt.Sprintf("%s on %s", plural(all, counted), plural(ports, "port"))
	columns := classColumns()
	if s.says != nil {
		columns = append(columns, texts("published_as", func(r *classShare) string { return s.says(r.port, r.kind) }))
	}
	f := figure{
		Caption: caption + " A diamond is the paper's value for a part of the bar, as high as the parts up to and with that. In brackets, the services of each bar; hollow are bars of fewer than " + fmt.Sprint(fewServices) + ". n = " + n + ".",
		table:   tabulate(n, rows, columns...),
		behind:  func(row int) servicesWhere { return rows[row].where(b) },
		columns: 2, height: 3 * vg.Inch,
	}
	if ports > figure05Ports {
		bars = mostBars(bars, figure05Ports)
		f.Caption += fmt.Sprintf(" Shown are the %d ports with the most.", figure05Ports)
	}
	p, err := s.plot(bars, rows)
	if err != nil {
		return f, err
	}
	p.Y.Label.Text, p.X.Label.Text = axis, "TCP port / expected protocol (services); n = "+plural(all, counted)
	var legend []entry
	longest := vg.Length(0)
	for _, l := range s.layers {
		legend = append(legend, entry{l.title, []plot.Thumbnailer{l.fill}})
		longest = max(longest, sans(tickSize).Width(l.title))
	}
	if slices.ContainsFunc(rows, func(r classShare) bool { return !math.IsNaN(r.paper) }) {
		legend = append(legend, paperEntry())
	}
	f.draw = func(c draw.Canvas) {
		const thumbnail = 26 // with the room around it
		p.Draw(addLegend(c, max(1, min(len(legend), int((c.Max.X-c.Min.X)/(longest+thumbnail)))), legend))
	}
	return f, nil
}

// mostBars leaves out all ports but those with the most services.
func mostBars(bars []bar, n int) []bar {
	var ports []bar
	for _, b := range bars {
		if b.port >= 0 {
			ports = append(ports, b)
		}
	}
	slices.SortStableFunc(ports, func(a, b bar) int { return cmp.Compare(b.services, a.services) })
	left := make(map[int]bool)
	for _, b := range ports[n:] {
		left[b.port] = true
	}
	return slices.DeleteFunc(slices.Clone(bars), func(b bar) bool { return left[b.port] })
}

// plot draws the bars, those of few services hollow, the intervals of what is judged, and the paper's values.
func (s *stacks) plot(bars []bar, rows []classShare) (*plot.Plot, error) {
	p := newPlot()
	var names plot.ConstantTicks
	var intervals []placed
	var marks plotter.XYs
	next := 0.0
	for _, one := range bars {
		if one.apart {
			next++
		}
		x := next
		next++
		names = append(names, plot.Tick{Value: x, Label: one.name() + " (" + plotters.SI(float64(one.services)) + ")"})
		var layers []plotters.Layer
		for _, l := range s.layers {
			at := slices.IndexFunc(rows, func(r classShare) bool { return r.class == one.class && r.port == one.port && r.kind == l.kind })
			layers = append(layers, plotters.Layer{Fill: l.fill, Heights: []float64{orZero(rows[at].share.Value)}})
		}
		stacked, err := plotters.NewStackedBars([]float64{x}, hollow(layers, func(int) bool { return one.services < fewServices })...)
		if err != nil {
			return nil, err
		}
		p.Add(stacked)
		top := 0.0 // of the layers so far, by the paper where it has their share
		for _, r := range rows {
			if r.class != one.class || r.port != one.port {
				continue
			}
			if r.kind == s.judged && r.services > 0 && one.services >= fewServices {
				intervals = append(intervals, placed{x, r.share})
			}
			published := !math.IsNaN(r.paper)
			switch layer := slices.ContainsFunc(s.layers, func(l layerOf) bool { return l.kind == r.kind }); {
			case !layer && published:
				marks = append(marks, plotter.XY{X: x, Y: r.paper})
			case published:
				top += r.paper
				marks = append(marks, plotter.XY{X: x, Y: top})
			case layer:
				top += orZero(r.share.Value)
			}
		}
	}
	if err := addIntervals(p, intervals, black); err != nil {
		return nil, err
	}
	if err := addPaper(p, marks); err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max = -0.6, max(next-0.4, figure05Ports/2)
	p.X.Tick.Marker = names
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = 0, 1, plotters.Percents(25)
	upright(p)
	return p, nil
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// placed is an estimate to be drawn at a place.
type placed struct {
	x float64
	estimate.Estimate
}

// addIntervals draws the intervals of estimates, of those that have one.
func addIntervals(p *plot.Plot, list []placed, in color.Color) error {
	var values struct {
		plotter.XYs
		plotter.YErrors
	}
	for _, i := range list {
		if i.HasInterval() && !math.IsNaN(i.Value) {
			values.XYs = append(values.XYs, plotter.XY{X: i.x, Y: i.Value})
			values.YErrors = append(values.YErrors, struct{ Low, High float64 }{i.Value - i.Lo, i.Hi - i.Value})
		}
	}
	if len(values.XYs) == 0 {
		return nil
	}
	bars, err := plotter.NewYErrorBars(values)
	if err != nil {
		return err
	}
	bars.LineStyle = draw.LineStyle{Color: in, Width: axisLine}
	bars.CapWidth = 2.5
	p.Add(bars)
	return nil
}

// addPaper marks the paper's values. Those that are not a number are left out.
func addPaper(p *plot.Plot, values plotter.XYs) error {
	values = slices.DeleteFunc(slices.Clone(values), func(v plotter.XY) bool { return math.IsNaN(v.Y) })
	if len(values) == 0 {
		return nil
	}
	marks, err := plotter.NewScatter(values)
	if err != nil {
		return err
	}
	marks.GlyphStyle = paperMark
	p.Add(marks)
	return nil
}

// addPaperNamed marks the paper's values, each with its name at the left of it, for where a mark alone does not say what it is of.
func addPaperNamed(p *plot.Plot, values plotter.XYLabels) error {
	if len(values.XYs) == 0 {
		return nil
	}
	names, err := plotter.NewLabels(values)
	if err != nil {
		return err
	}
	for i := range names.TextStyle {
		names.TextStyle[i] = sans(noteSize)
		names.TextStyle[i].Color, names.TextStyle[i].XAlign, names.TextStyle[i].YAlign = paperMark.Color, text.XRight, text.YBottom
	}
	names.Offset = vg.Point{X: -1.5 * paperMark.Radius, Y: 0.5 * paperMark.Radius}
	p.Add(names)
	return addPaper(p, values.XYs)
}

// paperMark marks what the paper has.
var paperMark = draw.GlyphStyle{Color: vermilion, Radius: 2.6, Shape: diamond{}}

// paperEntry is its line in a legend.
func paperEntry() entry {
	return entry{"in the paper", []plot.Thumbnailer{&plotter.Scatter{GlyphStyle: paperMark}}}
}

// diamond is a glyph with a white edge, which is seen on any colour.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	var path vg.Path
	r := style.Radius
	path.Move(vg.Point{X: at.X, Y: at.Y + r})
	path.Line(vg.Point{X: at.X + r, Y: at.Y})
	path.Line(vg.Point{X: at.X, Y: at.Y - r})
	path.Line(vg.Point{X: at.X - r, Y: at.Y})
	path.Close()
	c.SetColor(style.Color)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: color.White, Width: 0.6})
	c.Stroke(path)
}
