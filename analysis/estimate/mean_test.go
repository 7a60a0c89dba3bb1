package estimate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// onPorts is a host: on which ports it has a service, and whether that is of the kind.
type onPorts map[uint16]bool

// countPorts is the first pass: what a sample has on each port.
func countPorts(hosts []onPorts, sample []int32) map[uint16]Count {
	ports := make(map[uint16]Count)
	for _, i := range sample {
		for port, hit := range hosts[i] {
			c := ports[port]
			c.Services++
			if hit {
				c.Hits++
			}
			ports[port] = c
		}
	}
	return ports
}

func (h onPorts) addTo(m *Mean) {
	residual := int64(0)
	for port, hit := range h {
		residual += m.Residual(port, hit)
	}
	m.Add(residual, uint32(len(h)))
}

// Of one port a mean is that port's share, with the share's interval but for one degree of freedom; the sums give the variance that
// the residuals of all hosts do, whatever parts they were summed up in.
func TestMeanOverHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.MapOfN(rapid.Uint16Range(1, 6), rapid.Bool(), 0, 6)
		var hosts []onPorts
		for _, h := range rapid.SliceOfN(host, 100, 300).Draw(t, "hosts") {
			hosts = append(hosts, h)
		}
		ports := countPorts(hosts, numbers(len(hosts)))
		m, part := NewMean(ports), NewMean(ports)
		value := 0.0
		for _, c := range ports {
			value += float64(c.Hits) / float64(c.Services) / float64(len(ports))
		}
		with, services, square, quartic := 0.0, 0, 0.0, 0.0
		for i, h := range hosts {
			of := m
			if i%3 == 0 {
				of = part
			}
			h.addTo(of)
			if len(h) == 0 {
				continue
			}
			with++
			services += len(h)
			e := 0.0
			for port, hit := range h {
				c := ports[port]
				k := float64(c.Services)
				x := 0.0
				if hit {
					x = 1
				}
				if c.Services == 1 {
					e += (2*x - 1) * math.Sqrt(value*(1-value)) / float64(len(ports))
				} else {
					e += (x - float64(c.Hits)/k) / k / float64(len(ports)) * math.Sqrt(k/(k-1))
				}
			}
			square, quartic = square+e*e, quartic+e*e*e*e
		}
		m.Merge(part)
		d := Design{Unit: ByHost, Drawn: uint64(len(hosts)), Of: 10 * uint64(len(hosts))}
		got, err := m.Estimate(d)
		if err != nil {
			t.Fatal(err)
		}
		if len(ports) == 0 {
			return
		}
		if math.Abs(got.Value-value) > 1e-12 || got.N != uint64(services) {
			t.Fatalf("%v, want %v of %d", got, value, services)
		}
		if !got.HasInterval() || int(with) == services {
			return
		}
		effective := square * square / quartic
		lo, hi := kornGraubard(value, 0.9*with/(with-1)*square, float64(services), effective-1)
		if math.Abs(got.EffectiveHosts-effective) > 1e-5*effective || math.Abs(got.Lo-lo) > 1e-6 || math.Abs(got.Hi-hi) > 1e-6 {
			t.Fatalf("%v, want %v to %v, %v effective", got, lo, hi, effective)
		}
	})
}

// Cochran's example of stratified proportions cannot be had here; of two ports with 10 of 40 and 30 of 40 the mean is 1/2, and its
// variance (0.25·0.75 + 0.75·0.25)/39/4: Wilson's interval is that of 104 services.
func TestMeanOfServices(t *testing.T) {
	m := NewMean(map[uint16]Count{1: {10, 40}, 2: {30, 40}, 3: {}})
	e, err := m.Estimate(Design{Unit: ByService, Drawn: 100, Of: 1 << 60})
	lo, hi := wilson(0.5, 104)
	if err != nil || e.Value != 0.5 || math.Abs(e.Lo-lo) > 1e-12 || math.Abs(e.Hi-hi) > 1e-12 || m.Ports() != 2 {
		t.Errorf("%v, error %v; want %v to %v", e, err, lo, hi)
	}
	// Where no port shows a variance, they are taken for alike: 4 / (1/40 + 1/10) is 32.
	for _, c := range []struct {
		ports map[uint16]Count
		n     float64
	}{{map[uint16]Count{1: {0, 40}, 2: {0, 10}}, 32}, {map[uint16]Count{1: {40, 40}, 2: {0, 10}}, 32}} {
		m := NewMean(c.ports)
		e, err := m.Estimate(Design{Unit: ByService, Drawn: 100, Of: 1 << 60})
		lo, hi := wilson(m.value, c.n)
		if err != nil || math.Abs(e.Lo-lo) > 1e-12 || math.Abs(e.Hi-hi) > 1e-12 {
			t.Errorf("%v, error %v; want %v to %v", e, err, lo, hi)
		}
	}
}

