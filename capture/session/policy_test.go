package session

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/handshake"
)

// decisions are the policy's: with which handshakes and settings, what the service is so far, what its last attempt was
// (visit, number, handshake, state), and the next step. "judged" after the settings asks what follows the verdict that
// the host is honest, "firewall" that it is not.
const decisions = `
# The first handshake that draws data is the last; but for --all-handshakes.
http,tls           |              | sends_data             | first 0 http sends_data             | finish
http,tls           | all          | sends_data             | first 0 http sends_data             | connect first tls
http,tls           | all          | sends_data             | first 1 tls acks_data               | finish
http,tls           | all          | sends_data             | first 0 http no_data_ack            | connect first tls

# What acknowledged data may speak another protocol; what did not has no use for another's data (fail fast).
http,tls           |              | acks_data              | first 0 http acks_data              | connect first tls
http,tls           |              | acks_data              | first 1 tls acks_data               | finish
http,tls           |              | no_data_ack            | first 0 http no_data_ack            | finish
http,tls           |              | reset_after_handshake  | first 0 http reset_after_handshake  | finish
http,tls           |              | zero_window            | first 0 http zero_window            | finish
http,tls           | all          | no_data_ack            | first 0 http no_data_ack            | finish
http,tls,dns       |              | acks_data              | first 1 tls no_data_ack             | finish
http,tls,dns       | all          | acks_data              | first 1 tls no_answer               | connect first dns

# Waiting proves nothing: its data cannot have been refused. But a closed window refuses it.
wait,http          |              | silent                 | first 0 wait silent                 | connect first http
wait,http          |              | reset_after_handshake  | first 0 wait reset_after_handshake  | connect first http
wait,http          |              | closed_after_handshake | first 0 wait closed_after_handshake | connect first http
wait,http          |              | dropped_handshake      | first 0 wait dropped_handshake      | connect first http
wait,http          |              | zero_window            | first 0 wait zero_window            | finish
wait,http          |              | sends_data             | first 0 wait sends_data             | finish
http,wait,tls      |              | acks_data              | first 1 wait no_answer              | finish

# Who hung up on the silent client too acknowledges nothing: the service's state stays.
wait,http,tls      |              | closed_after_handshake | first 1 http acks_data              | finish

# A host that acknowledges and is silent may be a firewall's: that is asked before anything else.
http,tls           | ask          | acks_data              | first 0 http acks_data              | ask host
http,tls           | ask judged   | acks_data              | first 0 http acks_data              | connect first tls
http,tls           | ask firewall | all_ports              | first 0 http acks_data              | finish
http,tls           | ask          | sends_data             | first 0 http sends_data             | finish
http,tls           | ask all      | sends_data             | first 1 tls acks_data               | finish
wait,http,tls      | ask          | closed_after_handshake | first 1 http acks_data              | finish
http,tls           | ask judged   | acks_data              | first 1 tls acks_data               | finish

# What acknowledged nothing is looked at again from the same source, with data, and then from a fresh one.
wait,http          | revisit      | no_data_ack            | first 1 http no_data_ack            | connect again http after 30s
wait,http          | revisit      | silent                 | first 0 wait silent                 | connect first http
wait,http          | revisit      | zero_window            | first 0 wait zero_window            | connect again http after 30s
wait,http          | revisit      | shunned                | first 1 http no_answer              | connect again http after 30s
wait,http          | revisit      | acks_data              | first 1 http acks_data              | finish
wait,http          | revisit ask firewall | all_ports      | first 1 http acks_data              | finish
wait,http          | revisit      | no_data_ack            | again 2 http no_data_ack            | connect fresh http
wait,http          | revisit      | shunned                | again 2 http no_answer              | connect fresh http
wait,http          | revisit      | acks_data              | again 2 http acks_data              | finish
wait,http          | revisit ask  | acks_data              | again 2 http acks_data              | finish
wait,http          | revisit      | dynamic_blocking       | fresh 3 http sends_data             | finish
wait,http          | revisit      | churned                | fresh 3 http no_answer              | finish
`

func TestPolicy(t *testing.T) {
	for i, line := range strings.Split(decisions, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "|")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		got, err := decide(fields[0], fields[1], fields[2], fields[3])
		if err != nil || got.String() != fields[4] {
			t.Errorf("line %d: %s: %v, %v", i, line, got, err)
		}
	}
}

// decide asks the policy what a line of the decisions asks.
func decide(handshakes, with, service, last string) (Step, error) {
	settings := Defaults()
	settings.Handshakes = strings.Split(handshakes, ",")
	var judged, allPorts bool
	for _, word := range strings.Fields(with) {
		switch word {
		case "all":
			settings.AllHandshakes = true
		case "ask":
			settings.EphemeralProbes = 5
		case "revisit":
			settings.Revisit = Duration(30 * time.Second)
		case "judged", "firewall":
			judged, allPorts = true, word == "firewall"
		default:
			return Step{}, fmt.Errorf("what is %q?", word)
		}
	}
	p, err := NewPolicy(&settings)
	if err != nil {
		return Step{}, err
	}
	var s Service
	if err := s.State.UnmarshalText([]byte(service)); err != nil {
		return Step{}, err
	}
	var a Attempt
	var visit, name, state string
	if _, err := fmt.Sscan(last, &visit, &a.Number, &name, &state); err != nil {
		return Step{}, err
	}
	a.Handshake, _ = handshake.Lookup(name)
	if err := a.Visit.UnmarshalText([]byte(visit)); err != nil {
		return Step{}, err
	}
	if err := a.State.UnmarshalText([]byte(state)); err != nil {
		return Step{}, err
	}
	if judged {
		return p.Judged(&s, &a, allPorts), nil
	}
	return p.Next(&s, &a), nil
}

