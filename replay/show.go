package replay

import (
	"bytes"
	"context"
	"maps"
	"net/netip"
	"slices"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// A Teller is told what became of one service, in the order of the record: each of its packets, each attempt at it when that
// is over, and each that asked its host on an ephemeral port. The service comes last. What it is given is valid during the
// call only.
type Teller interface {
	Rows
	// Packet is told of a packet of the service, and of the attempt that it is of, as that stands after it: its State is what it
	// comes to if nothing more happens. The attempt is nil for a packet of none: a SYN that nothing has answered yet, or what came
	// after an attempt's end.
	Packet(*record.Frame, *packet.Segment, *session.Attempt) error
	// Manifest comes first: that of the run, or of the capture's packets if they have one, or nil.
	Manifest(*record.Manifest) error
}

// Show plays back the run that is the only path, or observes the capture of these files, as Run and Observe do, for one service alone. Of a run that asked
// hosts on ephemeral ports it plays all of the service's host, because a verdict on that decides what is sent to the service. With an
// index, of the record at path, it reads no more than what that has for the service; nil is none. What the Result counts is of what was read.
func Show(ctx context.Context, paths []string, o Options, index *record.Index, service netip.AddrPort, to Teller) (*Result, error) {
	st := newStory(service, to)
	o.story, o.excerpt, o.Workers, o.Index = st, index, 1, nil
	if record.IsRun(paths[0]) {
		return Run(ctx, paths[0], o, nil)
	}
	result, err := Observe(ctx, paths, o, func(int) Rows { return st })
	if err != nil {
		return nil, err
	}
	return result, st.summarize()
}

// story tells a Teller of a service what passes by of all others.
type story struct {
	Teller
	service netip.AddrPort
	host    []byte // the service's address, as packets have it
	hosts   bool   // whether all of its host has to be played, because a verdict on that decides what is sent to the service

	// attempt gives the attempt that a packet is of, after that.
	attempt func(*packet.Segment) *session.Attempt

	waiting bool // whether frame and segment have been taken, and not told of
	frame   record.Frame
	segment packet.Segment
	err     error // the Teller's first

	ended   []*session.Attempt       // observed: over since the last packet
	later   map[int]*session.Attempt // observed: over before one that began earlier
	next    int                      // observed: the number of the first that is not summed up
	summary session.Summary
}

func newStory(service netip.AddrPort, to Teller) *story {
	return &story{Teller: to, service: service, host: service.Addr().AsSlice(), later: make(map[int]*session.Attempt)}
}

// mayConcern is false for most frames of other hosts, without looking at what they are.
func (st *story) mayConcern(f *record.Frame) bool { return bytes.Contains(f.Data, st.host) }

// concerns reports whether packets of a service have to be played.
func (st *story) concerns(service netip.AddrPort) bool {
	return service == st.service || st.hosts && service.Addr() == st.service.Addr()
}

// take takes a packet of the host, which is told of when it is known what has become of it.
func (st *story) take(f *record.Frame, s *packet.Segment) {
	if s.Src == st.service || s.Dst == st.service {
		st.waiting, st.frame, st.segment = true, *f, *s
	}
}

// tell tells of the packet that was taken. The attempt that it ended is over; nil if it did not end one.
func (st *story) tell(over *session.Attempt) error {
	if !st.waiting || st.err != nil {
		return st.err
	}
	st.waiting = false
	a := over
	if a == nil || !isOf(a, &st.segment) {
		a = st.attempt(&st.segment)
	}
	st.err = st.Packet(&st.frame, &st.segment, a)
	return st.err
}

func isOf(a *session.Attempt, s *packet.Segment) bool {
	return a.Service == s.Src && a.Source == s.Dst || a.Service == s.Dst && a.Source == s.Src
}

// Attempt implements Rows, for an Observer: what has ended waits until the packet that it may have ended with is told of.
func (st *story) Attempt(a *session.Attempt) error {
	st.ended = append(st.ended, a.Clone())
	return nil
}

// observed tells of a packet that the observer has taken, and of what had ended before it, or with it.
func (st *story) observed(f *record.Frame, s *packet.Segment) error {
	st.take(f, s)
	var with *session.Attempt
	inFlight := st.attempt(s)
	for _, a := range st.ended {
		if inFlight == nil && isOf(a, s) {
			with = a
			continue
		}
		if err := st.over(a); err != nil {
			return err
		}
	}
	st.ended = st.ended[:0]
	err := st.tell(with)
	if err == nil && with != nil {
		err = st.over(with)
	}
	return err
}

// mostLater bounds how many attempts wait to be summed up for one that began before them: it may have been left out, or go on for long.
const mostLater = 1 << 12

// over tells of an attempt that was observed, and sums up those that are over in the order in which they began.
func (st *story) over(a *session.Attempt) error {
	if err := st.Teller.Attempt(a); err != nil {
		return err
	}
	st.later[a.Number] = a
	for len(st.later) > 0 && (st.later[st.next] != nil || len(st.later) > mostLater) {
		st.sum()
	}
	return nil
}

// sum sums up the attempt that began first, of those that wait.
func (st *story) sum() {
	if st.later[st.next] == nil {
		st.next = slices.Min(slices.Collect(maps.Keys(st.later)))
	}
	a := st.later[st.next]
	delete(st.later, st.next)
	st.next++
	st.summary.Add(a)
}

// summarize tells of what was open at the end of a capture, and of the service.
func (st *story) summarize() error {
	for _, a := range st.ended {
		if err := st.over(a); err != nil {
			return err
		}
	}
	for len(st.later) > 0 {
		st.sum()
	}
	if s, is := st.summary.Service(); is {
		return st.Teller.Service(s)
	}
	return nil
}

// teller gives the rows of a host that concern the service, for a player: each after the packet that it came of.
type teller struct{ *story }

// Attempt implements Rows.
func (t teller) Attempt(a *session.Attempt) error {
	if err := t.tell(a); err != nil {
		return err
	}
	if a.Service != t.service && a.Visit != session.Ephemeral {
		return nil
	}
	return t.Teller.Attempt(a)
}

// Service implements Rows.
func (t teller) Service(s *session.Service) error {
	if err := t.tell(nil); err != nil || s.Service != t.service {
		return err
	}
	return t.Teller.Service(s)
}
