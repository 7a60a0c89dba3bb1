package lab

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/lab/tcp"
)

// class is a HostClass made ready.
type class struct {
	name    string
	bits    int         // of the prefixes that are of this class as a whole; 0: single addresses
	upTo    uint32      // cumulative over the classes of single addresses
	block   draw.Chance // of a prefix
	refusal distribution
	open    []draw.Chance // per port; nil where every port is open
	every   *mix
}

// refusal is what a host does with a SYN to a port that serves nothing.
type refusal uint8

const (
	resets refusal = iota
	ignores
	unreachable // by an ICMP error
)

var refusalNames = []string{"reset", "ignore", "unreachable"}

// mix is a Mix made ready.
type mix struct {
	acks      float64
	defences  distribution
	protocols distribution
}

// tail is a Tail made ready.
type tail struct {
	protocol int                // its index among the servers' protocols
	head     map[uint16]float64 // chance per host
	scale    float64            // chance of the port at rank 0
	skew     float64
}

// host is one simulated host.
type host struct {
	draw.Source
	class *class
	box   uint64 // what it shares with its prefix, if that is of one class
}

// service is one service of it.
type service struct {
	tcp.Service
	host host
}

func (n *Network) compile(p *Population) {
	defences := map[string]distribution{}
	for _, d := range p.Defences {
		defences[d.Name] = newDistribution(d.Behaviours, func(name string) int { return slices.Index(tcp.BehaviourNames, name) })
	}
	ready := func(m *Mix) *mix {
		return &mix{m.Acks, defences[m.Defences], newDistribution(p.flat(m.Protocols), servers.Index)}
	}
	n.density = draw.NewChance(p.Density)
	n.stacks = newDistribution(p.Stacks, func(name string) int { return slices.Index(tcp.StackNames, name) })
	n.paces = newDistribution(p.Pace, func(name string) int { return slices.Index(servers.PaceNames, name) })
	n.answers = servers.AnswersOf(p.Answers)
	n.content, _ = p.Content.compile() // it has been checked
	n.spoils = make([][]tcp.Spoil, len(n.answers))
	for i := range p.Spoils {
		of := servers.Index(p.Spoils[i].Protocol)
		n.spoils[of] = append(n.spoils[of], n.newSpoil(&p.Spoils[i]))
	}
	n.listed = map[uint16]*listed{}
	for i := range p.Ports {
		x := &p.Ports[i]
		n.listed[x.Port] = &listed{x.Open, ready(&x.Mix)}
	}
	for _, t := range p.Tails {
		n.tails = append(n.tails, n.newTail(t))
	}
	total, scattered := 0.0, 0.0
	for _, c := range p.Hosts {
		total += c.Weight
		if c.Prefix == 0 {
			scattered += c.Weight
		}
	}
	sum := 0.0
	for _, c := range p.Hosts {
		if c.Weight == 0 {
			continue
		}
		k := &class{name: c.Name, bits: c.Prefix}
		if c.Prefix == 0 {
			sum += c.Weight
			k.upTo = uint32(draw.NewChance(sum / scattered))
		} else {
			// A prefix is full of hosts, so that fewer of them make up the class.
			k.block = draw.NewChance(p.Density * c.Weight / total)
		}
		if c.EveryPort != nil {
			k.every = ready(c.EveryPort)
		} else {
			k.refusal = newDistribution(c.Closed, func(name string) int { return slices.Index(refusalNames, name) })
			k.open = n.openPorts(c.Tails)
		}
		if c.Prefix == 0 {
			n.classes = append(n.classes, k)
		} else {
			n.filled = append(n.filled, k)
		}
	}
	n.classes[len(n.classes)-1].upTo = math.MaxUint32
}

// listed is a Port made ready.
type listed struct {
	open float64
	mix  *mix
}

// newTail spreads a protocol's services over the ports that are not listed: which port ranks where is the protocol's
// own, and the same in every network (paper, Figure 9: the rankings of protocols are unrelated).
func (n *Network) newTail(t Tail) tail {
	r := tail{protocol: servers.Index(t.Protocol), head: map[uint16]float64{}, skew: t.Skew}
	rest, sum := 1.0, 0.0
	for _, h := range t.Head {
		r.head[h.Port] = h.Share * t.PerHost
		rest -= h.Share
	}
	for port := 1; port <= math.MaxUint16; port++ {
		if _, ok := r.head[uint16(port)]; !ok && n.listed[uint16(port)] == nil {
			sum += math.Exp(-r.skew * r.rank(uint16(port)))
		}
	}
	r.scale = rest * t.PerHost / max(sum, 1e-9)
	return r
}

// rank is the port's place among those of the protocol, 0 to 1.
func (t *tail) rank(port uint16) float64 {
	return draw.Unit(draw.NewKey(uint64(t.protocol)).Draw(uint64(port), draw.ForRank))
}

// chance is that a host of factor 1 has this protocol on port by way of the tail.
func (t *tail) chance(port uint16) float64 {
	if p, ok := t.head[port]; ok {
		return p
	}
	return t.scale * math.Exp(-t.skew*t.rank(port))
}

