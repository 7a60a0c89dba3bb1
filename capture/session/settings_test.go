package session

import (
	"net/netip"
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
