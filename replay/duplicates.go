package replay

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"laserdisc/capture/record"
)

// duplicates finds packets that a capture has twice: a mirror port shows a packet as it comes in and as it goes out, and a router's two
// interfaces show it on both. Such a pair has the same bytes from the IP header on, the innermost one of a tunnel, but for what a router
// changes, and for the checksum of TCP, which a network card may fill in later.
//
// A packet that was sent again is no duplicate. Its IP identification differs, or its TCP timestamp, or, from stacks that use neither,
// it comes later: no TCP sends again sooner than after a round trip, and Linux not before 200 ms.
type duplicates struct {
	seen    [2]map[xxh3.Uint128]int64 // times: of the latest, and of those before
	turning int64                     // when the latest become those before
	buffer  [packetStart]byte
}

const (
	duplicateTime = 5e6     // nanoseconds between a packet and its duplicate at most
	duplicateMost = 1 << 16 // packets that are remembered at most, twice
	packetStart   = 128     // bytes of a packet that have all that is left out
)

func newDuplicates() *duplicates {
	return &duplicates{seen: [2]map[xxh3.Uint128]int64{make(map[xxh3.Uint128]int64), make(map[xxh3.Uint128]int64)}}
}

// is reports whether the frame's packet, from its IP header on, has just been there. Without a time nothing tells.
func (d *duplicates) is(f *record.Frame, packet []byte) bool {
	if f.Untimed {
		return false
	}
	if f.Time >= d.turning || len(d.seen[0]) >= duplicateMost {
		d.seen[0], d.seen[1] = d.seen[1], d.seen[0]
		clear(d.seen[0])
		d.turning = f.Time + duplicateTime
	}
	h := d.hash(packet)
	for _, seen := range d.seen {
		if t, was := seen[h]; was && f.Time-t <= duplicateTime && t-f.Time <= duplicateTime {
			return true
		}
	}
	d.seen[0][h] = f.Time
	return false
}

// hash is over what duplicates have in common.
func (d *duplicates) hash(b []byte) xxh3.Uint128 {
	start := d.buffer[:copy(d.buffer[:], b)]
	switch {
	case len(start) < 40:
	case start[0]>>4 == 4:
		if total := int(binary.BigEndian.Uint16(start[2:])); total >= 20 && total < len(b) { // the rest is padding
			b, start = b[:total], start[:min(len(start), total)]
		}
		start[8] = 0                // time to live
		start[10], start[11] = 0, 0 // checksum of the header
		noChecksum(start, int(start[0]&15)*4, start[9], binary.BigEndian.Uint16(start[6:])&0x1fff)
	case start[0]>>4 == 6:
		if total := 40 + int(binary.BigEndian.Uint16(start[4:])); total > 40 && total < len(b) {
			b, start = b[:total], start[:min(len(start), total)]
		}
		start[7] = 0 // hop limit
		noChecksum(start, 40, start[6], 0)
	}
	h := xxh3.Hash128(start)
	if len(b) > packetStart {
		rest := xxh3.Hash128(b[packetStart:])
		h.Hi, h.Lo = h.Hi*31+rest.Hi, h.Lo*31+rest.Lo
	}
	return h
}

// noChecksum clears the checksum of a TCP header (RFC 9293, section 3.1).
func noChecksum(b []byte, header int, protocol uint8, fragment uint16) {
	if at := header + 16; protocol == 6 && fragment == 0 && at+2 <= len(b) {
		b[at], b[at+1] = 0, 0
	}
}
