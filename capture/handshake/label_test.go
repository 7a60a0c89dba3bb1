package handshake

import "testing"

// TestOutranks: what each pair of labels comes to, the earlier attempt's first.
func TestOutranks(t *testing.T) {
	for _, c := range []struct {
		earlier, later Verdict
		want           bool
		why            string
	}{
		{Verdict{}, Verdict{Label: Unknown}, true, "the first answer has any label"},
		{Verdict{}, Verdict{}, false, "no answer has none"},
		{Verdict{Label: "http", Evidence: Weak}, Verdict{}, false, "no answer takes none away"},
		{Verdict{Label: Unknown}, Verdict{Label: "redis", Evidence: Weak}, true, "some evidence beats none"},
		{Verdict{Label: Unknown}, Verdict{Label: Echo}, false, "what a handshake of zeros draws may be zeros"},
		{Verdict{Label: Echo}, Verdict{Label: "amqp", Evidence: Weak}, false, "an echo beats what is weak"},
		{Verdict{Label: "amqp", Evidence: Weak}, Verdict{Label: Echo}, true, "whichever is the later"},
		{Verdict{Label: Echo}, Verdict{Label: "http", Evidence: Likely}, true, "likely beats an echo"},
		{Verdict{Label: Echo}, Verdict{Label: Unknown}, false, "the earlier of two without evidence"},
		{Verdict{Label: "redis", Evidence: Weak}, Verdict{Label: Unknown}, false, "none does not beat some"},
		{Verdict{Label: "rdp", Evidence: Weak}, Verdict{Label: "ssh", Evidence: Likely}, true, "likely beats weak, wherever it stands"},
		{Verdict{Label: "ssh", Evidence: Likely}, Verdict{Label: "socks5", Evidence: Weak}, false, "weak does not beat likely, wherever it stands"},
		{Verdict{Label: "rdp", Evidence: Weak}, Verdict{Label: "smb", Evidence: Weak}, false, "the earlier of two weak ones"},
		{Verdict{Label: "http", Evidence: Certain}, Verdict{Label: "kubernetes", Evidence: Likely}, true, "the more specific, likely, beats its carrier, certain"},
		{Verdict{Label: "kubernetes", Evidence: Likely}, Verdict{Label: "http", Evidence: Certain}, false, "and is not beaten by it"},
		{Verdict{Label: "http", Evidence: Likely}, Verdict{Label: "http", Evidence: Certain}, false, "the earlier of one protocol"},
	} {
		if got := c.later.Outranks(&c.earlier); got != c.want {
			t.Errorf("%s: %q (%v) outranks %q (%v): %t", c.why, c.later.Label, c.later.Evidence, c.earlier.Label, c.earlier.Evidence, got)
		}
	}
}

// TestOutranksAsClassify: two answers in two attempts get the label that both matches in one answer would.
func TestOutranksAsClassify(t *testing.T) {
	for i, earlier := range Table() {
		for _, later := range Table()[i:] {
			for a := Weak; a <= Certain; a++ {
				for b := Weak; b <= Certain; b++ {
					e, l := Verdict{Label: earlier.Name, Evidence: a}, Verdict{Label: later.Name, Evidence: b}
					if got, want := l.Outranks(&e), outranks(b, a); got != want {
						t.Fatalf("%s (%v) after %s (%v): %t, in one answer %t", later.Name, b, earlier.Name, a, got, want)
					}
				}
			}
		}
	}
}
