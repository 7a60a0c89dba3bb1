package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// followupLine is follow-ups that are counted together: those that the paper tells of, and all others.
type followupLine struct {
	name  string // as datasets.InText has it
	title string // in the legend
	of    func(protocol string) bool
	is    func(*analysis.FollowedUp) bool // of a follow-up of such a protocol
}

var followupLines = []followupLine{
	{"tls after http", "tls, after http", func(p string) bool { return p == "tls" }, func(s *analysis.FollowedUp) bool { return s.SentData && strings.HasPrefix(s.Wrong, "http") }},
	{"telnet", "telnet", func(p string) bool { return p == "telnet" }, func(s *analysis.FollowedUp) bool { return s.SentData }},
	{"others", "others", func(p string) bool { return p != "telnet" }, func(s *analysis.FollowedUp) bool {
		return s.SentData && !(s.Protocol == "tls" && strings.HasPrefix(s.Wrong, "http"))
	}},
	{"no data", "any, if the wrong drew no data", func(string) bool { return true }, func(s *analysis.FollowedUp) bool { return !s.SentData }},
}

// The kinds of a follow-up that fails.
const (
	failed   = "fails"
	refused  = "reset"
	noSYNACK = "no_synack"
)

// spoiled is the group of the follow-ups of the paper's lines, for how many recover.
const spoiled = "spoiled"

// armOf is the group of a line's follow-ups after a delay; alone is that of its control.
func armOf(line string, delay time.Duration) string { return fmt.Sprintf("%s\x00%d", line, delay) }
func alone(line string) string                      { return line + "\x00alone" }
func pairOf(protocol, wrong string, delay time.Duration) string {
	return fmt.Sprintf("pair\x00%s\x00%s\x00%d", protocol, wrong, delay)
}

// countFollowup counts a follow-up, or a control, into its groups.
func countFollowup(s *analysis.FollowedUp, to *analysis.Shares[string, string]) {
	in := func(group string) {
		to.Service(s.Addr, group)
		if s.State < session.SendsData {
			to.Hit(s.Addr, group, failed)
		}
		switch s.State {
		case session.Closed:
			to.Hit(s.Addr, group, refused)
		case session.NoAnswer:
			to.Hit(s.Addr, group, noSYNACK)
		}
	}
	for i, l := range followupLines {
		switch {
		case !l.of(s.Protocol):
		case s.Control:
			in(alone(l.name))
		case l.is(s):
			in(armOf(l.name, s.Delay))
			if i < 2 {
				in(armOf(spoiled, s.Delay))
			}
		}
	}
	if !s.Control {
		in(pairOf(s.Protocol, s.Wrong, s.Delay))
	}
}

func newFollowups(sources) *analysis.Followups[string, string] {
	return analysis.NewFollowups(countFollowup)
}

// followupRow is a line of the table.
type followupRow struct {
	what      string        // "fails", "recovered", or how those fail that do
	line      string        // which follow-ups
	control   bool          // whether these are of the control
	delay     time.Duration // valid only without control
	share     estimate.Estimate
	test      estimate.Test // against the control; the zero one if there is none
	published float64
}

