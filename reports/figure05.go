package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// portStack is one bar of Figure 5: the services of a port by how far they go.
type portStack struct {
	port       uint16
	expected   string // protocol; "" is none
	synackOnly int    // never acknowledged data
	acksData   int    // acknowledged data, if only as their host does on every port, and nothing identified them
	l7Other    int    // identified as another protocol than the expected one
	l7Expected int
}

func (p *portStack) total() int { return p.synackOnly + p.acksData + p.l7Other + p.l7Expected }

// group is where the port is drawn: 0 for those that a protocol is expected on, 1 for the others.
func (p *portStack) group() int {
	if p.expected != "" {
		return 0
	}
	return 1
}

// stackPorts counts the services of each port: those with an expected protocol first, and of these the ones with most
// services first. A service that was identified is that, by whatever source.
func stackPorts(kinds []analysis.Kind) []portStack {
	stacks := make(map[uint16]*portStack)
	for _, k := range kinds {
		s := stacks[k.Port]
		if s == nil {
			s = &portStack{port: k.Port, expected: datasets.Expected(k.Port)}
			stacks[k.Port] = s
		}
		switch {
		case k.Label == "" && k.State < session.AllPorts:
			s.synackOnly += k.Services
		case k.Label == "":
			s.acksData += k.Services
		case k.Label == s.expected:
			s.l7Expected += k.Services
		default:
			s.l7Other += k.Services
		}
	}
	var list []portStack
	for s := range maps.Values(stacks) {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b portStack) int {
		return cmp.Or(cmp.Compare(a.group(), b.group()), cmp.Compare(b.total(), a.total()), cmp.Compare(a.port, b.port))
	})
	return list
}

// figure05Ports is how many ports are drawn: as many as the paper scanned.
const figure05Ports = 55

// figure05 is the paper's Figure 5 (section 3.1): per port, the services that only send a SYN-ACK, those that acknowledge
// data, and those that complete a handshake of layer 7. The last are split by whether it is the expected protocol's.
func figure05(c *analysis.Census, over sources) (figure, error) {
	ports := stackPorts(c.Kinds())
	parts, err := portParts(ports, over.design())
	if err != nil {
		return figure{}, err
	}
	services := 0
	for i := range ports {
		services += ports[i].total()
	}
	n := fmt.Sprintf("%s on %s", plural(services, "service"), plural(len(ports), "port"))
	f := figure{
		Caption: "Services by how far they go: those that only send a SYN-ACK, those that acknowledge data (all-ports hosts' among them, " +
			"which Figure 6 tells apart), and those that are identified, as the protocol expected on their port or as another. Above, how many; " +
			"below, shares of each port's, hollow where it has fewer than " + strconv.Itoa(fewServices) + ". At the right, ports that no protocol is expected on. n = " + n + ".",
		table: tabulate(n, parts,
			numbers("port", "", func(p *portPart) int { return int(p.port) }),
			texts("expected", func(p *portPart) string { return p.expected }),
			texts("reached", func(p *portPart) string { return p.name }),
			numbers("services", "services", func(p *portPart) int { return p.services }),
			estimates("share", "share of the port's services", func(p *portPart) estimate.Estimate { return p.share })),
		behind:  func(row int) servicesWhere { return parts[row].where() },
		columns: 2, height: 3.4 * vg.Inch,
	}
	if len(ports) > figure05Ports {
		ports = mostServices(ports, figure05Ports)
		f.Caption += fmt.Sprintf(" Shown are the %d ports with the most services.", len(ports))
	}
	counts, shares, err := plotStacks(ports)
	if err != nil {
		return f, err
	}
	f.draw = func(c draw.Canvas) {
		c = addLegend(c, len(layers)+1, layerLegend("n = "+plural(services, "service")))
		stack(c, []*plot.Plot{counts, shares}, []float64{5, 4})
	}
	return f, nil
}

// portPart is a line of the table: one part of a bar.
type portPart struct {
	*portStack
	layer
	services int
	share    estimate.Estimate
}

// where are the services that the part counts.
func (p *portPart) where() servicesWhere {
	switch {
	case p.services == 0:
		return servicesWhere{}
	case p.name == "l7_expected":
		return and(onPort(p.port), speaking(p.expected))
	case p.name == "l7_other":
		return and(onPort(p.port), speakingOther(p.expected))
	}
	return and(onPort(p.port), unidentified(p.name == "acks_data"))
}

func portParts(ports []portStack, design estimate.Design) ([]portPart, error) {
	var list []portPart
	for i := range ports {
		for _, l := range layers {
			part := portPart{portStack: &ports[i], layer: l, services: l.count(&ports[i])}
			var err error
			part.share, err = estimate.Alone(uint64(part.services), uint64(ports[i].total())).Share(design)
			if err != nil {
				return nil, err
			}
			list = append(list, part)
		}
	}
	return list, nil
}

