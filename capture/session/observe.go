package session

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"github.com/zeebo/xxh3"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// Observer tells what the connections of other clients came to, from the packets of both
// directions as a capture has them. It sends nothing, and does not know what the client had in
// mind: it is the tracker alone. A Summary then makes services of the attempts.
//
// Who sends a SYN is a client. Of a connection whose SYN-ACK is not there, the client's acknowledgement tells of it. One that
// began before the capture is left out and counted, or taken with Ongoing. Where a capture has one side of a connection only,
// its sequence and acknowledgement numbers tell something of the other, and Attempt.Seen that they did.
//
// A response is the first answer to the client's first words. What a client's further words drew is not part of it, unless
// that answer identifies nothing by itself and does with more: a client may have spoken before it was complete.
//
// Time is that of the packets. A connection ends with a reset, with the next SYN between its two ends, or when nothing
// has come for five minutes; what follows then is no part of it. So what an Observer holds is what is open at once, and
// some 40 bytes for each service of the last hour, each reset of the last five minutes, and each SYN of the last minute, of
// the latter two at most four million. These are known by 64 bits of a hash. Of an open connection it holds a response and what
// came before its turn, which together have at most so many bytes as a response may have, and as much again of what the
// service said to words that the capture does not have.
type Observer struct {
	// Clients are whose connections count; none: everybody's. It is set before the first segment.
	Clients []netip.Prefix
	// Ongoing has connections count that began before the capture, if both sides sent data. The service is the end that is
	// known to be one, or else is not among Clients, or else has the lower port. It is set before the first segment.
	Ongoing bool

	limit   int
	attempt func(*Attempt) error

	now    int64
	begun  int
	open   map[uint64]*conversation // by pair.hash
	idle   queue[opened]            // those of open, each once
	known  map[uint64]int64         // services, by the hash of the pair without a client, and until when
	forget queue[uint64]            // the same, each once
	ended  recent[ending]           // connections that were reset
	asked  recent[question]         // SYNs to what nothing is known of
	early  recent[[]byte]           // the data of some of these
	before recent[sides]            // connections that began before the capture: who sent data
	left   int                      // how many of them sent data both ways, and were left out
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
	time  int64
	seq   uint32
	data  uint16 // how many bytes of data it has, which is rare (RFC 7413)
	scale uint8  // of its client's windows
}

// accepts reports whether a segment that comes back may acknowledge ack: the SYN, and any of its data.
func (q *question) accepts(ack uint32) bool { return ack-q.seq-1 <= uint32(q.data) }

// ending is what is remembered of a connection that was reset.
type ending struct {
	iss     uint32 // its initial sequence number
	refused bool   // whether it was none yet
	again   bool   // whether its client has sent the same SYN since
}

// sides are a connection's ends.
type sides uint8

const (
	clientSide sides = 1 << iota
	serviceSide
)

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

// mostRecent bounds what a recent remembers, where time does not: twice this.
const mostRecent = 1 << 21

