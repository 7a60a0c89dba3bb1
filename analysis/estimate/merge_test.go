package estimate

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestHostsMerge divides hosts in every way: the parts merge into the whole, whatever their order.
func TestHostsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole Hosts
		parts := make([]Hosts, 3)
		for _, h := range rapid.SliceOf(rapid.Custom(func(t *rapid.T) [3]uint32 {
			services := rapid.Uint32().Draw(t, "services")
			return [3]uint32{rapid.Uint32Range(0, services).Draw(t, "hits"), services, rapid.Uint32Range(0, 2).Draw(t, "part")}
		})).Draw(t, "hosts") {
			whole.Add(h[0], h[1])
			parts[h[2]].Add(h[0], h[1])
		}
		merged := parts[2]
		merged.Merge(parts[0])
		merged.Merge(parts[1])
		if merged != whole {
			t.Fatalf("merged %+v, whole %+v", merged, whole)
		}
	})
}

// TestAlone: hosts with a service each are the same counted at once and one by one.
func TestAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := rapid.Uint64Range(0, 50).Draw(t, "services")
		hits := rapid.Uint64Range(0, services).Draw(t, "hits")
		var want Hosts
		for i := range services {
			want.Add(uint32(min(1, max(hits, i)-i)), 1)
		}
		if got := Alone(hits, services); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// TestResiduals computes the residuals one by one, with numbers of any size.
func TestResiduals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Hosts
		hosts := rapid.SliceOf(rapid.Custom(func(t *rapid.T) [2]uint32 {
			services := rapid.Uint32Range(1, math.MaxUint32).Draw(t, "services")
			return [2]uint32{rapid.Uint32Range(0, services).Draw(t, "hits"), services}
		})).Draw(t, "hosts")
		for _, host := range hosts {
			h.Add(host[0], host[1])
		}
		integer := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
		sums := func(residual func(x, k *big.Int) *big.Int, others uint64, other *big.Int) (square, quartic *big.Int) {
			square, quartic = new(big.Int), new(big.Int)
			add := func(e, times *big.Int) {
				e2 := new(big.Int).Mul(e, e)
				square.Add(square, new(big.Int).Mul(e2, times))
				quartic.Add(quartic, new(big.Int).Mul(new(big.Int).Mul(e2, e2), times))
			}
			for _, host := range hosts {
				add(residual(integer(uint64(host[0])), integer(uint64(host[1]))), integer(1))
			}
			add(other, integer(others))
			return square, quartic
		}
		equal := func(name string, square, quartic, wantSquare, wantQuartic *big.Int) {
			if square.Cmp(wantSquare) != 0 || quartic.Cmp(wantQuartic) != 0 {
				t.Fatalf("%s are %v and %v, want %v and %v", name, square, quartic, wantSquare, wantQuartic)
			}
		}
		square, quartic := h.residuals()
		wantSquare, wantQuartic := sums(func(x, k *big.Int) *big.Int {
			return new(big.Int).Sub(new(big.Int).Mul(integer(h.k), x), new(big.Int).Mul(integer(h.x), k))
		}, 0, new(big.Int))
		equal("residuals", square, quartic, wantSquare, wantQuartic)

		empty := rapid.Uint64Range(0, 1<<40).Draw(t, "empty")
		n := h.hosts + empty
		square, quartic = h.deviations(n)
		wantSquare, wantQuartic = sums(func(x, _ *big.Int) *big.Int {
			return new(big.Int).Sub(new(big.Int).Mul(integer(n), x), integer(h.x))
		}, empty, new(big.Int).Neg(integer(h.x)))
		equal("deviations", square, quartic, wantSquare, wantQuartic)
	})
}

