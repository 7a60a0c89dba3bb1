package packet

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"slices"
)

// MAC is an Ethernet address.
type MAC [6]byte

// Bytes of the headers, without options.
const (
	etherHeader = 14
	ipv4Header  = 20
	ipv6Header  = 40
	tcpHeader   = 20
)

// AppendFrame appends s as an Ethernet frame, checksums filled in. The IP identification is 0,
// which an unfragmentable packet may have (RFC 6864, section 4). len(s.Options) must be a
// multiple of 4, at most 40, and Src and Dst of one family; anything else is a programming error.
//
// Headers are put together in registers, eight bytes at a time, and summed there: a sweep makes a frame of every SYN, and
// to read back what has just been written in smaller pieces takes longer than all the rest.
func (s *Segment) AppendFrame(b []byte, src, dst MAC) []byte {
	start, length := len(b), tcpHeader+len(s.Options)+len(s.Payload)
	var sum uint64
	if s.Src.Addr().Is4() {
		b = extend(b, etherHeader+ipv4Header+length)
		f := (*[etherHeader + ipv4Header]byte)(b[start:])
		putEther(f[:], src, dst, etherIPv4)
		sum = s.putIPv4((*[ipv4Header]byte)(f[etherHeader:]), length)
		start += len(f)
	} else {
		b = extend(b, etherHeader+ipv6Header+length)
		f := (*[etherHeader + ipv6Header]byte)(b[start:])
		putEther(f[:], src, dst, etherIPv6)
		sum = s.putIPv6((*[ipv6Header]byte)(f[etherHeader:]), length)
		start += len(f)
	}
	s.putTCP(b[start:], sum)
	return b
}

// extend makes b longer by n bytes, which may have any value.
func extend(b []byte, n int) []byte { return slices.Grow(b, n)[:len(b)+n] }

func putEther(b []byte, src, dst MAC, kind uint16) {
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	binary.BigEndian.PutUint16(b[12:], kind)
}

// putIPv4 writes the header before a TCP segment of the length (RFC 791, section 3.1), and returns the sum of the
// pseudo-header (RFC 9293, section 3.1).
func (s *Segment) putIPv4(b *[ipv4Header]byte, length int) uint64 {
	const doNotFragment = 0x4000
	from, to := s.Src.Addr().As4(), s.Dst.Addr().As4()
	src, dst := uint64(binary.BigEndian.Uint32(from[:])), uint64(binary.BigEndian.Uint32(to[:]))
	first := 0x45<<56 | uint64(uint16(ipv4Header+length))<<32 | doNotFragment
	second := uint64(s.TTL)<<56 | protoTCP<<48 | src
	checksum := ^fold(add(add(first, second), dst))
	binary.BigEndian.PutUint64(b[0:], first)
	binary.BigEndian.PutUint64(b[8:], second|uint64(checksum)<<32)
	binary.BigEndian.PutUint32(b[16:], uint32(dst))
	return src + dst + protoTCP + uint64(length)
}

// putIPv6 is the same for RFC 8200, section 3.
func (s *Segment) putIPv6(b *[ipv6Header]byte, length int) uint64 {
	from, to := s.Src.Addr().As16(), s.Dst.Addr().As16()
	binary.BigEndian.PutUint64(b[0:], 6<<60|uint64(uint16(length))<<16|protoTCP<<8|uint64(s.TTL))
	copy(b[8:24], from[:])
	copy(b[24:40], to[:])
	sum := add(binary.BigEndian.Uint64(from[0:]), binary.BigEndian.Uint64(from[8:]))
	sum = add(sum, binary.BigEndian.Uint64(to[0:]))
	sum = add(sum, binary.BigEndian.Uint64(to[8:]))
	return add(sum, protoTCP+uint64(length))
}

// putTCP fills b with the segment (RFC 9293, section 3.1); sum is that of the pseudo-header.
func (s *Segment) putTCP(b []byte, sum uint64) {
	h := (*[tcpHeader]byte)(b)
	words := uint64(tcpHeader+len(s.Options)) / 4
	first := uint64(s.Src.Port())<<48 | uint64(s.Dst.Port())<<32 | uint64(s.Seq)
	second := uint64(s.Ack)<<32 | words<<28 | uint64(s.Flags)<<16 | uint64(s.Window)
	binary.BigEndian.PutUint64(h[0:], first)
	binary.BigEndian.PutUint64(h[8:], second)
	sum = add(add(sum, first), second)
	sum = copySum(b[tcpHeader:], s.Options, sum)
	sum = copySum(b[tcpHeader+len(s.Options):], s.Payload, sum)
	binary.BigEndian.PutUint32(h[16:], uint32(^fold(sum))<<16) // and no urgent pointer
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

// add adds a word to a one's complement sum, which may be of words of any multiple of two bytes (RFC 1071, section 2).
func add(sum, word uint64) uint64 {
	sum, carry := bits.Add64(sum, word, 0)
	return sum + carry // which is no more: the sum of two words is below twice the largest
}

// copySum copies src to dst, and adds it to a one's complement sum, as if a zero followed an odd byte.
func copySum(dst, src []byte, sum uint64) uint64 {
	dst = dst[:len(src)]
	for len(src) >= 8 && len(dst) >= 8 {
		word := binary.BigEndian.Uint64(src)
		binary.BigEndian.PutUint64(dst, word)
		sum = add(sum, word)
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 && len(dst) >= 4 {
		word := binary.BigEndian.Uint32(src)
		binary.BigEndian.PutUint32(dst, word)
		sum = add(sum, uint64(word))
		src, dst = src[4:], dst[4:]
	}
	var tail uint64
	for i, c := range src {
		dst[i] = c
		tail |= uint64(c) << (24 - 8*i)
	}
	return add(sum, tail)
}

// fold makes 16 bits of a one's complement sum.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff // 33 bits
	sum = sum>>16 + sum&0xffff     // 18
	sum = sum>>16 + sum&0xffff     // 17
	return uint16(sum>>16 + sum)
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
