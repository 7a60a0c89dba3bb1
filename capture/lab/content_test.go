package lab

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"laserdisc/capture/lab/tcp"
	"laserdisc/datasets"
)

// revealed counts the services of a protocol, and of them those that reveal something.
type revealed struct{ services, hits int }

// The default population reveals as often as section 3.3 of the paper says.
func TestDefaultPopulationRevealsAsThePaperSays(t *testing.T) {
	n := New(Default(), 1)
	protocols := map[string]string{"maker": "tls", "known_key": "tls", "shared_key": "tls", "login": "http", "upnp": "http", "device_ssh": "ssh"}
	on := map[string]func(port uint16) bool{
		"assigned":   func(port uint16) bool { return slices.Contains(datasets.Assigned(), port) },
		"unassigned": func(port uint16) bool { return !slices.Contains(datasets.Assigned(), port) },
	}
	counts := map[[2]string]*revealed{} // by property and ports
	count := func(property, ports string, hit bool) {
		key := [2]string{property, ports}
		if counts[key] == nil {
			counts[key] = new(revealed)
		}
		counts[key].services++
		if hit {
			counts[key].hits++
		}
	}
	for at := range n.Services(datasets.PortSets()["paper"]) {
		s, _ := n.find(at)
		if s.Behaviour != tcp.Serves {
			continue
		}
		reveals := s.Reveals()
		for _, p := range datasets.Properties() {
			protocol := protocols[p.Property]
			if s.Protocol.Name != protocol {
				continue
			}
			for _, ports := range []string{p.On, p.Against} {
				is := strconv.Itoa(int(at.Port())) == ports || ports == "unexpected" && datasets.Expected(at.Port()) != protocol ||
					on[ports] != nil && on[ports](at.Port())
				if is {
					count(p.Property+"/"+p.On, ports, slices.Contains(reveals, p.Property))
				}
			}
		}
	}
	for _, p := range datasets.Properties() {
		a, b := counts[[2]string{p.Property + "/" + p.On, p.On}], counts[[2]string{p.Property + "/" + p.On, p.Against}]
		ratio := float64(a.hits) / float64(a.services) / (float64(b.hits) / float64(b.services))
		if p.Property == "upnp" {
			ratio = float64(a.hits) / float64(b.hits)
		}
		// Within 10 %, or as far as chance goes with so few services: 2.5 standard deviations of the ratio's logarithm.
		verdict, chance := "", 2.5*math.Sqrt(1/float64(a.hits)+1/float64(b.hits))
		if math.Abs(math.Log(ratio/p.Ratio)) > max(math.Log(1.1), chance) {
			verdict = "  <-- off"
			t.Fail()
		}
		t.Logf("%-10s %-10s %6d of %6d, %-8s %6d of %6d: %6.3f times, paper %6.3f%s", p.Property, p.On, a.hits, a.services, p.Against, b.hits, b.services, ratio, p.Ratio, verdict)
	}
}

// A host has one certificate on all its ports of one kind.
func TestHostsHaveOneKey(t *testing.T) {
	n := New(Default(), 1)
	keys := map[netip.Addr]map[bool]bool{}
	for at := range n.Services([]uint16{993, 995}) { // whose shares are equal
		s, _ := n.find(at)
		if s.Protocol.Name != "tls" {
			continue
		}
		if keys[at.Addr()] == nil {
			keys[at.Addr()] = map[bool]bool{}
		}
		keys[at.Addr()][slices.Contains(s.Reveals(), "shared_key")] = true
	}
	for host, k := range keys {
		if len(k) > 1 {
			t.Fatalf("%v has a key of its own and one that it shares", host)
		}
	}
	if len(keys) < 1000 {
		t.Errorf("%d hosts", len(keys))
	}
}
