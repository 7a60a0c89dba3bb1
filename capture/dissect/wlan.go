package dissect

import (
	"encoding/binary"

	"laserdisc/capture/packet"
)

// wlan takes a frame of IEEE 802.11-2020, section 9.2; its header is padded to four bytes by some hardware.
func (d *Dissector) wlan(b []byte, padded bool) error {
	const (
		toDS, fromDS, moreFragments, protected, order = 1, 2, 4, 0x40, 0x80 // of the second byte
		noData, quality                               = 4, 8                // of the subtype
	)
	if len(b) < 2 {
		return packet.ErrShort
	}
	kind, subtype, flags := b[0]>>2&3, b[0]>>4, b[1]
	if b[0]&3 != 0 || kind != 2 || subtype&noData != 0 { // data
		return packet.ErrOther
	}
	n := 24
	if flags&(toDS|fromDS) == toDS|fromDS {
		n += 6
	}
	control := n
	if subtype&quality != 0 {
		n += 2
		if flags&order != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return packet.ErrShort
	}
	part := flags&moreFragments != 0 || b[22]&15 != 0 && !isSNAP(b[n:]) // some controllers write their own number there
	several := subtype&quality != 0 && b[control]&0x80 != 0             // an A-MSDU
	if padded {
		n = (n + 3) &^ 3
	}
	if len(b) < n {
		return packet.ErrShort
	}
	b = b[n:]
	switch {
	case part:
		return errWLANPart
	case flags&protected != 0 && !isSNAP(b): // what a tool has decrypted may have the bit nevertheless
		return errWLAN
	case several:
		return d.aggregated(b)
	}
	return d.llc(b)
}

// isSNAP reports whether b begins as LLC does before IP (RFC 1042).
func isSNAP(b []byte) bool {
	return len(b) >= 6 && [6]byte(b) == [6]byte{0xaa, 0xaa, 3}
}

// aggregated takes an A-MSDU (section 9.3.2.2) of one packet.
func (d *Dissector) aggregated(b []byte) error {
	if len(b) < 14 {
		return packet.ErrShort
	}
	end := 14 + int(binary.BigEndian.Uint16(b[12:]))
	if next := (end + 3) &^ 3; len(b) >= next+14 { // more than a checksum
		return errWLANMany
	}
	return d.llc(d.within(b, end)[14:])
}

// radiotap takes a frame behind its header of https://www.radiotap.org.
func (d *Dissector) radiotap(b []byte) error {
	if len(b) < 8 {
		return packet.ErrShort
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n < 8 || len(b) < n {
		return packet.ErrShort
	}
	const hasTime, hasFlags, more = 1, 2, 1 << 31
	present, at := binary.LittleEndian.Uint32(b[4:]), 8
	for word := present; word&more != 0 && at+4 <= n; at += 4 {
		word = binary.LittleEndian.Uint32(b[at:])
	}
	if present&hasTime != 0 {
		at = (at+7)&^7 + 8
	}
	var flags byte
	if present&hasFlags != 0 && at < n {
		flags = b[at]
	}
	if flags&0x40 != 0 {
		return errWLANDamaged
	}
	return d.wlan(b[n:], flags&0x20 != 0)
}

// prism takes a frame behind the header of LINKTYPE_IEEE802_11_PRISM, or of LINKTYPE_IEEE802_11_AVS, which is found with that
// number, too. Numbers are in the order of the machine that captured, or for AVS big-endian.
func (d *Dissector) prism(b []byte) error {
	if len(b) < 8 {
		return packet.ErrShort
	}
	n := binary.BigEndian.Uint32(b[4:])
	if binary.BigEndian.Uint32(b)>>8 != 0x802110 && n > 0xffff {
		n = binary.LittleEndian.Uint32(b[4:])
	}
	if int64(n) > int64(len(b)) {
		return packet.ErrShort
	}
	return d.wlan(b[n:], false)
}
