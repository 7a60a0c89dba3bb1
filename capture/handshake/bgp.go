package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var bgp = Protocol{
	Name:        "bgp",
	ServerFirst: true,
	Ports:       []uint16{179},
	Spec:        "RFC 4271, section 4",
	Version:     1,
	First:       "OPEN from AS 23456, which no peer expects, so that no session comes of it",
	Signature:   "marker of 16 times FFh, a length that fits, an OPEN or a NOTIFICATION",
	Leads:       "\xff",
	Hello:       bgpHello,
	Match:       matchBGP,
	Details:     bgpDetails,
}

// RFC 4271, section 4.1: marker, length, type.
const (
	bgpMarker       = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	bgpHeader       = 19
	bgpOpen         = 1
	bgpNotification = 3
)

// bgpHello is an OPEN, RFC 4271, section 4.2: version 4, AS_TRANS (RFC 6793, section 9), hold time 90 s, identifier
// 192.0.2.1, no parameters.
func bgpHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	return append(b, bgpMarker+"\x00\x1d\x01\x04\x5b\xa0\x00\x5a\xc0\x00\x02\x01\x00"...)
}

func matchBGP(data []byte) Match {
	if len(data) < bgpHeader || !hasPrefix(data, bgpMarker) {
		return Match{}
	}
	size := int(binary.BigEndian.Uint16(data[16:]))
	body := data[bgpHeader:max(bgpHeader, min(len(data), size))]
	if !isBGP(data[18], size, body) {
		return Match{}
	}
	return certainIf(len(data) >= size, min(len(data), size))
}

// isBGP reports whether a message is an OPEN or a NOTIFICATION. An OPEN has version 4, and in byte 28 the length of what
// follows it (RFC 4271, section 4.2; RFC 9072 makes that 255 if it is longer). A NOTIFICATION has a code of 1 to 8 (section
// 4.5, RFC 7313, RFC 9384) and a subcode.
func isBGP(kind byte, size int, body []byte) bool {
	switch {
	case kind == bgpOpen && size >= 29 && size <= 4096:
		return (len(body) < 1 || body[0] == 4) && (len(body) < 10 || int(body[9]) == size-29 || body[9] == 255)
	case kind == bgpNotification && size >= 21 && size <= 4096:
		return len(body) < 1 || body[0] >= 1 && body[0] <= 8
	}
	return false
}

func bgpDetails(data []byte) []Detail {
	if data[18] == bgpNotification && len(data) >= 21 {
		return details("message", "notification", "code", strconv.Itoa(int(data[19]))+"/"+strconv.Itoa(int(data[20])))
	}
	if len(data) < 29 {
		return nil
	}
	id := netip.AddrFrom4([4]byte(data[24:28]))
	return details("message", "open", "as", strconv.Itoa(int(binary.BigEndian.Uint16(data[20:]))), "identifier", id.String())
}
