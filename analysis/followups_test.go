package analysis

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Host 1's tls on 443 is told http first, answers, and lets nobody connect 0 s later; on 8443 nobody was told anything wrong. Host 2 is
// an http service that answered tls before http: tls is not its own, so that it is left out. Host 3 does not answer the wrong one, and
// is fine 5 s later. Host 4 sent no data, and host 5 none for the right one.
const followupsText = `
	addr     port visit    handshake state      label evidence delay_ms
	10.0.0.1 443  first    tls       sends_data tls   certain  -
	10.0.0.1 443  wrong    http      sends_data http  likely   -
	10.0.0.1 443  followup tls       closed     -     none     0
	10.0.0.1 8443 first    tls       sends_data tls   certain  -
	10.0.0.1 8443 control  tls       sends_data tls   certain  -
	10.0.0.2 80   first    tls       sends_data http  certain  -
	10.0.0.2 80   control  tls       sends_data http  certain  -
	10.0.0.3 443  first    http      acks_data  -     none     -
	10.0.0.3 443  first    tls       sends_data tls   certain  -
	10.0.0.3 443  wrong    redis     acks_data  -     none     -
	10.0.0.3 443  followup tls       sends_data tls   certain  5000
	10.0.0.4 443  first    tls       acks_data  -     none     -
	10.0.0.5 23   first    wait      sends_data telnet certain -
	10.0.0.5 23   wrong    http      sends_data telnet certain -
	10.0.0.5 23   followup wait      no_answer  -     none     1000`

// newToldFollowups tells of each service that is counted, as a group.
func newToldFollowups() *Followups[string, string] {
	return NewFollowups(func(s *FollowedUp, to *Shares[string, string]) {
		to.Service(s.Addr, fmt.Sprintf("%s %s control %t, after %s %t %v: %v", s.Addr, s.Protocol, s.Control, s.Wrong, s.SentData, s.Delay, s.State))
	})
}

func TestFollowups(t *testing.T) {
	f := newToldFollowups()
	if err := f.Add(batchOf(t, f, followupsText)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"10.0.0.1 tls control false, after http true 0s: closed",
		"10.0.0.1 tls control true, after  false 0s: sends_data",
		"10.0.0.3 tls control false, after redis false 5s: sends_data",
		"10.0.0.5 telnet control false, after http true 1s: no_answer",
	}
	if d := cmp.Diff(want, f.Counted().Groups()); d != "" {
		t.Error(d)
	}
}
