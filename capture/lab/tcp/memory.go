package tcp

import (
	"net/netip"
	"time"
)

// remembered is how long a firewall remembers a source.
const remembered = 10 * time.Minute

// memory is what firewalls, and services that were spoiled, remember of who connected.
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

// held is for how long, who it was, and whether a spoiled service resets what comes until then.
type held struct {
	until  int64
	first  netip.Addr
	resets bool
}

// has reports whether p is remembered.
func (m *memory) has(now int64, p pair) bool { return now < m.until[p].until }

// add remembers p from now on, unless it is remembered, and forgets what has been remembered long enough.
func (m *memory) add(now int64, p pair, h held) {
	for len(m.oldest) > 0 && m.until[m.oldest[0]].until <= now {
		delete(m.until, m.oldest[0])
		m.oldest = m.oldest[1:]
	}
	if !m.has(now, p) {
		m.until[p] = h
		m.oldest = append(m.oldest, p)
	}
}

// blocks reports whether a service that blocks dynamically blocks this connection: whether its
// source was the first.
func (m *memory) blocks(now int64, id tuple) bool {
	p := pair{server: id.server}
	m.add(now, p, held{until: now + int64(remembered), first: id.client.Addr()})
	return m.until[p].first == id.client.Addr()
}
