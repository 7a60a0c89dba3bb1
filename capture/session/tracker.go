package session

import (
	"laserdisc/capture/packet"
)

// A SYN-ACK that comes sooner after another than duplicateSYNACK, in nanoseconds, is the network's duplicate. A server waits
// longer before it repeats one: a second by RFC 6298, section 2, and the fastest stacks half of that.
const duplicateSYNACK = 300e6

// widest is a receive window, in bytes, that few clients' grow beyond: Linux's grows to 6 MB.
const widest = 8 << 20

// heldPieces bounds how many pieces are kept of a response whose bytes before them have not arrived. Of their bytes no more
// are kept than the response has room for.
const heldPieces = 16

// tracker folds the segments of one connection, of both directions, into the facts that its
// client can infer. It decides nothing and sends nothing: what a recorded connection shows is
// what the live one showed. No time stands for a fact: a capture may have none, or begin at 0.
type tracker struct {
	Attempt
	limit uint32 // of Response, in bytes

	iss, sendNext    uint32 // our sequence numbers: the initial one, and the next to be sent
	irs, receiveNext uint32 // theirs, valid once connected: the initial one, and the next that is expected
	taken            uint32 // what we have acknowledged of theirs; valid with accepted
	width            uint32 // the widest window that we have offered since the SYN, in bytes; widest or more is not known
	scale            uint8  // of our windows, if their SYN-ACK has one, too
	asked            bool   // whether our SYN was sent
	connected        bool   // whether a SYN-ACK came
	accepted         bool   // whether we have acknowledged it
	opened           bool   // whether a window above zero came
	spoke            bool   // whether data came
	hasFIN           bool   // whether a FIN came, be it before its turn
	turn             turn
	timestamp        uint32 // their latest TCP timestamp
	endAt            uint32 // the sequence number of the FIN, or of the reset; valid with one of them
	repeated         uint32 // milliseconds from the first SYN-ACK to the latest that was repeated

	moreAt  uint32 // number of the first byte that we said later; valid from saidMore on
	replyAt uint32 // number of the first byte that answers that; valid with answeredMore

	held *piece // what came past receiveNext, the latest first: pieces that do not lie in each other
}

// turn is how far the two sides have taken turns. A scan has one: it says its first words, and what comes is the answer.
// Other clients go on.
type turn uint8

const (
	firstWords   turn = iota // nothing more was said after data had been acknowledged
	saidMore                 // we said more
	answeredMore             // data came that answers that
)

// piece is data that arrived before its turn.
type piece struct {
	seq, end uint32
	data     []byte // from seq on, what is there and kept
	next     *piece
}

// sent takes one of the client's segments into account.
func (t *tracker) sent(s *packet.Segment) {
	if s.Flags.Has(packet.RST) {
		return
	}
	t.accepts(s)
	start, end := s.Seq, s.End()
	if s.Flags.Has(packet.SYN) {
		start++
	}
	data := start + uint32(s.Length())
	switch {
	case s.Flags.Has(packet.SYN) && !t.asked:
		t.asked = true
		t.SYNTime = s.Time
		t.iss, t.sendNext = s.Seq, end
		t.SentBytes = s.Length() // which is rare (RFC 7413)
	case s.Flags.Has(packet.SYN):
		t.Retransmits++
	case packet.Before(t.sendNext, end):
		t.says(data)
		t.sendNext = end
	case s.Length() > 0:
		t.Retransmits++
	}
}

// says notes data up to the number end that was sent for the first time. Only the first words count: those that were sent
// before we had acknowledged any data.
func (t *tracker) says(end uint32) {
	if !packet.Before(t.sendNext, end) {
		return
	}
	if t.spoke && t.turn == firstWords && (!t.accepted || packet.Before(t.irs+1, t.taken)) {
		t.turn, t.moreAt = saidMore, t.sendNext
	}
	if t.turn == firstWords {
		t.SentBytes += int(end - t.sendNext) // what is not there was sent, too
	}
}

// accepts notes what one of the client's segments says of the other direction: how much has come, and how much may come.
func (t *tracker) accepts(s *packet.Segment) {
	window := uint32(s.Window)
	if s.Flags.Has(packet.SYN) {
		if t.width, t.scale = window, scaleOf(s); t.scale > maxScale {
			t.width = widest
		}
		return
	}
	if t.Options.HasScale {
		window <<= t.scale
	}
	switch {
	case t.width >= widest: // nobody knows
	case t.accepted:
		t.width = max(t.width, window)
	default:
		t.width = window
	}
	if t.connected && s.Flags.Has(packet.ACK) && packet.Before(t.irs, s.Ack) && (!t.accepted || packet.Before(t.taken, s.Ack)) {
		t.accepted, t.taken = true, s.Ack
	}
}

