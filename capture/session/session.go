package session

import (
	"math"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// session is a service in flight: what it is so far, and one connection at a time.
type session struct {
	service   Service  // over the attempts that are finished
	conn      tracker  // the present attempt, or the last one
	end       endpoint // our end of it
	nextSend  int64    // when to retransmit, or Never
	expires   int64    // when to give the attempt up
	latest    int64    // the last moment to which more data may move expires; 0 until some has come
	remaining int      // how many retransmissions are left
	over      bool     // whether the attempt is, and the service waits for what is next
	waiting   bool     // whether that is a second look or a follow-up, whose time has not come
	again     State    // what the second look from the same source came to; valid with a Fresh visit
	answers   uint16   // how many segments the present attempt has sent in answer to what came
	strays    uint16   // how many of the service's segments have been reset that were of no attempt, or of one that was over

	deadline int64  // the earlier of nextSend and expires; valid in timers
	order    uint64 // the number of the call that set the deadline, so that equal ones fire in a defined order
	index    int    // where it stands in timers, or -1
}

// newSession makes a session for a service, out of a finished one if one lies by.
func (m *Machine) newSession(service netip.AddrPort) *session {
	var ss *session
	if n := len(m.spare); n > 0 {
		ss, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		ss = &session{index: -1}
	}
	ss.service, ss.strays = Service{Service: service, Response: ss.service.Response[:0]}, 0
	return ss
}

// begin makes the session ready for an attempt. It keeps the buffers of the last one.
func (m *Machine) begin(ss *session, visit Visit, number int, say *handshake.Protocol, end endpoint) {
	old := &ss.conn
	ss.conn = tracker{
		limit: uint32(min(m.settings.ResponseLimit, math.MaxUint32)),
		width: window, scale: windowScale,
		Attempt: Attempt{
			Service:   ss.service.Service,
			Number:    number,
			Visit:     visit,
			Handshake: say,
			Source:    end.source,
			Response:  old.Response[:0],
			ResetText: old.ResetText[:0],
			Verdict:   handshake.Verdict{Matches: old.Verdict.Matches[:0]},
		},
	}
	ss.end, ss.latest, ss.over, ss.answers = end, 0, false, 0
	ss.remaining = m.settings.Retransmits
}

// connect begins an attempt with a SYN.
func (m *Machine) connect(ss *session, visit Visit, number int, say *handshake.Protocol) {
	attempt := number
	if visit == Ephemeral {
		attempt = ephemeralAttempt
	}
	m.begin(ss, visit, number, say, m.id.of(ss.service.Service, attempt, visit == Fresh))
	m.sendSYN(ss.service.Service, ss.end)
	ss.conn.sent(&m.syn)
	m.schedule(ss, m.retransmission(ss), m.now+int64(m.settings.Timeout))
}

// connected goes on after the SYN-ACK. The hello travels in the ACK itself, without PSH, which finds most hosts (paper,
// section 5). A window that is closed may open later, if there is Liveness.
func (m *Machine) connected(ss *session) {
	ss.remaining = m.settings.Retransmits
	switch {
	case ss.conn.opened:
		m.greet(ss)
	case m.settings.Liveness:
		m.sendACK(ss)
		m.schedule(ss, m.retransmission(ss), m.now+int64(m.settings.Timeout))
	default:
		m.close(ss)
	}
}

// greet sends the hello, or listens if the handshake has none.
func (m *Machine) greet(ss *session) {
	if ss.conn.Handshake.Hello == nil {
		m.sendACK(ss)
		m.schedule(ss, Never, m.now+int64(m.settings.Wait))
		return
	}
	flags := packet.ACK
	if m.settings.Push {
		flags |= packet.PSH
	}
	m.sendHello(ss, flags)
	m.schedule(ss, m.retransmission(ss), m.now+int64(m.settings.Timeout))
}

// step takes a segment of the session's connection.
func (m *Machine) step(ss *session, s *packet.Segment) {
	t := &ss.conn
	connected, opened, next := t.connected, t.opened, t.receiveNext
	t.received(s)
	switch {
	case !t.connected:
		if t.RST || t.ICMP != 0 {
			m.close(ss)
		}
	case !connected:
		m.connected(ss)
	case t.RST && !t.overtaken(), t.FIN:
		m.close(ss)
	case t.receiveNext != next:
		m.moreData(ss)
	case s.Flags.Has(packet.RST) && t.overtaken():
		m.schedule(ss, Never, min(ss.expires, m.now+int64(m.settings.Gather)))
	case !opened && t.opened:
		m.connected(ss)
	case s.Flags.Has(packet.SYN), len(s.Payload) > 0:
		m.acknowledge(ss) // the server has not seen our acknowledgement
		fallthrough
	default:
		if t.SentBytes > 0 && t.AckedBytes == t.SentBytes && ss.nextSend != Never {
			m.schedule(ss, Never, ss.expires)
		}
	}
}

// moreData acknowledges new bytes of a response, and waits a little for the next ones. A wrong handshake has done what it is
// for as soon as it has drawn data.
func (m *Machine) moreData(ss *session) {
	if len(ss.conn.Response) >= m.settings.ResponseLimit || ss.conn.Visit == Wrong {
		m.close(ss)
		return
	}
	m.acknowledge(ss)
	if ss.latest == 0 {
		ss.latest = m.now + int64(m.settings.Timeout)
	}
	m.schedule(ss, Never, min(m.now+int64(m.settings.Gather), ss.latest))
}

// expire does what the session's deadline is for: what it has waited for, the end of an attempt, or a retransmission.
func (m *Machine) expire(ss *session) {
	if ss.waiting {
		ss.waiting = false
		m.next(ss, m.policy.Next(&ss.service, &ss.conn.Attempt)) // as it said before the wait
		return
	}
	if ss.expires <= m.now {
		m.close(ss)
		return
	}
	ss.remaining--
	switch {
	case !ss.conn.connected:
		m.sendSYN(ss.service.Service, ss.end)
		ss.conn.sent(&m.syn)
	case !ss.conn.opened:
		m.probeWindow(ss)
	default:
		m.sendHello(ss, packet.PSH|packet.ACK)
	}
	m.schedule(ss, m.retransmission(ss), ss.expires)
}

// retransmission is when the next one is due: each takes twice as long as the one before (RFC 6298, section 5.5).
func (m *Machine) retransmission(ss *session) int64 {
	if ss.remaining == 0 {
		return Never
	}
	return m.now + int64(m.settings.RetransmitAfter)<<(m.settings.Retransmits-ss.remaining)
}

// schedule says when to retransmit and when to give up, whichever comes first.
func (m *Machine) schedule(ss *session, retransmit, expires int64) {
	ss.nextSend, ss.expires = retransmit, expires
	m.timers.set(ss, min(retransmit, expires))
}

// close ends the session's connection, and goes on to what is next.
func (m *Machine) close(ss *session) {
	if ss.conn.connected && (!ss.conn.RST || ss.conn.overtaken()) {
		m.out = packet.Segment{Src: ss.end.source, Dst: ss.service.Service, Seq: ss.conn.sendNext, Flags: packet.RST}
		m.send()
	}
	ss.over = true
	m.finishAttempt(ss)
	switch {
	case m.err != nil:
	case ss.conn.Visit == Ephemeral:
		m.checked(ss)
	default:
		if ss.conn.Visit == Again {
			ss.again = ss.conn.State
		}
		m.do(ss, m.policy.Next(&ss.service, &ss.conn.Attempt))
	}
}

// do carries out what the policy says is next.
func (m *Machine) do(ss *session, next Step) {
	switch {
	case next.Action == AskHost:
		m.check(ss)
	case next.Action == Finish:
		m.finish(ss)
	case next.After > 0:
		m.await(ss, next.After)
	default:
		m.next(ss, next)
	}
}

// finish reports the service, and remembers that it is over.
func (m *Machine) finish(ss *session) {
	m.report(m.sink.Service(&ss.service))
	m.services.finish(ss.service.Service, m.now+Linger)
	m.retire(ss)
}

// spareBytes is as much as a finished session's buffers may have, each, to lie by with it: most responses are shorter.
const spareBytes = 4 << 10

// retire puts the session aside for reuse.
func (m *Machine) retire(ss *session) {
	m.timers.remove(ss)
	for _, buffer := range []*[]byte{&ss.service.Response, &ss.conn.Response, &ss.conn.ResetText} {
		if cap(*buffer) > spareBytes {
			*buffer = nil
		}
	}
	m.spare = append(m.spare, ss)
}

// finishAttempt takes the attempt into account, and reports it.
func (m *Machine) finishAttempt(ss *session) {
	ss.conn.held = nil
	a := &ss.conn.Attempt
	a.End = m.now
	a.State = ss.conn.state()
	a.classify(m.helloOf(ss))
	switch a.Visit {
	case First, Again:
		ss.service.add(a)
	case Fresh:
		ss.service.revisited(ss.again, a)
	case Control, Wrong, Followup:
		ss.service.followed(a)
	}
	m.report(m.sink.Attempt(a))
}
