package analysis

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/zeebo/xxh3"

	"laserdisc/replay/order"
)

// hostHash is a keyed function of a seed and a host's address, from which all that is drawn for the host follows.
type hostHash uint64

func hostKey(addr string, seed uint64) hostHash { return hostHash(xxh3.HashStringSeed(addr, seed)) }

// tenth is the part of the hosts that the host is in, from 0.
func (h hostHash) tenth() int { return int(xxh3.HashStringSeed("tenth", uint64(h)) % Tenths) }

// Resamples is how many resamples of the hosts there are.
const Resamples = 1000

// hostGroups is how many random groups of hosts are told apart. A resample counts each group as often as a Poisson variable of mean
// 1 says. Of a few hundred hosts most have a group of their own, so that hosts are resampled; and of however many, what a ratio
// varies by is that of resampled hosts in expectation, but for a part in 1,024, and within 4 % of it two times in three. So a
// service costs one addition, and not one for each resample.
const hostGroups = 1024

// group is the group that the host is in, from 0.
func (h hostHash) group() int { return int(h % hostGroups) }

// grouped is how many services there are in each of the groups that have any, of those that the same handshakes identify.
type grouped struct {
	identified
	groups   []uint16
	services []uint32 // of each of the groups
}

func newGrouped(by identified, services *[hostGroups]uint32) grouped {
	g := grouped{identified: by}
	for group, n := range services {
		if n > 0 {
			g.groups, g.services = append(g.groups, uint16(group)), append(g.services, n)
		}
	}
	return g
}

// in is how many services there are in a resample.
func (g *grouped) in(weights *[hostGroups]uint8) (n int) {
	for i, group := range g.groups {
		n += int(g.services[i]) * int(weights[group])
	}
	return n
}

// poisson is, by a uniform variable of 16 bits, a Poisson variable of mean 1: what counts a host has in a bootstrap whose
// resamples are drawn host by host, whatever the number of hosts.
var poisson = func() (table [1 << 16]uint8) {
	// The distribution function in 65,536ths: e^-1 (1 + 1/1! + 1/2! + ...), rounded.
	ends := [...]int{24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535, 65536}
	k := 0
	for u := range table {
		if u == ends[k] {
			k++
		}
		table[u] = uint8(k)
	}
	return table
}()

// drawGroups draws how often each group is in a resample: four of each hash of (resample, number of the four).
func drawGroups(seed uint64, resample int) *[hostGroups]uint8 {
	weights := new([hostGroups]uint8)
	var block [16]byte
	binary.LittleEndian.PutUint64(block[8:], uint64(resample))
	for g := 0; g < hostGroups; g += 4 {
		binary.LittleEndian.PutUint64(block[:], uint64(g))
		x := xxh3.HashSeed(block[:], seed)
		weights[g] = poisson[x&0xffff]
		weights[g+1] = poisson[x>>16&0xffff]
		weights[g+2] = poisson[x>>32&0xffff]
		weights[g+3] = poisson[x>>48]
	}
	return weights
}

// Resample is the services that something identifies, in one of the Resamples of hosts.
func (o *Outcomes) Resample(r int) []order.Pattern {
	weights := drawGroups(o.seed, r)
	var list []order.Pattern
	var ports []uint16
	onPort := make(map[uint16]int)
	for i := range o.grouped {
		g := &o.grouped[i]
		if g.by == (order.Set{}) {
			continue
		}
		if n := g.in(weights); n > 0 {
			list, ports = append(list, order.Pattern{Identified: g.by, Services: n}), append(ports, g.port)
			onPort[g.port] += n
		}
	}
	for i := range list {
		list[i].Weight = weigh(list[i].Services, onPort[ports[i]], o.byPort)
	}
	return list
}

// Identified is which share of all services, of those too that nothing identifies, each handshake of an order identifies together
// with those before it, and where that share is in 95 % of the resamples that have any service. Every service counts alike. It is
// valid only for Outcomes that were not counted by port.
func (o *Outcomes) Identified(steps []order.Step) (shares []float64, between []Interval) {
	// Services by the first step that identifies them; those that none does at the end.
	first := make([]*[hostGroups]uint32, len(steps)+1)
	for i := range first {
		first[i] = new([hostGroups]uint32)
	}
	for i := range o.grouped {
		g := &o.grouped[i]
		at := slices.IndexFunc(steps, func(s order.Step) bool { return g.by.Has(slices.Index(o.Handshakes, s.Handshake)) })
		if at < 0 {
			at = len(steps)
		}
		for k, group := range g.groups {
			first[at][group] += g.services[k]
		}
	}
	cumulate := func(weights *[hostGroups]uint8) []float64 {
		list, sum := make([]float64, len(first)), 0
		for i := range first {
			for group, n := range first[i] {
				sum += int(n) * int(weights[group])
			}
			list[i] = float64(sum)
		}
		for i := range list {
			list[i] /= float64(sum)
		}
		return list[:len(steps)]
	}
	var once [hostGroups]uint8
	for i := range once {
		once[i] = 1
	}
	resampled := make([][]float64, len(steps))
	for r := range Resamples {
		for i, share := range cumulate(drawGroups(o.seed, r)) {
			if !math.IsNaN(share) {
				resampled[i] = append(resampled[i], share)
			}
		}
	}
	for _, list := range resampled {
		between = append(between, percentiles(list))
	}
	return cumulate(&once), between
}