// recent remembers something of a pair for a time, and of half of that at least, unless there is too much.
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
	if now < r.turning && len(r.of[0]) < mostRecent {
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

func (r *recent[T]) has(hash uint64) bool {
	_, is := r.get(hash)
	return is
}

func (r *recent[T]) set(hash uint64, t T) { r.of[0][hash] = t }

func (r *recent[T]) remove(hash uint64) {
	delete(r.of[0], hash)
	delete(r.of[1], hash)
}

// conversation is one connection of a client's.
type conversation struct {
	tracker
	pair     pair
	hash     uint64 // of the pair
	latest   int64  // time of its last packet
	said     []byte // by the client, before the service said anything
	saidAt   int64
	more     []byte // what the client said when it had the first answer, its beginning: an echo repeats that, too
	missed   bool             // whether the capture lacks what comes next of that
	heard    bool             // whether anything of the client's is in the capture
	answers  bool             // whether anything of the service's is
	ongoing  bool             // whether it began before the capture
	leaving  bool             // the client has sent its FIN
	rival    *packet.Segment  // a SYN-ACK with another number than the first one's, until the client has taken one
	doubtful []packet.Segment // of the service's: they acknowledge what the client is not known to have sent
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
		ended:   newRecent[ending](idleTime),
		asked:   newRecent[question](unanswered),
		early:   newRecent[[]byte](unanswered),
		before:  newRecent[sides](idleTime),
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
		return o.err
	}
	other := forth.hash()
	if c := o.open[other]; c != nil {
		o.says(c, s)
		return o.err
	}
	if e, over := o.ended.get(hash); over && e.again && s.ICMP == 0 && s.Flags.Has(packet.SYN) && s.Ack == e.iss+1 {
		o.ended.remove(hash) // the client has not taken the refusal for one
	}
	if e, over := o.ended.get(other); over && e.refused && s.ICMP == 0 && s.Flags&(packet.SYN|packet.ACK|packet.RST) == packet.ACK && s.Seq == e.iss+1 {
		o.ended.remove(other) // nor here: it goes on
	}
	if o.ended.has(hash) || o.ended.has(other) {
		return o.err
	}
	switch {
	case o.answer(back, hash, s):
	case o.asked.has(hash): // what a client does not take for an answer is none
	case o.asked.has(other):
		o.goOn(forth, other, s)
	default:
		o.midway(back, forth, s)
	}
	return o.err
}

// Left is how many connections were left out because they began before the capture. They sent data both ways.
func (o *Observer) Left() int { return o.left }

// watches reports whether a client's connections count.
func (o *Observer) watches(client netip.AddrPort) bool {
	return len(o.Clients) == 0 || slices.ContainsFunc(o.Clients, func(p netip.Prefix) bool { return p.Contains(client.Addr()) })
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
	o.early.forget(o.now)
	o.before.forget(o.now)
}

// ask takes a SYN. One to a target that is not known to be a service is remembered for a while only.
func (o *Observer) ask(s *packet.Segment) {
	p := pair{s.Dst, s.Src}
	hash := p.hash()
	c := o.open[hash]
	if c != nil && c.iss == s.Seq {
		o.says(c, s)
		return
	}
	if e, over := o.ended.get(hash); over {
		if e.iss == s.Seq {
			e.again = e.refused
			o.ended.set(hash, e)
			return
		}
		o.ended.remove(hash)
	}
	if _, known := o.known[pair{service: p.service}.hash()]; known || c != nil {
		o.says(o.begin(p, hash), s)
		return
	}
	if q, again := o.asked.get(hash); again && q.seq == s.Seq {
		return
	}
	o.asked.set(hash, question{time: s.Time, seq: s.Seq, data: uint16(min(s.Length(), math.MaxUint16)), scale: scaleOf(s)})
	if data := s.Payload[:min(len(s.Payload), handshake.MaxHello)]; s.Cut == 0 && len(data) > 0 && len(o.early.of[0]) < mostEarly {
		o.early.set(hash, append([]byte(nil), data...))
	}
}

// mostEarly bounds how many SYNs' data is remembered in half a minute. What the others said is not known.
const mostEarly = 1 << 10

// answer takes a segment of no conversation that is known: it may begin one, as what comes back to a SYN.
func (o *Observer) answer(p pair, hash uint64, s *packet.Segment) bool {
	q, asked := o.asked.get(hash)
	accepts := s.ICMP == 0 && s.Flags.Has(packet.SYN) && (!asked || q.accepts(s.Ack))
	refuses := asked && (s.ICMP != 0 && s.Seq == q.seq || s.ICMP == 0 && s.Flags.Has(packet.RST) && s.Flags.Has(packet.ACK) && q.accepts(s.Ack))
	if !accepts && !refuses {
		return false
	}
	c := o.begin(p, hash)
	if accepts {
		o.remember(p.service)
	}
	if asked {
		o.recall(c, q)
	} else {
		c.iss, c.sendNext = s.Ack-1, s.Ack
	}
	o.answered(c, s)
	return true
}

