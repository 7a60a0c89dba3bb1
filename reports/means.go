package reports

import (
	"slices"
	"strings"

	"laserdisc/analysis/estimate"
)

// means are sums for means over ports of the shares of kinds in groups of services. They are made for what there is in the runs, and
// then see the same services again, host by host.
type means struct {
	groups  map[int]*groupMeans
	host    string        // that is being counted
	touched []*groupMeans // in which it has services
}

// groupMeans are the means of one group's kinds.
type groupMeans struct {
	ports    map[uint16]uint64 // how many services there are
	kinds    []string          // the first is "", of which no service is
	means    []*estimate.Mean  // of the kinds
	services uint32            // of the host that is being counted
	residual []int64           // of the kinds, of that host
}

// newMeans makes sums for all kinds that a census gives to a function: so many services of a port in a group, and their kinds.
func newMeans(census func(count func(group int, port uint16, services int, kinds []string))) *means {
	type kindOf struct {
		group int
		kind  string
	}
	m := &means{groups: make(map[int]*groupMeans)}
	hits := make(map[kindOf]map[uint16]uint64)
	census(func(group int, port uint16, services int, kinds []string) {
		g := m.groups[group]
		if g == nil {
			g = &groupMeans{ports: make(map[uint16]uint64), kinds: []string{""}}
			m.groups[group] = g
		}
		n := uint64(services)
		g.ports[port] += n
		for _, kind := range kinds {
			k := kindOf{group, kind}
			if hits[k] == nil {
				hits[k] = make(map[uint16]uint64)
				g.kinds = append(g.kinds, kind)
			}
			hits[k][port] += n
		}
	})
	for group, g := range m.groups {
		for _, kind := range g.kinds {
			ports := make(map[uint16]estimate.Count)
			for port, n := range g.ports {
				ports[port] = estimate.Count{Hits: hits[kindOf{group, kind}][port], Services: n}
			}
			g.means = append(g.means, estimate.NewMean(ports))
		}
		g.residual = make([]int64, len(g.kinds))
	}
	return m
}

// add counts a service of a host into a group, once.
func (m *means) add(host string, group int, port uint16, kinds []string) {
	if m.host != host {
		m.close()
		m.host = strings.Clone(host) // which is valid only until the service is counted
	}
	g := m.groups[group]
	if g == nil {
		return // the census has not seen it, nor then has any mean a place for it
	}
	if g.services == 0 {
		m.touched = append(m.touched, g)
	}
	g.services++
	for i, kind := range g.kinds {
		g.residual[i] += g.means[i].Residual(port, slices.Contains(kinds, kind))
	}
}

// close adds the host that is being counted to the sums.
func (m *means) close() {
	for _, g := range m.touched {
		for i, mean := range g.means {
			mean.Add(g.residual[i], g.services)
		}
		g.services = 0
		clear(g.residual)
	}
	m.touched = m.touched[:0]
}

// merge takes into account what another has counted, of other hosts.
func (m *means) merge(other *means) {
	m.close()
	other.close()
	for group, g := range m.groups {
		for i, mean := range g.means {
			mean.Merge(other.groups[group].means[i])
		}
	}
}

// of is the mean of a kind in a group.
func (m *means) of(group int, kind string) *estimate.Mean {
	m.close()
	g := m.groups[group]
	if g == nil {
		return estimate.NewMean(nil)
	}
	return g.means[max(0, slices.Index(g.kinds, kind))]
}
