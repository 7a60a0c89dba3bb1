package reports

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/reports/plotters"
)

// allPorts shows how many ephemeral probes it takes to tell firewalls that acknowledge data on every port (paper, section
// 3.1): how many hosts acknowledge all of them, and what share of the services that nothing identifies is theirs.
func allPorts(a *analysis.AllPorts, _ runs) (figure, error) {
	steps, hosts, services := a.Steps()
	n := fmt.Sprintf("%s that acknowledged data and said nothing, %s that do", plural(hosts, "host"), plural(services, "service"))
	f := figure{
		Caption: "Hosts that acknowledge data on each of k random ephemeral ports, of those that were tried because a service of theirs " +
			"acknowledged data and said nothing; and the share that is theirs of all such services. n = " + n + ".",
		table: tabulate(n, steps,
			numbers("probes", "ephemeral ports tried", func(s *analysis.AllPortsStep) int { return s.Probes }),
			numbers("hosts", "hosts", func(s *analysis.AllPortsStep) int { return s.Hosts }),
			shares("host_share", "share of hosts tried", func(s *analysis.AllPortsStep) float64 { return ratio(s.Hosts, hosts) }),
			numbers("services", "services", func(s *analysis.AllPortsStep) int { return s.Services }),
			shares("service_share", "share of services that acknowledge data and say nothing", func(s *analysis.AllPortsStep) float64 {
				return ratio(s.Services, services)
			})),
		width: oneColumn, height: 2 * vg.Inch,
	}
	p := newPlot()
	var ofHosts, ofServices plotter.XYs
	var ticks plot.ConstantTicks
	for _, s := range steps {
		ofHosts = append(ofHosts, plotter.XY{X: float64(s.Probes), Y: float64(s.Hosts) / float64(max(1, hosts))})
		ofServices = append(ofServices, plotter.XY{X: float64(s.Probes), Y: float64(s.Services) / float64(max(1, services))})
		ticks = append(ticks, plot.Tick{Value: float64(s.Probes), Label: fmt.Sprint(s.Probes)})
	}
	if err := addLines(p, []labelled{{"of hosts", ofHosts}, {"of services", ofServices}}); err != nil {
		return f, err
	}
	p.X.Label.Text, p.X.Tick.Marker = "Ephemeral ports tried; n = "+plural(hosts, "host")+", "+plural(services, "service"), ticks
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Acknowledged on all (%)", plotters.Percents(25), 0, 1
	f.draw = p.Draw
	return f, nil
}

// labelled is a line of a plot with the name that stands at its end.
type labelled struct {
	name   string
	points plotter.XYs
}

// addLines draws lines in the styles of curves, and labels at their ends. A line without points is left out.
func addLines(p *plot.Plot, lines []labelled) error {
	var ends plotter.XYs
	var names []string
	var styles []draw.LineStyle
	for i, l := range lines {
		if len(l.points) == 0 {
			continue
		}
		line, err := plotter.NewLine(l.points)
		if err != nil {
			return err
		}
		markers, err := plotter.NewScatter(l.points)
		if err != nil {
			return err
		}
		line.LineStyle = curves[i].line
		markers.GlyphStyle = draw.GlyphStyle{Color: curves[i].line.Color, Radius: 1.9, Shape: curves[i].glyph}
		p.Add(line, markers)
		ends, names, styles = append(ends, l.points[len(l.points)-1]), append(names, l.name), append(styles, line.LineStyle)
	}
	if len(ends) > 0 {
		p.Add(plotters.NewEndLabels(ends, names, sans(tickSize), styles))
	}
	return nil
}
