package session

import (
	"net/netip"

	"laserdisc/capture/packet"
)

// clock is our TCP timestamp clock: milliseconds, with an offset of the connection's own
// (RFC 7323, section 5.4).
func (m *Machine) clock(end endpoint) uint32 { return uint32(m.now/1e6) + end.clock }

// send passes m.out to the sink.
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

// sendHello sends what is not yet acknowledged of the attempt's first bytes.
func (m *Machine) sendHello(v *flight, flags packet.Flags) {
	hello := m.helloOf(v)
	m.sendSegment(v, v.conn.iss+1+uint32(v.conn.AckedBytes), flags, hello[v.conn.AckedBytes:])
}

func (m *Machine) sendACK(v *flight) { m.sendSegment(v, v.conn.sendNext, packet.ACK, nil) }

// probeWindow asks whether a closed window has opened, with a number from before it, which has to be answered
// (RFC 9293, sections 3.8.6.1 and 3.10.7.4).
func (m *Machine) probeWindow(v *flight) { m.sendSegment(v, v.conn.sendNext-1, packet.ACK, nil) }

func (m *Machine) sendSegment(v *flight, seq uint32, flags packet.Flags, payload []byte) {
	m.out = packet.Segment{
		Src: v.end.source, Dst: v.sum.Service, Seq: seq, Ack: v.conn.receiveNext,
		Flags: flags, Window: window, Payload: payload,
	}
	if v.conn.Options.HasScale {
		m.out.Window = scaled
	}
	if v.conn.Options.Timestamps {
		m.options = packet.AppendTimestamp(m.options[:0], m.clock(v.end), v.conn.timestamp)
		m.out.Options = m.options
	}
	m.send()
	v.conn.sent(&m.out)
}

// helloOf writes the attempt's first bytes; they are the same whenever asked for.
func (m *Machine) helloOf(v *flight) []byte {
	m.hello = m.hello[:0]
	if h := v.conn.Handshake.Hello; h != nil {
		m.hello = h(m.hello, v.sum.Service, v.end.nonce)
	}
	return m.hello
}
