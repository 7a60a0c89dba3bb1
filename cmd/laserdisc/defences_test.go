package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"laserdisc/capture"
	"laserdisc/capture/lab"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// Why a service does not acknowledge data, or does so for nothing: second looks and ephemeral
// probes tell all of the paper's defences apart. Without loss they make no mistake; with it, each
// mistake comes with the packets that were lost.
func TestDefences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		loss float64
	}{{"nothing lost", 0}, {"1 % lost", 0.01}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := crowded(t, c.loss)
			for i := range p.Defences { // more of the one that is rare
				for j := range p.Defences[i].Behaviours {
					if w := &p.Defences[i].Behaviours[j]; w.Name == "dropped_handshake" {
						w.Share *= 5
					}
				}
			}
			network := lab.New(p, 1)
			s := scanNetwork(t, network, "--ports", "paper", "--sample", "5%", "--sample-by", "host", "--handshakes", "http,tls,wait,dns",
				"--rate", "50000", "--ephemeral-probes", "5", "--revisit", "60s")
			lost := lossesByHost(network)
			table, mistakes := confusion{}, confusion{}
			for _, target := range s.probed {
				truth, ok := network.At(target)
				if !ok {
					continue
				}
				want, got := s.defence(network, target, truth), "no service"
				if v, found := s.services[target]; found {
					got = v.State.String()
				}
				table[[2]string{want, got}]++
				if want == got {
					continue
				}
				why := explain(lost[target.Addr()], target)
				if why == "" {
					t.Errorf("%v is %s, found to be %s, and nothing was lost", target, want, got)
				}
				mistakes[[2]string{want + ", found " + got, why}]++
			}
			t.Logf("true, found:\n%s", table)
			if c.loss > 0 {
				t.Logf("mistaken, and what was lost:\n%s", mistakes)
				if len(mistakes) < 10 {
					t.Errorf("%d kinds of mistakes: too few to prove anything", len(mistakes))
				}
				return
			}
			if len(mistakes) > 0 {
				t.Errorf("mistakes without a loss")
			}
			for _, state := range []string{"zero_window", "dropped_handshake", "reset_after_handshake", "closed_after_handshake",
				"no_data_ack", "dynamic_blocking", "shunned", "all_ports", "acks_data", "sends_data"} {
				if table[[2]string{state, state}] < 100 {
					t.Errorf("only %d of %s: too few to prove anything", table[[2]string{state, state}], state)
				}
			}
		})
	}
}

// crowded is the built-in population with a loss of its own, and a host at each address, so that fewer probes find as many services.
func crowded(t *testing.T, loss float64) *lab.Population {
	p, err := loadPopulation(datasets.DefaultPopulation)
	if err != nil {
		t.Fatal(err)
	}
	p.Network.Loss, p.Density = loss, 1
	return p
}

// scanNetwork scans a network in memory, as scan --lab does.
func scanNetwork(t *testing.T, network *lab.Network, args ...string) scanned {
	o, cmd := newScan(nil)
	o.targets.Targets = []string{labPrefix}
	o.out = filepath.Join(t.TempDir(), "run")
	if err := cmd.ParseFlags(append([]string{"--open", labPrefix, "--seed", "3"}, args...)); err != nil {
		t.Fatal(err)
	}
	set, err := o.compile(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	m, err := o.manifest(set)
	if err != nil {
		t.Fatal(err)
	}
	scan := &capture.Scan{Dir: o.out, Manifest: m, Link: labLink(network, m, 1e18)}
	if err := o.scan(context.Background(), scan, set, history{}); err != nil {
		t.Fatal(err)
	}
	return readRun(t, o.out)
}

// defence is the state that a service of this truth is to be found in.
func (s scanned) defence(network *lab.Network, target netip.AddrPort, truth lab.Truth) string {
	switch {
	case truth.Behaviour == "never_acks":
		return "no_data_ack"
	case truth.Behaviour == "shunning":
		return "shunned"
	case truth.Host == firewall:
		return "all_ports"
	case truth.Behaviour == "serves":
		state, _, _ := network.Expect(target, s.manifest.Handshakes, false)
		return state
	}
	return truth.Behaviour
}

// Five ephemeral probes remove the hosts whose firewall acknowledges data on every port, and no
// other, however many of its ephemeral ports are open.
func TestAllPortsFirewalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		loss  float64
		least float64 // share of the firewalls to be removed
	}{{"nothing lost", 0, 1}, {"1 % lost", 0.01, 0.99}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := crowded(t, c.loss)
			for i := range p.Hosts { // more of those in question than the Internet has
				switch h := &p.Hosts[i]; h.Name {
				case firewall:
					h.Weight *= 100
				case "gateway":
					h.Weight *= 20
				}
			}
			network := lab.New(p, 1)
			s := scanNetwork(t, network, "--ports", "80,2000,49152,50805", "--sample", "32%", "--sample-by", "host", "--handshakes", "http", "--rate", "50000", "--ephemeral-probes", "5")
			left := map[netip.Addr]bool{} // whether anything is, of a firewall's host
			honest := map[netip.Addr]bool{}
			for at, v := range s.services {
				truth, _ := network.At(at)
				removed := v.State == session.AllPorts
				switch {
				case truth.Host == firewall:
					left[at.Addr()] = left[at.Addr()] || !removed
				case removed:
					t.Errorf("%v is removed, and is %+v", at, truth)
				case v.State == session.AcksData:
					honest[at.Addr()] = true
				}
			}
			removed := 0
			for _, some := range left {
				if !some {
					removed++
				}
			}
			t.Logf("%d of %d firewalls removed, none of %d honest hosts that acknowledge data and say nothing", removed, len(left), len(honest))
			if len(left) < 5000 || len(honest) < 1000 {
				t.Errorf("too few to prove anything")
			}
			if float64(removed) < c.least*float64(len(left)) {
				t.Errorf("fewer than %v of the firewalls are removed", c.least)
			}
			var table strings.Builder
			if err := printAllPorts(t.Context(), &table, openedDataset(t, s.dir+"-tables")); err != nil {
				t.Fatal(err)
			}
			t.Log(table.String())
		})
	}
}

// firewall is the population's name of such a host.
const firewall = "acknowledging firewall"

func lossesByHost(network *lab.Network) map[netip.Addr][]lab.Loss {
	lost := map[netip.Addr][]lab.Loss{}
	for l := range network.Lost() {
		lost[l.Service.Addr()] = append(lost[l.Service.Addr()], l)
	}
	return lost
}

// explain names the kinds of packets that a service lost; of one that lost none, those that its
// host lost on other ports, where ephemeral probes go.
func explain(lost []lab.Loss, service netip.AddrPort) string {
	var own, others []string
	for _, l := range lost {
		kind := strings.TrimSuffix(l.Flags, "|PSH")
		if l.Payload > 0 {
			kind = "data"
		}
		if l.Inbound {
			kind = "to it: " + kind
		} else {
			kind = "from it: " + kind
		}
		if l.Service == service {
			own = append(own, kind)
		} else {
			others = append(others, kind)
		}
	}
	if len(own) == 0 && len(others) > 0 {
		return fmt.Sprintf("on other ports, %s", kinds(others))
	}
	return kinds(own)
}

// kinds lists each once, with its count if that is more than one.
func kinds(of []string) string {
	count := map[string]int{}
	for _, k := range of {
		count[k]++
	}
	var list []string
	for k, n := range count {
		if n > 1 {
			k = fmt.Sprintf("%s x%d", k, n)
		}
		list = append(list, k)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
