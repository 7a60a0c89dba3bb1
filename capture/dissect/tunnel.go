package dissect

import (
	"encoding/binary"

	"laserdisc/capture/packet"
)

// udp takes a datagram from its ports on: a tunnel's, if one of them is assigned to one.
func (d *Dissector) udp(b []byte) error {
	if len(b) < 8 {
		return packet.ErrShort
	}
	next := d.tunnel(binary.BigEndian.Uint16(b[2:]))
	if next == nil {
		next = d.tunnel(binary.BigEndian.Uint16(b))
	}
	if next == nil {
		return packet.ErrOther
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n >= 8 {
		b = d.within(b, n)
	}
	return next(b[8:])
}

// tunnel is what reads the datagrams of a tunnel that a port is for, or nil. Who else uses the port is told from it by what
// the tunnel's header must have: that is other traffic.
func (d *Dissector) tunnel(port uint16) func([]byte) error {
	switch port {
	case 1701:
		return d.l2tp
	case 2152, 3386:
		return d.gtp
	case 3544:
		return d.teredo
	case 4754: // RFC 8086
		return d.gre
	case 4789, 8472: // RFC 7348; Linux's before there was one
		return d.vxlan
	case 4790:
		return d.vxlanGPE
	case 5247:
		return d.capwap
	case 6081:
		return d.geneve
	case 6635: // RFC 7510
		return d.mpls
	case 37008:
		return d.tzsp
	}
	return nil
}

// gre takes a packet of RFC 2784 and 2890, with what RFC 1701 had besides, or of PPTP's (RFC 2637, section 4.1).
func (d *Dissector) gre(b []byte) error {
	if len(b) < 4 {
		return packet.ErrShort
	}
	const checksum, routing, key, sequence, acknowledged = 0x80, 0x40, 0x20, 0x10, 0x80
	flags, version, kind := b[0], b[1]&7, binary.BigEndian.Uint16(b[2:])
	if version > 1 || version == 1 && kind != 0x880b {
		return packet.ErrOther
	}
	n := 4
	if flags&(checksum|routing) != 0 {
		n += 4
	}
	if flags&key != 0 {
		n += 4
	}
	if flags&sequence != 0 {
		n += 4
	}
	if version == 1 && b[1]&acknowledged != 0 {
		n += 4
	}
	for more := flags&routing != 0; more; {
		if len(b) < n+4 {
			return packet.ErrShort
		}
		more = [4]byte(b[n:]) != [4]byte{}
		n += 4 + int(b[n+3])
	}
	if len(b) < n {
		return packet.ErrShort
	}
	b = b[n:]
	switch {
	case len(b) == 0 && version == 1: // an acknowledgement alone
		return packet.ErrOther
	case kind == 0x88be && flags&sequence == 0: // ERSPAN type I (draft-foschiano-erspan-03, section 4)
		return d.ethernet(b)
	case kind == 0x88be: // type II
		return skip(b, 8, d.ethernet)
	case kind == 0x22eb: // type III
		return d.erspan3(b)
	case kind == 0x883e && len(b) > 0 && b[0]>>4 != 4: // WCCP, version 2: a header of its own
		return skip(b, 4, d.ip)
	case kind == 0x883e:
		return d.ip(b)
	case kind == 0x6559: // RFC 2427
		return d.frameRelay(b)
	case kind < 0x600:
		return packet.ErrOther
	}
	return d.ether(kind, b)
}

// erspan3 takes a header of type III (draft-foschiano-erspan-03, section 4.3), and a platform's behind it.
func (d *Dissector) erspan3(b []byte) error {
	if len(b) < 12 {
		return packet.ErrShort
	}
	n := 12
	if b[11]&1 != 0 {
		n += 8
	}
	if b[10]>>2&0x1f == 2 { // of frame types
		return skip(b, n, d.ip)
	}
	return skip(b, n, d.ethernet)
}

// vxlan takes a header of RFC 7348, section 5.
func (d *Dissector) vxlan(b []byte) error {
	if len(b) < 8 || b[0]&8 == 0 {
		return packet.ErrOther
	}
	return d.ethernet(b[8:])
}

// vxlanGPE takes a header of draft-ietf-nvo3-vxlan-gpe-13, section 3.
func (d *Dissector) vxlanGPE(b []byte) error {
	if len(b) < 8 || b[0]&8 == 0 {
		return packet.ErrOther
	}
	switch b[3] {
	case 1, 2:
		return d.ip(b[8:])
	case 3, 0:
		return d.ethernet(b[8:])
	case 5:
		return d.mpls(b[8:])
	}
	return packet.ErrOther
}

// geneve takes a header of RFC 8926, section 3.4.
func (d *Dissector) geneve(b []byte) error {
	if len(b) < 8 || b[0]>>6 != 0 {
		return packet.ErrOther
	}
	kind := binary.BigEndian.Uint16(b[2:])
	if kind < 0x600 {
		return packet.ErrOther
	}
	return skip(b, 8+int(b[0]&0x3f)*4, func(b []byte) error { return d.ether(kind, b) })
}

// gtp takes a G-PDU (3GPP TS 29.281, section 5), or a T-PDU of version 0 (3GPP TS 09.60, section 6). What it carries is
// known to whoever set the tunnel up: IP, if it looks so, or Ethernet.
func (d *Dissector) gtp(b []byte) error {
	if len(b) < 8 || b[1] != 0xff || b[0]&0x10 == 0 {
		return packet.ErrOther
	}
	n := 8
	switch b[0] >> 5 {
	case 0:
		n = 20
	case 1:
		if b[0]&7 == 0 {
			break
		}
		n = 12
		for len(b) > n && b[0]&4 != 0 && b[n-1] != 0 { // the next extension's type
			if b[n] == 0 {
				return packet.ErrOther
			}
			n += int(b[n]) * 4
		}
	default:
		return packet.ErrOther
	}
	if len(b) <= n {
		return packet.ErrShort
	}
	if v := b[n] >> 4; v == 4 || v == 6 {
		return d.ip(b[n:])
	}
	return d.ethernet(b[n:])
}

// teredo takes an IPv6 packet behind the indicators of RFC 4380, section 5.1.1.
func (d *Dissector) teredo(b []byte) error {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		b = b[min(13+int(b[2])+int(b[3]), len(b)):]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) == 0 || b[0]>>4 != 6 {
		return packet.ErrOther
	}
	return d.ip(b)
}

