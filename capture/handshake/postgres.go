package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

var postgres = Protocol{
	Name:      "postgres",
	Ports:     []uint16{5432},
	Spec:      "PostgreSQL Frontend/Backend Protocol, Message Formats",
	Version:   2,
	First:     "StartupMessage 3.0 without a user, which every server refuses in its own words",
	Signature: "ErrorResponse or Authentication message; weak: the one byte S or N that answers SSLRequest",
	Leads:     "ENRS",
	Hello:     postgresHello,
	Match:     matchPostgres,
	Details:   postgresDetails,
}

var postgresSSL = Protocol{
	Name:   "postgres-ssl",
	Spec:   "PostgreSQL Frontend/Backend Protocol, SSLRequest",
	First:  "SSLRequest",
	Answer: "postgres",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return append(b, 0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f) // length, 80877103
	},
}

// postgresHello is a StartupMessage: length, version 3.0, parameters, which end with a zero byte. "user" is required, and
// without it the server answers with an ErrorResponse: that proves more than the one byte that SSLRequest draws.
func postgresHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	const parameters = "application_name\x00laserdisc\x00\x00"
	b = binary.BigEndian.AppendUint32(b, 8+uint32(len(parameters)))
	b = append(b, 0, 3, 0, 0)
	return append(b, parameters...)
}

func matchPostgres(data []byte) Match {
	switch {
	case hasPrefix(data, "S"), hasPrefix(data, "N"):
		return matchSSLAnswer(data)
	case hasPrefix(data, "R"):
		return matchAuthentication(data)
	}
	if m := matchErrorResponse(data); m.Evidence != None {
		return m
	}
	// Protocol 2.0, which servers still use towards clients that they take for old ones: E, text, zero byte.
	if hasPrefix(data, "EFATAL:  ") && data[len(data)-1] == 0 {
		return likely(len(data))
	}
	return Match{}
}

// matchSSLAnswer wants one byte, and if a start-up message was behind the request, the refusal of that.
func matchSSLAnswer(data []byte) Match {
	if len(data) == 1 {
		return weak(1)
	}
	if m := matchErrorResponse(data[1:]); m.Evidence != None {
		m.Bytes++
		return m
	}
	return Match{}
}

// matchErrorResponse wants E, a length, then fields, each a letter and a text up to a zero byte, and a zero byte in the end.
// Severity (S) and SQLSTATE (C, five letters or digits) are always there. PCP, by which pgpool is managed, has the same form, and its
// source file (F) tells it.
func matchErrorResponse(data []byte) Match {
	if len(data) < 6 || data[0] != 'E' || data[5] != 'S' {
		return Match{}
	}
	size := 1 + int(binary.BigEndian.Uint32(data[1:]))
	if size < 12 || size > 1<<14 {
		return Match{}
	}
	state, other := false, false
	for fields := data[5:min(len(data), size)]; len(fields) > 1; {
		value, rest, ended := bytes.Cut(fields[1:], []byte{0})
		if !isLetter(fields[0]) || !isText(value) {
			return Match{}
		}
		state = state || fields[0] == 'C' && ended && isSQLState(value)
		other = other || fields[0] == 'F' && hasPrefix(value, "pcp_")
		fields = rest
	}
	if !state || other {
		return Match{}
	}
	return certainIf(len(data) >= size && data[size-1] == 0, min(len(data), size))
}

func isSQLState(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(b) == 5
}

// matchAuthentication wants R, a length, and a method: 0 ok, 3 clear text, 5 MD5 with 4 bytes of salt, 10 SASL with names.
func matchAuthentication(data []byte) Match {
	if len(data) < 9 {
		return Match{}
	}
	size, method := binary.BigEndian.Uint32(data[1:]), binary.BigEndian.Uint32(data[5:])
	switch {
	case size == 8 && (method == 0 || method == 3), size == 12 && method == 5, size > 8 && size < 256 && method == 10:
		return certainIf(len(data) >= 1+int(size), min(len(data), 1+int(size)))
	}
	return Match{}
}

func postgresDetails(data []byte) []Detail {
	if len(data) == 1 {
		return details("ssl", map[byte]string{'S': "yes", 'N': "no"}[data[0]])
	}
	var sev, code, text string
	for fields := data[min(len(data), 5):]; len(fields) > 1; {
		value, rest, _ := bytes.Cut(fields[1:], []byte{0})
		switch fields[0] {
		case 'S':
			sev = show(value)
		case 'C':
			code = show(value)
		case 'M':
			text = show(value)
		}
		fields = rest
	}
	return details("severity", sev, "code", code, "message", text)
}
