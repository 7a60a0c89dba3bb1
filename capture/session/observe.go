package session

import (
	"encoding/binary"
	"net/netip"

	"github.com/zeebo/xxh3"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// Observer tells what the connections of other clients came to, from the packets of both
// directions as a capture has them. It sends nothing, and does not know what the client had in
// mind: it is the tracker alone. A Summary then makes services of the attempts.
//
// Who sends a SYN is a client. A connection that began before the capture is left out, but for
// one whose SYN-ACK is there.
//
// Time is that of the packets. A connection ends with a reset, with the next SYN between its two ends, or when nothing
// has come for five minutes; what follows then is no part of it. So what an Observer holds is what is open at once,
// and 48 bytes for each service of the last hour.
type Observer struct {
	limit   int
	attempt func(*Attempt) error

	now    int64
	begun  int
	latest map[pair]*conversation
	idle   queue[*conversation] // those of latest, each once

	known  map[netip.AddrPort]int64 // services, and until when
	forget queue[netip.AddrPort]    // the same, each once

	asked   [2]map[uint64]question // SYNs to what nothing is known of, by pair.hash: the latest, and those before
	turning int64                  // when the latest become those before
	err     error                  // the first of attempt's
}

type pair struct{ service, client netip.AddrPort }

// hash stands for the pair where there are very many.
func (p pair) hash() uint64 {
	var b [36]byte
	service, client := p.service.Addr().As16(), p.client.Addr().As16()
	copy(b[:], service[:])
	copy(b[16:], client[:])
	binary.LittleEndian.PutUint16(b[32:], p.service.Port())
	binary.LittleEndian.PutUint16(b[34:], p.client.Port())
	return xxh3.Hash(b[:])
}

// question is a SYN that nothing has come back to.
type question struct {
	seq  uint32
	time int64
}

// In nanoseconds.
const (
	unanswered = 60e9   // how long a SYN is remembered at most, and half of it at least: no host takes longer to answer
	idleTime   = 300e9  // without a packet, after which a connection is over: TCP itself gives up within 100 s (RFC 9293, section 3.8.3)
	knownTime  = 3600e9 // how long it is remembered that a service is one: a SYN to it that nothing comes back to is an attempt
)

// queue holds things in the order in which they fall due.
type queue[T any] struct{ list []due[T] }

type due[T any] struct {
	at    int64
	thing T
}

func (q *queue[T]) push(at int64, thing T) { q.list = append(q.list, due[T]{at, thing}) }

// pop takes the first thing off if it is due by t.
func (q *queue[T]) pop(t int64) (thing T, ok bool) {
	if len(q.list) == 0 || q.list[0].at > t {
		return thing, false
	}
	thing = q.list[0].thing
	q.list = q.list[1:]
	return thing, true
}

// conversation is one connection of a client's.
type conversation struct {
	tracker
	pair    pair
	latest  int64  // time of its last packet
	said    []byte // by the client, before the service said anything
	saidAt  int64
	leaving bool // the client has sent its FIN
	over    bool // nothing more counts
	told    bool // its attempt has been reported
}

// NewObserver returns an observer that keeps so many bytes of a response. It calls attempt with each connection when that
// is over, in no order: its Number is then that of its SYN among all that there were. The attempt is valid during the
// call.
func NewObserver(responseLimit int, attempt func(*Attempt) error) *Observer {
	return &Observer{
		limit:   responseLimit,
		attempt: attempt,
		latest:  make(map[pair]*conversation),
		known:   make(map[netip.AddrPort]int64),
		asked:   [2]map[uint64]question{make(map[uint64]question), make(map[uint64]question)},
	}
}

// Observe takes the capture's next segment. The error is that of the function that attempts are reported to.
func (o *Observer) Observe(s *packet.Segment) error {
	o.now = max(o.now, s.Time)
	o.expire()
	if s.ICMP == 0 && s.Flags&(packet.SYN|packet.ACK) == packet.SYN {
		o.ask(s)
	} else if c := o.latest[pair{s.Src, s.Dst}]; c != nil {
		o.answered(c, s)
	} else if c := o.latest[pair{s.Dst, s.Src}]; c != nil {
		o.says(c, s)
	} else {
		o.answer(s)
	}
	return o.err
}

// End ends the capture: every connection that is open is reported.
func (o *Observer) End() error {
	for _, d := range o.idle.list {
		o.tell(d.thing)
	}
	clear(o.latest)
	o.idle.list = nil
	return o.err
}

// expire forgets what nothing has come of for long.
func (o *Observer) expire() {
	for {
		c, ok := o.idle.pop(o.now)
		if !ok {
			break
		}
		switch {
		case o.latest[c.pair] != c: // another has taken its place
			o.tell(c)
		case c.latest+idleTime > o.now:
			o.idle.push(c.latest+idleTime, c)
		default:
			o.tell(c)
			delete(o.latest, c.pair)
		}
	}
	for {
		service, ok := o.forget.pop(o.now)
		if !ok {
			break
		}
		if until := o.known[service]; until > o.now {
			o.forget.push(until, service)
		} else {
			delete(o.known, service)
		}
	}
	if o.now >= o.turning {
		o.asked[0], o.asked[1] = o.asked[1], o.asked[0]
		clear(o.asked[0])
		o.turning = o.now + unanswered/2
	}
}

// ask takes a SYN. One to a target that nothing is known of is remembered for a while only.
func (o *Observer) ask(s *packet.Segment) {
	p := pair{s.Dst, s.Src}
	if c := o.latest[p]; c != nil && c.iss == s.Seq {
		o.says(c, s)
		return
	}
	if _, known := o.known[s.Dst]; known {
		o.says(o.begin(p), s)
		return
	}
	if q, again := o.question(p); !again || q.seq != s.Seq {
		o.asked[0][p.hash()] = question{s.Seq, s.Time}
	}
}

// question is the SYN that the pair's client has sent, if that was not too long ago.
func (o *Observer) question(p pair) (q question, asked bool) {
	h := p.hash()
	if q, asked = o.asked[0][h]; !asked {
		q, asked = o.asked[1][h]
	}
	return q, asked
}

// answer takes a segment of no conversation that is known: it may begin one.
func (o *Observer) answer(s *packet.Segment) {
	p := pair{s.Src, s.Dst}
	q, asked := o.question(p)
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
	o.answered(c, s)
}

func (o *Observer) begin(p pair) *conversation {
	if c := o.latest[p]; c != nil {
		o.tell(c)
	}
	c := &conversation{pair: p, latest: o.now, tracker: tracker{limit: o.limit, Attempt: Attempt{Service: p.service, Source: p.client, Number: o.begun}}}
	o.begun++
	o.latest[p] = c
	o.idle.push(o.now+idleTime, c)
	o.remember(p.service)
	return c
}

// remember keeps it in mind that there is such a service.
func (o *Observer) remember(service netip.AddrPort) {
	if _, known := o.known[service]; !known {
		o.forget.push(o.now+knownTime, service)
	}
	o.known[service] = o.now + knownTime
}

// says takes a segment of the client's.
func (o *Observer) says(c *conversation, s *packet.Segment) {
	c.latest = o.now
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
	o.ended(c)
}

// answered takes a segment of the service's.
func (o *Observer) answered(c *conversation, s *packet.Segment) {
	c.latest = o.now
	if c.over {
		return
	}
	kept := *s
	unheard := len(c.said) > 0 && c.AckedBytes == 0 && s.Time-c.saidAt > int64(defaultTimeout)
	if c.leaving || unheard { // it agrees to end, or gives up much later than a scan would
		kept.Flags &^= packet.FIN | packet.RST
	}
	if c.FIN { // it has ended the connection already, and refuses what is said to it
		kept.Flags &^= packet.RST
	}
	c.received(&kept)
	c.End, c.over = s.Time, c.RST && !c.overtaken()
	o.ended(c)
}

// ended reports a connection that is over at once. What is kept of it keeps what follows apart from other connections.
func (o *Observer) ended(c *conversation) {
	if !c.over {
		return
	}
	o.tell(c)
	c.tracker = tracker{iss: c.iss}
	c.said = nil
}

// tell reports the connection as an attempt, once.
func (o *Observer) tell(c *conversation) {
	if c.told || o.err != nil {
		return
	}
	c.told = true
	a := &c.Attempt
	a.State, a.Handshake = c.state(), handshake.Other
	if c.connected {
		a.Handshake = handshake.Said(c.said, a.Service)
	}
	if len(a.Response) > 0 {
		handshake.Classify(&a.Verdict, c.said, a.Response)
	}
	o.err = o.attempt(a)
}
