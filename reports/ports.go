package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// portRank is a line of the port table.
type portRank struct {
	port      uint16
	about     *datasets.Port // what the paper's Appendix A says of it; nil if it is not of its ports
	rank      int            // from 1; ports with as many services have the same
	services  int            // that sent a SYN-ACK
	total     estimate.Estimate
	popular   bool    // by Grubbs's test
	published float64 // SYN-ACKs in the paper's Table 4, NaN where that has none
}

// grubbsLevel is that of the paper's test for popular ports.
const grubbsLevel = 0.001

// portsDrawn is how many lines are drawn: as many as the paper scanned.
const portsDrawn = 55

// rankPorts ranks the ports that were scanned, given in order, by their services. Those that have none are left out, and so are
// other ports, on which a host was only asked whether it acknowledges data everywhere.
func rankPorts(kinds []analysis.Kind, ports []uint16, design estimate.Design) ([]portRank, error) {
	services := make(map[uint16]int)
	for _, k := range kinds {
		if _, scanned := slices.BinarySearch(ports, k.Port); scanned || len(ports) == 0 {
			services[k.Port] += k.Services
		}
	}
	popular, err := popularOf(services, ports)
	if err != nil {
		return nil, err
	}
	published := make(map[uint16]float64)
	for _, scan := range datasets.Performance() {
		if len(scan.Handshakes) == 1 {
			published[scan.Port] = float64(scan.SYNACK)
		}
	}
	about := datasets.Ports()
	var list []portRank
	for port, n := range services {
		p := portRank{port: port, services: n, popular: popular[port], published: math.NaN()}
		if i := slices.IndexFunc(about, func(a datasets.Port) bool { return a.Port == port }); i >= 0 {
			p.about = &about[i]
		}
		if v, ok := published[port]; ok {
			p.published = v
		}
		if p.total, err = estimate.Alone(uint64(n), uint64(n)).Total(design); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b portRank) int {
		return cmp.Or(cmp.Compare(b.services, a.services), cmp.Compare(a.port, b.port))
	})
	for i := range list {
		list[i].rank = i + 1
		if i > 0 && list[i].services == list[i-1].services {
			list[i].rank = list[i-1].rank
		}
	}
	return list, nil
}

// popularOf are the ports with outstandingly many services, of those with an expected protocol and a scanner that were scanned: the
// paper's split (section 2).
func popularOf(services map[uint16]int, scanned []uint16) (map[uint16]bool, error) {
	var ports []uint16
	var counts []float64
	for _, port := range datasets.Assigned() {
		if _, found := services[port]; found || slices.Contains(scanned, port) {
			ports, counts = append(ports, port), append(counts, float64(services[port]))
		}
	}
	out, err := estimate.Outliers(counts, grubbsLevel)
	popular := make(map[uint16]bool)
	for _, i := range out {
		popular[ports[i]] = true
	}
	return popular, err
}

// marked says whose test found the port popular: the run's, the paper's, or both.
func (p *portRank) marked() string {
	switch inPaper := slices.Contains(datasets.Popular(), p.port); {
	case p.popular && inPaper:
		return "both"
	case p.popular:
		return "run"
	case inPaper:
		return "paper"
	}
	return ""
}

// appendix gives something that Appendix A says of a port, "" of a port that it does not have.
func (p *portRank) appendix(of func(*datasets.Port) string) string {
	if p.about == nil {
		return ""
	}
	return of(p.about)
}

func (p *portRank) expected() string {
	return p.appendix(func(a *datasets.Port) string { return a.Expected })
}
func (p *portRank) iana() string { return p.appendix(func(a *datasets.Port) string { return a.IANA }) }
func (p *portRank) top30() string {
	return p.appendix(func(a *datasets.Port) string { return map[bool]string{true: "yes", false: "no"}[a.Top30] })
}

// portTable is the paper's list of ports (Appendix A), ranked by the services that answered with a SYN-ACK.
func portTable(c *analysis.Census, over sources) (figure, error) {
	list, err := rankPorts(c.Kinds(), over[0].ports, over.design())
	if err != nil {
		return figure{}, err
	}
	services, popular := 0, 0
	for i := range list {
		services += list[i].services
		if list[i].popular {
			popular++
		}
	}
	n := fmt.Sprintf("%s on %s", plural(services, "service"), plural(len(list), "port"))
	f := figure{
		Caption: "Ports by the services that answer with a SYN-ACK: estimated totals. Of the ports with an expected protocol and a scanner, " +
			plural(popular, "port") + " have outstandingly many (popular; Grubbs's test at 99.9 %, as in section 2), by the run, the paper, or both. " +
			"Top 30: in the paper's scan of 1 % of all ports. n = " + n + ".",
		table: tabulate(n, list,
			numbers("rank", "", func(p *portRank) int { return p.rank }),
			numbers("port", "", func(p *portRank) int { return int(p.port) }),
			texts("expected", (*portRank).expected),
			texts("iana", (*portRank).iana),
			texts("popular", (*portRank).marked),
			texts("published_top30", (*portRank).top30),
			// Of the Internet: nothing to hold a run's against that is of something else.
			values("published_services", "services", func(p *portRank) float64 { return p.published }),
			estimates("services", "services", func(p *portRank) estimate.Estimate { return p.total })),
		behind: func(row int) servicesWhere { return onPort(list[row].port) },
	}
	drawn := list[:min(len(list), portsDrawn)]
	if len(list) > len(drawn) {
		f.Caption += fmt.Sprintf(" Shown are the first %d.", len(drawn))
	}
	half := (len(drawn) + 1) / 2
	f.drawTableIn(sans(6.5), 2, []plotters.Group{portGroup(drawn[:half]), portGroup(drawn[half:])}, nil)
	return f, nil
}

// portGroup are the columns of one half of the table.
func portGroup(list []portRank) plotters.Group {
	rank, port, total, between := right("#"), right("Port"), right("Services"), right("95 % interval")
	expected, iana := left("Expected"), left("IANA")
	popular, top := left("Popular"), left("Top 30")
	for i := range list {
		p := &list[i]
		rank.Cells = append(rank.Cells, strconv.Itoa(p.rank))
		port.Cells = append(port.Cells, strconv.Itoa(int(p.port)))
		expected.Cells = append(expected.Cells, p.expected())
		iana.Cells = append(iana.Cells, p.iana())
		total.Cells = append(total.Cells, wholeNumber(p.total.Value))
		between.Cells = append(between.Cells, interval(p.total, wholeNumber))
		popular.Cells = append(popular.Cells, p.marked())
		top.Cells = append(top.Cells, only(p.top30() == "yes", "yes"))
	}
	return plotters.Group{Columns: []plotters.Column{rank, port, expected, iana, total, between, popular, top}}
}
