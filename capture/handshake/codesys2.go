package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

var codesys2 = Protocol{
	Name:      "codesys2",
	Ports:     []uint16{1200, 2455},
	Spec:      "CODESYS V2, as in Nmap's codesys-v2-discover.nse and ZGrab2",
	Version:   1,
	First:     "service 1 without name or password, which a runtime answers with its identity",
	Signature: "BBBBh, a length that fits, and the operating system's name at byte 64",
	Leads:     "\xbb",
	// The request in little-endian order: magic, length 1, service 1.
	Hello:   func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, 0xbb, 0xbb, 1, 0, 0, 0, 1) },
	Match:   matchCodesys2,
	Details: codesys2Details,
}

// These are where an identity has its texts; each ends with a zero byte. The whole is 206 bytes or more behind the header.
const (
	codesysHeader  = 6
	codesysSystem  = 64
	codesysVersion = 96
	codesysVendor  = 128
	codesysSize    = 156
)

// matchCodesys2 takes the length in either byte order; runtimes have that of their processor.
func matchCodesys2(data []byte) Match {
	if len(data) < codesysHeader || data[0] != 0xbb || data[1] != 0xbb {
		return Match{}
	}
	size := binary.LittleEndian.Uint32(data[2:])
	if size > 1<<16 {
		size = binary.BigEndian.Uint32(data[2:])
	}
	end := codesysHeader + int(size)
	if size > 1<<16 || end < codesysSize || len(data) < codesysSize || !isPrintable(zeroEnded(data[codesysSystem:codesysVersion])) {
		return Match{}
	}
	return certainIf(len(data) >= end, min(len(data), end))
}

func zeroEnded(b []byte) []byte {
	text, _, _ := bytes.Cut(b, []byte{0})
	return text
}

func codesys2Details(data []byte) []Detail {
	return details("system", show(zeroEnded(data[codesysSystem:codesysVersion])),
		"version", show(zeroEnded(data[codesysVersion:codesysVendor])),
		"vendor", show(zeroEnded(data[codesysVendor:codesysSize])))
}
