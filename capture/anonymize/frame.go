package anonymize

import (
	"encoding/binary"
	"net/netip"

	"laserdisc/capture/packet"
)

const (
	protoICMP   = 1
	protoTCP    = 6
	protoICMPv6 = 58

	etherExperimental = 0x88b5 // IEEE 802, local experimental: nobody reads it
	optMultipath      = 30     // TCP option, some of which have addresses (RFC 8684, section 3.4.1)
)

// headers replaces addresses in the headers of a frame that packet.Segment has decoded, MAC addresses too, and what else may
// hold any: IP options, routing headers, padding. Payload must have been replaced before: checksums are computed over it.
func (k *Key) headers(link uint32, frame []byte, s *packet.Segment) {
	k.linkLayer(link, frame)
	ip := frame[packet.NetworkOffset(link, frame):]
	src, dst := s.Src.Addr(), s.Dst.Addr()
	if ip[0]>>4 == 4 {
		k.ipv4Header(ip, []netip.Addr{src, dst})
	} else {
		k.ipv6Header(ip, []netip.Addr{src, dst})
	}
}

func (k *Key) linkLayer(link uint32, frame []byte) {
	switch link {
	case packet.LinkEthernet:
		k.mac(frame)
		k.mac(frame[6:])
	case packet.LinkSLL:
		k.mac(frame[6:])
	case packet.LinkSLL2:
		k.mac(frame[12:])
	}
}

// blank leaves nothing of a frame but its length and, of Ethernet, whose MAC addresses it has.
func (k *Key) blank(link uint32, frame []byte) {
	if link == packet.LinkEthernet && len(frame) >= 14 {
		k.linkLayer(link, frame)
		binary.BigEndian.PutUint16(frame[12:], etherExperimental)
		frame = frame[14:]
	}
	clear(frame)
}

func (k *Key) ipv4Header(ip []byte, own []netip.Addr) {
	header := int(ip[0]&15) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if total == 0 {
		total = len(ip)
	}
	clear(ip[total:])
	k.address(ip[12:16])
	k.address(ip[16:20])
	for i := 20; i < header; i++ {
		ip[i] = 1 // no operation (RFC 791, section 3.1): a route may be in the options
	}
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip[:header], 0))
	k.transport(ip[9], ip[header:total], sum(ip[12:20]), own)
}

func (k *Key) ipv6Header(ip []byte, own []netip.Addr) {
	total := 40 + int(binary.BigEndian.Uint16(ip[4:]))
	if total == 40 {
		total = len(ip)
	}
	clear(ip[total:])
	k.address(ip[8:24])
	k.address(ip[24:40])
	next, rest := ip[6], ip[40:total]
	for next == 0 || next == 43 || next == 60 || next == 44 { // as Decode skips them
		length := 8
		if next != 44 {
			length += int(rest[1]) * 8
			clear(rest[4:length]) // type 0 of a routing header, no segments left, or one-byte options (RFC 8200, section 4)
		}
		next, rest = rest[0], rest[length:]
	}
	k.transport(next, rest, sum(ip[8:40]), own)
}

// transport replaces what is in a TCP segment's options, or in an ICMP message, and computes the checksum; pseudo is the sum of
// the addresses.
func (k *Key) transport(protocol byte, b []byte, pseudo uint64, own []netip.Addr) {
	pseudo += uint64(protocol) + uint64(len(b))
	switch protocol {
	case protoTCP:
		clearMultipath(b[20 : int(b[12]>>4)*4])
		binary.BigEndian.PutUint16(b[16:], 0)
		binary.BigEndian.PutUint16(b[16:], checksum(b, pseudo))
	case protoICMP, protoICMPv6:
		k.quoted(b[8:], own)
		if protocol == protoICMP {
			pseudo = 0
		}
		binary.BigEndian.PutUint16(b[2:], 0)
		binary.BigEndian.PutUint16(b[2:], checksum(b, pseudo))
	}
}

// quoted replaces addresses in the packet that an ICMP error quotes. What follows that may say which interface it came from
// (RFC 5837) and is blank, as is the checksum of the quoted TCP header, which is one of the addresses.
func (k *Key) quoted(ip []byte, own []netip.Addr) {
	var tcp []byte
	if ip[0]>>4 == 4 {
		header := int(ip[0]&15) * 4
		total := min(max(int(binary.BigEndian.Uint16(ip[2:])), header+8), len(ip))
		clear(ip[total:])
		k.address(ip[12:16])
		k.address(ip[16:20])
		for i := 20; i < header; i++ {
			ip[i] = 1
		}
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], checksum(ip[:header], 0))
		tcp = ip[header:total]
	} else {
		total := min(max(40+int(binary.BigEndian.Uint16(ip[4:])), 48), len(ip))
		clear(ip[total:])
		k.address(ip[8:24])
		k.address(ip[24:40])
		tcp = ip[40:total]
	}
	if len(tcp) >= 18 {
		clear(tcp[16:18])
	}
	if len(tcp) >= 20 {
		header := min(max(int(tcp[12]>>4)*4, 20), len(tcp))
		clearMultipath(tcp[20:header])
		k.Payload(tcp[header:], own...)
	}
}

func clearMultipath(options []byte) {
	for len(options) > 1 && options[0] != 0 {
		length := int(options[1])
		if options[0] == 1 {
			length = 1
		} else if length < 2 || length > len(options) {
			return
		} else if options[0] == optMultipath {
			clear(options[2:length])
		}
		options = options[length:]
	}
}

func (k *Key) address(b []byte) {
	a, _ := netip.AddrFromSlice(b)
	copy(b, k.Addr(a).AsSlice())
}

// sum adds up 16-bit words, the last padded with zero (RFC 1071).
func sum(b []byte) (s uint64) {
	for ; len(b) > 1; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func checksum(b []byte, s uint64) uint16 {
	s += sum(b)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
