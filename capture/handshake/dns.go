package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var dns = Protocol{
	Name:      "dns",
	Ports:     []uint16{53},
	Spec:      "RFC 1035, RFC 7766",
	Version:   1,
	First:     "length, query for the name servers of the root, no recursion",
	Signature: "length, header with QR set, and question and answers that parse to that length",
	Hello:     dnsHello,
	Match:     matchDNS,
	Details:   dnsDetails,
}

// dnsHello is a query for the one name that every server knows or refuses: type NS (2), class IN (1), name of no labels.
// RFC 7766, section 8: two bytes of length come first.
func dnsHello(b []byte, _ netip.AddrPort, nonce uint64) []byte {
	return append(b, 0, 17, byte(nonce>>8), byte(nonce), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1)
}

// matchDNS parses one message. RFC 1035, section 4.1.1: the response bit is the first of the flags, the opcode the next
// four, the response code the last four.
func matchDNS(data []byte) Match {
	if len(data) < 14 {
		return Match{}
	}
	size := int(binary.BigEndian.Uint16(data))
	message := data[2:min(len(data), 2+size)]
	if size < 12 || message[2]&0x80 == 0 || message[2]>>3&15 > 5 || message[3]&0x40 != 0 {
		return Match{}
	}
	questions, records := dnsCounts(message)
	switch {
	case questions == 0 && records == 0: // a server that understood nothing: FORMERR, NOTIMP or REFUSED
		if rcode := message[3] & 15; size == 12 && len(data) == 14 && (rcode == 1 || rcode == 4 || rcode == 5) {
			return likely(14)
		}
		return Match{}
	case questions != 1:
		return Match{}
	}
	at, ok := skipName(message, 12)
	if at += 4; !ok || at > len(message) {
		return Match{}
	}
	if class := binary.BigEndian.Uint16(message[at-2:]); class != 1 && class != 3 && class != 255 {
		return Match{}
	}
	for range records {
		next, ok := skipRecord(message, at)
		if !ok {
			if len(message) < size {
				return likely(2 + at)
			}
			return Match{}
		}
		at = next
	}
	if at != size {
		return Match{}
	}
	return certain(2 + size)
}

func dnsCounts(message []byte) (questions, records int) {
	questions = int(binary.BigEndian.Uint16(message[4:]))
	for i := 6; i < 12; i += 2 {
		records += int(binary.BigEndian.Uint16(message[i:]))
	}
	return questions, records
}

// skipName passes a name: labels of up to 63 bytes, ended by an empty one or by a pointer. RFC 1035, section 4.1.4.
func skipName(message []byte, at int) (int, bool) {
	for at < len(message) {
		c := int(message[at])
		switch {
		case c == 0:
			return at + 1, true
		case c >= 0xc0:
			return at + 2, at+2 <= len(message)
		case c > 63:
			return at, false
		}
		at += 1 + c
	}
	return at, false
}

// skipRecord passes a resource record: name, type, class, time to live, length, data. RFC 1035, section 4.1.3.
func skipRecord(message []byte, at int) (int, bool) {
	at, ok := skipName(message, at)
	if !ok || at+10 > len(message) {
		return at, false
	}
	at += 10 + int(binary.BigEndian.Uint16(message[at+8:]))
	return at, at <= len(message)
}

func dnsDetails(data []byte) []Detail {
	if len(data) < 14 {
		return nil
	}
	rcode := int(data[5] & 15)
	name := strconv.Itoa(rcode)
	if rcode < len(rcodes) {
		name = rcodes[rcode]
	}
	return details("rcode", name, "authoritative", strconv.FormatBool(data[4]&4 != 0), "recursion", strconv.FormatBool(data[5]&0x80 != 0))
}

var rcodes = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
