package handshake

import (
	"bytes"
	"net/netip"
)

var smtp = Protocol{
	Name:        "smtp",
	ServerFirst: true,
	Ports:       []uint16{25, 587},
	Spec:        "RFC 5321",
	Version:     2,
	First:       "EHLO",
	Signature:   "220 greeting that says SMTP, or the reply to EHLO with its keywords; likely: a refusal, 550 or 554, with an enhanced status code, or 554 with a host's name; weak: 554",
	Leads:       "2345",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		// RFC 5321, section 4.1.1.1; a client without a name gives an address literal, section 4.1.3.
		return append(b, "EHLO [127.0.0.1]\r\n"...)
	},
	Match:   matchSMTP,
	Details: replyDetails,
}

// matchSMTP looks for the word in the greeting (RFC 5321, section 4.2: "220" domain text), and for the reply to EHLO
// (section 4.1.1.1). Neither the code nor the domain is proof: FTP, LMTP and others greet alike.
func matchSMTP(data []byte) Match {
	r, rest, ok := cutReply(data)
	if !ok {
		return Match{}
	}
	found := judgeSMTP(r, rest, data)
	if found.Evidence != None && isOtherReply(r.text) {
		return Match{}
	}
	return found
}

// judgeSMTP is matchSMTP without regard to services that name themselves.
func judgeSMTP(r reply, rest, data []byte) Match {
	size := len(data) - len(rest)
	switch {
	case r.code == 250:
		return matchEHLO(r, size)
	case !isGreeting(r.code):
		return Match{}
	}
	found := matchRefusal(r, size)
	if words, _ := r.words(); containsFold(words, "smtp") {
		found = certainIf(r.ended && r.code == 220, size)
	}
	for r, rest, ok := cutReply(rest); ok && found.Evidence != Certain; r, rest, ok = cutReply(rest) {
		if m := matchEHLO(r, len(data)-len(rest)); m.Evidence > found.Evidence {
			found = m
		}
	}
	return found
}

// isGreeting lists the codes with which a server may open a session or refuse it: RFC 5321, section 4.3.2, RFC 7504.
func isGreeting(code int) bool {
	return code == 220 || code == 421 || code == 521 || code == 550 || code == 554
}

// matchRefusal judges a server that turns its client away: 554 is SMTP's own code for it (RFC 5321, section 3.1), and with the name of
// a host or an enhanced status code (RFC 3463, section 2), which FTP does not have, it is more. Some say 550.
func matchRefusal(r reply, size int) Match {
	if r.code != 550 && r.code != 554 {
		return Match{}
	}
	_, named := r.words()
	switch {
	case isEnhancedStatus(r.text), r.code == 554 && named:
		return likely(size)
	case r.code == 554:
		return weak(size)
	}
	return Match{}
}

// isEnhancedStatus reads the beginning of a text: "5.", subject, ".", detail, each of one to three digits, and a space.
func isEnhancedStatus(text []byte) bool {
	if !hasPrefix(text, "5.") {
		return false
	}
	subject, text, _ := bytes.Cut(text[2:], []byte("."))
	detail, _, ok := bytes.Cut(text, []byte(" "))
	return ok && isNumber(subject) && isNumber(detail)
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) >= 1 && len(b) <= 3
}

// matchEHLO wants a 250 reply with one of the service extensions of RFC 5321, section 2.2, in a line of its own after the
// first.
func matchEHLO(r reply, size int) Match {
	if r.code != 250 {
		return Match{}
	}
	_, lines, _ := cutLine(r.lines)
	for len(lines) > 4 {
		var line []byte
		line, lines, _ = cutLine(lines)
		for _, word := range extensions {
			if len(line) > 4 && hasPrefixFold(line[4:], word) {
				return certainIf(r.ended, size)
			}
		}
	}
	return Match{}
}

var extensions = []string{"size", "8bitmime", "pipelining", "starttls", "enhancedstatuscodes", "auth ", "vrfy", "expn",
	"etrn", "dsn", "chunking", "smtputf8"}

// replyDetails gives a greeting's code and text, which is where servers name their software.
func replyDetails(data []byte) []Detail {
	r, _, ok := cutReply(data)
	if !ok {
		return nil
	}
	return details("code", string(data[:3]), "banner", show(r.text))
}