func TestMeanWithout(t *testing.T) {
	none, one := NewMean(nil), NewMean(map[uint16]Count{80: {3, 9}})
	for _, c := range []struct {
		m       *Mean
		d       Design
		warning Warning
	}{{none, Design{Unit: ByService, Drawn: 1, Of: 2}, NoData}, {one, Design{}, NoSample}} {
		if e, err := c.m.Estimate(c.d); err != nil || e.HasInterval() || len(e.Warnings) != 1 || e.Warnings[0] != c.warning {
			t.Errorf("%v, error %v; want %s", e, err, c.warning)
		}
	}
	for _, d := range []Design{{Unit: ByService, Drawn: 8, Of: 100}, {Unit: ByHost, Drawn: 50, Of: 100}} {
		if e, err := one.Estimate(d); err == nil {
			t.Errorf("9 services of %v: %v", d, e)
		}
	}
	few := NewMean(map[uint16]Count{1: {5, 20}, 2: {15, 20}})
	for i := range 20 {
		few.Add(few.Residual(1, i < 5)+few.Residual(2, i < 15), 2)
	}
	if e, err := few.Estimate(Design{Unit: ByHost, Drawn: 100, Of: 1000}); err != nil || e.HasInterval() || len(e.Warnings) != 1 || e.Warnings[0] != TooFewHosts {
		t.Errorf("%v, error %v", e, err)
	}
}

// meanPopulation draws hosts with services on 31 ports, of which the largest has some 60 times as many as the smallest, with a share
// of the kind between 1/20 and 19/20. A host has so many services at most; of a part of the hosts all are, or none. Some hosts have
// one on every port, none of the kind.
func meanPopulation(g *rand.Rand, addresses, most int, alike, everywhere float64) []onPorts {
	const ports = 31
	hosts := make([]onPorts, addresses)
	for i := range hosts {
		h := make(onPorts)
		n := 1 + g.IntN(most)
		if g.Float64() < everywhere {
			for port := range ports {
				h[uint16(port)] = false
			}
			hosts[i] = h
			continue
		}
		together, ours := g.Float64() < alike, g.Float64()
		for len(h) < n {
			port := int(ports * math.Pow(g.Float64(), 2.2))
			if _, ok := h[uint16(port)]; ok {
				continue
			}
			u := ours
			if !together {
				u = g.Float64()
			}
			h[uint16(port)] = u < 0.05+0.9*float64((port*7)%ports)/ports
		}
		hosts[i] = h
	}
	return hosts
}

// TestCoverageOfMeans prints how often the intervals of means over ports hold.
func TestCoverageOfMeans(t *testing.T) {
	n, slack := samples(1000)
	report(t, "%s", "| hosts | drawn | sample | services on the smallest port | effective hosts | printed | cover | width |")
	for _, p := range []struct {
		name              string
		unit              Unit
		most              int
		alike, everywhere float64
	}{
		{"at most 8 services", ByHost, 8, 0.5, 0},
		{"0.5 % on all ports", ByHost, 8, 0.5, 0.005},
		{"5 % on all ports", ByHost, 8, 0.5, 0.05},
		{"one service", ByService, 1, 0, 0},
	} {
		const addresses = 20_000
		g := rand.New(rand.NewPCG(5, uint64(p.most)))
		hosts := meanPopulation(g, addresses, p.most, p.alike, p.everywhere)
		truth := NewMean(countPorts(hosts, numbers(addresses)))
		order := numbers(addresses)
		for _, rate := range []float64{0.01, 0.04, 0.1} {
			d := Design{p.unit, uint64(rate * addresses), addresses}
			c := coverage{truth: truth.value}
			var smallest []float64
			for range n {
				sample := draw(g, order, int(d.Drawn))
				ports := countPorts(hosts, sample)
				m := NewMean(ports)
				for _, i := range sample {
					hosts[i].addTo(m)
				}
				e, err := m.Estimate(d)
				if err != nil {
					t.Fatal(err)
				}
				least := math.Inf(1)
				for _, c := range ports {
					least = min(least, float64(c.Services))
				}
				smallest = append(smallest, least)
				c.add(e, [2]float64{}, [2]float64{})
			}
			printed, width := "", ""
			if len(c.widths) > 0 {
				printed, width = fmt.Sprintf("%.1f", c.printed()), fmt.Sprintf("%.2f", c.relativeWidth())
			}
			report(t, "| %s | %v | %.4g %% | %.0f | %.1f | %.1f | %s | %s |", p.name, p.unit, 100*rate, median(smallest), median(c.effective),
				percent(len(c.widths), n), printed, width)
			c.check(t, 93, 99, 1.5, slack)
		}
	}
}
