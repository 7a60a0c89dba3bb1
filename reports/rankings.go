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
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// The paper finds that 7 of Telnet's ten most common ports rank below 12,000 among all (section 3.2).
const (
	topPorts  = 10
	rankBelow = 12_000
)

// ranking compares where a protocol's services are with where all are.
type ranking struct {
	protocolPortsRanked
	top  []rankedPort  // its most common ports, at most topPorts
	test estimate.Test // Spearman's, over the ports that the protocol was seen on
	ok   bool          // whether there is a test: of three ports at least, whose numbers differ
}

// protocolPortsRanked are the ports of a protocol, most services first.
type protocolPortsRanked struct {
	protocol string
	total    int
	ports    []portCount
}

type portCount struct {
	port     uint16
	services int
}

// rankOwn ranks the ports of each protocol by the number of its services there; of equals the lower port comes first. The
// protocol with the most services comes first.
func rankOwn(kinds []analysis.Kind) []protocolPortsRanked {
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
	var list []protocolPortsRanked
	for protocol, ports := range counts {
		one := protocolPortsRanked{protocol: protocol}
		for port, n := range ports {
			one.ports = append(one.ports, portCount{port, n})
			one.total += n
		}
		slices.SortFunc(one.ports, func(a, b portCount) int {
			return cmp.Or(cmp.Compare(b.services, a.services), cmp.Compare(a.port, b.port))
		})
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b protocolPortsRanked) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.protocol, b.protocol))
	})
	return list
}

// rankedPort is one of a protocol's ports, with its place among all.
type rankedPort struct {
	portCount
	rank int // 1 and the number of ports that have more services of whatever kind
}

// below is how many of the top ports rank below what the paper names.
func (r *ranking) below() int {
	n := 0
	for _, p := range r.top {
		if p.rank > rankBelow {
			n++
		}
	}
	return n
}

// paperBelow is the paper's share of top ports below; NaN but for Telnet.
func (r *ranking) paperBelow() float64 {
	return datasets.InText("3.2", "top10_below_12000", r.protocol)
}

// rankByProtocol compares the protocols, most services first.
func rankByProtocol(kinds []analysis.Kind) []ranking {
	services := make(map[uint16]int)
	for _, k := range kinds {
		services[k.Port] += k.Services
	}
	var counts []int // of all ports, descending
	for _, n := range services {
		counts = append(counts, n)
	}
	slices.SortFunc(counts, func(a, b int) int { return cmp.Compare(b, a) })
	var list []ranking
	for _, c := range rankOwn(kinds) {
		r := ranking{protocolPortsRanked: c}
		var own, all []float64
		for i, p := range c.ports {
			own, all = append(own, float64(p.services)), append(all, float64(services[p.port]))
			if i < topPorts {
				more, _ := slices.BinarySearchFunc(counts, services[p.port], func(n, of int) int { return cmp.Compare(of, n) })
				r.top = append(r.top, rankedPort{p, more + 1})
			}
		}
		var err error
		r.test, err = estimate.Spearman(own, all)
		r.ok = err == nil // the only errors are of too few ports, or of equal numbers
		list = append(list, r)
	}
	return list
}

// rankingRow is a line of the table: one of a protocol's most common ports.
type rankingRow struct {
	*ranking
	place int // from 1
}

func (r *rankingRow) port() rankedPort { return r.top[r.place-1] }

