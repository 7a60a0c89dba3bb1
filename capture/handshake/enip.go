package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var enip = Protocol{
	Name:      "enip",
	Ports:     []uint16{44818},
	Spec:      "CIP Networks Library, volume 2 (EtherNet/IP), sections 2-3 and 2-4",
	Version:   1,
	First:     "ListIdentity",
	Signature: "encapsulation header of 24 bytes with ListIdentity and an identity item, or RegisterSession with a session",
	Leads:     "ce",
	Hello:     enipHello,
	Match:     matchENIP,
	Details:   enipDetails,
}

const (
	listIdentity    = 0x63
	registerSession = 0x65
	identityItem    = 0x0c
)

// enipHello is a ListIdentity: command, length 0, session 0, status 0, context of 8 bytes that comes back, options 0; all
// little-endian.
func enipHello(b []byte, _ netip.AddrPort, nonce uint64) []byte {
	b = append(b, listIdentity, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, nonce)
	return append(b, 0, 0, 0, 0)
}

// matchENIP tells an answer from a request by its data: ListIdentity is asked without any and answered with items,
// RegisterSession is asked with session 0 and answered with another.
func matchENIP(data []byte) Match {
	if len(data) < 28 || data[1] != 0 {
		return Match{}
	}
	size := 24 + int(binary.LittleEndian.Uint16(data[2:]))
	session, status := binary.LittleEndian.Uint32(data[4:]), binary.LittleEndian.Uint32(data[8:])
	if status != 0 || binary.LittleEndian.Uint32(data[20:]) != 0 {
		return Match{}
	}
	body := data[24:min(len(data), size)]
	switch {
	case data[0] == registerSession && size == 28 && session != 0 && string(body) == "\x01\x00\x00\x00":
		return certain(28)
	case data[0] == listIdentity && session == 0 && isIdentity(body, size-24):
		return certainIf(len(data) >= size, min(len(data), size))
	}
	return Match{}
}

// isIdentity reports whether a body lists an identity: the number of items, then one with its type, its length, and in it
// protocol version 1 and a socket address of family 2, in network order.
func isIdentity(body []byte, size int) bool {
	return len(body) >= 12 && binary.LittleEndian.Uint16(body) >= 1 && binary.LittleEndian.Uint16(body[2:]) == identityItem &&
		int(binary.LittleEndian.Uint16(body[4:]))+6 <= size && binary.LittleEndian.Uint16(body[6:]) == 1 &&
		binary.BigEndian.Uint16(body[8:]) == 2
}

// enipDetails gives the vendor and the product's name. An identity has vendor, device type, product code, revision, status,
// serial, and the name behind its length.
func enipDetails(data []byte) []Detail {
	const vendor, name = 24 + 2 + 4 + 18, 24 + 2 + 4 + 32
	if len(data) <= name {
		return nil
	}
	size := int(data[name])
	return details("vendor", strconv.Itoa(int(binary.LittleEndian.Uint16(data[vendor:]))),
		"product", show(data[name+1:min(len(data), name+1+size)]))
}
