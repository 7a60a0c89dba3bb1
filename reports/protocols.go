package reports

import (
	"fmt"
	"math"
	"slices"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// protocolsOn is how many protocols services speak on some of the paper's ports, on average.
type protocolsOn struct {
	set     string
	ports   int
	seen    float64           // identified on a port
	atLeast estimate.Estimate // the mean of each port's, of all its services
	paper   float64           // NaN for none
}

// portSet is a set of ports, and what the table calls it.
type portSet struct {
	name string
	has  func(port uint16) bool
}

// portSets are the sets of ports, in the order of the table. Each of the paper's 55 is in
// the first that has it.
var portSets = []portSet{
	{"popular", func(port uint16) bool { return classOf(port) == popular }},
	{"ephemeral", func(port uint16) bool { return slices.Contains(datasets.Ephemeral(), port) }},
	{"unpopular, assigned", func(port uint16) bool { return slices.Contains(assigned(), port) }},
	{"other unpopular", func(port uint16) bool { return classOf(port) == unpopular }},
}

// protocolsOnPorts counts the protocols of each of the paper's ports that were scanned. A port on which nothing was identified has none.
func protocolsOnPorts(kinds []analysis.Kind, scanned []uint16, design estimate.Design) ([]protocolsOn, error) {
	services := make(map[uint16]map[string]int)
	for _, port := range scanned {
		services[port] = make(map[string]int)
	}
	for _, k := range kinds {
		if on := services[k.Port]; on != nil && k.Label != "" {
			on[k.Label] += k.Services
		}
	}
	list := make([]protocolsOn, len(portSets))
	for i, set := range portSets {
		list[i] = protocolsOn{set: set.name, paper: datasets.InText("3.2", "protocols", set.name)}
	}
	for _, port := range scanned {
		i := slices.IndexFunc(portSets, func(s portSet) bool { return s.has(port) })
		if i < 0 {
			continue
		}
		p, counts := &list[i], kindsOf(services[port])
		one, err := counts.Chao1(design)
		if err != nil {
			return nil, err
		}
		p.ports++
		p.seen += float64(counts.Seen)
		one.Value += p.atLeast.Value
		one.N += p.atLeast.N
		if p.atLeast.N > 0 {
			one.Warnings = p.atLeast.Warnings
		}
		p.atLeast = one
	}
	list = slices.DeleteFunc(list, func(p protocolsOn) bool { return p.ports == 0 })
	for i := range list {
		p := &list[i]
		p.seen /= float64(p.ports)
		p.atLeast.Value /= float64(p.ports)
		p.atLeast.Method += ", mean over ports"
	}
	return list, nil
}

// protocolsPerPort is what section 3.2 says of the protocols on a port: some ten on an ephemeral one.
func protocolsPerPort(c *analysis.Census, over sources) (figure, error) {
	list, err := protocolsOnPorts(c.Kinds(), over[0].ports, over.design())
	if err != nil {
		return figure{}, err
	}
	services, ports := 0, 0
	for _, p := range list {
		services, ports = services+int(p.atLeast.N), ports+p.ports
	}
	n := fmt.Sprintf("%s on %s", plural(services, "identified service"), plural(ports, "port"))
	f := figure{
		Caption: "How many protocols are identified on one of the paper's ports, on average. At least: as many as there must be on it, by those " +
			"that one and two services speak (Chao1, a lower bound), among the protocols that the scan can identify; no interval is known to hold. n = " + n + ".",
		table: tabulate(n, list,
			texts("ports", func(p *protocolsOn) string { return p.set }),
			numbers("number", "ports", func(p *protocolsOn) int { return p.ports }),
			values("seen", "protocols on a port", func(p *protocolsOn) float64 { return p.seen }),
			estimates("at_least", "protocols on a port", func(p *protocolsOn) estimate.Estimate { return p.atLeast }),
			paper("protocols on a port", func(p *protocolsOn) float64 { return p.paper })),
	}
	set, number, seen, least, count, published := left("Ports"), right("Number"), right("Seen"), right("At least"), right("n"), right("Paper")
	for _, p := range list {
		set.Cells = append(set.Cells, p.set)
		number.Cells = append(number.Cells, fmt.Sprint(p.ports))
		seen.Cells = append(seen.Cells, fmt.Sprintf("%.1f", p.seen))
		least.Cells = append(least.Cells, fmt.Sprintf("%.1f", p.atLeast.Value))
		count.Cells = append(count.Cells, plotters.SI(float64(p.atLeast.N)))
		published.Cells = append(published.Cells, only(!math.IsNaN(p.paper), fmt.Sprintf("%.0f", p.paper)))
	}
	f.drawTable(1, []plotters.Group{{Columns: []plotters.Column{set, number, seen, least, count, published}}}, nil)
	return f, nil
}
