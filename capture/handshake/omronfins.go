package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var omronfins = Protocol{
	Name:      "omronfins",
	Ports:     []uint16{9600},
	Spec:      "Omron W421, section 7-4 (FINS/TCP)",
	Version:   1,
	First:     "node address request",
	Signature: "FINS, length 16, command 1, and the nodes; or a length that fits and an error",
	Leads:     "F",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		// The header has FINS, length 12, command 0 (client to server), error 0; node 0 asks the server to choose one.
		return append(b, "FINS\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	},
	Match:   matchOmronFINS,
	Details: omronDetails,
}

// matchOmronFINS wants FINS, the length of what follows, command 1 (server to client) or 3 (error), error code, two nodes.
func matchOmronFINS(data []byte) Match {
	if len(data) < 16 || !hasPrefix(data, "FINS\x00\x00\x00") {
		return Match{}
	}
	size := 8 + int(data[7])
	command, failure := binary.BigEndian.Uint32(data[8:]), binary.BigEndian.Uint32(data[12:])
	switch {
	case command == 1 && size == 24 && failure < 0x100, command == 3 && size >= 16 && failure != 0 && failure < 0x100:
		return certainIf(len(data) >= size, min(len(data), size))
	}
	return Match{}
}

func omronDetails(data []byte) []Detail {
	if len(data) < 24 {
		return details("error", strconv.Itoa(int(data[15])))
	}
	return details("node", strconv.Itoa(int(binary.BigEndian.Uint32(data[20:]))))
}
