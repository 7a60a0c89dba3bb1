package session

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"laserdisc/capture/handshake"
)

// line is a Service as encoding/json would write it.
type line struct {
	Addr      netip.Addr        `json:"addr"`
	Port      uint16            `json:"port"`
	State     State             `json:"state"`
	Label     string            `json:"label"`
	Evidence  string            `json:"evidence"`
	Handshake string            `json:"handshake"`
	Attempts  int               `json:"attempts"`
	First     time.Time         `json:"first"`
	End       time.Time         `json:"end"`
	Window    uint16            `json:"window"`
	TTL       uint8             `json:"ttl"`
	Options   string            `json:"options"`
	Frame     uint64            `json:"frame"`
	Details   map[string]string `json:"details,omitempty"`
	Response  []byte            `json:"response,omitempty"`
}

// A line of services.jsonl is what encoding/json would write, whatever is in it.
func TestLine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 8))
	responses := []string{"", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "HTTP/1.1 200 OK\r\nServer: a<b>&\"\\\x01\u2028\xff\r\n\r\n", "220 mail ESMTP Postfix\r\n"}
	texts := []string{"", "http", "\"quoted\"", "a<b>&c", "\x00\n\u2028", "\xff\xfe", "ä"}
	for range 2000 {
		pick := func() string { return texts[random.IntN(len(texts))] }
		s := Service{
			Service: netip.MustParseAddrPort([]string{"198.18.0.1:80", "[2001:db8::1]:65535"}[random.IntN(2)]),
			State:   State(random.IntN(int(states))), Label: []string{"ssh", "http", "smtp", "", "unknown", "a&b"}[random.IntN(6)],
			Evidence: handshake.Evidence(random.IntN(4)), Handshake: pick(), Attempts: random.IntN(30),
			First: random.Int64N(4e18), End: random.Int64N(2) * random.Int64N(4e9) * 1e9, Window: uint16(random.Uint32()), TTL: uint8(random.Uint32()),
			Layout: pick(), Frame: random.Uint64(), Response: []byte(responses[random.IntN(len(responses))]),
		}
		l := line{
			Addr: s.Service.Addr(), Port: s.Service.Port(),
			State: s.State, Label: s.Label, Evidence: s.Evidence.String(), Handshake: s.Handshake,
			Attempts: s.Attempts, First: time.Unix(0, s.First).UTC(), End: time.Unix(0, s.End).UTC(),
			Window: s.Window, TTL: s.TTL, Options: s.Layout, Frame: s.Frame, Response: s.Response,
		}
		for _, d := range handshake.Details(s.Label, s.Response) {
			if l.Details == nil {
				l.Details = make(map[string]string)
			}
			l.Details[d.Key] = d.Value
		}
		want, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.AppendJSON(nil); string(got) != string(want) {
			t.Fatalf("wrote %s\nwant  %s", got, want)
		}
	}
}
