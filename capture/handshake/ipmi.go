package handshake

import "net/netip"

var ipmi = Protocol{
	Name:      "ipmi",
	Ports:     []uint16{623},
	Spec:      "IPMI 2.0, sections 13.1.3, 13.8 and 22.13",
	Version:   1,
	First:     "RMCP with Get Channel Authentication Capabilities",
	Signature: "RMCP with a response message whose checksums are right; an ASF presence pong",
	Leads:     "\x06",
	Hello:     ipmiHello,
	Match:     matchIPMI,
}

// These are the headers of RMCP, section 13.1.3: version 6, reserved, sequence number FFh (no acknowledgement), class 7
// (IPMI) or 6 (ASF).
const (
	rmcpIPMI = "\x06\x00\xff\x07"
	rmcpASF  = "\x06\x00\xff\x06"
)

// ipmiHello asks for the channel's authentication: RMCP; no authentication, sequence 0, session 0, length 9 (section 13.6);
// then the request of section 22.13 from 81h to 20h, network function 6 (application), command 38h, this channel (0Eh) with
// 2.0 data, privilege 4. A checksum makes the bytes that it follows, and itself, add up to 0.
func ipmiHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	return append(b, rmcpIPMI+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09"+"\x20\x18\xc8"+"\x81\x00\x38\x8e\x04\xb5"...)
}

// matchIPMI reads a response, section 13.8: responder and requester change places, and the network function is odd.
func matchIPMI(data []byte) Match {
	if len(data) >= 12 && hasPrefix(data, rmcpASF) && hasPrefix(data[4:], "\x00\x00\x11\xbe\x40") { // ASF 2.0, section 3.2.4.3
		return certain(12)
	}
	if len(data) < 14 || !hasPrefix(data, rmcpIPMI) || data[4] != 0 {
		return Match{}
	}
	size := 14 + int(data[13])
	if data[13] < 8 || len(data) < size {
		return Match{}
	}
	message := data[14:size]
	if message[1]>>2&1 == 0 || sum(message[:3]) != 0 || sum(message[3:]) != 0 {
		return Match{}
	}
	return certain(size)
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}
