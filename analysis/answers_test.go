package analysis

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Host 1 has two web servers, of which one hears nothing before it is told twice; its SYN to the other is lost. Host 2 speaks tls, and
// http to whoever does. Host 3 sends what nobody recognises, and host 4 never acknowledges what wait does not send.
const answersText = `
	addr     port visit     handshake state      label   evidence sent_bytes retransmits synack_time ack_time
	10.0.0.1 80   first     wait      silent     -       none     0          0           1           -
	10.0.0.1 80   first     http      sends_data http    certain  100        1           3           4.1
	10.0.0.1 80   first     tls       acks_data  -       none     200        1           5           6.2
	10.0.0.1 81   first     wait      silent     -       none     0          0           1           -
	10.0.0.1 81   first     http      sends_data http    certain  100        1           3           3.1
	10.0.0.1 81   first     tls       sends_data http    likely   200        0           5           5.1
	10.0.0.2 443  first     wait      silent     -       none     0          0           1           -
	10.0.0.2 443  first     http      sends_data http    likely   100        0           3           3.1
	10.0.0.2 443  first     tls       sends_data tls     certain  200        0           5           5.1
	10.0.0.2 443  again     redis     sends_data tls     certain  200        0           5           5.1
	10.0.0.2 5000 ephemeral http      acks_data  -       none     200        0           5           5.1
	10.0.0.3 9    first     wait      sends_data unknown none     0          0           1           -
	10.0.0.3 9    first     http      acks_data  -       none     100        1           3           4
	10.0.0.3 9    wrong     http      sends_data ssh     certain  100        1           5           6.1
	10.0.0.3 9    followup  tls       sends_data ssh     certain  200        0           5           5.1
	10.0.0.4 9    first     http      closed     -       none     0          0           -           -
	10.0.0.4 9    first     tls       no_data_ack -      none     200        1           3           -
	10.0.0.4 9    first     http      acks_data  -       none     100        0           3           3.1`

// toldAnswers is all that Answers give.
func toldAnswers(a *Answers) []string {
	var list []string
	add := func(what string, hits, services uint64) {
		list = append(list, fmt.Sprintf("%s %d of %d", what, hits, services))
	}
	handshakes := a.Handshakes([]string{"wait", "http"})
	for _, h := range handshakes {
		hits, services := a.Identified(h).Services()
		add("identified by "+h, hits, services)
		for _, p := range a.Protocols() {
			hits, services := a.Drew(p, h).Services()
			add(p+" "+h, hits, services)
		}
	}
	hits, services := a.SentAgain().Services()
	add("sent again", hits, services)
	return list
}

func TestAnswers(t *testing.T) {
	a := NewAnswers(time.Second)
	if err := a.Add(batchOf(t, a, answersText)); err != nil {
		t.Fatal(err)
	}
	// tls stands before http in the table, so that host 2's service is tls.
	want := []string{
		"identified by wait 0 of 3", "http wait 0 of 2", "tls wait 0 of 1",
		"identified by http 3 of 3", "http http 2 of 2", "tls http 1 of 1",
		"identified by tls 2 of 3", "http tls 1 of 2", "tls tls 1 of 1",
		"sent again 2 of 4",
	}
	if d := cmp.Diff(want, toldAnswers(a)); d != "" {
		t.Error(d)
	}
	if n := a.Drew("http", "http").Hosts(); n != 1 {
		t.Errorf("http is on %d hosts", n)
	}
	if got, _ := a.Drew("http", "redis").Services(); got != 0 {
		t.Errorf("redis drew data from %d", got)
	}
	if err := a.Merge(NewAnswers(2 * time.Second)); err == nil {
		t.Error("another time-out merges")
	}
}
