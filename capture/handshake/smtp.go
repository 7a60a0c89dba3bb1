package handshake

import "net/netip"

var smtp = Protocol{
	Name:        "smtp",
	ServerFirst: true,
	Spec:        "RFC 5321",
	Version:     1,
	First:       "EHLO",
	Signature:   "220 greeting that says SMTP, or the reply to EHLO with its keywords",
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
	found := Match{}
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
	return code == 220 || code == 421 || code == 521 || code == 554
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