// Bootstrap is how an order would differ if other hosts had been scanned: a bootstrap over hosts, as the services of one host
// are alike (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; the Poisson weights are those of Hanley and MacGibbon,
// "Creating non-parametric bootstrap samples using Poisson frequencies", 2006). Its intervals are percentiles.
type Bootstrap struct {
	Handshakes []string   // those of the order, and then others that have a rank in some resample
	Ranks      [][]int    // by handshake, the number of resamples whose own greedy order has it at each rank, from the first
	Gains      []Interval // by step of the order, where the share that it gains is in 95 % of the resamples that have any service
}

// Interval is between two percentiles, 2.5 and 97.5.
type Interval struct{ Lo, Hi float64 }

// percentiles puts the values in order, of which there is one at least.
func percentiles(values []float64) Interval {
	slices.Sort(values)
	return Interval{values[len(values)/40], values[len(values)-1-len(values)/40]}
}

// Bootstrap compares an order with the resamples.
func (o *Outcomes) Bootstrap(steps []order.Step) *Bootstrap {
	b := new(Bootstrap)
	for _, s := range steps {
		b.Handshakes = append(b.Handshakes, s.Handshake)
	}
	of := slices.Clone(b.Handshakes)
	b.Ranks = make([][]int, len(of))
	gains := make([][]float64, len(of))
	for r := range Resamples {
		patterns := o.Resample(r)
		if len(patterns) == 0 {
			continue // there are no shares of nothing
		}
		for rank, s := range order.Greedy(patterns, o.Handshakes) {
			i := slices.Index(b.Handshakes, s.Handshake)
			if i < 0 {
				i = len(b.Handshakes)
				b.Handshakes, b.Ranks = append(b.Handshakes, s.Handshake), append(b.Ranks, nil)
			}
			for len(b.Ranks[i]) <= rank {
				b.Ranks[i] = append(b.Ranks[i], 0)
			}
			b.Ranks[i][rank]++
		}
		for i, s := range order.Follow(of, patterns, o.Handshakes) {
			gains[i] = append(gains[i], s.Share)
		}
	}
	for _, list := range gains {
		b.Gains = append(b.Gains, percentiles(list))
	}
	return b
}

// At is the number of resamples in which the handshake with this number in Handshakes has a rank, from 0.
func (b *Bootstrap) At(handshake, rank int) int {
	if rank >= len(b.Ranks[handshake]) {
		return 0
	}
	return b.Ranks[handshake][rank]
}

// HeldOut is what an order identifies of services that it was not learnt from: each tenth of the hosts is tried with the greedy
// order of the others. It is the share of the services that something identifies, for the first n handshakes, n from 1.
func (o *Outcomes) HeldOut(n int) []float64 {
	shares := make([]float64, n)
	var all int64
	for tenth := range Tenths {
		in, others := o.Tenth(tenth)
		patterns := order.Patterns(in)
		weight := int64(0)
		for _, p := range patterns {
			if p.Identified != (order.Set{}) {
				weight += p.Weight
			}
		}
		all += weight
		var learnt []string
		for _, s := range order.Greedy(order.Patterns(others), o.Handshakes) {
			learnt = append(learnt, s.Handshake)
		}
		steps := order.Follow(learnt, patterns, o.Handshakes)
		for k := range shares {
			if len(steps) > 0 {
				shares[k] += float64(steps[min(k, len(steps)-1)].CumulativeShare * float64(weight)) // rounded before it is added, on every machine
			}
		}
	}
	for k := range shares {
		shares[k] /= float64(all)
	}
	return shares
}

// Efforts is what the greedy order and the adaptive one take on services that they were not learnt from, each tenth of the hosts
// with the orders of the others. All is the weight of the services that something identifies.
func (o *Outcomes) Efforts() (fixed, adaptive order.Effort, all float64) {
	for tenth := range Tenths {
		in, others := o.Tenth(tenth)
		fixed.Add(order.Fixed(order.Greedy(order.Patterns(others), o.Handshakes), in, o.Handshakes))
		adaptive.Add(order.Adapt(others, o.Handshakes).Effort(in))
		for _, of := range in {
			if of.Identified != (order.Set{}) {
				all += float64(of.Weight)
			}
		}
	}
	return fixed, adaptive, all
}
