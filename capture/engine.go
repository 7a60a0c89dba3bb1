package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// errCut ends the run of a machine whose context is done.
var errCut = errors.New("cut")

// Run scans until the targets have been probed and have had their time to answer; or until Stop is closed or a limit of
// the manifest is reached, and what is in flight is finished; or until ctx is done, at once. In each case the record is
// closed, and plays back. It is an error if a packet cannot be recorded or sent.
func (s *Scan) Run(ctx context.Context) (err error) {
	if err := s.describeLink(); err != nil {
		return err
	}
	start := s.Link.Now()
	if s.Resume == nil {
		s.Manifest.Start = time.Unix(0, start).UTC()
	}
	if err := s.Manifest.Settings.Check(); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	framer, err := s.Manifest.Link.Framer()
	if err != nil {
		return err
	}
	e := &engine{Scan: s, asked: asked{targets: s.Targets}, ctx: ctx, framer: framer, adopted: framer.Reversed(), start: start, last: start, nextStatus: start + 1e9, pacer: newPacer(s.Manifest.Rate, start)}
	part := 0
	if s.Resume == nil {
		e.record, err = record.Create(s.Dir, s.Manifest)
	} else {
		var at record.Continuation
		e.record, at, err = record.Reopen(s.Dir, s.Manifest, s.Resume)
		part, e.last = at.Part, max(e.last, at.Last)
	}
	if err != nil {
		return err
	}
	if e.machine, err = session.New(s.Manifest.Settings, part, e); err != nil {
		return errors.Join(err, e.record.Close(s.Manifest, start))
	}
	if s.Opened != nil {
		err = s.Opened()
	}
	if err == nil {
		err = e.machine.Run(e)
	}
	switch {
	case errors.Is(err, errCut):
		e.endProbing(record.EndedSignal)
	case err != nil:
		e.endProbing(record.EndedError)
	}
	s.Manifest.Interrupted = err != nil || s.Manifest.EndedBy == record.EndedSignal || e.badInput != nil
	if errors.Is(err, errCut) {
		err = nil
	}
	if failed := cmp.Or(err, e.badInput); failed != nil {
		s.Manifest.Problem = failed.Error()
	}
	finished := e.finish()
	if errors.Is(finished, err) { // what the record could not write, it says again
		err = nil
	}
	return errors.Join(err, e.badInput, finished)
}

// describeLink notes the link in the manifest. A scan that is resumed has to find the link that it had, whose addresses its
// packets carry.
func (s *Scan) describeLink() error {
	info := s.Link.Info()
	had := s.Manifest.Link
	s.Manifest.Link = record.Link{
		Kind: info.Kind, Interface: info.Interface, MTU: info.MTU, Offloads: info.Offloads,
		SourceMAC: packet.MAC(info.SourceMAC).String(), GatewayMAC: packet.MAC(info.GatewayMAC).String(),
	}
	if now := s.Manifest.Link; s.Resume != nil && (had.SourceMAC != now.SourceMAC || had.GatewayMAC != now.GatewayMAC) {
		return fmt.Errorf("capture: the scan in %s sent from %s to %s; now it would be from %s to %s: a scan is resumed on the link that it began on",
			s.Dir, had.SourceMAC, had.GatewayMAC, now.SourceMAC, now.GatewayMAC)
	}
	return nil
}

// engine is a scan under way: the machine's source of events and the sink of what it does.
type engine struct {
	*Scan
	ctx     context.Context
	machine *session.Machine
	record  *record.Writer
	framer  *packet.Framer
	pacer   pacer
	asked   asked // valid without Adopted

	start, last int64          // when the scan began, and when its last event was
	nextStatus  int64          // when the next is due
	batch       int            // how many probes may go out before the next look at the link
	arrivals    int            // frames that have arrived since the last look at all else
	done        bool           // whether no more targets are begun
	lastProbe   int64          // when it was
	repeats     []repeat       // in order of time
	nextLook    int64          // when Adopted is asked again
	adopted     *packet.Framer // of what Adopted yields
	badInput    error          // what Adopted ended with
	taking      bool           // whether Adopted yielded the last segment
	unreported  unreported     // by it; valid with Adopted
	segment     packet.Segment // the last that arrived
	frame       []byte         // that it came in; valid until the link's next
	held        link.Frame     // one that arrived after a deadline that is still to be met; valid with holding
	holding     bool
}

