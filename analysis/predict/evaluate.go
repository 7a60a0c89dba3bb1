package predict

import (
	"math"
	"slices"

	"github.com/zeebo/xxh3"

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
	First int // how many ports are first
	Known int // hosts with a service on one of them
	// OnFirst is the share of the services that is on the first ports, by networks, /24s or /48s. Where few of these decide, no curve
	// of the sample says what is found on other hosts; its warnings are those of the plan.
	OnFirst estimate.Estimate
	Curve   []Point // after the first ports, and then down to each level of the expected yield that has probes
}

// Usual is the share of the services that plans are compared by.
const Usual = 0.9

// firsts is how many ports the plans that are compared have first.
var firsts = []int{1, 2, 5, 10, 20, 50, 100, 200, 500}

// Evaluate counts what is found by plans that have 1, 2, 5, ... of the most popular ports first; or by one that has those of fixed.
//
// An error if the sample's hosts are in more networks than it has addresses.
func Evaluate(s *Sample, fixed []uint16) (*Evaluation, error) {
	return evaluate(s, slices.DeleteFunc(slices.Clone(firsts), func(n int) bool { return n >= len(s.Ports) }), fixed)
}

// Best is the plan that finds the Usual share with the fewest probes to each address, and how many; nil if none does.
func (e *Evaluation) Best() (best *Plan, fewest float64) {
	for i := range e.Plans {
		if probes, ok := e.Probes(e.Plans[i].Curve, Usual); ok && (best == nil || probes < fewest) {
			best, fewest = &e.Plans[i], probes
		}
	}
	return best, fewest
}

