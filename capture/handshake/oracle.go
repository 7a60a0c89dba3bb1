package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

var oracle = Protocol{
	Name:      "oracle",
	Ports:     []uint16{1521},
	Spec:      "Oracle Net TNS, as in Wireshark's packet-tns.c",
	Version:   1,
	First:     "CONNECT without a service name",
	Signature: "TNS header with the segment's length and type accept, refuse, redirect or resend",
	Hello:     oracleHello,
	Match:     matchOracle,
	Details:   oracleDetails,
}

// These are types of TNS packets.
const (
	tnsConnect  = 1
	tnsAccept   = 2
	tnsRefuse   = 4
	tnsRedirect = 5
	tnsResend   = 11
)

// oracleHello is a CONNECT: header of 8 bytes (length, checksum, type, flags, checksum of the header), version 312,
// lowest 300, service options, session and transmission units, protocol characteristics, line turnaround, "1" in our
// byte order, then length and offset of the connect data, its maximum, and flags.
func oracleHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	const data = "(DESCRIPTION=(CONNECT_DATA=(CID=(PROGRAM=laserdisc))))"
	const offset = 58
	b = binary.BigEndian.AppendUint16(b, offset+uint16(len(data)))
	b = append(b, 0, 0, tnsConnect, 0, 0, 0, 1, 0x38, 1, 0x2c, 0x0c, 0x41, 0x20, 0, 0xff, 0xff, 0x7f, 8, 0, 0, 1, 0)
	b = append(b, 0, byte(len(data)), 0, offset, 0, 0, 8, 0, 0x41, 0x41)
	b = append(b, make([]byte, offset-34)...)
	return append(b, data...)
}

// matchOracle wants a header whose length is that of the segment, or is followed by more of the same.
func matchOracle(data []byte) Match {
	if len(data) < 8 || data[2] != 0 || data[3] != 0 || data[6] != 0 || data[7] != 0 {
		return Match{}
	}
	size := int(binary.BigEndian.Uint16(data))
	whole := len(data) >= size
	body := data[8:max(8, min(len(data), size))]
	switch data[4] {
	case tnsResend: // a header alone
		if size == 8 && len(data) == 8 {
			return likely(8)
		}
	case tnsRefuse: // two reasons, length of the text, the text
		if len(body) >= 4 && size == 12+int(binary.BigEndian.Uint16(body[2:])) && tnsText(body[4:]) {
			return certainIf(whole, 8+len(body))
		}
	case tnsRedirect: // length of the text, the text
		if len(body) >= 2 && size >= 10+int(binary.BigEndian.Uint16(body)) && tnsText(body[2:]) {
			return certainIf(whole, 8+len(body))
		}
	case tnsAccept: // version, options, session unit, transmission unit, byte order, length and offset of data
		if len(body) >= 16 && size >= 24 && tnsVersion(body) {
			return certainIf(whole, 8+len(body))
		}
	}
	return Match{}
}

// tnsText reports whether b is a connect descriptor, which is nested in parentheses.
func tnsText(b []byte) bool {
	return len(b) > 2 && b[0] == '(' && (isText(b) || hasPrefix(b, "(DESCRIPTION="))
}

// tnsVersion reports whether a body begins with a version. Those in use are 300 (Oracle 7) to 320 (23c).
func tnsVersion(body []byte) bool {
	version := binary.BigEndian.Uint16(body)
	return version >= 300 && version < 400
}

func oracleDetails(data []byte) []Detail {
	if len(data) < 8 {
		return nil
	}
	kind := map[byte]string{tnsAccept: "accept", tnsRefuse: "refuse", tnsRedirect: "redirect", tnsResend: "resend"}[data[4]]
	return details("message", kind, "number", parenthesised(data, "(VSNNUM="), "error", parenthesised(data, "(ERR="))
}

// parenthesised is the value of the first (KEY=value) of a connect descriptor.
func parenthesised(data []byte, key string) string {
	_, value, ok := bytes.Cut(data, []byte(key))
	value, _, closed := bytes.Cut(value, []byte(")"))
	if !ok || !closed {
		return ""
	}
	return show(value)
}
