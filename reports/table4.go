package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"gonum.org/v1/plot/text"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// findingsByState is a Fold of what one of the scans found, service by service, and by its state.
type findingsByState struct {
	*analysis.Findings
	census analysis.Census
}

// Add takes the services of a batch, whose columns are those of the Findings: the Census reads some of them.
func (f *findingsByState) Add(batch arrow.Record) error {
	if err := f.Findings.Add(batch); err != nil {
		return err
	}
	return f.census.Add(batch)
}

// Merge takes what another has found.
func (f *findingsByState) Merge(fold analysis.Fold) error {
	other, ok := fold.(*findingsByState)
	if !ok {
		return fmt.Errorf("reports: a %T does not merge with a %T", fold, f)
	}
	if err := f.Findings.Merge(other.Findings); err != nil {
		return err
	}
	return f.census.Merge(&other.census)
}

// pair gives the first two datasets whose scans probed the same targets, all of them, and said other things to them.
func (s sources) pair() sources {
	for i, a := range s {
		for _, b := range s[i+1:] {
			if len(a.Manifests) == 1 && len(b.Manifests) == 1 && haveSameTargets(a.Manifests[0], b.Manifests[0]) {
				if b.Manifests[0].Counters.Sent < a.Manifests[0].Counters.Sent {
					a, b = b, a
				}
				return sources{a, b}
			}
		}
	}
	return nil
}

func haveSameTargets(a, b *record.Manifest) bool {
	whole := func(m *record.Manifest) bool {
		return m.Observed == nil && m.Partial == "" && m.EndedBy == record.EndedTargets && m.NotProbed == 0 && len(m.Shards) == 0 &&
			m.Sample != nil && m.Sample.Shards == 1
	}
	return whole(a) && whole(b) && a.TargetDigest == b.TargetDigest &&
		(!slices.Equal(a.Handshakes, b.Handshakes) || a.AllHandshakes != b.AllHandshakes)
}

// margin is the difference of two scans' shares that counts as none.
const margin = 0.01

// table4Row is one quantity of the paper's Table 4.
type table4Row struct {
	name, title string
	scan        string // "A", "B", or both together
	services    func(*table4Port) int
	published   func(*datasets.Comparison) uint64 // nil if the paper has no such row
}

// table4Rows are the rows, in the paper's order, and those that tell what one scan alone found.
var table4Rows = func() []table4Row {
	var list []table4Row
	add := func(name, title string, of func(*portFindings) int, published ...func(*datasets.Comparison) uint64) {
		for side, scan := range []string{"A", "B"} {
			row := table4Row{name: name, title: title, scan: scan, services: func(p *table4Port) int { return of(&p.sides[side]) }}
			if len(published) > 0 {
				row.published = published[min(side, len(published)-1)]
			}
			list = append(list, row)
		}
	}
	add("syn_ack", "SYN-ACK", func(p *portFindings) int { return p.answers }, func(c *datasets.Comparison) uint64 { return c.SYNACK })
	add("zero_window", "Zero window", func(p *portFindings) int { return p.zeroWindow }, func(c *datasets.Comparison) uint64 { return c.ZeroWindow })
	add("reset", "Reset after handshake", func(p *portFindings) int { return p.resets }, func(c *datasets.Comparison) uint64 { return c.RST })
	add("acks_data", "Acknowledges data", func(p *portFindings) int { return p.acks }, func(c *datasets.Comparison) uint64 { return c.AcksData })
	add("expected", "Expected protocol", func(p *portFindings) int { return p.expected },
		func(c *datasets.Comparison) uint64 { return c.ExpectedLZR }, func(c *datasets.Comparison) uint64 { return c.ExpectedZGrab })
	add("unexpected", "Unexpected protocol", func(p *portFindings) int { return p.unexpected }, func(c *datasets.Comparison) uint64 { return c.UnexpectedLZR })
	return append(list,
		table4Row{name: "identified", title: "Identified", scan: "both", services: func(p *table4Port) int { return int(p.identified.Both) }},
		table4Row{name: "identified", title: "Identified", scan: "only A", services: func(p *table4Port) int { return int(p.identified.First) }},
		table4Row{name: "identified", title: "Identified", scan: "only B", services: func(p *table4Port) int { return int(p.identified.Second) }})
}()

