package analysis

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/replay/order"
)

func trialOf(t *testing.T, attempts string) *Trials {
	t.Helper()
	trials := NewTrials([]string{"wait", "http", "tls"})
	numbers := make(map[netip.AddrPort]int)
	for line := range strings.Lines(attempts) {
		var addr, name, state, label, evidence string
		if _, err := fmt.Sscan(line, &addr, &name, &state, &label, &evidence); err != nil {
			t.Fatal(line, err)
		}
		a := session.Attempt{Service: netip.MustParseAddrPort(addr), Handshake: handshakeNamed(name)}
		a.Number = numbers[a.Service]
		numbers[a.Service]++
		if err := a.State.UnmarshalText([]byte(state)); err != nil {
			t.Fatal(err)
		}
		a.Verdict.Label = strings.Trim(label, "-")
		a.Verdict.Evidence, _ = evidenceNamed(evidence)
		if err := trials.Add(&a); err != nil {
			t.Fatal(err)
		}
	}
	return trials
}

func TestTrials(t *testing.T) {
	trials := trialOf(t, `10.0.0.2:80 wait acks_data - none
		10.0.0.1:80 wait silent - none
		10.0.0.2:80 http sends_data unknown none
		10.0.0.1:80 http sends_data http likely
		10.0.0.1:80 tls sends_data tls certain
		10.0.0.2:80 tls sends_data ftp weak
		10.0.0.3:80 wait closed - none
		10.0.0.4:22 dns sends_data echo none
		10.0.0.1:22 wait sends_data ssh certain`)
	set := func(handshakes ...int) (s order.Set) {
		for _, h := range handshakes {
			s.Add(h)
		}
		return s
	}
	if d := cmp.Diff([]string{"wait", "http", "tls", "dns"}, trials.Handshakes()); d != "" {
		t.Error(d)
	}
	got := trials.Order(func(port uint16) string { return map[uint16]string{22: "ssh"}[port] })
	want := []order.Service{
		{Port: 22, Expected: "ssh", Label: "ssh", Identified: set(0)},
		{Port: 80, Label: "tls", Identified: set(1, 2)},
		{Port: 80},
		{Port: 22, Expected: "ssh"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	second := trials.Services()[2]
	if second.Tried != set(0, 1, 2) || second.SentData != set(1, 2) {
		t.Errorf("%+v", second)
	}
}

func TestTooManyHandshakes(t *testing.T) {
	trials := NewTrials(nil)
	var err error
	for i := range order.MaxHandshakes + 1 {
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		err = trials.Add(&session.Attempt{Handshake: &handshake.Protocol{Name: fmt.Sprint("handshake", i)}})
	}
	if err == nil {
		t.Error("no error")
	}
}
