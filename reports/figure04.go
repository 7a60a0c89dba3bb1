package reports

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/reports/plotters"
)

// behaviours are those whose blocks Figure 4 shows.
var behaviours = []struct{ name, title string }{
	{session.ResetAfterHandshake.String(), "reset or closed"},
	{session.ZeroWindow.String(), "zero window"},
	{session.DynamicBlocking.String(), "dynamic blocking"},
	{session.Shunned.String(), "connection shunning"},
	{session.DroppedHandshake.String(), "handshake dropped"},
	{leftOver, "none of these"},
	{session.AllPorts.String(), "all ports"},
	{session.AcksData.String(), "acknowledges data"},
}

// behaviour is how a service behaves, for Figure 4.
func behaviour(s *analysis.Seen) string {
	switch d := defence(s.State); {
	case d != "":
		return d
	case s.State == session.AllPorts:
		return session.AllPorts.String()
	}
	return session.AcksData.String()
}

// blockRow is a line of the table: how many services of a behaviour are in blocks of a size, or larger ones.
type blockRow struct {
	behaviour string
	prefix    int // length of the prefix that has as many addresses
	addresses int // 2^62 for that and more
	services  int
	share     estimate.Estimate
}

// figure04 is the paper's Figure 4 (section 2): for each behaviour, how large the blocks of consecutive addresses are that show it.
func figure04(s *analysis.Streaks, over sources) (figure, error) {
	run := over[0].Manifests[0]
	drawn, design := run.Sample.Bits, analysis.BlockDesignOf(run)
	shares, err := s.Blocks(drawn)
	if err != nil {
		return figure{}, err
	}
	width := s.AddressBits()
	var rows []blockRow
	var lines []blockLine
	all, few := 0, 0
	largest := 0 // block that there is, as a power of two
	for _, b := range behaviours {
		if kinds := shares.Kinds(b.name); len(kinds) > 0 {
			largest = max(largest, slices.Max(kinds))
		}
	}
	last := min(largest+1, width-drawn) // where the picture ends
	for _, b := range behaviours {
		_, services := shares.Services(b.name, 0)
		all += services
		line := blockLine{name: fmt.Sprintf("%s (%s)", b.title, plotters.SI(float64(services)))}
		for k := 0; k <= last && services > 0; k++ {
			r := blockRow{behaviour: b.name, prefix: width - k, addresses: 1 << min(k, 62)}
			r.services, _ = shares.Services(b.name, k)
			if r.share, err = shares.Of(b.name, k).Share(design); err != nil {
				return figure{}, err
			}
			rows = append(rows, r)
			if k == 0 || line.points[len(line.points)-1].Y > 0 { // there is one point at most where nothing is left
				line.points = append(line.points, plotter.XY{X: float64(k), Y: r.share.Value})
				line.intervals = append(line.intervals, placed{float64(k), r.share})
			}
		}
		switch {
		case services >= fewServices:
			lines = append(lines, line)
		case services > 0:
			few++
		}
	}
	n := fmt.Sprintf("%s in blocks of /%d", plural(all, "service"), drawn)
	f := figure{
		Caption: "Services by the largest block of consecutive addresses that they are in which all behave like them on the same port: share in a block " +
			fmt.Sprintf("that has at least as many addresses as the prefix. Blocks end where those of the sample do, at /%d, and hosts here are such. ", drawn) +
			"In brackets, the services of each behaviour. n = " + n + ".",
		table: tabulate(n, rows,
			texts("behaviour", func(r *blockRow) string { return r.behaviour }),
			numbers("prefix_length", "", func(r *blockRow) int { return r.prefix }),
			numbers("addresses", "addresses at least", func(r *blockRow) int { return r.addresses }),
			numbers("services", "services", func(r *blockRow) int { return r.services }),
			estimates("share", "share of the behaviour's services", func(r *blockRow) estimate.Estimate { return r.share })),
		design:  design,
		columns: 1, height: 2.9 * vg.Inch,
	}
	if few > 0 {
		f.Caption += fmt.Sprintf(" Behaviours of fewer than %d services are only in the table.", fewServices)
	}
	p, legend, err := plotBlocks(lines)
	if err != nil {
		return f, err
	}
	var ticks plot.ConstantTicks
	for k := range last + 1 {
		ticks = append(ticks, plot.Tick{Value: float64(k), Label: fmt.Sprintf("/%d", width-k)})
	}
	p.X.Label.Text, p.X.Tick.Marker = "Addresses in a row, at least; n = "+plural(all, "service"), ticks
	p.X.Min, p.X.Max = 0, float64(max(1, last))
	f.draw = func(c draw.Canvas) { p.Draw(addLegend(c, 2, legend)) }
	return f, nil
}

// blockLine is the curve of a behaviour.
type blockLine struct {
	name      string
	points    plotter.XYs
	intervals []placed
}

func plotBlocks(lines []blockLine) (*plot.Plot, []entry, error) {
	p := newPlot()
	var legend []entry
	for i, l := range lines {
		if err := addIntervals(p, l.intervals, curveStyles[i].line.Color); err != nil {
			return nil, nil, err
		}
		line, markers, err := newCurve(i, l.points, l.points)
		if err != nil {
			return nil, nil, err
		}
		p.Add(line, markers)
		legend = append(legend, entry{l.name, []plot.Thumbnailer{line, markers}})
	}
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Services in such a block (%)", plotters.Percents(25), 0, 1
	return p, legend, nil
}
