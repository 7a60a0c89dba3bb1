// Package session is one service's life under a scan: the tracker, which knows what a
// connection has shown, and the policy, which decides what to send next and when.
//
// A Machine runs any number of services. It does no I/O and reads no clock: the same events
// give the same packets and the same results, which is what makes a recorded run play back.
package session

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// What our segments say of us: as a current Linux's would.
const (
	ttl         = 64
	window      = 64240
	windowScale = 7
	scaled      = 502 // window, scaled
	mss4        = 1460
	mss6        = 1440
)

// linger is how long a finished service is remembered, in nanoseconds: longer than a server goes
// on repeating what we have not acknowledged (Linux repeats a SYN-ACK for 63 s).
const linger = 120e9

// Never is the deadline of a machine that waits for nothing.
const Never = math.MaxInt64

// Event is something that happens to a Machine, at a time in nanoseconds since the Unix epoch:
// a segment arrives, a target is to be probed, or (neither) time has passed.
type Event struct {
	Time    int64
	Segment *packet.Segment // arrives, if not nil
	Target  netip.AddrPort  // is to be probed, if valid
}

// Source gives a Machine its events, in order of time.
type Source interface {
	// Next fills in the next event, or one at the deadline if that comes first. io.EOF ends the
	// run; any other error stops it. A deadline of Never: no service is in flight.
	Next(deadline int64, e *Event) error
}

// Sink takes what a Machine does. Everything passed is valid only during the call.
type Sink interface {
	Send(*packet.Segment) error
	Attempt(*Attempt) error
	Service(*Service) error
}

// Machine runs services. It holds nothing for a target until that answers.
type Machine struct {
	settings Settings
	policy   *Policy
	id       *identity
	sink     Sink
	now      int64
	services services
	timers   timers
	spare    []*flight // for reuse

	checks   map[netip.Addr]*check      // of hosts for an all-ports firewall
	probes   map[netip.AddrPort]*flight // of these checks, by target
	verdicts map[[16]byte]bool          // by address, for the whole scan: whether the host has one

	syn     packet.Segment // being sent
	out     packet.Segment // the same, any other segment
	options []byte
	hello   []byte
	err     error // the first of the sink's
}

// flight is a service in flight: one attempt at a time.
type flight struct {
	sum       Service
	conn      tracker
	end       endpoint
	nextSend  int64 // when to retransmit, or Never
	expires   int64 // when to give the attempt up
	latest    int64 // the last moment to which more data may move expires
	remaining int   // retransmissions left
	over      bool  // the attempt is, and the service waits for what is next
	visiting  bool  // for its second look
	again     State // what that from the same source came to

	deadline int64  // the earlier of nextSend and expires
	order    uint64 // of setting the deadline, so that equal ones fire in a defined order
	index    int    // in timers
}

// New returns a machine that reports to sink. A scan that was resumed consists of parts, from 0, each of which has a
// machine, source ports and sequence numbers of its own.
func New(settings Settings, part int, sink Sink) (*Machine, error) {
	if err := settings.Check(); err != nil {
		return nil, fmt.Errorf("session: settings: %w", err)
	}
	policy, err := NewPolicy(&settings)
	if err != nil {
		return nil, fmt.Errorf("session: settings: %w", err)
	}
	if part < 0 || part > maxParts {
		return nil, fmt.Errorf("session: part %d: a scan can be resumed %d times", part, maxParts)
	}
	return &Machine{
		settings: settings,
		policy:   policy,
		id:       newIdentity(&settings, part),
		sink:     sink,
		syn:      packet.Segment{Flags: packet.SYN, Window: window, TTL: ttl},
		services: newServices(),
		checks:   make(map[netip.Addr]*check),
		probes:   make(map[netip.AddrPort]*flight),
		verdicts: make(map[[16]byte]bool),
	}, nil
}

