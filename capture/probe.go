package capture

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// repeatAfter is the time between two probes of a target, in nanoseconds, so that a burst of loss does not take them all.
const repeatAfter = 1e9

// adoptPause is how long the next look for another scanner's SYN-ACKs waits when there were none, in nanoseconds.
const adoptPause = 5e6

// repeat is a target that is to be probed again.
type repeat struct {
	at     int64 // ns since the Unix epoch
	target netip.AddrPort
	left   int // how many probes, this one included
}

// ready is when there is something to probe, or session.Never if everything has been.
func (e *engine) ready(now int64) int64 {
	at := int64(session.Never)
	if len(e.repeats) > 0 {
		at = e.repeats[0].at
	}
	if !e.done {
		at = min(at, max(now, e.nextLook))
	}
	return at
}

// launch makes a probe the event, if one is due: one more of a target, or the first of the next target.
func (e *engine) launch(ev *session.Event) (happened bool, err error) {
	if len(e.repeats) > 0 && e.repeats[0].at <= e.last {
		again := e.repeats[0]
		e.repeats = e.repeats[1:]
		e.probe(again.target, again.left, ev)
		return true, nil
	}
	if e.done || e.limited(e.last) {
		return false, nil
	}
	if e.Adopted != nil {
		return e.adopt(ev)
	}
	target, ok := e.Targets.Next()
	if !ok {
		e.endProbing(record.EndedTargets)
		return false, nil
	}
	e.Manifest.Counters.Launched++
	e.probe(target, max(1, e.Manifest.Probes), ev)
	return true, nil
}

// probe makes the probe of a target the event. Times never run backwards, so that the repeats are in their order.
func (e *engine) probe(target netip.AddrPort, left int, ev *session.Event) {
	e.batch--
	e.lastProbe = e.last
	ev.Time, ev.Target = e.last, target
	if left > 1 {
		e.repeats = append(e.repeats, repeat{e.last + repeatAfter, target, left - 1})
	}
}

// adopt makes another scanner's SYN-ACK the event. It is recorded as the frame that it came in, so that playback needs
// nothing but the record. One that this machine's own interface has shown already is left out.
func (e *engine) adopt(ev *session.Event) (happened bool, err error) {
	s, ok, err := e.Adopted.Next()
	switch {
	case errors.Is(err, io.EOF):
		e.endProbing(record.EndedTargets)
		return false, nil
	case err != nil:
		e.badInput = err
		e.endProbing(record.EndedError)
		return false, nil
	case !ok:
		e.nextLook = e.last + adoptPause
		return false, nil
	}
	e.batch--
	e.lastProbe = e.last
	e.Manifest.Counters.Launched++
	if e.machine.Known(s.Src) {
		return false, nil
	}
	return e.arrived(link.Frame{Time: e.last, Data: e.adopted.Frame(&s)}, session.Never, ev)
}

// limited ends the probing at the first limit that is reached.
func (e *engine) limited(now int64) bool {
	m := e.Manifest
	switch {
	case m.MaxTargets > 0 && m.Counters.Launched >= m.MaxTargets:
		e.endProbing(record.EndedMaxTargets)
	case m.MaxResults > 0 && m.Counters.Services >= m.MaxResults:
		e.endProbing(record.EndedMaxResults)
	case m.MaxRuntime > 0 && time.Duration(now-e.start) >= time.Duration(m.MaxRuntime):
		e.endProbing(record.EndedMaxRuntime)
	}
	return e.done
}

// endProbing lets no more targets be begun. Those that are to be probed once more still are, if it was the last target or a
// limit of them that ended it.
func (e *engine) endProbing(why string) {
	if why != record.EndedTargets && why != record.EndedMaxTargets {
		e.repeats = nil
	}
	if e.done {
		return
	}
	e.done, e.Manifest.EndedBy = true, why
	if e.Targets != nil {
		e.Manifest.NotProbed = e.Targets.Left()
	}
}
