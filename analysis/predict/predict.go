// Package predict tells from the services of some hosts which ports of other hosts are worth a probe, after GPS (Izhikevich,
// Teixeira, Durumeric, "Predicting IPv4 Services Across All Ports", SIGCOMM 2022).
//
// A [Sample] is hosts that were probed on all ports. Of another host a few ports are known, those that are probed on every
// address first. What is known of it are its features: a service on a port, with its label, on a port as popular as that one, in
// its network or AS. The hosts of the sample with the same feature tell how likely each further port is; of several features the
// one counts that says the most, as in GPS. [Evaluate] does so for each tenth of the sample's hosts with the other nine, and counts
// what probes in the order of their expected yield find, beside ports in the order of their popularity. [Model.List] gives the
// probes for hosts outside of the sample.
//
// Where GPS asks for a pair of ports to be on three hosts of the sample, and otherwise predicts nothing, ports here fall back on
// those of like popularity, which are a band. Most ports are rare, and what a host with one rare port tells is that it has others.
package predict

import (
	"cmp"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/zeebo/xxh3"
)

// Sample is what was found on hosts that were probed on the same ports.
type Sample struct {
	Addresses uint64   // how many were probed, hosts or not
	Of        uint64   // how many they were drawn from
	Ports     []uint16 // that each was probed on, ascending
	Labels    []string // that services have, by their number
	Hosts     []Host   // that have services, by address
}

// Host is what was found on one.
type Host struct {
	Addr     netip.Addr
	AS       uint32    // number of its autonomous system, 0 if that is not known
	Services []Service // ascending by port, which each has once; those that sent data
}

// Service is one that sent data.
type Service struct {
	Port  uint16
	Label uint16 // its number in Sample.Labels
}

// network is the host's /24, or /48 in IPv6.
func (h *Host) network() uint64 {
	if h.Addr.Is4() {
		a := h.Addr.As4()
		return 1<<63 | uint64(a[0])<<16 | uint64(a[1])<<8 | uint64(a[2])
	}
	a := h.Addr.As16()
	return uint64(a[0])<<40 | uint64(a[1])<<32 | uint64(a[2])<<24 | uint64(a[3])<<16 | uint64(a[4])<<8 | uint64(a[5])
}

// part is which of n parts of the hosts a host is in, from 0, by its address alone.
func (h *Host) part(n int) int {
	a := h.Addr.As16()
	return int(xxh3.HashSeed(a[:], partSeed) % uint64(n))
}

// Of these parts each is predicted by the others.
const (
	tenths    = 10
	fortieths = 40
)

// partSeed and unitSeed make what is drawn for one purpose independent of what is for another.
const (
	partSeed = 1
	unitSeed = 2
)

// ranking is the ports by how many hosts of a sample have a service there, and then by number.
type ranking struct {
	order []uint16 // the most popular first
	hosts [1 << 16]int32
}

// rank ranks the sample's ports by some of its hosts.
func rank(s *Sample, hosts []int32) *ranking {
	r := &ranking{order: slices.Clone(s.Ports)}
	for _, i := range hosts {
		for _, x := range s.Hosts[i].Services {
			r.hosts[x.Port]++
		}
	}
	slices.SortStableFunc(r.order, func(a, b uint16) int { return int(r.hosts[b] - r.hosts[a]) })
	return r
}

// bands is how many bands of ports there are.
const bands = 36

// bandOf is the band of the ports that so many hosts have: 0, 1, 2, 3, 4, 5 to 8, 9 to 16, ...
func bandOf(hosts int32) uint8 {
	if hosts <= 4 {
		return uint8(hosts)
	}
	return uint8(2 + bits.Len32(uint32(hosts-1)))
}

// kind says what a feature is about.
type kind uint8

const (
	anyHost    kind = iota // the host has some service on the first ports
	inAS                   // and is in this AS
	inNetwork              // and in this network
	onPort                 // it has a service on this port
	labelled               // with this label
	portInAS               // on this port, and is in this AS
	portInNet              // and in this network
	inBand                 // on a port of this band
	bandLabels             // with this label
)

// feature is something that hosts have in common.
type feature struct {
	kind  kind
	band  uint8
	port  uint16
	label uint16
	where uint64 // AS or network
}

