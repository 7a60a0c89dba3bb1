package session

import (
	"net/netip"

	"laserdisc/capture/packet"
)

// clock is our TCP timestamp clock, in milliseconds, with an offset of the connection's own (RFC 7323, section 5.4).
func (m *Machine) clock(end endpoint) uint32 { return uint32(m.now/1e6) + end.clock }

// send passes m.out to the sink, at the present time.
func (m *Machine) send() {
	m.out.Time, m.out.TTL = m.now, ttl
	m.report(m.sink.Send(&m.out))
}

// sendSYN sends the SYN of an attempt. All of a sweep's are one segment, of which only what differs is set anew.
func (m *Machine) sendSYN(target netip.AddrPort, end endpoint) {
	mss := uint16(mss4)
	if target.Addr().Is6() {
		mss = mss6
	}
	s := &m.syn
	s.Time, s.Src, s.Dst, s.Seq = m.now, end.source, target, end.seq
	s.Options = packet.AppendSYNOptions(s.Options[:0], mss, m.clock(end), 0, windowScale)
	m.report(m.sink.Send(s))
}

// sendHello sends what is not yet acknowledged of the hello.
func (m *Machine) sendHello(ss *session, flags packet.Flags) {
	hello := m.helloOf(ss)
	m.sendSegment(ss, ss.conn.iss+1+uint32(ss.conn.AckedBytes), flags, hello[ss.conn.AckedBytes:])
}

// sendACK acknowledges what has come so far.
func (m *Machine) sendACK(ss *session) { m.sendSegment(ss, ss.conn.sendNext, packet.ACK, nil) }

// acknowledge answers what has come with an acknowledgement, if the attempt may answer once more.
func (m *Machine) acknowledge(ss *session) {
	if m.mayAnswer(&ss.answers) {
		m.sendACK(ss)
	}
}

// probeWindow asks whether a closed window has opened. Its sequence number is from before the window, so that it has to be
// answered (RFC 9293, sections 3.8.6.1 and 3.10.7.4).
func (m *Machine) probeWindow(ss *session) { m.sendSegment(ss, ss.conn.sendNext-1, packet.ACK, nil) }

// sendSegment sends a segment of the session's connection, with a timestamp if the server's SYN-ACK had one (RFC 7323,
// section 3.2).
func (m *Machine) sendSegment(ss *session, seq uint32, flags packet.Flags, payload []byte) {
	m.out = packet.Segment{
		Src: ss.end.source, Dst: ss.service.Service, Seq: seq, Ack: ss.conn.receiveNext,
		Flags: flags, Window: window, Payload: payload,
	}
	if ss.conn.Options.HasScale {
		m.out.Window = scaled
	}
	if ss.conn.Options.Timestamps {
		m.options = packet.AppendTimestamp(m.options[:0], m.clock(ss.end), ss.conn.timestamp)
		m.out.Options = m.options
	}
	m.send()
	ss.conn.sent(&m.out)
}

// helloOf writes the hello of the session's attempt, which is the same whenever it is asked for.
func (m *Machine) helloOf(ss *session) []byte {
	m.hello = m.hello[:0]
	if h := ss.conn.Handshake.Hello; h != nil {
		m.hello = h(m.hello, ss.service.Service, ss.end.nonce)
	}
	return m.hello
}