// Run feeds the machine until the source ends. It is the one loop of live scans and playback.
func (m *Machine) Run(src Source) error {
	var e Event
	for {
		e = Event{}
		switch err := src.Next(m.Deadline(), &e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := m.Step(&e); err != nil {
			return err
		}
	}
}

// Step takes one event. Time does not run backwards: an event before the last one is an error.
func (m *Machine) Step(e *Event) error {
	if e.Time < m.now {
		return fmt.Errorf("session: event at %d ns, but it is %d ns already", e.Time, m.now)
	}
	m.advance(e.Time)
	switch {
	case m.err != nil:
	case e.Segment != nil:
		m.arrive(e.Segment)
	case e.Target.IsValid():
		m.probe(e.Target)
	}
	return m.err
}

// Deadline is when the machine wants to act unasked, or Never.
func (m *Machine) Deadline() int64 {
	if len(m.timers.heap) == 0 {
		return Never
	}
	return m.timers.heap[0].deadline
}

// Unfinished are the services in flight, in no order.
func (m *Machine) Unfinished() []netip.AddrPort { return m.services.unfinished() }

// InFlight is the number of services that have answered and are not finished.
func (m *Machine) InFlight() int { return len(m.timers.heap) }

// Known reports whether the service has answered, and is not forgotten since.
func (m *Machine) Known(service netip.AddrPort) bool {
	_, known := m.services.get(service)
	return known
}

// advance fires every deadline up to t at its own time: a late wake-up changes nothing.
func (m *Machine) advance(t int64) {
	for m.err == nil && m.Deadline() <= t {
		m.now = m.Deadline()
		m.expire(m.timers.heap[0])
	}
	m.now = t
	m.services.forget(t)
}

// probe sends the first SYN to a target. No state: the answer carries all that is needed.
func (m *Machine) probe(target netip.AddrPort) {
	if _, known := m.services.get(target); known || m.settings.SkipAllPorts && m.allPorts(target.Addr()) {
		return
	}
	if len(m.id.sources[family(target.Addr())]) == 0 {
		m.err = fmt.Errorf("session: no source address for %s", target)
		return
	}
	end := m.id.of(target, 0, false)
	m.sendSYN(target, end)
}

func (m *Machine) arrive(s *packet.Segment) {
	if v := m.probes[s.Src]; v != nil && s.Dst == v.end.source {
		m.step(v, s)
		return
	}
	v, known := m.services.get(s.Src)
	switch {
	case !known:
		m.answer(s)
	case v == nil || v.over || s.Dst != v.end.source:
		m.stray(s)
	default:
		m.step(v, s)
	}
}

// answer takes the first answer of a target that nothing is known of. Only one that
// acknowledges the sequence number we would have sent is ours.
func (m *Machine) answer(s *packet.Segment) {
	if len(m.id.sources[family(s.Src.Addr())]) == 0 {
		return
	}
	if m.wasEphemeral(s) {
		m.stray(s)
		return
	}
	end, echoed := m.id.of(s.Src, 0, false), packet.ParseOptions(s.Options)
	elapsed := int64(m.clock(end)-echoed.TSEcr) * 1e6
	if m.settings.Adopt && s.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK {
		end.source, end.seq = s.Dst, s.Ack-1
		end.clock += echoed.TSEcr - m.clock(end) // goes on: what is older would be dropped (RFC 7323, section 5.3)
	}
	mine := s.ICMP != 0 && s.Seq == end.seq ||
		s.ICMP == 0 && s.Flags.Has(packet.ACK) && s.Flags&(packet.SYN|packet.RST) != 0 && s.Ack == end.seq+1
	if s.Dst != end.source || !mine {
		return
	}
	v := m.newFlight(s.Src)
	m.begin(v, First, 0, m.policy.First(), end)
	v.conn.iss, v.conn.sendNext = end.seq, end.seq+1
	if echoed.Timestamps && elapsed < unanswered { // some echo what was never sent
		v.conn.SYNTime = m.now - elapsed
	}
	v.conn.received(s)
	if !v.conn.connected {
		m.finishAttempt(v)
		m.retire(v)
		return
	}
	m.services.set(s.Src, v)
	m.connected(v)
}

func (m *Machine) newFlight(service netip.AddrPort) *flight {
	v := &flight{index: -1}
	if n := len(m.spare); n > 0 {
		v, m.spare = m.spare[n-1], m.spare[:n-1]
	}
	v.sum = Service{Service: service, Response: v.sum.Response[:0]}
	return v
}

// begin makes the flight ready for an attempt. Buffers are kept.
func (m *Machine) begin(v *flight, visit Visit, number int, say *handshake.Protocol, end endpoint) {
	old := &v.conn
	v.conn = tracker{
		limit: m.settings.ResponseLimit,
		held:  old.held[:0],
		Attempt: Attempt{
			Service:   v.sum.Service,
			Number:    number,
			Visit:     visit,
			Handshake: say,
			Source:    end.source,
			Response:  old.Response[:0],
			ResetText: old.ResetText[:0],
			Verdict:   handshake.Verdict{Matches: old.Verdict.Matches[:0]},
		},
	}
	v.end, v.latest, v.over = end, 0, false
	v.remaining = m.settings.Retransmits
}

// connect starts an attempt with a SYN.
func (m *Machine) connect(v *flight, visit Visit, number int, say *handshake.Protocol) {
	attempt := number
	if visit == Ephemeral {
		attempt = ephemeralAttempt
	}
	m.begin(v, visit, number, say, m.id.of(v.sum.Service, attempt, visit == Fresh))
	m.sendSYN(v.sum.Service, v.end)
	v.conn.sent(&m.syn)
	m.schedule(v, m.retransmission(v), m.now+int64(m.settings.Timeout))
}

// connected goes on after the SYN-ACK: the hello travels in the ACK itself, without PSH, which
// finds most hosts (paper, section 5). A window that is closed may open later.
func (m *Machine) connected(v *flight) {
	v.remaining = m.settings.Retransmits
	switch {
	case v.conn.opened:
		m.greet(v)
	case m.settings.Liveness:
		m.sendACK(v)
		m.schedule(v, m.retransmission(v), m.now+int64(m.settings.Timeout))
	default:
		m.close(v)
	}
}

// greet sends the hello, or listens.
func (m *Machine) greet(v *flight) {
	if v.conn.Handshake.Hello == nil {
		m.sendACK(v)
		m.schedule(v, Never, m.now+int64(m.settings.Wait))
		return
	}
	flags := packet.ACK
	if m.settings.Push {
		flags |= packet.PSH
	}
	m.sendHello(v, flags)
	m.schedule(v, m.retransmission(v), m.now+int64(m.settings.Timeout))
}

// step takes a segment of the attempt's own connection.
func (m *Machine) step(v *flight, s *packet.Segment) {
	t := &v.conn
	connected, opened, next := t.connected, t.opened, t.receiveNext
	t.received(s)
	switch {
	case !t.connected:
		if t.RST || t.ICMP != 0 {
			m.close(v)
		}
	case !connected:
		m.connected(v)
	case t.RST && !t.overtaken(), t.FIN:
		m.close(v)
	case t.receiveNext != next:
		m.moreData(v)
	case s.Flags.Has(packet.RST) && t.overtaken():
		m.schedule(v, Never, min(v.expires, m.now+int64(m.settings.Gather)))
	case !opened && t.opened:
		m.connected(v)
	case s.Flags.Has(packet.SYN), len(s.Payload) > 0:
		m.sendACK(v) // it has not seen our acknowledgement
		fallthrough
	default:
		if t.SentBytes > 0 && t.AckedBytes == t.SentBytes && v.nextSend != Never {
			m.schedule(v, Never, v.expires)
		}
	}
}

// moreData acknowledges new bytes of a response and waits a little for the next ones.
func (m *Machine) moreData(v *flight) {
	if len(v.conn.Response) >= m.settings.ResponseLimit {
		m.close(v)
		return
	}
	m.sendACK(v)
	if v.latest == 0 {
		v.latest = m.now + int64(m.settings.Timeout)
	}
	m.schedule(v, Never, min(m.now+int64(m.settings.Gather), v.latest))
}

// stray answers a segment of a connection that is over as TCP does (RFC 9293, section 3.10.7.1),
// so that no server keeps it half open.
func (m *Machine) stray(s *packet.Segment) {
	if s.ICMP != 0 || s.Flags.Has(packet.RST) || !s.Flags.Has(packet.ACK) {
		return
	}
	m.out = packet.Segment{Src: s.Dst, Dst: s.Src, Seq: s.Ack, Flags: packet.RST}
	m.send()
}

// expire does what a service's deadline is for.
func (m *Machine) expire(v *flight) {
	if v.visiting {
		v.visiting = false
		m.connect(v, Again, v.conn.Number+1, m.policy.speaking)
		return
	}
	if v.expires <= m.now {
		m.close(v)
		return
	}
	v.remaining--
	switch {
	case !v.conn.connected:
		m.sendSYN(v.sum.Service, v.end)
		v.conn.sent(&m.syn)
	case !v.conn.opened:
		m.probeWindow(v)
	default:
		m.sendHello(v, packet.PSH|packet.ACK)
	}
	m.schedule(v, m.retransmission(v), v.expires)
}

// retransmission is when the next one is due.
func (m *Machine) retransmission(v *flight) int64 {
	if v.remaining == 0 {
		return Never
	}
	return m.now + int64(m.settings.RetransmitAfter)<<(m.settings.Retransmits-v.remaining)
}

func (m *Machine) schedule(v *flight, retransmit, expires int64) {
	v.nextSend, v.expires = retransmit, expires
	m.timers.set(v, min(retransmit, expires))
}

// close ends the attempt's connection and goes on to whatever is next.
func (m *Machine) close(v *flight) {
	if v.conn.connected && (!v.conn.RST || v.conn.overtaken()) {
		m.out = packet.Segment{Src: v.end.source, Dst: v.sum.Service, Seq: v.conn.sendNext, Flags: packet.RST}
		m.send()
	}
	v.over = true
	m.finishAttempt(v)
	switch {
	case m.err != nil:
	case v.conn.Visit == Ephemeral:
		m.checked(v)
	default:
		if v.conn.Visit == Again {
			v.again = v.conn.State
		}
		m.do(v, m.policy.Next(&v.sum, &v.conn.Attempt))
	}
}

// do carries the policy's next step out.
func (m *Machine) do(v *flight, next Step) {
	switch {
	case next.Action == AskHost:
		m.check(v)
	case next.Action == Finish:
		m.finish(v)
	case next.After > 0:
		v.visiting = true
		m.schedule(v, Never, m.now+int64(next.After))
	default:
		m.connect(v, next.Visit, v.conn.Number+1, next.Handshake)
	}
}

// finish reports the service and remembers that it is over.
func (m *Machine) finish(v *flight) {
	m.report(m.sink.Service(&v.sum))
	m.services.finish(v.sum.Service, m.now+linger)
	m.retire(v)
}

// retire puts the flight aside for reuse.
func (m *Machine) retire(v *flight) {
	m.timers.remove(v)
	m.spare = append(m.spare, v)
}

// finishAttempt takes the attempt into account and reports it.
func (m *Machine) finishAttempt(v *flight) {
	a := &v.conn.Attempt
	a.End = m.now
	a.State = v.conn.state()
	if len(a.Response) > 0 {
		handshake.Classify(&a.Verdict, m.helloOf(v), a.Response)
	}
	switch a.Visit {
	case First, Again:
		v.sum.add(a)
	case Fresh:
		v.sum.revisited(v.again, a)
	}
	m.report(m.sink.Attempt(a))
}

func (m *Machine) report(err error) {
	if m.err == nil {
		m.err = err
	}
}
