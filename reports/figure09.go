package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// coverage is one curve of Figure 9: where the services of a protocol are.
type coverage struct {
	protocol string
	total    int
	ports    []estimate.PortServices // most services first
	curve    *estimate.Curve

	published []float64 // shares on so many ports, in the paper
}

// coverProtocols makes the curve of each protocol, that with the most services first.
func coverProtocols(curves *analysis.Curves, design estimate.Design) ([]coverage, error) {
	var list []coverage
	for _, p := range curves.Protocols() {
		curve, err := p.Ports.Curve(design)
		if err != nil {
			return nil, err
		}
		list = append(list, coverage{p.Protocol, p.Services, p.Ports.Ranking(), curve, publishedCoverage(p.Protocol)})
	}
	return list, nil
}

// publishedCoverage adds up the shares of a protocol's services that the paper has on the first ports.
func publishedCoverage(protocol string) (shares []float64) {
	sum := 0.0
	for _, v := range datasets.Text() {
		if v.Section == "3.2" && v.Name == "on_port" && strings.HasPrefix(v.Of, protocol+"/") {
			sum += v.Value
			shares = append(shares, sum)
		}
	}
	return shares
}

// share is the share of the services on the k ports that have most, k at least 1.
func (c *coverage) share(k int) estimate.Estimate {
	e, err := c.curve.Share(k)
	if err != nil {
		panic(err) // only for k below 1
	}
	return e
}

// portsFor is how many ports it takes to hold a share of the services.
func (c *coverage) portsFor(share float64) estimate.Estimate {
	e, err := c.curve.PortsFor(share)
	if err != nil {
		panic(err) // only for shares that are none
	}
	return e
}

// coverageRow is a line of the table: a number of ports.
type coverageRow struct {
	coverage *coverage
	k        int // from 1
}

// port is the last of the k ports, if so many were seen.
func (r *coverageRow) port() *estimate.PortServices { return at(r.coverage.ports, r.k-1) }

// published is the share that the paper has there.
func (r *coverageRow) published() float64 {
	return elementOr(r.coverage.published, r.k-1, math.NaN())
}

// coverageAt are numbers of ports that the table has for every curve that is drawn, whether so many were seen or not.
var coverageAt = []int{1, 10, 100, 1000, 10_000}

// rows are the table's lines of a protocol: every port that was seen, and further numbers of ports if the curve is drawn.
func (c *coverage) rows(drawn bool) []coverageRow {
	var rows []coverageRow
	for k := range c.ports {
		rows = append(rows, coverageRow{c, k + 1})
	}
	if drawn {
		for _, k := range coverageAt {
			if k > len(c.ports) {
				rows = append(rows, coverageRow{c, k})
			}
		}
	}
	return rows
}

// ofCoverage says what the curves are of.
func ofCoverage(covers []coverage) (n string, services int) {
	ports := make(map[uint16]bool)
	for i := range covers {
		services += covers[i].total
		for _, p := range covers[i].ports {
			ports[p.Port] = true
		}
	}
	return fmt.Sprintf("%s of %s on %s", plural(services, "identified service"), plural(len(covers), "protocol"), plural(len(ports), "port")), services
}

