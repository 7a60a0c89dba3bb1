package tcp

import (
	"container/heap"
	"math"
	"time"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/packet"
)

const (
	firstTimeout   = time.Second // of a SYN-ACK or of data; doubles each time
	synackRepeats  = 3           // after 1, 3 and 7 s
	droppedRepeats = 8           // of a service whose handshake is dropped (paper: 7.8 on average)
	longestTimeout = 8 * time.Second
	dataRepeats    = 5
	idle           = 60 * time.Second // after which a connection is forgotten
	initialWindow  = 10               // segments
	mostEarly      = 16               // segments kept that came too early
	longestSpeech  = 1 << 16          // bytes that one connection gets
)

// connState is a connection's, as in RFC 9293, section 3.3.2, as far as they differ here.
type connState uint8

const (
	synReceived connState = iota // the SYN-ACK is sent
	established                  // it was acknowledged
	finished                     // our FIN is sent
)

// never is a time that does not come.
const never = math.MaxInt64

// conn is one connection, from its SYN on, as the server's end has it.
type conn struct {
	event
	stacks  *Stacks
	id      tuple
	service Service
	host    Host
	ttl     uint8 // of what the server sends, when it arrives
	boxTTL  uint8 // the same, of what a middlebox sends in the service's name
	toMAC   packet.MAC
	fromMAC packet.MAC
	state   connState

	offered    packet.Options // of the client's SYN
	timestamps bool           // both sides have the option
	recent     uint32         // the client's latest timestamp (RFC 7323, section 4.3)
	irs        uint32         // the client's first sequence number
	next       uint32         // the next expected from it
	window     uint32         // that it offers, in bytes
	early      []earlySegment // what came before that which is expected next

	iss     uint32 // our first sequence number
	una     uint32 // oldest that is not acknowledged
	nxt     uint32 // next to send
	top     uint32 // one past the highest sent
	speech  []byte // all that is to be said, from iss+1 on
	said    int    // of it, bytes released for sending
	closing bool   // a FIN follows the speech
	talk    talk   // what the server is doing

	tries    int   // how often the same was sent again
	resendAt int64 // when it is next, in nanoseconds since the Unix epoch, as all times here; never if all is acknowledged
	actAt    int64 // when the server says what it has planned; never if it has planned nothing
	expireAt int64 // when the connection is forgotten
	lastSent int64 // when the last packet that was sent arrives: later ones do not overtake it
	deaf     bool  // the server hears nothing but a reset
	owed     bool  // an acknowledgement is to be sent
	ended    bool  // the client has sent its FIN
	gone     bool  // the connection is forgotten
}

// earlySegment is the data of a segment that came too early.
type earlySegment struct {
	seq  uint32
	data []byte
}

// newConn makes the connection of a SYN, which came in frame.
func (t *Stacks) newConn(now int64, id tuple, s *packet.Segment, v Service, h Host, frame []byte) *conn {
	c := &conn{
		event:   event{index: -1},
		stacks:  t,
		id:      id,
		service: v,
		host:    h,
		ttl:     h.ttl(),
		boxTTL:  h.ttl(),
		toMAC:   packet.MAC(frame[6:12]),
		fromMAC: packet.MAC(frame[0:6]),
		offered: packet.ParseOptions(s.Options),
		irs:     s.Seq,
		next:    s.Seq + 1,
		window:  uint32(s.Window),

		resendAt: never,
		actAt:    never,
		expireAt: now + int64(idle),
	}
	if v.Behaviour != Serves && v.Unit(draw.ForBox) < 0.5 {
		c.boxTTL = 255 - h.Hops/2 // a middlebox on the way, with a stack of its own
	}
	c.event.conn = c
	c.timestamps = h.Stack.timestamps && c.offered.Timestamps
	c.recent = c.offered.TSVal
	// RFC 6528: a keyed function of the connection plus a clock of 4 µs.
	hi, lo := draw.Halves(id.client.Addr())
	c.iss = uint32(v.Key.Draw(v.Bits(draw.ForISN)^hi, lo<<16|uint64(id.client.Port()))) + uint32(now/4000)
	if h.Stack.wraps {
		c.iss |= 0xffffff00
	}
	c.una, c.nxt, c.top = c.iss, c.iss+1, c.iss+1
	return c
}

