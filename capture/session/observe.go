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
// has come for five minutes; what follows then is no part of it. So what an Observer holds is what is open at once, and
// some 40 bytes for each service of the last hour, each reset of the last five minutes, and each SYN of the last minute.
// These are known by 64 bits of a hash.
type Observer struct {
	limit   int
	attempt func(*Attempt) error

	now    int64
	begun  int
	open   map[uint64]*conversation // by pair.hash
	idle   queue[opened]            // those of open, each once
	known  map[uint64]int64         // services, by the hash of the pair without a client, and until when
	forget queue[uint64]            // the same, each once
	ended  recent[uint32]           // the initial sequence numbers of connections that were reset
	asked  recent[question]         // SYNs to what nothing is known of
	err    error                    // the first of attempt's
}

// opened is a conversation by its pair's hash and its number.
type opened struct {
	hash   uint64
	number int
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

// recent remembers something of a pair for a time, and of half of that at least.
type recent[T any] struct {
	time    int64
	turning int64           // when the latest become those before
	of      [2]map[uint64]T // by pair.hash: the latest, and those before
}

func newRecent[T any](time int64) recent[T] {
	return recent[T]{time: time, of: [2]map[uint64]T{make(map[uint64]T), make(map[uint64]T)}}
}

// forget forgets what is too old at the time now.
func (r *recent[T]) forget(now int64) {
	if now < r.turning {
		return
	}
	r.of[0], r.of[1] = r.of[1], r.of[0]
	if len(r.of[0]) > 0 {
		r.of[0] = make(map[uint64]T) // which takes no more than it needs, as a cleared one would
	}
	r.turning = now + r.time/2
}

func (r *recent[T]) get(hash uint64) (t T, is bool) {
	if t, is = r.of[0][hash]; !is {
		t, is = r.of[1][hash]
	}
	return t, is
}

func (r *recent[T]) set(hash uint64, t T) { r.of[0][hash] = t }

func (r *recent[T]) remove(hash uint64) {
	delete(r.of[0], hash)
	delete(r.of[1], hash)
}

// conversation is one connection of a client's.
type conversation struct {
	tracker
	pair    pair
	hash    uint64 // of the pair
	latest  int64  // time of its last packet
	said    []byte // by the client, before the service said anything
	saidCut bool   // whether the capture lacks what comes next of it
	saidAt  int64
	leaving bool // the client has sent its FIN
}

// NewObserver returns an observer that keeps so many bytes of a response. It calls attempt with each connection when that
// is over, in no order: its Number is then that of its SYN among all that there were. The attempt is valid during the
// call.
func NewObserver(responseLimit int, attempt func(*Attempt) error) *Observer {
	return &Observer{
		limit:   responseLimit,
		attempt: attempt,
		open:    make(map[uint64]*conversation),
		known:   make(map[uint64]int64),
		ended:   newRecent[uint32](idleTime),
		asked:   newRecent[question](unanswered),
	}
}

// Observe takes the capture's next segment. The error is that of the function that attempts are reported to.
func (o *Observer) Observe(s *packet.Segment) error {
	o.now = max(o.now, s.Time)
	o.expire()
	if s.ICMP == 0 && s.Flags&(packet.SYN|packet.ACK) == packet.SYN {
		o.ask(s)
		return o.err
	}
	back, forth := pair{s.Src, s.Dst}, pair{s.Dst, s.Src}
	hash := back.hash()
	if c := o.open[hash]; c != nil {
		o.answered(c, s)
	} else if c := o.open[forth.hash()]; c != nil {
		o.says(c, s)
	} else if _, over := o.ended.get(hash); !over {
		o.answer(back, hash, s)
	}
	return o.err
}

// End ends the capture: every connection that is open is reported.
func (o *Observer) End() error {
	for _, d := range o.idle.list {
		if c := o.open[d.thing.hash]; c != nil && c.Number == d.thing.number {
			o.tell(c)
		}
	}
	clear(o.open)
	o.idle.list = nil
	return o.err
}

// expire forgets what nothing has come of for long.
func (o *Observer) expire() {
	for {
		d, ok := o.idle.pop(o.now)
		if !ok {
			break
		}
		c := o.open[d.hash]
		switch {
		case c == nil || c.Number != d.number: // it has ended
		case c.latest+idleTime > o.now:
			o.idle.push(c.latest+idleTime, d)
		default:
			o.tell(c)
			delete(o.open, d.hash)
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
	o.ended.forget(o.now)
	o.asked.forget(o.now)
}

// ask takes a SYN. One to a target that is not known to be a service is remembered for a while only.
func (o *Observer) ask(s *packet.Segment) {
	p := pair{s.Dst, s.Src}
	hash := p.hash()
	if c := o.open[hash]; c != nil && c.iss == s.Seq {
		o.says(c, s)
		return
	}
	if iss, over := o.ended.get(hash); over && iss == s.Seq {
		return
	}
	if _, known := o.known[pair{service: p.service}.hash()]; known {
		o.says(o.begin(p, hash), s)
		return
	}
	if q, again := o.asked.get(hash); !again || q.seq != s.Seq {
		o.asked.set(hash, question{s.Seq, s.Time})
	}
}

// answer takes a segment of no conversation that is known: it may begin one.
func (o *Observer) answer(p pair, hash uint64, s *packet.Segment) {
	q, asked := o.asked.get(hash)
	accepts := s.ICMP == 0 && s.Flags.Has(packet.SYN) && (!asked || s.Ack == q.seq+1)
	refuses := asked && (s.ICMP != 0 && s.Seq == q.seq || s.ICMP == 0 && s.Flags.Has(packet.RST) && s.Ack == q.seq+1)
	if !accepts && !refuses {
		return
	}
	c := o.begin(p, hash)
	if accepts {
		o.remember(p.service)
	}
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

func (o *Observer) begin(p pair, hash uint64) *conversation {
	if c := o.open[hash]; c != nil {
		o.tell(c)
	}
	c := &conversation{pair: p, hash: hash, latest: o.now, tracker: tracker{limit: o.limit, Attempt: Attempt{Service: p.service, Source: p.client, Number: o.begun}}}
	o.open[hash] = c
	o.ended.remove(hash)
	o.idle.push(o.now+idleTime, opened{hash, o.begun})
	o.begun++
	return c
}

// remember keeps it in mind that there is such a service.
func (o *Observer) remember(service netip.AddrPort) {
	hash := pair{service: service}.hash()
	if _, known := o.known[hash]; !known {
		o.forget.push(o.now+knownTime, hash)
	}
	o.known[hash] = o.now + knownTime
}

// says takes a segment of the client's.
func (o *Observer) says(c *conversation, s *packet.Segment) {
	c.latest = o.now
	if c.DataTime == 0 && s.Seq == c.sendNext && len(c.said) < handshake.MaxHello && !c.saidCut {
		if len(c.said) == 0 {
			c.saidAt = s.Time
		}
		c.said = append(c.said, s.Payload...)
		c.saidCut = s.Cut > 0
	}
	c.End = s.Time
	c.leaving = c.leaving || s.Flags.Has(packet.FIN)
	c.sent(s)
	if s.Flags.Has(packet.RST) {
		o.end(c)
	}
}

// answered takes a segment of the service's.
func (o *Observer) answered(c *conversation, s *packet.Segment) {
	c.latest = o.now
	kept := *s
	unheard := len(c.said) > 0 && c.AckedBytes == 0 && s.Time-c.saidAt > int64(defaultTimeout)
	if c.leaving || unheard { // it agrees to end, or gives up much later than a scan would
		kept.Flags &^= packet.FIN | packet.RST
	}
	if c.FIN { // it has ended the connection already, and refuses what is said to it
		kept.Flags &^= packet.RST
	}
	c.received(&kept)
	c.End = s.Time
	if c.RST && !c.overtaken() {
		o.end(c)
	}
}

// end reports a connection that was reset. What is remembered of it keeps what follows from being another.
func (o *Observer) end(c *conversation) {
	o.tell(c)
	delete(o.open, c.hash)
	o.ended.set(c.hash, c.iss)
}

// tell reports the connection as an attempt.
func (o *Observer) tell(c *conversation) {
	if o.err != nil {
		return
	}
	a := &c.Attempt
	a.State, a.Handshake = c.state(), handshake.Other
	if c.connected && (len(c.said) > 0 || !c.saidCut) {
		a.Handshake = handshake.Said(c.said, a.Service)
	}
	a.classify(c.said)
	o.err = o.attempt(a)
}
