package handshake

import (
	"bytes"
	"net/netip"
)

var pop3 = Protocol{
	Name:        "pop3",
	ServerFirst: true,
	Ports:       []uint16{110},
	Spec:        "RFC 1939",
	Version:     2,
	First:       "CAPA",
	Signature:   "+OK with a text; certain with POP or an APOP timestamp in it, or the list for CAPA after it",
	Leads:       "+-",
	Hello:       func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "CAPA\r\n"...) }, // RFC 2449, section 5
	Match:       matchPOP3,
	Details:     pop3Details,
}

// matchPOP3 reads the greeting, RFC 1939, section 4: "+OK" and a text. "-ERR", and "+OK" alone,
// are others' answers too.
func matchPOP3(data []byte) Match {
	line, rest, ended := cutLine(data)
	size := len(data) - len(rest)
	says := containsFold(line, "pop3")
	switch {
	case hasPrefix(line, "-ERR ") && says:
		return likely(size)
	case string(line) == "+OK" && ended: // popa3d says no more
		return matchStatus(rest, size)
	case !hasPrefix(line, "+OK "):
		return Match{}
	case says || hasTimestamp(line):
		return certainIf(ended, size)
	}
	if n := capabilities(rest); n > 0 {
		return certain(size + n)
	}
	return likely(size)
}

// matchStatus judges what comes after a greeting without a text: the answer to words that are not POP3's, if there is one. "+OK" once
// more is what Redis says to two commands.
func matchStatus(rest []byte, size int) Match {
	if hasPrefix(rest, "-ERR") && !isRedisError(rest) {
		return likely(size + len("-ERR"))
	}
	return weak(size)
}

// hasTimestamp looks for the msg-id of a greeting that offers APOP, RFC 1939, section 7: "<" left "@" right ">".
func hasTimestamp(line []byte) bool {
	open, closed := bytes.IndexByte(line, '<'), bytes.LastIndexByte(line, '>')
	return open > 0 && closed > open && bytes.IndexByte(line[open:closed], '@') > 0
}

// capabilities reads the answer to CAPA, RFC 2449, section 5: +OK, one capability a line, a period. It returns how many
// bytes it took to find one of RFC 1939's, or 0.
func capabilities(rest []byte) int {
	if !hasPrefix(rest, "+OK") {
		return 0
	}
	_, list, _ := cutLine(rest)
	for line, list, ended := cutLine(list); ended; line, list, ended = cutLine(list) {
		switch string(line) {
		case "UIDL", "TOP", "USER":
			return len(rest) - len(list)
		}
	}
	return 0
}

func pop3Details(data []byte) []Detail {
	line, _, _ := cutLine(data)
	_, text, _ := bytes.Cut(line, []byte(" "))
	return details("banner", show(text))
}
