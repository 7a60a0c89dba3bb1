// Package target says what to scan: which services, and in which order.
//
// A Spec names addresses and ports. Compile resolves it into a Set: the services
// in one order that a seed decides, so that the i-th target is a function of the
// seed and i alone, whatever the number of threads, shards or machines.
//
// # What is in the set
//
// The domain is every address of Targets on every port of Ports, and the targets
// that were given with a port of their own; each once, however often it is named.
// Three things narrow it, in this order:
//
//   - Allow: if given, an address that is not on it is left out.
//   - Special-use space (see SpecialUse) is left out, except where it is in Open.
//     Allow doesn't open anything: a long list of allowed networks must not
//     open private space by accident.
//   - Block: an address that is on it is never yielded, opened or not.
//
// The first two shrink the domain. A block list does not: it takes targets out of
// the order and leaves all others at their places. A network that asks not to be
// scanned can be added to the list, and neither the sample nor the position at
// which a scan is resumed changes for anybody else.
//
// # Samples
//
// The order is a keyed permutation of the domain of N services. A sample by
// service is the first ceil(f*N) of it, hence with the same seed a smaller sample
// is part of every larger one, and comes first. A sample by host is every service
// of the first ceil(f*H) hosts in a seeded permutation of the H hosts, these
// services permuted anew: smaller samples are part of larger ones, in another
// order. Hosts that only appear with a port of their own are sampled apart, also
// ceil(f*H) of them, for they have not the same ports.
//
// A sample by block takes ceil(f*B) of the B aligned prefixes of one length, such
// as /24, in which the domain has an address, each with every service that the
// domain has there, these services permuted anew. A prefix that the domain holds
// only in part, at the end of a range or where a list has single addresses, is
// drawn as any other. Smaller samples are part of larger ones here, too. Blocks
// are of one size: the targets are of one family, IPv6 prefixes up to /128.
//
// All depend on seed and domain alone.
//
// Shard i of n is every n-th target of the sample, from the i-th on: the shards
// are disjoint, together they are the sample, and each is spread over all of it.
package target

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Spec is a scan's targets as they were asked for. Its zero value asks for none.
type Spec struct {
	// Targets are addresses, prefixes, "ip:port", "[ip]:port", or files of these,
	// one a line, "#" starting a comment; "@path" is always a file, "-" standard
	// input. A list may also be what `zmap --dryrun` prints.
	Targets []string `json:"targets"`

	// Ports for the targets without one of their own, as ParsePorts reads them.
	Ports string `json:"ports,omitempty"`

	Seed     uint64 `json:"seed,string"`         // quoted: JSON numbers lose digits above 2^53
	Sample   string `json:"sample,omitempty"`    // as ParseFraction reads it; "" is all
	SampleBy string `json:"sample_by,omitempty"` // "service" (also ""), "host", or a prefix length such as "/24"
	Shard    string `json:"shard,omitempty"`     // "i/n", i from 1 to n; "" is 1/1

	// Addresses, prefixes, or files of these as in Targets; see the package's text.
	Allow []string `json:"allow,omitempty"`
	Block []string `json:"block,omitempty"`
	Open  []string `json:"open,omitempty"`
}

// Exclusion counts what one entry kept out of the domain, before sampling and
// sharding. A service that several would exclude counts for the first.
type Exclusion struct {
	Reason  string `json:"reason"`         // "allow list", "special use" or "block list"
	Entry   string `json:"entry"`          // the special-use prefix, or the list as it was given
	Note    string `json:"note,omitempty"` // what the prefix is for, and the RFC that says so
	Targets uint64 `json:"targets"`        // services; math.MaxUint64 stands for more than that
}

// Domain counts what a scan is of: the services that a sample stands for, after allow list, special-use space and block
// list, and before sample and shard. In each number math.MaxUint64 stands for that and more.
type Domain struct {
	Addresses uint64 `json:"addresses"` // distinct, with a service each at least
	Ports     uint64 `json:"ports"`     // distinct, of a service each at least
	Services  uint64 `json:"services"`  // pairs of address and port; fewer than the product, where some have a port of their own
}

// Sample says how a scan's targets were drawn, in numbers that estimates divide by: the chance of a service to be in the
// sample of all shards is Drawn/Of. Addresses on the block list are drawn as all others are, and then not probed, so that
// both numbers count them; math.MaxUint64 stands for that and more.
type Sample struct {
	Unit        string `json:"unit"`           // what is drawn: "service", "host" with all its ports, or "block" of addresses with all theirs
	Bits        int    `json:"bits,omitempty"` // length of the prefix that a block is, of the targets' family; valid only with that
	Numerator   uint64 `json:"numerator"`      // of the share that was asked for, in lowest terms; 1 of 1 is all
	Denominator uint64 `json:"denominator"`    // of the same
	Drawn       uint64 `json:"drawn"`          // units in the sample: the share of Of, rounded up
	Of          uint64 `json:"of"`             // units before it
	Shard       uint64 `json:"shard"`          // from 1: this scan is every Shards-th target of the sample, from this one on; 0 where several were merged
	Shards      uint64 `json:"shards"`         // 1: this scan is the sample
}

// Set is a compiled Spec. It is immutable: goroutines may share it.
type Set struct {
	table    addressTable
	ports    []uint16     // for each address of the table
	services []service    // beside them, in the sample
	hosts    *permutation // of the table's addresses; nil unless sampled by host
	blocks   *blocks      // in the table's place; nil unless sampled by block
	order    permutation  // of the sample's services: services, then host by host
	blocked  *bart.Lite   // nil is none
	shard    shard
	length   uint64 // positions in the shard

	excluded []Exclusion
	counts   Domain
	sample   Sample
	public   uint64
	lists    []List
	digest   string
}