// rankings shows that a protocol's most common ports need not be those with most services (paper, section 3.2).
func rankings(c *analysis.Census, _ sources) (figure, error) {
	list := rankByProtocol(c.Kinds())
	services := 0
	var rows []rankingRow
	for i := range list {
		services += list[i].total
		for place := range list[i].top {
			rows = append(rows, rankingRow{&list[i], place + 1})
		}
	}
	n := fmt.Sprintf("%s of %s", plural(services, "identified service"), plural(len(list), "protocol"))
	f := figure{
		Caption: fmt.Sprintf("The %d most common ports of each protocol, by their rank among all ports by number of services; hollow are ports with fewer than %d "+
			"services of the protocol. At the right, Spearman's correlation of the protocol's services per port with all services per port, over the "+
			"ports that it was seen on, and how many of the %d ports rank below %s (in the paper, %.0f of Telnet's). A sample that is small for "+
			"the number of ports has many ports "+
			"with equally many services, which have the best rank of theirs. n = %s.", topPorts, fewServices, topPorts, plotters.Thousands(rankBelow),
			topPorts*datasets.InText("3.2", "top10_below_12000", "telnet"), n),
		table: tabulate(n, rows,
			texts("protocol", func(r *rankingRow) string { return r.protocol }),
			numbers("place", "", func(r *rankingRow) int { return r.place }),
			numbers("port", "", func(r *rankingRow) int { return int(r.port().port) }),
			numbers("services", "services", func(r *rankingRow) int { return r.port().services }),
			numbers("rank_among_all", "", func(r *rankingRow) int { return r.port().rank }),
			numbers("ports", "ports of the protocol", func(r *rankingRow) int { return len(r.ports) }),
			values("spearman", "", func(r *rankingRow) float64 { return r.tested(r.test.Statistic) }),
			values("p", "", func(r *rankingRow) float64 { return r.tested(r.test.P) }),
			values("below_12000", "share of the protocol's top ports", func(r *rankingRow) float64 { return ratio(r.below(), len(r.top)) }),
			values("published_below_12000", "share of the protocol's top ports", func(r *rankingRow) float64 { return r.paperBelow() })),
		behind:  func(row int) servicesWhere { return and(onPort(rows[row].port().port), speaking(rows[row].protocol)) },
		columns: 1,
	}
	drawn := list
	if few := slices.IndexFunc(list, func(r ranking) bool { return r.total < leastServices }); few >= 0 {
		drawn = list[:few]
	}
	drawn = drawn[:min(len(drawn), len(curveStyles))]
	if len(drawn) < len(list) {
		f.Caption += fmt.Sprintf(" Shown are the protocols with the most services, at most %d, and at least %d services each.", len(curveStyles), leastServices)
	}
	f.height = 0.9*vg.Inch + 13*vg.Length(max(1, len(drawn)))
	p, err := plotRankings(drawn)
	if err != nil {
		return f, err
	}
	f.draw = func(c draw.Canvas) {
		drawUnder(c, p, "Rank of the port among all, by services (n = "+plotters.Thousands(services)+")")
	}
	return f, nil
}

// tested is a number of the test, NaN if there is none.
func (r *ranking) tested(v float64) float64 {
	if !r.ok {
		return math.NaN()
	}
	return v
}

func plotRankings(list []ranking) (*plot.Plot, error) {
	p := newPlot()
	names := make(plot.ConstantTicks, len(list))
	var solid, hollow plotter.XYs
	texts := plotter.XYLabels{}
	for i, r := range list {
		y := -float64(i)
		names[i] = plot.Tick{Value: y, Label: r.protocol + " (" + plotters.SI(float64(r.total)) + ")"}
		for _, port := range r.top {
			at := plotter.XY{X: float64(port.rank), Y: y}
			if port.services < fewServices {
				hollow = append(hollow, at)
			} else {
				solid = append(solid, at)
			}
		}
		says := ""
		if r.ok {
			says = fmt.Sprintf("%.2f; ", r.test.Statistic)
		}
		texts.XYs = append(texts.XYs, plotter.XY{X: 65535, Y: y})
		texts.Labels = append(texts.Labels, fmt.Sprintf("%s%d of %d", says, r.below(), len(r.top)))
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plotters.Decades{}
	p.Y.Tick.Marker = names
	if err := addLine(p, ruleLine, plotter.XY{X: rankBelow, Y: 0.5}, plotter.XY{X: rankBelow, Y: 0.5 - float64(max(1, len(list)))}); err != nil {
		return nil, err
	}
	if err := addPoints(p, solid, hollow); err != nil {
		return nil, err
	}
	texts.XYs, texts.Labels = append(texts.XYs, plotter.XY{X: 65535, Y: 0.9}), append(texts.Labels, "Spearman; >12,000")
	p.Add(plotters.NewEndLabels(texts.XYs, texts.Labels, sans(textSize), slices.Repeat([]draw.LineStyle{{Color: black}}, len(texts.Labels))))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 1, 65535, 0.5-float64(max(1, len(list))), 1.3
	return p, nil
}
