package tcp

import (
	"encoding/binary"

	"laserdisc/capture/packet"
)

// appendUnreachable appends the frame of an ICMP error about s, which came in frame: administratively
// prohibited (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1).
func appendUnreachable(b, frame []byte, s *packet.Segment, ttl uint8) []byte {
	if s.Dst.Addr().Is4() {
		return AppendICMP(b, frame, s, ttl, 3, 13)
	}
	return AppendICMP(b, frame, s, ttl, 1, 1)
}

// AppendICMP appends the frame of an ICMP message of any type and code about s, which came in frame, from the target
// itself. It quotes the IP header and the first 8 bytes of TCP; for IPv6, as much as goes into the minimum MTU.
func AppendICMP(b, frame []byte, s *packet.Segment, ttl, kind, code uint8) []byte {
	b = append(b, frame[6:12]...)
	b = append(b, frame[0:6]...)
	ip := frame[14:]
	if s.Dst.Addr().Is4() {
		header := int(ip[0]&15) * 4
		quote := ip[:header+8]
		from, to := s.Dst.Addr().As4(), s.Src.Addr().As4()
		b = append(b, 0x08, 0x00)
		at := len(b)
		b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, ttl, 1, 0, 0)
		b = append(append(b, from[:]...), to[:]...)
		binary.BigEndian.PutUint16(b[at+2:], uint16(20+8+len(quote)))
		binary.BigEndian.PutUint16(b[at+10:], checksum(0, b[at:]))
		icmp := len(b)
		b = append(append(b, kind, code, 0, 0, 0, 0, 0, 0), quote...)
		binary.BigEndian.PutUint16(b[icmp+2:], checksum(0, b[icmp:]))
		return b
	}
	quote := ip[:min(len(ip), 1232)] // within the minimum MTU
	from, to := s.Dst.Addr().As16(), s.Src.Addr().As16()
	length := uint16(8 + len(quote))
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, byte(length>>8), byte(length), 58, ttl)
	at := len(b)
	b = append(append(b, from[:]...), to[:]...)
	icmp := len(b)
	b = append(append(b, kind, code, 0, 0, 0, 0, 0, 0), quote...)
	binary.BigEndian.PutUint16(b[icmp+2:], checksum(uint32(length)+58, b[at:]))
	return b
}

// checksum is the Internet checksum (RFC 1071) of b, with sum added.
func checksum(sum uint32, b []byte) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
