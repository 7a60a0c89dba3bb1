package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

var memcached = Protocol{
	Name:      "memcached",
	Ports:     []uint16{11211},
	Spec:      "memcached doc/protocol.txt, doc/protocol-binary.txt",
	Version:   1,
	First:     "version",
	Signature: "VERSION and a number, STAT pid, or a binary response (81h) whose lengths are right; ERROR alone is nothing",
	Leads:     "VS\x81",
	Hello:     func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "version\r\n"...) },
	Match:     matchMemcached,
	Details:   memcachedDetails,
}

var memcachedBinary = Protocol{
	Name:   "memcached-binary",
	Spec:   "memcached doc/protocol-binary.txt",
	First:  "binary request (80h) for the version (0Bh)",
	Answer: "memcached",
	Hello: func(b []byte, _ netip.AddrPort, nonce uint64) []byte {
		b = append(b, 0x80, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint32(b, uint32(nonce)) // comes back in the answer
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	},
}

func matchMemcached(data []byte) Match {
	if hasPrefix(data, "\x81") {
		return matchMemcachedBinary(data)
	}
	line, rest, ended := cutLine(data)
	size := len(data) - len(rest)
	switch {
	case hasPrefix(line, "VERSION ") && len(line) > 8 && isDigit(line[8]) && isPrintable(line):
		return certainIf(ended, size)
	case hasPrefix(line, "STAT pid ") && ended && hasPrefix(rest, "STAT uptime "):
		return certain(size)
	}
	return Match{}
}

// matchMemcachedBinary reads a response's header of 24 bytes: magic, opcode, key length, extras length, data type 0,
// status, body length, opaque, CAS. The opcodes end with 25h; status is 0 to 8, 20h to 23h, 81h to 86h.
func matchMemcachedBinary(data []byte) Match {
	if len(data) < 24 || data[1] > 0x25 || data[5] != 0 || data[6] != 0 || data[7] > 0x86 {
		return Match{}
	}
	body := binary.BigEndian.Uint32(data[8:])
	if uint32(binary.BigEndian.Uint16(data[2:]))+uint32(data[4]) > body || body > 1<<20 {
		return Match{}
	}
	end := 24 + int(body)
	if body > 0 && !isText(data[24+min(int(data[4]), len(data)-24):min(len(data), end)]) {
		return Match{}
	}
	return certainIf(len(data) >= end && (data[1] == 0x0b || data[1] == 0x10), min(len(data), end))
}

func memcachedDetails(data []byte) []Detail {
	if len(data) > 24 && data[0] == 0x81 && data[1] == 0x0b {
		return details("form", "binary", "version", show(data[24:]))
	}
	if data[0] == 0x81 {
		return details("form", "binary")
	}
	line, _, _ := cutLine(data)
	version, _ := bytes.CutPrefix(line, []byte("VERSION "))
	if len(version) == len(line) {
		_, version, _ = bytes.Cut(data, []byte("STAT version "))
		version, _, _ = cutLine(version)
	}
	return details("form", "text", "version", show(version))
}
