package packet

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
)

// MAC is an Ethernet address.
type MAC [6]byte

// AppendFrame appends s as an Ethernet frame, checksums filled in. The IP identification is 0,
// which an unfragmentable packet may have (RFC 6864, section 4). len(s.Options) must be a
// multiple of 4, at most 40, and Src and Dst of one family; anything else is a programming error.
func (s *Segment) AppendFrame(b []byte, src, dst MAC) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	length := 20 + len(s.Options) + len(s.Payload)
	var sum uint64
	if s.Src.Addr().Is4() {
		from, to := s.Src.Addr().As4(), s.Dst.Addr().As4()
		b = binary.BigEndian.AppendUint16(b, etherIPv4)
		ip := len(b)
		b = append(b, 0x45, 0, byte((20+length)>>8), byte(20+length), 0, 0, 0x40, 0, s.TTL, protoTCP, 0, 0)
		b = append(b, from[:]...)
		b = append(b, to[:]...)
		binary.BigEndian.PutUint16(b[ip+10:], ^fold(add(0, b[ip:])))
		sum = add(sum, from[:])
		sum = add(sum, to[:])
	} else {
		from, to := s.Src.Addr().As16(), s.Dst.Addr().As16()
		b = binary.BigEndian.AppendUint16(b, etherIPv6)
		b = append(b, 0x60, 0, 0, 0, byte(length>>8), byte(length), protoTCP, s.TTL)
		b = append(b, from[:]...)
		b = append(b, to[:]...)
		sum = add(sum, from[:])
		sum = add(sum, to[:])
	}
	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, s.Src.Port())
	b = binary.BigEndian.AppendUint16(b, s.Dst.Port())
	b = binary.BigEndian.AppendUint32(b, s.Seq)
	b = binary.BigEndian.AppendUint32(b, s.Ack)
	b = append(b, byte((20+len(s.Options))/4<<4), byte(s.Flags), byte(s.Window>>8), byte(s.Window), 0, 0, 0, 0)
	b = append(b, s.Options...)
	b = append(b, s.Payload...)
	sum = uint64(fold(sum)) + protoTCP + uint64(length)
	binary.BigEndian.PutUint16(b[tcp+16:], ^fold(add(sum, b[tcp:])))
	return b
}

// Framer turns the segments of a scan into the frames that carry them, from one Ethernet address to another.
type Framer struct {
	src, dst MAC
	buf      []byte
}

// NewFramer returns a framer from src to dst.
func NewFramer(src, dst MAC) *Framer { return &Framer{src: src, dst: dst} }

// Reversed returns the framer of what comes back.
func (f *Framer) Reversed() *Framer { return NewFramer(f.dst, f.src) }

// Frame encodes s. The frame is valid until the next call.
func (f *Framer) Frame(s *Segment) []byte {
	f.buf = s.AppendFrame(f.buf[:0], f.src, f.dst)
	return f.buf
}

// add adds b to a one's complement sum, eight bytes at a time (RFC 1071, section 2).
func add(sum uint64, b []byte) uint64 {
	var carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (56 - 8*i)
	}
	sum, carry = bits.Add64(sum, tail, carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return sum + carry
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// ParseMAC reads the usual six hexadecimal pairs.
func ParseMAC(text string) (MAC, error) {
	a, err := net.ParseMAC(text)
	if err != nil || len(a) != len(MAC{}) {
		return MAC{}, fmt.Errorf("packet: %q is not an Ethernet address", text)
	}
	return MAC(a), nil
}

// String is the address as ParseMAC reads it.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }
