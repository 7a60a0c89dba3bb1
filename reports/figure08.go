package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/replay/order"
	"laserdisc/reports/plotters"
)

// coverLines are the lines of Figure 8: services that are counted for each, and what the paper says of them in the end.
var coverLines = []struct {
	name      string // in the table, and at the line's end
	ports     func() []uint16
	expected  bool   // whether those that speak what is expected on their port count
	published string // name of the number in the paper's text (section 3.2), "" for none
}{
	{"all ports", allOfThem, true, "all"},
	{"port 80", func() []uint16 { return []uint16{80} }, true, ""},
	{"80 without HTTP", func() []uint16 { return []uint16{80} }, false, ""},
	{"ephemeral ports", datasets.Ephemeral, true, "ephemeral"},
	{"port 49227", func() []uint16 { return []uint16{49227} }, true, ""},
}

func allOfThem() []uint16 {
	var list []uint16
	for port := range 1<<16 - 1 {
		list = append(list, uint16(port+1))
	}
	return list
}

// coverCountings count what Figure 8 is made from: whatever answer identifies a service counts.
func coverCountings(over sources) (list []analysis.Counting) {
	for _, l := range coverLines {
		list = append(list, analysis.Counting{
			Ports: l.ports(), Handshakes: over.handshakes(), Expected: l.expected, NoVariants: true, Seed: resampleSeed,
		})
	}
	return list
}

// coverStep is a row of the table: what so many handshakes identify.
type coverStep struct {
	line      string
	tried     int // handshakes, from 1
	handshake string
	share     estimate.Estimate
	published float64
}

// coverSteps computes a line. It has no step if no service acknowledges data, or nothing identifies one.
func coverSteps(i int, trials *orderTrials, design estimate.Design) (steps []coverStep, services int, err error) {
	outcomes, err := trials.cover(i)
	if err != nil {
		return nil, 0, err
	}
	for _, o := range outcomes.Services {
		services += o.Services
	}
	greedy := order.Greedy(order.Patterns(outcomes.Services), outcomes.Handshakes)
	if len(greedy) == 0 {
		return nil, services, nil
	}
	shares, between := outcomes.Identified(greedy)
	for k, s := range greedy {
		step := coverStep{line: coverLines[i].name, tried: k + 1, handshake: s.Handshake, published: math.NaN()}
		step.share, err = estimate.Bootstrap(shares[k], between[k].Lo, between[k].Hi, design, uint64(services), outcomes.Hosts)
		if err != nil {
			return nil, 0, err
		}
		if greedy[len(greedy)-1].Cumulative < enoughIdentified {
			step.share.Warnings = append(step.share.Warnings, fewIdentified)
		}
		if k == len(greedy)-1 {
			step.published = datasets.InText("3.2", "identified", coverLines[i].published)
		}
		steps = append(steps, step)
	}
	return steps, services, nil
}

// figure08 is the paper's Figure 8 (section 3.2): which share of services so many handshakes identify.
func figure08(trials *orderTrials, over sources) (figure, error) {
	var rows []coverStep
	var lines []coverLine
	var of []string
	for i := range coverLines {
		steps, services, err := coverSteps(i, trials, over.design())
		if err != nil {
			return figure{}, err
		}
		rows = append(rows, steps...)
		of = append(of, fmt.Sprintf("%s (%s)", plotters.Thousands(services), coverLines[i].name))
		lines = append(lines, coverLine{coverLines[i].name, steps, services})
	}
	n := strings.Join(of, ", ") + " services"
	f := figure{
		Caption: "Share of the services that sent or acknowledged data which so many handshakes identify, by whatever answer, in the order that " +
			"identifies the most with each. Services of hosts that acknowledge data on every port are left out if the scan looked for that. " +
			"Bands: the same order on other hosts, by resampling them. Diamonds: what all handshakes identify in the paper. n = " + n + ".",
		table: tabulate(n, rows,
			texts("services", func(s *coverStep) string { return s.line }),
			numbers("handshakes", "", func(s *coverStep) int { return s.tried }),
			texts("last", func(s *coverStep) string { return s.handshake }),
			estimates("share", "share of services that acknowledge data", func(s *coverStep) estimate.Estimate { return s.share }),
			paper("share of services that acknowledge data", func(s *coverStep) float64 { return s.published })),
		columns: 1, height: 2.6 * vg.Inch,
	}
	var few []string
	for _, l := range lines {
		if len(l.steps) > 0 && slices.Contains(l.steps[0].share.Warnings, fewIdentified) {
			few = append(few, l.name)
		}
	}
	if len(few) > 0 {
		f.Caption += fmt.Sprintf(" Fewer than %d of them are identified, so that few hosts decide the order: %s.", enoughIdentified, strings.Join(few, ", "))
	}
	p, err := plotCover(lines)
	f.draw = p.Draw
	return f, err
}

// coverLine is a line of the plot.
type coverLine struct {
	name     string
	steps    []coverStep
	services int
}

func plotCover(lines []coverLine) (*plot.Plot, error) {
	p := newPlot()
	most := 1
	for _, l := range lines {
		most = max(most, len(l.steps))
	}
	var ticks plot.ConstantTicks
	for k := 0; k < most; k += 1 + most/16 {
		ticks = append(ticks, plot.Tick{Value: float64(k + 1), Label: fmt.Sprint(k + 1)})
	}
	p.X.Label.Text, p.X.Tick.Marker = "Handshakes tried", ticks
	p.Y.Label.Text, p.Y.Tick.Marker = "Services identified (%)", plotters.Percents(20)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0.8, float64(most), 0, 1
	var list []labelled
	var marks plotter.XYLabels
	for i, l := range lines {
		var points, low, high plotter.XYs
		for _, s := range l.steps {
			x := float64(s.tried)
			points = append(points, plotter.XY{X: x, Y: s.share.Value})
			if !math.IsNaN(s.published) {
				marks.XYs = append(marks.XYs, plotter.XY{X: float64(most), Y: s.published})
				marks.Labels = append(marks.Labels, l.name+", paper")
			}
			if s.share.HasInterval() {
				low, high = append(low, plotter.XY{X: x, Y: s.share.Lo}), append(high, plotter.XY{X: x, Y: s.share.Hi})
			}
		}
		if n := len(points); n > 0 && n < most { // what is identified stays, whatever is tried after it
			last := func(list plotter.XYs) plotter.XYs {
				if len(list) == 0 {
					return nil
				}
				return append(list, plotter.XY{X: float64(most), Y: list[len(list)-1].Y})
			}
			points, low, high = last(points), last(low), last(high)
		}
		if err := addBand(p, low, high, curveStyles[i].line.Color); err != nil {
			return p, err
		}
		list = append(list, labelled{fmt.Sprintf("%s (%s)", l.name, plotters.SI(float64(l.services))), points, l.services < fewServices})
	}
	if err := addLines(p, list); err != nil {
		return p, err
	}
	return p, addPaperNamed(p, marks)
}
