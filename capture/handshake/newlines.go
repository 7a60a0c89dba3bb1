package handshake

import (
	"net/netip"
	"strings"
)

// newlines are two empty lines: they end a request of most line protocols and make many servers complain (paper, section 4.2).
var newlines = Protocol{
	Name:  "newlines",
	Spec:  "paper, section 4.2",
	First: "2 newlines",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "\n\n"...) },
}

// newlines50 are fifty, which fill the fixed-size header of most binary protocols too.
var newlines50 = Protocol{
	Name:  "newlines50",
	Spec:  "LZR",
	First: "50 newlines",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, strings.Repeat("\n", 50)...) },
}
