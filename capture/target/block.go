package target

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// parseBlock reads "/24": the length of a prefix.
func parseBlock(s string) (bits int, ok bool) {
	digits, ok := strings.CutPrefix(s, "/")
	bits, err := strconv.Atoi(digits)
	return bits, ok && err == nil && bits >= 1 && bits <= 128 && digits == strconv.Itoa(bits)
}

// blockWidth is how many bits of an address say where it stands in its block, a prefix of the given length. Blocks have
// one size, so that all addresses are of one family.
func blockWidth(addresses spans, bits int) (width uint, err error) {
	v4 := addresses.intersect(spans{{mappedFirst, mappedLast}})
	switch {
	case len(v4) == 0:
		return uint(128 - bits), nil
	case v4.size() != addresses.size():
		return 0, fmt.Errorf("sample by: there are IPv4 and IPv6 targets, whose blocks of /%d are of two sizes: scan them apart", bits)
	case bits > 32:
		return 0, fmt.Errorf("sample by: /%d is longer than an IPv4 address", bits)
	}
	return uint(32 - bits), nil
}

// blocks are a sample of the aligned blocks of addresses in which a domain has any. Nothing is kept of those that are
// whole, all of whose addresses are in the domain: the i-th of the sample is a function of i. Of the fragments, which
// are at the ends of the domain's ranges, the addresses are known one range by one.
type blocks struct {
	width uint         // bits of an address within its block
	table addressTable // numbers the blocks, each by its first address shifted down
	order permutation  // of these numbers
	taken uint64       // how many of the permutation are drawn

	skipped   []uint64     // the places of fragments among those that are drawn, ascending
	fragments addressTable // the addresses of these
	fragment  uint64       // how many they are
}

// newBlocks draws blocks of a domain of at most 2^64 hosts.
func newBlocks(d domain, width uint, how sampling) *blocks {
	touched := d.hosts().blocks(width)
	b := &blocks{
		width: width, table: newAddressTable(touched),
		order: newPermutation(touched.size().minusOne().lo, how.seed, permuteBlocks),
		taken: how.fraction.ceilOf(touched.size()).saturated(),
	}
	var drawn spans
	for _, cut := range touched.intersect(d.addresses.wholeBlocks(width).complement()) {
		for i := range cut.last.minus(cut.first).lo + 1 {
			block := cut.first.plus(i)
			if place, ok := b.place(block); ok {
				b.skipped = append(b.skipped, place)
				drawn = append(drawn, blockSpan(block, width))
			}
		}
	}
	slices.Sort(b.skipped)
	b.fragments = newAddressTable(d.addresses.intersect(union(drawn)))
	b.fragment = b.fragments.spans.size().lo
	return b
}

// place is that of a block among those that are drawn; false if it is not one of them.
func (b *blocks) place(block address) (uint64, bool) {
	number, ok := b.table.numberOf(block)
	if !ok {
		return 0, false
	}
	place := b.order.indexOf(number)
	return place, place < b.taken
}

// has reports whether an address of the domain is in the sample.
func (b *blocks) has(a address) bool {
	_, ok := b.place(a.shiftedDown(b.width))
	return ok
}

// size is the number of addresses in the sample, without those that have ports of their own only.
func (b *blocks) size() uint128 {
	whole := b.taken - uint64(len(b.skipped))
	switch {
	case whole == 0:
		return uint128{0, b.fragment}
	case b.width >= 64:
		return twoTo64 // which is beyond what a sample can be
	}
	return uint128{0, whole}.times(1 << b.width).plus(uint128{0, b.fragment})
}

// at gives the addresses of the sample: the fragments', and then block by block.
func (b *blocks) at(number uint64) address {
	if number < b.fragment {
		return b.fragments.address(number)
	}
	number -= b.fragment
	place := number >> b.width // among the whole ones; then among all
	place += uint64(sort.Search(len(b.skipped), func(i int) bool { return b.skipped[i]-uint64(i) > place }))
	return b.table.address(b.order.at(place)).shiftedUp(b.width).plus(number & (1<<b.width - 1))
}

// numberOf is the inverse of at; false for an address that is not in the sample.
func (b *blocks) numberOf(a address) (uint64, bool) {
	if number, ok := b.fragments.numberOf(a); ok {
		return number, true
	}
	place, ok := b.place(a.shiftedDown(b.width))
	if !ok {
		return 0, false
	}
	before, fragment := slices.BinarySearch(b.skipped, place)
	if fragment { // of which a is in no part
		return 0, false
	}
	return b.fragment + (place-uint64(before))<<b.width + a.lo&(1<<b.width-1), true
}

// blocks gives the blocks that have an address in s, each as its first address shifted down.
func (s spans) blocks(width uint) spans {
	list := make([]span, len(s))
	for i, in := range s {
		list[i] = span{in.first.shiftedDown(width), in.last.shiftedDown(width)}
	}
	return union(list)
}

// wholeBlocks gives those of the blocks that are in s as a whole.
func (s spans) wholeBlocks(width uint) spans {
	var list []span
	for _, in := range s {
		first, last := in.first.shiftedDown(width), in.last.shiftedDown(width)
		if blockSpan(first, width).first.less(in.first) {
			if first == last {
				continue
			}
			first = first.after()
		}
		if in.last.less(blockSpan(last, width).last) {
			if first == last {
				continue
			}
			last = last.before()
		}
		list = append(list, span{first, last})
	}
	return union(list)
}

// blockSpan gives the addresses of a block.
func blockSpan(block address, width uint) span {
	first := block.shiftedUp(width)
	ones := highest.shiftedDown(128 - width)
	return span{first, address{first.hi | ones.hi, first.lo | ones.lo}}
}
