package replay

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"

	"github.com/zeebo/xxh3"
)

// A card is one frame of the record, decoded.
type card struct {
	mark      bool // no frame: the scan was resumed here, and segment.Time is that of the frame before
	direction record.Direction
	segment   packet.Segment
	frame     []byte // of a sent frame, to compare with
}

// A hand is a batch of cards for one player, with the bytes they view.
type hand struct {
	cards  []card
	bytes  []byte
	ending *ending // after the last card
}

const (
	handSize      = 256 << 10 // bytes
	handCards     = 2048
	handsInFlight = 4 // of each player
)

// deal reads dir's record and gives each host's frames to that host's player.
func deal(dir string, r *record.Reader, players []*player, result *Result) error {
	hands := make([]*hand, len(players))
	for i, p := range players {
		hands[i] = <-p.out
	}
	pass := func(i int) {
		players[i].in <- hands[i]
		hands[i] = <-players[i].out
		hands[i].cards, hands[i].bytes = hands[i].cards[:0], hands[i].bytes[:0]
	}
	var f record.Frame
	var last int64
	var err error
	for {
		if err = r.Next(&f); err != nil {
			break
		}
		if f.Time < last {
			err = fmt.Errorf("replay: frame %d is earlier than the one before: not a record of laserdisc's", f.Number)
			break
		}
		before := last
		last = f.Time
		result.Packets++
		if f.Part == result.Parts {
			if f.Part > 0 {
				mark(hands, pass, before)
			}
			result.Parts++
		}
		var s packet.Segment
		if bad := s.Decode(f.LinkType, f.Data); bad != nil {
			if f.Direction == record.Sent {
				err = fmt.Errorf("replay: frame %d was sent, but does not decode: %w", f.Number, bad)
				break
			}
			result.Counters.Count(f.Direction, nil)
			continue
		}
		result.Counters.Count(f.Direction, &s)
		s.Time, s.Number = f.Time, f.Number
		host := s.Src.Addr()
		if f.Direction == record.Sent {
			host = s.Dst.Addr()
		}
		i := seat(host, len(players))
		if len(hands[i].cards) == handCards || len(hands[i].bytes)+len(f.Data) > handSize {
			pass(i)
		}
		hands[i].add(&s, &f)
	}
	end := &ending{time: last}
	var truncated *record.TruncatedError
	switch {
	case errors.As(err, &truncated):
		result.Truncated = truncated
		err = nil
	case errors.Is(err, io.EOF):
		err = nil
		if t, closed := r.End(); closed {
			*end = ending{time: max(t, last), clean: true}
		} else {
			result.Truncated = &record.TruncatedError{Path: dir, Frame: f.Number, Offset: f.Offset}
		}
	}
	for i, p := range players {
		e := *end
		hands[i].ending = &e
		p.in <- hands[i]
		close(p.in)
	}
	return err
}

// mark tells every player that the scan was resumed here, after a last frame at the given time.
func mark(hands []*hand, pass func(int), at int64) {
	for i := range hands {
		if len(hands[i].cards) == handCards {
			pass(i)
		}
		hands[i].cards = append(hands[i].cards, card{mark: true, segment: packet.Segment{Time: at}})
	}
}

// seat gives a host its player.
func seat(host netip.Addr, players int) int {
	if players == 1 {
		return 0
	}
	b := host.As16()
	return int(xxh3.Hash(b[:]) % uint64(players))
}

// add copies a frame into the hand. The views of the segment move to the copy.
func (h *hand) add(s *packet.Segment, f *record.Frame) {
	if cap(h.bytes) == 0 {
		h.bytes = make([]byte, 0, handSize+record.MaxCapture)
		h.cards = make([]card, 0, handCards)
	}
	start := len(h.bytes)
	h.bytes = append(h.bytes, f.Data...)
	frame := h.bytes[start:]
	moved := packet.Segment{Time: s.Time, Number: s.Number}
	_ = moved.Decode(f.LinkType, frame) // it has just decoded
	h.cards = append(h.cards, card{direction: f.Direction, segment: moved, frame: frame})
}

func describe(s *packet.Segment) string {
	if s.ICMP != 0 {
		return fmt.Sprintf("ICMP %d/%d about %v > %v", s.ICMP>>8, s.ICMP&0xff, s.Dst, s.Src)
	}
	return fmt.Sprintf("%v > %v [%v] seq %d ack %d win %d len %d at %d ns",
		s.Src, s.Dst, s.Flags, s.Seq, s.Ack, s.Window, len(s.Payload), s.Time)
}
