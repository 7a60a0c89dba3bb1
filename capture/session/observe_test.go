package session

import (
	"net/netip"
	"testing"

	"laserdisc/capture/packet"
)

// FuzzObserver feeds segments between two ends, either of which may be the client, whose numbers
// are near each other or across 2^32.
func FuzzObserver(f *testing.F) {
	f.Add([]byte{0x00, 0, 0, 0, 0x01, 0, 1, 0, 0x02, 1, 1, 3, 0x05, 1, 4, 9})
	f.Add([]byte{0x00, 255, 0, 0, 0x03, 7, 0, 0, 0x00, 9, 0, 0, 0x06, 1, 10, 0})
	kinds := []packet.Flags{packet.SYN, packet.SYN | packet.ACK, packet.ACK, packet.RST | packet.ACK, packet.FIN | packet.ACK, packet.ACK | packet.PSH, packet.RST, 0}
	ends := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.1:80"), netip.MustParseAddrPort("192.0.2.2:40000")}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := NewObserver(64)
		for n := uint64(1); len(data) >= 4; n++ {
			what, seq, ack, length := data[0], data[1], data[2], data[3]
			data = data[4:]
			s := packet.Segment{
				Time: int64(n) * 7e8, Number: n, Flags: kinds[what&7], Window: uint16(what & 8), TTL: 64,
				Src: ends[what>>4&1], Dst: ends[1-what>>4&1], Seq: uint32(int8(seq)), Ack: uint32(int8(ack)),
			}
			if what&0x20 != 0 && what&0x10 == 0 {
				s.Src = ends[2]
			}
			if what&0x40 != 0 {
				s.ICMP = 3<<8 | 1
			}
			s.Payload = data[:min(int(length), len(data))]
			o.Observe(&s)
		}
		attempts, services := o.Results()
		connected := map[netip.AddrPort]bool{}
		numbers := map[netip.AddrPort]int{}
		for _, a := range attempts {
			if a.Number != numbers[a.Service] || a.Handshake == nil || len(a.Response) > 64 {
				t.Fatalf("attempt %+v", a)
			}
			numbers[a.Service]++
			connected[a.Service] = connected[a.Service] || a.State.Connected()
		}
		for _, s := range services {
			if !connected[s.Service] || s.Attempts == 0 {
				t.Fatalf("service %+v", s)
			}
			delete(connected, s.Service)
		}
		for at, is := range connected {
			if is {
				t.Fatalf("%v connected, and is no service", at)
			}
		}
	})
}

// A client that closes before its data is acknowledged sends the data again with its FIN, which is no byte of it.
func TestObservedBytes(t *testing.T) {
	client, service := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.1:80")
	o := NewObserver(64)
	for i, s := range []packet.Segment{
		{Src: client, Dst: service, Seq: 10, Flags: packet.SYN},
		{Src: service, Dst: client, Seq: 20, Ack: 11, Flags: packet.SYN | packet.ACK, Window: 1000},
		{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK, Payload: []byte("hello")},
		{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK | packet.FIN, Payload: []byte("hello")},
		{Src: service, Dst: client, Seq: 21, Ack: 17, Flags: packet.ACK, Window: 1000},
	} {
		s.Time, s.Number = int64(i+1)*1e8, uint64(i+1)
		o.Observe(&s)
	}
	attempts, _ := o.Results()
	if a := attempts[0]; a.SentBytes != 5 || a.AckedBytes != 5 {
		t.Errorf("%d bytes sent, %d acknowledged, want 5", a.SentBytes, a.AckedBytes)
	}
}