func evaluate(s *Sample, sizes []int, fixed []uint16) (*Evaluation, error) {
	e := &Evaluation{Addresses: s.Addresses, Ports: len(s.Ports), Hosts: len(s.Hosts)}
	for i := range s.Hosts {
		e.Services += len(s.Hosts[i].Services)
	}
	for _, n := range sizes {
		e.Plans = append(e.Plans, Plan{First: min(n, len(s.Ports))})
	}
	if fixed != nil {
		e.Plans = []Plan{{First: len(fixed)}}
	}
	found := make([]int, len(s.Ports)) // by rank
	counts := make([]yields, len(e.Plans))
	first := make([]int, len(e.Plans)) // services on the first ports
	var ranks [tenths][1 << 16]uint16  // of each port, among those that the tenth is predicted with
	for tenth := range tenths {
		in, others := divide(s, tenth, tenths)
		r := rank(s, others)
		at := &ranks[tenth]
		for i, port := range r.order {
			at[port] = uint16(i) // of 65,535 ports at most
		}
		for _, i := range in {
			for _, x := range s.Hosts[i].Services {
				found[at[x.Port]]++
			}
		}
		for i := range e.Plans {
			ports := fixed
			if fixed == nil {
				ports = r.order[:e.Plans[i].First]
			}
			m := learn(s, others, r, ports)
			for _, host := range in {
				h := &s.Hosts[host]
				for _, x := range h.Services {
					if m.first[x.Port] {
						first[i]++
					}
				}
				if y, ok := m.yields(h, nil); ok {
					e.Plans[i].Known++
					counts[i].add(&y)
				}
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
		p := &e.Plans[i]
		at := Point{float64(p.First), first[i]}
		p.Curve = append(p.Curve, at)
		for l, n := range counts[i].probes {
			if n > 0 {
				at.Probes += float64(n) / float64(s.Addresses)
				at.Services += int(counts[i].hits[l])
				p.Curve = append(p.Curve, at)
			}
		}
		isFirst := func(tenth int, port uint16) bool { return int(ranks[tenth][port]) < p.First }
		if fixed != nil {
			isFirst = func(_ int, port uint16) bool { return slices.Contains(fixed, port) }
		}
		var err error
		if p.OnFirst, err = onFirst(s, isFirst); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// onFirst estimates the share of the services that is on the ports that are first where a tenth of the hosts is predicted.
func onFirst(s *Sample, isFirst func(tenth int, port uint16) bool) (estimate.Estimate, error) {
	var networks estimate.Hosts
	var hits, services uint32 // of the network that is being counted
	for i := range s.Hosts {
		h := &s.Hosts[i]
		if i > 0 && h.network() != s.Hosts[i-1].network() {
			networks.Add(hits, services)
			hits, services = 0, 0
		}
		tenth := h.part(tenths)
		for _, x := range h.Services {
			services++
			if isFirst(tenth, x.Port) {
				hits++
			}
		}
	}
	networks.Add(hits, services)
	return overNetworks(s, networks, uint64(len(s.Hosts)))
}

// overNetworks estimates a share of hosts other than the sample's, of which it is no part, from its networks.
func overNetworks(s *Sample, networks estimate.Hosts, hosts uint64) (estimate.Estimate, error) {
	e, err := networks.Share(estimate.Design{Unit: estimate.ByHost, Drawn: s.Addresses, Of: math.MaxUint64})
	e.Design.Of, e.Hosts = s.Of, hosts
	e.Method += " over networks"
	return e, err
}

// divide gives the hosts in one of n parts, and the others.
func divide(s *Sample, part, n int) (in, others []int32) {
	for i := range s.Hosts {
		if s.Hosts[i].part(n) == part {
			in = append(in, int32(i))
		} else {
			others = append(others, int32(i))
		}
	}
	return in, others
}

// yields are probes, and those of them that find a service, by the level of the expected yield.
type yields struct{ probes, hits [levels]int64 }

func (y *yields) add(other *yields) {
	for l := range y.probes {
		y.probes[l] += other.probes[l]
		y.hits[l] += other.hits[l]
	}
}

// yields is what the probes of a host's ports that are not first find; false if nothing is known of it. It calls found, if there
// is one, with each service and its level.
func (m *Model) yields(h *Host, found func(Service, int)) (y yields, ok bool) {
	var p prediction
	if !m.predict(h, &p) {
		return y, false
	}
	for _, x := range p.ports {
		y.probes[level(x.chance)]++
	}
	for band, n := range p.size {
		y.probes[level(p.band[band])] += int64(n)
	}
	for _, x := range h.Services {
		if m.first[x.Port] {
			continue
		}
		chance := p.band[bandOf(m.hosts[x.Port])]
		if at, ok := slices.BinarySearchFunc(p.ports, x.Port, likely.compare); ok {
			chance = p.ports[at].chance
		}
		y.hits[level(chance)]++
		if found != nil {
			found(x, level(chance))
		}
	}
	return y, true
}

// HitRate estimates which share of probes finds a service, if as many are made on hosts that are known by the first ports as there
// are in a list for each host, those with the highest expected yield. It is the share on each fortieth of the
// hosts by what the others tell, for the more is learnt from, the more is found. Of the last level that the list reaches into, it
// counts as large a part, drawn by the address. The interval is over networks, /24s or /48s: what is learnt of one, right or wrong,
// its hosts have in common.
func HitRate(s *Sample, first []uint16, perHost float64) (estimate.Estimate, error) {
	each := func(do func(*Host, *Model)) {
		for part := range fortieths {
			in, others := divide(s, part, fortieths)
			m := learn(s, others, rank(s, others), first)
			for _, i := range in {
				do(&s.Hosts[i], m)
			}
		}
	}
	var all yields
	known := 0
	each(func(h *Host, m *Model) {
		if y, ok := m.yields(h, nil); ok {
			known++
			all.add(&y)
		}
	})
	left := perHost * float64(known)
	last, part := 0, 1.0
	for ; last < levels-1 && float64(all.probes[last]) < left; last++ {
		left -= float64(all.probes[last])
	}
	if n := float64(all.probes[last]); n > 0 {
		part = min(1, left/n)
	}
	networks := make(map[uint64]*[2]int64) // hits, probes
	hosts := uint64(0)
	each(func(h *Host, m *Model) {
		var probes, hits int64
		y, ok := m.yields(h, func(x Service, at int) {
			if at < last || at == last && h.unit(x.Port) < part {
				hits++
			}
		})
		if !ok {
			return
		}
		for l := range last {
			probes += y.probes[l] - y.hits[l]
		}
		probes += hits + int64(float64(part*float64(y.probes[last]-y.hits[last]))+h.unit(0))
		if probes == 0 {
			return
		}
		hosts++
		sum := networks[h.network()]
		if sum == nil {
			sum = new([2]int64)
			networks[h.network()] = sum
		}
		sum[0] += hits
		sum[1] += probes
	})
	var clusters estimate.Hosts
	for _, sum := range networks { // sums are the same in any order
		clusters.Add(uint32(sum[0]), uint32(sum[1]))
	}
	return overNetworks(s, clusters, hosts)
}

// unit is a number from 0 to 1 by a host and a port.
func (h *Host) unit(port uint16) float64 {
	a := h.Addr.As16()
	return float64(xxh3.HashSeed(a[:], unitSeed+uint64(port))>>11) / (1 << 53)
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

// Found is how many services so many probes to each address find by a curve; beyond its end, no more than there.
func (e *Evaluation) Found(curve []Point, probes float64) float64 {
	before := Point{}
	for _, p := range curve {
		if p.Probes >= probes {
			if p.Probes == before.Probes {
				return float64(p.Services)
			}
			part := (probes - before.Probes) / (p.Probes - before.Probes)
			return float64(before.Services) + float64(part*float64(p.Services-before.Services))
		}
		before = p
	}
	return float64(before.Services)
}
