package target

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
)

// address is an IPv6 address, or an IPv4 one mapped into ::ffff:0:0/96, as a
// number. Mapped addresses proper do not exist on the wire (RFC 4291 section
// 2.5.5.2), so the two families share one space without meeting.
type address struct{ hi, lo uint64 }

func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) addr() netip.Addr {
	if a.hi == 0 && a.lo>>32 == 0xffff {
		return netip.AddrFrom4([4]byte{byte(a.lo >> 24), byte(a.lo >> 16), byte(a.lo >> 8), byte(a.lo)})
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b)
}

func (a address) less(b address) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

func (a address) plus(n uint64) address {
	lo, carry := bits.Add64(a.lo, n, 0)
	return address{a.hi + carry, lo}
}

// after and before are undefined at the end and at the start of the space.
func (a address) after() address { return a.plus(1) }

func (a address) before() address {
	lo, borrow := bits.Sub64(a.lo, 1, 0)
	return address{a.hi - borrow, lo}
}

func (a address) minus(b address) uint128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	return uint128{a.hi - b.hi - borrow, lo}
}

// shiftedDown is a divided by 2^n, n at most 128.
func (a address) shiftedDown(n uint) address {
	if n >= 64 {
		return address{0, a.hi >> (n - 64)}
	}
	return address{a.hi >> n, a.lo>>n | a.hi<<(64-n)}
}

// shiftedUp is a times 2^n, n at most 128.
func (a address) shiftedUp(n uint) address {
	if n >= 64 {
		return address{a.lo << (n - 64), 0}
	}
	return address{a.hi<<n | a.lo>>(64-n), a.lo << n}
}

var (
	lowest      = address{}
	highest     = address{math.MaxUint64, math.MaxUint64}
	mappedFirst = address{0, 0xffff_0000_0000}
	mappedLast  = address{0, 0xffff_ffff_ffff}
)

// span is a range of addresses, both ends included.
type span struct{ first, last address }

// spans is a set of addresses: sorted, disjoint, not adjacent.
type spans []span

// appendPrefix adds the addresses of a prefix to a list that is not yet a set.
func appendPrefix(list []span, prefix netip.Prefix) []span {
	prefix = prefix.Masked()
	s := span{first: addressOf(prefix.Addr())}
	host := prefix.Addr().BitLen() - prefix.Bits() // bits
	s.last = s.first
	if host >= 64 {
		s.last.lo = math.MaxUint64
		s.last.hi |= 1<<(host-64) - 1
	} else {
		s.last.lo |= 1<<host - 1
	}
	if prefix.Addr().Is4() || mappedLast.less(s.first) || s.last.less(mappedFirst) {
		return append(list, s)
	}
	// A wide IPv6 prefix: what stands for IPv4 is not part of it.
	if s.first.less(mappedFirst) {
		list = append(list, span{s.first, mappedFirst.before()})
	}
	if mappedLast.less(s.last) {
		list = append(list, span{mappedLast.after(), s.last})
	}
	return list
}

// union makes a set of ranges in any order, in place.
func union(list []span) spans {
	slices.SortFunc(list, func(a, b span) int {
		switch {
		case a.first.less(b.first):
			return -1
		case b.first.less(a.first):
			return 1
		}
		return 0
	})
	set := list[:0]
	for _, s := range list {
		if n := len(set); n > 0 && (set[n-1].last == highest || !set[n-1].last.after().less(s.first)) {
			if set[n-1].last.less(s.last) {
				set[n-1].last = s.last
			}
			continue
		}
		set = append(set, s)
	}
	return set
}

// rangesOf gives the addresses of prefixes as a set.
func rangesOf(prefixes ...netip.Prefix) spans {
	var list []span
	for _, p := range prefixes {
		list = appendPrefix(list, p)
	}
	return union(list)
}

// complement gives all addresses that are not in s.
func (s spans) complement() spans {
	var rest spans
	next := lowest
	for _, in := range s {
		if next.less(in.first) {
			rest = append(rest, span{next, in.first.before()})
		}
		if in.last == highest {
			return rest
		}
		next = in.last.after()
	}
	return append(rest, span{next, highest})
}

// intersect gives the addresses that are in both.
func (s spans) intersect(t spans) spans {
	var both spans
	for len(s) > 0 && len(t) > 0 {
		first, last := s[0].first, s[0].last
		if first.less(t[0].first) {
			first = t[0].first
		}
		if t[0].last.less(last) {
			last = t[0].last
		}
		if !last.less(first) {
			both = append(both, span{first, last})
		}
		if s[0].last.less(t[0].last) {
			s = s[1:]
		} else {
			t = t[1:]
		}
	}
	return both
}

// search gives the index of the first range that ends at or after a, or len(s).
func (s spans) search(a address) int {
	return sort.Search(len(s), func(i int) bool { return !s[i].last.less(a) })
}

// contains says whether a is in the set.
func (s spans) contains(a address) bool {
	i := s.search(a)
	return i < len(s) && !a.less(s[i].first)
}

// size counts the addresses.
func (s spans) size() uint128 {
	var n uint128
	for _, in := range s {
		n = n.plus(in.last.minus(in.first)).plus(uint128{0, 1})
	}
	return n
}

// uint128 is a count that 64 bits may not hold. Sums and products stop at its
// largest value.
type uint128 struct{ hi, lo uint64 }

var (
	twoTo63 = uint128{0, 1 << 63}
	twoTo64 = uint128{1, 0}
	most    = uint128{math.MaxUint64, math.MaxUint64}
)

func (n uint128) plus(m uint128) uint128 {
	lo, carry := bits.Add64(n.lo, m.lo, 0)
	hi, carry := bits.Add64(n.hi, m.hi, carry)
	if carry > 0 {
		return most
	}
	return uint128{hi, lo}
}

func (n uint128) times(m uint64) uint128 {
	over, hi := bits.Mul64(n.hi, m)
	carry, lo := bits.Mul64(n.lo, m)
	if over > 0 {
		return most
	}
	return uint128{hi, lo}.plus(uint128{carry, 0})
}

// minusOne is undefined for 0.
func (n uint128) minusOne() uint128 {
	lo, borrow := bits.Sub64(n.lo, 1, 0)
	return uint128{n.hi - borrow, lo}
}

func (n uint128) exceeds(m uint128) bool {
	return n.hi > m.hi || n.hi == m.hi && n.lo > m.lo
}

func (n uint128) bitLen() int {
	if n.hi > 0 {
		return 64 + bits.Len64(n.hi)
	}
	return bits.Len64(n.lo)
}

// saturated gives n, or the largest uint64.
func (n uint128) saturated() uint64 {
	if n.hi > 0 {
		return math.MaxUint64
	}
	return n.lo
}
