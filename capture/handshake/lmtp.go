package handshake

var lmtp = Protocol{
	Name:        "lmtp",
	ServerFirst: true,
	Ports:       []uint16{24},
	Spec:        "RFC 2033, section 4",
	Version:     1,
	First:       "nothing",
	Signature:   "220 greeting that says LMTP",
	Leads:       "2",
	Match:       matchLMTP,
	Details:     replyDetails,
}

// matchLMTP looks for the word behind the host's name: section 4.1 wants nothing else in the greeting to differ from SMTP's.
func matchLMTP(data []byte) Match {
	code, _, ok := replyCode(data)
	if !ok || code != 220 {
		return Match{}
	}
	r, rest, _ := cutReply(data)
	if words, _ := r.words(); !containsFold(words, "lmtp") {
		return Match{}
	}
	return certainIf(r.ended, len(data)-len(rest))
}
