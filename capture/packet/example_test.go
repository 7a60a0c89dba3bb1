package packet_test

import (
	"errors"
	"fmt"
	"net/netip"

	"laserdisc/capture/packet"
)

// A segment becomes a frame, and the frame a segment again.
func ExampleSegment_Decode() {
	syn := packet.Segment{
		Src: netip.MustParseAddrPort("192.0.2.1:61000"), Dst: netip.MustParseAddrPort("198.18.0.1:80"),
		Seq: 1000, Flags: packet.SYN, Window: 65535, TTL: 64, Options: packet.AppendSYNOptions(nil, 1460, 1, 0, 7),
	}
	frame := syn.AppendFrame(nil, packet.MAC{2, 0, 0, 0, 0, 1}, packet.MAC{2, 0, 0, 0, 0, 2})

	var s packet.Segment
	if err := s.Decode(packet.LinkEthernet, frame); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(frame), "bytes:", s.Src, "to", s.Dst, s.Flags, s.Seq, packet.Layout(s.Options))
	// Output: 74 bytes: 192.0.2.1:61000 to 198.18.0.1:80 SYN 1000 MSTNW
}

// What is neither TCP nor an ICMP error about TCP is told apart from what is malformed.
func ExampleErrOther() {
	var s packet.Segment
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 1)
	err := s.Decode(packet.LinkEthernet, arp)
	fmt.Println(errors.Is(err, packet.ErrOther), err)
	err = s.Decode(packet.LinkEthernet, arp[:13])
	fmt.Println(errors.Is(err, packet.ErrOther), err)
	// Output:
	// true packet: not a TCP segment
	// false packet: frame is shorter than its headers say
}

// The options of a SYN-ACK tell operating systems apart.
func ExampleParseOptions() {
	o := packet.ParseOptions([]byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 4, 2, 0, 0})
	fmt.Println("MSS", o.MSS, "scale", o.HasScale, o.Scale, "SACK", o.SACK, "timestamps", o.Timestamps)
	// Output: MSS 1460 scale true 8 SACK true timestamps false
}

// Sequence numbers wrap.
func ExampleBefore() {
	fmt.Println(packet.Before(1, 2), packet.Before(0xfffffff0, 5), packet.Before(5, 0xfffffff0))
	// Output: true true false
}
