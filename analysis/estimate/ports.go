package estimate

import (
	"fmt"
	"net/netip"
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
// The counts are kept for each of 16 random groups of hosts, from which the curve has its errors. It takes 4 MiB from the first
// service on.
type Ports struct {
	Seed uint64 // decides which group a host is in

	counts []tally    // by port
	host   netip.Addr // of the last service
	group  int        // of that host
	now    uint32     // its services so far
	hosts  Hosts      // the hosts before it
}

// Add takes the next service into account. The services of a host come one after the other.
func (p *Ports) Add(host netip.Addr, port uint16) {
	if p.counts == nil {
		p.counts = make([]tally, 1<<16)
	}
	if host != p.host {
		p.hosts.Add(p.now, p.now)
		p.host, p.group, p.now = host, group(p.Seed, host, groups), 0
	}
	p.now++
	p.counts[port][p.group]++
}

// Merge takes into account what another has counted, which has the same seed and none of the same hosts.
func (p *Ports) Merge(other *Ports) error {
	if p.Seed != other.Seed {
		return fmt.Errorf("estimate: ports with groups by seed %d do not merge with those by seed %d", other.Seed, p.Seed)
	}
	p.hosts.Merge(other.all())
	if p.counts == nil && other.counts != nil {
		p.counts = make([]tally, 1<<16)
	}
	for port := range other.counts {
		for g, n := range other.counts[port] {
			p.counts[port][g] += n
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
	for port := range p.counts {
		totals[port] = p.counts[port].all(0, 1)
	}
	return CountKinds(totals)
}
