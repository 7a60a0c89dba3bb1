package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// LINKTYPE_ numbers that Decode understands (https://www.tcpdump.org/linktypes.html).
const (
	LinkNull     = 0
	LinkEthernet = 1
	LinkRaw      = 101
	LinkSLL      = 113
	LinkIPv4     = 228
	LinkIPv6     = 229
	LinkSLL2     = 276
)

// ErrOther is returned for a well-formed frame that carries neither TCP nor an ICMP error about TCP, ErrFragment for a
// fragment of an IP packet.
var (
	ErrOther    = errors.New("packet: not a TCP segment")
	ErrFragment = errors.New("packet: IP fragment")
)

// A malformed frame gets one of these, so that the hot path allocates nothing.
var (
	ErrShort    = errors.New("packet: frame is shorter than its headers say")
	errIPHeader = errors.New("packet: malformed IP header")
	errTCP      = errors.New("packet: malformed TCP header")
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8

	protoICMP   = 1
	protoTCP    = 6
	protoICMPv6 = 58
)

// Decode fills s from a frame of the given link type as it was on the wire; Time and Number are left alone.
//
// The payload ends where the IP header says, whatever padding follows; a frame that ends
// earlier is an error. Checksums are not verified: a veth peer leaves them unfilled.
// Errors: ErrOther for other traffic, anything else for a frame that is malformed.
func (s *Segment) Decode(link uint32, frame []byte) error { return s.decode(link, frame, true) }

// DecodeCut is Decode for a frame of which a capture may have the first bytes only: lengths are those that the IP header
// says, s.Cut is how much of the payload is missing, and options are those that are there. A frame that has less than
// TCP's first 20 bytes is an error.
func (s *Segment) DecodeCut(link uint32, frame []byte) error { return s.decode(link, frame, false) }

// decode finds the IP header. A frame that must be whole is an error if it ends before that says.
func (s *Segment) decode(link uint32, frame []byte, whole bool) error {
	switch link {
	case LinkEthernet:
		if len(frame) < 14 {
			return ErrShort
		}
		return s.decodeEther(binary.BigEndian.Uint16(frame[12:]), frame[14:], whole)
	case LinkRaw, LinkIPv4, LinkIPv6:
		return s.decodeIP(frame, whole)
	case LinkNull:
		if len(frame) < 4 {
			return ErrShort
		}
		return s.decodeIP(frame[4:], whole)
	case LinkSLL:
		if len(frame) < 16 {
			return ErrShort
		}
		return s.decodeEther(binary.BigEndian.Uint16(frame[14:]), frame[16:], whole)
	case LinkSLL2:
		if len(frame) < 20 {
			return ErrShort
		}
		return s.decodeEther(binary.BigEndian.Uint16(frame), frame[20:], whole)
	}
	return fmt.Errorf("packet: link type %d is not supported", link)
}

