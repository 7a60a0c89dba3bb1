package dissect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"laserdisc/capture/packet"
)

// Fragments wait for the rest of their packet for a minute of the capture's time, as RFC 8200, section 4.5 says, and the oldest
// no longer than there is room, as on Linux.
const (
	fragmentTime = 60e9
	fragmentRoom = 4 << 20 // bytes
	partRoom     = 64      // what a fragment takes besides its data
)

var errBeyond = errors.New("IP fragment that is none of a packet")

// datagramKey is what the fragments of a packet have in common.
type datagramKey struct {
	header // in which ttl is 0
	id     uint32
}

// part is the bytes of a packet's payload from one to before another, as many of them as are there.
type part struct {
	from, to int
	data     []byte
}

// datagram is a packet of which some fragments have come.
type datagram struct {
	key    datagramKey
	ttl    uint8 // of the latest fragment
	parts  []part
	end    int // of the payload; -1 while the last fragment has not come
	room   int // that it takes
	closed bool

	time   int64  // of the first fragment that came
	link   uint32 // its link type
	first  uint64 // the number of its frame
	frames uint64
	cause  error // why there will be no packet; nil: the rest has not come
}

// fragments are those that wait.
type fragments struct {
	open  map[datagramKey]*datagram
	order []*datagram // those of open, by time, and some that are closed
	room  int
}

// fragment takes a fragment, and the packet that it completes. A packet of which fragments overlap is dropped, as RFC 5722
// demands; Linux does that with IPv4, too.
func (d *Dissector) fragment(key datagramKey, p part, more bool) error {
	switch key.protocol {
	case 0, 1, 4, 6, 17, 41, 43, 47, 51, 58, 60, 94, 97, 137, 143: // what can have TCP in it, or an error about it
	default:
		return d.transport(key.protocol, nil)
	}
	if p.to > 0xffff-20 || p.to <= p.from || more && p.to%8 != 0 {
		return errBeyond
	}
	ttl := key.ttl
	key.ttl = 0
	f := &d.fragments
	if f.open == nil {
		f.open = make(map[datagramKey]*datagram)
	}
	f.expire(d.segment.Time, d.lost)
	g := f.open[key]
	if g == nil {
		g = &datagram{key: key, end: -1, time: d.segment.Time, link: d.linkType, first: d.segment.Number, room: partRoom}
		f.open[key] = g
		f.order = append(f.order, g)
		f.room += g.room
	}
	g.ttl = ttl
	g.frames++
	f.room += g.take(p, more)
	if !g.whole() {
		for f.room > fragmentRoom {
			f.close(f.order[0], d.lost)
			f.order = f.order[1:]
		}
		return packet.ErrFragment
	}
	f.close(g, nil)
	h := key.header
	h.ttl = ttl
	d.whole = false // its last fragment was, perhaps
	return d.ip(h.packet(g.payload(), g.end))
}

// take adds a fragment, and returns how much room it takes.
func (g *datagram) take(p part, more bool) (room int) {
	if g.cause != nil {
		return 0
	}
	at, is := slices.BinarySearchFunc(g.parts, p, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	switch {
	case is && g.parts[at].to == p.to: // it came twice
		return 0
	case is, at > 0 && g.parts[at-1].to > p.from, at < len(g.parts) && p.to > g.parts[at].from:
		g.cause = errOverlap
	case g.end >= 0 && (!more || p.to > g.end), !more && at < len(g.parts):
		g.cause = errBeyond
	}
	if g.cause != nil {
		room = partRoom - g.room
		g.parts, g.room = nil, partRoom
		return room
	}
	if !more {
		g.end = p.to
	}
	p.data = append([]byte(nil), p.data...)
	g.parts = slices.Insert(g.parts, at, p)
	room = partRoom + len(p.data)
	g.room += room
	return room
}

// whole reports whether all fragments have come.
func (g *datagram) whole() bool {
	if g.end < 0 || g.cause != nil {
		return false
	}
	at := 0
	for _, p := range g.parts {
		if p.from != at {
			return false
		}
		at = p.to
	}
	return at == g.end
}

// payload is what is there of a whole packet, up to the first byte that the capture has cut.
func (g *datagram) payload() []byte {
	var b []byte
	for _, p := range g.parts {
		b = append(b, p.data...)
		if len(p.data) < p.to-p.from {
			break
		}
	}
	return b
}

// expire gives up what has waited for too long.
func (f *fragments) expire(now int64, lost func(*datagram)) {
	for len(f.order) > 0 && (f.order[0].closed || f.order[0].time < now-fragmentTime) {
		f.close(f.order[0], lost)
		f.order = f.order[1:]
	}
}

// close removes a packet. It is lost if a function takes it.
func (f *fragments) close(g *datagram, lost func(*datagram)) {
	if g.closed {
		return
	}
	g.closed = true
	f.room -= g.room
	delete(f.open, g.key)
	if lost != nil {
		lost(g)
	}
}

// lost counts the fragments of a packet that has not become whole. One of UDP is other traffic, if it is not seen to be of a
// tunnel.
func (d *Dissector) lost(g *datagram) {
	if g.key.protocol == 17 {
		if len(g.parts) == 0 || g.parts[0].from > 0 || len(g.parts[0].data) < 4 {
			return
		}
		ports := g.parts[0].data
		if d.tunnel(binary.BigEndian.Uint16(ports[2:])) == nil && d.tunnel(binary.BigEndian.Uint16(ports)) == nil {
			return
		}
	}
	d.skip(g.link, cmp.Or(g.cause, errParts), g.first, g.frames)
}
