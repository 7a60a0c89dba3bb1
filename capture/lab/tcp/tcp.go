// Package tcp is the TCP of the hosts in a simulated Internet, and of the middleboxes before them. The servers' TCP is that of
// RFC 9293 with the retransmission timer of RFC 6298, as far as a client can see it. It opens no congestion window beyond the
// initial ten segments (RFC 6928) until they are acknowledged.
//
// A [Stacks] holds the connections of all hosts. A SYN to a [Service] makes one, a segment or the passing of time moves it, and
// what it sends goes to the function that the Stacks was made with. What is said over a connection is package servers'.
package tcp

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/packet"
)

// Service is a server, and what it or a middlebox before it does with a connection.
type Service struct {
	servers.Service
	Behaviour Behaviour
	Spoils    []Spoil // the first that a client's words are for counts
}

// Host is how a host's TCP looks from outside.
type Host struct {
	Stack     *Stack
	Hops      uint8         // how far it is away
	RoundTrip time.Duration // to it and back
}

// ttl is what is left of a packet's TTL when it arrives.
func (h *Host) ttl() uint8 { return h.Stack.ttl - h.Hops }

// Sender takes a frame, which carries s, that leaves a host now and is due at a time. It returns when the frame arrives, which
// the network may delay. The frame is valid during the call only.
type Sender func(now, at int64, s *packet.Segment, frame []byte) int64

// Stacks are the connections of all hosts of a network. It is not safe for concurrent use.
type Stacks struct {
	send   Sender
	conns  map[tuple]*conn
	memory memory
	events events
	order  uint64

	options []byte         // of the segment that is made
	out     packet.Segment // what is sent
	frame   []byte         // the same
}

// NewStacks makes one without connections, which sends by way of send.
func NewStacks(send Sender) *Stacks {
	return &Stacks{send: send, conns: map[tuple]*conn{}, memory: memory{until: map[pair]held{}}}
}

// tuple names a connection.
type tuple struct{ client, server netip.AddrPort }

// Live is the number of connections with state.
func (t *Stacks) Live() int { return len(t.conns) }

// Segment gives a segment, which is no mere SYN, to the connection that it belongs to; ok is false if there is none.
func (t *Stacks) Segment(now int64, s *packet.Segment) (ok bool) {
	c := t.conns[tuple{s.Src, s.Dst}]
	if c == nil {
		return false
	}
	c.segment(now, s)
	c.schedule()
	return true
}

// SYN takes a SYN, which came in frame, to a port on which something listens.
func (t *Stacks) SYN(now int64, s *packet.Segment, v Service, h Host, frame []byte) {
	if v.Behaviour == Shunning && t.memory.has(now, pair{s.Src.Addr(), s.Dst}) {
		if v.Unit(draw.ForReaction) < shunsWithReset {
			t.Reset(now, s, h, frame)
		}
		return
	}
	id := tuple{s.Src, s.Dst}
	c := t.conns[id]
	switch {
	case c == nil:
		spoiled := t.memory.until[pair{s.Src.Addr(), s.Dst}]
		if v.Behaviour == Serves && now < spoiled.until {
			if spoiled.resets {
				t.Reset(now, s, h, frame)
			}
			return
		}
	case c.state != synReceived && (v.Behaviour == Serves || s.Seq == c.irs):
		c.acknowledge(now) // RFC 9293, section 3.10.7.4: a challenge
		return
	case s.Seq == c.irs:
		c.sendSYNACK(now)
		c.schedule()
		return
	default:
		c.drop()
	}
	c = t.newConn(now, id, s, v, h, frame)
	t.conns[id] = c
	c.sendSYNACK(now)
	c.schedule()
}

// shunsWithReset is the share of shunning services that reset a second connection; the others
// ignore it (paper, section 2).
const shunsWithReset = 0.07

// Reset answers a segment that belongs to no connection, and came in frame (RFC 9293, section 3.10.7.1).
func (t *Stacks) Reset(now int64, s *packet.Segment, h Host, frame []byte) {
	out := &t.out
	*out = packet.Segment{Src: s.Dst, Dst: s.Src, TTL: h.ttl(), Flags: packet.RST}
	if s.Flags.Has(packet.ACK) {
		out.Seq = s.Ack
	} else {
		out.Flags |= packet.ACK
		out.Ack = s.End()
	}
	t.frame = out.AppendFrame(t.frame[:0], packet.MAC(frame[0:6]), packet.MAC(frame[6:12]))
	t.send(now, now+int64(h.RoundTrip), out, t.frame)
}

// Unreachable answers a segment, which came in frame, with an ICMP error.
func (t *Stacks) Unreachable(now int64, s *packet.Segment, h Host, frame []byte) {
	t.frame = appendUnreachable(t.frame[:0], frame, s, 64-h.Hops/2)
	t.out = packet.Segment{Src: s.Dst, Dst: s.Src}
	t.send(now, now+int64(h.RoundTrip), &t.out, t.frame)
}

// HoldBack keeps a copy of a frame that arrives, for Wake to give back at a time.
func (t *Stacks) HoldBack(at int64, frame []byte) {
	t.at(&event{index: -1, frame: slices.Clone(frame)}, at)
}

// Next is when Wake is to be called; ok is false if nothing is to be done.
func (t *Stacks) Next() (at int64, ok bool) {
	if len(t.events) == 0 {
		return 0, false
	}
	return t.events[0].at, true
}

// Wake does what is due, and gives each frame that was held back until now to arrived.
func (t *Stacks) Wake(now int64, arrived func(now int64, frame []byte)) {
	for len(t.events) > 0 && t.events[0].at <= now {
		e := t.events[0]
		if e.conn == nil {
			heap.Pop(&t.events)
			arrived(now, e.frame)
			continue
		}
		e.conn.wake(now)
		e.conn.schedule()
	}
}
