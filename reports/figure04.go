package reports

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/reports/plotters"
)

// behaviours are those whose blocks Figure 4 shows.
var behaviours = []struct{ name, title string }{
	{session.ResetAfterHandshake.String(), "reset"},
	{session.ZeroWindow.String(), "zero window"},
	{session.DynamicBlocking.String(), "blocking"},
	{session.Shunned.String(), "shunning"},
	{session.DroppedHandshake.String(), "dropped"},
	{leftOver, "left over"},
	{session.AllPorts.String(), "all ports"},
	{session.AcksData.String(), "acks data"},
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
	var lines []labelled
	var intervals [][]placed // of each line
	all, largest, few := 0, 0, 0
	for _, b := range behaviours {
		if kinds := shares.Kinds(b.name); len(kinds) > 0 {
			largest = max(largest, slices.Max(kinds))
		}
	}
	for _, b := range behaviours {
		_, services := shares.Services(b.name, 0)
		all += services
		line := labelled{name: fmt.Sprintf("%s (%s)", b.title, plotters.SI(float64(services)))}
		var bars []placed
		for k := 0; k <= largest && services > 0; k++ {
			r := blockRow{behaviour: b.name, prefix: width - k, addresses: 1 << min(k, 62)}
			r.services, _ = shares.Services(b.name, k)
			if r.share, err = shares.Of(b.name, k).Share(design); err != nil {
				return figure{}, err
			}
			rows = append(rows, r)
			line.points = append(line.points, plotter.XY{X: float64(k), Y: r.share.Value})
			bars = append(bars, placed{float64(k), r.share})
		}
		switch {
		case services >= fewServices:
			lines, intervals = append(lines, line), append(intervals, bars)
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
		columns: 1, height: 2.6 * vg.Inch,
	}
	if few > 0 {
		f.Caption += fmt.Sprintf(" Behaviours of fewer than %d services are only in the table.", fewServices)
	}
	p := newPlot()
	for i, bars := range intervals {
		if err := addIntervals(p, bars, curveStyles[i].line.Color); err != nil {
			return f, err
		}
	}
	if err := addLines(p, lines); err != nil {
		return f, err
	}
	var ticks plot.ConstantTicks
	for k := range largest + 1 {
		ticks = append(ticks, plot.Tick{Value: float64(k), Label: fmt.Sprintf("/%d", width-k)})
	}
	p.X.Label.Text, p.X.Tick.Marker = "Block of at least; n = "+plural(all, "service"), ticks
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Services in such a block (%)", plotters.Percents(25), 0, 1
	p.X.Min, p.X.Max = 0, float64(max(1, largest))
	f.draw = p.Draw
	return f, nil
}
