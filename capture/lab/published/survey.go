package published

import (
	"maps"
	"net/netip"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/lab/servers"
	"laserdisc/datasets"
)

// Survey is what the services of a lab are, counted.
type Survey struct {
	ports     map[uint16]*port     // the paper's 55; those of hosts whose every port is the same are in them
	protocols map[string]*protocol // over all ports, without those hosts
	everyPort [1 << 16]int         // services on each port, likewise
	hosts     map[netip.Addr]int   // unidentifiable services that acknowledge data
	options   map[uint16]*options  // by the port of a line of Table 3

	identifiable, byGET int // services, over all ports
}

// port is one of the paper's ports.
type port struct {
	number     uint16
	services   int            // that answer with a SYN-ACK
	acks       int            // of these, that acknowledge data
	everywhere int            // of the latter, on hosts that do so on every port
	unknown    int            // on others, that nobody can identify
	speaks     map[string]int // and those that speak a protocol
	waits      int            // of these, unexpected ones that say what they speak unasked
	behaviours map[string]int // of all services
}

// protocol is one that services speak that acknowledge data.
type protocol struct {
	services int
	answers  map[string]int // that send data to a handshake
	ports    map[uint16]int
}

// options are the services that answer a protocol's usual first words, its other ones, or both.
type options struct{ onlyUsual, onlyOther, both int }

// variants are the names of Table 3's two ways to begin, by protocol.
var variants = map[string][2]string{"http": {"http", "http-options"}, "pptp": {"pptp", "pptp-badcookie"}, "tls": {"tls", "tls-legacy"}}

// Take counts the services of a lab. It visits all of them, on all ports, twice: few handshakes take less time than all at once.
func Take(n *lab.Network) *Survey {
	s := &Survey{ports: map[uint16]*port{}, protocols: map[string]*protocol{}, hosts: map[netip.Addr]int{}, options: map[uint16]*options{}}
	for _, p := range datasets.Ports() {
		s.ports[p.Port] = &port{number: p.Port, speaks: map[string]int{}, behaviours: map[string]int{}}
	}
	for _, p := range servers.Protocols() {
		s.protocols[p.Name] = &protocol{answers: map[string]int{}, ports: map[uint16]int{}}
	}
	for t := range n.TruthOf(nil, []string{"http"}) {
		if t.Port == 0 {
			s.everywhere(&t)
		} else {
			s.add(&t)
		}
	}
	for t := range n.TruthOf(nil, []string{"wait", "newlines", "tls"}) {
		if t.Port == 0 || t.Behaviour != "serves" {
			continue
		}
		s.protocols[t.Protocol].hear(&t)
		if p := s.ports[t.Port]; p != nil && t.ServerFirst && identifiable(t.Protocol) && t.Protocol != datasets.Expected(t.Port) && slices.Contains(t.Answers, "wait") {
			p.waits++
		}
	}
	for _, o := range datasets.Options() {
		if s.options[o.Port] != nil {
			continue
		}
		c, v := new(options), variants[o.Protocol]
		s.options[o.Port] = c
		for t := range n.TruthOf([]uint16{o.Port}, v[:]) {
			if t.Port != 0 && t.Protocol == o.Protocol {
				c.add(slices.Contains(t.Answers, v[0]), slices.Contains(t.Answers, v[1]))
			}
		}
	}
	return s
}

// hear counts what a service answers.
func (p *protocol) hear(t *lab.Truth) {
	for _, handshake := range t.Answers {
		p.answers[handshake]++
	}
}

func (o *options) add(usual, other bool) {
	switch {
	case usual && other:
		o.both++
	case usual:
		o.onlyUsual++
	case other:
		o.onlyOther++
	}
}

// identifiable reports whether a scanner knows the protocol.
func identifiable(protocol string) bool {
	_, ok := handshake.Lookup(protocol)
	return ok
}

// everywhere counts a host whose every port is the same.
func (s *Survey) everywhere(t *lab.Truth) {
	serves := t.Behaviour == "serves"
	if serves {
		s.hosts[t.Address] = 1<<16 - 1
	}
	for _, p := range s.ports {
		p.services++
		p.behaviours[t.Behaviour]++
		if serves {
			p.acks++
			p.everywhere++
		}
	}
}

