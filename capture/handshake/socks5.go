package handshake

import (
	"net/netip"
	"strconv"
)

var socks5 = Protocol{
	Name:      "socks5",
	Ports:     []uint16{1080},
	Spec:      "RFC 1928, section 3",
	Version:   1,
	First:     "version 5, one method: no authentication",
	Signature: "weak: version 5 and a method, 2 bytes; likely: an HTTP refusal that names Tor's SOCKS port",
	Leads:     "\x05H",
	Hello:     func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, 5, 1, 0) },
	Match:     matchSOCKS5,
	Details:   socks5Details,
}

// matchSOCKS5 reads the choice of RFC 1928, section 3: the method offered (0), or none (FFh). Two bytes are no proof.
// Some choose user and password (2) all the same.
func matchSOCKS5(data []byte) Match {
	if hasPrefix(data, "H") {
		if r, ok := parseResponse(data[:min(len(data), 64)], "HTTP/1."); ok && string(r.reason) == "Tor is not an HTTP Proxy" {
			return likely(len("HTTP/1.0 501 Tor is not an HTTP Proxy"))
		}
		return Match{}
	}
	if len(data) == 2 && data[0] == 5 && (data[1] == 0 || data[1] == 2 || data[1] == 0xff) {
		return weak(2)
	}
	return Match{}
}

func socks5Details(data []byte) []Detail {
	if hasPrefix(data, "H") {
		return details("note", "Tor's SOCKS port that got HTTP")
	}
	return details("method", strconv.Itoa(int(data[1])))
}
