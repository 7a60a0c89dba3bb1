// Package published puts what a lab really is beside what the paper published. The lab's numbers are counted from its truth, by the
// paper's definitions, and not from a scan: [Survey] counts, and [Survey.Numbers] lists every published number that a lab can have.
//
// Where the published numbers contradict each other, or a lab is too small for them, datasets/paper/contradictions.md says why.
package published

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"laserdisc/datasets"
)

// Number is a published number and the lab's.
type Number struct {
	Where     string // in the paper: "Table 4"
	What      string // "80: zero window, of the SYN-ACKs"
	Published float64
	Lab       float64 // not a number where the lab has nothing to count
	half      float64 // of the last digit that was published, where digits are few; 0 elsewhere
}

// Tolerance is by how much of the published number the lab's may differ.
const Tolerance = 0.1

// Name is what a contradiction calls the number.
func (n Number) Name() string { return n.Where + ": " + n.What }

// Ratio is the lab's number divided by the published one; 1 where both are 0.
func (n Number) Ratio() float64 {
	if n.Lab == n.Published {
		return 1
	}
	return n.Lab / n.Published
}

// Agrees reports whether the lab's number is within a tenth of the published one; of Figure 10, whose shares have two digits, also whether it
// is the same when rounded to those.
func (n Number) Agrees() bool {
	return math.Abs(n.Lab-n.Published) <= max(Tolerance*n.Published, n.half)+1e-12
}

// Excuse is the section of datasets/paper/contradictions.md that lists a number.
func Excuse(n Number) (c datasets.Contradiction, ok bool) {
	for _, c := range datasets.Contradictions() {
		if slices.Contains(c.Numbers, n.Name()) {
			return c, true
		}
	}
	return c, false
}

// Numbers are all published numbers that a lab can have, in the paper's order: those of the text and of the figures, those of Figure 10, those of
// Tables 1 to 4.
func (s *Survey) Numbers() []Number {
	var list []Number
	for _, x := range datasets.Text() {
		if lab, ok := s.text(x.TextKey); ok {
			list = append(list, Number{Where: "section " + x.Section, What: x.Words, Published: x.Value, Lab: lab})
		}
	}
	return slices.Concat(list, s.figure10(), s.table1(), s.table2(), s.table3(), s.table4())
}

// text counts a number of the text, if it is one of services, and not of scans. A mean over ports counts every port alike.
func (s *Survey) text(k datasets.TextKey) (lab float64, ok bool) {
	switch k.Section + " " + k.Name {
	case "2 not_acknowledging":
		if k.Of == "all" {
			acks, all := 0, 0
			for _, p := range s.ports {
				acks, all = acks+p.acks, all+p.services
			}
			return 1 - ratio(acks, all), true
		}
		return s.mean(ports(k.Of), func(p *port) float64 { return 1 - ratio(p.acks, p.services) }), true
	case "2 zero_window", "2 dropped_handshake", "2 dynamic_blocking":
		return s.refusing(ports(k.Of), k.Name), true
	case "2 reset_after_handshake":
		return s.refusing(ports(k.Of), k.Name, "closed_after_handshake"), true // "or close"
	case "2 shunned":
		some, all := 0, 0
		for _, p := range ports(k.Of) {
			some, all = some+s.ports[p].behaviours["shunning"], all+s.ports[p].services
		}
		return ratio(some, all), true
	case "2 overstates":
		p := s.port(k.Of)
		return ratio(p.services, p.acks) - 1, true
	case "3.1 not_expected":
		scanned := slices.DeleteFunc(ports(k.Of), func(p uint16) bool { return !slices.Contains(datasets.Assigned(), p) })
		return s.mean(scanned, func(p *port) float64 { return 1 - p.share(datasets.Expected(p.number)) }), true
	case "3.1 of_unknown_across_ports":
		return s.mean(ports(k.Of), func(p *port) float64 { return ratio(p.everywhere, p.everywhere+p.unknown) }), true
	case "3.1 unknown":
		return s.mean(ports(k.Of), func(p *port) float64 { return ratio(p.unknown, p.acks-p.everywhere) }), true
	case "3.1 few_unknown":
		return s.hostsWith(func(services int) bool { return services < 4 }), true
	case "3.1 many_unknown":
		return s.hostsWith(func(services int) bool { return services > 60_000 }), true
	case "3.1 expected":
		p := s.port(k.Of)
		return p.share(datasets.Expected(p.number)), true
	case "3.1 unexpected":
		p := s.port(k.Of)
		return p.others(datasets.Expected(p.number)), true
	case "3.1 http", "3.1 tls":
		if k.Of == "all" {
			return s.ofUnexpected(k.Name), true
		}
		p := s.port(k.Of)
		return ratio(p.speaks[k.Name], p.identified()-p.speaks[datasets.Expected(p.number)]), true
	case "3.2 identified":
		if k.Of == "all" { // which is of a scan with so many handshakes
			return 0, false
		}
		return s.mean(ports(k.Of), func(p *port) float64 { return ratio(p.identified(), p.acks) }), true
	case "3.2 protocols":
		return s.mean(ports(k.Of), func(p *port) float64 { return float64(len(p.speaks)) }), true
	case "3.2 on_port":
		protocol, number, _ := strings.Cut(k.Of, "/")
		return s.onPort(protocol, parsePort(number)), true
	case "3.2 ports_for_90_percent":
		return float64(s.portsFor(k.Of, 0.9)), true
	case "3.2 ports_with":
		return float64(s.portsFor(k.Of, 1)), true
	case "3.2 top10_below_12000":
		return float64(s.outside(k.Of, 10, 12_000)) / 10, true
	case "4.2 identified_by_five":
		steps := map[string][]datasets.OrderStep{"assigned": datasets.Order().Assigned, "ephemeral": datasets.Order().Ephemeral}
		return s.five(ports(k.Of), steps[k.Of]), true
	case "5 identified_alone":
		return ratio(s.byGET, s.identifiable), true
	}
	return 0, false
}

