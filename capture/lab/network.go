// Package lab is a simulated Internet: hosts and services that answer on a link, drawn from a
// population file and a seed, whose truth is known. It is what scans are tested against and
// demonstrated on, with laserdisc or any other scanner.
//
// What lives at an address is a keyed function of it, so that a network of any size takes no
// memory; what is stored is the state of connections that are alive. A [Network] has no clock,
// goroutine or global: the same population, seed, frames and times give the same answers.
package lab

import (
	"container/heap"
	"net/netip"
	"time"

	"laserdisc/capture/packet"
)

// Network is a simulated Internet. It implements link.Peer. It is not safe for concurrent use.
type Network struct {
	population *Population
	key        key
	prefixes   []netip.Prefix
	density    chance
	filled     []*class // of whole prefixes
	classes    []*class // of single addresses
	stacks     urn
	paces      urn
	answers    []Answers // by speaker
	words      []words   // of every handshake
	listed     map[uint16]*listed
	tails      []tail

	conns        map[tuple]*conn
	grudges      map[grudge]held // what firewalls remember
	oldest       []grudge        // in the order of being remembered
	events       events
	order        uint64
	arrivals     uint64
	lost         []Loss
	certificates map[int][]byte // made so far, see service.certificate
	counters     Counters

	in      packet.Segment
	options []byte
	frame   []byte
	emit    func(at int64, frame []byte) // of the call in progress
}

// Counters count packets, TCP segments and others.
type Counters struct {
	Received   uint64 `json:"received"`   // those lost on the way in included
	Sent       uint64 `json:"sent"`       // those lost on the way out not
	LostIn     uint64 `json:"lost_in"`    // on the way to the network
	LostOut    uint64 `json:"lost_out"`   // on the way back
	Duplicated uint64 `json:"duplicated"` // in either direction
	Reordered  uint64 `json:"reordered"`
	Malformed  uint64 `json:"malformed"` // neither TCP nor anything that is answered
}

// tuple names a connection.
type tuple struct{ client, server netip.AddrPort }

// grudge is what a firewall remembers: that the source connected to the service. For one that
// blocks dynamically the source is the zero Addr, since what matters is who was first.
type grudge struct {
	source netip.Addr
	server netip.AddrPort
}

// held is for how long, and who it was.
type held struct {
	until int64
	first netip.Addr
}

// New makes a network of the population, which must not change afterwards. It panics if the
// population's Check fails. Its hosts differ from seed to seed, their shares do not.
func New(p *Population, seed uint64) *Network {
	if err := p.Check(); err != nil {
		panic("lab: " + err.Error())
	}
	n := &Network{
		population:   p,
		key:          newKey(seed),
		prefixes:     p.Prefixes,
		conns:        map[tuple]*conn{},
		grudges:      map[grudge]held{},
		certificates: map[int][]byte{},
	}
	n.compile(p)
	n.words = firstWords()
	return n
}

// Prefixes are where the network's hosts live.
func (n *Network) Prefixes() []netip.Prefix { return n.prefixes }

// Counters returns the counts since New.
func (n *Network) Counters() Counters { return n.counters }

// Live is the number of connections with state.
func (n *Network) Live() int { return len(n.conns) }

// Handle implements link.Peer.
func (n *Network) Handle(now int64, frame []byte, emit func(at int64, frame []byte)) {
	n.counters.Received++
	n.emit = emit
	if n.population.Network.impaired() && !n.arrives(now, frame) {
		return
	}
	n.handle(now, frame)
}

// handle takes a frame that got through.
func (n *Network) handle(now int64, frame []byte) {
	s := &n.in
	if err := s.Decode(packet.LinkEthernet, frame); err != nil || s.ICMP != 0 || frame[12] == 0x81 || frame[12] == 0x88 {
		n.counters.Malformed++
		return
	}
	h, ok := n.host(s.Dst.Addr())
	if !ok {
		return
	}
	listens := h.serves(s.Dst.Port())
	if s.Flags&(packet.SYN|packet.ACK|packet.RST) == packet.SYN {
		if listens {
			n.syn(now, s, n.service(h, s.Dst), frame)
		} else {
			n.refuse(now, s, &h, frame)
		}
		return
	}
	if c := n.conns[tuple{s.Src, s.Dst}]; c != nil {
		c.segment(now, s)
		c.schedule()
		return
	}
	if s.Flags.Has(packet.RST) {
		return
	}
	// RFC 9293, section 3.10.7.1: what belongs to no connection is answered with a reset. A
	// firewall that stands before a service answers nothing.
	if listens {
		if v := n.service(h, s.Dst); v.behaviour == Serves || v.behaviour == ResetAfterHandshake {
			n.resetStray(now, s, &h, frame)
		}
	} else if n.refusal(&h) == resets {
		n.resetStray(now, s, &h, frame)
	}
}

