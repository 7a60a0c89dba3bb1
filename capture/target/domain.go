package target

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
)

// service is an address with a port of its own: 16 bytes of address, 2 of port,
// so that byte order is the order of address and port, and a list of millions
// costs 18 bytes each.
type service [18]byte

func serviceOf(a address, port uint16) (s service) {
	binary.BigEndian.PutUint64(s[0:], a.hi)
	binary.BigEndian.PutUint64(s[8:], a.lo)
	binary.BigEndian.PutUint16(s[16:], port)
	return s
}

func (s *service) address() address {
	return address{binary.BigEndian.Uint64(s[0:]), binary.BigEndian.Uint64(s[8:])}
}

func (s *service) port() uint16 { return binary.BigEndian.Uint16(s[16:]) }

// addressesOf gives the addresses of services as a set.
func addressesOf(services []service) spans {
	list := make([]span, len(services))
	for i := range services {
		list[i] = span{services[i].address(), services[i].address()}
	}
	return union(list)
}

// domain is a set of services: every address of a set on every port of another,
// and single services beside them that are not among these. It is immutable.
type domain struct {
	addresses spans
	ports     []uint16  // ascending
	services  []service // ascending
}

// newDomain takes possession of its arguments, which may be in any order and
// may overlap.
func newDomain(addresses []span, ports []uint16, services []service) domain {
	d := domain{addresses: union(addresses), ports: ports}
	slices.SortFunc(services, func(a, b service) int { return bytes.Compare(a[:], b[:]) })
	services = slices.Compact(services)
	d.services = slices.DeleteFunc(services, func(s service) bool {
		_, common := slices.BinarySearch(ports, s.port())
		return common && d.addresses.contains(s.address())
	})
	return d
}

// size counts the services.
func (d domain) size() uint128 {
	return d.addresses.size().times(uint64(len(d.ports))).plus(uint128{0, uint64(len(d.services))})
}

// within gives the services whose address is in s, and how many are not.
func (d domain) within(s spans) (domain, uint64) {
	outside := s.complement()
	if !d.touches(outside) {
		return d, 0
	}
	return d.clip(s), d.clip(outside).size().saturated()
}

// without gives the services whose address is not in s, and how many are.
func (d domain) without(s spans) (domain, uint64) {
	if !d.touches(s) {
		return d, 0
	}
	return d.clip(s.complement()), d.clip(s).size().saturated()
}

// public counts the addresses that are not in special-use space.
func (d domain) public() uint64 {
	var special []netip.Prefix
	for _, s := range specials() {
		special = append(special, s.Prefix)
	}
	outside := rangesOf(special...).complement()
	alone := addressesOf(d.services).intersect(d.addresses.complement())
	return d.addresses.intersect(outside).size().plus(alone.intersect(outside).size()).saturated()
}

// hosts gives the addresses that have a service.
func (d domain) hosts() spans {
	return union(append(slices.Clone(d.addresses), addressesOf(d.services)...))
}

// counts gives the numbers of addresses, ports and services.
func (d domain) counts() Domain {
	var open [1 << 16]bool
	if len(d.addresses) > 0 {
		for _, p := range d.ports {
			open[p] = true
		}
	}
	for i := range d.services {
		open[d.services[i].port()] = true
	}
	c := Domain{Addresses: d.hosts().size().saturated(), Services: d.size().saturated()}
	for _, has := range open {
		if has {
			c.Ports++
		}
	}
	return c
}

// touches says whether a service has its address in s. It saves a copy of a long
// list for each block of special-use space that has nothing to do with it.
func (d domain) touches(s spans) bool {
	return slices.ContainsFunc(s, func(in span) bool {
		i := d.addresses.search(in.first)
		return i < len(d.addresses) && !in.last.less(d.addresses[i].first) || len(d.servicesIn(in)) > 0
	})
}

func (d domain) clip(s spans) domain {
	clipped := domain{addresses: d.addresses.intersect(s), ports: d.ports}
	for _, in := range s {
		clipped.services = append(clipped.services, d.servicesIn(in)...)
	}
	return clipped
}

// servicesIn gives the single services with an address in a span.
func (d domain) servicesIn(in span) []service {
	from := sort.Search(len(d.services), func(i int) bool { return !d.services[i].address().less(in.first) })
	rest := d.services[from:]
	return rest[:sort.Search(len(rest), func(i int) bool { return in.last.less(rest[i].address()) })]
}

// addressTable numbers the addresses of a set from 0, in ascending order.
type addressTable struct {
	spans  spans
	starts []uint64 // the number of each span's first address

	// Where to look for a number: buckets[n>>shift] is the last span that starts at
	// or before its bucket. With about as many buckets as spans a look-up takes few
	// steps, whatever their number.
	buckets []uint32
	shift   uint
}

// newAddressTable numbers a set of at most 2^64 addresses.
func newAddressTable(set spans) addressTable {
	t := addressTable{spans: set, starts: make([]uint64, len(set))}
	if len(set) == 0 {
		return t
	}
	var last uint64 // number
	for i, s := range set {
		t.starts[i] = last
		last += s.last.minus(s.first).lo + 1
	}
	last--
	t.shift = uint(max(0, bits.Len64(last)-bits.Len(uint(len(set)))))
	for i, bucket := 0, uint64(0); bucket <= last>>t.shift; bucket++ {
		for i+1 < len(set) && t.starts[i+1] <= bucket<<t.shift {
			i++
		}
		t.buckets = append(t.buckets, uint32(i))
	}
	t.buckets = append(t.buckets, uint32(len(set)-1))
	return t
}

func (t *addressTable) address(number uint64) address {
	bucket := number >> t.shift
	low, high := t.buckets[bucket], t.buckets[bucket+1]
	for low < high {
		if middle := (low + high + 1) / 2; t.starts[middle] <= number {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return t.spans[low].first.plus(number - t.starts[low])
}

// numberOf is the inverse of address; false for an address outside the set.
func (t *addressTable) numberOf(a address) (uint64, bool) {
	i := t.spans.search(a)
	if i == len(t.spans) || a.less(t.spans[i].first) {
		return 0, false
	}
	return t.starts[i] + a.minus(t.spans[i].first).lo, true
}