// TestPortsMerge has the parts of a data set give the same curve as the whole.
func TestPortsMerge(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	whole := &Ports{Seed: 9}
	parts := []*Ports{{Seed: 9}, {Seed: 9}, {Seed: 9}}
	for host := range 2000 {
		for range 1 + g.IntN(4) {
			port := uint16(g.ExpFloat64() * 300)
			whole.Add(address(host), port)
			parts[host%2].Add(address(host), port)
		}
	}
	merged := parts[2] // which has counted nothing
	for _, p := range parts[:2] {
		if err := merged.Merge(p); err != nil {
			t.Fatal(err)
		}
	}
	d := Design{ByHost, 2000, 20_000}
	want, err := whole.Curve(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := merged.Curve(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Curve{})); diff != "" {
		t.Error(diff)
	}
	if whole.Kinds() != merged.Kinds() {
		t.Errorf("%+v, merged %+v", whole.Kinds(), merged.Kinds())
	}
	if err := merged.Merge(&Ports{Seed: 8}); err == nil {
		t.Error("ports with other groups merge")
	}
}

// TestCurveShape holds a curve to what is true of every one: edges in order, shares in range, rising plug-in that ends at 1; a census
// is known without error.
func TestCurveShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &Ports{}
		counts := map[uint16]int{}
		hosts := rapid.SliceOfN(rapid.SliceOfN(rapid.Uint16Range(0, 30), 1, 5), 1, 60).Draw(t, "ports of hosts")
		n := 0
		for i, ports := range hosts {
			for _, port := range ports {
				p.Add(address(i), port)
				counts[port]++
				n++
			}
		}
		c, err := p.Curve(Design{ByService, uint64(n), uint64(10 * n)})
		if err != nil {
			t.Fatal(err)
		}
		var most []int
		for _, k := range counts {
			most = append(most, k)
		}
		slices.Sort(most)
		slices.Reverse(most)
		sum := 0
		for k, services := range most {
			sum += services
			e, err := c.Share(k + 1)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(e.Value-float64(sum)/float64(n)) > 1e-9 || !(0 <= e.Lo && e.Lo <= e.Value+1e-9 && e.Value <= e.Hi+1e-9 && e.Hi <= 1) {
				t.Fatalf("the share on %d ports is %v, want %d of %d", k+1, e, sum, n)
			}
		}
		census, err := p.Curve(Design{ByService, uint64(n), uint64(n)})
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := census.PortsFor(1); e.Lo != float64(len(most)) || e.Hi != e.Lo || e.Value != e.Lo {
			t.Fatalf("all services are on %v ports, want %d", e, len(most))
		}
	})
}

// TestWeights has the weights of the bootstrap be Poisson(1), differ between replicates, hosts and seeds, and depend on nothing else.
func TestWeights(t *testing.T) {
	const replicates, hosts = 1000, 1000
	weights := make([]uint8, replicates)
	var counts [9]float64
	var sum, product, previous float64
	for host := range hosts {
		Weights(weights, 1, address(host))
		for r, w := range weights {
			counts[w]++
			sum += float64(w)
			product += (float64(w) - 1) * (float64(weights[(r+1)%replicates]) - 1)
			if r == 0 {
				previous += float64(w)
			}
		}
	}
	const n = replicates * hosts
	if math.Abs(sum/n-1) > 4/math.Sqrt(n) || math.Abs(product/n) > 4/math.Sqrt(n) || math.Abs(previous/hosts-1) > 4/math.Sqrt(hosts) {
		t.Errorf("mean %v, covariance of neighbours %v, mean of the first replicate %v", sum/n, product/n, previous/hosts)
	}
	p := math.Exp(-1)
	for k := range counts[:6] {
		if got := counts[k] / n; math.Abs(got-p) > 5*math.Sqrt(p/n)+1e-5 {
			t.Errorf("%v of the weights are %d, want %v", got, k, p)
		}
		p /= float64(k + 1)
	}
	few := make([]uint8, 5)
	if Weights(few, 1, address(hosts-1)); !slices.Equal(few, weights[:5]) {
		t.Error("the weights of the first replicates depend on how many are asked for")
	}
	other := make([]uint8, replicates)
	if Weights(other, 2, address(hosts-1)); slices.Equal(other, weights) {
		t.Error("another seed has the same weights")
	}
	if Weights(other, 1, address(0)); slices.Equal(other, weights) {
		t.Error("another host has the same weights")
	}
}
