package tcp

import (
	"net/netip"
	"testing"

	"laserdisc/capture/packet"
)

// An ICMP error has right checksums, which clients' kernels verify.
func TestUnreachableChecksums(t *testing.T) {
	for _, ends := range [][2]string{{"192.0.2.1:61000", "198.18.0.7:80"}, {"[2001:db8::1]:61000", "[2001:db8:1::7]:80"}} {
		s := packet.Segment{Src: netip.MustParseAddrPort(ends[0]), Dst: netip.MustParseAddrPort(ends[1]), Flags: packet.SYN, TTL: 64}
		b := appendUnreachable(nil, s.AppendFrame(nil, packet.MAC{2}, packet.MAC{4}), &s, 60)[14:]
		pseudo, icmp := uint32(0), b[20:]
		if s.Dst.Addr().Is6() {
			icmp = b[40:]
			pseudo = uint32(len(icmp)) + 58
			icmp = b[8:] // with the addresses
		} else if got := checksum(0, b[:20]); got != 0 {
			t.Errorf("%s: IP checksum is off by %#x", ends[1], got)
		}
		if got := checksum(pseudo, icmp); got != 0 {
			t.Errorf("%s: ICMP checksum is off by %#x", ends[1], got)
		}
	}
}
