package dissect

import (
	"encoding/binary"
	"net/netip"

	"laserdisc/capture/packet"
)

// mostHeaders is how many headers of Ethernet, PPP and IP are read in each other. Three tunnels have seven.
const mostHeaders = 16

// nested has next take what is in another header.
func (d *Dissector) nested(next func([]byte) error, b []byte) error {
	if d.depth == mostHeaders {
		return errDepth
	}
	d.depth++
	return next(b)
}

// within returns the first n bytes of b, which a header says it has, or as many as there are.
func (d *Dissector) within(b []byte, n int) []byte {
	if n > len(b) {
		return b
	}
	d.whole = true
	return b[:n]
}

// ethernet takes a frame from its destination address on.
func (d *Dissector) ethernet(b []byte) error { return d.nested(d.ethernetHeader, b) }

func (d *Dissector) ethernetHeader(b []byte) error { return d.typed(b, 12, 14) }

// ether takes what follows an EtherType, or the length that IEEE 802.3 has in its place.
func (d *Dissector) ether(kind uint16, b []byte) error {
	for tag := tagLength(kind); tag > 0; tag = tagLength(kind) {
		if len(b) < tag {
			return packet.ErrShort
		}
		kind, b = binary.BigEndian.Uint16(b[tag-2:]), b[tag:]
	}
	switch {
	case kind < 0x600:
		return d.llc(d.within(b, int(kind)))
	case kind == 0x0800 || kind == 0x86dd:
		return d.ip(b)
	case kind == 0x8847 || kind == 0x8848: // RFC 5332, section 3
		return d.mpls(b)
	case kind == 0x8864: // RFC 2516, section 4
		return d.pppoe(b)
	case kind == 0x880b: // PPP
		return d.ppp(b)
	case kind == 0x6558: // transparent Ethernet bridging
		return d.ethernet(b)
	case kind == 0x88e7: // IEEE 802.1Q, section 9.7: an I-TAG, and the customer's frame
		return skip(b, 4, d.ethernet)
	case kind == 0x8870: // LLC in a jumbo frame
		return d.llc(b)
	}
	return packet.ErrOther
}

// tagLength is how many bytes a tag of this EtherType has, the next EtherType at its end; 0 of all others.
func tagLength(kind uint16) int {
	switch kind {
	case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300: // IEEE 802.1Q, section 9; and what was in use before it had two tags
		return 4
	case 0x8926, 0xf1c1: // VN-Tag; IEEE 802.1CB, section 7.8
		return 6
	case 0x8909: // Cisco MetaData
		return 8
	}
	return 0
}

// llc takes a packet of IEEE 802.2: of IP itself, behind a protocol ID of OSI's, or behind SNAP.
func (d *Dissector) llc(b []byte) error {
	if len(b) < 3 {
		return packet.ErrShort
	}
	switch [3]byte(b) {
	case [3]byte{0xaa, 0xaa, 3}:
		return d.snap(b[3:])
	case [3]byte{6, 6, 3}:
		return d.ip(b[3:])
	case [3]byte{0xfe, 0xfe, 3}:
		return d.nlpid(b[3:])
	}
	return packet.ErrOther
}

// snap takes an organization's number, and what that says.
func (d *Dissector) snap(b []byte) error {
	if len(b) < 5 {
		return packet.ErrShort
	}
	kind := binary.BigEndian.Uint16(b[3:])
	switch [3]byte(b) {
	case [3]byte{}, [3]byte{0, 0, 0xf8}: // RFC 1042; IEEE 802.1H
		return d.ether(kind, b[5:])
	case [3]byte{0, 0x80, 0xc2}: // RFC 2684, section 5.2
		if kind == 1 || kind == 7 {
			return skip(b, 7, d.ethernet)
		}
	}
	return packet.ErrOther
}

// pppoe takes a session's packet.
func (d *Dissector) pppoe(b []byte) error {
	if len(b) < 6 {
		return packet.ErrShort
	}
	if b[0] != 0x11 || b[1] != 0 {
		return packet.ErrOther
	}
	return d.ppp(d.within(b[6:], int(binary.BigEndian.Uint16(b[4:]))))
}

// ppp takes a frame of RFC 1661, with the header of RFC 1662 or without, and with the protocol's first byte or without.
func (d *Dissector) ppp(b []byte) error { return d.nested(d.pppHeader, b) }

func (d *Dissector) pppHeader(b []byte) error {
	if len(b) > 1 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return packet.ErrShort
	}
	kind, n := binary.BigEndian.Uint16(b), 2
	if b[0]&1 != 0 {
		kind, n = uint16(b[0]), 1
	}
	b = b[n:]
	switch kind {
	case 0x21, 0x57: // IPv4, IPv6
		return d.ip(b)
	case 0x281, 0x283: // RFC 3032, section 4
		return d.mpls(b)
	case 0x31: // RFC 3518, section 4.2: flags, and the kind of link
		if len(b) > 1 && b[1] == 1 {
			return d.ethernet(b[2:])
		}
	case 0x3d: // RFC 1990, section 3: whole, if it is beginning and end
		if len(b) > 0 && b[0]&0xc0 != 0xc0 {
			return errPPPPart
		}
		return skip(b, 4, d.ppp)
	case 0x2d, 0x2f, 0x53, 0x55, 0xfb, 0xfd: // RFC 1144, 1968, 1962
		return errPPP
	}
	return packet.ErrOther
}