func (n *Network) refusal(h *host) refusal {
	return refusal(h.class.refusal.take(h.unit(forRefusal)))
}

// refuse answers a SYN to a port on which nothing listens.
func (n *Network) refuse(now int64, s *packet.Segment, h *host, frame []byte) {
	switch n.refusal(h) {
	case resets:
		n.resetStray(now, s, h, frame)
	case unreachable:
		_, hops := n.stack(h)
		n.frame = appendUnreachable(n.frame[:0], frame, s, 64-hops/2)
		n.depart(now, now+int64(n.roundTrip(h)), &packet.Segment{Src: s.Dst, Dst: s.Src})
	}
}

// resetStray sends the reset of RFC 9293, section 3.10.7.1.
func (n *Network) resetStray(now int64, s *packet.Segment, h *host, frame []byte) {
	k, hops := n.stack(h)
	out := packet.Segment{Src: s.Dst, Dst: s.Src, TTL: k.ttl - hops, Flags: packet.RST}
	if s.Flags.Has(packet.ACK) {
		out.Seq = s.Ack
	} else {
		out.Flags |= packet.ACK
		out.Ack = s.End()
	}
	n.frame = out.AppendFrame(n.frame[:0], packet.MAC(frame[0:6]), packet.MAC(frame[6:12]))
	n.depart(now, now+int64(n.roundTrip(h)), &out)
}

// syn takes a SYN to a port on which something listens.
func (n *Network) syn(now int64, s *packet.Segment, v service, frame []byte) {
	if v.behaviour == Shunning && n.remembers(now, grudge{s.Src.Addr(), s.Dst}) {
		if v.unit(forReaction) < shunsWithReset {
			n.resetStray(now, s, &v.host, frame)
		}
		return
	}
	id := tuple{s.Src, s.Dst}
	c := n.conns[id]
	switch {
	case c == nil:
	case c.state != synReceived && (v.behaviour == Serves || s.Seq == c.irs):
		c.acknowledge(now) // RFC 9293, section 3.10.7.4: a challenge
		return
	case s.Seq == c.irs:
		c.sendSYNACK(now)
		c.schedule()
		return
	default:
		c.drop()
	}
	c = n.newConn(now, id, s, v, frame)
	n.conns[id] = c
	c.sendSYNACK(now)
	c.schedule()
}

// shunsWithReset is the share of shunning services that reset a second connection; the others
// ignore it (paper, section 2).
const shunsWithReset = 0.07

// remembers reports whether g is held.
func (n *Network) remembers(now int64, g grudge) bool { return now < n.grudges[g].until }

// remember holds g from now on, and forgets what has been held long enough.
func (n *Network) remember(now int64, g grudge) {
	for len(n.oldest) > 0 && n.grudges[n.oldest[0]].until <= now {
		delete(n.grudges, n.oldest[0])
		n.oldest = n.oldest[1:]
	}
	if !n.remembers(now, g) {
		n.grudges[g] = held{until: now + int64(memory)}
		n.oldest = append(n.oldest, g)
	}
}

// blocks reports whether a service that blocks dynamically blocks this connection: whether its
// source was the first.
func (n *Network) blocks(now int64, id tuple) bool {
	g := grudge{server: id.server}
	if !n.remembers(now, g) {
		n.remember(now, g)
		n.grudges[g] = held{n.grudges[g].until, id.client.Addr()}
	}
	return n.grudges[g].first == id.client.Addr()
}

// memory is how long a firewall remembers a source.
const memory = 10 * time.Minute

// Next implements link.Peer.
func (n *Network) Next() (int64, bool) {
	if len(n.events) == 0 {
		return 0, false
	}
	return n.events[0].at, true
}

// Wake implements link.Peer.
func (n *Network) Wake(now int64, emit func(at int64, frame []byte)) {
	n.emit = emit
	for len(n.events) > 0 && n.events[0].at <= now {
		e := n.events[0]
		if e.conn == nil {
			heap.Pop(&n.events)
			n.handle(now, e.frame)
			continue
		}
		e.conn.wake(now)
		e.conn.schedule()
	}
}

// event is something to be done later: for a connection, or a frame that was held back.
type event struct {
	at    int64
	order uint64
	index int // in events, -1 when not there
	conn  *conn
	frame []byte
}

// events is a heap by (time, order of scheduling).
type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}
func (q events) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *events) Push(x any) {
	e := x.(*event)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}

// at puts e into the queue, or moves it there.
func (n *Network) at(e *event, when int64) {
	if e.index >= 0 && e.at == when {
		return
	}
	n.order++
	e.at, e.order = when, n.order
	if e.index < 0 {
		heap.Push(&n.events, e)
	} else {
		heap.Fix(&n.events, e.index)
	}
}
