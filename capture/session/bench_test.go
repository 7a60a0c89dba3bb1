package session

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"laserdisc/capture/packet"
)

// idle is a sink that does nothing.
type idle struct{}

func (idle) Asked(*packet.Segment) bool { return true }
func (idle) Send(*packet.Segment) error { return nil }
func (idle) Attempt(*Attempt) error     { return nil }
func (idle) Service(*Service) error     { return nil }

// framing is a sink that makes frames, as live scans and playback do, and keeps none.
type framing struct {
	idle
	*packet.Framer
}

func (f framing) Send(s *packet.Segment) error { f.Frame(s); return nil }

// sweepTest is a machine whose targets are one address after another.
type sweepTest struct {
	testing.TB
	*Machine
	number uint32
	event  Event
	answer packet.Segment
}

func newSweepTest(t testing.TB, sink Sink) *sweepTest {
	settings := Defaults()
	settings.Sources, settings.Handshakes = []netip.Addr{netip.MustParseAddr("198.18.0.1")}, []string{"http"}
	m, err := New(settings, 0, sink)
	if err != nil {
		t.Fatal(err)
	}
	return &sweepTest{TB: t, Machine: m}
}

func (s *sweepTest) step(e Event) {
	s.event = e
	s.event.Time = int64(s.number) * 1e7 // 100 a second
	if err := s.Step(&s.event); err != nil {
		s.Fatal(err)
	}
}

func (s *sweepTest) target() netip.AddrPort {
	s.number++
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], s.number)
	return netip.AddrPortFrom(netip.AddrFrom4(a), 80)
}

func (s *sweepTest) probe() { s.step(Event{Target: s.target()}) }

// reply has the target of the last SYN answer.
func (s *sweepTest) reply(flags packet.Flags, seq, ack uint32, options []byte, data string) {
	s.answer = packet.Segment{
		Src: s.syn.Dst, Dst: s.syn.Src, Seq: seq, Ack: ack, Flags: flags, Window: 65160, TTL: 55, Options: options, Payload: []byte(data),
	}
	s.step(Event{Segment: &s.answer})
}

func (s *sweepTest) refused() {
	s.probe()
	s.reply(packet.RST|packet.ACK, 0, s.syn.Seq+1, nil, "")
}

func (s *sweepTest) served() {
	s.probe()
	s.reply(packet.SYN|packet.ACK, 1, s.syn.Seq+1, synOptions, "")
	s.reply(packet.PSH|packet.ACK|packet.FIN, 2, s.out.End(), nil, "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n")
}

// A target that does not answer, or refuses, costs the collector nothing.
func TestSweepAllocatesNothing(t *testing.T) {
	s := newSweepTest(t, idle{})
	s.refused() // which leaves a state to be used again
	if n := testing.AllocsPerRun(1000, s.probe); n != 0 {
		t.Errorf("%v allocations a probe", n)
	}
	if n := testing.AllocsPerRun(1000, s.refused); n != 0 {
		t.Errorf("%v allocations a target that refuses", n)
	}
}

// BenchmarkSweep is a target's share of a sweep: of the machine alone; of one that remembers many services; with the frame
// of its SYN; where it refuses; and where it is an HTTP server, whose part is five packets.
func BenchmarkSweep(b *testing.B) {
	for _, c := range []struct {
		name     string
		sink     Sink
		services uint32
		one      func(*sweepTest)
	}{
		{"probe", idle{}, 0, (*sweepTest).probe},
		{"probe,remembering", idle{}, 100_000, (*sweepTest).probe},
		{"probe,framed", framing{Framer: packet.NewFramer(packet.MAC{2}, packet.MAC{4})}, 0, (*sweepTest).probe},
		{"refused", idle{}, 0, (*sweepTest).refused},
		{"served", idle{}, 0, (*sweepTest).served},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			s := newSweepTest(b, c.sink)
			for range c.services {
				s.services.set(s.target(), nil)
			}
			for b.Loop() {
				c.one(s)
			}
		})
	}
}
