package handshake

import "bytes"

var irc = Protocol{
	Name:        "irc",
	ServerFirst: true,
	Ports:       []uint16{6667},
	Spec:        "RFC 2812, sections 2.3.1 and 5",
	Version:     1,
	First:       "nothing",
	Signature:   "NOTICE to * or AUTH, or a numeric reply, from a server; likely: ERROR and a text behind a colon",
	Leads:       ":NE",
	Match:       matchIRC,
	Details:     ircDetails,
}

// matchIRC reads a message, section 2.3.1: a prefix after a colon, which a server's first may lack; a command; to whom, who has no
// name yet; a text after a colon.
func matchIRC(data []byte) Match {
	line, rest, ended := cutLine(data)
	size := len(data) - len(rest)
	if hasPrefix(line, "ERROR :") && len(line) > 7 && isText(line) { // section 3.7.4
		return likely(size)
	}
	message := line
	if hasPrefix(line, ":") {
		prefix, more, ok := bytes.Cut(line[1:], []byte(" "))
		if !ok || !isPrintable(prefix) {
			return Match{}
		}
		message = more
	}
	command, more, _ := bytes.Cut(message, []byte(" "))
	to, text, ok := bytes.Cut(more, []byte(" "))
	prefixed := len(message) < len(line)
	switch {
	case !ok || !isText(line) || !isNobody(to, prefixed):
		return Match{}
	case hasPrefix(command, "NOTICE") && len(command) == 6 && hasPrefix(text, ":"),
		prefixed && len(command) == 3 && isStatus(command) && bytes.IndexByte(text, ':') >= 0: // section 5.2
		return certainIf(ended, size)
	}
	return Match{}
}

// isNobody tells whether a message is to a client that has not said its name: "*", "AUTH" of the older servers, or, of one that
// gives a prefix, whatever word it has for it.
func isNobody(to []byte, prefixed bool) bool {
	return string(to) == "*" || hasPrefixFold(to, "auth") && len(to) == 4 || prefixed && string(to) == "unknown"
}

func ircDetails(data []byte) []Detail { return details("banner", show(firstLine(data))) }
