package lab_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

func load(t testing.TB, file string) *lab.Population {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scanner runs laserdisc's session machine against a link.
type scanner struct {
	*session.Machine
	link     link.Link
	frame    []byte
	services map[netip.AddrPort]session.Service
	attempts map[netip.AddrPort][]string
	each     func(*session.Attempt) // called with each attempt; may be nil
}

func (s *scanner) Asked(*packet.Segment) bool { return true }

func (s *scanner) Send(seg *packet.Segment) error {
	info := s.link.Info()
	s.frame = seg.AppendFrame(s.frame[:0], info.SourceMAC, info.GatewayMAC)
	return s.link.Send(s.frame)
}

func (s *scanner) Attempt(a *session.Attempt) error {
	if s.each != nil {
		s.each(a)
	}
	s.attempts[a.Service] = append(s.attempts[a.Service], fmt.Sprintf("%s %s %q %.200q", a.Handshake.Name, a.State, a.Verdict.Label, a.Response))
	return nil
}

func (s *scanner) Service(v *session.Service) error {
	c := *v
	c.Response = nil
	s.services[v.Service] = c
	return nil
}

// scan probes the targets, some at a time, and runs until nothing is left to wait for.
func scan(t testing.TB, l link.Link, handshakes []*handshake.Protocol, all bool, targets []netip.AddrPort) *scanner {
	t.Helper()
	cfg := session.Defaults()
	cfg.Handshakes, cfg.AllHandshakes = nil, all
	for _, h := range handshakes {
		cfg.Handshakes = append(cfg.Handshakes, h.Name)
	}
	return scanAs(t, l, cfg, targets, nil)
}

// scanAs is scan with settings of which it sets the sources.
func scanAs(t testing.TB, l link.Link, cfg session.Settings, targets []netip.AddrPort, each func(*session.Attempt)) *scanner {
	t.Helper()
	cfg.Sources = []netip.Addr{l.Info().Source4, l.Info().Source6}
	s := &scanner{link: l, services: map[netip.AddrPort]session.Service{}, attempts: map[netip.AddrPort][]string{}, each: each}
	m, err := session.New(cfg, 0, s)
	if err != nil {
		t.Fatal(err)
	}
	s.Machine = m
	end := l.Now() + int64(10*time.Second)
	var seg packet.Segment
	for {
		for range min(100, len(targets)) {
			if err := m.Step(&session.Event{Time: l.Now(), Target: targets[0]}); err != nil {
				t.Fatal(err)
			}
			targets = targets[1:]
			end = l.Now() + int64(10*time.Second)
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		f, ok, err := l.Receive(min(m.Deadline(), l.Now()+int64(10*time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		e := session.Event{Time: l.Now()}
		if ok {
			if err := seg.Decode(packet.LinkEthernet, f.Data); err != nil {
				t.Fatal(err)
			}
			seg.Time = e.Time
			e.Segment = &seg
		}
		if err := m.Step(&e); err != nil {
			t.Fatal(err)
		}
		if !ok && len(targets) == 0 && m.InFlight() == 0 && l.Now() > end {
			return s
		}
	}
}

// compare holds what was found against the truth, and returns how many services differ.
func compare(t testing.TB, n *lab.Network, s *scanner, ports []uint16, names []string, all bool) (wrong int) {
	t.Helper()
	found := 0
	for at := range n.Services(ports) {
		state, label, ok := n.Expect(at, names, all)
		got := s.services[at]
		if got.State.Connected() {
			found++
		}
		if !ok || got.State.String() != state || got.Label != label {
			truth, _ := n.At(at)
			if wrong++; wrong < 20 {
				t.Logf("%s: got %s %q, want %s %q: %+v\n%q", at, got.State, got.Label, state, label, truth, s.attempts[at])
			}
		}
		delete(s.services, at)
	}
	for at, v := range s.services {
		if v.State.Connected() {
			t.Errorf("%s: %s, but there is no service", at, v.State)
		}
	}
	t.Logf("%d services found, %d differ from the truth", found, wrong)
	return wrong
}

// Every service of the small population is what the truth says, for laserdisc's own scanner,
// whatever the order of handshakes.
func TestScanFindsTheTruth(t *testing.T) {
	ports := []uint16{80, 443, 22, 25, 8080}
	for _, c := range []struct {
		list string
		all  bool
	}{
		{"wait,tls,http,ssh,smtp,dns,redis,mysql,newlines", false},
		{"http", false},
		{"wait", false},
		{"tls,wait,http", false},
		{"wait,tls,http,dns,redis,newlines", true},
		{"all", true},
	} {
		t.Run(fmt.Sprint(c.list, c.all), func(t *testing.T) {
			n := lab.New(load(t, "testdata/small.json"), 1)
			handshakes, err := handshake.Parse(c.list)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range handshakes {
				names = append(names, p.Name)
			}
			var targets []netip.AddrPort
			for a := netip.MustParseAddr("198.18.0.0"); n.Prefixes()[0].Contains(a); a = a.Next() {
				for _, port := range ports {
					targets = append(targets, netip.AddrPortFrom(a, port))
				}
			}
			l := link.NewMemory(n, 1e18)
			s := scan(t, l, handshakes, c.all, targets)
			if compare(t, n, s, ports, names, c.all) > 0 {
				t.Error("not the truth")
			}
			if n.Live() > 0 {
				for range 1000 {
					if at, ok := n.Next(); ok {
						if _, _, err := l.Receive(at); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if n.Live() > 0 {
				t.Errorf("%d connections are left", n.Live())
			}
		})
	}
}

// A sample of the default population, on the paper's ports, is what the truth says.
func TestScanOfTheDefaultPopulation(t *testing.T) {
	n := lab.New(lab.Default(), 7)
	ports := paperPorts()
	handshakes, err := handshake.Parse("wait,tls,http,dns,redis,newlines")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range handshakes {
		names = append(names, p.Name)
	}
	var targets, sample []netip.AddrPort
	i := 0
	for at := range n.Services(ports) {
		if i++; i%37 == 0 {
			targets = append(targets, at, netip.AddrPortFrom(at.Addr(), at.Port()^1))
			sample = append(sample, at)
		}
	}
	s := scan(t, link.NewMemory(n, 1e18), handshakes, false, targets)
	wrong, confusion := 0, map[string]int{}
	for _, at := range sample {
		state, label, _ := n.Expect(at, names, false)
		got := s.services[at]
		confusion[fmt.Sprintf("%-24s%-24s", state, got.State)]++
		if got.State.String() != state || got.Label != label {
			truth, _ := n.At(at)
			if wrong++; wrong < 20 {
				t.Errorf("%s: got %s %q, want %s %q: %+v\n%q", at, got.State, got.Label, state, label, truth, s.attempts[at])
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(confusion)) {
		t.Log(line, confusion[line])
	}
}
