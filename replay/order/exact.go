package order

import (
	"cmp"
	"slices"
)

// Cover is a choice of handshakes.
type Cover struct {
	Handshakes []string // in the order of the list
	Identified int      // services that at least one of them identifies
	Share      float64  // of the weight of all that can be identified, 0 to 1
}

// Exact finds the k handshakes that together identify the most services, by their weight: the optimum that the
// first k steps of Greedy reach at least 1 - 1/e of (Nemhauser, Wolsey and Fisher, 1978), and
// usually all of. Of several such choices it takes Greedy's, if that is one of them. It gives
// fewer than k handshakes if those identify all that can be.
//
// It is a branch and bound whose time can grow as the number of choices; with the few dozen
// handshakes of a scan and k up to 10 it is a matter of milliseconds.
func Exact(patterns []Pattern, handshakes []string, k int) Cover {
	s := search{n: len(handshakes)}
	left := distinct(patterns, handshakes)
	greedy := Greedy(left, handshakes)
	for _, step := range greedy[:max(0, min(k, len(greedy)))] {
		h := slices.Index(handshakes, step.Handshake)
		s.choice = append(s.choice, h)
		s.best += gains(left, s.n)[h]
		left = without(left, h)
	}
	all := make([]int, s.n)
	for i := range all {
		all[i] = i
	}
	s.descend(distinct(patterns, handshakes), all, 0, k)
	slices.Sort(s.choice)
	var cover Cover
	for _, step := range steps(patterns, handshakes, s.choice) {
		cover.Handshakes = append(cover.Handshakes, step.Handshake)
		cover.Identified, cover.Share = step.Cumulative, step.CumulativeShare
	}
	return cover
}

type search struct {
	n      int
	chosen []int // on the way down
	choice []int // the best so far
	best   int64 // weight of the services that it identifies
}

// descend tries to add up to k of the candidates to what is chosen, which identifies services of the
// weight covered and leaves the patterns. No k candidates can gain more than the k largest gains
// together: where that does not beat the best choice so far, there is nothing to look for.
func (s *search) descend(left []Pattern, candidates []int, covered int64, k int) {
	if covered > s.best {
		s.best, s.choice = covered, slices.Clone(s.chosen)
	}
	if k <= 0 {
		return
	}
	gain := gains(left, s.n)
	candidates = slices.DeleteFunc(slices.Clone(candidates), func(h int) bool { return gain[h] == 0 })
	slices.SortFunc(candidates, func(a, b int) int { return cmp.Or(cmp.Compare(gain[b], gain[a]), cmp.Compare(a, b)) })
	for i, h := range candidates {
		bound := covered
		for _, next := range candidates[i:min(i+k, len(candidates))] {
			bound += gain[next]
		}
		if bound <= s.best {
			return
		}
		s.chosen = append(s.chosen, h)
		s.descend(without(left, h), candidates[i+1:], covered+gain[h], k-1)
		s.chosen = s.chosen[:len(s.chosen)-1]
	}
}
