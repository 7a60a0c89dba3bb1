package session

import (
	"net/netip"
	"runtime"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// nothing is a sink that keeps nothing but the last packet.
type nothing struct{ last packet.Segment }

func (n *nothing) Send(s *packet.Segment) error { n.last = *s; return nil }
func (*nothing) Attempt(*Attempt) error         { return nil }
func (*nothing) Service(*Service) error         { return nil }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A target costs nothing until it answers, and a service in flight less than 1 KiB.
func TestMemory(t *testing.T) {
	const targets, services = 1 << 20, 100_000
	cfg := Defaults()
	cfg.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
	var err error
	if cfg.Handshakes, err = handshake.Parse("http,tls"); err != nil {
		t.Fatal(err)
	}
	sink := &nothing{}
	m, err := New(cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	a := netip.MustParseAddr("203.0.113.0")
	for i := range targets {
		if err := m.Step(&Event{Time: int64(i), Target: netip.AddrPortFrom(a, uint16(i))}); err != nil {
			t.Fatal(err)
		}
		a = a.Next()
	}
	probed := heap()
	if probed > before+64<<10 {
		t.Errorf("%d probes that nobody answered hold %d bytes", targets, probed-before)
	}
	options := packet.AppendSYNOptions(nil, 1460, 1, 1, 7)
	for i := range services {
		to := netip.AddrPortFrom(a, 80)
		if err := m.Step(&Event{Time: targets + int64(i), Target: to}); err != nil {
			t.Fatal(err)
		}
		syn := sink.last
		if err := m.Step(&Event{Time: targets + int64(i), Segment: &packet.Segment{
			Src: to, Dst: syn.Src, Seq: 1, Ack: syn.Seq + 1, Flags: packet.SYN | packet.ACK, Window: 65160, TTL: 55, Options: options,
		}}); err != nil {
			t.Fatal(err)
		}
		a = a.Next()
	}
	each := (heap() - probed) / services
	t.Logf("%d services in flight, %d bytes each", m.InFlight(), each)
	if m.InFlight() != services || each >= 1024 {
		t.Errorf("%d services in flight, %d bytes each", m.InFlight(), each)
	}
	runtime.KeepAlive(m)
}