// mostInFlight bounds the memory that services take which have answered and are not finished: some 800 bytes each, and what
// they have sent, up to the response limit. With so many of them no more targets are begun. What is begun when is in the
// record, so that playback needs no such bound. It is reached where services wait long, for a second look or a follow-up: at
// 1,000 new services a second, if each takes 4 minutes.
const mostInFlight = 1 << 18

// batchSize is the most probes that go out between two looks at the link, and the most frames that are taken from it between
// two looks at all else: limits and signals count, and probes go on, however much arrives.
const batchSize = 64

// patience bounds every wait, in nanoseconds, so that a stop is noticed.
const patience = 100e6

// Next implements session.Source. What has arrived comes first, a batch of it, then what is due, then probes, so that a scan
// that is short of time probes more slowly, and answers no later.
func (e *engine) Next(deadline int64, ev *session.Event) error {
	for {
		if e.batch > 0 && e.last < deadline {
			if happened, err := e.launch(ev); err != nil || happened {
				return err
			}
		}
		e.batch = 0
		if e.arrivals < batchSize {
			frame, ok, err := e.receive(0)
			if err != nil {
				return err
			}
			if ok {
				e.arrivals++
				if happened, err := e.arrived(frame, deadline, ev); err != nil || happened {
					return err
				}
				continue
			}
		}
		now := max(e.Link.Now(), e.last)
		if err := e.housekeeping(now); err != nil {
			return err
		}
		if deadline <= now {
			ev.Time = max(deadline, e.last)
			e.last = ev.Time
			return nil
		}
		e.arrivals = 0
		switch ready := e.ready(now); {
		case ready <= now:
			if e.batch = e.pacer.allows(now, batchSize); e.batch > 0 {
				e.last = now
				continue
			}
		case ready == session.Never && deadline == session.Never && now >= e.lastProbe+int64(e.Manifest.Cooldown):
			return io.EOF
		}
		if happened, err := e.idle(now, deadline, ev); err != nil || happened {
			return err
		}
	}
}

// idle waits for the next frame, or for the next thing to do.
func (e *engine) idle(now, deadline int64, ev *session.Event) (happened bool, err error) {
	if err := e.Link.Flush(); err != nil {
		return false, err
	}
	until := min(deadline, now+patience, e.nextStatus)
	switch ready := e.ready(now); {
	case ready <= now:
		until = min(until, e.pacer.due())
	case ready < session.Never:
		until = min(until, ready)
	case deadline == session.Never:
		until = min(until, e.lastProbe+int64(e.Manifest.Cooldown))
	}
	frame, ok, err := e.receive(until)
	if err != nil || !ok {
		return false, err
	}
	return e.arrived(frame, deadline, ev)
}

// receive returns the frame that was held back, or the link's next until a time.
func (e *engine) receive(until int64) (link.Frame, bool, error) {
	if e.holding {
		e.holding = false
		return e.held, true, nil
	}
	return e.Link.Receive(until)
}

// arrived records a frame, and makes the segment in it the event, if there is one. What was due before the frame came
// happens first, so that the record is in order of time.
func (e *engine) arrived(f link.Frame, deadline int64, ev *session.Event) (happened bool, err error) {
	at := max(e.last, f.Time)
	if deadline <= at {
		e.held.Time, e.held.Data = f.Time, append(e.held.Data[:0], f.Data...)
		e.holding = true
		e.last = max(deadline, e.last)
		ev.Time = e.last
		return true, nil
	}
	e.last = at
	number, err := e.record.Packet(record.Received, at, f.Data)
	if err != nil {
		return false, err
	}
	s := &e.segment
	if s.Decode(packet.LinkEthernet, f.Data) != nil {
		e.Manifest.Counters.Count(record.Received, nil)
		return false, nil
	}
	e.Manifest.Counters.Count(record.Received, s)
	s.Time, s.Number, e.frame, e.taking = e.last, number, f.Data, false
	ev.Time, ev.Segment = e.last, s
	return true, nil
}

