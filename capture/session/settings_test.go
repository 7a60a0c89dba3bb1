package session

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// No attempt comes from where an earlier one came from, a second look neither: a server that still knows that connection
// would answer neither as it does to strangers nor at all.
func TestEveryAttemptHasItsPort(t *testing.T) {
	s := Defaults()
	s.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2")}
	s.Handshakes = []string{"http", "tls"}
	s.Revisit = Duration(time.Second)
	s.SourcePorts = PortRange{60000, 60001}
	if s.Check() == nil {
		t.Error("two ports for three attempts from one source")
	}
	s.SourcePorts.Last++
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	id, from := newIdentity(&s, 0), map[netip.AddrPort]bool{}
	for attempt := range 4 {
		from[id.of(scriptTarget, attempt, attempt == 3).source] = true
	}
	if len(from) != 4 {
		t.Errorf("4 attempts, from %v", from)
	}
}

// Follow-ups that cannot be are told before the scan begins.
func TestFollowupThatCannotBe(t *testing.T) {
	second := Duration(time.Second)
	for _, c := range []struct {
		handshakes string
		followup   []Duration
		want       string // "" is none
	}{
		{"http,tls", []Duration{0, second, 120 * second}, ""},
		{"wait,http", []Duration{0}, ""},
		{"http", []Duration{0}, "two handshakes of different protocols"},
		{"tls,tls-legacy", []Duration{0}, "two handshakes of different protocols"},
		{"wait,ssh", []Duration{0}, ""},
		{"http,tls", []Duration{second, second}, "stands there once"},
		{"http,tls", []Duration{-second}, "a time is 0s to 1h0m0s"},
		{"http,tls", []Duration{3601 * second}, "a time is 0s to 1h0m0s"},
		{"http,tls", []Duration{second / 3}, "whole milliseconds"},
	} {
		s := Defaults()
		s.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
		s.Handshakes, s.Followup = strings.Split(c.handshakes, ","), c.followup
		err := s.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s after %v: error %v, want %q", c.handshakes, c.followup, err, c.want)
		}
	}
	s := Defaults()
	s.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
	s.Handshakes, s.Followup, s.SourcePorts = []string{"http", "tls"}, []Duration{0}, PortRange{60000, 60002}
	if s.Check() == nil {
		t.Error("three ports for four attempts")
	}
}
