package predict

import (
	"flag"
	"fmt"
	"net/netip"
	"testing"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/lab"
)

var withLab = flag.Bool("lab", false, "predict over the lab's population, on all ports: a minute more")

// population is hosts of which everything is known.
type population struct {
	addresses uint64
	ports     []uint16
	labels    []string
	hosts     []Host
}

// sample takes one in n hosts, and as many addresses.
func (p *population) sample(n int) (s, rest *Sample) {
	s = &Sample{Addresses: p.addresses / uint64(n), Of: p.addresses, Ports: p.ports, Labels: p.labels}
	rest = &Sample{Labels: p.labels}
	for i, h := range p.hosts {
		if i%n == 0 {
			s.Hosts = append(s.Hosts, h)
		} else {
			rest.Hosts = append(rest.Hosts, h)
		}
	}
	return s, rest
}

// labPopulation is the lab's hosts, with the services that send data to somebody. Those that answer on every port are left out.
func labPopulation() *population {
	p := &population{addresses: 131_072}
	for port := 1; port < 1<<16; port++ {
		p.ports = append(p.ports, uint16(port))
	}
	numbers := make(map[string]uint16)
	var address netip.Addr
	for t := range lab.New(lab.Default(), 1).Truth(nil) {
		if t.Port == 0 || t.Behaviour != "serves" || t.Label == "" {
			continue
		}
		if t.Address != address {
			address = t.Address
			p.hosts = append(p.hosts, Host{Addr: address})
		}
		if _, ok := numbers[t.Label]; !ok {
			numbers[t.Label] = uint16(len(p.labels))
			p.labels = append(p.labels, t.Label)
		}
		h := &p.hosts[len(p.hosts)-1]
		h.Services = append(h.Services, Service{t.Port, numbers[t.Label]})
	}
	return p
}

// measured is what a list of probes was expected to find, and found.
type measured struct {
	probes   int
	rate     float64 // of them that found a service
	estimate estimate.Estimate
}

func (m measured) String() string {
	return fmt.Sprintf("%d probes: %.4g found a service, expected: %v", m.probes, m.rate, m.estimate)
}

// measure makes lists for all hosts that are not in the sample, and counts what their probes find.
func measure(t *testing.T, s, rest *Sample, first int, probes ...int) (list []measured) {
	known := Popular(s, first)
	m := Learn(s, known)
	at := make(map[netip.AddrPort]bool)
	for _, h := range rest.Hosts {
		for _, x := range h.Services {
			at[netip.AddrPortFrom(h.Addr, x.Port)] = true
		}
	}
	for _, n := range probes {
		l, err := m.List(rest, n)
		if err != nil {
			t.Fatal(err)
		}
		if l.Len() != n {
			t.Fatalf("%d probes were asked for, and there are %d", n, l.Len())
		}
		found := 0
		seen := make(map[netip.AddrPort]bool)
		for i := range n {
			probe := l.At(i)
			if seen[probe] || m.first[probe.Port()] {
				t.Fatalf("%v is probed again", probe)
			}
			seen[probe] = true
			if at[probe] {
				found++
			}
		}
		rate, err := HitRate(s, known, l.PerHost())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, measured{n, float64(found) / float64(n), rate})
	}
	return list
}

// TestLab predicts from a twentieth of the lab's hosts the services of the others, on all ports.
func TestLab(t *testing.T) {
	if !*withLab {
		t.Skip("-lab was not asked for")
	}
	s, rest := labPopulation().sample(20)
	e, err := evaluate(s, []int{10, 50, 100, 200, 500}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d hosts, %d services", e.Hosts, e.Services)
	for _, share := range []float64{0.5, 0.8, 0.9, 0.95} {
		popularity, _ := e.Probes(e.Popularity, share)
		line := fmt.Sprintf("%g %%: exhaustive %.0f, popularity %.0f,", 100*share, e.Exhaustive(share), popularity)
		for _, p := range e.Plans {
			if probes, ok := e.Probes(p.Curve, share); ok {
				line += fmt.Sprintf(" %d first %.0f,", p.First, probes)
			}
		}
		t.Log(line)
	}
	for _, p := range Learn(s, Popular(s, 200)).Pairs(10) {
		t.Logf("%+v", p)
	}
	for _, x := range measure(t, s, rest, 200, 100_000, 1_000_000, 10_000_000) {
		t.Log(x)
	}
}
