package reports

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// The paper's cuts between hosts with few unknown services and those with one on nearly every port (section 3.1).
const (
	fewUnknown  = 4      // fewer than that
	manyUnknown = 60_000 // more than that
)

// unknownRow is a line of the table.
type unknownRow struct {
	name   string
	of     string
	number int
	share  estimate.Estimate
	paper  float64
}

// unknownsPerHost shows that there are hosts with few services that nothing identifies, and hosts with one on nearly every port
// (paper, section 3.1).
func unknownsPerHost(u *analysis.Unknowns, over sources) (figure, error) {
	list := u.Hosts()
	hosts, few, many, removed := 0, 0, 0, 0
	var ofMany estimate.Hosts // those with many, and which of their services were told
	for _, h := range list {
		hosts += h.Hosts
		switch {
		case h.Unknown < fewUnknown:
			few += h.Hosts
		case h.Unknown > manyUnknown:
			many += h.Hosts
			removed += h.Removed * h.Hosts
			for range h.Hosts {
				ofMany.Add(uint32(h.Removed), uint32(h.Unknown))
			}
		}
	}
	rows := []unknownRow{
		{name: "few_unknown", of: "hosts", number: few},
		{name: "between", of: "hosts", number: hosts - few - many},
		{name: "many_unknown", of: "hosts", number: many},
		{name: "removed", of: "services", number: removed},
	}
	for i := range rows {
		r := &rows[i]
		sums := estimate.Alone(uint64(r.number), uint64(hosts))
		if r.of == "services" {
			sums = ofMany
		}
		var err error
		if r.share, err = sums.Share(over.design()); err != nil {
			return figure{}, err
		}
		r.paper = datasets.InText("3.1", r.name, r.of)
	}
	n := plural(hosts, "host") + " with a service that acknowledges data and that nothing identifies"
	f := figure{
		Caption: fmt.Sprintf("Hosts by how many services they have that acknowledge data and that nothing identifies: the paper finds fewer than %d on 98 %% of "+
			"hosts and more than %s on 2 %%. The last line of the table is the share of the services of such hosts that ephemeral probes tell "+
			"as those of all-ports hosts. %s n = %s.", fewUnknown, plotters.Thousands(manyUnknown), dipOf(list, over), n),
		table: tabulate(n, rows,
			texts("name", func(r *unknownRow) string { return r.name }),
			texts("of", func(r *unknownRow) string { return r.of }),
			numbers("number", "hosts or services", func(r *unknownRow) int { return r.number }),
			estimates("share", "share of the services that `of` names", func(r *unknownRow) estimate.Estimate { return r.share }),
			paper("share of the services that `of` names", func(r *unknownRow) float64 { return r.paper })),
		columns: 1, height: 2.2 * vg.Inch,
	}
	p, err := plotUnknowns(list, hosts)
	if err != nil {
		return f, err
	}
	f.draw = func(c draw.Canvas) {
		drawUnder(c, p, "Unknown services of a host, more than (n = "+plural(hosts, "host")+")")
	}
	return f, nil
}

// dipValues is how many hosts the dip test takes at most, at equal steps through all: it repeats itself on as many random values.
const (
	dipValues  = 10_000
	dipSamples = 1000
)

// dipOf says in a caption whether the numbers have one mode, by Hartigan's dip test on their logarithms. A number stands for a
// stretch of the logarithmic scale, up to the next, in which its hosts are spread evenly: otherwise every number would be a mode.
func dipOf(list []analysis.UnknownCount, over sources) string {
	hosts := 0
	for _, h := range list {
		hosts += h.Hosts
	}
	step := max(1, (hosts+dipValues-1)/dipValues)
	var logs []float64
	before := 0 // hosts
	for _, h := range list {
		low, high := math.Log(float64(h.Unknown)), math.Log(float64(h.Unknown+1))
		for i := range h.Hosts {
			if (before+i)%step == 0 {
				logs = append(logs, low+(high-low)*(float64(i)+0.5)/float64(h.Hosts))
			}
		}
		before += h.Hosts
	}
	if len(logs) < 4 {
		return "There are too few for a test of whether they have one mode."
	}
	test, err := estimate.DipTest(logs, dipSamples, rand.New(rand.NewPCG(over[0].Manifests[0].Seed, 1)))
	if err != nil {
		return "Whether they have one mode was not tested: " + err.Error() + "."
	}
	return fmt.Sprintf("Hypothesis that the logarithms have one mode: dip %.3g, p = %.2g (Hartigan and Hartigan 1985, %d of the hosts).",
		test.Statistic, test.P, test.N)
}

// plotUnknowns draws which share of the hosts has more than so many unknown services.
func plotUnknowns(list []analysis.UnknownCount, hosts int) (*plot.Plot, error) {
	p := newPlot()
	p.X.Scale, p.X.Tick.Marker, p.X.Min, p.X.Max = plot.LogScale{}, plotters.Decades{}, 1, 65535
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Hosts (%)", plotters.Percents(25), 0, 1
	var points plotter.XYs
	left := hosts
	for _, h := range list {
		points = append(points, plotter.XY{X: float64(h.Unknown), Y: ratio(left, hosts)})
		left -= h.Hosts
		points = append(points, plotter.XY{X: float64(h.Unknown), Y: ratio(left, hosts)})
	}
	if len(points) == 0 {
		return p, nil
	}
	points = append(plotter.XYs{{X: 1, Y: 1}}, points...)
	points = append(points, plotter.XY{X: 65535, Y: 0})
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.LineStyle = curveStyles[0].line
	p.Add(line)
	for _, cut := range []float64{fewUnknown - 1, manyUnknown} {
		if err := addLine(p, ruleLine, plotter.XY{X: cut, Y: 0}, plotter.XY{X: cut, Y: 1}); err != nil {
			return nil, err
		}
	}
	return p, addPaper(p, plotter.XYs{
		{X: fewUnknown - 1, Y: 1 - datasets.InText("3.1", "few_unknown", "hosts")},
		{X: manyUnknown, Y: datasets.InText("3.1", "many_unknown", "hosts")},
	})
}
