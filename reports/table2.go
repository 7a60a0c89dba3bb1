package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/replay/order"
	"laserdisc/reports/plotters"
)

// orderPorts are the sets of ports of Table 2's two orders.
var orderPorts = []string{"assigned", "ephemeral"}

// orderCountings count what Table 2 is made from, by the rule that its numbers agree with: a handshake identifies its own protocol, and
// every port counts alike (docs/design.md, "What identifies a service").
func orderCountings(over sources) (list []analysis.Counting) {
	for _, name := range orderPorts {
		list = append(list, analysis.Counting{
			Ports: datasets.PortSets()[name], Handshakes: over.handshakes(), Own: true, ByPort: true, NoVariants: true, Seed: resampleSeed,
		})
	}
	return list
}

// orderTrials are what came of each handshake: counted for both halves of Table 2 and for the lines of Figure 8, at once.
type orderTrials struct{ *analysis.Trials }

func newOrderTrials(over sources) *orderTrials {
	return &orderTrials{analysis.NewTrials(append(orderCountings(over), coverCountings(over)...)...)}
}

// order is what one half of Table 2 is made from, cover one line of Figure 8.
func (t *orderTrials) order(half int) (*analysis.Outcomes, error) { return t.Outcomes(half) }
func (t *orderTrials) cover(line int) (*analysis.Outcomes, error) {
	return t.Outcomes(len(orderPorts) + line)
}

// Merge adds what another has counted.
func (t *orderTrials) Merge(fold analysis.Fold) error {
	other, ok := fold.(*orderTrials)
	if !ok {
		return fmt.Errorf("reports: a %T does not merge with a %T", fold, t)
	}
	return t.Trials.Merge(other.Trials)
}

// resampleSeed is that of resamples in a report, which is the same each time.
const resampleSeed = 1

// bestOrder is one half of Table 2: the order of handshakes on a set of ports.
type bestOrder struct {
	ports     string // name of the set
	services  int    // that something identifies
	steps     []order.Step
	gains     []estimate.Estimate // of each step
	optimum   []float64           // the largest share that so many handshakes can identify, up to table2Steps
	bootstrap *analysis.Bootstrap // nil if nothing identifies a service
	published []datasets.OrderStep
}

// table2Steps is how many steps are drawn; the CSV has all.
const table2Steps = 10

// fewIdentified is the warning of shares and orders that few services decide: docs/estimates.md.
const (
	enoughIdentified                  = 200
	fewIdentified    estimate.Warning = "fewer than 200 identified services"
)

// bestOrders computes both halves.
func bestOrders(trials *orderTrials, design estimate.Design) ([]bestOrder, error) {
	published := datasets.Order()
	orders := []bestOrder{{published: published.Assigned}, {published: published.Ephemeral}}
	for i := range orders {
		outcomes, err := trials.order(i)
		if err != nil {
			return nil, err
		}
		o := &orders[i]
		o.ports = orderPorts[i]
		patterns := order.Patterns(outcomes.Services)
		o.steps = order.Greedy(patterns, outcomes.Handshakes)
		if len(o.steps) == 0 {
			continue
		}
		o.services = o.steps[len(o.steps)-1].Cumulative
		o.bootstrap = outcomes.Bootstrap(o.steps)
		for k, s := range o.steps {
			gain, err := estimate.Bootstrap(s.Share, o.bootstrap.Gains[k].Lo, o.bootstrap.Gains[k].Hi, design,
				uint64(o.services), outcomes.IdentifiedHosts)
			if err != nil {
				return nil, err
			}
			o.gains = append(o.gains, warnFew(gain))
			if k < table2Steps {
				o.optimum = append(o.optimum, order.Exact(patterns, outcomes.Handshakes, k+1).Share)
			}
		}
	}
	return orders, nil
}

// warnFew warns if an estimate rests on few identified services.
func warnFew(e estimate.Estimate) estimate.Estimate {
	if e.N < enoughIdentified {
		e.Warnings = append(slices.Clip(e.Warnings), fewIdentified)
	}
	return e
}

// orderLine is a line of the table: a step of an order, the published one beside it. What is not there is empty.
type orderLine struct {
	of        *bestOrder
	rank      int // from 1
	step      *order.Step
	published *datasets.OrderStep
}

func (o *bestOrder) lines() []orderLine {
	lines := make([]orderLine, max(len(o.steps), len(o.published)))
	for i := range lines {
		lines[i] = orderLine{o, i + 1, at(o.steps, i), at(o.published, i)}
	}
	return lines
}

// at is element i, or nil if there is none.
func at[T any](list []T, i int) *T {
	if i >= len(list) {
		return nil
	}
	return &list[i]
}

// elementOr is element i, or what stands for none.
func elementOr[T any](list []T, i int, none T) T {
	if i >= len(list) {
		return none
	}
	return list[i]
}

// get is something of a thing that may not be there.
func get[T, V any](thing *T, none V, of func(T) V) V {
	if thing == nil {
		return none
	}
	return of(*thing)
}

// gain is the estimate of what the step gains.
func (l *orderLine) gain() estimate.Estimate {
	return elementOr(l.of.gains, l.rank-1, estimate.Estimate{Value: math.NaN()})
}

