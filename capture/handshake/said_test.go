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

// What is left of a Hello tells it, with how long it was, unless two begin so.
func TestSaidCut(t *testing.T) {
	to := netip.MustParseAddrPort("198.18.3.4:8080")
	told := 0
	for _, p := range Table() {
		if p.Hello == nil {
			continue
		}
		said := p.Hello(nil, to, 7)
		for n := range len(said) {
			got := SaidCut(said[:n], len(said), to)
			if got != p && got.Name != "wait" && got.Name != "other" && got != &http && got != &tls {
				t.Errorf("%d of %d bytes of %s are told as %s", n, len(said), p.Name, got.Name)
			}
		}
		if SaidCut(said[:len(said)-1], len(said), to) == p {
			told++
		}
	}
	if told < 20 {
		t.Errorf("%d hellos are told when their last byte is missing", told)
	}
	if got := SaidCut([]byte("\x16\x03\x01\x02\x00\x01"), 999, to); got != &tls {
		t.Errorf("any client hello is told as %s", got.Name)
	}
}

// What another client said is told by its bytes, if they show a protocol of the table.
func TestOther(t *testing.T) {
	for said, want := range map[string]string{
		"HELO there\r\n":                   "smtp",
		"HELO\r\n":                         "",
		"SSH-2.0-OpenSSH_9.2p1\r\n":        "ssh",
		"POST /a HTTP/1.1\r\n":             "http",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "http",
		"POST /a\r\n":                      "",
		"DESCRIBE rtsp://a/ RTSP/1.0\r\n":  "rtsp",
		"\x80\x0b\x01\x03\x01\x00\x03\x00\x00\x00\x00\x00\x2f":                                     "tls",
		"\x00\x00\x00\x05\xfeSMB@":                                                                 "smb",
		"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00":             "rdp",
		"\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc1\x02\x01\x00\xc2\x02\x01\x02\xc0\x01\x0a": "siemens",
		"\x10\x0e\x00\x04MQTT\x05\x02\x00<\x00\x00\x00":                                            "mqtt",
		"*1\r\n$4\r\nPING\r\n":                                                                     "redis",
		"\x00\x00\x00\x0a\x00\x03\x00\x00a\x00":                                                    "postgres",
		"\x00\x00\x00\x08\x04\xd2\x16\x2f":                                                         "postgres",
		"AMQP\x00\x01\x00\x00":                                                                     "amqp",
		"\x05\x02\x00\x02":                                                                         "socks5",
		"\x05\x03\x00\x02":                                                                         "",
		"\xff\xfb\x1f":                                                                             "telnet",
		"no idea":                                                                                  "",
	} {
		p := Said([]byte(said), netip.MustParseAddrPort("198.18.3.4:8080"))
		if p.Name == "other" && p.Answer != want || p.Name != "other" && p.Name != want && p.Answer != want {
			t.Errorf("%q is told as %s of %q, want %q", said, p.Name, p.Answer, want)
		}
	}
	for _, s := range shown {
		if _, ok := Lookup(s.name); !ok {
			t.Errorf("no protocol is called %s", s.name)
		}
	}
}

// Whatever a client says, telling is safe.
func FuzzSaid(f *testing.F) {
	for _, said := range []string{"\x10\x0e\x00\x04MQTT\x05\x02", "*1\r\n$4", "\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00", "A B HTTP/1."} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		if p := Said(said, netip.MustParseAddrPort("198.18.3.4:8080")); p == nil {
			t.Error("nil")
		}
	})
}
