package lab_test

import (
	"math"
	"net/netip"
	"testing"

	"laserdisc/capture/lab"
	"laserdisc/capture/packet"
	"laserdisc/datasets"
)

func paperPorts() (ports []uint16) {
	for _, p := range datasets.Ports() {
		ports = append(ports, p.Port)
	}
	return ports
}

// syns are frames with SYNs to a sweep of addresses, most of which hold nothing on the port.
func syns(port uint16, count int) (frames [][]byte) {
	options := packet.AppendSYNOptions(nil, 1460, 1, 0, 7)
	a := netip.MustParseAddr("198.18.0.0")
	for range count {
		s := packet.Segment{
			Src: netip.MustParseAddrPort("192.0.2.1:61000"), Dst: netip.AddrPortFrom(a, port),
			Seq: 1, Flags: packet.SYN, Window: 64240, TTL: 64, Options: options,
		}
		frames = append(frames, s.AppendFrame(nil, packet.MAC{2}, packet.MAC{4}))
		a = a.Next()
	}
	return frames
}

func BenchmarkHandle(b *testing.B) {
	for name, port := range map[string]uint16{"nothing-here": 4444, "http": 80} {
		b.Run(name, func(b *testing.B) {
			n := lab.New(lab.Default(), 1)
			frames := syns(port, 1<<14)
			b.ReportAllocs()
			for i := range b.N {
				n.Handle(int64(i), frames[i%len(frames)], func(int64, []byte) {})
			}
		})
	}
}

// silent is a population where every closed port ignores what it gets.
func silent(t testing.TB) *lab.Population {
	p := load(t, "testdata/small.json")
	p.Hosts = p.Hosts[:1]
	p.Hosts[0].Closed = lab.Weights{{Name: "ignore", Share: 1}}
	return p
}

func BenchmarkHandleSilent(b *testing.B) {
	n := lab.New(silent(b), 1)
	frames := syns(4444, 1<<14)
	b.ReportAllocs()
	for i := range b.N {
		n.Handle(int64(i), frames[i%len(frames)], func(int64, []byte) {})
	}
}

func BenchmarkServices(b *testing.B) {
	n := lab.New(lab.Default(), 1)
	for _, c := range []struct {
		name  string
		ports []uint16
	}{{"paper", paperPorts()}, {"all", allPorts()}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				count := 0
				for range n.Services(c.ports) {
					count++
				}
				b.ReportMetric(float64(count), "services")
			}
		})
	}
}

func BenchmarkTruth(b *testing.B) {
	n := lab.New(lab.Default(), 1)
	for range b.N {
		for range n.Truth(paperPorts()) {
		}
	}
}

func allPorts() (ports []uint16) {
	for p := 1; p <= math.MaxUint16; p++ {
		ports = append(ports, uint16(p))
	}
	return ports
}

// A SYN to where nothing is costs no memory.
func TestNothingHereAllocatesNothing(t *testing.T) {
	n := lab.New(lab.Default(), 1)
	frames, i := syns(4444, 1<<12), 0
	emit := func(int64, []byte) {}
	for _, f := range frames {
		n.Handle(0, f, emit) // the first reset or ICMP error makes the buffer
	}
	if got := testing.AllocsPerRun(len(frames), func() { n.Handle(0, frames[i%len(frames)], emit); i++ }); got != 0 {
		t.Errorf("%v allocations per SYN to a closed port", got)
	}
}