// recall has a conversation begin with a SYN that was remembered.
func (o *Observer) recall(c *conversation, q question) {
	c.heard, c.asked, c.SYNTime = true, true, q.time
	c.iss, c.sendNext = q.seq, q.seq+1+uint32(q.data)
	if c.width, c.scale = math.MaxUint16, q.scale; q.scale > maxScale {
		c.width = widest
	}
	if q.data > 0 {
		said, kept := o.early.get(c.hash)
		c.SentBytes, c.said, c.missed = int(q.data), said, !kept
		c.saidAt = q.time
	}
}

// goOn takes a client's segment that goes on after a SYN that nothing came back to.
func (o *Observer) goOn(p pair, hash uint64, s *packet.Segment) {
	q, _ := o.asked.get(hash)
	if s.ICMP != 0 || s.Flags&(packet.SYN|packet.ACK|packet.RST) != packet.ACK || !q.accepts(s.Seq) {
		return
	}
	c := o.begin(p, hash)
	o.recall(c, q)
	o.says(c, s)
}

// midway takes a segment of a connection of which neither SYN nor SYN-ACK is in the capture. One without data tells nothing.
func (o *Observer) midway(back, forth pair, s *packet.Segment) {
	if s.ICMP != 0 || s.Flags&(packet.SYN|packet.ACK|packet.RST) != packet.ACK || s.Length() == 0 {
		return
	}
	p, from := forth, clientSide
	if o.serves(s.Src, s.Dst) {
		p, from = back, serviceSide
	}
	if !o.watches(p.client) {
		return
	}
	hash := p.hash()
	if !o.Ongoing {
		was, _ := o.before.get(hash)
		if was|from == clientSide|serviceSide && was != was|from {
			o.left++
		}
		o.before.set(hash, was|from)
		return
	}
	c := o.begin(p, hash)
	c.ongoing, c.connected, c.accepted, c.opened = true, true, true, true
	if from == clientSide {
		c.iss, c.sendNext, c.irs, c.receiveNext = s.Seq-1, s.Seq, s.Ack-1, s.Ack
		c.taken = s.Ack
		o.says(c, s)
		return
	}
	c.iss, c.sendNext, c.irs, c.receiveNext = s.Ack-1, s.Ack, s.Seq-1, s.Seq
	c.taken = s.Seq
	o.answered(c, s)
}

// serves reports whether a is the service in a connection of a and b that nobody saw begin: a known one, or not among the
// clients that are watched, or the one with the lower port.
func (o *Observer) serves(a, b netip.AddrPort) bool {
	_, aKnown := o.known[pair{service: a}.hash()]
	_, bKnown := o.known[pair{service: b}.hash()]
	switch aIs, bIs := o.watches(a), o.watches(b); {
	case aIs != bIs:
		return bIs
	case aKnown != bKnown:
		return aKnown
	}
	return a.Port() < b.Port()
}

func (o *Observer) begin(p pair, hash uint64) *conversation {
	if c := o.open[hash]; c != nil {
		o.tell(c)
	}
	c := &conversation{pair: p, hash: hash, latest: o.now, tracker: tracker{limit: uint32(o.limit), width: widest, Attempt: Attempt{Service: p.service, Source: p.client, Number: o.begun}}}
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
	c.latest, c.heard = o.now, true
	c.End = max(c.End, s.Time)
	if c.rival != nil && s.Flags&(packet.ACK|packet.RST) == packet.ACK && s.Ack == c.rival.Seq+1 {
		c.supersede()
	}
	if !c.connected && c.asked && s.Flags&(packet.SYN|packet.ACK|packet.RST) == packet.ACK && s.Seq != c.iss && !c.unsent(s.Seq) {
		c.connected, c.opened = true, true // by a SYN-ACK that the capture does not have, or not yet
		c.irs, c.receiveNext = s.Ack-1, s.Ack
		o.remember(c.Service)
	}
	if !c.spoke || c.turn == firstWords && s.Ack == c.irs+1 { // what has not been acknowledged has not been heard
		c.listen(s)
	}
	c.leaving = c.leaving || s.Flags.Has(packet.FIN)
	c.sent(s)
	if c.turn != firstWords && len(c.more) == 0 && s.Seq == c.moreAt && !s.Flags.Has(packet.RST) {
		c.more = append(c.more, s.Payload[:min(len(s.Payload), mostMore)]...)
	}
	if c.accepted {
		c.rival = nil
	}
	if n := len(c.doubtful); n > 0 && s.Flags.Has(packet.RST|packet.ACK) && s.Seq == c.doubtful[n-1].Ack { // it ends where it is
		c.believe(s.Seq)
	}
	for len(c.doubtful) > 0 && !c.unsent(c.doubtful[0].Ack) {
		d := c.doubtful[0]
		c.doubtful = c.doubtful[1:]
		o.take(c, &d)
	}
	if s.Flags.Has(packet.RST) {
		o.end(c)
	}
}

