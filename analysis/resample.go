package analysis

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"

	"laserdisc/replay/order"
)

// hostHash is a keyed function of a seed and a host's address, from which all that is drawn for the host follows.
type hostHash uint64

func hostKey(addr string, seed uint64) hostHash { return hostHash(xxh3.HashStringSeed(addr, seed)) }

// tenth is the part of the hosts that the host is in, from 0.
func (h hostHash) tenth() int { return int(xxh3.HashStringSeed("tenth", uint64(h)) % Tenths) }

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

// resample draws how often the host is in each resample: four of each hash of (host, number of the four).
func (h hostHash) resample(weights *[Resamples]uint8) {
	var block [8]byte
	for r := 0; r < Resamples; r += 4 {
		binary.LittleEndian.PutUint64(block[:], uint64(r))
		x := xxh3.HashSeed(block[:], uint64(h))
		weights[r] = poisson[x&0xffff]
		weights[r+1] = poisson[x>>16&0xffff]
		weights[r+2] = poisson[x>>32&0xffff]
		weights[r+3] = poisson[x>>48]
	}
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
		slices.Sort(list)
		b.Gains = append(b.Gains, Interval{list[len(list)/40], list[len(list)-1-len(list)/40]})
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
