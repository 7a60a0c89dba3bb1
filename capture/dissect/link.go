package dissect

import (
	"encoding/binary"

	"laserdisc/capture/packet"
)

// LINKTYPE_ numbers (https://www.tcpdump.org/linktypes.html, which has the document of each).
const (
	linkTokenRing   = 6
	linkARCNet      = 7
	linkSLIP        = 8
	linkPPP         = 9
	linkFDDI        = 10
	linkRawBSD      = 12 // DLT_RAW of most systems, which was written to files
	linkRawOpenBSD  = 14
	linkPPPHDLC     = 50
	linkPPPoE       = 51
	linkATM         = 100
	linkCiscoHDLC   = 104
	linkWLAN        = 105
	linkFrameRelay  = 107
	linkLoop        = 108
	linkENC         = 109
	linkPFLog       = 117
	linkPrism       = 119
	linkIPoverFC    = 122
	linkSunATM      = 123
	linkRadiotap    = 127
	linkARCNetLinux = 129
	linkFirewire    = 138
	linkAVS         = 163
	linkPPPD        = 166
	linkJuniper     = 178
	linkPPI         = 192
	linkERF         = 197
	linkPPPDir      = 204
	linkHDLCDir     = 205
	linkFrameDir    = 206
	linkMPLS        = 219
	linkIPNet       = 226
	linkNFLog       = 239
	linkNetAnalyzer = 240
	linkNetTransp   = 241
	linkIPoIB       = 242
	linkPktap       = 258
	linkMPacket     = 274
)

// LinkName is what a link type is called that people capture and that carries no TCP, or none that is read; "" of all others.
func LinkName(link uint32) string {
	switch link {
	case 187, 201, 251, 254, 255, 256:
		return "Bluetooth"
	case 186, 189, 220, 249, 266, 288, 293, 294, 295:
		return "USB"
	case 195, 215, 230, 283:
		return "IEEE 802.15.4"
	case 227:
		return "CAN"
	case 253:
		return "Linux netlink"
	case 248:
		return "SCTP"
	case 252:
		return "Wireshark's upper layers"
	}
	if link >= 147 && link <= 162 {
		return "for private use"
	}
	return ""
}

// link takes a frame from its first byte on.
func (d *Dissector) link(link uint32, b []byte) error {
	switch link {
	case packet.LinkEthernet:
		return d.ethernet(b)
	case packet.LinkRaw, packet.LinkIPv4, packet.LinkIPv6, linkRawBSD, linkRawOpenBSD:
		return d.ip(b)
	case packet.LinkNull, linkLoop: // the address family, in either order; the IP header tells it, too
		return skip(b, 4, d.ip)
	case packet.LinkSLL:
		return d.cooked(b, 14, 2, 16)
	case packet.LinkSLL2:
		return d.cooked(b, 0, 8, 20)
	case linkTokenRing:
		return d.tokenRing(b)
	case linkARCNet:
		return d.arcnet(b, 2)
	case linkARCNetLinux:
		return d.arcnet(b, 4)
	case linkSLIP:
		return skip(b, 16, d.ip)
	case linkFDDI:
		return d.fddi(b)
	case linkPPP, linkPPPHDLC: // or Cisco's, with these addresses
		if len(b) > 0 && (b[0] == 0x0f || b[0] == 0x8f) {
			return d.hdlc(b)
		}
		return d.ppp(b)
	case linkPPPoE:
		return d.pppoe(b)
	case linkATM:
		return d.llc(b)
	case linkCiscoHDLC:
		return d.hdlc(b)
	case linkWLAN:
		return d.wlan(b, false)
	case linkFrameRelay:
		return d.frameRelay(b)
	case linkENC:
		return skip(b, 12, d.ip)
	case linkPFLog: // the length counts no padding
		if len(b) < 1 {
			return packet.ErrShort
		}
		return skip(b, (int(b[0])+3)&^3, d.ip)
	case linkPrism, linkAVS:
		return d.prism(b)
	case linkIPoverFC: // RFC 2625, section 3
		return skip(b, 16, d.llc)
	case linkSunATM:
		if len(b) > 0 && b[0]&15 != 2 { // LLC
			return packet.ErrOther
		}
		return skip(b, 4, d.llc)
	case linkRadiotap:
		return d.radiotap(b)
	case linkFirewire:
		return d.typed(b, 16, 18)
	case linkPPPD: // the direction, and what of HDLC's header is left
		if len(b) > 1 && b[1] == 3 {
			return d.ppp(b[2:])
		}
		return skip(b, 1, d.ppp)
	case linkJuniper:
		return d.juniper(b)
	case linkPPI:
		return d.ppi(b)
	case linkERF:
		return d.erf(b)
	case linkPPPDir:
		return skip(b, 1, d.ppp)
	case linkHDLCDir:
		return skip(b, 1, d.hdlc)
	case linkFrameDir:
		return skip(b, 1, d.frameRelay)
	case linkMPLS:
		return d.mpls(b)
	case linkIPNet:
		return skip(b, 24, d.ip)
	case linkNFLog:
		return d.nflog(b)
	case linkNetAnalyzer:
		return skip(b, 4, d.ethernet)
	case linkNetTransp: // and preamble and delimiter
		return skip(b, 12, d.ethernet)
	case linkIPoIB: // InfiniBand's global route header, and RFC 4391, section 6
		return d.typed(b, 40, 44)
	case linkPktap:
		return d.pktap(b)
	case linkMPacket:
		return skip(b, 8, d.ethernet)
	}
	return errLink
}