// openPorts is the chance of each port to serve something on a host.
func (n *Network) openPorts(factor float64) []draw.Chance {
	open := make([]draw.Chance, 1<<16)
	if factor > 0 && len(n.tails) > 0 {
		for port := 1; port <= math.MaxUint16; port++ {
			p := 0.0
			for i := range n.tails {
				p += factor * n.tails[i].chance(uint16(port))
			}
			open[port] = draw.NewChance(p)
		}
	}
	for port, l := range n.listed {
		open[port] = draw.NewChance(l.open)
	}
	return open
}

// host finds the host at an address; ok is false where there is none.
func (n *Network) host(a netip.Addr) (h host, ok bool) {
	if !n.contains(a) {
		return h, false
	}
	hi, lo := draw.Halves(a)
	bits := n.key.Draw(hi, lo)
	h.Source, h.box = draw.Source{Key: n.key, This: bits}, bits
	for i, k := range n.filled {
		mhi, mlo := mask(hi, lo, a, k.bits)
		if box := n.key.Draw(mhi, mlo^uint64(draw.ForClass+i)<<56); k.block.Hit(box) {
			h.class, h.box = k, box
			return h, true
		}
	}
	if !n.density.Hit(bits) {
		return h, false
	}
	for _, k := range n.classes {
		if uint32(bits>>32) <= k.upTo {
			h.class = k
			break
		}
	}
	return h, true
}

func mask(hi, lo uint64, a netip.Addr, bits int) (uint64, uint64) {
	if a.Is4() {
		bits += 96
	}
	if bits <= 64 {
		return hi &^ (math.MaxUint64 >> bits), 0
	}
	return hi, lo &^ (math.MaxUint64 >> (bits - 64))
}

func (n *Network) contains(a netip.Addr) bool {
	for _, p := range n.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// serves reports whether something listens on the port.
func (h *host) serves(port uint16) bool {
	return h.class.open == nil || h.class.open[port].Hit(h.portBits(port))
}

func (h *host) portBits(port uint16) uint64 {
	return h.Key.Draw(h.This, draw.ForService|uint64(port)<<16)
}

// service draws what listens on the port of a host that serves it.
func (n *Network) service(h host, at netip.AddrPort) service {
	port := at.Port()
	s := service{host: h}
	s.Source = draw.Source{Key: n.key, This: h.portBits(port)}
	s.At, s.Host, s.Certificates = at, h.Source, n.certificates
	s.Content = n.content.on(port)
	s.Pace = servers.Pace(n.paces.at(s.Unit(draw.ForPace)))
	drawn, from := s.Source, h.class.every
	if from != nil {
		drawn = draw.Source{Key: n.key, This: h.box} // one answer for all ports of all that it stands before
	} else {
		var protocol int
		if from, protocol = n.origin(port, s.Unit(draw.ForKind)); from == nil {
			n.speaks(&s, protocol)
			return s
		}
	}
	if drawn.Unit(draw.ForBehaviour) >= from.acks {
		s.Behaviour = tcp.Behaviour(from.defences.at(drawn.Unit(draw.ForDetail)))
	}
	protocol := servers.Index("unknown")
	if len(from.protocols.items) > 0 {
		protocol = from.protocols.at(drawn.Unit(draw.ForProtocol))
	}
	n.speaks(&s, protocol)
	return s
}

// speaks makes a service one of a protocol.
func (n *Network) speaks(s *service, protocol int) {
	s.Protocol, s.Answers, s.Spoils = servers.Protocols()[protocol], &n.answers[protocol], n.spoils[protocol]
	for i := range n.population.Options {
		o := &n.population.Options[i]
		if o.Protocol == s.Protocol.Name && (o.Port == s.At.Port() || o.Port == 0 && s.Options == nil) {
			s.Options = o
		}
	}
}

// tcpOf is the TCP of a host.
func (n *Network) tcpOf(h *host) tcp.Host {
	m := &n.population.Network
	return tcp.Host{
		Stack:     &tcp.Systems[n.stacks.at(h.Unit(draw.ForStack))],
		Hops:      uint8(4 + h.Below(draw.ForHops, 20)),
		RoundTrip: time.Duration(m.Delay) + time.Duration(h.Unit(draw.ForDelay)*float64(m.Spread)),
	}
}

// origin decides whether a service is there for its port's list (a mix) or for a tail (a protocol).
func (n *Network) origin(port uint16, x float64) (*mix, int) {
	if l := n.listed[port]; l != nil {
		return l.mix, 0
	}
	total := 0.0
	for i := range n.tails {
		total += n.tails[i].chance(port)
	}
	x *= total
	for i := range n.tails {
		if x -= n.tails[i].chance(port); x < 0 {
			return nil, n.tails[i].protocol
		}
	}
	return nil, n.tails[len(n.tails)-1].protocol
}

// find is host and service in one.
func (n *Network) find(at netip.AddrPort) (s service, ok bool) {
	h, ok := n.host(at.Addr())
	if !ok || !h.serves(at.Port()) {
		return s, false
	}
	return n.service(h, at), true
}