// Len gives the number of positions in this shard's sample: the number of its
// targets, plus those that the block list takes out.
func (s *Set) Len() uint64 { return s.length }

// At gives the target at a position, from 0 to Len()-1; false if it is on the
// block list, or the position beyond the end.
func (s *Set) At(position uint64) (netip.AddrPort, bool) {
	if position >= s.length {
		return netip.AddrPort{}, false
	}
	target := s.target(s.order.at(s.shard.index + position*s.shard.count))
	if s.blocked != nil && s.blocked.Contains(target.Addr()) {
		return netip.AddrPort{}, false
	}
	return target, true
}

// target gives one of the services that order permutes.
func (s *Set) target(number uint64) netip.AddrPort {
	single := uint64(len(s.services))
	if number < single {
		one := &s.services[number]
		return netip.AddrPortFrom(one.address().addr(), one.port())
	}
	number -= single
	host, port := number/uint64(len(s.ports)), s.ports[number%uint64(len(s.ports))]
	switch {
	case s.blocks != nil:
		return netip.AddrPortFrom(s.blocks.at(host).addr(), port)
	case s.hosts != nil:
		host = s.hosts.at(host)
	}
	return netip.AddrPortFrom(s.table.address(host).addr(), port)
}

// PositionOf is the inverse of At: the position of a target; false for a service that is none. It does not allocate.
func (s *Set) PositionOf(target netip.AddrPort) (uint64, bool) {
	number, ok := s.numberOf(target)
	if !ok || s.blocked != nil && s.blocked.Contains(target.Addr()) {
		return 0, false
	}
	place := s.order.indexOf(number)
	position := place / s.shard.count
	return position, place%s.shard.count == s.shard.index && position < s.length
}

// Before gives the number of targets at the positions before one, in time
// proportional to that if there is a block list.
func (s *Set) Before(position uint64) (targets uint64) {
	position = min(position, s.length)
	if s.blocked == nil {
		return position
	}
	for p := range position {
		if _, ok := s.At(p); ok {
			targets++
		}
	}
	return targets
}

// numberOf is the inverse of target; false for what is not among the services that order permutes.
func (s *Set) numberOf(target netip.AddrPort) (uint64, bool) {
	if target.Addr().Is4In6() { // IPv6's way to write an IPv4 address is not that address
		return 0, false
	}
	a := addressOf(target.Addr())
	one := serviceOf(a, target.Port())
	if i, ok := slices.BinarySearchFunc(s.services, one, func(a, b service) int { return bytes.Compare(a[:], b[:]) }); ok {
		return uint64(i), true
	}
	port, ok := slices.BinarySearch(s.ports, target.Port())
	if !ok {
		return 0, false
	}
	var host uint64
	if s.blocks != nil {
		host, ok = s.blocks.numberOf(a)
	} else {
		host, ok = s.table.numberOf(a)
	}
	if !ok {
		return 0, false
	}
	if s.hosts != nil {
		host = s.hosts.indexOf(host)
	}
	ports := uint64(len(s.ports))
	if host > (s.order.last-uint64(len(s.services)))/ports { // one of the hosts that were not drawn
		return 0, false
	}
	return uint64(len(s.services)) + host*ports + uint64(port), true
}

// Iterate starts at the shard's first position.
func (s *Set) Iterate() *Iterator { return &Iterator{set: s} }

// Excluded gives what was kept out, and why: the allow list, special-use space
// that the domain touches, longest prefixes first, and every entry of Block.
func (s *Set) Excluded() []Exclusion { return slices.Clone(s.excluded) }

// Domain counts the services that the sample stands for.
func (s *Set) Domain() Domain { return s.counts }

// Sample tells how the set was drawn.
func (s *Set) Sample() Sample { return s.sample }

// Public gives the number of addresses in the domain, before block list, sample
// and shard, that are not special-use space: those of other people's hosts.
// math.MaxUint64 stands for more than that.
func (s *Set) Public() uint64 { return s.public }

// Lists gives the files that were read, in the order of the Spec's fields.
func (s *Set) Lists() []List { return slices.Clone(s.lists) }

// Digest gives the SHA-256, in hexadecimal, of the resolved specification: seed,
// sample, domain and block list, not the words they were asked for with. It is
// the same for all shards of a scan.
func (s *Set) Digest() string { return s.digest }

// Iterator yields a shard's targets in their order, without allocating. It is
// for one goroutine; a Set may have many.
type Iterator struct {
	set  *Set
	next uint64
}

// Next gives the next target, and false after the last.
func (it *Iterator) Next() (netip.AddrPort, bool) {
	for it.next < it.set.length {
		it.next++
		if target, ok := it.set.At(it.next - 1); ok {
			return target, true
		}
	}
	return netip.AddrPort{}, false
}

// Position gives the position that Next looks at next, from 0 to Len(). A scan
// that goes on from it with Seek leaves out nothing and repeats nothing.
func (it *Iterator) Position() uint64 { return it.next }

// Left gives the number of positions that Next has not looked at: targets, and what the block list takes out.
func (it *Iterator) Left() uint64 { return it.set.length - min(it.next, it.set.length) }

// Place gives a target's position in the shard; false for a service that Next
// never yields.
func (it *Iterator) Place(target netip.AddrPort) (uint64, bool) { return it.set.PositionOf(target) }

// Seek goes to a position of the shard; beyond Len() there are no targets.
func (it *Iterator) Seek(position uint64) { it.next = position }
