package estimate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// groups is how many random groups of hosts Ports tells apart: those with an even number are one half of the hosts. The errors of
// a curve have one degree of freedom less.
const groups = 16

// tally is the number of services of each group of hosts.
type tally [groups]uint32

// all is the number of services of the groups from the first on, in steps.
func (t *tally) all(first, step int) uint64 {
	var n uint64
	for g := first; g < groups; g += step {
		n += uint64(t[g])
	}
	return n
}

// Ports counts the services of a kind by port, for the curve of Figure 9: which share of them is on the k ports that have most.
// The counts are kept for each of 16 random groups of hosts, from which the curve has its errors. It takes some 100 bytes for each
// port that has a service.
type Ports struct {
	Seed uint64 // decides which group a host is in

	at     map[uint16]int // where a port's counts are
	counts []tally
	ports  []uint16   // of each of the counts
	host   netip.Addr // of the last service
	group  int        // of that host
	now    uint32     // its services so far
	hosts  Hosts      // the hosts before it
}

// Add takes the next service into account. The services of a host come one after the other.
func (p *Ports) Add(host netip.Addr, port uint16) {
	if host != p.host {
		p.hosts.Add(p.now, p.now)
		p.host, p.group, p.now = host, group(p.Seed, host, groups), 0
	}
	p.now++
	p.of(port)[p.group]++
}

// of is the counts of a port.
func (p *Ports) of(port uint16) *tally {
	i, ok := p.at[port]
	if !ok {
		if p.at == nil {
			p.at = make(map[uint16]int)
		}
		i = len(p.counts)
		p.at[port], p.counts, p.ports = i, append(p.counts, tally{}), append(p.ports, port)
	}
	return &p.counts[i]
}

// Merge takes into account what another has counted, which has the same seed and none of the same hosts.
func (p *Ports) Merge(other *Ports) error {
	if p.Seed != other.Seed {
		return fmt.Errorf("estimate: ports with groups by seed %d do not merge with those by seed %d", other.Seed, p.Seed)
	}
	p.hosts.Merge(other.all())
	for i, port := range other.ports {
		mine := p.of(port)
		for g, n := range other.counts[i] {
			mine[g] += n
		}
	}
	return nil
}

// all is the hosts with the last one.
func (p *Ports) all() Hosts {
	hosts := p.hosts
	hosts.Add(p.now, p.now)
	return hosts
}

// Kinds is how many services there are of each port, summed up.
func (p *Ports) Kinds() Kinds {
	totals := make([]uint64, len(p.counts))
	for i := range p.counts {
		totals[i] = p.counts[i].all(0, 1)
	}
	return CountKinds(totals)
}

// PortServices is a port and the services there.
type PortServices struct {
	Port     uint16
	Services uint64
}

// Ranking is the ports that have services, those with most first, and of equals the lower port.
func (p *Ports) Ranking() []PortServices {
	var list []PortServices
	for i, port := range p.ports {
		list = append(list, PortServices{port, p.counts[i].all(0, 1)})
	}
	slices.SortFunc(list, func(a, b PortServices) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), cmp.Compare(a.Port, b.Port))
	})
	return list
}
