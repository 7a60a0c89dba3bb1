package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

var (
	macA = MAC{2, 0, 0, 0, 0, 1}
	macB = MAC{2, 0, 0, 0, 0, 2}
)

func samples() []Segment {
	a4, b4 := netip.MustParseAddrPort("198.18.0.1:40000"), netip.MustParseAddrPort("198.18.7.9:443")
	a6, b6 := netip.MustParseAddrPort("[2001:2::1]:40000"), netip.MustParseAddrPort("[2001:2::9]:443")
	return []Segment{
		{Src: a4, Dst: b4, Seq: 0xfffffffe, Flags: SYN, Window: 64240, TTL: 64, Options: AppendSYNOptions(nil, 1460, 77, 0, 7)},
		{Src: b4, Dst: a4, Seq: 5, Ack: 6, Flags: PSH | ACK, Window: 502, TTL: 55, Options: AppendTimestamp(nil, 1, 2), Payload: []byte("HTTP/1.1 200 OK\r\n")},
		{Src: a6, Dst: b6, Seq: 9, Flags: SYN, Window: 64240, TTL: 64, Options: AppendSYNOptions(nil, 1440, 77, 0, 7)},
		{Src: b6, Dst: a6, Seq: 5, Ack: 6, Flags: RST | ACK, TTL: 1, Payload: []byte{1}},
	}
}

func equal(a, b Segment) bool {
	return a.Src == b.Src && a.Dst == b.Dst && a.Seq == b.Seq && a.Ack == b.Ack && a.Flags == b.Flags &&
		a.Window == b.Window && a.TTL == b.TTL && bytes.Equal(a.Options, b.Options) && bytes.Equal(a.Payload, b.Payload)
}

func TestRoundTrip(t *testing.T) {
	for _, want := range samples() {
		frame := want.AppendFrame(nil, macA, macB)
		if ethernet := 14; want.Size() != len(frame)-ethernet {
			t.Errorf("%+v has %d bytes, not %d", want, len(frame)-ethernet, want.Size())
		}
		for _, padding := range []int{0, 6} { // Ethernet pads short frames
			var got Segment
			if err := got.Decode(LinkEthernet, append(frame, make([]byte, padding)...)); err != nil {
				t.Fatal(err)
			}
			if !equal(got, want) {
				t.Errorf("with %d bytes of padding: got %+v, want %+v", padding, got, want)
			}
		}
	}
}

// gopacket judges our encoder: same fields, and the checksums that it would have computed.
func TestEncodeAgreesWithGopacket(t *testing.T) {
	for _, s := range samples() {
		frame := s.AppendFrame(nil, macA, macB)
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		if e := p.ErrorLayer(); e != nil {
			t.Fatal(e.Error())
		}
		tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
			t.Fatal(err)
		}
		buf := gopacket.NewSerializeBuffer()
		again := []gopacket.SerializableLayer{p.LinkLayer().(*layers.Ethernet)}
		switch ip := p.NetworkLayer().(type) {
		case *layers.IPv4:
			again = append(again, ip)
		case *layers.IPv6:
			again = append(again, ip)
		}
		again = append(again, tcp, gopacket.Payload(tcp.Payload))
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, again...); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf.Bytes(), frame) {
			t.Errorf("frame\n%x, gopacket writes\n%x", frame, buf.Bytes())
		}
	}
}

// sum16 is the one's complement sum of RFC 1071, section 1, as it stands there.
func sum16(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts {
		for i, c := range b {
			sum += uint32(c) << (8 * (1 - i%2))
			sum = sum>>16 + sum&0xffff
		}
	}
	return uint16(sum)
}

func TestChecksums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(n int, low byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32()) | low // many carries
		}
		return b
	}
	buf := fill(2000, 0) // what a buffer held before does not matter
	for n := range 3000 {
		s := samples()[n%4]
		s.Seq, s.Ack, s.Flags, s.Window, s.TTL = rng.Uint32(), rng.Uint32(), Flags(rng.Uint32()), uint16(rng.Uint32()), uint8(rng.Uint32())
		s.Options, s.Payload = fill(4*rng.IntN(11), byte(n)), fill(n/4, 0xf0)
		frame := s.AppendFrame(buf[:7], macA, macB)[7:]
		tcp, addresses := 14+40, frame[14+8:14+40]
		if s.Src.Addr().Is4() {
			tcp, addresses = 14+20, frame[14+12:14+20]
			if got := sum16(frame[14:tcp]); got != 0xffff {
				t.Fatalf("%d: the checksum of IPv4 leaves %04x", n, got)
			}
		}
		length := len(frame) - tcp
		if got := sum16(addresses, []byte{0, protoTCP, byte(length >> 8), byte(length)}, frame[tcp:]); got != 0xffff {
			t.Fatalf("%d: payload of %d bytes: the checksum of TCP leaves %04x", n, len(s.Payload), got)
		}
		var again Segment
		if err := again.Decode(LinkEthernet, frame); err != nil || !equal(s, again) {
			t.Fatalf("%d: %v: %+v became %+v", n, err, s, again)
		}
	}
}

