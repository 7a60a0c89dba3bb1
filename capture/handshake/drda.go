package handshake

import (
	"encoding/binary"
	"net/netip"
)

var drda = Protocol{
	Name:      "drda",
	Ports:     []uint16{50000},
	Spec:      "DRDA, Volume 3 (DDM): DSS, EXCSAT, EXCSATRD",
	Version:   1,
	First:     "EXCSAT with the levels of our managers",
	Signature: "DSS reply whose lengths fit, with EXCSATRD (1443h)",
	Hello:     drdaHello,
	Match:     matchDRDA,
	Details:   drdaDetails,
}

// These are code points of DDM.
const (
	cpEXCSAT   = 0x1041
	cpSRVCLSNM = 0x1147
	cpSRVRLSLV = 0x115a
	cpEXTNAM   = 0x115e
	cpSRVNAM   = 0x116d
	cpMGRLVLLS = 0x1404
	cpEXCSATRD = 0x1443
)

// drdaHello is one request: DSS header (length, D0h, request, correlation 1), then length and code point of the command,
// then parameters of the same form: names left empty, and pairs of manager and level.
func drdaHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	var parameters []byte
	parameters = appendDDM(parameters, cpEXTNAM, nil)
	parameters = appendDDM(parameters, cpSRVNAM, nil)
	parameters = appendDDM(parameters, cpSRVRLSLV, nil)
	parameters = appendDDM(parameters, cpMGRLVLLS, []byte{0x14, 0x03, 0, 7, 0x24, 0x07, 0, 8, 0x24, 0x0f, 0, 8, 0x14, 0x40, 0, 8, 0x14, 0x74, 0, 8})
	parameters = appendDDM(parameters, cpSRVCLSNM, nil)
	command := appendDDM(nil, cpEXCSAT, parameters)
	b = binary.BigEndian.AppendUint16(b, 6+uint16(len(command)))
	b = append(b, 0xd0, 1, 0, 1)
	return append(b, command...)
}

func appendDDM(b []byte, code uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, 4+uint16(len(value)))
	b = binary.BigEndian.AppendUint16(b, code)
	return append(b, value...)
}

// matchDRDA wants an EXCSATRD. DSS type 2 is a reply, 3 its data (EXCSATRD is data); the code point comes after the two
// lengths, which differ by the six bytes of the header. Parameters fill the rest.
func matchDRDA(data []byte) Match {
	if len(data) < 10 || data[2] != 0xd0 || data[3]&15 != 2 && data[3]&15 != 3 || binary.BigEndian.Uint16(data[8:]) != cpEXCSATRD {
		return Match{}
	}
	size := int(binary.BigEndian.Uint16(data))
	if size < 14 || int(binary.BigEndian.Uint16(data[6:])) != size-6 {
		return Match{}
	}
	if len(data) < size {
		return likely(len(data))
	}
	for at := 10; at < size; {
		if at+4 > size {
			return Match{}
		}
		n := int(binary.BigEndian.Uint16(data[at:]))
		if n < 4 || at+n > size {
			return Match{}
		}
		at += n
	}
	return certain(size)
}

func drdaDetails(data []byte) []Detail {
	var class, release string
	for at := 10; at+4 <= len(data); {
		n := int(binary.BigEndian.Uint16(data[at:]))
		if n < 4 || at+n > len(data) {
			break
		}
		switch binary.BigEndian.Uint16(data[at+2:]) {
		case cpSRVCLSNM:
			class = fromEBCDIC(data[at+4 : at+n])
		case cpSRVRLSLV:
			release = fromEBCDIC(data[at+4 : at+n])
		}
		at += n
	}
	return details("class", class, "release", release)
}

// fromEBCDIC turns the letters, digits and slash of code page 500 into ASCII; anything else becomes a dot.
func fromEBCDIC(b []byte) string {
	text := make([]byte, len(b))
	for i, c := range b {
		switch high, low := c&0xf0, c&0x0f; {
		case high == 0xf0 && low <= 9:
			text[i] = '0' + low
		case high == 0xc0 && low >= 1 && low <= 9:
			text[i] = 'A' + low - 1
		case high == 0xd0 && low >= 1 && low <= 9:
			text[i] = 'J' + low - 1
		case high == 0xe0 && low >= 2 && low <= 9:
			text[i] = 'S' + low - 2
		case c == 0x61:
			text[i] = '/'
		case c == 0x40:
			text[i] = ' '
		default:
			text[i] = '.'
		}
	}
	return show(text)
}
