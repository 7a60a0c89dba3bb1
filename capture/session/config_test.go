package session

import (
	"net/netip"
	"testing"
	"time"

	"laserdisc/capture/handshake"
)

// No attempt comes from where an earlier one came from, a second look neither: a server that still knows that connection
// would answer neither as it does to strangers nor at all.
func TestEveryAttemptHasItsPort(t *testing.T) {
	cfg := Defaults()
	cfg.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2")}
	cfg.Handshakes, _ = handshake.Parse("http,tls")
	cfg.Revisit = time.Second
	cfg.SourcePorts = PortRange{60000, 60001}
	if cfg.Check() == nil {
		t.Error("two ports for three attempts from one source")
	}
	cfg.SourcePorts.Last++
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	id, from := newIdentity(&cfg), map[netip.AddrPort]bool{}
	for attempt := range 4 {
		from[id.of(scriptTarget, attempt, attempt == 3).source] = true
	}
	if len(from) != 4 {
		t.Errorf("4 attempts, from %v", from)
	}
}