// maxScale is the most that a window scale option may say (RFC 7323, section 2.3); unknownScale is of a SYN whose options a capture
// has cut off.
const (
	maxScale     = 14
	unknownScale = maxScale + 1
)

// scaleOf is the scale of a SYN's windows.
func scaleOf(s *packet.Segment) uint8 {
	o := packet.ParseOptions(s.Options)
	if !o.HasScale && s.OptionsCut {
		return unknownScale
	}
	return min(o.Scale, maxScale)
}

// received takes one of the service's segments into account. It ignores those that the state of the connection does not
// allow.
func (t *tracker) received(s *packet.Segment) {
	switch {
	case s.ICMP != 0:
		if s.Seq-t.iss > t.sendNext-t.iss {
			return
		}
		t.ICMP, t.Reporter = s.ICMP, s.Reporter
	case s.Flags&(packet.ACK|packet.RST) == 0:
		return
	case !t.connected:
		if !s.Flags.Has(packet.ACK) || s.Ack == t.iss || t.unsent(s.Ack) {
			return
		}
		switch {
		case s.Flags.Has(packet.RST):
			t.reset(s)
		case s.Flags.Has(packet.SYN):
			t.irs, t.receiveNext = s.Seq, s.Seq+1
			t.connect(s)
		default:
			return
		}
	case s.Flags.Has(packet.SYN):
		if s.Seq != t.irs || t.unsent(s.Ack) {
			return
		}
		if t.SYNACKs == 0 { // the client's acknowledgement came before it
			t.connect(s)
		} else if since := s.Time - t.SYNACKTime; since-int64(t.repeated)*1e6 >= duplicateSYNACK {
			t.SYNACKs++
			t.repeated = uint32(since / 1e6)
		}
	default:
		if !t.inWindow(s.Seq) || s.Flags.Has(packet.ACK) && !s.Flags.Has(packet.RST) && t.unsent(s.Ack) {
			return
		}
		t.established(s)
	}
	if t.FirstFrame == 0 {
		t.FirstFrame = s.Number
	}
	t.LastFrame = s.Number
	if s.ICMP == 0 {
		t.Last = Last{s.Seq, s.Ack, s.Flags, s.Window, s.TTL}
	}
}

// unsent reports whether a segment acknowledges what was never sent: it is none of the connection's (RFC 9293, section
// 3.10.7.4).
func (t *tracker) unsent(ack uint32) bool { return ack-t.iss > t.sendNext-t.iss }

// inWindow reports whether seq lies in the window or at its end, or before it by no more than what has already come (RFC 9293, section
// 3.10.7.4).
func (t *tracker) inWindow(seq uint32) bool {
	next := t.receiveNext
	if t.accepted && packet.Before(next, t.taken) { // the capture does not have what lies between
		next = t.taken
	}
	return seq-t.irs <= next-t.irs+t.width
}

// connect takes the first SYN-ACK, whose numbers are irs and receiveNext.
func (t *tracker) connect(s *packet.Segment) {
	t.connected = true
	t.opened = t.opened || s.Window > 0
	t.SYNACKTime, t.SYNACKs = s.Time, 1
	t.Window, t.SYNACKTTL = s.Window, s.TTL
	t.Options, t.Layout = packet.ParseOptions(s.Options), packet.Layout(s.Options)
	t.timestamp = t.Options.TSVal
	if s.OptionsCut && !t.Options.HasScale { // nobody knows whether windows are scaled
		t.width = widest
	}
	t.acknowledge(s)
	t.text(s, s.Seq+1)
}

// established takes a segment of an established connection.
func (t *tracker) established(s *packet.Segment) {
	if s.Flags.Has(packet.ACK) {
		t.acknowledge(s)
	}
	if s.Flags.Has(packet.RST) {
		t.reset(s)
		return
	}
	t.opened = t.opened || s.Window > 0
	if o := packet.ParseOptions(s.Options); o.Timestamps {
		t.timestamp = o.TSVal
	}
	t.text(s, s.Seq)
}

// text takes the segment's data, the first byte of which has the number seq, and its FIN. What ends before the next
// expected byte is no data: a keep-alive may carry one (RFC 9293, section 3.8.4).
func (t *tracker) text(s *packet.Segment, seq uint32) {
	end := seq + uint32(s.Length())
	if s.Length() > 0 && packet.Before(t.receiveNext, end) {
		t.speaks(s, seq)
	}
	if s.Flags.Has(packet.FIN) {
		t.hasFIN, t.endAt = true, end
	}
	t.reassemble(piece{seq: seq, end: end, data: s.Payload})
	if t.hasFIN && t.receiveNext == t.endAt {
		t.FIN = true
		t.receiveNext++
	}
}

