package handshake

import (
	"bytes"
	"net/netip"
)

// Said tells whose first bytes a client sent to a target: those of a Hello, whatever its nonce; of any HTTP GET or TLS
// client hello, for these name their client; or else Other's, with the protocol that they show. Nothing at all is wait's.
func Said(said []byte, to netip.AddrPort) *Protocol {
	if len(said) == 0 {
		return &wait
	}
	other := named(said)
	for _, p := range table {
		if p.Hello != nil && (saysHello(p, said, to) || other.IsValid() && saysHello(p, said, other)) {
			return p
		}
	}
	switch {
	case bytes.HasPrefix(said, []byte("GET ")) && bytes.Contains(said, []byte(" HTTP/1.")):
		return &http
	case len(said) > 5 && said[0] == 22 && said[1] == 3 && said[5] == 1: // RFC 8446, sections 5.1 and 4
		return &tls
	}
	return OtherOf(shows(said))
}

// SaidCut is Said for the first of so many bytes that a client sent, of which a capture lacks the rest: those of a Hello that has as
// many and begins so, if there is one alone.
func SaidCut(said []byte, length int, to netip.AddrPort) *Protocol {
	var one *Protocol
	for _, p := range table {
		if p.Hello == nil || len(said) == 0 {
			continue
		}
		if hello := p.Hello(nil, to, 0); len(hello) == length && len(said) < length && agrees(p, hello[:len(said)], said, to) {
			if one != nil {
				return Said(said, to)
			}
			one = p
		}
	}
	if one != nil {
		return one
	}
	return Said(said, to)
}

// named is the endpoint that an HTTP or SIP request names, which may be another than it is sent to: that of a proxy's client, or
// of an anonymized capture. It is not valid if there is none.
func named(said []byte) (to netip.AddrPort) {
	for _, before := range []string{"\nHost: ", " sip:"} {
		if _, rest, ok := bytes.Cut(said, []byte(before)); ok {
			text, _, _ := bytes.Cut(rest[:min(len(rest), 64)], []byte("\r"))
			text, _, _ = bytes.Cut(text, []byte(" "))
			to, _ = netip.ParseAddrPort(string(text))
			return to
		}
	}
	return to
}

// saysHello compares what does not depend on the nonce.
func saysHello(p *Protocol, said []byte, to netip.AddrPort) bool {
	hello := p.Hello(nil, to, 0)
	return len(hello) == len(said) && agrees(p, hello, said, to)
}

// agrees reports whether said is the hello, or as long a beginning of it, but for what depends on the nonce.
func agrees(p *Protocol, hello, said []byte, to netip.AddrPort) bool {
	other, third := p.Hello(nil, to, 1<<64-1), p.Hello(nil, to, 0x5a5a5a5a5a5a5a5a)
	for i, b := range hello {
		if b != said[i] && b == other[i] && b == third[i] {
			return false
		}
	}
	return true
}