// atRank is the share of the resamples whose own order has the step's handshake at its rank.
func (l *orderLine) atRank() float64 {
	if l.step == nil {
		return math.NaN()
	}
	return float64(l.of.bootstrap.At(l.rank-1, l.rank-1)) / analysis.Resamples
}

// optimum is the largest share that as many handshakes can identify.
func (l *orderLine) optimum() float64 {
	return elementOr(l.of.optimum, l.rank-1, math.NaN())
}

func (l *orderLine) sum() float64 {
	return get(l.step, math.NaN(), func(s order.Step) float64 { return s.CumulativeShare })
}

// paper is the published gain, if it is of the same handshake; else there is nothing to compare.
func (l *orderLine) paper() float64 {
	if l.step == nil || l.published == nil || l.step.Handshake != l.published.Handshake {
		return math.NaN()
	}
	return l.published.Gain
}

// ofOrders says what the orders are of.
func ofOrders(orders []bestOrder) string {
	var of []string
	for i := range orders {
		of = append(of, fmt.Sprintf("%s on %s ports", plural(orders[i].services, "identified service"), orders[i].ports))
	}
	return strings.Join(of, " and ")
}

// table2 is the paper's Table 2 (section 4.2): the optimal order of handshakes, by greedy choice, with intervals from resamples of the
// hosts, and the published order beside it.
func table2(trials *orderTrials, over sources) (figure, error) {
	orders, err := bestOrders(trials, over.design())
	if err != nil {
		return figure{}, err
	}
	var lines []orderLine
	for i := range orders {
		lines = append(lines, orders[i].lines()...)
	}
	n := ofOrders(orders)
	f := figure{
		Caption: "Order of handshakes by greedy choice: the next is the one that identifies the most services that are still unidentified, " +
			"where a handshake identifies services of its own protocol, and wait those whose server speaks first. Every port counts alike; " +
			"services that speak the protocol expected on their port are left out, and so are other ways to say a handshake (Table 3). " +
			fmt.Sprintf("At rank: the share of %s resamples of the hosts whose own order has the handshake at this rank. ", plotters.Thousands(analysis.Resamples)) +
			"Optimum: the largest share that so many handshakes identify. n = " + n + ".",
		table: tabulate(n, lines,
			texts("ports", func(l *orderLine) string { return l.of.ports }),
			numbers("rank", "", func(l *orderLine) int { return l.rank }),
			texts("handshake", func(l *orderLine) string { return get(l.step, "", func(s order.Step) string { return s.Handshake }) }),
			numbers("gained", "services", func(l *orderLine) int { return get(l.step, -1, func(s order.Step) int { return s.Gained }) }),
			estimates("share", "share of identifiable services", (*orderLine).gain),
			values("at_rank", "share of resamples", (*orderLine).atRank),
			values("cumulative_share", "share of identifiable services", (*orderLine).sum),
			values("optimum", "share of identifiable services", (*orderLine).optimum),
			texts("published_handshake", func(l *orderLine) string {
				return get(l.published, "", func(p datasets.OrderStep) string { return p.Handshake })
			}),
			values("published_share", "share of identifiable services", func(l *orderLine) float64 {
				return get(l.published, math.NaN(), func(p datasets.OrderStep) float64 { return p.Gain })
			}),
			paper("share of identifiable services", (*orderLine).paper)),
	}
	f.Caption += few(orders)
	f.drawTable(2, orderGroups(orders), nil)
	return f, nil
}

// few warns of orders that few services decide.
func few(orders []bestOrder) string {
	var on []string
	for i := range orders {
		if orders[i].services < enoughIdentified {
			on = append(on, orders[i].ports)
		}
	}
	if len(on) == 0 {
		return ""
	}
	return fmt.Sprintf(" On the %s ports they are fewer than %d: few hosts decide ranks and shares.", strings.Join(on, " and "), enoughIdentified)
}

// orderGroups sets the orders side by side.
func orderGroups(orders []bestOrder) []plotters.Group {
	ranks := plotters.Column{Align: text.XRight}
	groups := []plotters.Group{{}}
	for i := range orders {
		o := &orders[i]
		names, published := plotters.Column{Head: "Handshake"}, plotters.Column{Head: "Paper"}
		gains, between, atRank, sums, publishedGains := right("Gain"), right("95 % interval"), right("At rank"), right("Sum"), right("Gain")
		for k, l := range o.lines() {
			if k == table2Steps {
				break
			}
			if k == len(ranks.Cells) {
				ranks.Cells = append(ranks.Cells, strconv.Itoa(l.rank))
			}
			gain := l.gain()
			names.Cells = append(names.Cells, get(l.step, "", func(s order.Step) string { return s.Handshake }))
			gains.Cells = append(gains.Cells, percent(gain.Value))
			between.Cells = append(between.Cells, interval(gain, percent))
			atRank.Cells = append(atRank.Cells, wholePercent(l.atRank()))
			sums.Cells = append(sums.Cells, percent(l.sum()))
			published.Cells = append(published.Cells, get(l.published, "", func(p datasets.OrderStep) string { return p.Handshake }))
			publishedGains.Cells = append(publishedGains.Cells, get(l.published, "", func(p datasets.OrderStep) string { return percent(p.Gain) }))
		}
		groups = append(groups, plotters.Group{
			Title:   fmt.Sprintf("%s ports, in %%, n = %s", title(o.ports), plotters.Thousands(o.services)),
			Columns: []plotters.Column{names, gains, between, atRank, sums, published, publishedGains},
		})
	}
	groups[0].Columns = []plotters.Column{ranks}
	return groups
}

