package handshake

var spamd = Protocol{
	Name:      "spamd",
	Ports:     []uint16{783},
	Spec:      "SpamAssassin, spamd/PROTOCOL",
	Version:   1,
	First:     "nothing: there is no handshake",
	Signature: "SPAMD/, a version, and a response code",
	Leads:     "S",
	Match:     matchSpamd,
	Details:   func(data []byte) []Detail { return details("status", show(firstLine(data)[len("SPAMD/1.0 "):])) },
}

// matchSpamd reads the first line of a response: "SPAMD/", version, code of one or two digits (sysexits.h), text.
func matchSpamd(data []byte) Match {
	line, rest, ended := cutLine(data)
	if len(line) < 11 || !hasPrefix(line, "SPAMD/") || !isDigit(line[6]) || line[7] != '.' || !isDigit(line[8]) || line[9] != ' ' || !isDigit(line[10]) {
		return Match{}
	}
	return certainIf(ended, len(data)-len(rest))
}
