// Package published puts what a lab really is beside what the paper published. The lab's numbers are counted from its truth, by the
// paper's definitions, and not from a scan: [Survey] counts, and [Survey.Numbers] lists every published number that a lab can have.
//
// Where the published numbers contradict each other, or a lab is too small for them, datasets/paper/contradictions.md says why.
package published

import (
	"fmt"
	"math"
	"slices"

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
		list = append(list, Number{Where: x.Where, What: x.What, Published: x.Value, Lab: s.text(x.Where, x.What)})
	}
	return slices.Concat(list, s.figure10(), s.table1(), s.table2(), s.table3(), s.table4())
}

// popular are the ports that are popular by Grubbs's test (paper, section 2).
var popular = []uint16{80, 443, 7547, 22, 21, 25}

// text counts a number of the text. It panics if it does not know it.
func (s *Survey) text(where, what string) float64 {
	if f, ok := inText[what]; ok {
		return f(s)
	}
	panic(fmt.Sprintf("published: %s: %q is not counted", where, what))
}

// inText says how the numbers of the text are counted. A mean over ports counts every port alike.
var inText = map[string]func(*Survey) float64{
	"services that acknowledge no data": func(s *Survey) float64 {
		all, acks := 0, 0
		for _, p := range s.ports {
			all, acks = all+p.services, acks+p.acks
		}
		return 1 - ratio(acks, all)
	},
	"11211: SYN-ACKs too many": func(s *Survey) float64 { return ratio(s.ports[11211].services, s.ports[11211].acks) - 1 },
	"unidentifiable services on hosts that have them on every port, unpopular ports": func(s *Survey) float64 {
		return s.mean(ports(false), func(p *port) float64 { return ratio(p.everywhere, p.everywhere+p.unknown) })
	},
	"hosts with fewer than 4 unidentifiable services, of those with any": func(s *Survey) float64 {
		return s.hostsWith(func(services int) bool { return services < 4 })
	},
	"hosts with over 60,000 unidentifiable services, of those with any": func(s *Survey) float64 {
		return s.hostsWith(func(services int) bool { return services > 60_000 })
	},
	"80: http":                        func(s *Survey) float64 { return s.ports[80].share("http") },
	"80: other protocols":             func(s *Survey) float64 { return s.ports[80].others("http") },
	"443: tls":                        func(s *Survey) float64 { return s.ports[443].share("tls") },
	"443: other protocols":            func(s *Survey) float64 { return s.ports[443].others("tls") },
	"623: ipmi":                       func(s *Survey) float64 { return s.ports[623].share("ipmi") },
	"623: other protocols":            func(s *Survey) float64 { return s.ports[623].others("ipmi") },
	"102: siemens":                    func(s *Survey) float64 { return s.ports[102].share("siemens") },
	"http of all unexpected services": func(s *Survey) float64 { return s.ofUnexpected("http") },
	"tls of all unexpected services":  func(s *Survey) float64 { return s.ofUnexpected("tls") },
	"80: tls of the unexpected services": func(s *Survey) float64 {
		p := s.ports[80]
		return ratio(p.speaks["tls"], p.identified()-p.speaks["http"])
	},
	"ephemeral ports: identified": func(s *Survey) float64 {
		return s.mean(datasets.Ephemeral(), func(p *port) float64 { return ratio(p.identified(), p.acks) })
	},
	"ephemeral ports: protocols on a port": func(s *Survey) float64 {
		return s.mean(datasets.Ephemeral(), func(p *port) float64 { return float64(len(p.speaks)) })
	},
	"http on 80":                   func(s *Survey) float64 { return s.onPort("http", 80) },
	"http on 7547":                 func(s *Survey) float64 { return s.onPort("http", 7547) },
	"http on 30005":                func(s *Survey) float64 { return s.onPort("http", 30005) },
	"tls on 443":                   func(s *Survey) float64 { return s.onPort("tls", 443) },
	"telnet on 23":                 func(s *Survey) float64 { return s.onPort("telnet", 23) },
	"amqp on 5672":                 func(s *Survey) float64 { return s.onPort("amqp", 5672) },
	"amqp on 5673":                 func(s *Survey) float64 { return s.onPort("amqp", 5673) },
	"ports that hold 90 % of http": func(s *Survey) float64 { return float64(s.portsFor("http", 0.9)) },
	"ports that hold 90 % of tls":  func(s *Survey) float64 { return float64(s.portsFor("tls", 0.9)) },
	"ports with http":              func(s *Survey) float64 { return float64(s.portsFor("http", 1)) },
	"ports with tls":               func(s *Survey) float64 { return float64(s.portsFor("tls", 1)) },
	"of telnet's first ten ports, those not among all services' first 12,000": func(s *Survey) float64 {
		return float64(s.outside("telnet", 10, 12_000))
	},
	"identified by five handshakes, of what is identifiable, assigned ports": func(s *Survey) float64 {
		return s.five(datasets.Assigned(), datasets.Order().Assigned)
	},
	"identified by five handshakes, of what is identifiable, ephemeral ports": func(s *Survey) float64 {
		return s.five(datasets.Ephemeral(), datasets.Order().Ephemeral)
	},
	"identified by one GET, of what is identifiable": func(s *Survey) float64 { return ratio(s.byGET, s.identifiable) },
}

// What is published of popular and unpopular ports.
func init() {
	for name, isPopular := range map[string]bool{"popular": true, "unpopular": false} {
		of, set := ", "+name+" ports", ports(isPopular)
		add := func(what string, f func(*Survey) float64) { inText[what+of] = f }
		add("services that acknowledge no data", func(s *Survey) float64 {
			return s.mean(set, func(p *port) float64 { return 1 - ratio(p.acks, p.services) })
		})
		add("not the expected protocol", func(s *Survey) float64 {
			scanned := slices.DeleteFunc(slices.Clone(set), func(p uint16) bool { return !slices.Contains(datasets.Assigned(), p) })
			return s.mean(scanned, func(p *port) float64 { return 1 - p.share(datasets.Expected(p.number)) })
		})
		add("unknown when these are left out", func(s *Survey) float64 {
			return s.mean(set, func(p *port) float64 { return ratio(p.unknown, p.acks-p.everywhere) })
		})
		// Of services that acknowledge no data, but for those that shun: they may, to another source.
		for what, behaviours := range map[string][]string{
			"zero window": {"zero_window"}, "dropped handshake": {"dropped_handshake"}, "dynamic blocking": {"dynamic_blocking"},
			"reset after handshake": {"reset_after_handshake", "closed_after_handshake"}, // "or close"
		} {
			add(what+", of these", func(s *Survey) float64 {
				some, of := s.refusing(set, behaviours...)
				return ratio(some, of)
			})
		}
		add("shunning, of all services", func(s *Survey) float64 {
			some, all := 0, 0
			for _, p := range set {
				some, all = some+s.ports[p].behaviours["shunning"], all+s.ports[p].services
			}
			return ratio(some, all)
		})
	}
}

// ports are the paper's popular or unpopular ones.
func ports(isPopular bool) (list []uint16) {
	for _, p := range datasets.Ports() {
		if slices.Contains(popular, p.Port) == isPopular {
			list = append(list, p.Port)
		}
	}
	return list
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
