package reports

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
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
	{"SYN RECEIVED", plotters.Fill{Color: lightGray}, []session.State{session.Churned, session.Shunned, session.DroppedHandshake}},
	{"ESTABLISHED", hatched(skyBlue, 1), []session.State{session.ZeroWindow, session.ResetAfterHandshake, session.ClosedAfterHandshake, session.Silent}},
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
}

// paperRepeated is how often the paper saw a SYN-ACK repeated, NaN but where the handshake is dropped.
func (r *stateRow) paperRepeated() float64 {
	return datasets.InText("2", "repeated_synacks", r.state.String())
}

func (b *byState) rows(design estimate.Design) (rows []stateRow, err error) {
	for i := range tcpStates {
		for _, state := range tcpStates[i].states {
			r := stateRow{tcp: &tcpStates[i], state: state, repeated: math.NaN()}
			r.services, _ = b.Services(0, state.String())
			if r.share, err = b.Of(0, state.String()).Share(design); err != nil {
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
	rows, err := b.rows(over.design())
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
		Caption: "Services by their state, in the order of how far the server's TCP is seen to get. Above, shares of all services; below, SYN-ACKs " +
			"that a server repeats although they were acknowledged, per connection that ended in the state (what only several connections " +
			"show has none). n = " + n + ".",
		table: tabulate(n, rows,
			texts("tcp_state", func(r *stateRow) string { return r.tcp.name }),
			texts("state", func(r *stateRow) string { return r.state.String() }),
			numbers("services", "services", func(r *stateRow) int { return r.services }),
			numbers("connections", "connections", func(r *stateRow) int { return r.connections }),
			values("repeated_synacks", "SYN-ACKs per connection", func(r *stateRow) float64 { return r.repeated }),
			values("published_repeated_synacks", "SYN-ACKs per connection", (*stateRow).paperRepeated),
			estimates("share", "share of services", func(r *stateRow) estimate.Estimate { return r.share })),
		columns: 1, height: 3.3 * vg.Inch,
	}
	shares, repeats, err := plotStates(rows)
	if err != nil {
		return f, err
	}
	var legend []entry
	for _, t := range tcpStates {
		legend = append(legend, entry{t.name, []plot.Thumbnailer{t.fill}})
	}
	legend = append(legend, paperEntry(), entry{name: "n = " + plural(all, "service")})
	f.draw = func(c draw.Canvas) {
		stack(addLegend(c, 2, legend), []*plot.Plot{shares, repeats}, []float64{5, 3})
	}
	return f, nil
}

// plotStates draws the shares, and below them the repeated SYN-ACKs.
func plotStates(rows []stateRow) (shares, repeats *plot.Plot, err error) {
	shares, repeats = newPlot(), newPlot()
	names := make(plot.ConstantTicks, len(rows))
	var intervals []placed
	var solid, hollow, paper plotter.XYs
	var texts plotter.XYLabels
	for i, r := range rows {
		x := float64(i)
		names[i] = plot.Tick{Value: x, Label: r.state.String()}
		bar, err := plotters.NewStackedBars([]float64{x}, plotters.Layer{Fill: r.tcp.fill, Heights: []float64{orZero(r.share.Value)}})
		if err != nil {
			return nil, nil, err
		}
		shares.Add(bar)
		intervals = append(intervals, placed{x, r.share})
		top := orZero(r.share.Value)
		if r.share.HasInterval() {
			top = r.share.Hi
		}
		texts.XYs, texts.Labels = append(texts.XYs, plotter.XY{X: x, Y: top}), append(texts.Labels, percent(r.share.Value))
		switch point := (plotter.XY{X: x, Y: r.repeated}); {
		case math.IsNaN(r.repeated):
		case r.connections < fewServices:
			hollow = append(hollow, point)
		default:
			solid = append(solid, point)
		}
		paper = append(paper, plotter.XY{X: x, Y: r.paperRepeated()})
	}
	if err := addIntervals(shares, intervals, black); err != nil {
		return nil, nil, err
	}
	if err := addTexts(shares, texts, 2); err != nil {
		return nil, nil, err
	}
	for _, p := range []*plot.Plot{shares, repeats} {
		p.X.Min, p.X.Max = -0.6, float64(len(rows))-0.4
		p.X.Tick.Marker = plot.ConstantTicks(nil)
	}
	shares.Y.Label.Text, shares.Y.Tick.Marker, shares.Y.Min, shares.Y.Max = "Share (%)", plotters.Percents(25), 0, 1
	for _, points := range []struct {
		at    plotter.XYs
		shape draw.GlyphDrawer
	}{{solid, draw.CircleGlyph{}}, {hollow, draw.RingGlyph{}}} {
		if len(points.at) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(points.at)
		if err != nil {
			return nil, nil, err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: black, Radius: 2, Shape: points.shape}
		repeats.Add(scatter)
	}
	if err := addPaper(repeats, paper); err != nil {
		return nil, nil, err
	}
	repeats.Y.Label.Text, repeats.Y.Tick.Marker, repeats.Y.AutoRescale, repeats.Y.Min = "Repeated SYN-ACKs", plotters.Counts{}, true, 0
	repeats.X.Tick.Marker, repeats.X.Label.Text = names, "State of the service, or of the connection"
	upright(repeats)
	return shares, repeats, nil
}

// addTexts writes texts above points, a gap away.
func addTexts(p *plot.Plot, texts plotter.XYLabels, gap vg.Length) error {
	if len(texts.Labels) == 0 {
		return nil
	}
	labels, err := plotter.NewLabels(texts)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = sans(textSize)
		labels.TextStyle[i].XAlign = text.XCenter
	}
	labels.Offset.Y = gap
	p.Add(labels)
	return nil
}

const textSize = vg.Length(6)