// figure09 is the paper's Figure 9 (section 3.2): how many ports hold what share of a protocol's services, for the ten
// protocols with the most.
func figure09(curves *analysis.Curves, over sources) (figure, error) {
	covers, err := coverProtocols(curves, over.design())
	if err != nil {
		return figure{}, err
	}
	drawn := mostCommon(covers)
	var rows []coverageRow
	for i := range covers {
		rows = append(rows, covers[i].rows(i < len(drawn))...)
	}
	n, services := ofCoverage(covers)
	f := figure{
		Caption: "Share of a protocol's services that are on its k most common ports. Line: as in the sample, where the ports that have most have " +
			"more than their share and rare ones are missing. Band: from ports ranked by one half of the hosts and counted on the other, up " +
			"to the line and its error. n = " + n + "; in brackets, the services of each protocol.",
		table: tabulate(n, rows,
			texts("protocol", func(r *coverageRow) string { return r.coverage.protocol }),
			numbers("ports", "", func(r *coverageRow) int { return r.k }),
			numbers("last_port", "", func(r *coverageRow) int {
				return get(r.port(), -1, func(p estimate.PortServices) int { return int(p.Port) })
			}),
			numbers("services", "services", func(r *coverageRow) int {
				return get(r.port(), -1, func(p estimate.PortServices) int { return int(p.Services) })
			}),
			estimates("share", "share of the protocol's services", func(r *coverageRow) estimate.Estimate { return r.coverage.share(r.k) }),
			paper("share of the protocol's services", (*coverageRow).published)),
		behind: func(row int) servicesWhere {
			r := &rows[row]
			return get(r.port(), servicesWhere{}, func(p estimate.PortServices) servicesWhere {
				return and(onPort(p.Port), speaking(r.coverage.protocol))
			})
		},
		columns: 1, height: 3 * vg.Inch,
	}
	if len(drawn) < len(covers) {
		f.Caption += fmt.Sprintf(" Shown are those with the most services, at most %d, and at least %d services each.", len(curveStyles), leastServices)
	}
	if len(drawn) == 0 {
		f.drawNote(fmt.Sprintf("No protocol has %d services, which a curve takes at least: there are %s.", leastServices, n))
		return f, nil
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

// drawNote says why there is nothing to draw.
func (f *figure) drawNote(note string) {
	f.height = vg.Inch / 2
	f.draw = func(c draw.Canvas) {
		style := sans(labelSize)
		style.Color = gray
		style.XAlign, style.YAlign = text.XCenter, text.YCenter
		c.FillText(style, c.Center(), strings.ReplaceAll(note, ": ", ":\n"))
	}
}

// leastServices is how many services a curve is drawn for: that of a handful says nothing.
const leastServices = fewServices

func mostCommon(covers []coverage) []coverage {
	n := slices.IndexFunc(covers, func(c coverage) bool { return c.total < leastServices })
	if n < 0 {
		n = len(covers)
	}
	return covers[:min(n, len(curveStyles))]
}

// plotCoverage draws the curves, the first on top, and gives their legend.
func plotCoverage(covers []coverage) (*plot.Plot, []entry, error) {
	p := newPlot()
	most := 10
	for i := range covers {
		most = max(most, len(covers[i].ports))
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plotters.Decades{}
	p.Y.Label.Text, p.Y.Tick.Marker = "Share of a protocol's services (%)", plotters.Percents(20)
	width := math.Log(float64(most))
	legend := make([]entry, len(covers))
	for i := range covers { // bands below all lines
		low, high := covers[i].band(width)
		if err := addBand(p, low, high, curveStyles[i].line.Color); err != nil {
			return nil, nil, err
		}
	}
	for i := len(covers) - 1; i >= 0; i-- {
		points, marks := covers[i].line(width, float64(i)/float64(len(curveStyles)))
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

// fine is how far apart points of a curve are at least, of the axes: one for each port would be more than a page can show.
const fine = 0.001

// line gives the points of a protocol's curve, and those that have a marker. The markers of different curves are shifted, by a part
// from 0 to 1 of the room between two, so that they do not cover each other. Width is that of the axis, as a logarithm.
func (c *coverage) line(width, shift float64) (points, marks plotter.XYs) {
	const apart = 0.16 // of the axis
	x, marked := 0.0, math.Inf(-1)
	for i := range c.ports {
		at := plotter.XY{X: float64(i + 1), Y: c.share(i + 1).Value}
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

// band gives the edges of a protocol's band; none if it has no interval.
func (c *coverage) band(width float64) (low, high plotter.XYs) {
	x := math.Inf(-1)
	for i := range c.ports {
		e := c.share(i + 1)
		if !e.HasInterval() {
			return nil, nil
		}
		if here := math.Log(float64(i+1)) / width; here-x > fine || i == len(c.ports)-1 {
			low, high = append(low, plotter.XY{X: float64(i + 1), Y: e.Lo}), append(high, plotter.XY{X: float64(i + 1), Y: e.Hi})
			x = here
		}
	}
	return low, high
}

// neededRow is how many ports hold a share of a protocol's services.
type neededRow struct {
	coverage *coverage
	share    float64
}

func (r *neededRow) ports() estimate.Estimate { return r.coverage.portsFor(r.share) }

func (r *neededRow) published() float64 {
	return datasets.InText("3.2", fmt.Sprintf("ports_for_%.0f_percent", 100*r.share), r.coverage.protocol)
}

// neededShares are the shares that it is asked for how many ports hold them.
var neededShares = []float64{0.5, 0.9}

// portsNeeded says how many ports hold half and nine tenths of a protocol's services, as far as the sample tells: Figure 9 in numbers.
func portsNeeded(curves *analysis.Curves, over sources) (figure, error) {
	covers, err := coverProtocols(curves, over.design())
	if err != nil {
		return figure{}, err
	}
	n, _ := ofCoverage(covers)
	covers = mostCommon(covers)
	var rows []neededRow
	for i := range covers {
		for _, share := range neededShares {
			rows = append(rows, neededRow{&covers[i], share})
		}
	}
	f := figure{
		Caption: "How many ports hold 50 and 90 % of a protocol's services: between the ends of Figure 9's band; where its lower edge does not reach " +
			"the share, more than so many. \"Seen\" are the ports in the sample, which the population has more of. Protocols with the most services, " +
			fmt.Sprintf("at most %d, and at least %d services each. n = %s.", len(curveStyles), leastServices, n),
		table: tabulate(n, rows,
			texts("protocol", func(r *neededRow) string { return r.coverage.protocol }),
			values("of", "share of the protocol's services", func(r *neededRow) float64 { return r.share }),
			numbers("ports_seen", "ports", func(r *neededRow) int { return len(r.coverage.ports) }),
			estimates("ports", "ports", (*neededRow).ports),
			paper("ports", (*neededRow).published)),
		behind: func(row int) servicesWhere { return speaking(rows[row].coverage.protocol) },
	}
	if len(rows) == 0 {
		f.columns = 1
		f.drawNote(fmt.Sprintf("No protocol has %d services, which it takes at least: there are %s.", leastServices, n))
		return f, nil
	}
	names, services, seen := plotters.Column{Head: "Protocol"}, right("Services"), right("Seen")
	groups := []plotters.Group{{}}
	for i := range covers {
		c := &covers[i]
		names.Cells = append(names.Cells, c.protocol)
		services.Cells = append(services.Cells, plotters.Thousands(c.total))
		seen.Cells = append(seen.Cells, plotters.Thousands(len(c.ports)))
	}
	groups[0].Columns = []plotters.Column{names, services, seen}
	for _, share := range neededShares {
		ports, published := right("Ports"), right("Paper")
		for i := range covers {
			r := neededRow{&covers[i], share}
			ports.Cells = append(ports.Cells, portRange(r.ports()))
			published.Cells = append(published.Cells, thousands(r.published()))
		}
		g := plotters.Group{Title: fmt.Sprintf("for %.0f %%", 100*share), Columns: []plotters.Column{ports}}
		if slices.ContainsFunc(published.Cells, func(cell string) bool { return cell != "" }) {
			g.Columns = append(g.Columns, published)
		}
		groups = append(groups, g)
	}
	f.drawTable(1, groups, nil)
	return f, nil
}

// portRange writes how many ports it takes; what the sample has, where there is no interval, is at least so many.
func portRange(e estimate.Estimate) string {
	switch {
	case !e.HasInterval():
		return ">= " + thousands(e.Value)
	case math.IsInf(e.Hi, 1):
		return "> " + thousands(e.Lo)
	case e.Lo == e.Hi:
		return thousands(e.Lo)
	}
	return thousands(e.Lo) + " to " + thousands(e.Hi)
}

// thousands writes a number of things; "" for NaN.
func thousands(n float64) string {
	if math.IsNaN(n) {
		return ""
	}
	return plotters.Thousands(int(n))
}
