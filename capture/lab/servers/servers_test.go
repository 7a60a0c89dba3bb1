package servers

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/draw"
)

// words are what a handshake says first, and what that looks like to a server.
type words struct {
	name string
	kind Kind
	said []byte
}

// firstWords are those of every handshake.
func firstWords() (all []words) {
	to := netip.MustParseAddrPort("192.0.2.1:80")
	for _, p := range handshake.Table() {
		w := words{name: p.Name}
		if p.Hello != nil {
			w.said = p.Hello(nil, to, 1)
		}
		w.kind = Recognise(w.said)
		all = append(all, w)
	}
	return all
}

// testService is one of a host's services.
func testService(p *Protocol, port uint16) Service {
	key := draw.NewKey(3)
	host := draw.Source{Key: key, This: 1}
	return Service{Source: draw.Source{Key: key, This: host.Bits(draw.ForService | uint64(port)<<16)}, Host: host,
		At: netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), port), Protocol: p, Certificates: Certificates{}, Content: &CommonContent,
		Answers: &Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1}}
}

// Whatever any server of any protocol says to any handshake is, for laserdisc's classifier, what its label says. The two were
// written apart, each from the specifications.
func TestAnswersAreWhatTheLabelsSay(t *testing.T) {
	heard := map[string]int{}
	for _, p := range protocols {
		complaints := 0
		for port := 1; port <= 400; port++ {
			s := testService(p, uint16(port))
			for _, w := range firstWords() {
				b, label := s.Answer(w.kind, w.said)
				if len(b) == 0 {
					continue
				}
				var v handshake.Verdict
				handshake.Classify(&v, w.said, b)
				heard[p.Name]++
				if v.Label != label && complaints < 5 {
					complaints++
					t.Errorf("%s to %s: classified as %s, its label is %s: %.120q", p.Name, w.name, v.Label, label, b)
				}
			}
		}
	}
	t.Log(heard)
}

// The first words of laserdisc's handshakes are recognised, so that a server knows its own.
func TestFirstWordsAreRecognised(t *testing.T) {
	own := map[string]Kind{}
	for _, p := range protocols {
		if len(p.own) > 0 {
			own[p.Name] = p.own[0]
		}
	}
	for _, w := range firstWords() {
		want, ok := own[w.name]
		if ok && w.kind != want && w.kind != Wait {
			t.Errorf("%s: %q is taken for kind %d, want %d", w.name, w.said, w.kind, want)
		}
	}
}

// Go's TLS client reads a server's first flight to the point where its keys are made up.
func TestTLSClientsReadTheFirstFlight(t *testing.T) {
	ends := map[string]int{}
	for port := uint16(1); port <= 60; port++ {
		s := testService(protocols[Index("tls")], port)
		client, server := net.Pipe()
		go func() {
			hello := make([]byte, 4096)
			k, err := server.Read(hello)
			if err != nil {
				return
			}
			go func() { // the client's alert
				_, _ = io.Copy(io.Discard, server)
			}()
			b, _ := s.Answer(TLS, hello[:k])
			_, _ = server.Write(b) // fails where the client has had enough
		}()
		err := tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake()
		if err == nil {
			t.Fatal("the handshake was completed")
		}
		ends[err.Error()]++
		_ = client.Close()
	}
	for end := range ends {
		if !slices.Contains([]string{
			"local error: tls: bad record MAC",                                               // TLS 1.3
			"tls: invalid signature by the server certificate: Ed25519 verification failure", // TLS 1.2
			"remote error: tls: unrecognized name", "remote error: tls: handshake failure",
		}, end) {
			t.Errorf("a client ends with %q", end)
		}
	}
	t.Log(ends)
}
