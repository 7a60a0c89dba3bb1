package reports

import (
	"cmp"
	"math"
	"slices"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/reports/plotters"
)

// unseenRow is kinds that services are of, ports or protocols, of which the sample has not seen all.
type unseenRow struct {
	kinds, of string // "ports" of "identified services", of "http"
	label     string // of the row as it is drawn
	counts    estimate.Kinds
	atLeast   estimate.Estimate
	covered   estimate.Estimate
}

// unseenProtocols is how many protocols have a row of their own: those with the most services.
const unseenProtocols = 5

// unseenRows counts the kinds of services. Those that acknowledge data as their host does on every port are none.
func unseenRows(kinds []analysis.Kind, design estimate.Design) ([]unseenRow, error) {
	acks, identified, protocols := make(map[uint16]int), make(map[uint16]int), make(map[string]int)
	on := make(map[string]map[uint16]int)
	for _, k := range kinds {
		if k.State >= session.AcksData && k.State != session.AllPorts || k.Label != "" {
			acks[k.Port] += k.Services
		}
		if k.Label == "" {
			continue
		}
		identified[k.Port] += k.Services
		protocols[k.Label] += k.Services
		if on[k.Label] == nil {
			on[k.Label] = make(map[uint16]int)
		}
		on[k.Label][k.Port] += k.Services
	}
	var names []string
	for name := range protocols {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(protocols[b], protocols[a]), cmp.Compare(a, b)) })
	rows := []unseenRow{
		{kinds: "ports", of: "services that acknowledge data", label: "Ports", counts: kindsOf(acks)},
		{kinds: "ports", of: "identified services", label: "Ports, identified", counts: kindsOf(identified)},
		{kinds: "protocols", of: "identified services", label: "Protocols", counts: kindsOf(protocols)},
	}
	for _, name := range names[:min(len(names), unseenProtocols)] {
		rows = append(rows, unseenRow{kinds: "ports", of: name, label: "Ports of " + name, counts: kindsOf(on[name])})
	}
	for i := range rows {
		var err error
		if rows[i].atLeast, err = rows[i].counts.Chao1(design); err != nil {
			return nil, err
		}
		if rows[i].kinds == "ports" { // there are no more
			rows[i].atLeast.Value = min(rows[i].atLeast.Value, 1<<16-1)
		}
		if rows[i].covered, err = rows[i].counts.Coverage(design); err != nil {
			return nil, err
		}
		if rows[i].counts.Number == 0 {
			rows[i].covered.Value = math.NaN()
		}
	}
	return rows, nil
}

func kindsOf[K comparable](services map[K]int) estimate.Kinds {
	var counts []int
	for _, n := range services {
		counts = append(counts, n)
	}
	return estimate.CountKinds(counts)
}

// unseen says how many ports and protocols there are at least, and which share of the population's services is of those that were seen.
func unseen(c *analysis.Census, over sources) (figure, error) {
	rows, err := unseenRows(c.Kinds(), over.design())
	if err != nil {
		return figure{}, err
	}
	n := plural(int(rows[0].counts.Number), "service") + " that acknowledge data"
	f := figure{
		Caption: "Ports and protocols that a sample did not see. At least: as many as there must be, by those that were seen once and twice " +
			"(Chao1, a lower bound). Covered: the share of the population's services that are on a port, or of a protocol, that was seen " +
			"(Good and Turing). Hosts that acknowledge data on every port are left out if the scan looked for that. n = " + n + ".",
		table: tabulate(n, rows,
			texts("kinds", func(r *unseenRow) string { return r.kinds }),
			texts("of", func(r *unseenRow) string { return r.of }),
			numbers("seen", "ports or protocols", func(r *unseenRow) int { return int(r.counts.Seen) }),
			numbers("once", "ports or protocols", func(r *unseenRow) int { return int(r.counts.Once) }),
			numbers("twice", "ports or protocols", func(r *unseenRow) int { return int(r.counts.Twice) }),
			values("covered", "share of services", func(r *unseenRow) float64 { return r.covered.Value }),
			estimates("at_least", "ports or protocols", func(r *unseenRow) estimate.Estimate { return r.atLeast })),
	}
	what, services, seen, least, covered := plotters.Column{}, right("Services"), right("Seen"), right("At least"), right("Covered (%)")
	for i := range rows {
		r := &rows[i]
		what.Cells = append(what.Cells, r.label)
		services.Cells = append(services.Cells, plotters.Thousands(int(r.counts.Number)))
		seen.Cells = append(seen.Cells, plotters.Thousands(int(r.counts.Seen)))
		least.Cells = append(least.Cells, thousands(math.Round(r.atLeast.Value)))
		covered.Cells = append(covered.Cells, percent(r.covered.Value))
	}
	f.drawTable(1, []plotters.Group{{Columns: []plotters.Column{what, services, seen, least, covered}}}, []int{3})
	return f, nil
}
