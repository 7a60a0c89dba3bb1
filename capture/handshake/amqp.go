package handshake

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

var amqp = Protocol{
	Name:      "amqp",
	Ports:     []uint16{5672},
	Spec:      "AMQP 0-9-1, sections 4.2.2 and 4.2.3; AMQP 1.0, section 2.2",
	Version:   2,
	First:     "protocol header AMQP 0 0 9 1",
	Signature: "a protocol header with a published version, or the method Connection.Start; weak: the header of version 1.0 that was sent",
	Leads:     "A\x01",
	Hello:     func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "AMQP\x00\x00\x09\x01"...) },
	Match:     matchAMQP,
	Details:   amqpDetails,
}

// amqpVersions are the second halves of the published headers: 0-8, 0-9, 0-10, 0-9-1, and 1.0 plain, with TLS, with SASL.
var amqpVersions = []string{
	"\x01\x01\x08\x00", "\x01\x01\x00\x09", "\x01\x01\x00\x0a", "\x00\x00\x09\x01",
	"\x00\x01\x00\x00", "\x02\x01\x00\x00", "\x03\x01\x00\x00",
}

// isMirrored tells whether an answer is a whole header of AMQP 1.0, which a server returns to a client that sent it (section 2.2). An
// echo is the same.
func isMirrored(received []byte) bool {
	return len(received) == 8 && hasPrefix(received, "AMQP") && slices.Contains(amqpVersions[4:], string(received[4:]))
}

func matchAMQP(data []byte) Match {
	if hasPrefix(data, "A") {
		for _, version := range amqpVersions {
			if len(data) >= 8 && hasPrefix(data, "AMQP") && string(data[4:8]) == version {
				return certain(8)
			}
		}
		return Match{}
	}
	return matchStart(data)
}

// matchStart reads a frame, AMQP 0-9-1, section 4.2.3: type 1 (method), channel 0, length, payload, CEh. The payload
// begins with class 10 (connection), method 10 (start), version 0-9 or 8-0.
func matchStart(data []byte) Match {
	if len(data) < 13 || !hasPrefix(data, "\x01\x00\x00") || !hasPrefix(data[7:], "\x00\x0a\x00\x0a") {
		return Match{}
	}
	if v := string(data[11:13]); v != "\x00\x09" && v != "\x08\x00" {
		return Match{}
	}
	size := binary.BigEndian.Uint32(data[3:])
	if size > 1<<16 {
		return Match{}
	}
	end := 7 + int(size)
	return certainIf(len(data) > end && data[end] == 0xce, min(len(data), end+1))
}

func amqpDetails(data []byte) []Detail {
	if data[0] == 'A' {
		return details("message", "header", "version", fmt.Sprintf("%d-%d-%d", data[5], data[6], data[7]))
	}
	return details("message", "start", "version", fmt.Sprintf("%d-%d", data[11], data[12]),
		"product", tableString(data, "\x07product"), "release", tableString(data, "\x07version"))
}

// tableString finds a long string in the server's properties: short-string key, S, length, bytes (section 4.2.5.5).
func tableString(data []byte, key string) string {
	for i := 13; i+len(key)+5 <= len(data); i++ {
		if !hasPrefix(data[i:], key+"S") {
			continue
		}
		value := data[i+len(key)+5:]
		size := binary.BigEndian.Uint32(data[i+len(key)+1:])
		return show(value[:min(uint64(size), uint64(len(value)))])
	}
	return ""
}
