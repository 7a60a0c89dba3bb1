package session

import "net/netip"

// A firewall that acknowledges data on every port of a host makes services of nothing: 75 % of
// what cannot be identified on unpopular ports is theirs (paper, section 3). Whether a host has
// one is asked when it first acknowledges data and says nothing: it is tried on a few random
// ephemeral ports, and has one if it acknowledges data on all of them. A SYN-ACK is not enough.

// maxEphemeralProbes keeps the check of a host small.
const maxEphemeralProbes = 64

// ephemeralAttempt stands for an attempt's number in the ports and sequence numbers of ephemeral
// probes, so that they differ from those of the port's own service.
const ephemeralAttempt = 1 << 15

// host is what is known of one.
type host struct {
	left     int       // probes that are not over
	silent   bool      // a probe's data was not acknowledged: an honest host
	waiting  []*flight // services of the host that wait for the verdict
	ports    [maxEphemeralProbes]uint16
	numPorts int
}

// allPorts reports whether the host is known to acknowledge data on every port.
func (m *Machine) allPorts(a netip.Addr) bool {
	h := m.hosts[a]
	return h != nil && h.left == 0 && !h.silent
}

// doubtful reports whether a service may be the work of such a firewall: it acknowledges data,
// and has not said anything.
func (m *Machine) doubtful(v *flight) bool {
	return m.cfg.EphemeralProbes > 0 && v.conn.State == AcksData && v.sum.State == AcksData
}

// check has the service wait for the verdict on its host, or carries that out.
func (m *Machine) check(v *flight) {
	a := v.sum.Service.Addr()
	h := m.hosts[a]
	switch {
	case h == nil:
		h = &host{left: m.cfg.EphemeralProbes}
		m.hosts[a] = h
		m.timers.remove(v)
		h.waiting = append(h.waiting, v)
		for i := range m.cfg.EphemeralProbes {
			m.probeEphemeral(h, a, i)
		}
	case h.left > 0:
		m.timers.remove(v)
		h.waiting = append(h.waiting, v)
	default:
		m.judged(h, v)
	}
}

// probeEphemeral tries the i-th random port of a host: another than those before.
func (m *Machine) probeEphemeral(h *host, a netip.Addr, i int) {
	port := m.id.ephemeral(a, i)
	for h.tried(port) {
		port = 49152 | (port + 1)
	}
	h.ports[h.numPorts] = port
	h.numPorts++
	v := m.newFlight(netip.AddrPortFrom(a, port))
	m.probes[v.sum.Service] = v
	m.connect(v, Ephemeral, i, m.cfg.speaking())
}

func (h *host) tried(port uint16) bool {
	for _, p := range h.ports[:h.numPorts] {
		if p == port {
			return true
		}
	}
	return false
}

// checked takes the end of an ephemeral probe into account. The last one is the verdict.
func (m *Machine) checked(v *flight) {
	h := m.hosts[v.sum.Service.Addr()]
	h.left--
	h.silent = h.silent || v.conn.State < AcksData
	delete(m.probes, v.sum.Service)
	m.retire(v)
	if h.left > 0 {
		return
	}
	waiting := h.waiting
	h.waiting = nil
	for _, w := range waiting {
		m.judged(h, w)
	}
}

// judged goes on with a service whose host has its verdict.
func (m *Machine) judged(h *host, v *flight) {
	if h.silent {
		m.proceed(v)
		return
	}
	v.sum.State = AllPorts
	m.finish(v)
}