// drop forgets the connection.
func (c *conn) drop() {
	c.gone = true
	delete(c.stacks.conns, c.id)
	if c.index >= 0 {
		heap.Remove(&c.stacks.events, c.index)
	}
}

// schedule puts the connection's next deadline into the network's queue.
func (c *conn) schedule() {
	if !c.gone {
		c.stacks.at(&c.event, min(c.resendAt, c.actAt, c.expireAt))
	}
}

// wake does what is due.
func (c *conn) wake(now int64) {
	if c.expireAt <= now {
		c.drop()
		return
	}
	if c.actAt <= now {
		c.act(now)
	}
	if !c.gone && c.resendAt <= now {
		c.resend(now)
	}
}

// resend sends again what was not acknowledged, or gives the connection up.
func (c *conn) resend(now int64) {
	repeats := dataRepeats
	switch {
	case c.state == synReceived && c.service.Behaviour == DroppedHandshake:
		repeats = droppedRepeats
	case c.state == synReceived:
		repeats = synackRepeats
	}
	if c.tries == repeats {
		c.drop()
		return
	}
	c.tries++
	if c.state == synReceived {
		c.sendSYNACK(now)
		return
	}
	c.nxt, c.resendAt = c.una, never // go back, and start slowly
	c.push(now, 1)
}

// arm sets the retransmission timer as of now (RFC 6298, section 5).
func (c *conn) arm(now int64) {
	c.resendAt = now + int64(min(firstTimeout<<c.tries, longestTimeout))
	c.expireAt = max(c.expireAt, c.resendAt+1)
}

// segment takes a segment from the client.
func (c *conn) segment(now int64, s *packet.Segment) {
	c.expireAt = now + int64(idle)
	if c.service.Behaviour == DroppedHandshake { // nothing but SYNs gets through
		return
	}
	switch {
	case s.Flags.Has(packet.RST):
		if s.Seq-c.next < max(c.offer(), 1) {
			c.drop()
		}
	case s.Flags.Has(packet.SYN):
		c.acknowledge(now)
	case !s.Flags.Has(packet.ACK):
	case c.state == synReceived && s.Ack != c.iss+1:
		c.send(now, packet.RST, s.Ack, nil, c.ttl)
	default:
		if o := packet.ParseOptions(s.Options); o.Timestamps && c.timestamps {
			c.recent = o.TSVal
		}
		c.window = uint32(s.Window)
		if c.host.Stack.scaling && c.offered.HasScale {
			c.window <<= min(c.offered.Scale, 14)
		}
		if c.state == synReceived {
			c.open(now, s)
		} else {
			c.progress(now, s)
		}
	}
}

// offer is the window that the server offers, in bytes.
func (c *conn) offer() uint32 {
	if c.service.Behaviour == ZeroWindow {
		return 0
	}
	return uint32(c.host.Stack.window)
}

// open takes the acknowledgement of the SYN-ACK.
func (c *conn) open(now int64, s *packet.Segment) {
	c.state, c.una, c.tries, c.resendAt = established, c.iss+1, 0, never
	v := &c.service
	switch v.Behaviour {
	case ResetAfterHandshake:
		var reason []byte
		if v.Unit(draw.ForText) < bigIPShare {
			reason = bigIP
		}
		c.send(now, packet.RST, c.nxt, reason, c.boxTTL)
		c.drop()
		return
	case ClosedAfterHandshake:
		c.send(now, packet.FIN|packet.ACK, c.nxt, nil, c.boxTTL)
		c.nxt++
		c.state, c.top = finished, c.nxt
		c.arm(now)
		return
	case Shunning, NeverAcks:
		c.deaf = true
	case DynamicBlocking:
		c.deaf = c.stacks.memory.blocks(now, c.id)
	}
	if v.Behaviour == Shunning {
		c.stacks.memory.add(now, pair{c.id.client.Addr(), c.id.server}, held{until: now + int64(remembered)})
	}
	if len(s.Payload) == 0 && !c.deaf && v.Behaviour != ZeroWindow {
		c.greet(now)
	}
	c.progress(now, s)
}

