package lab_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/session"
)

// arm counts the follow-ups of one arm.
type arm struct {
	protocol string
	delay    time.Duration // -1: the control
}

// tally is what came of them, and what the lab's truth says of it.
type tally struct {
	n, answered                      int // follow-ups; those whose wrong handshake drew data
	closed, noAnswer                 int
	expectedClosed, expectedNoAnswer int
}

// Follow-ups fail where the lab's services are spoiled, and nowhere else: each as its truth says, by the times of its packets.
// Over all they fail as often as the paper says (section 4.3), and recover as fast.
func TestFollowupsFindWhatIsSpoiled(t *testing.T) {
	n := lab.New(load(t, "testdata/spoiled.json"), 1)
	const roundTrip = int64(20 * time.Millisecond)
	cfg := session.Defaults()
	cfg.Handshakes = []string{"wait", "tls", "http"}
	delays := []time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute}
	for _, d := range delays {
		cfg.Followup = append(cfg.Followup, session.Duration(d))
	}
	var targets []netip.AddrPort
	protocols := map[uint16]string{443: "tls", 23: "telnet"}
	for a := netip.MustParseAddr("198.18.0.0"); n.Prefixes()[0].Contains(a); a = a.Next() {
		for _, port := range []uint16{443, 23} {
			targets = append(targets, netip.AddrPortFrom(a, port))
		}
	}
	wrong, arms := map[netip.AddrPort]*session.Attempt{}, map[arm]*tally{}
	each := func(a *session.Attempt) {
		in := arm{protocols[a.Service.Port()], -1}
		switch a.Visit {
		case session.Wrong:
			wrong[a.Service] = a.Clone()
			return
		case session.Followup:
			in.delay = time.Duration(a.Delay) * time.Millisecond
		case session.Control:
		default:
			return
		}
		if arms[in] == nil {
			arms[in] = new(tally)
		}
		c := arms[in]
		c.n++
		want := session.SendsData
		if w := wrong[a.Service]; a.Visit == session.Followup {
			if gap := time.Duration(a.SYNTime - w.End); gap != in.delay || a.Number != w.Number+1 {
				t.Errorf("%v: attempt %d is %v after attempt %d, and says %v", a.Service, a.Number, gap, w.Number, in.delay)
			}
			if w.State == session.SendsData {
				c.answered++
				long, resets := n.Spoiled(a.Service, w.Handshake.Name)
				until := w.DataTime - roundTrip + int64(long)
				switch {
				case a.SYNTime >= until:
				case resets:
					want = session.Closed
					c.expectedClosed++
				case a.SYNTime+int64(cfg.RetransmitAfter) < until:
					want = session.NoAnswer
					c.expectedNoAnswer++
				}
			}
		}
		switch a.State {
		case session.Closed:
			c.closed++
		case session.NoAnswer:
			c.noAnswer++
		}
		if a.State != want {
			t.Errorf("%v: %v %s after %v is %v, want %v", a.Service, a.Visit, a.Handshake.Name, in.delay, a.State, want)
		}
	}
	s := scanAs(t, link.NewMemory(n, 1e18), cfg, targets, each)
	for service, found := range s.services {
		if found.State != session.SendsData || found.Label != protocols[service.Port()] {
			t.Errorf("%v is %v %s", service, found.State, found.Label)
		}
	}
	for _, of := range []struct {
		protocol string
		share    float64
	}{{"tls", 0.29}, {"telnet", 0.17}} {
		for i, delay := range append([]time.Duration{-1}, delays...) {
			c := arms[arm{of.protocol, delay}]
			t.Logf("%-6s after %5v: %4d follow-ups, %4d with data before, %3d closed, %3d no answer", of.protocol, delay, c.n, c.answered, c.closed, c.noAnswer)
			// What is still spoiled of the share that is: all, a quarter, (2 min - 30 s) of 115 s of 24 %, and 1 %, and those ignored get a second SYN.
			left := []float64{0, 1, 0.25, 0.01 + 0.24*90/115, 0.01}[i]
			want := float64(c.answered) * of.share * left
			if d := float64(c.closed+c.noAnswer) - want; math.Abs(d) > 4*math.Sqrt(want+1) {
				t.Errorf("%s after %v: %d of %d failed, want about %.0f", of.protocol, delay, c.closed+c.noAnswer, c.answered, want)
			}
			if c.closed != c.expectedClosed || c.noAnswer != c.expectedNoAnswer {
				t.Errorf("%s after %v: %d closed and %d unanswered, in truth %d and %d", of.protocol, delay, c.closed, c.noAnswer, c.expectedClosed, c.expectedNoAnswer)
			}
		}
	}
	if c := arms[arm{"telnet", 0}]; c.closed+c.noAnswer < 50 {
		t.Error("too few fail to prove anything: " + fmt.Sprint(*c))
	}
}