func (s *Segment) decodeEther(kind uint16, b []byte, whole bool) error {
	for kind == etherVLAN || kind == etherQinQ {
		if len(b) < 4 {
			return ErrShort
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	switch kind {
	case etherIPv4:
		return s.decodeIPv4(b, whole)
	case etherIPv6:
		return s.decodeIPv6(b, whole)
	}
	return ErrOther
}

func (s *Segment) decodeIP(b []byte, whole bool) error {
	if len(b) < 1 {
		return ErrShort
	}
	switch b[0] >> 4 {
	case 4:
		return s.decodeIPv4(b, whole)
	case 6:
		return s.decodeIPv6(b, whole)
	}
	return ErrOther
}

func (s *Segment) decodeIPv4(b []byte, whole bool) error {
	if len(b) < 20 {
		return ErrShort
	}
	header := int(b[0]&15) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 { // a merged frame longer than the field can say (BIG TCP)
		total = len(b)
	}
	switch {
	case b[0]>>4 != 4 || header < 20 || total < header:
		return errIPHeader
	case len(b) < total && (whole || len(b) < header):
		return ErrShort
	case binary.BigEndian.Uint16(b[6:])&0x3fff != 0: // more fragments, or an offset
		return ErrFragment
	}
	end := min(total, len(b))
	src := netip.AddrFrom4([4]byte(b[12:16]))
	dst := netip.AddrFrom4([4]byte(b[16:20]))
	s.TTL = b[8]
	switch b[9] {
	case protoTCP:
		return s.decodeTCP(src, dst, b[header:end], total-end)
	case protoICMP:
		return s.decodeICMP(src, b[header:end], total-end, false)
	}
	return ErrOther
}

func (s *Segment) decodeIPv6(b []byte, whole bool) error {
	if len(b) < 40 {
		return ErrShort
	}
	if b[0]>>4 != 6 {
		return errIPHeader
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 { // a jumbogram, or a merged frame (RFC 2675)
		total = len(b)
	}
	if len(b) < total && whole {
		return ErrShort
	}
	end := min(total, len(b))
	src := netip.AddrFrom16([16]byte(b[8:24]))
	dst := netip.AddrFrom16([16]byte(b[24:40]))
	s.TTL = b[7]
	next, rest, err := skipExtensions(b[6], b[40:end])
	if err != nil {
		return err
	}
	switch next {
	case protoTCP:
		return s.decodeTCP(src, dst, rest, total-end)
	case protoICMPv6:
		return s.decodeICMP(src, rest, total-end, true)
	}
	return ErrOther
}

// skipExtensions steps over IPv6 extension headers (RFC 8200, section 4).
func skipExtensions(next uint8, b []byte) (uint8, []byte, error) {
	for {
		switch next {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(b) < 8 || len(b) < 8+int(b[1])*8 {
				return 0, nil, ErrShort
			}
			next, b = b[0], b[8+int(b[1])*8:]
		case 44: // fragment, which may be the whole (section 4.5)
			if len(b) < 8 {
				return 0, nil, ErrShort
			}
			if binary.BigEndian.Uint16(b[2:])&0xfff9 != 0 { // an offset, or more fragments
				return 0, nil, ErrFragment
			}
			next, b = b[0], b[8:]
		default:
			return next, b, nil
		}
	}
}

// decodeTCP takes a segment of which the frame has b, and lacks so many bytes at its end.
func (s *Segment) decodeTCP(src, dst netip.Addr, b []byte, lacks int) error {
	if len(b) < 20 {
		return ErrShort
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b)+lacks {
		return errTCP
	}
	s.Src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	s.Dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	s.Seq = binary.BigEndian.Uint32(b[4:])
	s.Ack = binary.BigEndian.Uint32(b[8:])
	s.Flags = Flags(b[13])
	s.Window = binary.BigEndian.Uint16(b[14:])
	end := min(header, len(b))
	s.Options = b[20:end]
	s.Payload = b[end:]
	s.Cut, s.OptionsCut = lacks-(header-end), end < header
	s.ICMP, s.Reporter = 0, netip.Addr{}
	return nil
}

// decodeICMP takes the errors that end a connection attempt: destination unreachable and time
// exceeded (RFC 792; RFC 4443, section 3). They quote the IP header and at least 8 bytes of TCP.
func (s *Segment) decodeICMP(reporter netip.Addr, b []byte, lacks int, six bool) error {
	if len(b) < 8 {
		return ErrShort
	}
	kind := b[0]
	if six && kind != 1 && kind != 3 || !six && kind != 3 && kind != 11 {
		return ErrOther
	}
	src, dst, quoted, err := decodeQuoted(b[8:], six)
	if err != nil {
		return err
	}
	*s = Segment{
		Time: s.Time, Number: s.Number, TTL: s.TTL,
		Src:      netip.AddrPortFrom(dst, binary.BigEndian.Uint16(quoted[2:])),
		Dst:      netip.AddrPortFrom(src, binary.BigEndian.Uint16(quoted)),
		Seq:      binary.BigEndian.Uint32(quoted[4:]),
		ICMP:     ICMP(kind)<<8 | ICMP(b[1]),
		Cut:      lacks,
		Reporter: reporter,
	}
	return nil
}

func decodeQuoted(b []byte, six bool) (src, dst netip.Addr, tcp []byte, err error) {
	if six {
		if len(b) < 48 || b[0]>>4 != 6 {
			return src, dst, nil, ErrShort
		}
		if b[6] != protoTCP {
			return src, dst, nil, ErrOther
		}
		return netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[40:], nil
	}
	if len(b) < 28 || b[0]>>4 != 4 {
		return src, dst, nil, ErrShort
	}
	header := int(b[0]&15) * 4
	if header < 20 || len(b) < header+8 {
		return src, dst, nil, errIPHeader
	}
	if b[9] != protoTCP {
		return src, dst, nil, ErrOther
	}
	return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[header:], nil
}
