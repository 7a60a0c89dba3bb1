package reports

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// byState is what Figure 1 is made from: services by state, host by host, and connections by state.
type byState struct {
	*analysis.Tally[int, string]
	connections []analysis.ConnectionsOf
}

func newByState(c *analysis.Connections, _ sources) *byState {
	return &byState{connections: c.States(), Tally: analysis.NewTally(func(s *analysis.Seen, to *analysis.Shares[int, string]) {
		to.Service(s.Addr, 0)
		to.Hit(s.Addr, 0, s.State.String())
	})}
}

// Merge adds what another has counted.
func (b *byState) Merge(fold analysis.Fold) error {
	other, ok := fold.(*byState)
	if !ok {
		return fmt.Errorf("reports: a %T does not merge with a %T", fold, b)
	}
	return b.Tally.Merge(other.Tally)
}

// tcpState is a state of the server's TCP that a client can tell (paper, section 2), and which services are seen to get no further.
type tcpState struct {
	name   string
	fill   plotters.Fill
	states []session.State
}

var tcpStates = []tcpState{
	{"SYN RECEIVED", plotters.Fill{Color: lightGray}, []session.State{session.Churned, session.Shunned, session.HalfOpen, session.DroppedHandshake}},
	{"ESTABLISHED", hatched(skyBlue, 1), []session.State{
		session.ZeroWindow, session.ResetAfterHandshake, session.ClosedAfterHandshake, session.Silent,
	}},
	{"ACCEPTS DATA", hatched(yellow, -1), []session.State{session.NoDataAck, session.DynamicBlocking}},
	{"ACKNOWLEDGES DATA", plotters.Fill{Color: blue}, []session.State{session.AllPorts, session.AcksData, session.SendsData}},
}

// stateRow is a line of the table: the services of a state, and the connections that ended in it.
type stateRow struct {
	tcp         *tcpState
	state       session.State
	services    int
	share       estimate.Estimate
	connections int
	repeated    float64 // SYN-ACKs after the first, per connection; NaN if a single connection cannot show the state
	paper       float64 // the same in the paper, NaN but where the handshake is dropped
}

