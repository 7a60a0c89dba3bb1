package handshake

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// Every Hello is told by its bytes, whatever its nonce; two that are the same bytes are the first's.
func TestSaid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	to := netip.MustParseAddrPort("198.18.3.4:8080")
	for _, p := range Table() {
		if p.Hello == nil {
			continue
		}
		for range 100 {
			said := p.Hello(nil, to, random.Uint64())
			if got := Said(said, to); got != p {
				t.Errorf("%s is told as %s", p.Name, got.Name)
				break
			}
		}
	}
	for said, want := range map[string]string{
		"":                                     "wait",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":    "http",
		"GET\r\n":                              "other",
		"\x16\x03\x01\x00\x50\x01\x00\x00\x4c": "tls",
		"\x16\x03\x01\x00\x50\x02\x00\x00\x4c": "other",
		"HELO there\r\n":                       "other",
	} {
		if got := Said([]byte(said), to).Name; got != want {
			t.Errorf("%q is told as %s, want %s", said, got, want)
		}
	}
}