// l2tp takes a data message of version 2 (RFC 2661, section 3.1), which is PPP.
func (d *Dissector) l2tp(b []byte) error {
	if len(b) < 6 {
		return packet.ErrOther
	}
	const control, length, sequence, offset = 0x80, 0x40, 8, 2
	switch {
	case b[0]&control != 0:
		return packet.ErrOther
	case b[1]&15 == 3:
		return errL2TP3
	case b[1]&15 != 2:
		return packet.ErrOther
	}
	n := 6
	if b[0]&length != 0 {
		n += 2
	}
	if b[0]&sequence != 0 {
		n += 4
	}
	if b[0]&offset != 0 {
		if len(b) < n+2 {
			return packet.ErrShort
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	return skip(b, n, d.ppp)
}

// capwap takes a data message of RFC 5415, section 4.3: an Ethernet frame, or one of 802.11, whose first two bytes some
// controllers swap.
func (d *Dissector) capwap(b []byte) error {
	if len(b) < 8 || b[0] != 0 {
		return packet.ErrOther
	}
	n, native, fragment := int(b[1]>>3)*4, b[2]&1 != 0, b[3]&0x80 != 0
	if n < 8 || len(b) < n+2 || fragment || b[3]&8 != 0 { // or a keep-alive
		return packet.ErrOther
	}
	if b = b[n:]; !native {
		return d.ethernet(b)
	}
	if b[0]&15 != 8 && b[1]&15 == 8 { // data
		b = append([]byte{b[1], b[0]}, b[2:]...)
	}
	return d.wlan(b, false)
}

// tzsp takes a frame of TaZmen's Sniffer Protocol, which MikroTik's routers send: what it is, and tags.
func (d *Dissector) tzsp(b []byte) error {
	if len(b) < 5 || b[0] != 1 || b[1] != 0 {
		return packet.ErrOther
	}
	kind := binary.BigEndian.Uint16(b[2:])
	for b = b[4:]; len(b) > 0 && b[0] != 1; { // the last tag
		n := 1
		if b[0] != 0 { // padding, which has no length
			if len(b) < 2 {
				return packet.ErrShort
			}
			n = 2 + int(b[1])
		}
		if len(b) < n {
			return packet.ErrShort
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return packet.ErrShort
	}
	b = b[1:]
	switch kind {
	case 1:
		return d.ethernet(b)
	case 0x12:
		return d.wlan(b, false)
	case 0x77, 0x7f:
		return d.prism(b)
	}
	return packet.ErrOther
}