// skip has next take what is behind the first n bytes.
func skip(b []byte, n int, next func([]byte) error) error {
	if len(b) < n {
		return packet.ErrShort
	}
	return next(b[n:])
}

// typed takes a header of n bytes, with an EtherType at the offset.
func (d *Dissector) typed(b []byte, offset, n int) error {
	if len(b) < n {
		return packet.ErrShort
	}
	return d.ether(binary.BigEndian.Uint16(b[offset:]), b[n:])
}

// cooked takes a header of LINKTYPE_LINUX_SLL or SLL2, of n bytes, with the protocol and the ARPHRD_ number of the device at
// these offsets.
func (d *Dissector) cooked(b []byte, protocol, device, n int) error {
	if len(b) < n {
		return packet.ErrShort
	}
	switch kind := binary.BigEndian.Uint16(b[device:]); {
	case kind == 801:
		return d.wlan(b[n:], false)
	case kind == 802:
		return d.prism(b[n:])
	case kind == 803:
		return d.radiotap(b[n:])
	case kind == 824: // of netlink
		return packet.ErrOther
	}
	switch kind := binary.BigEndian.Uint16(b[protocol:]); kind {
	case 4: // LINUX_SLL_P_802_2
		return d.llc(b[n:])
	default:
		return d.ether(kind, b[n:])
	}
}

// tokenRing takes a frame of IEEE 802.5, whose source address says whether a route follows.
func (d *Dissector) tokenRing(b []byte) error {
	if len(b) < 16 {
		return packet.ErrShort
	}
	if b[1]&0xc0 != 0x40 { // of the MAC itself
		return packet.ErrOther
	}
	route := 0
	if b[8]&0x80 != 0 {
		route = int(b[14] & 0x1f)
	}
	return skip(b, 14+route, d.llc)
}

// arcnet takes a frame with its protocol at the offset.
func (d *Dissector) arcnet(b []byte, protocol int) error {
	if len(b) <= protocol {
		return packet.ErrShort
	}
	switch b[protocol] {
	case 240: // RFC 1051
		return d.ip(b[protocol+1:])
	case 212, 196: // RFC 1201, section 2, IPv4 and IPv6: a flag of fragments, and a number
		return skip(b, protocol+4, d.ip)
	}
	return packet.ErrOther
}

// fddi takes a frame of ANSI X3.139.
func (d *Dissector) fddi(b []byte) error {
	if len(b) < 13 {
		return packet.ErrShort
	}
	if b[0]&0xf0 != 0x50 { // LLC
		return packet.ErrOther
	}
	return d.llc(b[13:])
}

// hdlc takes a frame of Cisco's HDLC (RFC 1547, section 4.3.1).
func (d *Dissector) hdlc(b []byte) error { return d.typed(b, 2, 4) }