// mpls takes a stack of labels (RFC 3032). What is below them only whoever gave the labels knows: IP, if it looks so, or an
// Ethernet frame, with or without the control word of RFC 4448, section 4.6.
func (d *Dissector) mpls(b []byte) error {
	for bottom := false; !bottom; b = b[4:] {
		if len(b) < 5 {
			return packet.ErrShort
		}
		bottom = b[2]&1 != 0
	}
	switch b[0] >> 4 {
	case 4, 6:
		if err := d.guess(d.ip, b); err == nil || err == packet.ErrOther || err == packet.ErrFragment || len(b) < 14 {
			return err
		}
	case 0:
		if len(b) > 4 && d.guess(d.ethernet, b[4:]) == nil {
			return nil
		}
	case 1: // RFC 5586
		return packet.ErrOther
	}
	return d.ethernet(b)
}

// guess has next take b, and leaves no trace if that was wrong.
func (d *Dissector) guess(next func([]byte) error, b []byte) error {
	whole, depth := d.whole, d.depth
	err := next(b)
	if err != nil {
		d.whole, d.depth = whole, depth
	}
	return err
}

// ip takes a packet from its IP header on.
func (d *Dissector) ip(b []byte) error { return d.nested(d.ipHeader, b) }

func (d *Dissector) ipHeader(b []byte) error {
	d.packet = b
	err := d.segment.DecodeCut(packet.LinkRaw, b)
	if d.whole { // so that nothing has been cut: IP's length counts what is none of the packet
		d.segment.Cut = 0
	}
	switch {
	case err != packet.ErrOther && err != packet.ErrFragment:
		return err
	case b[0]>>4 == 4:
		return d.above4(b)
	case b[0]>>4 == 6:
		return d.above6(b)
	}
	return packet.ErrOther
}

// above4 takes what is in an IPv4 packet that has no TCP, or not all of it; DecodeCut has found its lengths right.
func (d *Dissector) above4(b []byte) error {
	n, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b)
	}
	payload := d.within(b, total)[n:]
	h := header{source: netip.AddrFrom4([4]byte(b[12:])), target: netip.AddrFrom4([4]byte(b[16:])), protocol: b[9], ttl: b[8]}
	if place := binary.BigEndian.Uint16(b[6:]); place&0x3fff != 0 {
		from := int(place&0x1fff) * 8
		return d.fragment(datagramKey{h, uint32(binary.BigEndian.Uint16(b[4:]))}, part{from, from + total - n, payload}, place&0x2000 != 0)
	}
	if h.protocol == 51 {
		return d.authenticated(h, payload, total-n)
	}
	return d.transport(h.protocol, payload)
}

// above6 is the same for IPv6. It goes through the extension headers (RFC 8200, section 4).
func (d *Dissector) above6(b []byte) error {
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 {
		total = len(b)
	}
	h := header{source: netip.AddrFrom16([16]byte(b[8:])), target: netip.AddrFrom16([16]byte(b[24:])), protocol: b[6], ttl: b[7]}
	rest := d.within(b, total)[40:]
	lacks := max(0, total-len(b))
	for {
		n := 8
		switch h.protocol {
		case 0, 43, 60:
			if len(rest) > 1 {
				n += int(rest[1]) * 8
			}
		case 44:
			if len(rest) < 8 {
				return packet.ErrShort
			}
			if place := binary.BigEndian.Uint16(rest[2:]); place&0xfff9 != 0 {
				h.protocol = rest[0]
				from := int(place & 0xfff8)
				return d.fragment(datagramKey{h, binary.BigEndian.Uint32(rest[4:])}, part{from, from + len(rest) - 8 + lacks, rest[8:]}, place&1 != 0)
			}
		case 51:
			return d.authenticated(h, rest, len(rest)+lacks)
		default:
			return d.transport(h.protocol, rest)
		}
		if len(rest) < n {
			return packet.ErrShort
		}
		h.protocol, rest = rest[0], rest[n:]
	}
}

// authenticated takes what is behind IPsec's authentication header (RFC 4302, section 2), as if that were not there; the packet
// had length bytes from it on.
func (d *Dissector) authenticated(h header, b []byte, length int) error {
	if len(b) < 12 {
		return packet.ErrShort
	}
	n := int(b[1])*4 + 8
	if len(b) < n {
		return packet.ErrShort
	}
	h.protocol = b[0]
	return d.ip(h.packet(b[n:], length-n))
}

// header is what of an IP header stays the same when its packet is made anew.
type header struct {
	source, target netip.Addr
	protocol, ttl  uint8
}

// packet returns an IP packet with a payload of length bytes, of which data is there.
func (h *header) packet(data []byte, length int) []byte {
	var b []byte
	if h.source.Is4() {
		b = binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(20+length))
		b = append(b, 0, 0, 0, 0, h.ttl, h.protocol, 0, 0)
	} else {
		b = binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(length))
		b = append(b, h.protocol, h.ttl)
	}
	b = append(b, h.source.AsSlice()...)
	b = append(b, h.target.AsSlice()...)
	return append(b, data...)
}

// transport takes what an IP packet carries that is not TCP or ICMP: a tunnel, or other traffic.
func (d *Dissector) transport(protocol uint8, b []byte) error {
	switch protocol {
	case 4, 41, 94: // RFC 2003, 2473, 4213; IPIP
		return d.ip(b)
	case 17:
		return d.udp(b)
	case 47:
		return d.gre(b)
	case 50:
		return errESP
	case 97: // RFC 3378
		return skip(b, 2, d.ethernet)
	case 115:
		return errL2TP3
	case 137: // RFC 4023
		return d.mpls(b)
	case 143: // RFC 8986, section 4.9
		return d.ethernet(b)
	}
	return packet.ErrOther
}
