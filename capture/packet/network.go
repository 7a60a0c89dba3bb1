package packet

import "encoding/binary"

// NetworkOffset is where the IP header of a frame begins that Decode reads; -1 where there is none.
func NetworkOffset(link uint32, frame []byte) int {
	kind, at := -2, 0
	switch link {
	case LinkEthernet:
		kind, at = 12, 14
	case LinkRaw, LinkIPv4, LinkIPv6:
	case LinkNull:
		at = 4
	case LinkSLL:
		kind, at = 14, 16
	case LinkSLL2:
		kind, at = 0, 20
	default:
		return -1
	}
	if len(frame) < at {
		return -1
	}
	if kind < 0 {
		return at
	}
	ether := binary.BigEndian.Uint16(frame[kind:])
	for ether == etherVLAN || ether == etherQinQ {
		if len(frame) < at+4 {
			return -1
		}
		ether, at = binary.BigEndian.Uint16(frame[at+2:]), at+4
	}
	if ether != etherIPv4 && ether != etherIPv6 {
		return -1
	}
	return at
}
