package replay

import "laserdisc/capture/packet"

// ties puts segments that have the same time into an order that can be, by what they acknowledge: with a file for each direction, and
// times too coarse, an answer may stand before its question. Those of one direction of a connection stay as they are.
type ties struct{ segments []packet.Segment }

// mostTies bounds how many segments of one time are put into order at once.
const mostTies = 128

// pass takes the capture's next segment, and gives away those that come before it for sure.
func (t *ties) pass(s *packet.Segment, untimed bool, next func(*packet.Segment) error) error {
	if len(t.segments) > 0 && (untimed || t.segments[0].Time != s.Time || len(t.segments) == mostTies) {
		if err := t.end(next); err != nil {
			return err
		}
	}
	if untimed {
		return next(s)
	}
	t.add(s)
	return nil
}

// end gives away the segments that there are.
func (t *ties) end(next func(*packet.Segment) error) error {
	for i := range t.segments {
		if err := next(&t.segments[i]); err != nil {
			return err
		}
	}
	t.segments = t.segments[:0]
	return nil
}

// add puts a segment behind the others, or before the first of the other direction that was sent after it.
func (t *ties) add(s *packet.Segment) {
	at := len(t.segments)
	for i := at - 1; i >= 0; i-- {
		before := &t.segments[i]
		if before.Src == s.Src && before.Dst == s.Dst {
			break
		}
		if before.Src == s.Dst && before.Dst == s.Src && follows(before, s) {
			at = i
		}
	}
	t.segments = append(t.segments, packet.Segment{})
	copy(t.segments[at+1:], t.segments[at:])
	t.segments[at] = *s
}

// follows reports whether a, of the other direction, was sent when all of b had come: a acknowledges it, or ends the connection.
func follows(a, b *packet.Segment) bool {
	if a.ICMP != 0 || b.ICMP != 0 || b.Flags.Has(packet.RST) {
		return false
	}
	return a.Flags.Has(packet.RST) || a.Flags.Has(packet.ACK) && b.End() != b.Seq && !packet.Before(a.Ack, b.End())
}
