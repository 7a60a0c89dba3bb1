package handshake

import "net/netip"

var managesieve = Protocol{
	Name:        "managesieve",
	ServerFirst: true,
	Ports:       []uint16{4190},
	Spec:        "RFC 5804, section 1.7",
	Version:     1,
	First:       "CAPABILITY",
	Signature:   "capabilities in quotes, IMPLEMENTATION and SIEVE among them",
	Leads:       `"`,
	Hello:       func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "CAPABILITY\r\n"...) }, // section 2.4
	Match:       matchManageSieve,
	Details:     managesieveDetails,
}

// matchManageSieve reads the greeting of RFC 5804, section 1.7. Each capability is a line, a quoted name and for most a
// quoted value. IMPLEMENTATION and SIEVE must be there; an OK ends the greeting.
func matchManageSieve(data []byte) Match {
	if !hasPrefixFold(data, `"implementation" "`) {
		return Match{}
	}
	sieve := false
	for line, rest, ended := cutLine(data); ended; line, rest, ended = cutLine(rest) {
		sieve = sieve || hasPrefixFold(line, `"sieve" "`)
		if hasPrefixFold(line, "ok") {
			return certainIf(sieve, len(data)-len(rest))
		}
	}
	return likely(len(data))
}

func managesieveDetails(data []byte) []Detail {
	line, _, _ := cutLine(data)
	line = line[len(`"IMPLEMENTATION" "`):]
	if n := len(line); n > 0 && line[n-1] == '"' {
		line = line[:n-1]
	}
	return details("software", show(line))
}
