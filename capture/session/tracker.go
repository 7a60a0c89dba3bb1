package session

import (
	"laserdisc/capture/packet"
)

// A SYN-ACK that comes sooner after another than duplicateSYNACK, in nanoseconds, is the network's duplicate. A server waits
// longer before it repeats one: a second by RFC 6298, section 2, and the fastest stacks half of that.
const duplicateSYNACK = 300e6

// widest is a receive window, in bytes, that few clients' grow beyond: Linux's grows to 6 MB.
const widest = 8 << 20

// heldSegments bounds how many segments are kept of a response whose first bytes have not arrived.
const heldSegments = 16

// tracker folds the segments of one connection, of both directions, into the facts that its
// client can infer. It decides nothing and sends nothing: what a recorded connection shows is
// what the live one showed.
type tracker struct {
	Attempt
	limit int // of Response, in bytes

	iss, sendNext    uint32 // our sequence numbers: the initial one, and the next to be sent
	irs, receiveNext uint32 // theirs, valid once connected: the initial one, and the next that is expected
	connected        bool   // whether a SYN-ACK came
	opened           bool   // whether a window above zero came
	hasFIN           bool   // whether a FIN came, be it before its turn
	timestamp        uint32 // their latest TCP timestamp
	endAt            uint32 // the sequence number of the FIN, or of the reset; valid with one of them
	repeated         uint32 // milliseconds from the first SYN-ACK to the latest that was repeated

	held []piece // what came past receiveNext
}

// piece is the data of a segment, of which a capture may have cut the end.
type piece struct {
	seq, end uint32
	data     []byte // from seq on, what is there
}

// sent takes one of the client's segments into account.
func (t *tracker) sent(s *packet.Segment) {
	end := s.End()
	switch {
	case s.Flags.Has(packet.RST):
		return
	case s.Flags.Has(packet.SYN) && t.SYNTime == 0:
		t.SYNTime = s.Time
		t.iss, t.sendNext = s.Seq, end
	case s.Flags.Has(packet.SYN):
		t.Retransmits++
	case packet.Before(t.sendNext, end):
		data := s.Seq + uint32(s.Length())
		t.SentBytes += min(s.Length(), int(data-t.sendNext)) // some of it may have been sent before
		t.sendNext = end
	case s.Length() > 0:
		t.Retransmits++
	}
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
		if !s.Flags.Has(packet.ACK) || s.Ack != t.iss+1 {
			return
		}
		switch {
		case s.Flags.Has(packet.RST):
			t.reset(s)
		case s.Flags.Has(packet.SYN):
			t.connect(s)
		default:
			return
		}
	case s.Flags.Has(packet.SYN):
		if s.Seq != t.irs {
			return
		}
		if since := s.Time - t.SYNACKTime; since-int64(t.repeated)*1e6 >= duplicateSYNACK {
			t.SYNACKs++
			t.repeated = uint32(since / 1e6)
		}
	default:
		if !t.inWindow(s.Seq) {
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

// inWindow reports whether seq lies in as wide a window as clients offer, or before it by no more than what has already
// come (RFC 9293, section 3.10.7.4). Ours is 64 KB; an observed one, whose width is not known, may have grown.
func (t *tracker) inWindow(seq uint32) bool {
	return seq-t.irs < t.receiveNext-t.irs+widest
}

// connect takes the first SYN-ACK.
func (t *tracker) connect(s *packet.Segment) {
	t.connected = true
	t.opened = s.Window > 0
	t.irs, t.receiveNext = s.Seq, s.Seq+1
	t.SYNACKTime, t.SYNACKs = s.Time, 1
	t.Window, t.SYNACKTTL = s.Window, s.TTL
	t.Options, t.Layout = packet.ParseOptions(s.Options), packet.Layout(s.Options)
	t.timestamp = t.Options.TSVal
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
	if s.Length() > 0 && packet.Before(t.receiveNext, end) && t.DataTime == 0 {
		t.DataTime, t.DataTTL = s.Time, s.TTL
	}
	if s.Flags.Has(packet.FIN) {
		t.hasFIN, t.endAt = true, end
	}
	t.reassemble(piece{seq, end, s.Payload})
	if t.hasFIN && t.receiveNext == t.endAt {
		t.FIN = true
		t.receiveNext++
	}
}

// acknowledge notes how much of the hello has been acknowledged. The acknowledgement that a FIN or RST carries counts as
// any other: the server's TCP had the data.
func (t *tracker) acknowledge(s *packet.Segment) {
	acked := int(s.Ack - t.iss - 1)
	if acked > int(t.sendNext-t.iss-1) {
		return
	}
	if acked = min(acked, t.SentBytes); acked <= t.AckedBytes { // what is more is a FIN
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
	t.ResetText = append(t.ResetText[:0], s.Payload...)
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
		if len(t.held) < heldSegments {
			p.data = append([]byte(nil), p.data...)
			t.held = append(t.held, p)
		}
		return
	}
	t.append(p)
	for again := true; again; {
		again = false
		for i, p := range t.held {
			if !packet.Before(t.receiveNext, p.seq) {
				t.held = append(t.held[:i], t.held[i+1:]...)
				t.append(p)
				again = true
				break
			}
		}
	}
}

// append appends to the response what is new of a piece. The response ends at its first gap: what a capture has cut.
func (t *tracker) append(p piece) {
	if !packet.Before(t.receiveNext, p.end) {
		return
	}
	data := p.data[min(t.receiveNext-p.seq, uint32(len(p.data))):]
	want := int(p.end - t.receiveNext)
	t.receiveNext = p.end
	if t.Truncated {
		return
	}
	data = data[:min(len(data), t.limit-len(t.Response))]
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
	case t.DataTime != 0:
		return SendsData
	case t.AckedBytes > 0:
		return AcksData
	case !t.opened:
		return ZeroWindow
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
