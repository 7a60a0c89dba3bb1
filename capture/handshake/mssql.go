package handshake

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

var mssql = Protocol{
	Name:      "mssql",
	Ports:     []uint16{1433},
	Spec:      "MS-TDS, sections 2.2.3.1 and 2.2.6.5",
	Version:   1,
	First:     "PRELOGIN",
	Signature: "TDS tabular result, last packet, with the option table of PRELOGIN",
	Leads:     "\x04",
	Hello:     mssqlHello,
	Match:     matchMSSQL,
	Details:   mssqlDetails,
}

// These are the PRELOGIN options of MS-TDS, section 2.2.6.5.
const (
	optVersion    = 0
	optEncryption = 1
	optInstance   = 2
	optThread     = 3
	optMARS       = 4
	optEnd        = 0xff
)

// mssqlHello has packet type 18 (PRELOGIN), status 1 (last), length, process 0, packet 1, window 0. Then a table of options
// (kind, offset, length), and their values: a version, encryption not supported (2), no instance, no thread, no MARS.
func mssqlHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	return append(b,
		0x12, 1, 0, 47, 0, 0, 1, 0,
		optVersion, 0, 26, 0, 6,
		optEncryption, 0, 32, 0, 1,
		optInstance, 0, 33, 0, 1,
		optThread, 0, 34, 0, 4,
		optMARS, 0, 38, 0, 1,
		optEnd,
		17, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0)
}

// matchMSSQL reads a response to PRELOGIN: packet type 4, last of its message, whose options lie one after another.
// The version (6 bytes) is always the first.
func matchMSSQL(data []byte) Match {
	if len(data) < 13 || data[0] != 4 || data[1] != 1 {
		return Match{}
	}
	size := int(binary.BigEndian.Uint16(data[2:]))
	body := data[8:max(8, min(len(data), size))]
	if size < 20 || len(body) < 5 || body[0] != optVersion || binary.BigEndian.Uint16(body[3:]) != 6 {
		return Match{}
	}
	if len(data) < size {
		return likely(len(data))
	}
	for at, last := 0, 0; at < len(body); at += 5 {
		if body[at] == optEnd {
			if last != len(body) {
				return Match{}
			}
			return certain(size)
		}
		if at+5 > len(body) {
			return Match{}
		}
		begin, length := int(binary.BigEndian.Uint16(body[at+1:])), int(binary.BigEndian.Uint16(body[at+3:]))
		if begin+length > len(body) || length > 0 && begin < last {
			return Match{}
		}
		last = max(last, begin+length)
	}
	return Match{}
}

func mssqlDetails(data []byte) []Detail {
	body := data[min(len(data), 8):]
	if len(body) < 5 {
		return nil
	}
	at := int(binary.BigEndian.Uint16(body[1:]))
	if at+6 > len(body) {
		return nil
	}
	v := body[at:]
	return details("version", fmt.Sprintf("%d.%d.%d", v[0], v[1], binary.BigEndian.Uint16(v[2:])))
}
