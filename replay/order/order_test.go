package order

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func set(handshakes ...int) (s Set) {
	for _, h := range handshakes {
		s.Add(h)
	}
	return s
}

func services(n int, identified Set) []Pattern { return []Pattern{{identified, n, int64(n)}} }

// Ten services: wait identifies 5, http 6 of which 3 are new, tls 3 of which 2 are.
func TestGreedy(t *testing.T) {
	list := slices.Concat(
		services(2, set(1)), services(2, set(0, 1)), services(3, set(0)), services(1, set(1, 2)), services(2, set(2)),
		services(4, set()), // not to be identified
	)
	got := Greedy(list, []string{"http", "wait", "tls"})
	want := []Step{
		{1, "http", 5, 0.5, 5, 0.5},
		{2, "wait", 3, 0.3, 8, 0.8},
		{3, "tls", 2, 0.2, 10, 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestGreedyTakesTheFirstOfEquals(t *testing.T) {
	got := Greedy(slices.Concat(services(1, set(1)), services(1, set(0))), []string{"a", "b"})
	if got[0].Handshake != "a" || got[1].Handshake != "b" {
		t.Error(got)
	}
}

func TestGreedyOfNothing(t *testing.T) {
	if got := Greedy(services(3, set()), []string{"http"}); got != nil {
		t.Error(got)
	}
}

func TestSet(t *testing.T) {
	s := set(0, 63, 64, 127)
	to := make([]int, MaxHandshakes)
	for i := range to {
		to[i] = MaxHandshakes - 1 - i
	}
	if s.Len() != 4 || s.Renumber(to) != s || set(1, 64).Renumber(to) != set(126, 63) {
		t.Errorf("%x renumbered is %x", s, s.Renumber(to))
	}
	if set(1).Union(set(64)) != set(1, 64) || set(1).Compare(set(2)) >= 0 || s.Compare(s) != 0 {
		t.Error("Union or Compare")
	}
}

// The classic: the largest set shares its services with two that together have all.
func TestExactBeatsGreedy(t *testing.T) {
	list := slices.Concat(services(2, set(0, 1)), services(2, set(0, 2)), services(1, set(1)), services(1, set(2)))
	handshakes := []string{"large", "left", "right"}
	if got := Greedy(list, handshakes)[1].Cumulative; got != 5 {
		t.Errorf("greedy identifies %d", got)
	}
	want := Cover{[]string{"left", "right"}, 6, 1}
	if d := cmp.Diff(want, Exact(list, handshakes, 2)); d != "" {
		t.Error(d)
	}
	want = Cover{[]string{"large", "left", "right"}, 6, 1}
	if d := cmp.Diff(want, Exact(list, handshakes, 9)); d != "" {
		t.Error("Greedy's choice is as good and was not taken:", d)
	}
	if d := cmp.Diff(Cover{}, Exact(list, handshakes, 0)); d != "" {
		t.Error(d)
	}
}

var names = []string{"wait", "http", "tls", "dns", "ssh", "pptp", "oracle", "redis"}

// anyServices are patterns over names whose weight is not their number, or is.
func anyServices(limit int) *rapid.Generator[[]Pattern] {
	return rapid.Custom(func(t *rapid.T) []Pattern {
		weigh := rapid.Bool().Draw(t, "weigh")
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Pattern {
			p := Pattern{
				Identified: Set{rapid.Uint64Max(1<<len(names)-1).Draw(t, "identified") & rapid.Uint64().Draw(t, "mask")},
				Services:   rapid.IntRange(1, 3).Draw(t, "services"),
			}
			p.Weight = int64(p.Services)
			if weigh {
				p.Weight = rapid.Int64Range(0, PortWeight).Draw(t, "weight")
			}
			return p
		}), 0, limit).Draw(t, "patterns")
	})
}

// plainGreedy is Greedy written apart from it: a matrix with a row a pattern, no sets, no sums kept.
func plainGreedy(list []Pattern, handshakes []string) (order []string, gained []int64) {
	matrix, identified := make([][]bool, len(list)), make([]bool, len(list))
	for row, p := range list {
		for h := range handshakes {
			matrix[row] = append(matrix[row], p.Identified.Has(h))
		}
	}
	for range handshakes {
		weight := make(map[string]int64)
		for row, p := range list {
			for h, name := range handshakes {
				if matrix[row][h] && !identified[row] {
					weight[name] += p.Weight
				}
			}
		}
		next := slices.MaxFunc(handshakes, func(a, b string) int { return int(weight[a] - weight[b]) })
		if weight[next] == 0 {
			break
		}
		order, gained = append(order, next), append(gained, weight[next])
		for row := range list {
			identified[row] = identified[row] || matrix[row][slices.Index(handshakes, next)]
		}
	}
	return order, gained
}

// TestGreedyIsPlainGreedy compares the two on 1,000 random matrices.
func TestGreedyIsPlainGreedy(t *testing.T) {
	next := anyServices(60)
	for i := range 1000 {
		list := next.Example(i)
		steps := Greedy(list, names)
		order, gained := plainGreedy(list, names)
		all := int64(0)
		for _, p := range list {
			if p.Identified != (Set{}) {
				all += p.Weight
			}
		}
		if len(steps) != len(order) {
			t.Fatalf("%v: %v, and by itself %v", list, steps, order)
		}
		for k, s := range steps {
			if s.Handshake != order[k] || s.Share != float64(gained[k])/float64(all) {
				t.Fatalf("%v: step %+v, and by itself %s that gains %d of %d", list, s, order[k], gained[k], all)
			}
		}
		if d := cmp.Diff(steps, Follow(order, list, names), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	}
}

func TestGreedyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := anyServices(60).Draw(t, "services")
		steps := Greedy(list, names)

		sum, share, seen := 0, 0.0, make(map[string]bool)
		for i, s := range steps {
			sum += s.Gained
			share += s.Share
			switch {
			case s.Rank != i+1, seen[s.Handshake], s.Gained == 0, s.Share <= 0:
				t.Fatalf("step %d: %+v", i, s)
			case i > 0 && s.Share > steps[i-1].Share:
				t.Fatalf("step %d gains more than the one before", s.Rank)
			case s.Cumulative != sum, math.Abs(s.CumulativeShare-share) > 1e-9:
				t.Fatalf("step %d: cumulative %d and %f, not %d and %f", s.Rank, s.Cumulative, s.CumulativeShare, sum, share)
			}
			seen[s.Handshake] = true
		}
		identifiable := 0
		for _, s := range list {
			if s.Identified != (Set{}) && s.Weight > 0 {
				identifiable += s.Services
			}
		}
		if len(steps) > 0 && steps[len(steps)-1].CumulativeShare != 1 || sum < identifiable {
			t.Fatalf("%d of %d identified", sum, identifiable)
		}

		shuffled := rapid.Permutation(list).Draw(t, "shuffled")
		if d := cmp.Diff(steps, Greedy(shuffled, names), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// brute tries every choice of at most k handshakes.
func brute(list []Pattern, k int) float64 {
	best, all := int64(0), int64(0)
	for mask := range uint64(1 << len(names)) {
		choice := Set{mask}
		if choice.Len() > k {
			continue
		}
		n := int64(0)
		for _, s := range list {
			if s.Identified[0]&mask != 0 {
				n += s.Weight
			}
		}
		best = max(best, n)
	}
	for _, s := range list {
		if s.Identified != (Set{}) {
			all += s.Weight
		}
	}
	if all == 0 {
		return 0
	}
	return float64(best) / float64(all)
}

func TestExactProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := anyServices(40).Draw(t, "services")
		k := rapid.IntRange(0, len(names)+1).Draw(t, "k")
		exact := Exact(list, names, k)
		if want := brute(list, k); exact.Share != want || len(exact.Handshakes) > k {
			t.Fatalf("%+v, optimum of %d is %f", exact, k, want)
		}
		greedy := 0.0
		if steps := Greedy(list, names); len(steps) > 0 && k > 0 {
			greedy = steps[min(k, len(steps))-1].CumulativeShare
		}
		if greedy > exact.Share || greedy < (1-1/math.E)*exact.Share {
			t.Fatalf("greedy identifies %f, the optimum %f", greedy, exact.Share)
		}
	})
}

