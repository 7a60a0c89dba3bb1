package predict

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// MostProbes bounds a list, which takes 12 bytes a probe while it is made.
const MostProbes = 16 << 20

// List is probes in the order of their expected yield.
type List struct {
	known  int // of the hosts
	hosts  []Host
	probes []probe
}

// probe is one, of the host with this number.
type probe struct {
	chance float32
	host   uint32
	port   uint16
}

// Len is how many probes there are.
func (l *List) Len() int { return len(l.probes) }

// At is a probe.
func (l *List) At(i int) netip.AddrPort {
	return netip.AddrPortFrom(l.hosts[l.probes[i].host].Addr, l.probes[i].port)
}

// Hosts is on how many hosts the probes are.
func (l *List) Hosts() int {
	seen := make(map[uint32]bool)
	for _, p := range l.probes {
		seen[p.host] = true
	}
	return len(seen)
}

// PerHost is how many probes there are for each host of which something was known.
func (l *List) PerHost() float64 { return float64(len(l.probes)) / float64(max(1, l.known)) }

// List gives the n probes with the highest expected yield, or as many as there are, on the hosts that are known by their services
// on the first ports. Those of the sample are left out: all is known of them. Of those at its end, whose expected yield is
// about the same, it has the lower addresses, and of each the more popular ports.
func (m *Model) List(known *Sample, n int) (*List, error) {
	if n < 1 || n > MostProbes {
		return nil, fmt.Errorf("predict: a list of %d probes: 1 to %d are possible", n, MostProbes)
	}
	l := &List{hosts: m.strangers(known)}
	end := 0 // the level that it reaches into
	var at [levels]int
	m.each(l.hosts, func(_ int, p *prediction) {
		l.known++
		for _, x := range p.ports {
			at[level(x.chance)]++
		}
		for band, ports := range p.size {
			at[level(p.band[band])] += ports
		}
	})
	last := n // probes of the last level
	for ; end < levels-1 && at[end] < last; end++ {
		last -= at[end]
	}
	m.each(l.hosts, func(host int, p *prediction) {
		add := func(port uint16, chance float32) {
			to := level(chance)
			if to == end {
				last--
			}
			if to < end || to == end && last >= 0 {
				l.probes = append(l.probes, probe{chance, uint32(host), port})
			}
		}
		for _, x := range p.ports {
			add(x.port, x.chance)
		}
		for _, port := range m.order {
			chance := p.band[bandOf(m.hosts[port])]
			if m.first[port] || level(chance) > end {
				continue
			}
			_, single := slices.BinarySearchFunc(p.ports, port, likely.compare)
			if !single {
				add(port, chance)
			}
		}
	})
	slices.SortStableFunc(l.probes, func(a, b probe) int { return cmp.Compare(b.chance, a.chance) })
	return l, nil
}

// each predicts for each of the hosts of which something is known.
func (m *Model) each(hosts []Host, do func(host int, p *prediction)) {
	var p prediction
	for i := range hosts {
		if m.predict(&hosts[i], &p) {
			do(i, &p)
		}
	}
}

// strangers are the hosts that are known and not of the model's sample, with labels as they are numbered there.
func (m *Model) strangers(known *Sample) []Host {
	numbers := make(map[string]uint16)
	for i, name := range m.sample.Labels {
		numbers[name] = uint16(i)
	}
	var labels []uint16
	for _, name := range known.Labels {
		number, ok := numbers[name]
		if !ok {
			number = uint16(len(numbers))
			numbers[name] = number
		}
		labels = append(labels, number)
	}
	sampled := make(map[netip.Addr]bool)
	for i := range m.sample.Hosts {
		sampled[m.sample.Hosts[i].Addr] = true
	}
	var list []Host
	for _, h := range known.Hosts {
		if sampled[h.Addr] {
			continue
		}
		h.Services = slices.Clone(h.Services)
		for i := range h.Services {
			h.Services[i].Label = labels[h.Services[i].Label]
		}
		list = append(list, h)
	}
	return list
}