// mostServices leaves out all but the ports with the most services, and keeps the order of those.
func mostServices(ports []portStack, n int) []portStack {
	by := slices.Clone(ports)
	slices.SortStableFunc(by, func(a, b portStack) int { return cmp.Compare(b.total(), a.total()) })
	kept := make(map[uint16]bool)
	for _, p := range by[:n] {
		kept[p.port] = true
	}
	return slices.DeleteFunc(slices.Clone(ports), func(p portStack) bool { return !kept[p.port] })
}

// layer is a part of every bar.
type layer struct {
	name, title string // in the table, and in the legend
	fill        plotters.Fill
	count       func(*portStack) int
}

// layers are the parts of a bar, from the bottom.
var layers = []layer{
	{"l7_expected", "L7, expected protocol", plotters.Fill{Color: blue}, func(p *portStack) int { return p.l7Expected }},
	{"l7_other", "L7, another protocol", hatched(skyBlue, 1), func(p *portStack) int { return p.l7Other }},
	{"acks_data", "acknowledges data", hatched(yellow, -1), func(p *portStack) int { return p.acksData }},
	{"synack_only", "SYN-ACK only", plotters.Fill{Color: lightGray}, func(p *portStack) int { return p.synackOnly }},
}

func layerLegend(last string) []entry {
	var list []entry
	for _, l := range layers {
		list = append(list, entry{l.title, []plot.Thumbnailer{l.fill}})
	}
	return append(list, entry{name: last})
}

// plotStacks draws the bars as counts, on one scale for all ports, and as shares of each port's.
func plotStacks(ports []portStack) (counts, shares *plot.Plot, err error) {
	counts, shares = newPlot(), newPlot()
	x := make([]float64, len(ports))
	names := make(plot.ConstantTicks, len(ports))
	apart := slices.IndexFunc(ports, func(p portStack) bool { return p.group() == 1 })
	for i := range ports {
		p := &ports[i]
		x[i] = float64(i)
		if apart > 0 && i >= apart {
			x[i]++ // an empty place between the two groups
		}
		names[i] = plot.Tick{Value: x[i], Label: portName(p.port, p.expected)}
	}
	for _, half := range []struct {
		plot   *plot.Plot
		height func(n int, p *portStack) float64
	}{
		{counts, func(n int, _ *portStack) float64 { return float64(n) }},
		{shares, func(n int, p *portStack) float64 { return ratio(n, p.total()) }},
	} {
		var list []plotters.Layer
		for _, l := range layers {
			layer := plotters.Layer{Fill: l.fill}
			for i := range ports {
				layer.Heights = append(layer.Heights, half.height(l.count(&ports[i]), &ports[i]))
			}
			list = append(list, layer)
		}
		if half.plot == shares {
			list = hollow(list, func(i int) bool { return ports[i].total() < fewServices })
		}
		bars, err := plotters.NewStackedBars(x, list...)
		if err != nil {
			return nil, nil, err
		}
		half.plot.Add(bars)
		// A few bars are no wider than those of many.
		half.plot.X.Min, half.plot.X.Max = -0.6, max(half.plot.X.Max+0.2, figure05Ports/2)
	}
	counts.Y.Label.Text = "Services"
	counts.Y.Tick.Marker, counts.Y.AutoRescale = plotters.Counts{}, true
	counts.X.Tick.Marker = plot.ConstantTicks(nil)
	shares.Y.Label.Text = "Share (%)"
	shares.Y.Tick.Marker, shares.Y.Max = plotters.Percents(25), 1
	shares.X.Label.Text = "TCP port / expected protocol, by number of services"
	shares.X.Tick.Marker = names
	upright(shares)
	if apart > 0 {
		if err := addLine(shares, ruleLine, plotter.XY{X: float64(apart), Y: 0}, plotter.XY{X: float64(apart), Y: 1}); err != nil {
			return nil, nil, err
		}
	}
	return counts, shares, nil
}

// hollow makes some bars of shares hollow.
func hollow(layers []plotters.Layer, few func(bar int) bool) []plotters.Layer {
	frame := plotters.Layer{Heights: make([]float64, len(layers[0].Heights))}
	for i := range frame.Heights {
		if !few(i) {
			continue
		}
		for _, l := range layers {
			frame.Heights[i] += l.Heights[i]
			l.Heights[i] = 0
		}
	}
	return append(layers, frame)
}

// portName is a port with what is expected on it: 80/http.
func portName(port uint16, expected string) string {
	name := strconv.Itoa(int(port))
	if expected != "" {
		name += "/" + expected
	}
	return name
}
