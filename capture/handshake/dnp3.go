package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var dnp3 = Protocol{
	Name:      "dnp3",
	Ports:     []uint16{20000},
	Spec:      "IEEE 1815, section 9.2",
	Version:   1,
	First:     "one link frame, Request Link Status, from master 1 to outstation 10",
	Signature: "05h 64h, length, and a header whose CRC is right, from an outstation",
	Leads:     "\x05",
	Hello:     dnp3Hello,
	Match:     matchDNP3,
	Details:   dnp3Details,
}

// These are bits of link control, IEEE 1815, section 9.2.4.1: DIR says that the master sends, PRM that it begins the exchange.
const (
	dnp3DIR           = 0x80
	dnp3PRM           = 0x40
	requestLinkStatus = 9
)

// dnp3Hello is the one frame that asks for nothing but an answer: start, length 5, control, destination, source, CRC.
// An outstation answers its own address alone; 1 and 10 are what stacks come with.
func dnp3Hello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	header := []byte{5, 0x64, 5, dnp3DIR | dnp3PRM | requestLinkStatus, 10, 0, 1, 0}
	b = append(b, header...)
	return binary.LittleEndian.AppendUint16(b, dnp3CRC(header))
}

// matchDNP3 reads a frame's header. Bytes that came back to us would have DIR set.
func matchDNP3(data []byte) Match {
	if len(data) < 10 || !hasPrefix(data, "\x05\x64") || data[2] < 5 || data[3]&dnp3DIR != 0 ||
		dnp3CRC(data[:8]) != binary.LittleEndian.Uint16(data[8:]) {
		return Match{}
	}
	return certain(10)
}

// dnp3CRC is that of IEEE 1815, section 9.2.6: polynomial 3D65h, bits reversed, complemented.
func dnp3CRC(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa6bc
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

func dnp3Details(data []byte) []Detail {
	return details("address", strconv.Itoa(int(binary.LittleEndian.Uint16(data[6:]))))
}