// portFindings is what one scan found on a port, in services.
type portFindings struct{ answers, zeroWindow, resets, acks, expected, unexpected int }

// table4Port is a port of both scans.
type table4Port struct {
	port       uint16
	sides      [2]portFindings
	identified estimate.Pairs
	published  *datasets.Comparison // the paper's scan of the port with one handshake; nil if there is none
}

// comparePorts gives the ports on which one of the scans found a service, in order.
func comparePorts(first, second *findingsByState, identified *analysis.Agreement) []*table4Port {
	by := make(map[uint16]*table4Port)
	for side, f := range []*findingsByState{first, second} {
		for _, k := range f.census.Kinds() {
			p := by[k.Port]
			if p == nil {
				p = &table4Port{port: k.Port}
				by[k.Port] = p
			}
			p.sides[side].count(k)
		}
	}
	published := datasets.Performance()
	var list []*table4Port
	for port, p := range by {
		p.identified = identified.ByPort[port]
		if i := slices.IndexFunc(published, func(c datasets.Comparison) bool { return c.Port == port && len(c.Handshakes) == 1 }); i >= 0 {
			p.published = &published[i]
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *table4Port) int { return int(a.port) - int(b.port) })
	return list
}

func (p *portFindings) count(k analysis.Kind) {
	p.answers += k.Services
	switch k.State {
	case session.ZeroWindow:
		p.zeroWindow += k.Services
	case session.ResetAfterHandshake:
		p.resets += k.Services
	case session.AllPorts, session.AcksData, session.SendsData:
		p.acks += k.Services
	}
	switch k.Label {
	case "":
	case datasets.Expected(k.Port):
		p.expected += k.Services
	default:
		p.unexpected += k.Services
	}
}

// table4Line is a line of the table: a quantity on a port.
type table4Line struct {
	*table4Port
	row   *table4Row
	total estimate.Estimate
}

// agreement tests what the two scans identified, over all ports.
func agreement(p estimate.Pairs) (string, error) {
	if p.Both+p.First+p.Second == 0 {
		return "Nothing was identified.", nil
	}
	equivalent, err := p.Equivalence(margin)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Both identified %s, A alone %s, B alone %s: McNemar's exact p = %.2g that neither finds more; p = %.2g that their shares of "+
		"these differ by %g %% or more (TOST).", plural(int(p.Both), "service"), plotters.Thousands(int(p.First)), plotters.Thousands(int(p.Second)),
		p.McNemar().P, equivalent.P, 100*margin), nil
}

// scansAre says in a caption which scans A and B are.
func scansAre(over sources) string {
	var list []string
	for i, name := range []string{"A", "B"} {
		m := over[i].Manifests[0]
		about := strings.Join(m.Handshakes, ", ")
		if m.AllHandshakes {
			about += ", each on every service"
		}
		list = append(list, fmt.Sprintf("%s is %s (%s)", name, over[i].Dir, about))
	}
	return strings.Join(list, ", ") + "."
}

