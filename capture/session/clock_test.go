package session

import (
	"testing"

	"laserdisc/capture/packet"
)

// The time stamp that comes back with the answer to a stateless probe says when that was sent: not if it is none of ours,
// for a server may echo anything, and not if the SYN was another scanner's, whose clock then goes on.
func TestEchoedTimestamp(t *testing.T) {
	for _, test := range []struct {
		name     string
		adopt    bool
		age, syn int64 // of the echo in ms by our clock; of the SYN found, or -1
	}{
		{"ours", false, 30, 30},
		{"old", false, 100_000, -1},
		{"from the future", false, -30, -1},
		{"adopted, ahead of ours", true, -1 << 30, -1},
		{"adopted, behind", true, 1 << 30, -1},
	} {
		m := newMemoryTest(t, func(s *Settings) { s.Adopt = test.adopt })
		m.now = 1e18
		syn := m.probe()
		clock := packet.ParseOptions(m.sink.last.Options).TSVal
		ecr := clock - uint32(test.age)
		m.step(Event{Segment: &packet.Segment{
			Src: syn, Dst: m.sink.last.Src, Seq: 1, Ack: m.sink.last.Seq + 1, Flags: packet.SYN | packet.ACK, Window: 65160,
			Options: packet.AppendSYNOptions(nil, 1460, 1, ecr, 7),
		}})
		age := int64(-1)
		v, _ := m.services.get(syn)
		if found := v.conn.SYNTime; found != 0 {
			age = (m.now - found) / 1e6
		}
		if age != test.syn {
			t.Errorf("%s: the SYN was sent %d ms ago, want %d", test.name, age, test.syn)
		}
		if said := packet.ParseOptions(m.sink.last.Options).TSVal; test.adopt && said != ecr || !test.adopt && said != clock {
			t.Errorf("%s: the hello's clock says %d, the SYN's said %d and was echoed as %d", test.name, said, clock, ecr)
		}
	}
}