// bigIP is the reason that an F5 BIG-IP writes into its resets, where it is set to (paper, section 3).
var bigIP = []byte("BIG-IP System: [0x26d1f1e:2301] No local listener")

const bigIPShare = 0.05

// progress takes a segment of the open connection.
func (c *conn) progress(now int64, s *packet.Segment) {
	v := &c.service
	switch {
	case c.deaf:
		return
	case v.Behaviour == ZeroWindow:
		// 90 % ignore what is sent against their will, 10 % reset (paper, section 2).
		if len(s.Payload) > 0 && v.Unit(draw.ForReaction) < 0.1 {
			c.send(now, packet.RST, c.nxt, nil, c.boxTTL)
			c.drop()
		}
		return
	case v.Behaviour == ClosedAfterHandshake:
		if len(s.Payload) > 0 {
			c.send(now, packet.RST, s.Ack, nil, c.boxTTL)
		}
		if len(s.Payload) > 0 || s.Ack == c.nxt {
			c.drop()
		}
		return
	}
	if acked := s.Ack - c.una; acked > c.top-c.una {
		if packet.Before(c.top, s.Ack) { // of what was never sent
			c.acknowledge(now)
			return
		}
	} else if acked > 0 {
		c.una = s.Ack
		if packet.Before(c.nxt, c.una) {
			c.nxt = c.una
		}
		c.tries, c.resendAt = 0, never
	}
	if c.state == finished && len(s.Payload) > 0 && packet.Before(c.next, s.End()) {
		c.send(now, packet.RST, s.Ack, nil, c.ttl) // nobody is there to read it
		c.drop()
		return
	}
	c.receive(now, s)
	if c.actAt <= now {
		c.act(now)
	}
	if c.gone {
		return
	}
	c.push(now, initialWindow)
	if c.owed {
		c.acknowledge(now)
	}
	if c.ended && c.state == finished && c.una == c.top {
		c.drop()
	}
}

// receive takes the data and the FIN of a segment.
func (c *conn) receive(now int64, s *packet.Segment) {
	if len(s.Payload) == 0 && !s.Flags.Has(packet.FIN) {
		return
	}
	switch {
	case packet.Before(c.next, s.Seq): // early
		if len(c.early) < mostEarly && s.Seq-c.next < c.offer() && len(s.Payload) > 0 {
			c.early = append(c.early, earlySegment{s.Seq, append([]byte(nil), s.Payload...)})
		}
		c.owed = true
		return
	case packet.Before(s.End()-1, c.next): // old
		c.owed = true
		return
	}
	c.owed = true
	data := append([]byte(nil), s.Payload[min(uint32(len(s.Payload)), c.next-s.Seq):]...)
	c.next += uint32(len(data))
	for i := 0; i < len(c.early); i++ {
		if p := c.early[i]; !packet.Before(c.next, p.seq) {
			if old := c.next - p.seq; old < uint32(len(p.data)) {
				data = append(data, p.data[old:]...)
				c.next += uint32(len(p.data)) - old
			}
			c.early = append(c.early[:i], c.early[i+1:]...)
			i = -1
		}
	}
	fin := s.Flags.Has(packet.FIN) && s.Seq+uint32(len(s.Payload)) == c.next
	if fin {
		c.next++
		c.ended = true
	}
	if len(data) > 0 {
		c.hear(now, data)
	}
	if fin {
		c.leave() // the server closes too, when it has said what it had to
	}
}

