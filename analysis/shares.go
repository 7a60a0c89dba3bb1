package analysis

import (
	"cmp"
	"maps"
	"slices"

	"laserdisc/analysis/estimate"
)

// Shares counts services of several kinds in several groups, host by host, so that the share of a kind in its group can be
// estimated with an interval: of the services of a port (the group) those that speak its protocol (the kind). The kinds of a
// group need not exclude each other, and a service may be in several groups. The zero Shares has counted none.
//
// A fold that embeds it counts services in the order of their addresses. What a host adds is held until the next host comes.
type Shares[Group, Kind cmp.Ordered] struct {
	groups map[Group]*estimate.Hosts                // every host of a group, without hits
	kinds  map[inGroup[Group, Kind]]*estimate.Hosts // the hosts that have services of a kind

	host     []byte // the one that is being counted
	services map[Group]uint32
	hits     map[inGroup[Group, Kind]]uint32
}

type inGroup[Group, Kind cmp.Ordered] struct {
	group Group
	kind  Kind
}

// Service counts a service of a host into a group, once.
func (s *Shares[G, K]) Service(host string, group G) {
	s.at(host)
	s.services[group]++
}

// Hit counts a service that Service has counted into the group as one of a kind, once.
func (s *Shares[G, K]) Hit(host string, group G, kind K) {
	s.at(host)
	s.hits[inGroup[G, K]{group, kind}]++
}

// at ends the host before, if this is another.
func (s *Shares[G, K]) at(host string) {
	if s.groups == nil {
		s.groups, s.kinds = make(map[G]*estimate.Hosts), make(map[inGroup[G, K]]*estimate.Hosts)
		s.services, s.hits = make(map[G]uint32), make(map[inGroup[G, K]]uint32)
	}
	if string(s.host) != host {
		s.close()
		s.host = append(s.host[:0], host...)
	}
}

// close adds the host that is being counted to the sums. Nothing depends on the order of the maps: sums of integers do not.
func (s *Shares[G, K]) close() {
	for group, n := range s.services {
		sumsOf(s.groups, group).Add(0, n)
	}
	for k, n := range s.hits {
		sumsOf(s.kinds, k).Add(n, s.services[k.group])
	}
	clear(s.services)
	clear(s.hits)
	s.host = s.host[:0]
}

// sumsOf are the sums under a key, which they get if it has none.
func sumsOf[Key comparable](of map[Key]*estimate.Hosts, key Key) *estimate.Hosts {
	sums := of[key]
	if sums == nil {
		sums = new(estimate.Hosts)
		of[key] = sums
	}
	return sums
}

// merge takes into account what another has counted, of other hosts.
func (s *Shares[G, K]) merge(other *Shares[G, K]) {
	s.close()
	other.close()
	if s.groups == nil {
		*s = *other
		return
	}
	for group, sums := range other.groups {
		sumsOf(s.groups, group).Merge(*sums)
	}
	for k, sums := range other.kinds {
		sumsOf(s.kinds, k).Merge(*sums)
	}
}

// Groups are those that have a service, in order.
func (s *Shares[G, K]) Groups() []G {
	s.close()
	return slices.Sorted(maps.Keys(s.groups))
}

// Kinds are those that have a service in the group, in order.
func (s *Shares[G, K]) Kinds(group G) []K {
	s.close()
	var list []K
	for k := range s.kinds {
		if k.group == group {
			list = append(list, k.kind)
		}
	}
	slices.Sort(list)
	return list
}

// Of are the hosts of a group, and which of their services are of the kind: what shares and totals are estimated from.
func (s *Shares[G, K]) Of(group G, kind K) estimate.Hosts {
	s.close()
	var all, some estimate.Hosts
	if sums := s.groups[group]; sums != nil {
		all = *sums
	}
	if sums := s.kinds[inGroup[G, K]{group, kind}]; sums != nil {
		some = *sums
	}
	return some.Among(all)
}

// Services are how many services of the group are of the kind, and how many it has.
func (s *Shares[G, K]) Services(group G, kind K) (hits, services int) {
	h, n := s.Of(group, kind).Services()
	return int(h), int(n)
}
