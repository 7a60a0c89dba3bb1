package analysis

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis/unknowns"
)

const unrecognisedText = `
	addr      port label   handshake response
	10.0.0.1  22   ssh     wait      SSH-2.0-x
	10.0.0.1  80   unknown http      hello
	10.0.0.1  81   unknown http      hello
	10.0.0.2  80   unknown wait      hello
	10.0.0.3  80   unknown http      hello
	10.0.0.4  81   echo    http      GET
	10.0.0.5  59   unknown http      other
	10.0.0.5  5900 vnc     wait      RFB`

// TestUnrecognised gathers services by what they sent, and to what. RFB alone is no VNC's greeting: without vnc, nobody knows it.
func TestUnrecognised(t *testing.T) {
	u := NewUnrecognised([]string{"vnc"})
	if err := u.Add(batchOf(t, u, unrecognisedText)); err != nil {
		t.Fatal(err)
	}
	var lines []string
	responses, kept := u.Responses()
	for _, r := range responses {
		lines = append(lines, fmt.Sprint(r.Label, " ", r.Handshake, " ", r.Data, " ", r.Services))
	}
	want := []string{
		"vnc wait RFB [10.0.0.5:5900]",
		"unknown http hello [10.0.0.1:80 10.0.0.1:81 10.0.0.3:80]",
		"unknown wait hello [10.0.0.2:80]",
		"unknown http other [10.0.0.5:59]",
	}
	if d := cmp.Diff(want, lines); d != "" || kept != 1 {
		t.Errorf("%s; kept 1 in %d", d, kept)
	}

	m := NewMistaken([]unknowns.Signature{{Fixed: []unknowns.Bytes{{At: 0, Data: "hello"}}}, {Fixed: []unknowns.Bytes{{At: 1, Data: "S"}}}}, nil)
	if err := m.Add(batchOf(t, m, unrecognisedText)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0, 1}, m.Services()); d != "" {
		t.Error(d)
	}
}

// TestUnrecognisedIsBounded leaves different responses out, the same however they come in.
func TestUnrecognisedIsBounded(t *testing.T) {
	result := func(cuts ...int) any {
		var all *Unrecognised
		from := 0
		for _, to := range append(cuts, 400) {
			u := NewUnrecognised(nil)
			u.limit = 100 * (responseBytes + 5 + addressBytes)
			text := "addr port label handshake response\n"
			for i := from; i < to; i++ {
				text += fmt.Sprintf("10.0.%d.%d 80 unknown wait r%04d\n", i/256, i%256, i)
			}
			if err := u.Add(batchOf(t, u, text)); err != nil {
				t.Fatal(err)
			}
			if all == nil {
				all = u
			} else if err := all.Merge(u); err != nil {
				t.Fatal(err)
			}
			if all.held > all.limit {
				t.Fatalf("%d bytes are held, %d are possible", all.held, all.limit)
			}
			from = to
		}
		responses, kept := all.Responses()
		if kept < 4 || len(responses) < 30 || len(responses) > 100 {
			t.Errorf("%d of 400 responses, 1 in %d", len(responses), kept)
		}
		return []any{responses, kept}
	}
	whole := result()
	for _, cuts := range [][]int{{200}, {50, 100, 300}} {
		if d := cmp.Diff(whole, result(cuts...), everyField, sameAddress); d != "" {
			t.Error(d)
		}
	}
}

// relabelText has labels of another table: an answer of Redis is not recognised, or is called another protocol's. One service has two answers.
const relabelText = `
	addr      port attempt visit     handshake state      label   evidence response
	10.0.0.1  22   0       first     wait      sends_data ssh     certain  SSH-2.0-x
	10.0.0.2  80   0       first     wait      acks_data  -       none     -
	10.0.0.2  80   1       first     http      sends_data gopher  likely   +PONG
	10.0.0.3  80   0       first     http      sends_data echo    none     +PONG
	10.0.0.4  81   0       first     wait      sends_data unknown none     hello
	10.0.0.4  81   1       first     http      sends_data unknown none     +PONG
	10.0.0.5  80   0       ephemeral http      sends_data unknown none     +PONG
	10.0.0.6  80   0       first     http      sends_data unknown none     +PONG`

func TestRelabel(t *testing.T) {
	r := NewRelabel(nil)
	if err := r.Add(batchOf(t, r, relabelText)); err != nil {
		t.Fatal(err)
	}
	moves, services, err := r.Moves()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range moves {
		line := fmt.Sprintf("%s %v to %s %v: %d", m.From.Label, m.From.Evidence, m.To.Label, m.To.Evidence, m.Services)
		for _, e := range m.Examples {
			line += fmt.Sprintf(", %v by %s %s", e.Service, e.Handshake, e.Response)
		}
		lines = append(lines, line)
	}
	want := []string{
		"unknown none to redis likely: 2, 10.0.0.4:81 by http +PONG, 10.0.0.6:80 by http +PONG",
		"gopher likely to redis likely: 1, 10.0.0.2:80 by http +PONG",
		"ssh certain to ssh likely: 1, 10.0.0.1:22 by wait SSH-2.0-x",
	}
	if d := cmp.Diff(want, lines); d != "" || services != 5 {
		t.Errorf("of %d services, %s", services, d)
	}
}
