// Package lab is a simulated Internet: hosts and services that answer on a link, drawn from a
// population file and a seed, whose truth is known. It is what scans are tested against and
// demonstrated on, with laserdisc or any other scanner.
//
// A [Population] says what lives there. [New] makes a [Network] of it, which finds what lives at an
// address, loses and delays packets, and knows the truth ([Network.Expect]). What a server says is
// package servers'; what becomes of a connection to it is package tcp's. [Serve] lets a network
// answer on a link, and [Wire] lays one between two network namespaces.
//
// What lives at an address is a keyed function of it (package draw), so that a network of any size
// takes no memory; what is stored is the state of connections that are alive. A Network has no
// clock, goroutine or global: the same population, seed, frames and times give the same answers.
package lab

import (
	"net/netip"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/lab/tcp"
	"laserdisc/capture/packet"
)

// Network is a simulated Internet. It implements link.Peer. It is not safe for concurrent use.
type Network struct {
	population *Population
	key        draw.Key
	prefixes   []netip.Prefix
	density    draw.Chance
	filled     []*class // of whole prefixes
	classes    []*class // of single addresses
	stacks     distribution
	paces      distribution
	answers    []servers.Answers // by protocol
	spoils     [][]tcp.Spoil     // by protocol
	words      []words           // of every handshake
	listed     map[uint16]*listed
	tails      []tail
	content    *contents

	tcp          *tcp.Stacks
	arrivals     uint64
	lost         []Loss
	certificates servers.Certificates
	counters     Counters

	in   packet.Segment
	emit func(at int64, frame []byte) // of the call in progress
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

// New makes a network of the population, which must not change afterwards. It panics if the
// population's Check fails. Its hosts differ from seed to seed, their shares do not.
func New(p *Population, seed uint64) *Network {
	if err := p.Check(); err != nil {
		panic("lab: " + err.Error())
	}
	n := &Network{
		population:   p,
		key:          draw.NewKey(seed),
		prefixes:     p.Prefixes,
		certificates: servers.Certificates{},
	}
	n.tcp = tcp.NewStacks(n.depart)
	n.words = firstWords()
	n.compile(p)
	return n
}

// Population is what lives there.
func (n *Network) Population() *Population { return n.population }

// Prefixes are where the network's hosts live.
func (n *Network) Prefixes() []netip.Prefix { return n.prefixes }

// Counters returns the counts since New.
func (n *Network) Counters() Counters { return n.counters }

// Live is the number of connections with state.
func (n *Network) Live() int { return n.tcp.Live() }

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
			n.tcp.SYN(now, s, n.service(h, s.Dst).Service, n.tcpOf(&h), frame)
		} else {
			n.refuse(now, s, &h, frame)
		}
		return
	}
	if n.tcp.Segment(now, s) || s.Flags.Has(packet.RST) {
		return
	}
	// RFC 9293, section 3.10.7.1: what belongs to no connection is answered with a reset. A
	// firewall that stands before a service answers nothing.
	if listens {
		if v := n.service(h, s.Dst); v.Behaviour == tcp.Serves || v.Behaviour == tcp.ResetAfterHandshake {
			n.tcp.Reset(now, s, n.tcpOf(&h), frame)
		}
	} else if n.refusal(&h) == resets {
		n.tcp.Reset(now, s, n.tcpOf(&h), frame)
	}
}

func (n *Network) refusal(h *host) refusal {
	return refusal(h.class.refusal.at(h.Unit(draw.ForRefusal)))
}

// refuse answers a SYN to a port on which nothing listens.
func (n *Network) refuse(now int64, s *packet.Segment, h *host, frame []byte) {
	switch n.refusal(h) {
	case resets:
		n.tcp.Reset(now, s, n.tcpOf(h), frame)
	case unreachable:
		n.tcp.Unreachable(now, s, n.tcpOf(h), frame)
	}
}

// Next implements link.Peer.
func (n *Network) Next() (int64, bool) { return n.tcp.Next() }

// Wake implements link.Peer.
func (n *Network) Wake(now int64, emit func(at int64, frame []byte)) {
	n.emit = emit
	n.tcp.Wake(now, n.handle)
}
