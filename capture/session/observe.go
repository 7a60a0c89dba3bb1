package session

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// Observer tells what the connections of other clients came to, from the packets of both directions as a capture has them.
// It sends nothing, and does not know what the client had in mind: it is the tracker alone, and the rules by which attempts
// make a service.
//
// A client is who sends a SYN. A connection that began before the capture is left out, unless its SYN-ACK is there. The
// attempts at a service are numbered in the order of their SYNs. Those from another address than the first one's are Fresh.
type Observer struct {
	limit    int
	services map[netip.AddrPort][]*conversation // in the order of their SYNs
	latest   map[pair]*conversation

	asked map[pair]question // the SYNs to targets of which nothing is known
	asks  []pair            // the same, the oldest first
}

// pair tells connections apart.
type pair struct{ service, client netip.AddrPort }

// question is a SYN to which nothing has come back.
type question struct {
	seq  uint32
	time int64
}

// unanswered is how long a SYN is remembered, in nanoseconds: no host takes longer to answer.
const unanswered = 60e9

// conversation is one connection of a client's.
type conversation struct {
	tracker
	said    []byte // what the client said before the service said anything
	saidAt  int64  // when it began to
	leaving bool   // whether the client has sent its FIN
	over    bool   // whether either has reset it
}

// NewObserver returns an observer that keeps up to so many bytes of a response.
func NewObserver(responseLimit int) *Observer {
	return &Observer{
		limit:    responseLimit,
		services: make(map[netip.AddrPort][]*conversation),
		latest:   make(map[pair]*conversation),
		asked:    make(map[pair]question),
	}
}

// Observe takes the capture's next segment.
func (o *Observer) Observe(s *packet.Segment) {
	if s.ICMP == 0 && s.Flags&(packet.SYN|packet.ACK) == packet.SYN {
		o.ask(s)
	} else if c := o.latest[pair{s.Src, s.Dst}]; c != nil {
		c.answered(s)
	} else if c := o.latest[pair{s.Dst, s.Src}]; c != nil {
		c.says(s)
	} else {
		o.answer(s)
	}
}

// ask takes a SYN. One to a target of which nothing is known is remembered for a while only.
func (o *Observer) ask(s *packet.Segment) {
	p := pair{s.Dst, s.Src}
	if c := o.latest[p]; c != nil && c.iss == s.Seq {
		c.says(s)
		return
	}
	if o.services[s.Dst] != nil {
		o.begin(p).says(s)
		return
	}
	for len(o.asks) > 0 && o.asked[o.asks[0]].time < s.Time-unanswered {
		delete(o.asked, o.asks[0])
		o.asks = o.asks[1:]
	}
	q, again := o.asked[p]
	if !again {
		o.asks = append(o.asks, p)
	}
	if !again || q.seq != s.Seq {
		o.asked[p] = question{s.Seq, s.Time}
	}
}

// answer takes a segment of no conversation that is known. It begins one if it accepts or refuses a connection.
func (o *Observer) answer(s *packet.Segment) {
	p := pair{s.Src, s.Dst}
	q, asked := o.asked[p]
	accepts := s.ICMP == 0 && s.Flags.Has(packet.SYN) && (!asked || s.Ack == q.seq+1)
	refuses := asked && (s.ICMP != 0 && s.Seq == q.seq || s.ICMP == 0 && s.Flags.Has(packet.RST) && s.Ack == q.seq+1)
	if !accepts && !refuses {
		return
	}
	c := o.begin(p)
	c.iss = s.Ack - 1
	if s.ICMP != 0 {
		c.iss = s.Seq
	}
	c.sendNext = c.iss + 1
	if asked && c.iss == q.seq {
		c.SYNTime = q.time
	}
	c.answered(s)
}

// begin makes a conversation known.
func (o *Observer) begin(p pair) *conversation {
	c := &conversation{tracker: tracker{limit: o.limit, Attempt: Attempt{Service: p.service, Source: p.client}}}
	o.services[p.service] = append(o.services[p.service], c)
	o.latest[p] = c
	return c
}

// says takes a segment of the client's.
func (c *conversation) says(s *packet.Segment) {
	if c.over {
		return
	}
	if c.DataTime == 0 && s.Seq == c.sendNext && len(c.said) < handshake.MaxHello {
		if len(c.said) == 0 {
			c.saidAt = s.Time
		}
		c.said = append(c.said, s.Payload...)
	}
	c.End, c.over = s.Time, s.Flags.Has(packet.RST)
	c.leaving = c.leaving || s.Flags.Has(packet.FIN)
	c.sent(s)
}

// answered takes a segment of the service's.
func (c *conversation) answered(s *packet.Segment) {
	if c.over {
		return
	}
	kept := *s
	unheard := len(c.said) > 0 && c.AckedBytes == 0 && s.Time-c.saidAt > int64(defaultTimeout)
	if c.leaving || unheard { // the service agrees to end, or gives up much later than a scan would
		kept.Flags &^= packet.FIN | packet.RST
	}
	if c.FIN { // the service has ended the connection already, and refuses what is said to it
		kept.Flags &^= packet.RST
	}
	c.received(&kept)
	c.End, c.over = s.Time, c.RST && !c.overtaken()
}

// Results returns all attempts, and the services that they make, in the order of a playback's.
func (o *Observer) Results() (attempts []*Attempt, services []*Service) {
	for _, at := range slices.SortedFunc(maps.Keys(o.services), netip.AddrPort.Compare) {
		mine := make([]*Attempt, 0, len(o.services[at]))
		for i, c := range o.services[at] {
			a := &c.Attempt
			a.Number, a.State, a.Handshake = i, c.state(), handshake.Other
			if c.connected {
				a.Handshake = handshake.Said(c.said, at)
			}
			if len(a.Response) > 0 {
				handshake.Classify(&a.Verdict, c.said, a.Response)
			}
			if a.Source.Addr() != o.services[at][0].Source.Addr() {
				a.Visit = Fresh
			}
			mine = append(mine, a)
		}
		attempts = append(attempts, mine...)
		if s := sum(mine); s.State.Connected() {
			services = append(services, s)
		}
	}
	return attempts, services
}

// sum makes a service of attempts: of those from the first source, and then of what a fresh one tells, whenever that came.
func sum(attempts []*Attempt) *Service {
	var s Service
	var again State // what the last attempt from the first source came to
	last := attempts[len(attempts)-1]
	slices.SortStableFunc(attempts, func(a, b *Attempt) int { return cmp.Compare(a.Visit, b.Visit) })
	for _, a := range attempts {
		switch {
		case a.Visit == First || !s.State.Connected():
			s.add(a)
			again = a.State
		case s.State < AllPorts:
			s.revisited(again, a)
		}
	}
	s.Attempts, s.End = last.Number+1, last.End
	return &s
}
