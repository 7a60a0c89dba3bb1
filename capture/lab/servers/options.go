package servers

import (
	"encoding/binary"
	"slices"

	"laserdisc/capture/lab/draw"
)

// Options are the shares of a protocol's services that answer only one of two ways in which a client can begin (paper, Table 3):
// the usual one, or the other. The rest answer both. The other way is OPTIONS for http, a wrong magic cookie for pptp, and export
// ciphers alone for tls; further protocols have none. Those of a port go before those of every port, and these before the
// protocol's own.
type Options struct {
	Protocol  string  `json:"protocol"`
	Port      uint16  `json:"port,omitempty"` // 0: every port
	OnlyUsual float64 `json:"only_usual"`
	OnlyOther float64 `json:"only_other"`
}

// others tell the other way to begin from the usual one, by protocol.
var others = map[string]func(said []byte) bool{
	"http": func(said []byte) bool { return len(said) > 7 && string(said[:8]) == "OPTIONS " },
	"pptp": badCookie,
	"tls":  exportGrade,
}

// HasOptions reports whether clients of the protocol can begin in two ways.
func HasOptions(protocol string) bool { return others[protocol] != nil }

// accepts reports whether the service answers its own protocol when a client begins like that.
func (s *Service) accepts(said []byte) bool {
	o := s.Options
	if o == nil {
		o = &s.Protocol.options
	}
	if o.OnlyUsual == 0 && o.OnlyOther == 0 || len(said) == 0 || !HasOptions(s.Protocol.Name) {
		return true
	}
	x, other := s.Unit(draw.ForOption), others[s.Protocol.Name](said)
	switch {
	case x < o.OnlyUsual:
		return !other
	case x < o.OnlyUsual+o.OnlyOther:
		return other
	}
	return true
}

// badCookie reports whether a control message of PPTP lacks its cookie (RFC 2637, section 1.4).
func badCookie(said []byte) bool {
	return len(said) >= 8 && binary.BigEndian.Uint32(said[4:]) != 0x1a2b3c4d
}

// exportSuites are those with EXPORT in their names (RFC 2246, appendix A.5), and the 56-bit ones (draft-ietf-tls-56-bit-ciphersuites).
var exportSuites = []uint16{0x03, 0x06, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x17, 0x19, 0x62, 0x63, 0x64, 0x65}

// exportGrade reports whether all that a ClientHello offers is export ciphers (RFC 5246, section 7.4.1.2).
func exportGrade(said []byte) bool {
	const session = 5 + 4 + 2 + 32 // behind the headers of record and message, the version, the random bytes
	if len(said) <= session {
		return false
	}
	at := session + 1 + int(said[session])
	if len(said) < at+2 {
		return false
	}
	end := at + 2 + int(binary.BigEndian.Uint16(said[at:]))
	for at += 2; at+2 <= min(end, len(said)); at += 2 {
		if !slices.Contains(exportSuites, binary.BigEndian.Uint16(said[at:])) {
			return false
		}
	}
	return true
}
