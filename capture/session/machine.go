package session

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"

	"laserdisc/capture/packet"
)

// What our segments say is what a current Linux's would.
const (
	ttl         = 64
	window      = 64240
	windowScale = 7
	scaled      = 502 // the window, scaled
	mss4        = 1460
	mss6        = 1440
)

// Linger is how long a finished service is remembered, in nanoseconds. It is longer than a server goes on repeating what
// we have not acknowledged: Linux repeats a SYN-ACK for 63 s.
const Linger = 120e9

// Never is the deadline of a machine that waits for nothing.
const Never = math.MaxInt64

// Event is something that happens to a Machine: a segment arrives, a target is to be probed, or, with neither, time has
// passed.
type Event struct {
	Time    int64           // nanoseconds since the Unix epoch
	Segment *packet.Segment // the one that arrives, or nil
	Target  netip.AddrPort  // the one to be probed, or invalid
}

// Source gives a Machine its events, in order of time.
type Source interface {
	// Next fills in the next event, or one at the deadline if that comes first. The deadline is
	// Never while no service is in flight. io.EOF ends the run, and any other error stops it.
	Next(deadline int64, e *Event) error
}

// Sink takes what a Machine does. What is passed is valid during the call only, and must not be modified.
type Sink interface {
	// Asked reports whether a SYN-ACK, which is the first answer of a service and has the right numbers, comes from one that
	// the scan has asked. Numbers alone do not tell: who knows the key makes them for any address.
	Asked(synack *packet.Segment) bool
	Send(*packet.Segment) error
	Attempt(*Attempt) error
	Service(*Service) error
}

// Machine runs services: it is the only thing that decides what a scan sends. It holds nothing for a target until that
// answers. It is for one goroutine.
type Machine struct {
	settings Settings
	policy   *Policy
	id       *identity
	sink     Sink
	now      int64
	services services
	timers   timers
	spare    []*session // finished ones, to be used again

	checks   map[netip.Addr]*check       // hosts that are being checked for an all-ports firewall
	probes   map[netip.AddrPort]*session // the connections of these checks, by target
	verdicts map[[16]byte]verdict        // on hosts, by their addresses, for the whole scan

	syn     packet.Segment // the last SYN sent
	out     packet.Segment // the last segment sent that was none
	options []byte         // of out
	hello   []byte         // the last one written
	err     error          // the first that the sink returned
}

// New returns a machine that reports to sink. A scan that was resumed consists of parts, numbered from 0, each of which
// has a machine, source ports and sequence numbers of its own.
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
		probes:   make(map[netip.AddrPort]*session),
		verdicts: make(map[[16]byte]verdict),
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

// Deadline is when the machine has something to do unasked, or Never. It is a time as an Event's.
func (m *Machine) Deadline() int64 {
	if len(m.timers.heap) == 0 {
		return Never
	}
	return m.timers.heap[0].deadline
}

// Unfinished lists the services in flight, in no order.
func (m *Machine) Unfinished() []netip.AddrPort { return m.services.unfinished() }

// InFlight is the number of services that have answered and are not finished.
func (m *Machine) InFlight() int { return len(m.timers.heap) }

// Known reports whether the service has answered and has not been forgotten since.
func (m *Machine) Known(service netip.AddrPort) bool {
	_, known := m.services.get(service)
	return known
}

// advance moves to the time t. It fires every deadline until then at its own time, so that whoever wakes up late changes
// nothing.
func (m *Machine) advance(t int64) {
	for m.err == nil && m.Deadline() <= t {
		m.now = m.Deadline()
		m.expire(m.timers.heap[0])
	}
	m.now = t
	m.services.forget(t)
}

// probe sends the first SYN to a target. It keeps nothing of it: the answer carries all that is needed.
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

// arrive gives a segment to the session that it belongs to.
func (m *Machine) arrive(s *packet.Segment) {
	if ss := m.probes[s.Src]; ss != nil && s.Dst == ss.end.source {
		m.step(ss, s)
		return
	}
	ss, known := m.services.get(s.Src)
	switch {
	case !known:
		m.answer(s)
	case ss == nil:
		strays := m.services.strays[s.Src]
		if m.stray(s, &strays) {
			m.services.strays[s.Src] = strays
		}
	case ss.over || s.Dst != ss.end.source:
		m.stray(s, &ss.strays)
	default:
		m.step(ss, s)
	}
}

// answer takes the first answer of a target of which nothing is known. It is one only if it acknowledges the sequence
// number that we would have sent.
func (m *Machine) answer(s *packet.Segment) {
	if len(m.id.sources[family(s.Src.Addr())]) == 0 {
		return
	}
	if m.wasEphemeral(s) {
		return
	}
	end, echoed := m.id.of(s.Src, 0, false), packet.ParseOptions(s.Options)
	elapsed := int64(m.clock(end)-echoed.TSEcr) * 1e6
	if m.settings.Adopt && s.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK {
		end.source, end.seq = s.Dst, s.Ack-1
		end.clock += echoed.TSEcr - m.clock(end) // our clock goes on from theirs: what is older is dropped (RFC 7323, section 5.3)
	}
	mine := s.ICMP != 0 && s.Seq == end.seq ||
		s.ICMP == 0 && s.Flags.Has(packet.ACK) && s.Flags&(packet.SYN|packet.RST) != 0 && s.Ack == end.seq+1
	if s.Dst != end.source || !mine {
		return
	}
	ss := m.newSession(s.Src)
	m.begin(ss, First, 0, m.policy.First(s.Src), end)
	ss.conn.iss, ss.conn.sendNext = end.seq, end.seq+1
	if echoed.Timestamps && elapsed < unanswered { // some servers echo what was never sent
		ss.conn.SYNTime = m.now - elapsed
	}
	ss.conn.received(s)
	switch {
	case !ss.conn.connected:
		m.finishAttempt(ss)
		m.retire(ss)
	case !m.sink.Asked(s):
		m.retire(ss)
	default:
		m.services.set(s.Src, ss)
		m.connected(ss)
	}
}

// stray answers a segment of a connection that is over with a reset, as TCP does (RFC 9293, section 3.10.7.1), so that no
// server keeps it half open. It reports whether it has; so many have been sent to that service before.
func (m *Machine) stray(s *packet.Segment, sent *uint16) bool {
	if s.ICMP != 0 || s.Flags.Has(packet.RST) || !s.Flags.Has(packet.ACK) || !m.id.has(s.Dst) || !m.mayAnswer(sent) {
		return false
	}
	m.out = packet.Segment{Src: s.Dst, Dst: s.Src, Seq: s.Ack, Flags: packet.RST}
	m.send()
	return true
}

// mayAnswer counts one more answer, if there may be one: who repeats a segment for ever is not answered for ever.
func (m *Machine) mayAnswer(sent *uint16) bool {
	if limit := m.settings.Answers; limit > 0 && int(*sent) >= limit {
		return false
	}
	*sent++
	return true
}

// report keeps the first error, with which the run ends.
func (m *Machine) report(err error) {
	if m.err == nil {
		m.err = err
	}
}