// features calls each with what is known of a host, given its services on the first ports; some of it twice. It is nothing if
// there are none. Of the hosts that have one of its ports, it is one itself if it is learnt from: itself is then 1, and else 0.
func features(h *Host, r *ranking, first *[1 << 16]bool, itself int32, each func(feature)) {
	found := false
	network := h.network()
	for _, x := range h.Services {
		if !first[x.Port] {
			continue
		}
		if !found {
			found = true
			each(feature{kind: anyHost})
			each(feature{kind: inNetwork, where: network})
			if h.AS != 0 {
				each(feature{kind: inAS, where: uint64(h.AS)})
			}
		}
		band := bandOf(r.hosts[x.Port] - itself)
		each(feature{kind: onPort, port: x.Port})
		each(feature{kind: labelled, port: x.Port, label: x.Label})
		each(feature{kind: portInNet, port: x.Port, where: network})
		if h.AS != 0 {
			each(feature{kind: portInAS, port: x.Port, where: uint64(h.AS)})
		}
		each(feature{kind: inBand, band: band})
		each(feature{kind: bandLabels, band: band, label: x.Label})
	}
}

const (
	// fewest is how many hosts must have a feature, or a feature and a port, for the sample to tell anything of it, as in GPS.
	fewest = 3
	// prior is how many hosts it weighs as much as that the feature is a special case of another, such as port and label of port.
	prior = 8
	// single is how many ports a band may have for each of them to be looked at alone. Of larger bands those are that stand out.
	single = 32
	// mostRules bounds the chances that a Model keeps, of 8 bytes each. Beyond, they are made anew when they are asked for.
	mostRules = 16 << 20
)

// rule is what the hosts with a feature tell of the other ports.
type rule struct {
	hosts int            // that have the feature
	ports []likely       // those that are looked at alone, ascending
	band  [bands]float32 // chance of each other port of a band
}

// likely is a port with the chance of a service there.
type likely struct {
	port   uint16
	chance float32
}

func (l likely) compare(port uint16) int { return int(l.port) - int(port) }

// chance is that of a port of a band.
func (r *rule) chance(port uint16, band uint8) float64 {
	if at, ok := slices.BinarySearchFunc(r.ports, port, likely.compare); ok {
		return float64(r.ports[at].chance)
	}
	return float64(r.band[band])
}

// Model is what the hosts of a sample tell of ports.
type Model struct {
	*ranking
	sample *Sample
	first  [1 << 16]bool // what is known of other hosts
	size   [bands]int    // ports of each band that are not first
	alone  []uint16      // those that each rule has alone, ascending
	index  map[feature][]int32
	rules  map[feature]*rule
	kept   int   // chances in them
	any    *rule // of anyHost

	counts  [1 << 16]int32 // these are scratch, and zero between calls
	best    [1 << 16]float32
	touched []uint16
}

// Learn makes a model of a sample's hosts for hosts of which these ports are known.
func Learn(s *Sample, first []uint16) *Model {
	all := everyone(s)
	return learn(s, all, rank(s, all), first)
}

// learn makes a model of some of the hosts.
func learn(s *Sample, hosts []int32, r *ranking, first []uint16) *Model {
	m := &Model{ranking: r, sample: s, index: make(map[feature][]int32)}
	for _, port := range first {
		m.first[port] = true
	}
	for _, port := range s.Ports {
		if !m.first[port] {
			m.size[bandOf(m.hosts[port])]++
		}
	}
	for _, port := range s.Ports {
		if !m.first[port] && m.size[bandOf(m.hosts[port])] <= single {
			m.alone = append(m.alone, port)
		}
	}
	for _, i := range hosts {
		features(&s.Hosts[i], r, &m.first, 1, func(f feature) {
			if list := m.index[f]; len(list) == 0 || list[len(list)-1] != i {
				m.index[f] = append(list, i)
			}
		})
	}
	for f, list := range m.index {
		if len(list) < fewest {
			delete(m.index, f)
		}
	}
	m.forget()
	m.any = m.learnRule(m.index[feature{kind: anyHost}], nil)
	return m
}

// forget drops the rules: they can be made again.
func (m *Model) forget() { m.rules, m.kept = make(map[feature]*rule), 0 }

// rule is what a feature tells; nil if too few hosts have it.
func (m *Model) rule(f feature) *rule {
	if known, ok := m.rules[f]; ok {
		return known
	}
	hosts := m.index[f]
	if len(hosts) == 0 {
		return nil
	}
	if f.kind == anyHost {
		return m.any
	}
	r := m.learnRule(hosts, m.general(f))
	if m.kept += len(r.ports) + bands; m.kept > mostRules {
		m.forget()
	}
	m.rules[f] = r
	return r
}

// general is the rule of what a feature is a special case of. It has more hosts, so that there is one.
func (m *Model) general(f feature) *rule {
	switch f.kind {
	case labelled, portInAS, portInNet:
		return m.rule(feature{kind: onPort, port: f.port})
	case bandLabels:
		return m.rule(feature{kind: inBand, band: f.band})
	}
	return m.any
}

