package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// portStack is one bar of Figure 5: the services of a port by how far they go.
type portStack struct {
	port       uint16
	expected   string // protocol; "" is none
	synackOnly int    // never acknowledged data
	acksData   int    // acknowledged data, and nothing identified them
	l7Other    int    // identified as another protocol than the expected one
	l7Expected int
}

func (p portStack) total() int { return p.synackOnly + p.acksData + p.l7Other + p.l7Expected }

// stackPorts counts the services of each port, most first.
func stackPorts(c census) []portStack {
	stacks := make(map[uint16]*portStack)
	for k, n := range c {
		s := stacks[k.port]
		if s == nil {
			s = &portStack{port: k.port, expected: datasets.Expected(k.port)}
			stacks[k.port] = s
		}
		switch {
		case k.state < session.AcksData:
			s.synackOnly += n
		case k.label == "":
			s.acksData += n
		case k.label == s.expected:
			s.l7Expected += n
		default:
			s.l7Other += n
		}
	}
	var list []portStack
	for s := range maps.Values(stacks) {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b portStack) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.port, b.port))
	})
	return list
}

// figure05Ports is how many ports are drawn: as many as the paper scanned.
const figure05Ports = 55

// figure05 is the paper's Figure 5 (section 3.1): per port, the services that only send a
// SYN-ACK, those that acknowledge data, and those that complete a handshake of layer 7. The last
// are split by whether it is the expected protocol's.
func figure05(ports []portStack, note string) figure {
	f := figure{
		Name: "figure05", Title: "Figure 5", Note: note,
		Width: twoColumns, Height: 2.6 * vg.Inch,
		header: []string{"port", "expected", "services", "synack_only", "acks_data_unidentified", "l7_other", "l7_expected"},
	}
	n := 0
	for _, p := range ports {
		n += p.total()
		f.rows = append(f.rows, []string{strconv.Itoa(int(p.port)), p.expected, strconv.Itoa(p.total()),
			strconv.Itoa(p.synackOnly), strconv.Itoa(p.acksData), strconv.Itoa(p.l7Other), strconv.Itoa(p.l7Expected)})
	}
	shown := ports[:min(len(ports), figure05Ports)]
	f.Caption = fmt.Sprintf("Services by how far they go: those that only send a SYN-ACK, those that acknowledge data, and those "+
		"that are identified, as the protocol expected on their port or as another. n = %s services on %s.", thousands(n), plural(len(ports), "port"))
	if len(shown) < len(ports) {
		f.Caption += fmt.Sprintf(" Shown are the %d ports with the most services.", len(shown))
	}
	if _, small := splitScales(shown); len(small) > 0 {
		f.Caption += " The two panels have scales of their own."
	}
	f.draw = func(s sheet) { drawStacks(s, shown, n) }
	return f
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// layers are the parts of a bar, from the bottom.
var layers = []struct {
	name  string
	area  area
	count func(portStack) int
}{
	{"L7, expected protocol", area{blue, hatching{}}, func(p portStack) int { return p.l7Expected }},
	{"L7, another protocol", area{skyBlue, hatching{1, 2.4}}, func(p portStack) int { return p.l7Other }},
	{"acknowledges data", area{yellow, hatching{-1, 2.4}}, func(p portStack) int { return p.acksData }},
	{"SYN-ACK only", area{lightGray, hatching{}}, func(p portStack) int { return p.synackOnly }},
}

// drawStacks draws the bars in two panels with a scale each, where a few ports dwarf the others.
func drawStacks(s sheet, ports []portStack, n int) {
	top := s.Max.Y - 14
	x := s.Min.X + 34
	for _, l := range layers {
		r := rectangle(x, s.Max.Y-9, x+11, s.Max.Y-2.5)
		s.area(r, l.area)
		s.frame(r, black, 0.3)
		s.text(label{size: tickSize}, x+14, s.Max.Y-8, l.name)
		x += 24 + label{size: tickSize}.width(l.name)
	}
	s.text(label{size: tickSize, x: text.XRight}, s.Max.X-2, s.Max.Y-8, "n = "+thousands(n)+" services")

	bottom := s.Min.Y + 38
	const margin = vg.Length(34)
	large, small := splitScales(ports)
	room := s.Max.X - s.Min.X - 4 - margin
	if len(small) > 0 {
		room -= margin
	}
	slot := room / vg.Length(max(1, len(ports)))
	left := s.Min.X + margin
	drawBars(s, large, left, slot, bottom, top)
	if len(small) > 0 {
		drawBars(s, small, left+slot*vg.Length(len(large))+margin, slot, bottom, top)
	}
	s.text(label{size: labelSize, x: text.XCenter}, (s.Min.X+margin+s.Max.X)/2, s.Min.Y+2, "TCP port, by number of services")
}

// splitScales parts the ports, most services first, where the largest is over six times as
// high: below that, bars can be read on one scale.
func splitScales(ports []portStack) (large, small []portStack) {
	i := slices.IndexFunc(ports, func(p portStack) bool { return p.total()*6 < ports[0].total() })
	if i < 0 {
		return ports, nil
	}
	return ports[:i], ports[i:]
}

func drawBars(s sheet, ports []portStack, left, slot, bottom, top vg.Length) {
	highest := 0.0
	if len(ports) > 0 {
		highest = float64(ports[0].total())
	}
	marks, end := ticks(highest, 5)
	p := panel{
		x: axis{min: 0, max: float64(len(ports)), from: left, to: left + slot*vg.Length(len(ports))},
		y: axis{max: end, from: bottom, to: top},
	}
	s.yAxis(p, marks, "Services")
	width := min(slot*0.76, 14)
	for i, port := range ports {
		x := p.x.at(float64(i) + 0.5)
		sum := 0
		for _, l := range layers {
			n := l.count(port)
			s.area(rectangle(x-width/2, p.y.at(float64(sum)), x+width/2, p.y.at(float64(sum+n))), l.area)
			sum += n
		}
		s.frame(rectangle(x-width/2, bottom, x+width/2, p.y.at(float64(sum))), black, 0.3)
		s.text(label{size: min(tickSize, float64(slot)), x: text.XRight, y: text.YCenter, turn: math.Pi / 2}, x, bottom-3, strconv.Itoa(int(port.port)))
	}
	s.line(black, axisLine, p.x.from, bottom, p.x.to, bottom)
}