// speaks takes new data into account, whose first byte has the number seq: whether it is the first, and whether it answers
// more than our first words, which its acknowledgement tells.
func (t *tracker) speaks(s *packet.Segment, seq uint32) {
	if !t.spoke {
		t.spoke = true
		t.DataTime, t.DataTTL = s.Time, s.TTL
	}
	if t.turn != firstWords && s.Flags.Has(packet.ACK) && packet.Before(t.moreAt, s.Ack) &&
		(t.turn == saidMore || packet.Before(seq, t.replyAt)) {
		t.turn, t.replyAt = answeredMore, seq
	}
}

// firstAnswer is how many bytes of the response answer our first words.
func (t *tracker) firstAnswer() int {
	if t.turn != answeredMore {
		return len(t.Response)
	}
	return min(int(t.replyAt-t.irs-1), len(t.Response))
}

// acknowledge notes how much of the hello has been acknowledged. The acknowledgement that a FIN or RST carries counts as
// any other: the server's TCP had the data.
func (t *tracker) acknowledge(s *packet.Segment) {
	if t.unsent(s.Ack) {
		return
	}
	acked := min(int(s.Ack-t.iss-1), t.SentBytes) // what is more is a FIN, or not of our first words
	if acked <= t.AckedBytes {
		return
	}
	if t.AckedBytes == 0 {
		t.AckTime = s.Time
	}
	t.AckedBytes = acked
}

// reset takes a reset.
func (t *tracker) reset(s *packet.Segment) {
	t.RST, t.ResetTTL = true, s.TTL
	if !t.hasFIN {
		t.endAt = s.Seq
	}
	t.ResetText = append(t.ResetText[:0], s.Payload[:min(len(s.Payload), int(t.limit))]...)
}

// overtaken reports whether a reset has overtaken data, which may still come.
func (t *tracker) overtaken() bool {
	return t.RST && t.connected && packet.Before(t.receiveNext, t.endAt)
}

// reassemble appends what is next in sequence, and keeps what came before its turn.
func (t *tracker) reassemble(p piece) {
	if p.seq == p.end || t.FIN {
		return
	}
	if packet.Before(t.receiveNext, p.seq) {
		t.hold(p)
		return
	}
	t.append(&p)
	for at := &t.held; *at != nil; {
		if p := *at; packet.Before(t.receiveNext, p.seq) {
			at = &p.next
		} else {
			*at = p.next
			t.append(p)
			at = &t.held // what was not next before may be
		}
	}
}

// hold keeps a piece that came before its turn. All that is held and the response together have no more bytes than the
// limit; of what is beyond only its numbers are kept.
func (t *tracker) hold(p piece) {
	room := int(t.limit) - len(t.Response)
	pieces := 0
	for h := t.held; h != nil; h = h.next {
		if !packet.Before(p.seq, h.seq) && !packet.Before(h.end, p.end) {
			return
		}
		room -= len(h.data)
		pieces++
	}
	if pieces == heldPieces {
		return
	}
	room = min(room, int(t.limit)-len(t.Response)-int(p.seq-t.receiveNext))
	p.data = append([]byte(nil), p.data[:max(0, min(len(p.data), room))]...)
	p.next = t.held
	t.held = &p
}

// append appends to the response what is new of a piece, as far as it has room. The response ends at its first gap: what a
// capture has cut.
func (t *tracker) append(p *piece) {
	if !packet.Before(t.receiveNext, p.end) {
		return
	}
	data := p.data[min(t.receiveNext-p.seq, uint32(len(p.data))):]
	want := int(p.end - t.receiveNext)
	t.receiveNext = p.end
	if t.Truncated {
		return
	}
	data = data[:min(len(data), int(t.limit)-len(t.Response))]
	t.Truncated = len(data) < want
	t.Response = append(t.Response, data...)
}

// state is what the attempt comes to if nothing more happens.
func (t *tracker) state() State {
	switch {
	case !t.connected && t.RST:
		return Closed
	case !t.connected && t.ICMP != 0:
		return Unreachable
	case !t.connected:
		return NoAnswer
	case t.spoke || t.accepted && packet.Before(t.irs+2, t.taken): // or it was acknowledged, and one byte may be a FIN
		return SendsData
	case t.AckedBytes > 0:
		return AcksData
	case !t.opened:
		return ZeroWindow
	case !t.accepted:
		return HalfOpen
	case t.RST:
		return ResetAfterHandshake
	case t.FIN:
		return ClosedAfterHandshake
	case t.SYNACKs > 2 || t.SYNACKs == 2 && !t.settled():
		return DroppedHandshake
	case t.SentBytes == 0:
		return Silent
	}
	return NoDataAck
}

// settled reports whether a server that repeated its SYN-ACK once has our acknowledgement of that: the next repetition,
// due after twice the time (RFC 6298, section 5.5), is late by half as much again.
func (t *tracker) settled() bool {
	return (t.End-t.SYNACKTime)/1e6 >= int64(t.repeated)*7/2
}
