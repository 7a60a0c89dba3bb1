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

// Who answers two newlines and not HTTP, or HTTP and not newlines, takes other lines of text for what the newlines are; IPP is HTTP.
func TestTextIsAnsweredAsNewlinesAre(t *testing.T) {
	mongodb, memcached := testService(protocols[Index("mongodb")], 1), testService(protocols[Index("memcached")], 1)
	mongodb.Answers, memcached.Answers = &Answers{HTTP: 1}, &Answers{Newlines: 1}
	for _, w := range firstWords() {
		asHTTP := w.kind == HTTP || w.kind == IPP
		asLines := w.kind == Newlines || w.kind.text() && !asHTTP
		if !asHTTP && !asLines {
			continue
		}
		if got := mongodb.AnswersTo(w.kind, w.said); got != asHTTP {
			t.Errorf("who answers HTTP alone answers %s: %v", w.name, got)
		}
		if got := memcached.AnswersTo(w.kind, w.said); got != asLines && w.kind != Memcached {
			t.Errorf("who answers newlines alone answers %s: %v", w.name, got)
		}
	}
}

// Of the services of a protocol some answer only one of two ways to begin (Table 3), and the others both.
func TestOptions(t *testing.T) {
	said := map[string]words{}
	for _, w := range firstWords() {
		said[w.name] = w
	}
	for _, c := range []struct{ protocol, usual, other string }{
		{"http", "http", "http-options"}, {"pptp", "pptp", "pptp-badcookie"}, {"tls", "tls", "tls-legacy"},
	} {
		usual, other, both := 0, 0, 0
		for port := 1; port <= 4000; port++ {
			s := testService(protocols[Index(c.protocol)], uint16(port))
			s.Options = &Options{OnlyUsual: 0.3, OnlyOther: 0.2}
			a, _ := s.Answer(said[c.usual].kind, said[c.usual].said)
			b, _ := s.Answer(said[c.other].kind, said[c.other].said)
			switch {
			case len(a) > 0 && len(b) > 0:
				both++
			case len(a) > 0:
				usual++
			case len(b) > 0:
				other++
			default:
				t.Fatalf("%s on %d answers neither", c.protocol, port)
			}
		}
		if usual < 1100 || usual > 1300 || other < 720 || other > 880 || both < 1900 {
			t.Errorf("%s: %d answer only the usual words, %d only the others, %d both, of 4000 with shares 0.3, 0.2, 0.5", c.protocol, usual, other, both)
		}
	}
	// Words that are cut short must not panic.
	for _, cut := range [][]byte{nil, {0x16}, said["tls-legacy"].said[:44], said["tls-legacy"].said[:46], said["pptp-badcookie"].said[:7]} {
		exportGrade(cut)
		badCookie(cut)
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