func left(head string) plotters.Column  { return plotters.Column{Head: head, Align: text.XLeft} }
func right(head string) plotters.Column { return plotters.Column{Head: head, Align: text.XRight} }

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// drawTable draws columns as a table, with rules above some rows.
func (f *figure) drawTable(columns int, groups []plotters.Group, rules []int) {
	f.drawTableIn(sans(labelSize), columns, groups, rules)
}

func (f *figure) drawTableIn(style text.Style, columns int, groups []plotters.Group, rules []int) {
	const margins = vg.Length(16)
	table := plotters.NewTable(style, groups...)
	table.Rules = rules
	f.columns, f.height = columns, table.Height()+margins
	p := plot.New()
	p.BackgroundColor = nil
	p.HideAxes()
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(table)
	f.draw = p.Draw
}

// rankLine is how often a handshake has a rank.
type rankLine struct {
	of        *bestOrder
	handshake int // in the bootstrap's Handshakes
	rank      int // from 0
}

func (l *rankLine) resamples() int { return l.of.bootstrap.At(l.handshake, l.rank) }

// ranks shows how often each handshake takes each rank of Table 2 in resamples of the hosts.
func ranks(trials *orderTrials, over sources) (figure, error) {
	orders, err := bestOrders(trials, over.design())
	if err != nil {
		return figure{}, err
	}
	var lines []rankLine
	for i := range orders {
		o := &orders[i]
		if o.bootstrap == nil {
			continue
		}
		for h, list := range o.bootstrap.Ranks {
			for rank := range list {
				lines = append(lines, rankLine{o, h, rank})
			}
		}
	}
	n := ofOrders(orders)
	f := figure{
		Caption: fmt.Sprintf("How often the order of Table 2 has each handshake at each rank, in percent of %s resamples of the hosts; blank is never, "+
			"and what a row lacks to 100 are resamples in which the handshake gains nothing. n = %s.", plotters.Thousands(analysis.Resamples), n),
		table: tabulate(n, lines,
			texts("ports", func(l *rankLine) string { return l.of.ports }),
			texts("handshake", func(l *rankLine) string { return l.of.bootstrap.Handshakes[l.handshake] }),
			numbers("rank", "", func(l *rankLine) int { return l.rank + 1 }),
			numbers("resamples", "resamples", (*rankLine).resamples),
			values("share", "share of resamples", func(l *rankLine) float64 { return ratio(l.resamples(), analysis.Resamples) })),
		columns: 2,
	}
	f.Caption += few(orders)
	plots, heights := make([]*plot.Plot, len(orders)), make([]vg.Length, len(orders))
	for i := range orders {
		if plots[i], err = plotRanks(&orders[i]); err != nil {
			return f, err
		}
		rows := 1
		if b := orders[i].bootstrap; b != nil {
			rows = len(b.Handshakes)
		}
		heights[i] = vg.Length(rows)*10 + 24
	}
	f.height = slices.Max(heights) + 16
	f.draw = func(c draw.Canvas) {
		for i, part := range beside(c, len(plots)) {
			part.Min.Y = part.Max.Y - heights[i]
			plots[i].Draw(part)
		}
	}
	return f, nil
}

// plotRanks draws the matrix of handshakes and ranks.
func plotRanks(o *bestOrder) (*plot.Plot, error) {
	p := newMatrixPlot()
	p.X.Label.Text = fmt.Sprintf("Rank on %s ports, n = %s", o.ports, plotters.Thousands(o.services))
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(nil), plot.ConstantTicks(nil)
	if o.bootstrap == nil {
		return p, nil
	}
	width := 0
	for _, list := range o.bootstrap.Ranks {
		width = max(width, len(list))
	}
	var names, columns plot.ConstantTicks
	var cells [][]plotters.Cell
	for h, name := range o.bootstrap.Handshakes {
		names = append(names, plot.Tick{Value: -float64(h), Label: name})
		row := make([]plotters.Cell, width)
		for rank := range row {
			n := o.bootstrap.At(h, rank)
			row[rank].Value = ratio(n, analysis.Resamples)
			if n > 0 {
				row[rank].Text = plotters.Percent(n, analysis.Resamples)
			}
		}
		cells = append(cells, row)
	}
	for rank := range width {
		columns = append(columns, plot.Tick{Value: float64(rank), Label: strconv.Itoa(rank + 1)})
	}
	matrix, err := plotters.NewMatrix(cells, shade, sans(cellSize))
	if err != nil {
		return nil, err
	}
	p.Add(matrix)
	p.X.Tick.Marker, p.Y.Tick.Marker = columns, names
	return p, nil
}
