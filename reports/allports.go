package reports

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/reports/plotters"
)

// allPorts shows how many ephemeral probes it takes to tell firewalls that acknowledge data on every port (paper, section
// 3.1): how many hosts acknowledge all of them, and what share of the services that nothing identifies is theirs.
func allPorts(a *analysis.AllPorts, _ sources) (figure, error) {
	steps, hosts, services := a.Steps()
	n := fmt.Sprintf("%s that acknowledged data and said nothing, %s that do", plural(hosts, "host"), plural(services, "service"))
	f := figure{
		Caption: "Hosts that acknowledge data on each of k random ephemeral ports, of those that were tried because a service of theirs " +
			"acknowledged data and said nothing; and the share that is theirs of all such services. n = " + n + ".",
		table: tabulate(n, steps,
			numbers("probes", "ephemeral ports tried", func(s *analysis.AllPortsStep) int { return s.Probes }),
			numbers("hosts", "hosts", func(s *analysis.AllPortsStep) int { return s.Hosts }),
			values("host_share", "share of hosts tried", func(s *analysis.AllPortsStep) float64 { return ratio(s.Hosts, hosts) }),
			numbers("services", "services", func(s *analysis.AllPortsStep) int { return s.Services }),
			values("service_share", "share of services that acknowledge data and say nothing", func(s *analysis.AllPortsStep) float64 {
				return ratio(s.Services, services)
			})),
		columns: 1, height: 2 * vg.Inch,
	}
	p := newPlot()
	var ofHosts, ofServices plotter.XYs
	var ticks plot.ConstantTicks
	for _, s := range steps {
		ofHosts = append(ofHosts, plotter.XY{X: float64(s.Probes), Y: float64(s.Hosts) / float64(max(1, hosts))})
		ofServices = append(ofServices, plotter.XY{X: float64(s.Probes), Y: float64(s.Services) / float64(max(1, services))})
		ticks = append(ticks, plot.Tick{Value: float64(s.Probes), Label: fmt.Sprint(s.Probes)})
	}
	if err := addLines(p, []labelled{{name: "of hosts", points: ofHosts}, {name: "of services", points: ofServices}}); err != nil {
		return f, err
	}
	p.X.Label.Text, p.X.Tick.Marker = "Ephemeral ports tried; n = "+plural(hosts, "host")+", "+plural(services, "service"), ticks
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Acknowledged on all (%)", plotters.Percents(25), 0, 1
	f.draw = p.Draw
	return f, nil
}