func (s *Survey) add(t *lab.Truth) {
	s.everyPort[t.Port]++
	p := s.ports[t.Port]
	if p != nil {
		p.services++
		p.behaviours[t.Behaviour]++
	}
	if t.Behaviour != "serves" {
		return
	}
	known := identifiable(t.Protocol)
	if !known {
		s.hosts[t.Address]++
	}
	k := s.protocols[t.Protocol]
	k.services++
	k.ports[t.Port]++
	k.hear(t)
	if known {
		s.identifiable++
		if t.Label != "" && t.Label != handshake.Unknown && t.Label != handshake.Echo {
			s.byGET++
		}
	}
	if p == nil {
		return
	}
	p.acks++
	if !known {
		p.unknown++
		return
	}
	p.speaks[t.Protocol]++
}

// identified is how many of the port's services speak a protocol that a scanner knows.
func (p *port) identified() (n int) {
	for _, k := range p.speaks {
		n += k
	}
	return n
}

// share is that of a protocol in what acknowledges data.
func (p *port) share(protocol string) float64 { return ratio(p.speaks[protocol], p.acks) }

// others is the share of the other protocols.
func (p *port) others(protocol string) float64 {
	return ratio(p.identified()-p.speaks[protocol], p.acks)
}

// mean is over ports, each of which counts alike. It is not a number if one of them has nothing to count.
func (s *Survey) mean(of []uint16, f func(*port) float64) (mean float64) {
	for _, number := range of {
		mean += f(s.ports[number]) / float64(len(of))
	}
	return mean
}

// refusing counts the services that acknowledge no data, but for those that shun, and gives the share that has one of some behaviours.
func (s *Survey) refusing(of []uint16, behaviours ...string) float64 {
	some, all := 0, 0
	for _, number := range of {
		p := s.ports[number]
		all += p.services - p.acks - p.behaviours["shunning"]
		for _, b := range behaviours {
			some += p.behaviours[b]
		}
	}
	return ratio(some, all)
}

// hostsWith is the share of hosts with so many unidentifiable services, of those with any.
func (s *Survey) hostsWith(so func(services int) bool) float64 {
	n := 0
	for _, services := range s.hosts {
		if so(services) {
			n++
		}
	}
	return ratio(n, len(s.hosts))
}

// ofUnexpected is the share of a protocol in the unexpected services of all ports.
func (s *Survey) ofUnexpected(protocol string) float64 {
	some, all := 0, 0
	for number, p := range s.ports {
		expected := datasets.Expected(number)
		all += p.identified() - p.speaks[expected]
		if protocol != expected {
			some += p.speaks[protocol]
		}
	}
	return ratio(some, all)
}

// onPort is the share of a protocol's services that is on a port.
func (s *Survey) onPort(protocol string, number uint16) float64 {
	return ratio(s.protocols[protocol].ports[number], s.protocols[protocol].services)
}

// portsFor is how many ports it takes to hold a share of a protocol's services.
func (s *Survey) portsFor(protocol string, share float64) int {
	k := s.protocols[protocol]
	sum := 0
	for i, n := range slices.Backward(slices.Sorted(maps.Values(k.ports))) {
		if sum += n; float64(sum) >= share*float64(k.services) {
			return len(k.ports) - i
		}
	}
	return len(k.ports)
}

// outside is how many of a protocol's first ports are not among so many first ports of all services.
func (s *Survey) outside(protocol string, first, most int) (n int) {
	ranked := slices.Sorted(slices.Values(s.everyPort[1:]))
	least := ranked[len(ranked)-most]
	at := s.protocols[protocol].ports
	ports := slices.SortedFunc(maps.Keys(at), func(a, b uint16) int {
		if at[a] != at[b] {
			return at[b] - at[a]
		}
		return int(a) - int(b)
	})
	for _, number := range ports[:min(first, len(ports))] {
		if s.everyPort[number] < least {
			n++
		}
	}
	return n
}

// gains is the share of the unexpected services that each handshake identifies of its own protocol: wait those that say unasked what they
// are. Each port that has some counts alike.
func (s *Survey) gains(of []uint16) map[string]float64 {
	gains, ports := map[string]float64{}, 0
	for _, number := range of {
		p := s.ports[number]
		counts, n := map[string]int{"wait": p.waits}, p.waits
		for name, k := range p.speaks {
			if first := servers.Protocols()[servers.Index(name)].First; name != datasets.Expected(number) && !first {
				counts[name] = k
				n += k
			}
		}
		if n == 0 {
			continue
		}
		ports++
		for name, k := range counts {
			gains[name] += ratio(k, n)
		}
	}
	for name := range gains {
		gains[name] /= float64(ports)
	}
	return gains
}

// five is what an order's handshakes identify together, of what all of them do.
func (s *Survey) five(of []uint16, steps []datasets.OrderStep) (share float64) {
	gains := s.gains(of)
	for _, step := range steps {
		share += gains[step.Handshake]
	}
	return share
}