func TestICMPErrorIsAboutTheQuotedSegment(t *testing.T) {
	syn := samples()[0]
	quoted := syn.AppendFrame(nil, macA, macB)[14:][:28]
	router := netip.MustParseAddr("198.18.0.254")
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 60, Protocol: layers.IPProtocolICMPv4, SrcIP: router.AsSlice(), DstIP: syn.Src.Addr().AsSlice()}
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 13)}
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, ip, icmp, gopacket.Payload(quoted)); err != nil {
		t.Fatal(err)
	}
	var got Segment
	if err := got.Decode(LinkRaw, buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	if got.Src != syn.Dst || got.Dst != syn.Src || got.Seq != syn.Seq || got.ICMP != 0x030d || got.Reporter != router {
		t.Errorf("got %+v", got)
	}
}

func TestOptions(t *testing.T) {
	b := AppendSYNOptions(nil, 1460, 7, 8, 9)
	want := Options{MSS: 1460, Scale: 9, HasScale: true, SACK: true, TSVal: 7, TSEcr: 8, Timestamps: true}
	if got := ParseOptions(b); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Layout(b); got != "MSTNW" {
		t.Errorf("layout %q", got)
	}
	for _, bad := range [][]byte{{2}, {2, 0}, {2, 9, 1}, {8, 1}} {
		if got := ParseOptions(bad); got != (Options{}) {
			t.Errorf("%x gave %+v", bad, got)
		}
	}
}

func TestSequenceNumbersWrap(t *testing.T) {
	if !Before(0xffffffff, 1) || Before(1, 0xffffffff) || Before(5, 5) {
		t.Error("Before is not modulo 2^32")
	}
	s := Segment{Seq: 0xffffffff, Flags: SYN | FIN, Payload: []byte("ab")}
	if s.End() != 3 {
		t.Errorf("End is %d, want 3", s.End())
	}
}

func TestNoAllocation(t *testing.T) {
	frame := samples()[1].AppendFrame(nil, macA, macB)
	var s Segment
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		if s.Decode(LinkEthernet, frame) != nil {
			t.Fatal("does not decode")
		}
		buf = s.AppendFrame(buf[:0], macA, macB)
	}); n != 0 {
		t.Errorf("%v allocations for one decode and encode", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		frame := s.AppendFrame(nil, macA, macB)
		for _, l := range linkTypes {
			f.Add(l.number, append(l.header(binary.BigEndian.Uint16(frame[12:])), frame[14:]...))
		}
	}
	f.Fuzz(func(t *testing.T, link uint32, frame []byte) {
		var s, cut Segment
		err := cut.DecodeCut(link, frame)
		if err == nil && (len(cut.Payload) > len(frame) || cut.Cut < 0 || cut.Cut > 0xffff || len(cut.Options) > 40) {
			t.Errorf("%+v of %d bytes", cut, len(frame))
		}
		if s.Decode(link, frame) != nil {
			return
		}
		if err != nil || s.Cut != 0 || !equal(s, cut) {
			t.Errorf("%v: %+v became %+v", err, s, cut)
		}
		ParseOptions(s.Options)
		Layout(s.Options)
		if s.ICMP == 0 && len(s.Payload) > len(frame) {
			t.Error("payload is longer than the frame")
		}
		// What decodes and has whole option words encodes to the same segment.
		if s.ICMP != 0 || !s.Src.IsValid() || errors.Is(s.Decode(link, frame), ErrOther) || len(s.Payload) > 60000 {
			return
		}
		var again Segment
		if err := again.Decode(LinkEthernet, s.AppendFrame(nil, macA, macB)); err != nil || !equal(s, again) {
			t.Errorf("%v: %+v became %+v", err, s, again)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	frame := samples()[1].AppendFrame(nil, macA, macB)
	var s Segment
	for b.Loop() {
		_ = s.Decode(LinkEthernet, frame)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	s := samples()[0]
	var buf []byte
	for b.Loop() {
		buf = s.AppendFrame(buf[:0], macA, macB)
	}
}

// What stands between Ethernet and TCP is stepped over; a part of a packet is none.
func TestWhatIsBeforeTCP(t *testing.T) {
	six := samples()[2]
	v4, v6 := samples()[0].AppendFrame(nil, macA, macB), six.AppendFrame(nil, macA, macB)
	tagged := func(frame []byte, tags ...byte) []byte {
		return append(append(append([]byte(nil), frame[:12]...), tags...), frame[12:]...)
	}
	extended := func(next byte, header ...byte) []byte {
		header[0] = protoTCP
		frame := append(append(append([]byte(nil), v6[:54]...), header...), v6[54:]...)
		frame[19] += byte(len(header))
		frame[20] = next
		return frame
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"VLAN", tagged(v4, 0x81, 0, 0, 7), nil},
		{"QinQ", tagged(v6, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8), nil},
		{"hop-by-hop options", extended(0, make([]byte, 8)...), nil},
		{"destination options", extended(60, append([]byte{0, 1}, make([]byte, 14)...)...), nil},
		{"options longer than the packet", extended(60, append([]byte{0, 200}, make([]byte, 14)...)...), ErrShort},
		{"a fragment that is whole", extended(44, make([]byte, 8)...), nil},
		{"first fragment", extended(44, 0, 0, 0, 1, 0, 0, 0, 9), ErrFragment},
		{"last fragment", extended(44, 0, 0, 1, 0, 0, 0, 0, 9), ErrFragment},
		{"no next header", extended(59, make([]byte, 8)...), ErrOther},
	} {
		var got Segment
		if err := got.Decode(LinkEthernet, c.frame); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if want := samples()[0]; err == nil && !equal(got, want) && !equal(got, six) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