// delays are the times after which the runs followed up, ascending.
func (s sources) delays() []time.Duration {
	var list []time.Duration
	for _, one := range s {
		for _, m := range one.Manifests {
			for _, d := range m.Followup {
				list = append(list, time.Duration(d))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// followupRows estimates the shares.
func followupRows(counted *analysis.Shares[string, string], delays []time.Duration, design estimate.Design) ([]followupRow, error) {
	var rows []followupRow
	var wrong error
	add := func(r followupRow, hosts estimate.Hosts) followupRow {
		var err error
		r.share, err = hosts.Share(design)
		wrong = cmp.Or(wrong, err)
		rows = append(rows, r)
		return r
	}
	for _, l := range followupLines {
		control := counted.Of(alone(l.name), failed)
		add(followupRow{what: failed, line: l.name, control: true, published: math.NaN()}, control)
		for i, d := range delays {
			of := counted.Of(armOf(l.name, d), failed)
			r := followupRow{what: failed, line: l.name, delay: d, published: math.NaN()}
			if i == 0 {
				r.published = datasets.InText("4.3", "followup_fails", l.name)
			}
			x1, n1 := of.Services()
			x2, n2 := control.Services()
			if n1 > 0 && n2 > 0 {
				var err error
				r.test, err = estimate.Fisher(x1, n1, x2, n2)
				wrong = cmp.Or(wrong, err)
			}
			add(r, of)
		}
	}
	if len(delays) == 0 {
		return rows, wrong
	}
	// How those fail that do, of all of a line's at the shortest delay: each kind among the failed.
	for _, l := range followupLines[:2] {
		arm := armOf(l.name, delays[0])
		fails, _ := counted.Services(arm, failed)
		for _, kind := range []string{refused, noSYNACK} {
			hits, _ := counted.Services(arm, kind)
			add(followupRow{what: kind, line: l.name, delay: delays[0], published: datasets.InText("4.3", kind+"_of_failed", l.name)},
				estimate.Alone(uint64(hits), uint64(fails)))
		}
	}
	first, err := counted.Of(armOf(spoiled, delays[0]), failed).Share(design)
	wrong = cmp.Or(wrong, err)
	for _, d := range delays[1:] {
		later, err := counted.Of(armOf(spoiled, d), failed).Share(design)
		wrong = cmp.Or(wrong, err)
		rows = append(rows, followupRow{what: "recovered", line: spoiled, delay: d, share: rest(estimate.Quotient(later, first)),
			published: datasets.InText("4.3", "recovered", fmt.Sprintf("%g s", d.Seconds()))})
	}
	return rows, wrong
}

// rest is what a share lacks to all.
func rest(e estimate.Estimate) estimate.Estimate {
	e.Value = 1 - e.Value
	if e.HasInterval() {
		e.Lo, e.Hi = max(0, 1-e.Hi), 1-e.Lo
	}
	return e
}

// figure11 is the paper's Figure 11 (section 4.3): whether a wrong handshake spoils a right one that comes later, and for how long.
// Control and follow-ups are different services, to which chance assigned the one or the other: so the test is Fisher's, of two
// samples, and not one of pairs. Each service is looked at once after its delay, so that a curve of survival is not to be had.
func figure11(f *analysis.Followups[string, string], over sources) (figure, error) {
	counted, delays := f.Counted(), over.delays()
	rows, err := followupRows(counted, delays, over.design())
	if err != nil {
		return figure{}, err
	}
	followups, controls := 0, 0
	for _, d := range delays {
		for _, l := range followupLines {
			_, n := counted.Services(armOf(l.name, d), failed)
			followups += n
		}
	}
	_, controls = counted.Services(alone("no data"), failed)
	n := fmt.Sprintf("%s and %s", plural(followups, "follow-up"), plural(controls, "control"))
	fig := figure{
		Caption: "Right handshakes that draw no data, after a wrong one that drew data (or none), by the time between the two, and alone, the control; " +
			"which of these was drawn for each service. At the left, of the services whose wrong handshake drew data, but where it says otherwise. Dashes: the " +
			"paper's. At the right, of all services, after each wrong handshake and the shortest time, " +
			fmt.Sprintf("in percent, for protocols with %d services at least; blank is none, hatched was not drawn. Hollow, and grey without a "+
				"shade, are fewer than %d services. n = %s.", fewServices, fewServices, n),
		table: tabulate(n, rows,
			texts("what", func(r *followupRow) string { return r.what }),
			texts("follow_ups", func(r *followupRow) string { return r.line }),
			texts("arm", func(r *followupRow) string { return armName(r.control, r.delay) }),
			estimates("share", "share of follow-ups, of those that fail, or of these later", func(r *followupRow) estimate.Estimate { return r.share }),
			values("fisher_p", "probability", func(r *followupRow) float64 {
				if r.test.Method == "" {
					return math.NaN()
				}
				return r.test.P
			}),
			paper("share of the same", func(r *followupRow) float64 { return r.published })),
		columns: 2,
	}
	lines, legend, err := plotFollowups(rows, delays)
	if err != nil {
		return fig, err
	}
	pairs, height, err := plotPairs(counted, delays, over.handshakes())
	if err != nil {
		return fig, err
	}
	fig.height = max(2.6*vg.Inch, height+16)
	fig.draw = func(c draw.Canvas) {
		left, right := c, c
		left.Max.X = c.Min.X + 0.42*(c.Max.X-c.Min.X)
		left.Min.Y = max(c.Min.Y, c.Max.Y-2.6*vg.Inch)
		right.Min.X, right.Min.Y = left.Max.X+8, c.Max.Y-height
		lines.Draw(addLegend(left, 2, legend))
		pairs.Draw(right)
	}
	return fig, nil
}

// armName is an arm of the experiment.
func armName(control bool, delay time.Duration) string {
	if control {
		return "alone"
	}
	return fmt.Sprintf("%g s", delay.Seconds())
}

// plotFollowups draws the share that fails, by arm, and gives the legend.
func plotFollowups(rows []followupRow, delays []time.Duration) (*plot.Plot, []entry, error) {
	p := newPlot()
	ticks := plot.ConstantTicks{{Value: 0, Label: armName(true, 0)}}
	for i, d := range delays {
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: armName(false, d)})
	}
	p.X.Label.Text, p.X.Tick.Marker = "Time after the wrong handshake", ticks
	p.Y.Label.Text, p.Y.Tick.Marker = "Right handshake fails (%)", plotters.Percents(10)
	highest := 0.3
	var legend []entry
	for i, l := range followupLines {
		shift := 0.08 * (float64(i) - 1.5)
		style := curveStyles[i].line
		var points plotter.XYs
		var bars []placed
		for _, r := range rows {
			if r.what != failed || r.line != l.name || r.share.N == 0 {
				continue
			}
			x := shift
			if !r.control {
				x += float64(1 + slices.Index(delays, r.delay))
			}
			bars = append(bars, placed{x, r.share})
			highest = max(highest, r.share.Value, r.share.Hi)
			if !r.control {
				points = append(points, plotter.XY{X: x, Y: r.share.Value})
			}
			if !math.IsNaN(r.published) {
				if err := addLine(p, draw.LineStyle{Color: style.Color, Width: curveLine, Dashes: dashed}, plotter.XY{X: x - 0.3, Y: r.published}, plotter.XY{X: x + 0.3, Y: r.published}); err != nil {
					return nil, nil, err
				}
			}
		}
		if err := addIntervals(p, bars, style.Color); err != nil {
			return nil, nil, err
		}
		if len(points) == 0 {
			continue
		}
		line, markers, err := newCurve(i, points, points)
		if err != nil {
			return nil, nil, err
		}
		p.Add(line)
		for _, b := range bars {
			point, err := plotter.NewScatter(plotter.XYs{{X: b.x, Y: b.Value}})
			if err != nil {
				return nil, nil, err
			}
			point.GlyphStyle = markers.GlyphStyle
			if b.N < fewServices {
				point.Shape = draw.RingGlyph{}
			}
			p.Add(point)
		}
		legend = append(legend, entry{l.title, []plot.Thumbnailer{line, markers}})
	}
	p.X.Min, p.X.Max = -0.4, float64(len(delays))+0.4
	p.Y.Min, p.Y.Max = 0, min(1, highest)
	return p, legend, nil
}

// plotPairs draws the share that fails after each wrong handshake and the shortest delay, by protocol; and says how high that is.
func plotPairs(counted *analysis.Shares[string, string], delays []time.Duration, handshakes []string) (*plot.Plot, vg.Length, error) {
	p := newMatrixPlot()
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(nil), plot.ConstantTicks(nil)
	services := make(map[string]int)
	wrongOf := make(map[string]bool)
	for _, group := range counted.Groups() {
		parts := strings.Split(group, "\x00")
		if len(delays) == 0 || parts[0] != "pair" || group != pairOf(parts[1], parts[2], delays[0]) {
			continue
		}
		_, n := counted.Services(group, failed)
		services[parts[1]] += n
		wrongOf[parts[2]] = true
	}
	var protocols []string
	for protocol := range services {
		protocols = append(protocols, protocol)
	}
	slices.SortFunc(protocols, func(a, b string) int { return cmp.Or(cmp.Compare(services[b], services[a]), cmp.Compare(a, b)) })
	protocols = slices.DeleteFunc(protocols, func(protocol string) bool { return services[protocol] < fewServices })
	var columns, names plot.ConstantTicks
	cells := make([][]plotters.Cell, len(protocols))
	for _, h := range handshakes {
		if !wrongOf[h] {
			continue
		}
		columns = append(columns, plot.Tick{Value: float64(len(columns)), Label: h})
		for i, protocol := range protocols {
			hits, n := counted.Services(pairOf(protocol, h, delays[0]), failed)
			cell := plotters.Cell{Value: ratio(hits, n), Hollow: n < fewServices}
			if hits > 0 {
				cell.Text = plotters.Percent(hits, n)
			}
			cells[i] = append(cells[i], cell)
		}
	}
	for i, protocol := range protocols {
		names = append(names, plot.Tick{Value: -float64(i), Label: fmt.Sprintf("%s (%s)", protocol, plotters.SI(float64(services[protocol])))})
	}
	height := vg.Length(max(1, len(protocols)))*9.5 + 78
	if len(columns) == 0 {
		return p, height, nil
	}
	matrix, err := plotters.NewMatrix(cells, shade, sans(cellSize))
	if err != nil {
		return nil, 0, err
	}
	p.Add(matrix)
	p.X.Label.Text, p.X.Tick.Marker = "Wrong handshake, "+armName(false, delays[0])+" before", columns
	p.Y.Label.Text, p.Y.Tick.Marker = "Protocol (services)", names
	upright(p)
	return p, height, nil
}
