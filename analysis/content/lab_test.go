package content

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/datasets"
)

// What is read from the lab's servers is what they reveal. The two were written apart, and know nothing of each other.
func TestLab(t *testing.T) {
	to := netip.MustParseAddrPort("192.0.2.1:80")
	said := func(s *servers.Service, name string) []byte {
		h, ok := handshake.Lookup(name)
		if !ok {
			t.Fatalf("there is no handshake %s", name)
		}
		hello := h.Hello(nil, to, 1)
		b, _ := s.Answer(servers.Recognise(hello), hello)
		return b
	}
	key, made := draw.NewKey(7), servers.Certificates{}
	hosts := map[[sha256.Size]byte]int{}
	seen := map[string]int{}
	for i := range 4000 {
		host := draw.Source{Key: key, This: uint64(i) * 0x9e3779b97f4a7c15}
		for _, name := range []string{"tls", "http", "ssh"} {
			port := uint16(1 + i)
			s := servers.Service{
				Source: draw.Source{Key: key, This: host.Bits(draw.ForService | uint64(port)<<16)}, Host: host,
				At: netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), port), Protocol: servers.Protocols()[servers.Index(name)],
				Certificates: made, Answers: &servers.Answers{}, Content: &servers.CommonContent,
			}
			var got, want []string
			shares := false // which takes two hosts to see
			for _, what := range s.Reveals() {
				if what == "shared_key" {
					shares = true
					continue
				}
				want = append(want, what)
			}
			switch name {
			case "tls":
				c, found := ReadCertificate(said(&s, "tls12"))
				if found != Present { // an alert
					seen["alert"]++
					continue
				}
				if c.Maker() != "" {
					got = append(got, "maker")
				}
				if _, known := datasets.KnownKeys()[c.SPKI]; known {
					got = append(got, "known_key")
				}
				hosts[c.SPKI]++
				if shares {
					seen["shared_key"]++
				}
			case "http":
				page, ok := ReadPage(said(&s, "http"), false)
				if !ok || page.Login == Cut {
					t.Fatalf("no whole page from %v", s.At)
				}
				if page.Login == Present {
					got = append(got, "login")
				}
				if IsUPnP(page.Server) {
					got = append(got, "upnp")
				}
			case "ssh":
				software := SSHSoftware(s.Greeting())
				if software == "" {
					t.Fatalf("no banner from %v", s.At)
				}
				if SSHMaker(software) != "" {
					got = append(got, "device_ssh")
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s on %d: read %q, it reveals %q", name, port, got, want)
			}
			for _, what := range append(got, name) {
				seen[what]++
			}
		}
	}
	t.Log(seen)
	shared, on := 0, 0
	for _, n := range hosts {
		if n > 1 {
			shared, on = shared+1, on+n
		}
	}
	if shared != 17 || on != seen["shared_key"] {
		t.Errorf("%d keys on %d hosts are those of several, of %d that reveal it", shared, on, seen["shared_key"])
	}
	for _, what := range []string{"maker", "known_key", "login", "upnp", "device_ssh"} {
		if seen[what] == 0 {
			t.Errorf("nobody reveals %s", what)
		}
	}
}
