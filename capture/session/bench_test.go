package session

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"laserdisc/capture/packet"
)

// framed is a sink that makes frames, as live scans and playback do, and keeps none.
type framed struct{ framer *packet.Framer }

func (f *framed) Send(s *packet.Segment) error { f.framer.Frame(s); return nil }
func (*framed) Attempt(*Attempt) error         { return nil }
func (*framed) Service(*Service) error         { return nil }

// idle is a sink that does nothing.
type idle struct{}

func (idle) Send(*packet.Segment) error { return nil }
func (idle) Attempt(*Attempt) error     { return nil }
func (idle) Service(*Service) error     { return nil }

// BenchmarkProbe is a target's share of a sweep: of the machine alone; of one that remembers many services; and with the
// frame of its SYN.
func BenchmarkProbe(b *testing.B) {
	for _, c := range []struct {
		name     string
		sink     Sink
		services uint32
	}{{"machine", idle{}, 0}, {"remembers", idle{}, 100_000}, {"framed", &framed{packet.NewFramer(packet.MAC{2}, packet.MAC{4})}, 0}} {
		b.Run(c.name, func(b *testing.B) {
			settings := Defaults()
			settings.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
			m, err := New(settings, 0, c.sink)
			if err != nil {
				b.Fatal(err)
			}
			var a [4]byte
			var e Event
			for n := range c.services {
				binary.BigEndian.PutUint32(a[:], n<<12|7)
				m.services.set(netip.AddrPortFrom(netip.AddrFrom4(a), 81), nil)
			}
			for n := uint32(0); b.Loop(); n++ {
				binary.BigEndian.PutUint32(a[:], n)
				e = Event{Time: int64(n), Target: netip.AddrPortFrom(netip.AddrFrom4(a), 80)}
				if err := m.Step(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
