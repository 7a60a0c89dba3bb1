package reports

import (
	"fmt"
	"strconv"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

// bestOrder is one half of Table 2: the order of handshakes on a set of ports.
type bestOrder struct {
	ports     string // name of the set
	steps     []order.Step
	exact     []int // by step: the most services that so many handshakes can identify
	published []datasets.OrderStep
}

// services is how many services the shares are of.
func (o bestOrder) services() int {
	if len(o.steps) == 0 {
		return 0
	}
	return o.steps[len(o.steps)-1].Cumulative
}

// table2Steps is how many steps are drawn; the CSV has all.
const table2Steps = 10

// bestOrders computes both halves, leaving out the services that speak what is expected.
func bestOrders(trials *analysis.Trials) []bestOrder {
	services := order.Unexpected(trials.Order(datasets.Expected))
	published := datasets.Order()
	return []bestOrder{
		orderOn("assigned", services, datasets.Assigned(), trials.Handshakes(), published.Assigned),
		orderOn("ephemeral", services, datasets.Ephemeral(), trials.Handshakes(), published.Ephemeral),
	}
}

func orderOn(name string, services []order.Service, ports []uint16, handshakes []string, published []datasets.OrderStep) bestOrder {
	services = order.On(services, ports)
	o := bestOrder{ports: name, steps: order.Greedy(services, handshakes), published: published}
	for k := range min(len(o.steps), table2Steps) {
		o.exact = append(o.exact, order.Exact(services, handshakes, k+1).Identified)
	}
	return o
}

// table2 is the paper's Table 2 (section 4.2): the optimal order of handshakes, by greedy choice,
// with the published order, and with the exact optimum of so many handshakes beside it.
func table2(orders []bestOrder, note string) figure {
	t := figure{
		Name: "table2", Title: "Table 2", Note: note, Width: twoColumns,
		header: []string{"ports", "rank", "handshake", "gained", "share", "cumulative", "cumulative_share",
			"exact_cumulative", "published_handshake", "published_share"},
	}
	lines := 0
	t.Caption = "Order of handshakes by greedy choice: the next is the one that identifies the most services that are still unidentified. " +
		"Services that speak the protocol expected on their port are left out. " +
		"Optimum: share that the best choice of so many handshakes identifies."
	for _, o := range orders {
		lines = max(lines, min(max(len(o.steps), len(o.published)), table2Steps))
		t.Caption += fmt.Sprintf(" %s ports: n = %s identifiable services.", title(o.ports), thousands(o.services()))
		for i := range max(len(o.steps), len(o.published)) {
			t.rows = append(t.rows, o.record(i))
		}
	}
	t.Height = vg.Length(lines)*tableLine + 36 + noteHeight
	t.draw = func(s sheet) { drawOrders(s, orders, lines) }
	return t
}

// record is line i of the CSV; cells that are not there are empty.
func (o bestOrder) record(i int) []string {
	r := make([]string, 10)
	r[0], r[1] = o.ports, strconv.Itoa(i+1)
	if i < len(o.steps) {
		s := o.steps[i]
		r[2], r[3], r[4] = s.Handshake, strconv.Itoa(s.Gained), share(s.Share)
		r[5], r[6] = strconv.Itoa(s.Cumulative), share(s.CumulativeShare)
	}
	if i < len(o.exact) {
		r[7] = strconv.Itoa(o.exact[i])
	}
	if i < len(o.published) {
		r[8], r[9] = o.published[i].Handshake, share(o.published[i].Gain)
	}
	return r
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

const tableLine = vg.Length(10.5)

// drawOrders draws the halves side by side, ruled as tables in papers are.
func drawOrders(s sheet, orders []bestOrder, lines int) {
	const gap, rank = vg.Length(14), vg.Length(14)
	half := (s.Max.X - s.Min.X - 8 - rank - gap*vg.Length(len(orders)-1)) / vg.Length(len(orders))
	top := s.Max.Y - 6
	first := top - 32
	bottom := first - tableLine*vg.Length(lines-1) - 4
	s.line(black, 0.8, s.Min.X+4, top, s.Max.X-4, top)
	s.line(black, 0.8, s.Min.X+4, bottom, s.Max.X-4, bottom)
	s.line(black, axisLine, s.Min.X+4, first+9, s.Max.X-4, first+9)
	for i := range lines {
		s.text(label{size: labelSize, x: text.XRight}, s.Min.X+rank, first-tableLine*vg.Length(i), strconv.Itoa(i+1))
	}
	for i, o := range orders {
		x := s.Min.X + 4 + rank + (half+gap)*vg.Length(i)
		s.half(o, x, half, top, first)
	}
}

// half draws one order between x and x+width.
func (s sheet) half(o bestOrder, x, width, top, first vg.Length) {
	columns := []struct {
		title string
		at    vg.Length // of the width, where the column ends, or begins if it has names
		names bool
		cell  func(int) string
	}{
		{"Handshake", 0.02, true, func(i int) string { return get(o.steps, i, func(s order.Step) string { return s.Handshake }) }},
		{"Gain (%)", 0.375, false, func(i int) string { return get(o.steps, i, func(s order.Step) string { return percent(s.Share) }) }},
		{"Sum (%)", 0.51, false, func(i int) string {
			return get(o.steps, i, func(s order.Step) string { return percent(s.CumulativeShare) })
		}},
		{"Optimum (%)", 0.7, false, func(i int) string {
			return get(o.exact, i, func(n int) string { return percent(float64(n) / float64(o.services())) })
		}},
		{"Paper", 0.77, true, func(i int) string {
			return get(o.published, i, func(p datasets.OrderStep) string { return p.Handshake })
		}},
		{"Gain (%)", 1, false, func(i int) string {
			return get(o.published, i, func(p datasets.OrderStep) string { return percent(p.Gain) })
		}},
	}
	s.text(label{size: labelSize, x: text.XCenter}, x+width/2, top-9, fmt.Sprintf("%s ports, n = %s", title(o.ports), thousands(o.services())))
	s.line(black, 0.35, x, top-11.5, x+width, top-11.5)
	for _, c := range columns {
		l := label{size: labelSize, x: text.XRight}
		if c.names {
			l.x = text.XLeft
		}
		at := x + width*c.at
		s.text(label{size: tickSize, color: gray, x: l.x}, at, first+12, c.title)
		for i := range table2Steps {
			s.text(l, at, first-tableLine*vg.Length(i), c.cell(i))
		}
	}
}

// get is the text of element i, or none if there is no such element.
func get[T any](list []T, i int, text func(T) string) string {
	if i >= len(list) {
		return ""
	}
	return text(list[i])
}

// percent writes a share in percent, to the digit that the paper's table has.
func percent(share float64) string {
	digits := 1
	if share < 0.01 {
		digits = 2
	}
	return strconv.FormatFloat(share*100, 'f', digits, 64)
}
