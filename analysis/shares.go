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
	groups map[Group]*hostSums
	kinds  map[inGroup[Group, Kind]]*hostSums

	host []byte // the one that is being counted
	// What it has services of: few, so that nothing is done for the others.
	hostGroups, hostKinds []*hostSums
}

type inGroup[Group, Kind cmp.Ordered] struct {
	group Group
	kind  Kind
}

// hostSums is the services of a group, or of a kind in one.
type hostSums struct {
	hosts estimate.Hosts // of a group every host, without hits; of a kind those that have services of it
	in    *hostSums      // the group, of a kind
	here  uint32         // services of the host that is being counted
}

// Service counts a service of a host into a group, once.
func (s *Shares[G, K]) Service(host string, group G) {
	s.at(host)
	g := s.group(group)
	if g.here == 0 {
		s.hostGroups = append(s.hostGroups, g)
	}
	g.here++
}

// Hit counts a service that Service has counted into the group as one of a kind, once.
func (s *Shares[G, K]) Hit(host string, group G, kind K) {
	s.at(host)
	k := s.kind(inGroup[G, K]{group, kind})
	if k.here == 0 {
		s.hostKinds = append(s.hostKinds, k)
	}
	k.here++
}

// at ends the host before, if this is another.
func (s *Shares[G, K]) at(host string) {
	if string(s.host) != host {
		s.close()
		s.host = append(s.host[:0], host...)
	}
}

// close adds the host that is being counted to the sums.
func (s *Shares[G, K]) close() {
	for _, k := range s.hostKinds {
		k.hosts.Add(k.here, k.in.here)
		k.here = 0
	}
	for _, g := range s.hostGroups {
		g.hosts.Add(0, g.here)
		g.here = 0
	}
	s.hostGroups, s.hostKinds, s.host = s.hostGroups[:0], s.hostKinds[:0], s.host[:0]
}

// group is what is counted of a group.
func (s *Shares[G, K]) group(of G) *hostSums {
	g := s.groups[of]
	if g == nil {
		if s.groups == nil {
			s.groups, s.kinds = make(map[G]*hostSums), make(map[inGroup[G, K]]*hostSums)
		}
		g = new(hostSums)
		s.groups[of] = g
	}
	return g
}

// kind is what is counted of a kind in its group.
func (s *Shares[G, K]) kind(of inGroup[G, K]) *hostSums {
	k := s.kinds[of]
	if k == nil {
		k = &hostSums{in: s.group(of.group)}
		s.kinds[of] = k
	}
	return k
}

// merge takes into account what another has counted, of other hosts.
func (s *Shares[G, K]) merge(other *Shares[G, K]) {
	s.close()
	other.close()
	for group, g := range other.groups {
		s.group(group).hosts.Merge(g.hosts)
	}
	for kind, k := range other.kinds {
		s.kind(kind).hosts.Merge(k.hosts)
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
	if g := s.groups[group]; g != nil {
		all = g.hosts
	}
	if k := s.kinds[inGroup[G, K]{group, kind}]; k != nil {
		some = k.hosts
	}
	return some.Among(all)
}

// Services are how many services of the group are of the kind, and how many it has.
func (s *Shares[G, K]) Services(group G, kind K) (hits, services int) {
	h, n := s.Of(group, kind).Services()
	return int(h), int(n)
}
