package predict

import (
	"laserdisc/analysis/estimate"
)

// Point is what some probes find.
type Point struct {
	Probes   float64 // to each address of the sample, on the average
	Services int     // that they find, of Evaluation.Services
}

// Evaluation is what probes find on hosts that nothing was learnt from: each tenth of the sample's hosts with the others.
type Evaluation struct {
	Addresses uint64 // of the sample
	Ports     int
	Hosts     int // with services
	Services  int

	// Popularity is by ports, the most popular of the other nine tenths first, each on every address.
	Popularity []Point
	// Plans are by the ports that are probed on every address first.
	Plans []Plan
}

// Plan is to probe some ports on every address, and then those that are expected of the hosts found, by the expected yield.
type Plan struct {
	First int              // how many ports are first
	Known int              // hosts with a service on one of them
	Curve []Point          // after the first ports, and then down to each level of the expected yield that has probes
	sums  []estimate.Hosts // of the probes down to each level
}

// Evaluate counts what is found. A plan has so many of the most popular ports first, or those of fixed.
func Evaluate(s *Sample, sizes []int, fixed []uint16) *Evaluation {
	e := &Evaluation{Addresses: s.Addresses, Ports: len(s.Ports), Hosts: len(s.Hosts)}
	for i := range s.Hosts {
		e.Services += len(s.Hosts[i].Services)
	}
	found := make([]int, len(s.Ports)) // by rank
	firsts := make([]int, len(sizes))
	if fixed != nil {
		firsts = make([]int, 1)
	}
	counts := make([]levelCounts, len(firsts))
	for i := range firsts {
		e.Plans = append(e.Plans, Plan{First: len(fixed), sums: make([]estimate.Hosts, levels)})
		if fixed == nil {
			e.Plans[i].First = min(sizes[i], len(s.Ports))
		}
	}
	for tenth := range tenths {
		var in, others []int32
		for i := range s.Hosts {
			if s.Hosts[i].tenth() == tenth {
				in = append(in, int32(i))
			} else {
				others = append(others, int32(i))
			}
		}
		r := rank(s, others)
		var at [1 << 16]int
		for i, port := range r.order {
			at[port] = i
		}
		for _, i := range in {
			for _, x := range s.Hosts[i].Services {
				found[at[x.Port]]++
			}
		}
		for i := range e.Plans {
			first := fixed
			if fixed == nil {
				first = r.order[:e.Plans[i].First]
			}
			m := learn(s, others, r, first)
			for _, host := range in {
				e.Plans[i].add(m, &s.Hosts[host], &counts[i])
			}
		}
	}
	e.Popularity = append(e.Popularity, Point{})
	sum := 0
	for i, n := range found {
		sum += n
		e.Popularity = append(e.Popularity, Point{float64(i + 1), sum})
	}
	for i := range e.Plans {
		e.Plans[i].close(s.Addresses, &counts[i])
	}
	return e
}

// levelCounts is what was counted at each level of the expected yield.
type levelCounts struct {
	first  int // services found on the first ports
	probes [levels]int64
	hits   [levels]int
}

// add counts what a plan finds on a host.
func (p *Plan) add(m *Model, h *Host, c *levelCounts) {
	rest := 0
	for _, x := range h.Services {
		if m.first[x.Port] {
			c.first++
		} else {
			rest++
		}
	}
	if rest == len(h.Services) {
		return // not found
	}
	p.Known++
	var q prediction
	if !m.predict(h, &q) {
		return
	}
	var probes, hits [levels]uint32
	for _, x := range q.ports {
		probes[level(x.chance)]++
	}
	for band, n := range q.size {
		probes[level(q.band[band])] += uint32(n)
	}
	next := q.ports
	for _, x := range h.Services {
		for len(next) > 0 && next[0].port < x.Port {
			next = next[1:]
		}
		switch {
		case m.first[x.Port]:
		case len(next) > 0 && next[0].port == x.Port:
			hits[level(next[0].chance)]++
		default:
			hits[level(q.band[bandOf(m.hosts[x.Port])])]++
		}
	}
	var probed, hit uint32
	for l := range levels {
		c.probes[l] += int64(probes[l])
		c.hits[l] += int(hits[l])
		probed += probes[l]
		hit += hits[l]
		p.sums[l].Add(hit, probed)
	}
}

// close makes the curve of the counts.
func (p *Plan) close(addresses uint64, c *levelCounts) {
	at := Point{float64(p.First), c.first}
	p.Curve = []Point{at}
	for l, n := range c.probes {
		if n == 0 {
			continue
		}
		at.Probes += float64(n) / float64(addresses)
		at.Services += c.hits[l]
		p.Curve = append(p.Curve, at)
	}
}

// Probes is how many probes to each address find a share of all services, by a curve that rises in straight lines from one point
// to the next; false if it ends below.
func (e *Evaluation) Probes(curve []Point, share float64) (probes float64, ok bool) {
	want := float64(share * float64(e.Services))
	before := Point{}
	for _, p := range curve {
		if float64(p.Services) >= want {
			if p.Services == before.Services {
				return p.Probes, true
			}
			part := (want - float64(before.Services)) / float64(p.Services-before.Services)
			return before.Probes + float64(part*(p.Probes-before.Probes)), true
		}
		before = p
	}
	return 0, false
}

// Exhaustive is how many probes to each address find a share of all services in random order.
func (e *Evaluation) Exhaustive(share float64) float64 { return share * float64(e.Ports) }

// HitRate is the share of the probes that find a service, of those that are expected to yield at least what the level says: on
// the hosts that nothing was learnt from.
func (p *Plan) HitRate(s *Sample, level int) (estimate.Estimate, error) {
	return p.sums[level].Share(estimate.Design{Unit: estimate.ByHost, Drawn: s.Addresses, Of: s.Of})
}
