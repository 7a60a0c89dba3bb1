package target

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPermutationIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.Uint64Range(0, 5000).Draw(t, "last")
		p := newPermutation(last, rapid.Uint64().Draw(t, "seed"), permuteServices)
		seen := make([]bool, last+1)
		for i := range last + 1 {
			value := p.at(i)
			if value > last || seen[value] {
				t.Fatalf("at(%d) = %d, of 0..%d, seen before: %v", i, value, last, value <= last)
			}
			seen[value] = true
		}
	})
}

func TestPermutationInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.Uint64().Draw(t, "last")
		i := rapid.Uint64Range(0, last).Draw(t, "i")
		p := newPermutation(last, rapid.Uint64().Draw(t, "seed"), permuteHosts)
		value := p.at(i)
		if value > last {
			t.Fatalf("at(%d) = %d of 0..%d", i, value, last)
		}
		if got := p.indexOf(value); got != i {
			t.Fatalf("indexOf(at(%d)) = %d", i, got)
		}
	})
}

// A manifest's seed must give the same scan in every later version.
func TestPermutationNeverChanges(t *testing.T) {
	for _, c := range []struct {
		last, seed uint64
		want       [4]uint64
	}{
		{9, 0, [4]uint64{5, 2, 1, 0}},
		{1<<32 - 1, 1, [4]uint64{3829901513, 1850374082, 4064835939, 2604941482}},
		{math.MaxUint64, 2026, [4]uint64{6570854507815462909, 7521935300622767989, 15311875837745837631, 1733987434140172280}},
	} {
		p := newPermutation(c.last, c.seed, permuteServices)
		if got := [4]uint64{p.at(0), p.at(1), p.at(2), p.at(3)}; got != c.want {
			t.Errorf("0..%d with seed %d starts %v, want %v", c.last, c.seed, got, c.want)
		}
	}
}

// The first part of the permutation is the sample, so it must be uniform over
// the domain, and what follows one value must not depend on it. The bound is the
// 99.9 % point of chi-square, 330.5 for 255 degrees of freedom; the seeds are
// fixed.
func TestPermutationIsUniform(t *testing.T) {
	const draws = 256 * 400
	for _, last := range []uint64{1<<20 - 1, 3_702_258_432*37 - 1, math.MaxUint64} {
		for seed := range uint64(8) {
			p := newPermutation(last, seed, permuteServices)
			bucket := func(value uint64) int { return int(float64(value) / (float64(last) + 1) * 256) }
			var place, low, step, seeds [256]int
			other := newPermutation(last, seed+1, permuteServices)
			previous := p.at(draws)
			for i := range uint64(draws) {
				value := p.at(i)
				place[bucket(value)]++
				low[value%256]++
				step[bucket(value-previous+(last+1)*btoi(value < previous))]++
				seeds[byte(bucket(value)-bucket(other.at(i)))]++
				previous = value
			}
			for name, counts := range map[string][256]int{"place": place, "low byte": low, "step": step, "next seed": seeds} {
				if x := chiSquare(counts); x > 330.5 {
					t.Errorf("0..%d, seed %d: %s: chi-square %.1f", last, seed, name, x)
				}
			}
		}
	}
}

// Over many seeds, every value of a small domain is equally often at a place.
func TestSmallPermutationIsUniformOverSeeds(t *testing.T) {
	for _, place := range []uint64{0, 1, 255} {
		var counts [256]int
		for seed := range uint64(256 * 400) {
			p := newPermutation(255, seed, permuteHosts)
			counts[p.at(place)]++
		}
		if x := chiSquare(counts); x > 330.5 {
			t.Errorf("place %d: chi-square %.1f", place, x)
		}
	}
}

func btoi(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// chiSquare tests counts against equal shares.
func chiSquare(counts [256]int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	expected, sum := float64(total)/256, 0.0
	for _, n := range counts {
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return sum
}
