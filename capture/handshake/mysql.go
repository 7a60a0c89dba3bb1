package handshake

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

var mysql = Protocol{
	Name:        "mysql",
	ServerFirst: true,
	Ports:       []uint16{3306},
	Spec:        "MySQL Client/Server Protocol, Protocol::HandshakeV10 and ERR_Packet",
	Version:     1,
	First:       "nothing: whatever is sent before the server's greeting counts as a connection error",
	Signature:   "packet 0 with protocol 10 and a version, or with FFh, an error code and text",
	Match:       matchMySQL,
	Details:     mysqlDetails,
}

const (
	mysqlV10 = 0x0a
	mysqlERR = 0xff
)

// matchMySQL reads the server's first packet: payload length in 3 bytes, little-endian, then sequence number 0.
func matchMySQL(data []byte) Match {
	if len(data) < 7 || data[3] != 0 || data[2] != 0 {
		return Match{}
	}
	size := int(data[0]) | int(data[1])<<8
	payload := data[4:min(len(data), 4+size)]
	whole := len(payload) == size
	switch {
	case len(payload) < 3:
		return Match{}
	case payload[0] == mysqlV10:
		return matchMySQLGreeting(payload, size, whole)
	case payload[0] == mysqlERR && isMySQLError(payload):
		return certainIf(whole, 4+len(payload))
	}
	return Match{}
}

// matchMySQLGreeting wants protocol version 10, server version up to a zero byte, connection id (4), scramble (8), filler 00.
func matchMySQLGreeting(payload []byte, size int, whole bool) Match {
	version, rest, ended := bytes.Cut(payload[1:], []byte{0})
	if !isPrintable(version) || !isDigit(version[0]) || len(version) > 200 || size < 1+len(version)+1+13 {
		return Match{}
	}
	if len(rest) >= 13 && rest[12] != 0 {
		return Match{}
	}
	return certainIf(ended && whole, 4+len(payload))
}

// isMySQLError wants FFh, an error code, and a text that may begin with # and an SQL state. Server errors are numbered from 1000.
func isMySQLError(payload []byte) bool {
	code := binary.LittleEndian.Uint16(payload[1:])
	return code >= 1000 && code < 5000 && len(payload) >= 8 && isText(payload[3:])
}

func mysqlDetails(data []byte) []Detail {
	if len(data) < 7 {
		return nil
	}
	payload := data[4:]
	if payload[0] == mysqlV10 {
		version, _, _ := bytes.Cut(payload[1:], []byte{0})
		return details("version", show(version))
	}
	code := int(binary.LittleEndian.Uint16(payload[1:]))
	return details("error", strconv.Itoa(code), "note", mysqlErrors[code], "message", show(payload[3:]))
}

// mysqlErrors are the refusals that a stranger meets, from the server's error reference.
var mysqlErrors = map[int]string{
	1040: "too many connections",
	1129: "host is blocked",
	1130: "host not allowed",
}