// table4 is the paper's Table 4 (section 5) for two scans of the same targets: what each found, and what only one did.
func table4(first, second *findingsByState, over sources) (figure, error) {
	levels := analysis.Compare(first.Findings, second.Findings)
	answered, identified := levels[analysis.Connects].Services, &levels[analysis.Identifies]
	ports := comparePorts(first, second, identified)
	tests, err := agreement(identified.Services)
	if err != nil {
		return figure{}, err
	}
	design := over[:1].design()
	var lines []table4Line
	for i := range table4Rows {
		for _, p := range ports {
			n := uint64(table4Rows[i].services(p))
			total, err := estimate.Alone(n, n).Total(design)
			if err != nil {
				return figure{}, err
			}
			lines = append(lines, table4Line{p, &table4Rows[i], total})
		}
	}
	n := plural(int(answered.Both+answered.First+answered.Second), "service") + " that answered one of them"
	f := figure{
		Caption: "Two scans of the same targets: the services that each found, and that only one identified. " + scansAre(over) + " " + tests +
			" The CSV has estimated totals, and the paper's numbers of the Internet (LZR's, and ZGrab's where B is of the expected protocol). n = " + n + ".",
		design: design,
		table: tabulate(n, lines,
			numbers("port", "", func(l *table4Line) int { return int(l.port) }),
			texts("quantity", func(l *table4Line) string { return l.row.name }),
			texts("scan", func(l *table4Line) string { return l.row.scan }),
			numbers("published_services", "services", func(l *table4Line) int {
				if l.row.published == nil || l.published == nil {
					return -1
				}
				return int(l.row.published(l.published))
			}),
			estimates("services", "services", func(l *table4Line) estimate.Estimate { return l.total })),
	}
	f.drawTableIn(sans(6.5), 2, table4Groups(table4Drawn(ports)), table4Rules())
	return f, nil
}

// table4Columns is how many ports are drawn.
const table4Columns = 11

// table4Drawn are the ports of the paper's table, and of the others those with most services.
func table4Drawn(ports []*table4Port) []*table4Port {
	list := slices.Clone(ports)
	rank := func(p *table4Port) int {
		if p.published != nil {
			return math.MaxInt
		}
		return p.sides[0].answers + p.sides[1].answers
	}
	slices.SortStableFunc(list, func(a, b *table4Port) int {
		if rank(a) != rank(b) {
			return map[bool]int{true: -1, false: 1}[rank(a) > rank(b)]
		}
		return 0
	})
	list = list[:min(len(list), table4Columns)]
	slices.SortFunc(list, func(a, b *table4Port) int { return int(a.port) - int(b.port) })
	return list
}

func table4Groups(ports []*table4Port) []plotters.Group {
	names := left("Services")
	scans := left("Scan")
	columns := make([]plotters.Column, len(ports))
	for k, p := range ports {
		columns[k] = right(portName(p.port, datasets.Expected(p.port)))
	}
	for i := range table4Rows {
		row := &table4Rows[i]
		names.Cells = append(names.Cells, only(i == 0 || table4Rows[i-1].name != row.name, row.title))
		scans.Cells = append(scans.Cells, row.scan)
		for k, p := range ports {
			columns[k].Cells = append(columns[k].Cells, plotters.Thousands(row.services(p)))
		}
	}
	return []plotters.Group{{Columns: append([]plotters.Column{names, scans}, columns...)}}
}

// table4Rules are above each quantity but the first.
func table4Rules() (rules []int) {
	for i := 1; i < len(table4Rows); i++ {
		if table4Rows[i].name != table4Rows[i-1].name {
			rules = append(rules, i)
		}
	}
	return rules
}

// cost is a line of the table of what the scans took.
type cost struct {
	name, unit    string
	first, second float64    // NaN if it is not known
	paper         [2]float64 // from and to, over the paper's scans; NaN where it has none
}

func none() [2]float64 { return [2]float64{math.NaN(), math.NaN()} }

