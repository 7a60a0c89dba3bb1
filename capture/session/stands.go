package session

import (
	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// Attempt is how the attempt that a segment is of stands after it: State is what it comes to if nothing more happens, and
// Verdict what its response shows so far. It is nil for a segment of no attempt that is in flight: the SYN of a sweep, for
// nothing is kept of that, or what came after an attempt's end. It is valid until the machine's next event.
func (m *Machine) Attempt(s *packet.Segment) *Attempt {
	for _, way := range [...]pair{{s.Src, s.Dst}, {s.Dst, s.Src}} {
		ss := m.probes[way.service]
		if ss == nil {
			ss, _ = m.services.get(way.service)
		}
		if ss != nil && !ss.over && ss.end.source == way.client {
			at := ss.conn
			at.End, at.Verdict = m.now, handshake.Verdict{}
			at.State = at.state()
			at.classify(m.helloOf(ss))
			return &at.Attempt
		}
	}
	return nil
}

// Attempt is how the connection that a segment is of stands after it, as Machine.Attempt has it. It is nil for a segment of
// none that is open: a SYN that nothing has answered, or what came after a connection's end.
func (o *Observer) Attempt(s *packet.Segment) *Attempt {
	for _, way := range [...]pair{{s.Src, s.Dst}, {s.Dst, s.Src}} {
		if c := o.open[way.hash()]; c != nil && c.pair == way {
			at := *c
			at.End, at.Verdict = o.now, handshake.Verdict{}
			at.conclude()
			return &at.Attempt
		}
	}
	return nil
}