// housekeeping looks at what is no packet: a stop, and the status that is due.
func (e *engine) housekeeping(now int64) error {
	select {
	case <-e.ctx.Done():
		return errCut
	case <-e.Stop:
		e.endProbing(record.EndedSignal)
	default:
	}
	if !e.done {
		e.limited(now)
	}
	if now < e.nextStatus {
		return nil
	}
	e.nextStatus = now - (now-e.start)%1e9 + 1e9
	if err := e.record.Flush(); err != nil {
		return err
	}
	if err := e.drops(); err != nil {
		return err
	}
	e.tell(now, false)
	return nil
}

// tell tells how far the scan is.
func (e *engine) tell(now int64, ended bool) {
	if e.Status == nil {
		return
	}
	e.Status(Status{
		Time: now, Elapsed: time.Duration(now - e.start), Counters: e.Manifest.Counters,
		Drops: e.Manifest.Drops, InFlight: e.machine.InFlight(), Probing: (!e.done || len(e.repeats) > 0) && !ended, Ended: ended,
	})
}

// drops takes over what the link has counted.
func (e *engine) drops() error {
	stats, err := e.Link.Stats()
	e.Manifest.Drops = record.Drops{Kernel: stats.KernelDrops, Interface: stats.InterfaceDrops}
	return err
}

// Asked implements session.Sink.
func (e *engine) Asked(synack *packet.Segment) bool {
	switch {
	case e.Adopted == nil && e.asked.has(synack.Src, e.last), e.taking:
		return true
	case e.Adopted != nil:
		e.unreported.keep(synack.Src, e.frame)
	}
	e.Manifest.Counters.Unasked++
	return false
}

// Send implements session.Sink. It records the segment, and then sends it.
func (e *engine) Send(s *packet.Segment) error {
	frame := e.framer.Frame(s)
	if _, err := e.record.Packet(record.Sent, s.Time, frame); err != nil {
		return err
	}
	e.Manifest.Counters.Count(record.Sent, s)
	e.pacer.sent(s.Time)
	return e.Link.Send(frame)
}

// Attempt implements session.Sink. It does nothing: attempts are for playback to tell.
func (e *engine) Attempt(*session.Attempt) error { return nil }

// Service implements session.Sink.
func (e *engine) Service(s *session.Service) error {
	e.Manifest.Counters.Services++
	if err := e.record.Service(s); err != nil || e.Found == nil {
		return err
	}
	return e.Found(s)
}

// finish closes the record, whatever ended the run.
func (e *engine) finish() error {
	flushed := e.Link.Flush()
	counted := e.drops()
	if errors.Is(counted, flushed) { // it says again what it has said
		counted = nil
	}
	e.Manifest.End = time.Unix(0, e.last).UTC()
	e.tell(e.last, true)
	if err := errors.Join(flushed, counted, e.record.Close(e.Manifest, e.last)); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}

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

// full reports whether as many services are in flight as may be.
func (e *engine) full() bool { return e.machine.InFlight() >= cmp.Or(e.mostInFlight, mostInFlight) }

// ready is when there is something to probe, or session.Never if everything has been, or nothing may be for now.
func (e *engine) ready(now int64) int64 {
	at := int64(session.Never)
	if len(e.repeats) > 0 {
		at = e.repeats[0].at
	}
	if !e.done && !e.full() {
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
	if e.done || e.full() || e.limited(e.last) {
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
	if slices.Contains(e.Manifest.Sources, target.Addr()) { // itself, which no answer would come from
		return false, nil
	}
	e.Manifest.Counters.Launched++
	e.asked.begin(target, e.last)
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
// nothing but the record, or, if this machine's own interface has shown it already, as it came there. Nothing else is gone on
// from: what the other scanner has not reported, it may never have asked.
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
	frame := e.unreported.take(&s)
	if frame == nil {
		frame = e.adopted.Frame(&s)
	}
	happened, err = e.arrived(link.Frame{Time: e.last, Data: frame}, session.Never, ev)
	e.taking = true
	return happened, err
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