// mostMore is how much tells that something else comes back.
const mostMore = 32

// listen keeps the client's first words.
func (c *conversation) listen(s *packet.Segment) {
	start, next := s.Seq, c.sendNext
	if s.Flags.Has(packet.SYN) {
		start++
		if !c.asked {
			next = start
		}
	}
	end := start + uint32(s.Length())
	switch {
	case s.Flags.Has(packet.RST):
	case packet.Before(next, start):
		c.missed = true
	case packet.Before(next, end) && !c.missed && len(c.said) <= handshake.MaxHello:
		if len(c.said) == 0 {
			c.saidAt = s.Time
		}
		words := s.Payload[min(next-start, uint32(len(s.Payload))):]
		c.said = append(c.said, words[:min(len(words), handshake.MaxHello+1)]...)
		c.missed = s.Cut > 0
	}
}

// supersede has the rival SYN-ACK be the one that counts: the client has acknowledged it, and not the first one.
func (c *conversation) supersede() {
	old := &c.tracker
	c.tracker = tracker{
		limit: old.limit, width: old.width, scale: old.scale, asked: old.asked, iss: old.iss, sendNext: old.sendNext,
		Attempt: Attempt{
			Service: old.Service, Source: old.Source, Number: old.Number, SYNTime: old.SYNTime, End: old.End,
			SentBytes: old.SentBytes, Retransmits: old.Retransmits,
		},
	}
	c.received(c.rival)
	c.rival = nil
}

// answered takes a segment of the service's.
func (o *Observer) answered(c *conversation, s *packet.Segment) {
	c.latest, c.answers = o.now, true
	c.End = max(c.End, s.Time)
	switch {
	case s.ICMP != 0 || !c.connected || !s.Flags.Has(packet.ACK):
	case s.Flags.Has(packet.SYN):
		if !c.accepted && s.Seq != c.irs && !c.unsent(s.Ack) {
			rival := *s
			rival.Options, rival.Payload = slices.Clone(s.Options), nil
			c.rival = &rival
		}
	case s.Flags.Has(packet.RST) || !c.unsent(s.Ack) || packet.Before(s.Ack, c.sendNext):
	case c.heard:
		c.doubt(s)
		return
	default: // it is all that tells of what the client said
		c.believe(s.Ack)
	}
	o.take(c, s)
}

// doubt keeps a segment that acknowledges what the client is not known to have sent, until it is known whether it did, and
// the capture lacks it. Otherwise no client would take the segment (RFC 9293, section 3.10.7.4).
func (c *conversation) doubt(s *packet.Segment) {
	bare := func(s *packet.Segment) bool { return s.Length() == 0 && !s.Flags.Has(packet.FIN) }
	if n := len(c.doubtful); n > 0 && bare(s) && bare(&c.doubtful[n-1]) {
		c.doubtful = c.doubtful[:n-1] // of acknowledgements alone the last one counts
	}
	room := int(c.limit)
	for i := range c.doubtful {
		room -= len(c.doubtful[i].Payload)
	}
	if len(c.doubtful) == heldPieces || len(s.Payload) > room {
		return
	}
	kept := *s
	kept.Options, kept.Payload = nil, slices.Clone(s.Payload)
	c.doubtful = append(c.doubtful, kept)
}