// ports are the paper's of a name: "all", "popular", "unpopular" for all others, "assigned" or "ephemeral".
func ports(name string) []uint16 {
	sets := datasets.PortSets()
	switch name {
	case "all":
		return sets["paper"]
	case "popular":
		return datasets.Popular()
	case "unpopular":
		return slices.DeleteFunc(sets["paper"], func(p uint16) bool { return slices.Contains(datasets.Popular(), p) })
	}
	return sets[name]
}

// port is the paper's port of a number.
func (s *Survey) port(number string) *port { return s.ports[parsePort(number)] }

// parsePort panics unless the number, which is a published one, is a port's.
func parsePort(number string) uint16 {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		panic(err)
	}
	return uint16(n)
}

// figure10 is who answers which handshake.
func (s *Survey) figure10() (list []Number) {
	m := datasets.Matrix()
	for _, row := range m.Rows {
		for i, handshake := range m.Handshakes {
			k := s.protocols[row.Protocol]
			list = append(list, Number{"Figure 10", row.Protocol + " that answers " + handshake, row.Shares[i], ratio(k.answers[handshake], k.services), 0.005})
		}
	}
	return list
}

// table1 is Telnet's ports, as multiples of port 23.
func (s *Survey) table1() (list []Number) {
	table := datasets.TelnetPorts()
	at := s.protocols["telnet"].ports
	for _, x := range table[1:] {
		list = append(list, Number{Where: "Table 1", What: fmt.Sprintf("telnet on %d, of that on 23", x.Port),
			Published: float64(x.Hosts) / float64(table[0].Hosts), Lab: ratio(at[x.Port], at[23])})
	}
	return list
}

// table2 is what each handshake identifies of its own protocol, where that is not expected; each port counts alike.
func (s *Survey) table2() (list []Number) {
	for _, x := range []struct {
		name  string
		ports []uint16
		steps []datasets.OrderStep
	}{{"assigned", datasets.Assigned(), datasets.Order().Assigned}, {"ephemeral", datasets.Ephemeral(), datasets.Order().Ephemeral}} {
		gains := s.gains(x.ports)
		for i, step := range x.steps {
			list = append(list, Number{Where: "Table 2", What: fmt.Sprintf("%s ports: %d. %s", x.name, i+1, step.Handshake), Published: step.Gain, Lab: gains[step.Handshake]})
		}
	}
	return list
}

// table3 is who answers which of two ways to begin.
func (s *Survey) table3() (list []Number) {
	for _, x := range datasets.Options() {
		c := s.options[x.Port]
		n := map[string]int{"only": c.onlyUsual, "both": c.both}[x.Option[:4]]
		if x.Option == "only OPTIONS" || x.Option == "only bad cookie" || x.Option == "only insecure cipher" {
			n = c.onlyOther
		}
		list = append(list, Number{Where: "Table 3", What: fmt.Sprintf("%d: %s, %s", x.Port, x.Protocol, x.Option), Published: x.Share,
			Lab: ratio(n, c.onlyUsual+c.onlyOther+c.both)})
	}
	return list
}

// table4 is what scans of one port find.
func (s *Survey) table4() (list []Number) {
	scans := datasets.Performance()
	for _, c := range scans {
		p, protocol := s.ports[c.Port], c.Handshakes[0]
		name := fmt.Sprint(c.Port, "/", c.Handshakes[0])
		for _, more := range c.Handshakes[1:] {
			name += "," + more
		}
		add := func(what string, part, of uint64, lab float64) {
			list = append(list, Number{Where: "Table 4", What: name + ": " + what, Published: float64(part) / float64(of), Lab: lab})
		}
		if c.Port != scans[0].Port {
			add("SYN-ACKs, of those on 80", c.SYNACK, scans[0].SYNACK, ratio(p.services, s.ports[scans[0].Port].services))
		}
		add("zero window, of the SYN-ACKs", c.ZeroWindow, c.SYNACK, ratio(p.behaviours["zero_window"], p.services))
		add("RST, of the SYN-ACKs", c.RST, c.SYNACK, ratio(p.behaviours["reset_after_handshake"], p.services))
		add("acknowledge data, of the SYN-ACKs", c.AcksData, c.SYNACK, ratio(p.acks, p.services))
		add("expected, of what acknowledges data", c.ExpectedLZR, c.AcksData, p.share(protocol))
		add("unexpected, of what acknowledges data", c.UnexpectedLZR, c.AcksData, p.others(protocol))
		kinds := len(p.speaks)
		if p.speaks[protocol] > 0 {
			kinds--
		}
		add("unexpected protocols", c.UnexpectedProtocols, 1, float64(kinds))
	}
	return list
}

// ratio is a share, which is not a number where there is nothing to have a share of.
func ratio(part, of int) float64 { return float64(part) / float64(of) }
