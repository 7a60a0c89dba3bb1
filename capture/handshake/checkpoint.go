package handshake

import "net/netip"

var checkpoint = Protocol{
	Name:      "checkpoint",
	Ports:     []uint16{264},
	Spec:      "Check Point FireWall-1 topology, as in Metasploit's checkpoint_hostname.rb",
	Version:   1,
	First:     "version request 51h",
	Signature: "likely: Y and three zero bytes, no more",
	Leads:     "Y",
	Hello:     func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, 0x51, 0, 0, 0, 0, 0, 0, 0x21) },
	Match:     matchCheckPoint,
}

// matchCheckPoint wants the four bytes after which a client may ask for the topology. We do not ask.
func matchCheckPoint(data []byte) Match {
	if len(data) == 4 && string(data) == "Y\x00\x00\x00" {
		return likely(4)
	}
	return Match{}
}