// believe takes it from the service that the client has sent what it acknowledges.
func (c *conversation) believe(ack uint32) {
	c.missed = c.missed || !c.spoke
	c.tracker.says(ack)
	c.sendNext = ack
}

// take takes a segment of the service's into account.
func (o *Observer) take(c *conversation, s *packet.Segment) {
	kept := *s
	unheard := len(c.said) > 0 && c.AckedBytes == 0 && s.Time-c.saidAt > int64(defaultTimeout)
	if c.leaving || unheard { // it agrees to end, or gives up much later than a scan would
		kept.Flags &^= packet.FIN | packet.RST
	}
	if c.FIN { // it has ended the connection already, and refuses what is said to it
		kept.Flags &^= packet.RST
	}
	c.received(&kept)
	if c.RST && !c.overtaken() && o.open[c.hash] == c {
		o.end(c)
	}
}

// end reports a connection that was reset. What is remembered of it keeps what follows from being another.
func (o *Observer) end(c *conversation) {
	o.tell(c)
	delete(o.open, c.hash)
	o.ended.set(c.hash, ending{iss: c.iss, refused: !c.connected})
}

// tell reports the connection as an attempt.
func (o *Observer) tell(c *conversation) {
	if o.err != nil || !o.watches(c.Source) || c.ongoing && (!c.spoke || len(c.said) == 0 && c.turn == firstWords) {
		return
	}
	if !c.accepted { // nothing but its SYN tells against what the service acknowledges
		for _, d := range c.doubtful {
			if c.unsent(d.Ack) {
				c.believe(d.Ack)
			}
			c.received(&d)
		}
	}
	c.doubtful, c.held = nil, nil
	c.conclude()
	o.err = o.attempt(&c.Attempt)
}

// conclude says what the connection has come to.
func (c *conversation) conclude() {
	a := &c.Attempt
	switch {
	case c.ongoing:
		a.Seen = SeenOngoing
	case !c.heard:
		a.Seen = SeenServer
		if c.FIN { // a service closes what it takes for open
			c.accepted, c.taken = true, c.irs+1
		}
		if a.SentBytes == 1 { // which may be the client's FIN
			a.SentBytes, a.AckedBytes, a.AckTime, c.missed = 0, 0, 0, false
		}
	case !c.answers:
		a.Seen = SeenClient
	}
	a.State, a.Handshake = c.state(), handshake.Other
	if c.connected && (len(c.said) > 0 || !c.missed) {
		a.Handshake = handshake.Said(c.said, a.Service)
		if c.missed {
			a.Handshake = handshake.SaidCut(c.said, a.SentBytes, a.Service)
		}
	}
	c.classify()
}

// classify labels the response.
func (c *conversation) classify() {
	a := &c.Attempt
	if len(a.Response) == 0 {
		if a.Seen != SeenClient { // whose acknowledgements say nothing of what was sent
			a.classify(c.said)
		}
		return
	}
	first := c.firstAnswer()
	handshake.Classify(&a.Verdict, c.said, a.Response[:first])
	if first == len(a.Response) {
		return
	}
	if a.Verdict.Label == handshake.Echo { // which two banners may seem
		if next := a.Response[first:]; !bytes.HasPrefix(c.more, next[:min(len(next), len(c.more))]) {
			handshake.Classify(&a.Verdict, nil, a.Response[:first])
		}
	}
	if first == 0 || a.Verdict.Label == handshake.Unknown || a.Verdict.Label == handshake.Echo {
		var whole handshake.Verdict
		if handshake.Classify(&whole, c.said, a.Response); first == 0 || whole.Evidence >= handshake.Likely {
			a.Verdict = whole
			return
		}
	}
	a.Response, a.Truncated = a.Response[:first], false
}
