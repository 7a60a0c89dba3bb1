package lab

import (
	"net/netip"
	"testing"

	"laserdisc/capture/handshake"
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