// push sends what may be sent, at most so many segments beyond what is acknowledged.
func (c *conn) push(now int64, segments int) {
	if c.state == synReceived {
		return
	}
	size := int(c.offered.MSS)
	if size == 0 {
		size = 536 // RFC 9293, section 3.7.1
	}
	if c.host.Stack.mss != 0 {
		size = min(size, int(c.host.Stack.mss))
	}
	if c.timestamps {
		size -= 12
	}
	size = max(size, 1)
	sent := false
	for packet.Before(c.nxt, c.una+uint32(segments*size)) {
		at := int(c.nxt - c.iss - 1)
		room := int(c.una + c.window - c.nxt)
		n := min(c.said-at, size, room)
		fin := c.closing && at+max(n, 0) == len(c.speech) && c.said == len(c.speech) && c.state != finished
		if c.state == finished && at <= len(c.speech) && at+max(n, 0) == len(c.speech) {
			fin = true // again
		}
		if n <= 0 && !fin {
			break
		}
		n = max(n, 0)
		flags := packet.ACK
		if at+n == c.said && n > 0 {
			flags |= packet.PSH
		}
		if fin {
			flags |= packet.FIN
		}
		c.send(now, flags, c.nxt, c.speech[at:at+n], c.ttl)
		c.nxt += uint32(n)
		sent = true
		if fin {
			c.nxt++
			c.state = finished
		}
		if packet.Before(c.top, c.nxt) {
			c.top = c.nxt
		}
		if fin {
			break
		}
	}
	if sent || c.una != c.nxt && c.resendAt == never {
		c.arm(now)
	}
}

// acknowledge sends a bare ACK.
func (c *conn) acknowledge(now int64) { c.send(now, packet.ACK, c.nxt, nil, c.ttl) }

// sendSYNACK sends the SYN-ACK, the first time or again.
func (c *conn) sendSYNACK(now int64) {
	t := c.stacks
	t.options = c.host.Stack.appendSYNACK(t.options[:0], c.offered, c.clock(now), c.id.server.Addr().Is6())
	window := c.host.Stack.window
	if c.service.Behaviour == ZeroWindow {
		window = 0
	}
	c.transmit(now, packet.Segment{
		Src: c.id.server, Dst: c.id.client, Seq: c.iss, Ack: c.irs + 1,
		Flags: packet.SYN | packet.ACK, Window: window, TTL: c.ttl, Options: t.options,
	})
	c.arm(now)
}

// send sends one segment of the connection.
func (c *conn) send(now int64, flags packet.Flags, seq uint32, payload []byte, ttl uint8) {
	s := packet.Segment{
		Src: c.id.server, Dst: c.id.client, Seq: seq, Flags: flags, TTL: ttl, Payload: payload,
	}
	if flags.Has(packet.ACK) {
		s.Ack, c.owed = c.next, false
	}
	if !flags.Has(packet.RST) {
		s.Window = uint16(c.offer())
		if c.host.Stack.scaling && c.offered.HasScale {
			s.Window >>= c.host.Stack.scale
		}
		if c.timestamps {
			c.stacks.options = packet.AppendTimestamp(c.stacks.options[:0], c.clock(now), c.recent)
			s.Options = c.stacks.options
		}
	}
	c.transmit(now, s)
}

// transmit gives a segment to the network. Packets of one connection do not overtake each other.
func (c *conn) transmit(now int64, s packet.Segment) {
	t := c.stacks
	t.out = s
	t.frame = t.out.AppendFrame(t.frame[:0], c.fromMAC, c.toMAC)
	at := max(now+int64(c.host.RoundTrip), c.lastSent)
	c.lastSent = t.send(now, at, &t.out, t.frame)
}

// clock is the host's TCP timestamp: milliseconds since it was started.
func (c *conn) clock(now int64) uint32 {
	return uint32(now/1e6) + uint32(c.service.Host.Bits(draw.ForClock))
}
