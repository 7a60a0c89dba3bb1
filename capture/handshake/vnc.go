package handshake

import "bytes"

var vnc = Protocol{
	Name:        "vnc",
	ServerFirst: true,
	Ports:       []uint16{5900},
	Spec:        "RFC 6143, section 7.1.1",
	Version:     1,
	First:       "nothing",
	Signature:   "RFB ddd.ddd and a newline, 12 bytes",
	Leads:       "R",
	Match:       matchVNC,
	Details:     vncDetails,
}

// matchVNC reads the ProtocolVersion message, RFC 6143, section 7.1.1: 12 bytes, "RFB xxx.yyy\n".
func matchVNC(data []byte) Match {
	if len(data) < 12 || !hasPrefix(data, "RFB ") || data[7] != '.' || data[11] != '\n' {
		return Match{}
	}
	for i, c := range data[4:11] {
		if i != 3 && !isDigit(c) {
			return Match{}
		}
	}
	return certain(12)
}

func vncDetails(data []byte) []Detail {
	version := string(bytes.TrimLeft(data[4:7], "0")) + "." + string(bytes.TrimLeft(data[8:10], "0")) + string(data[10])
	return details("version", version)
}