// frameRelay takes a frame of RFC 2427, or of Cisco's encapsulation.
func (d *Dissector) frameRelay(b []byte) error {
	n := 0
	for n < len(b) && n < 4 && b[n]&1 == 0 { // the address goes on
		n++
	}
	n++
	if len(b) < n+2 {
		return packet.ErrShort
	}
	if b = b[n:]; b[0] != 3 {
		return d.typed(b, 0, 2)
	}
	if b = b[1:]; b[0] == 0 && len(b) > 1 { // padding
		b = b[1:]
	}
	return d.nlpid(b)
}

// nlpid takes a packet behind its network layer protocol ID (ISO/IEC TR 9577).
func (d *Dissector) nlpid(b []byte) error {
	if len(b) < 1 {
		return packet.ErrShort
	}
	switch b[0] {
	case 0xcc, 0x8e: // IPv4, IPv6
		return d.ip(b[1:])
	case 0x80:
		return d.snap(b[1:])
	}
	return packet.ErrOther
}

// juniper takes a frame of LINKTYPE_JUNIPER_ETHER: magic, flags, and extensions if bit 7 of them is set. An Ethernet frame is
// there only if bit 1 is not, which says that there is none of the link's header.
func (d *Dissector) juniper(b []byte) error {
	if len(b) < 4 {
		return packet.ErrShort
	}
	n := 4
	if b[3]&0x80 != 0 {
		if len(b) < 6 {
			return packet.ErrShort
		}
		n = 6 + int(binary.BigEndian.Uint16(b[4:]))
	}
	if b[3]&2 != 0 {
		return skip(b, n+4, d.ip)
	}
	return skip(b, n, d.ethernet)
}

// erf takes a record of Endace's (https://www.endace.com/erf-extensible-record-format-types.pdf).
func (d *Dissector) erf(b []byte) error {
	if len(b) < 16 {
		return packet.ErrShort
	}
	kind, n := b[8]&0x7f, 16
	for more := b[8]&0x80 != 0; more; n += 8 {
		if len(b) < n+8 {
			return packet.ErrShort
		}
		more = b[n]&0x80 != 0
	}
	switch kind {
	case 1, 10, 15, 17: // POS and its variants
		if len(b) > n && (b[n] == 0x0f || b[n] == 0x8f) {
			return d.hdlc(b[n:])
		}
		return skip(b, n, d.ppp)
	case 2, 11, 16, 20: // Ethernet and its variants, with two bytes of padding
		return skip(b, n+2, d.ethernet)
	case 22, 23: // IPv4, IPv6
		return skip(b, n, d.ip)
	}
	return errLink
}

// nflog takes a packet of Linux's netfilter log, one of several attributes, whose numbers are in the order of the machine that
// captured.
func (d *Dissector) nflog(b []byte) error {
	if len(b) < 8 {
		return packet.ErrShort
	}
	var order binary.ByteOrder = binary.LittleEndian
	b = b[4:]
	if n := int(order.Uint16(b)); n < 4 || n > len(b) {
		order = binary.BigEndian
	}
	for len(b) >= 4 {
		n, kind := int(order.Uint16(b)), order.Uint16(b[2:])
		switch {
		case n < 4:
			return packet.ErrShort
		case kind == 9: // NFULA_PAYLOAD
			return d.ip(b[4:min(n, len(b))])
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return packet.ErrOther
}

// pktap takes a packet of macOS: a header that says its length, and of what link type the rest is.
func (d *Dissector) pktap(b []byte) error {
	if len(b) < 12 {
		return packet.ErrShort
	}
	if binary.LittleEndian.Uint32(b[4:]) != 1 { // no packet
		return packet.ErrOther
	}
	return d.behind(binary.LittleEndian.Uint32(b[8:]), b, binary.LittleEndian.Uint32(b))
}

// ppi takes a packet with a header of the same kind (https://www.tcpdump.org/linktypes.html, LINKTYPE_PPI).
func (d *Dissector) ppi(b []byte) error {
	if len(b) < 8 {
		return packet.ErrShort
	}
	return d.behind(binary.LittleEndian.Uint32(b[4:]), b, uint32(binary.LittleEndian.Uint16(b[2:])))
}

// behind takes a frame of another link type, behind the first n bytes.
func (d *Dissector) behind(link uint32, b []byte, n uint32) error {
	if int64(n) > int64(len(b)) {
		return packet.ErrShort
	}
	return d.nested(func(b []byte) error { return d.link(link, b) }, b[n:])
}
