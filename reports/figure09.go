package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/reports/plotters"
)

// coverage is one curve of Figure 9: where the services of a protocol are.
type coverage struct {
	protocol string
	total    int
	ports    []portCount // most services first
}

type portCount struct {
	port     uint16
	services int
}

// coverProtocols ranks the ports of each protocol by the number of its services there; of equals
// the lower port comes first. The protocol with the most services comes first.
func coverProtocols(kinds []analysis.Kind) []coverage {
	counts := make(map[string]map[uint16]int)
	for _, k := range kinds {
		if k.Label == "" {
			continue
		}
		if counts[k.Label] == nil {
			counts[k.Label] = make(map[uint16]int)
		}
		counts[k.Label][k.Port] += k.Services
	}
	var list []coverage
	for protocol, ports := range counts {
		cover := coverage{protocol: protocol}
		for port, n := range ports {
			cover.ports = append(cover.ports, portCount{port, n})
			cover.total += n
		}
		slices.SortFunc(cover.ports, func(a, b portCount) int {
			return cmp.Or(cmp.Compare(b.services, a.services), cmp.Compare(a.port, b.port))
		})
		list = append(list, cover)
	}
	slices.SortFunc(list, func(a, b coverage) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.protocol, b.protocol))
	})
	return list
}

// coverageRow is a line of the table: one port of a protocol.
type coverageRow struct {
	coverage   *coverage
	rank       int // from 1
	cumulative int // services on this port and those before it
}

func (r *coverageRow) port() portCount { return r.coverage.ports[r.rank-1] }

// figure09 is the paper's Figure 9 (section 3.2): how many ports hold what share of a protocol's services, for the ten
// protocols with the most.
func figure09(c *analysis.Census, _ sources) (figure, error) {
	covers := coverProtocols(c.Kinds())
	services, ports := 0, make(map[uint16]bool)
	var rows []coverageRow
	for i := range covers {
		sum := 0
		for k, p := range covers[i].ports {
			ports[p.port] = true
			sum += p.services
			rows = append(rows, coverageRow{&covers[i], k + 1, sum})
		}
		services += sum
	}
	n := fmt.Sprintf("%s of %s on %s", plural(services, "identified service"), plural(len(covers), "protocol"), plural(len(ports), "port"))
	f := figure{
		Caption: "Share of a protocol's services that are on its k most common ports, each protocol's ports ranked by its own services there. " +
			"n = " + n + "; in brackets, the services of each protocol.",
		table: tabulate(n, rows,
			texts("protocol", func(r *coverageRow) string { return r.coverage.protocol }),
			numbers("rank", "", func(r *coverageRow) int { return r.rank }),
			numbers("port", "", func(r *coverageRow) int { return int(r.port().port) }),
			numbers("services", "services", func(r *coverageRow) int { return r.port().services }),
			values("share", "share of the protocol's services", func(r *coverageRow) float64 { return ratio(r.port().services, r.coverage.total) }),
			values("cumulative_share", "share of the protocol's services", func(r *coverageRow) float64 { return ratio(r.cumulative, r.coverage.total) })),
		behind: func(row int) rowsWhere {
			r := &rows[row]
			return connectedOn(r.port().port, identified+" AND label = "+quoteSQL(r.coverage.protocol))
		},
		columns: 1, height: 2.9 * vg.Inch,
	}
	drawn := mostCommon(covers)
	if len(drawn) < len(covers) {
		f.Caption += fmt.Sprintf(" Shown are those with the most services, at most %d, and at least %d services each.", len(curves), leastServices)
	}
	p, legend, err := plotCoverage(drawn)
	if err != nil {
		return f, err
	}
	f.draw = func(c draw.Canvas) {
		drawUnder(addLegend(c, 4, legend), p, "Number of ports, most common first (n = "+plotters.Thousands(services)+")")
	}
	return f, nil
}

// leastServices is how many services a curve is drawn for: that of a handful says nothing.
const leastServices = 10

func mostCommon(covers []coverage) []coverage {
	n := slices.IndexFunc(covers, func(c coverage) bool { return c.total < leastServices })
	if n < 0 {
		n = len(covers)
	}
	return covers[:min(n, len(curves))]
}

// plotCoverage draws the curves, the first on top, and gives their legend.
func plotCoverage(covers []coverage) (*plot.Plot, []entry, error) {
	p := newPlot()
	most := 10
	for _, c := range covers {
		most = max(most, len(c.ports))
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plotters.Decades{}
	p.Y.Label.Text, p.Y.Tick.Marker = "Share of a protocol's services (%)", plotters.Percents(20)
	legend := make([]entry, len(covers))
	for i := len(covers) - 1; i >= 0; i-- {
		points, marks := covers[i].curve(math.Log(float64(most)), float64(i)/float64(len(curves)))
		line, markers, err := newCurve(i, points, marks)
		if err != nil {
			return nil, nil, err
		}
		p.Add(line, markers)
		legend[i] = entry{covers[i].protocol + " (" + plotters.SI(float64(covers[i].total)) + ")", []plot.Thumbnailer{line, markers}}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 1, float64(most), 0, 1
	return p, legend, nil
}

// curve gives the points of a protocol's curve, and those that have a marker. A point for each port would be more than a
// page can show, so it is thinned to places that differ. The markers of different curves are shifted, by a part from 0 to
// 1 of the room between two, so that they do not cover each other. Width is that of the axis, as a logarithm.
func (c *coverage) curve(width, shift float64) (points, marks plotter.XYs) {
	const fine, apart = 0.001, 0.16 // of the axes
	sum, x, marked := 0, 0.0, math.Inf(-1)
	for i, port := range c.ports {
		sum += port.services
		at := plotter.XY{X: float64(i + 1), Y: ratio(sum, c.total)}
		here := math.Log(at.X) / width
		end := i == 0 || i == len(c.ports)-1
		if end || here-x > fine || at.Y-points[len(points)-1].Y > fine {
			points, x = append(points, at), here
		}
		if end || here > marked+apart && here > shift*apart {
			marks, marked = append(marks, at), here
		}
	}
	return points, marks
}