// learnRule counts what some hosts have on ports that are not first.
//
// A host's own service is no evidence that its port is popular. So each host's services are counted in the band that the port is
// in for all other hosts, as it will be for a host that is not of the sample. In this way ports that no host of the sample has
// get the chance that Good and Turing give to what has not been seen (Good, Biometrika 40, 1953).
func (m *Model) learnRule(hosts []int32, general *rule) *rule {
	r := &rule{hosts: len(hosts)}
	if len(hosts) == 0 {
		return r
	}
	var services, ports [bands]int
	for band, n := range m.size {
		ports[band] = n * len(hosts)
	}
	m.touched = m.touched[:0]
	for _, i := range hosts {
		for _, x := range m.sample.Hosts[i].Services {
			if m.first[x.Port] {
				continue
			}
			if m.counts[x.Port] == 0 {
				m.touched = append(m.touched, x.Port)
			}
			m.counts[x.Port]++
			own := bandOf(m.hosts[x.Port] - 1)
			services[own]++
			ports[own]++
			ports[bandOf(m.hosts[x.Port])]--
		}
	}
	weight := 0.0
	if general != nil {
		weight = prior
	} else {
		general = r // which counts for nothing
	}
	ofBand := func(band uint8) float64 {
		all := weight * float64(m.size[band])
		return (float64(services[band]) + float64(all*float64(general.band[band]))) / max(1, float64(ports[band])+all)
	}
	of := float64(len(hosts)) + weight
	for _, port := range m.alone {
		before := general.chance(port, bandOf(m.hosts[port]))
		r.ports = append(r.ports, likely{port, float32((float64(m.counts[port]) + float64(weight*before)) / of)})
	}
	for _, port := range m.touched {
		n, band, own := int(m.counts[port]), bandOf(m.hosts[port]), bandOf(m.hosts[port]-1)
		m.counts[port] = 0
		if m.size[band] <= single || n < fewest {
			continue
		}
		// By chance a port of the band stands out like this in one model of twenty: the tail of a normal variable.
		expected := max(ofBand(band), ofBand(own))
		mean := float64(expected * float64(len(hosts)))
		if beyond := float64(n) - mean; beyond <= 0 || beyond*beyond < 2*(math.Log(float64(m.size[band]))+3)*mean {
			continue
		}
		r.ports = append(r.ports, likely{port, float32((float64(n) + float64(weight*general.chance(port, band))) / of)})
		services[own] -= n
		ports[own] -= n
		ports[band] -= len(hosts) - n
	}
	slices.SortFunc(r.ports, func(a, b likely) int { return cmp.Compare(a.port, b.port) })
	for band := range r.band {
		r.band[band] = float32(ofBand(uint8(band)))
	}
	return r
}

// prediction is what is expected of a host's ports that are not known: of some each, of the others by their band.
type prediction struct {
	ports []likely // ascending
	band  [bands]float32
	size  [bands]int // how many ports of the band are not among ports
}

// predict fills in what is expected of a host, given its services on the first ports. It reports whether it has any.
func (m *Model) predict(h *Host, p *prediction) bool {
	p.ports, p.band, p.size = p.ports[:0], [bands]float32{}, m.size
	var rules []*rule
	features(h, m.ranking, &m.first, 0, func(f feature) {
		if r := m.rule(f); r != nil && !slices.Contains(rules, r) {
			rules = append(rules, r)
		}
	})
	m.touched = m.touched[:0]
	for _, r := range rules {
		for band, chance := range r.band {
			p.band[band] = max(p.band[band], chance)
		}
		for _, x := range r.ports {
			if m.best[x.port] == 0 {
				m.touched = append(m.touched, x.port)
			}
			m.best[x.port] = max(m.best[x.port], x.chance)
		}
	}
	slices.Sort(m.touched)
	for _, port := range m.touched {
		if band := bandOf(m.hosts[port]); m.best[port] > p.band[band] {
			p.ports = append(p.ports, likely{port, m.best[port]})
			p.size[band]--
		}
		m.best[port] = 0
	}
	return len(rules) > 0
}

// level is the expected yield of a probe in steps of an eighth of an octave at most, 0 the highest. That of 0 is the last.
func level(chance float32) int {
	const one = 0x3f800000 // 1, as a float32
	return min(int((one-min(one, math.Float32bits(chance)))>>20), levels-1)
}

// levels is how many there are: down to 2^-24.
const levels = 8*24 + 1

// Popular gives the n ports that the most hosts of a sample have a service on.
func Popular(s *Sample, n int) []uint16 { return rank(s, everyone(s)).order[:n] }

// everyone is the numbers of all hosts.
func everyone(s *Sample) []int32 {
	all := make([]int32, len(s.Hosts))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