// rows are the lines of the table. The paper gave servers 100 seconds to repeat a SYN-ACK: what a scan sees that does not is no less
// true, but not to be compared.
func (b *byState) rows(over sources) (rows []stateRow, err error) {
	patient := len(over.where(func(m *record.Manifest) bool { return m.Liveness })) == len(over)
	for i := range tcpStates {
		for _, state := range tcpStates[i].states {
			if state == session.AllPorts && len(over.where(func(m *record.Manifest) bool { return m.EphemeralProbes > 0 })) == 0 {
				continue // nobody looked
			}
			if n, _ := b.Services(0, state.String()); state == session.HalfOpen && n == 0 {
				continue // only another scanner leaves any so
			}
			r := stateRow{tcp: &tcpStates[i], state: state, repeated: math.NaN(), paper: notPublished}
			if patient {
				r.paper = datasets.InText("2", "repeated_synacks", state.String())
			}
			r.services, _ = b.Services(0, state.String())
			if r.share, err = b.Of(0, state.String()).Share(over.design()); err != nil {
				return nil, err
			}
			for _, c := range b.connections {
				if c.State == state {
					r.connections, r.repeated = c.Connections, ratio(c.Repeated, c.Connections)
				}
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// figure01 shows how far services let a client get: by the states of section 2, which the paper's Figure 1 is about. Its form was
// not seen.
func figure01(b *byState, over sources) (figure, error) {
	rows, err := b.rows(over)
	if err != nil {
		return figure{}, err
	}
	all, connections := 0, 0
	for _, r := range rows {
		all += r.services
		connections += r.connections
	}
	n := fmt.Sprintf("%s and %s", plural(all, "service"), plural(connections, "connection"))
	f := figure{
		Caption: "Services by their state, in the order of how far the server's TCP is seen to get. At the left, shares of all services; at the right, SYN-ACKs " +
			"that a server repeats although they were acknowledged, per connection that ended in the state (what only several connections " +
			"show has none). n = " + n + ".",
		table: tabulate(n, rows,
			texts("tcp_state", func(r *stateRow) string { return r.tcp.name }),
			texts("state", func(r *stateRow) string { return r.state.String() }),
			numbers("services", "services", func(r *stateRow) int { return r.services }),
			numbers("connections", "connections", func(r *stateRow) int { return r.connections }),
			values("repeated_synacks", "SYN-ACKs per connection", func(r *stateRow) float64 { return r.repeated }),
			values("published_repeated_synacks", "SYN-ACKs per connection", func(r *stateRow) float64 { return r.paper }),
			estimates("share", "share of services", func(r *stateRow) estimate.Estimate { return r.share })),
		behind:  func(row int) servicesWhere { return inState(rows[row].state) },
		columns: 1, height: 2.7 * vg.Inch,
	}
	shares, repeats, err := plotStates(rows)
	if err != nil {
		return f, err
	}
	var legend []entry
	for _, t := range tcpStates {
		legend = append(legend, entry{t.name, []plot.Thumbnailer{t.fill}})
	}
	if slices.ContainsFunc(rows, func(r stateRow) bool { return !math.IsNaN(r.paper) }) {
		legend = append(legend, paperEntry())
	}
	legend = append(legend, entry{name: "n = " + plural(all, "service")})
	f.draw = func(c draw.Canvas) {
		const gap = vg.Length(6)
		c = addLegend(c, 2, legend)
		left, right := c, c
		left.Max.X = c.Min.X + 0.72*(c.Max.X-c.Min.X)
		right.Min.X = left.Max.X + gap
		shares.Draw(left)
		repeats.Draw(right)
	}
	return f, nil
}

// plotStates draws the shares as bars, with the states at their left, and the repeated SYN-ACKs on the same lines.
func plotStates(rows []stateRow) (shares, repeats *plot.Plot, err error) {
	shares, repeats = newPlot(), newPlot()
	names := make(plot.ConstantTicks, len(rows))
	texts := plotter.XYLabels{}
	var solid, hollow, paper plotter.XYs
	for i, r := range rows {
		y := -float64(i)
		names[i] = plot.Tick{Value: y, Label: r.state.String()}
		bar, err := plotters.NewStackedBars([]float64{y}, plotters.Layer{Fill: r.tcp.fill, Heights: []float64{orZero(r.share.Value)}})
		if err != nil {
			return nil, nil, err
		}
		bar.Horizontal = true
		shares.Add(bar)
		end := orZero(r.share.Value)
		if r.share.HasInterval() {
			end = r.share.Hi
			if err := addLine(shares, draw.LineStyle{Color: black, Width: axisLine}, plotter.XY{X: r.share.Lo, Y: y}, plotter.XY{X: r.share.Hi, Y: y}); err != nil {
				return nil, nil, err
			}
		}
		if r.services > 0 {
			texts.XYs, texts.Labels = append(texts.XYs, plotter.XY{X: end, Y: y}), append(texts.Labels, percent(r.share.Value))
		}
		switch point := (plotter.XY{X: r.repeated, Y: y}); {
		case math.IsNaN(r.repeated):
		case r.connections < fewServices:
			hollow = append(hollow, point)
		default:
			solid = append(solid, point)
		}
		if !math.IsNaN(r.paper) {
			paper = append(paper, plotter.XY{X: r.paper, Y: y})
		}
	}
	if len(texts.Labels) > 0 {
		shares.Add(plotters.NewEndLabels(texts.XYs, texts.Labels, sans(textSize), slices.Repeat([]draw.LineStyle{{Color: black}}, len(texts.Labels))))
	}
	if err := addPaper(repeats, paper); err != nil {
		return nil, nil, err
	}
	if err := addPoints(repeats, solid, hollow); err != nil {
		return nil, nil, err
	}
	for _, p := range []*plot.Plot{shares, repeats} {
		p.Y.Min, p.Y.Max = 0.4-float64(len(rows)), 0.6
	}
	shares.X.Label.Text, shares.X.Tick.Marker, shares.X.Min = "Share of services (%)", plotters.Percents(25), 0
	shares.Y.Tick.Marker = names
	repeats.X.Label.Text, repeats.X.Tick.Marker, repeats.X.AutoRescale, repeats.X.Min = "Repeated SYN-ACKs", plotters.Counts{}, true, 0
	repeats.Y.Tick.Marker = plot.ConstantTicks(nil)
	return shares, repeats, nil
}

// addPoints draws points that rest on enough services, and hollow those that do not.
func addPoints(p *plot.Plot, solid, hollow plotter.XYs) error {
	for _, points := range []struct {
		at    plotter.XYs
		shape draw.GlyphDrawer
	}{{solid, draw.CircleGlyph{}}, {hollow, draw.RingGlyph{}}} {
		if len(points.at) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(points.at)
		if err != nil {
			return err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: blue, Radius: 2, Shape: points.shape}
		p.Add(scatter)
	}
	return nil
}

const textSize = vg.Length(6)