// costs are what two scans took. The paper compares ZMap and LZR with ZMap and ZGrab.
func costs(a, b *record.Manifest) []cost {
	known := func(n uint64) float64 {
		if n == 0 {
			return math.NaN()
		}
		return float64(n)
	}
	seconds := func(m *record.Manifest) float64 {
		if m.End.IsZero() {
			return math.NaN()
		}
		return m.End.Sub(m.Start).Round(time.Millisecond).Seconds()
	}
	list := []cost{{"time", "s", seconds(a), seconds(b), none()}}
	for _, c := range []struct {
		name           string
		packets, bytes func(*record.Counters) uint64
	}{
		{"sent", func(c *record.Counters) uint64 { return c.Sent }, func(c *record.Counters) uint64 { return c.SentBytes }},
		{"SYN", func(c *record.Counters) uint64 { return c.SentSYN }, func(c *record.Counters) uint64 { return c.SentSYNBytes }},
		{"with data", func(c *record.Counters) uint64 { return c.SentPayload }, func(c *record.Counters) uint64 { return c.SentPayloadBytes }},
		{"RST", func(c *record.Counters) uint64 { return c.SentRST }, func(c *record.Counters) uint64 { return c.SentRSTBytes }},
	} {
		list = append(list, cost{c.name, "packets", known(c.packets(&a.Counters)), known(c.packets(&b.Counters)), none()},
			cost{c.name, "bytes", known(c.bytes(&a.Counters)), known(c.bytes(&b.Counters)), none()})
	}
	faster := list[0].second / list[0].first
	if a.Link.Kind != b.Link.Kind {
		faster = math.NaN() // time that is simulated and time that passes
	}
	speedups, savings := none(), none()
	for _, c := range datasets.Performance() {
		speedups = widen(speedups, c.Live.Speedup)
		savings = widen(savings, c.Live.Bandwidth)
	}
	return append(list,
		cost{"speed-up of A", "times as fast", faster, math.NaN(), speedups},
		cost{"saving of A", "share of B's bytes", 1 - list[2].first/list[2].second, math.NaN(), savings})
}

// widen makes a range include a value.
func widen(r [2]float64, v float64) [2]float64 {
	if math.IsNaN(r[0]) {
		return [2]float64{v, v}
	}
	return [2]float64{min(r[0], v), max(r[1], v)}
}

// timesAre says whose time is simulated.
func timesAre(over sources) string {
	for i, name := range []string{"A", "B"} {
		if over[i].Manifests[0].Link.Kind == "memory" && over[1-i].Manifests[0].Link.Kind != "memory" {
			return "The time of " + name + " is simulated, so that the two are not compared. "
		}
	}
	return ""
}

// table4Cost is the lower half of the paper's Table 4: what the two scans took.
func table4Cost(first, second *findingsByState, over sources) (figure, error) {
	list := costs(over[0].Manifests[0], over[1].Manifests[0])
	n := plural(int(over[0].Manifests[0].Counters.Launched), "target") + " in each scan"
	f := figure{
		Caption: "What two scans of the same targets took. " + scansAre(over) + " Bytes are of what was sent, from the IP header on. " + timesAre(over) +
			"Paper: from the least to the most that ZMap and LZR gained on ZMap and ZGrab in one of its scans. n = " + n + ".",
		table: tabulate(n, list,
			texts("quantity", func(c *cost) string { return c.name }),
			texts("of", func(c *cost) string { return c.unit }),
			values("a", "", func(c *cost) float64 { return c.first }),
			values("b", "", func(c *cost) float64 { return c.second }),
			values("published_low", "", func(c *cost) float64 { return c.paper[0] }),
			values("published_high", "", func(c *cost) float64 { return c.paper[1] })),
	}
	name, unit := left("Quantity"), plotters.Column{Align: text.XLeft}
	a, b, paper := right("A"), right("B"), right("Paper")
	write := func(c *cost, v float64) string {
		switch {
		case math.IsNaN(v):
			return ""
		case c.unit == "packets" || c.unit == "bytes":
			return wholeNumber(v)
		case isShare(c.unit):
			return percent(v) + " %"
		}
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	for i := range list {
		c := &list[i]
		name.Cells = append(name.Cells, only(i == 0 || list[i-1].name != c.name, c.name))
		unit.Cells = append(unit.Cells, strings.TrimPrefix(c.unit, "share "))
		a.Cells, b.Cells = append(a.Cells, write(c, c.first)), append(b.Cells, write(c, c.second))
		cell := ""
		if !math.IsNaN(c.paper[0]) {
			cell = write(c, c.paper[0]) + " to " + write(c, c.paper[1])
		}
		paper.Cells = append(paper.Cells, cell)
	}
	f.drawTableIn(sans(6.5), 1, []plotters.Group{{Columns: []plotters.Column{name, unit, a, b, paper}}}, []int{1, 3, 5, 7, 9})
	return f, nil
}
