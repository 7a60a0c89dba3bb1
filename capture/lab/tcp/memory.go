package tcp

import (
	"net/netip"
	"time"
)

// remembered is how long a firewall remembers a source.
const remembered = 10 * time.Minute

// memory is what firewalls remember of who connected.
type memory struct {
	until  map[pair]held
	oldest []pair // in the order of being remembered
}

// pair is what a firewall remembers: that the source connected to the service. For one that
// blocks dynamically the source is the zero Addr, since what matters is who was first.
type pair struct {
	source netip.Addr
	server netip.AddrPort
}

// held is for how long, and who it was.
type held struct {
	until int64
	first netip.Addr
}

// has reports whether p is remembered.
func (m *memory) has(now int64, p pair) bool { return now < m.until[p].until }

// add remembers p from now on, and forgets what has been remembered long enough.
func (m *memory) add(now int64, p pair) {
	for len(m.oldest) > 0 && m.until[m.oldest[0]].until <= now {
		delete(m.until, m.oldest[0])
		m.oldest = m.oldest[1:]
	}
	if !m.has(now, p) {
		m.until[p] = held{until: now + int64(remembered)}
		m.oldest = append(m.oldest, p)
	}
}

// blocks reports whether a service that blocks dynamically blocks this connection: whether its
// source was the first.
func (m *memory) blocks(now int64, id tuple) bool {
	p := pair{server: id.server}
	if !m.has(now, p) {
		m.add(now, p)
		m.until[p] = held{m.until[p].until, id.client.Addr()}
	}
	return m.until[p].first == id.client.Addr()
}
