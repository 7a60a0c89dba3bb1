package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/datasets"
	"laserdisc/replay/order"
	"laserdisc/reports/plotters"
)

// bestOrder is one half of Table 2: the order of handshakes on a set of ports.
type bestOrder struct {
	ports     string // name of the set
	steps     []order.Step
	exact     []int // by step: the most services that so many handshakes can identify
	published []datasets.OrderStep
}

// services is how many services the shares are of.
func (o *bestOrder) services() int {
	if len(o.steps) == 0 {
		return 0
	}
	return o.steps[len(o.steps)-1].Cumulative
}

// table2Steps is how many steps are drawn; the CSV has all.
const table2Steps = 10

// bestOrders computes both halves, leaving out the services that speak what is expected.
func bestOrders(handshakes []string, patterns []analysis.Response) []bestOrder {
	published := datasets.Order()
	orders := []bestOrder{
		{ports: "assigned", published: published.Assigned},
		{ports: "ephemeral", published: published.Ephemeral},
	}
	for i := range orders {
		o := &orders[i]
		identified := analysis.Identified(analysis.Unexpected(analysis.On(patterns, datasets.PortSets()[o.ports])))
		o.steps = order.Greedy(identified, handshakes)
		for k := range min(len(o.steps), table2Steps) {
			o.exact = append(o.exact, order.Exact(identified, handshakes, k+1).Identified)
		}
	}
	return orders
}

// orderLine is a line of the table: a step of an order, the published one beside it. What is not there is empty.
type orderLine struct {
	of        *bestOrder
	rank      int // from 1
	step      *order.Step
	exact     *int
	published *datasets.OrderStep
}

func (o *bestOrder) lines() []orderLine {
	lines := make([]orderLine, max(len(o.steps), len(o.published)))
	for i := range lines {
		lines[i] = orderLine{o, i + 1, at(o.steps, i), at(o.exact, i), at(o.published, i)}
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

// table2 is the paper's Table 2 (section 4.2): the optimal order of handshakes, by greedy choice, with the published
// order, and with the exact optimum of so many handshakes beside it.
func table2(r *analysis.Responses, over sources) (figure, error) {
	orders := bestOrders(r.Patterns(over.handshakes()))
	var lines []orderLine
	var of []string
	for i := range orders {
		lines = append(lines, orders[i].lines()...)
		of = append(of, fmt.Sprintf("%s on %s ports", plural(orders[i].services(), "identifiable service"), orders[i].ports))
	}
	n := strings.Join(of, " and ")
	f := figure{
		Caption: "Order of handshakes by greedy choice: the next is the one that identifies the most services that are still unidentified. " +
			"Services that speak the protocol expected on their port are left out. " +
			"Optimum: share that the best choice of so many handshakes identifies. n = " + n + ".",
		table: tabulate(n, lines,
			texts("ports", func(l *orderLine) string { return l.of.ports }),
			numbers("rank", "", func(l *orderLine) int { return l.rank }),
			texts("handshake", func(l *orderLine) string { return get(l.step, "", func(s order.Step) string { return s.Handshake }) }),
			numbers("gained", "services", func(l *orderLine) int { return get(l.step, -1, func(s order.Step) int { return s.Gained }) }),
			values("share", "share of identifiable services", func(l *orderLine) float64 {
				return get(l.step, math.NaN(), func(s order.Step) float64 { return s.Share })
			}),
			numbers("cumulative", "services", func(l *orderLine) int { return get(l.step, -1, func(s order.Step) int { return s.Cumulative }) }),
			values("cumulative_share", "share of identifiable services", func(l *orderLine) float64 {
				return get(l.step, math.NaN(), func(s order.Step) float64 { return s.CumulativeShare })
			}),
			numbers("exact_cumulative", "services", func(l *orderLine) int { return get(l.exact, -1, func(n int) int { return n }) }),
			texts("published_handshake", func(l *orderLine) string {
				return get(l.published, "", func(p datasets.OrderStep) string { return p.Handshake })
			}),
			values("published_share", "share of identifiable services", func(l *orderLine) float64 {
				return get(l.published, math.NaN(), func(p datasets.OrderStep) float64 { return p.Gain })
			})),
	}
	f.drawTable(2, orderGroups(orders), nil)
	return f, nil
}

// get is something of a thing that may not be there.
func get[T, V any](thing *T, none V, of func(T) V) V {
	if thing == nil {
		return none
	}
	return of(*thing)
}

// orderGroups sets the orders side by side.
func orderGroups(orders []bestOrder) []plotters.Group {
	ranks := plotters.Column{Align: text.XRight}
	groups := []plotters.Group{{}}
	for i := range orders {
		o := &orders[i]
		names, published := plotters.Column{Head: "Handshake"}, plotters.Column{Head: "Paper"}
		gains, sums, optimum := right("Gain (%)"), right("Sum (%)"), right("Optimum (%)")
		publishedGains := right("Gain (%)")
		for k, l := range o.lines() {
			if k == table2Steps {
				break
			}
			if k == len(ranks.Cells) {
				ranks.Cells = append(ranks.Cells, strconv.Itoa(l.rank))
			}
			names.Cells = append(names.Cells, get(l.step, "", func(s order.Step) string { return s.Handshake }))
			gains.Cells = append(gains.Cells, get(l.step, "", func(s order.Step) string { return percent(s.Share) }))
			sums.Cells = append(sums.Cells, get(l.step, "", func(s order.Step) string { return percent(s.CumulativeShare) }))
			optimum.Cells = append(optimum.Cells, get(l.exact, "", func(n int) string { return percent(ratio(n, o.services())) }))
			published.Cells = append(published.Cells, get(l.published, "", func(p datasets.OrderStep) string { return p.Handshake }))
			publishedGains.Cells = append(publishedGains.Cells, get(l.published, "", func(p datasets.OrderStep) string { return percent(p.Gain) }))
		}
		groups = append(groups, plotters.Group{
			Title:   fmt.Sprintf("%s ports, n = %s", title(o.ports), plotters.Thousands(o.services())),
			Columns: []plotters.Column{names, gains, sums, optimum, published, publishedGains},
		})
	}
	groups[0].Columns = []plotters.Column{ranks}
	return groups
}

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

// percent writes a share in percent, to the digit that the paper's table has; "" for NaN.
func percent(share float64) string {
	digits := 1
	switch {
	case math.IsNaN(share):
		return ""
	case share < 0.01:
		digits = 2
	}
	return strconv.FormatFloat(share*100, 'f', digits, 64)
}