// In a random order each service gets every handshake once, wait at its place, and of the others' orders one as often as
// another. The order is the seed's.
func TestRandomOrder(t *testing.T) {
	settings := Defaults()
	settings.Handshakes, settings.AllHandshakes, settings.RandomOrder = []string{"http", "wait", "tls", "dns"}, true, true
	orders := func(seed uint64) (list []string) {
		settings.CookieKey = KeyOf(seed)
		p, err := NewPolicy(&settings)
		if err != nil {
			t.Fatal(err)
		}
		to := netip.MustParseAddrPort("198.18.0.0:80")
		for range 6000 {
			to = netip.AddrPortFrom(to.Addr().Next(), 80)
			service := Service{State: SendsData}
			last := Attempt{Service: to, Handshake: p.First(to), State: SendsData}
			names := last.Handshake.Name
			next := p.Next(&service, &last)
			for ; next.Action == Connect; next = p.Next(&service, &last) {
				names += "," + next.Handshake.Name
				last.Number, last.Handshake = last.Number+1, next.Handshake
			}
			list = append(list, names)
		}
		return list
	}
	first, counts := orders(1), map[string]int{}
	for _, names := range first {
		counts[names]++
	}
	for _, names := range []string{"http,wait,tls,dns", "http,wait,dns,tls", "tls,wait,http,dns", "tls,wait,dns,http", "dns,wait,http,tls", "dns,wait,tls,http"} {
		if n := counts[names]; n < 880 || n > 1120 { // 1,000 expected, with a standard deviation of 29
			t.Errorf("%s %d times of 6,000", names, n)
		}
	}
	if !slices.Equal(first, orders(1)) {
		t.Error("another order at the second time")
	}
	same := 0
	for i, names := range orders(2) {
		if names == first[i] {
			same++
		}
	}
	if same < 880 || same > 1120 {
		t.Errorf("%d of 6,000 services have the same order with another seed", same)
	}
}

// The arms of follow-ups are drawn alike often, and in each of them every wrong handshake.
func TestFollowup(t *testing.T) {
	settings := Defaults()
	settings.Handshakes = []string{"wait", "tls", "tls-legacy", "http", "http-options", "dns"}
	settings.Followup = []Duration{0, Duration(5 * time.Second), Duration(30 * time.Second)}
	p, err := NewPolicy(&settings)
	if err != nil {
		t.Fatal(err)
	}
	const services = 12_000
	for _, c := range []struct {
		right int // number of the attempt that drew data
		wrong []string
	}{
		{0, []string{"tls", "tls-legacy", "http", "http-options", "dns"}},
		{1, []string{"http", "http-options", "dns"}},
		{4, []string{"tls", "tls-legacy", "dns"}},
	} {
		right := p.handshakes[c.right]
		counts := map[string]int{}
		to := netip.MustParseAddrPort("198.18.0.0:80")
		for range services {
			to = netip.AddrPortFrom(to.Addr().Next(), 80)
			service := new(Service)
			last := Attempt{Service: to, Number: c.right, Handshake: right, State: SendsData, SYNACKTime: 1}
			service.add(&last)
			var steps []string
			next := p.Next(service, &last)
			for ; next.Action == Connect && len(steps) < 9; next = p.Next(service, &last) {
				steps = append(steps, next.String())
				// Whatever comes of it, and whatever that says, changes nothing of what is next.
				last = Attempt{Service: to, Number: last.Number + 1, Visit: next.Visit, Handshake: next.Handshake, State: State(len(steps) % int(states))}
			}
			counts[strings.Join(steps, ", ")]++
		}
		want := map[string]int{"connect control " + right.Name + " after 30s": services / 4}
		for _, delay := range []string{"", " after 5s", " after 30s"} {
			for _, wrong := range c.wrong {
				want["connect wrong "+wrong+" after 30s, connect followup "+right.Name+delay] = services / 4 / len(c.wrong)
			}
		}
		for steps, n := range counts {
			// Five standard deviations.
			if d := float64(n - want[steps]); want[steps] == 0 || d*d > 25*float64(want[steps]) {
				t.Errorf("%s: %d of %d, want about %d", steps, n, services, want[steps])
			}
		}
		if len(counts) != len(want) {
			t.Errorf("%d ways, want %d", len(counts), len(want))
		}
	}
}

// A policy needs handshakes that there are.
func TestPolicyOfBadSettings(t *testing.T) {
	for _, list := range [][]string{nil, {"http", "htpp"}} {
		if _, err := NewPolicy(&Settings{Handshakes: list}); err == nil {
			t.Errorf("%q: no error", list)
		}
	}
}
