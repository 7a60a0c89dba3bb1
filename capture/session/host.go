package session

import (
	"net/netip"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// A firewall that acknowledges data on every port of a host makes services of nothing: 75 % of what cannot be identified
// on unpopular ports is theirs (paper, section 3). A host is checked for one when it first acknowledges data and says
// nothing: it is tried on a few random ephemeral ports, and has one if it acknowledges data on all of them. A SYN-ACK is
// not enough.

// maxEphemeralProbes keeps the check of a host small.
const maxEphemeralProbes = 64

// ephemeralAttempt stands for an attempt's number in the ports and sequence numbers of ephemeral
// probes, so that they differ from those of the port's own service.
const ephemeralAttempt = 1 << 15

// check is the check of one host, while it lasts.
type check struct {
	left    int        // how many of its probes are not over
	silent  bool       // whether a probe's data was not acknowledged: the host is honest
	waiting []*session // the services of the host that wait for the verdict
	ports   []uint16   // those that have been tried
	strays  uint16     // how many segments of probes that were over have been reset
}

// verdict is what a check has found.
type verdict struct {
	allPorts bool
	strays   uint16 // how many segments of the check's probes have been reset since they were over
}

// allPorts reports whether the host is known to acknowledge data on every port.
func (m *Machine) allPorts(a netip.Addr) bool { return m.verdicts[a.As16()].allPorts }

// check has a service wait for the verdict on its host, or goes on if there is one. The first service of a host that waits
// begins the check.
func (m *Machine) check(ss *session) {
	a := ss.service.Service.Addr()
	if _, known := m.verdicts[a.As16()]; known {
		m.judged(ss)
		return
	}
	m.timers.remove(ss)
	c := m.checks[a]
	if c != nil {
		c.waiting = append(c.waiting, ss)
		return
	}
	c = &check{left: m.settings.EphemeralProbes, waiting: []*session{ss}}
	m.checks[a] = c
	for i := range m.settings.EphemeralProbes {
		m.probeEphemeral(c, a, i)
	}
}

// probeEphemeral tries the i-th random port of a host, another than those before it.
func (m *Machine) probeEphemeral(c *check, a netip.Addr, i int) {
	port := m.id.ephemeral(a, i)
	for slices.Contains(c.ports, port) {
		port = 49152 | (port + 1)
	}
	c.ports = append(c.ports, port)
	ss := m.newSession(netip.AddrPortFrom(a, port))
	m.probes[ss.service.Service] = ss
	m.connect(ss, Ephemeral, i, m.policy.speaking)
}

// wasEphemeral reports whether a segment belongs to an ephemeral probe that is over, which nothing else remembers but the check
// of its host, and answers it.
func (m *Machine) wasEphemeral(s *packet.Segment) bool {
	if m.settings.EphemeralProbes == 0 || !s.Flags.Has(packet.ACK) {
		return false
	}
	a := s.Src.Addr()
	c := m.checks[a]
	v, judged := m.verdicts[a.As16()]
	if c == nil && !judged {
		return false
	}
	end := m.id.of(s.Src, ephemeralAttempt, false)
	if s.Dst != end.source || s.Ack-end.seq-1 > handshake.MaxHello {
		return false
	}
	if c != nil {
		m.stray(s, &c.strays)
	} else if m.stray(s, &v.strays) {
		m.verdicts[a.As16()] = v
	}
	return true
}

// checked takes the end of an ephemeral probe into account. The last one of a host brings the verdict.
func (m *Machine) checked(ss *session) {
	a := ss.service.Service.Addr()
	c := m.checks[a]
	c.left--
	c.silent = c.silent || ss.conn.State < AcksData
	delete(m.probes, ss.service.Service)
	m.retire(ss)
	if c.left > 0 {
		return
	}
	m.verdicts[a.As16()] = verdict{!c.silent, c.strays}
	delete(m.checks, a)
	for _, w := range c.waiting {
		m.judged(w)
	}
}

// judged goes on with a service whose host has its verdict.
func (m *Machine) judged(ss *session) {
	allPorts := m.allPorts(ss.service.Service.Addr())
	if allPorts {
		ss.service.State = AllPorts
	}
	m.do(ss, m.policy.Judged(&ss.service, &ss.conn.Attempt, allPorts))
}
