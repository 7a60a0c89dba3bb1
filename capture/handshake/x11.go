package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var x11 = Protocol{
	Name:      "x11",
	Ports:     []uint16{6000},
	Spec:      "X Window System Protocol, X Version 11, section 8",
	Version:   1,
	First:     "connection set-up, little-endian, version 11.0, no authorization",
	Signature: "failed, success or authenticate, then version 11 and lengths that fit",
	Leads:     "\x00\x01\x02",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return append(b, 'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	},
	Match:   matchX11,
	Details: x11Details,
}

const (
	x11Failed       = 0
	x11Success      = 1
	x11Authenticate = 2
)

// matchX11 reads the reply to the set-up, section 8: status, length of the reason (only if failed), version 11, minor
// version 0, length of the rest in units of four. Words come in the byte order of our hello.
func matchX11(data []byte) Match {
	if len(data) < 8 || binary.LittleEndian.Uint16(data[2:]) != 11 || binary.LittleEndian.Uint16(data[4:]) != 0 {
		return Match{}
	}
	size := 8 + 4*int(binary.LittleEndian.Uint16(data[6:]))
	whole := len(data) >= size
	body := data[8:min(len(data), size)]
	switch data[0] {
	case x11Failed:
		if reason := int(data[1]); reason == 0 || reason > size-8 || size-8-reason > 3 || !isText(body[:min(len(body), reason)]) {
			return Match{}
		}
	case x11Authenticate:
		if data[1] != 0 || len(body) == 0 || !isText(trimZeros(body)) {
			return Match{}
		}
	case x11Success:
		if !isSetup(body, size-8) {
			return Match{}
		}
	default:
		return Match{}
	}
	return certainIf(whole, 8+len(body))
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// isSetup wants 32 bytes in whose 17th the vendor's name has its length, then formats of 8 bytes and at least one root of 40.
func isSetup(body []byte, size int) bool {
	if len(body) < 32 {
		return false
	}
	vendor, roots, formats := int(binary.LittleEndian.Uint16(body[16:])), int(body[20]), int(body[21])
	return roots > 0 && formats > 0 && 32+vendor+8*formats+40*roots <= size && isText(body[32:min(len(body), 32+vendor)])
}

func x11Details(data []byte) []Detail {
	switch {
	case data[0] == x11Failed:
		return details("result", "failed", "reason", show(data[8:min(len(data), 8+int(data[1]))]))
	case data[0] == x11Success && len(data) >= 40:
		vendor := int(binary.LittleEndian.Uint16(data[24:]))
		return details("result", "success", "vendor", show(data[40:min(len(data), 40+vendor)]),
			"release", strconv.Itoa(int(binary.LittleEndian.Uint32(data[8:]))))
	}
	return details("result", "authenticate")
}