func FuzzGreedy(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255}, 2)
	f.Fuzz(func(t *testing.T, patterns []byte, k int) {
		var list []Pattern
		for _, p := range patterns[:min(len(patterns), 200)] {
			list = append(list, Pattern{Set{uint64(p), uint64(p) >> 4}, 1, 1})
		}
		k = min(k, 4)
		exact, steps := Exact(list, names, k), Greedy(list, names)
		if k > 0 && len(steps) > 0 && steps[min(k, len(steps))-1].Cumulative > exact.Identified {
			t.Errorf("greedy %v beats exact %v", steps, exact)
		}
	})
}

// A scan's worth: 50 handshakes, of which most identify one protocol and a few many.
func scan(n int) ([]Pattern, []string) {
	random := rand.New(rand.NewPCG(1, 1))
	handshakes := make([]string, 50)
	for i := range handshakes {
		handshakes[i] = string(rune('A' + i))
	}
	list := make([]Pattern, n)
	for i := range list {
		list[i].Services, list[i].Weight = 1, 1
		protocol := int(random.ExpFloat64()*8) % len(handshakes)
		list[i].Identified.Add(protocol)
		for h := range 5 {
			if random.Float64() < 0.3 {
				list[i].Identified.Add(h)
			}
		}
	}
	return list, handshakes
}

func BenchmarkGreedy(b *testing.B) {
	list, handshakes := scan(100_000)
	for b.Loop() {
		Greedy(list, handshakes)
	}
}

func BenchmarkExact10(b *testing.B) {
	list, handshakes := scan(100_000)
	for b.Loop() {
		Exact(list, handshakes, 10)
	}
}
