package lab

import (
	"math"
	"net/netip"
	"slices"
)

// class is a HostClass made ready.
type class struct {
	name    string
	bits    int    // of the prefixes that are of this class as a whole; 0: single addresses
	upTo    uint32 // cumulative over the classes of single addresses
	block   chance // of a prefix
	refusal urn
	open    []chance // per port; nil where every port is open
	every   *mix
}

// mix is a Mix made ready.
type mix struct {
	acks      float64
	defences  urn
	protocols urn
}

// tail is a Tail made ready.
type tail struct {
	speaker int
	head    map[uint16]float64 // chance per host
	scale   float64            // chance of the port at rank 0
	skew    float64
}

// host is one simulated host.
type host struct {
	dice
	class *class
	box   uint64 // what it shares with its prefix, if that is of one class
}

// service is one service of it: everything that its behaviour depends on.
type service struct {
	dice
	net       *Network
	at        netip.AddrPort
	host      host
	behaviour Behaviour
	speaker   *speaker
	answers   *Answers
}

func (n *Network) compile(p *Population) {
	defences := map[string]urn{}
	for _, d := range p.Defences {
		defences[d.Name] = newUrn(d.Behaviours, func(name string) int { return slices.Index(behaviourNames, name) })
	}
	ready := func(m *Mix) *mix {
		return &mix{m.Acks, defences[m.Defences], newUrn(p.flat(m.Protocols), speakerIndex)}
	}
	n.density = newChance(p.Density)
	n.stacks = newUrn(p.Stacks, func(name string) int { return slices.Index(stackNames, name) })
	n.paces = newUrn(p.Pace, func(name string) int { return slices.Index(paceNames, name) })
	n.answers = make([]Answers, len(speakers))
	for i, s := range speakers {
		n.answers[i] = s.answers
	}
	for _, a := range p.Answers {
		n.answers[speakerIndex(a.Protocol)] = a
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
			k.upTo = uint32(newChance(sum / scattered))
		} else {
			// A prefix is full of hosts, so that fewer of them make up the class.
			k.block = newChance(p.Density * c.Weight / total)
		}
		if c.EveryPort != nil {
			k.every = ready(c.EveryPort)
		} else {
			k.refusal = newUrn(c.Closed, func(name string) int { return slices.Index(refusalNames, name) })
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
	r := tail{speaker: speakerIndex(t.Protocol), head: map[uint16]float64{}, skew: t.Skew}
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
	return unit(newKey(uint64(t.speaker)).draw(uint64(port), forRank))
}

// chance is that a host of factor 1 has this protocol on port by way of the tail.
func (t *tail) chance(port uint16) float64 {
	if p, ok := t.head[port]; ok {
		return p
	}
	return t.scale * math.Exp(-t.skew*t.rank(port))
}

// openPorts is the chance of each port to serve something on a host.
func (n *Network) openPorts(factor float64) []chance {
	open := make([]chance, 1<<16)
	if factor > 0 && len(n.tails) > 0 {
		for port := 1; port <= math.MaxUint16; port++ {
			p := 0.0
			for i := range n.tails {
				p += factor * n.tails[i].chance(uint16(port))
			}
			open[port] = newChance(p)
		}
	}
	for port, l := range n.listed {
		open[port] = newChance(l.open)
	}
	return open
}

// host finds the host at an address; ok is false where there is none.
func (n *Network) host(a netip.Addr) (h host, ok bool) {
	if !n.contains(a) {
		return h, false
	}
	hi, lo := halves(a)
	bits := n.key.draw(hi, lo)
	h.dice, h.box = dice{n.key, bits}, bits
	for i, k := range n.filled {
		mhi, mlo := mask(hi, lo, a, k.bits)
		if box := n.key.draw(mhi, mlo^uint64(forClass+i)<<56); k.block.hit(box) {
			h.class, h.box = k, box
			return h, true
		}
	}
	if !n.density.hit(bits) {
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
	return h.class.open == nil || h.class.open[port].hit(h.portBits(port))
}

func (h *host) portBits(port uint16) uint64 {
	return h.key.draw(h.this, forService|uint64(port)<<16)
}

// service draws what listens on the port of a host that serves it.
func (n *Network) service(h host, at netip.AddrPort) (s service) {
	port := at.Port()
	s = service{dice: dice{n.key, h.portBits(port)}, net: n, at: at, host: h}
	drawn, from := s.dice, h.class.every
	if from != nil {
		drawn = dice{n.key, h.box} // one answer for all ports of all that it stands before
	} else {
		var speaker int
		if from, speaker = n.origin(port, s.unit(forKind)); from == nil {
			s.speaker, s.answers = speakers[speaker], &n.answers[speaker]
			return s
		}
	}
	if drawn.unit(forBehaviour) >= from.acks {
		s.behaviour = Behaviour(from.defences.take(drawn.unit(forDetail)))
	}
	speaker := speakerIndex("unknown")
	if len(from.protocols.items) > 0 {
		speaker = from.protocols.take(drawn.unit(forProtocol))
	}
	s.speaker, s.answers = speakers[speaker], &n.answers[speaker]
	return s
}

// origin decides whether a service is there for its port's list (a mix) or for a tail (a speaker).
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
			return nil, n.tails[i].speaker
		}
	}
	return nil, n.tails[len(n.tails)-1].speaker
}

// find is host and service in one.
func (n *Network) find(at netip.AddrPort) (s service, ok bool) {
	h, ok := n.host(at.Addr())
	if !ok || !h.serves(at.Port()) {
		return s, false
	}
	return n.service(h, at), true
}
