package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

var pptp = Protocol{
	Name:      "pptp",
	Ports:     []uint16{1723},
	Spec:      "RFC 2637",
	Version:   1,
	First:     "Start-Control-Connection-Request",
	Signature: "control message with magic cookie 1A2B3C4Dh and type 2, the reply",
	Leads:     "\x00",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return appendPPTP(b, pptpCookie)
	},
	Match:   matchPPTP,
	Details: pptpDetails,
}

var pptpBadCookie = Protocol{
	Name:   "pptp-badcookie",
	Spec:   "paper, table 3",
	First:  "Start-Control-Connection-Request with a wrong magic cookie",
	Answer: "pptp",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return appendPPTP(b, ^uint32(pptpCookie))
	},
}

// Every control message begins (RFC 2637, sections 1.4 and 2.1) with its length, message type 1 and the cookie.
const (
	pptpCookie = 0x1a2b3c4d
	pptpSize   = 156
)

// appendPPTP appends a Start-Control-Connection-Request, RFC 2637, section 2.1: control type 1, protocol version 1.0,
// asynchronous framing, analog bearer, no channels, and names left empty.
func appendPPTP(b []byte, cookie uint32) []byte {
	b = append(b, 0, pptpSize, 0, 1)
	b = binary.BigEndian.AppendUint32(b, cookie)
	b = append(b, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1)
	return append(b, make([]byte, pptpSize-24)...)
}

// matchPPTP reads a Start-Control-Connection-Reply, RFC 2637, section 2.2.
func matchPPTP(data []byte) Match {
	if len(data) < 12 || binary.BigEndian.Uint16(data) != pptpSize || binary.BigEndian.Uint16(data[2:]) != 1 ||
		binary.BigEndian.Uint32(data[4:]) != pptpCookie || binary.BigEndian.Uint16(data[8:]) != 2 {
		return Match{}
	}
	return certainIf(len(data) >= pptpSize, min(len(data), pptpSize))
}

func pptpDetails(data []byte) []Detail {
	if len(data) < pptpSize {
		return nil
	}
	host, _, _ := bytes.Cut(data[28:92], []byte{0})
	vendor, _, _ := bytes.Cut(data[92:156], []byte{0})
	return details("result", strconv.Itoa(int(data[14])), "host", show(host), "vendor", show(vendor))
}
