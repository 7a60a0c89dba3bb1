package servers

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// Whatever any server of any protocol says to any handshake is, for laserdisc's classifier, what
// the truth says it is. The two were written apart, each from the specifications.
func TestAnswersAreWhatTheTruthSays(t *testing.T) {
	n := New(Default(), 3)
	h, _ := n.host(netip.MustParseAddr("198.18.0.1"))
	heard := map[string]int{}
	for _, speaker := range speakers {
		complaints := 0
		for port := 1; port <= 400; port++ {
			at := netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), uint16(port))
			s := service{dice: dice{n.key, h.portBits(uint16(port))}, net: n, at: at, host: h, speaker: speaker}
			s.answers = &Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1}
			for _, w := range n.words {
				b, label := s.answer(w.kind, w.said)
				if len(b) == 0 {
					continue
				}
				var v handshake.Verdict
				handshake.Classify(&v, w.said, b)
				heard[speaker.name]++
				if want := listedLabel(label); v.Label != want && complaints < 5 {
					complaints++
					t.Errorf("%s to %s: classified as %s, truth says %s: %.120q", speaker.name, w.name, v.Label, want, b)
				}
			}
		}
	}
	t.Log(heard)
}

// The first words of laserdisc's handshakes are recognised, so that a server knows its own.
func TestFirstWordsAreRecognised(t *testing.T) {
	own := map[string]kind{}
	for _, s := range speakers {
		if len(s.own) > 0 {
			own[s.name] = s.own[0]
		}
	}
	for _, w := range firstWords() {
		want, ok := own[w.name]
		if ok && w.kind != want && w.kind != kindWait {
			t.Errorf("%s: %q is taken for kind %d, want %d", w.name, w.said, w.kind, want)
		}
	}
}

// Go's TLS client reads a server's first flight to the point where its keys are made up.
func TestTLSClientsReadTheFirstFlight(t *testing.T) {
	n := New(Default(), 3)
	h, _ := n.host(netip.MustParseAddr("198.18.0.1"))
	ends := map[string]int{}
	for port := uint16(1); port <= 60; port++ {
		s := service{dice: dice{n.key, h.portBits(port)}, net: n, host: h, speaker: speakers[speakerIndex("tls")], answers: &Answers{}}
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
			b, _ := s.answer(kindTLS, hello[:k])
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

// An ICMP error has right checksums, which clients' kernels verify.
func TestUnreachableChecksums(t *testing.T) {
	for _, ends := range [][2]string{{"192.0.2.1:61000", "198.18.0.7:80"}, {"[2001:db8::1]:61000", "[2001:db8:1::7]:80"}} {
		s := packet.Segment{Src: netip.MustParseAddrPort(ends[0]), Dst: netip.MustParseAddrPort(ends[1]), Flags: packet.SYN, TTL: 64}
		b := appendUnreachable(nil, s.AppendFrame(nil, packet.MAC{2}, packet.MAC{4}), &s, 60)[14:]
		pseudo, icmp := uint32(0), b[20:]
		if s.Dst.Addr().Is6() {
			icmp = b[40:]
			pseudo = uint32(len(icmp)) + 58
			icmp = b[8:] // with the addresses
		} else if got := checksum(0, b[:20]); got != 0 {
			t.Errorf("%s: IP checksum is off by %#x", ends[1], got)
		}
		if got := checksum(pseudo, icmp); got != 0 {
			t.Errorf("%s: ICMP checksum is off by %#x", ends[1], got)
		}
	}
}
