// Package order finds the order in which to try handshakes so that few of them identify many
// services (paper, section 4 and Table 2): the paper's greedy choice, and the exact optimum to
// measure it against. It knows nothing of packets: its input is how many services each set of
// handshakes identifies, as a scan with --all-handshakes shows (analysis.Responses counts them).
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

// Compare orders sets: an arbitrary order that is always the same.
func (s Set) Compare(with Set) int { return slices.Compare(s[:], with[:]) }

// Renumber is the same set over another list, in which handshake i is at to[i].
func (s Set) Renumber(to []int) Set {
	var renumbered Set
	for i := range s.all() {
		renumbered.Add(to[i])
	}
	return renumbered
}

// all iterates over the handshakes in the set.
func (s Set) all() iter.Seq[int] {
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
	Services   int // how many
}

// Step is one handshake of an order: one line of Table 2. Shares are of the services that any of
// the handshakes identifies, 0 to 1.
type Step struct {
	Rank            int // from 1
	Handshake       string
	Gained          int // services that it identifies and those before it do not
	Share           float64
	Cumulative      int // services that it or one before it identifies
	CumulativeShare float64
}

// Greedy orders the handshakes as the paper does: the next one is that which identifies the most
// services still unidentified, and of several such the first in the list. It ends when no
// handshake gains a service: the last step's Cumulative is the number of services that can be
// identified at all. The order of the patterns does not matter. It panics if there are more than
// MaxHandshakes handshakes.
func Greedy(patterns []Pattern, handshakes []string) []Step {
	left := distinct(patterns, handshakes)
	var steps []Step
	sum := 0
	for {
		best, gained := -1, 0
		for h, gain := range gains(left, len(handshakes)) {
			if gain > gained {
				best, gained = h, gain
			}
		}
		if best < 0 {
			break
		}
		left = without(left, best)
		sum += gained
		steps = append(steps, Step{Rank: len(steps) + 1, Handshake: handshakes[best], Gained: gained, Cumulative: sum})
	}
	for i := range steps {
		steps[i].Share = float64(steps[i].Gained) / float64(sum)
		steps[i].CumulativeShare = float64(steps[i].Cumulative) / float64(sum)
	}
	return steps
}

// distinct puts patterns that are the same together.
func distinct(patterns []Pattern, handshakes []string) []Pattern {
	if len(handshakes) > MaxHandshakes {
		panic(fmt.Sprintf("order: %d handshakes, at most %d", len(handshakes), MaxHandshakes))
	}
	count := make(map[Set]int)
	for _, p := range patterns {
		count[p.Identified] += p.Services
	}
	list := make([]Pattern, 0, len(count))
	for set, n := range count {
		list = append(list, Pattern{set, n})
	}
	return list
}

// gains is how many services of the patterns each of n handshakes identifies.
func gains(patterns []Pattern, n int) []int {
	gain := make([]int, n)
	for _, p := range patterns {
		for h := range p.Identified.all() {
			if h < n {
				gain[h] += p.Services
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
