package published

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/capture/lab"
	"laserdisc/datasets"
)

// defaultSurvey is the default population's.
var defaultSurvey = sync.OnceValue(func() *Survey { return Take(lab.New(lab.Default(), 1)) })

// Every published number that a lab can have is the default population's within a tenth, or datasets/paper/contradictions.md says why not.
// That page lists no number that agrees, and none that there is not.
func TestDefaultPopulationIsAsPublished(t *testing.T) {
	listed := map[string]string{}
	for _, c := range datasets.Contradictions() {
		for _, name := range c.Numbers {
			listed[name] = c.Name
		}
	}
	seen := map[string]bool{}
	for _, n := range defaultSurvey().Numbers() {
		name := n.Name()
		if seen[name] {
			t.Errorf("%s: two numbers have this name", name)
		}
		seen[name] = true
		section, excused := listed[name]
		delete(listed, name)
		switch {
		case n.Agrees() && excused:
			t.Errorf("%s: %.4g agrees with the published %.4g: take it off %q", name, n.Lab, n.Published, section)
		case !n.Agrees() && !excused:
			t.Errorf("%s: %.4g, published is %.4g", name, n.Lab, n.Published)
		}
	}
	for name, section := range listed {
		t.Errorf("%q lists %q, which is not a number that a lab can have", section, name)
	}
}

// What the text says of scans, and not of services, is what no lab's truth has.
func TestWhatIsNotCounted(t *testing.T) {
	var list []string
	for _, x := range datasets.Text() {
		if _, ok := defaultSurvey().text(x.TextKey); !ok && x.Section != "4.3" { // follow-ups
			list = append(list, x.Words)
		}
	}
	want := []string{
		"times that a SYN-ACK is repeated where the handshake is dropped", "services of such hosts that ephemeral probes remove",
		"identified by all handshakes", "hosts more when data is sent again, with PSH",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

func TestAgrees(t *testing.T) {
	for _, c := range []struct {
		published, lab, half float64
		want                 bool
	}{
		{0.5, 0.5, 0, true}, {0.5, 0.55, 0, true}, {0.5, 0.45, 0, true}, {0.5, 0.5501, 0, false}, {0.5, 0.4499, 0, false},
		{0, 0, 0, true}, {0, 0.001, 0, false}, {0, 0.005, 0.005, true}, {0.01, 0.0149, 0.005, true}, {0.01, 0.0151, 0.005, false},
		{25000, 27500, 0, true}, {25000, 27501, 0, false},
	} {
		n := Number{Published: c.published, Lab: c.lab, half: c.half}
		if got := n.Agrees(); got != c.want {
			t.Errorf("%v of %v (± %v) agrees: %v", c.lab, c.published, c.half, got)
		}
	}
}
