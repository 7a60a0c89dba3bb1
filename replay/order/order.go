// Package order finds the order in which to try handshakes so that few of them identify many
// services (paper, section 4 and Table 2): the paper's greedy choice, the exact optimum to measure
// it against, the order that gains the most for its cost, and the one that adapts to the port and to
// what a service has shown. It knows nothing of packets: its input is how many services each set of
// handshakes identifies, as a scan with --all-handshakes shows (analysis.Outcomes counts them).
package order

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// MaxHandshakes is how many handshakes a Set can tell apart.
const MaxHandshakes = 128

// Set is a set of handshakes, each by its index in the list that goes with the set. The zero
// Set is empty.
type Set [MaxHandshakes / 64]uint64

// Add puts handshake i into the set. It panics unless 0 <= i < MaxHandshakes.
func (s *Set) Add(i int) { s[i/64] |= 1 << (i % 64) }

// Has reports whether handshake i is in the set.
func (s Set) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// Len is the number of handshakes in the set.
func (s Set) Len() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

// Union is the set of what is in either.
func (s Set) Union(with Set) Set { return Set{s[0] | with[0], s[1] | with[1]} }

// Without is the set of what is not in the other.
func (s Set) Without(other Set) Set { return Set{s[0] &^ other[0], s[1] &^ other[1]} }

// Compare orders sets: an arbitrary order that is always the same.
func (s Set) Compare(with Set) int { return slices.Compare(s[:], with[:]) }

// Renumber is the same set over another list, in which handshake i is at to[i].
func (s Set) Renumber(to []int) Set {
	var renumbered Set
	for i := range s.All() {
		renumbered.Add(to[i])
	}
	return renumbered
}

// All iterates over the handshakes in the set, from the lowest.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for word, left := range s {
			for ; left != 0; left &= left - 1 {
				if !yield(word*64 + bits.TrailingZeros64(left)) {
					return
				}
			}
		}
	}
}

// Pattern is services that the same handshakes identified, of those that were tried with every one.
type Pattern struct {
	Identified Set
	Services   int   // how many
	Weight     int64 // what they count for, all together: Services, if every service counts alike
}

// PortWeight is what the identified services of a port count for, all together, where every port
// counts alike. It is as fine as lets the weight of 65,536 ports be a whole number in a float64.
const PortWeight int64 = 1 << 32

// Step is one handshake of an order: one line of Table 2. Shares are of the weight of the services
// that any of the handshakes identifies, 0 to 1.
type Step struct {
	Rank            int // from 1
	Handshake       string
	Gained          int // services that it identifies and those before it do not
	Share           float64
	Cumulative      int // services that it or one before it identifies
	CumulativeShare float64
}

// Greedy orders the handshakes as the paper does: the next one is that which identifies the most
// services still unidentified, by their weight, and of several such the first in the list. It ends
// when no handshake gains anything: the last step's Cumulative is the number of services that can be
// identified at all. The order of the patterns does not matter. It panics if there are more than
// MaxHandshakes handshakes.
func Greedy(patterns []Pattern, handshakes []string) []Step {
	left := distinct(patterns, handshakes)
	var chosen []int
	for {
		best, most := -1, int64(0)
		for h, gain := range gains(left, len(handshakes)) {
			if gain > most {
				best, most = h, gain
			}
		}
		if best < 0 {
			return steps(patterns, handshakes, chosen)
		}
		left = without(left, best)
		chosen = append(chosen, best)
	}
}

// Follow tells what each handshake of an order gains where the ones before it were tried: what Greedy
// does for its own order, for any. A handshake that gains nothing has a step nevertheless.
func Follow(order []string, patterns []Pattern, handshakes []string) []Step {
	chosen := make([]int, len(order))
	for i, name := range order {
		chosen[i] = slices.Index(handshakes, name)
	}
	return steps(patterns, handshakes, chosen)
}

// steps makes lines of Table 2 of handshakes in an order, by their index; -1 is one that nothing was tried with.
func steps(patterns []Pattern, handshakes []string, chosen []int) []Step {
	var all, weight int64
	for _, p := range patterns {
		if p.Identified != (Set{}) {
			all += p.Weight
		}
	}
	left, sum := patterns, 0
	var list []Step
	for i, h := range chosen {
		s := Step{Rank: i + 1}
		if h >= 0 {
			s.Handshake = handshakes[h]
			var gain int64
			for _, p := range left {
				if p.Identified.Has(h) {
					s.Gained += p.Services
					gain += p.Weight
				}
			}
			left = without(left, h)
			sum += s.Gained
			weight += gain
			s.Share = share(gain, all)
		}
		s.Cumulative, s.CumulativeShare = sum, share(weight, all)
		list = append(list, s)
	}
	return list
}

// share is a part of what there is, 0 if there is nothing.
func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// distinct puts patterns that are the same together, and leaves out those that nothing identifies.
func distinct(patterns []Pattern, handshakes []string) []Pattern {
	if len(handshakes) > MaxHandshakes {
		panic(fmt.Sprintf("order: %d handshakes, at most %d", len(handshakes), MaxHandshakes))
	}
	at := make(map[Set]int)
	var list []Pattern
	for _, p := range patterns {
		if p.Identified == (Set{}) {
			continue
		}
		i, ok := at[p.Identified]
		if !ok {
			i = len(list)
			at[p.Identified] = i
			list = append(list, Pattern{Identified: p.Identified})
		}
		list[i].Services += p.Services
		list[i].Weight += p.Weight
	}
	return list
}

// gains is what the services that each of n handshakes identifies weigh.
func gains(patterns []Pattern, n int) []int64 {
	gain := make([]int64, n)
	for i := range patterns {
		p := &patterns[i]
		for word, left := range p.Identified {
			for ; left != 0; left &= left - 1 {
				if h := word*64 + bits.TrailingZeros64(left); h < n {
					gain[h] += p.Weight
				}
			}
		}
	}
	return gain
}

// without leaves out the patterns that handshake h identifies.
func without(patterns []Pattern, h int) []Pattern {
	left := make([]Pattern, 0, len(patterns))
	for _, p := range patterns {
		if !p.Identified.Has(h) {
			left = append(left, p)
		}
	}
	return left
}

// index is where a handshake is in the list. It panics if it is not there.
func index(handshakes []string, name string) int {
	i := slices.Index(handshakes, name)
	if i < 0 {
		panic(fmt.Sprintf("order: handshake %q is not in the list", name))
	}
	return i
}
