// Package order finds the order in which to try handshakes so that few of them identify many
// services (paper, section 4 and Table 2): the paper's greedy choice, and the exact optimum to
// measure it against. It knows nothing of packets: its input is which handshakes identify which
// service, as a scan with --all-handshakes shows.
package order

import (
	"fmt"
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

// Service is one service that was tried with every handshake.
type Service struct {
	Port       uint16
	Expected   string // protocol that the port's assignment leads one to expect; "" is none
	Label      string // protocol that it speaks; "" if nothing identified it
	Identified Set    // the handshakes that identified it
}

// On gives the services on a set of ports.
func On(services []Service, ports []uint16) []Service {
	return keep(services, func(s *Service) bool { return slices.Contains(ports, s.Port) })
}

// Unexpected leaves out the services that speak what is expected on their port: the paper's
// Table 2 takes it that they have been tried with that first.
func Unexpected(services []Service) []Service {
	return keep(services, func(s *Service) bool { return s.Expected == "" || s.Label != s.Expected })
}

func keep(services []Service, is func(*Service) bool) []Service {
	var kept []Service
	for i := range services {
		if is(&services[i]) {
			kept = append(kept, services[i])
		}
	}
	return kept
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
// identified at all. The order of the services does not matter. It panics if there are more than
// MaxHandshakes handshakes.
func Greedy(services []Service, handshakes []string) []Step {
	left := group(services, handshakes)
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

// pattern is the services that the same handshakes identify.
type pattern struct {
	set   Set
	count int
}

// group counts the services by what identifies them: there are far fewer patterns than services.
func group(services []Service, handshakes []string) []pattern {
	if len(handshakes) > MaxHandshakes {
		panic(fmt.Sprintf("order: %d handshakes, at most %d", len(handshakes), MaxHandshakes))
	}
	count := make(map[Set]int)
	for i := range services {
		count[services[i].Identified]++
	}
	patterns := make([]pattern, 0, len(count))
	for set, n := range count {
		patterns = append(patterns, pattern{set, n})
	}
	return patterns
}

// gains is how many services of the patterns each of n handshakes identifies.
func gains(patterns []pattern, n int) []int {
	gain := make([]int, n)
	for _, p := range patterns {
		for word, set := range p.set {
			for ; set != 0; set &= set - 1 {
				if h := word*64 + bits.TrailingZeros64(set); h < n {
					gain[h] += p.count
				}
			}
		}
	}
	return gain
}

// without leaves out the patterns that handshake h identifies.
func without(patterns []pattern, h int) []pattern {
	left := make([]pattern, 0, len(patterns))
	for _, p := range patterns {
		if !p.set.Has(h) {
			left = append(left, p)
		}
	}
	return left
}
