package handshake

import "net/netip"

var imap = Protocol{
	Name:        "imap",
	ServerFirst: true,
	Ports:       []uint16{143},
	Spec:        "RFC 9051, section 7.1",
	Version:     1,
	First:       "CAPABILITY",
	Signature:   "* OK, * PREAUTH or * BYE; certain with IMAP in it or in the capabilities after it",
	Leads:       "*",
	Hello:       func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "a CAPABILITY\r\n"...) }, // section 6.1.1
	Match:       matchIMAP,
	Details:     imapDetails,
}

// matchIMAP reads the greeting, RFC 9051, section 7.1: an untagged OK, PREAUTH or BYE, and a text. Section 7.2.2: the
// capability list has IMAP4rev1 or IMAP4rev2.
func matchIMAP(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !isUntagged(line) {
		return Match{}
	}
	size := len(data) - len(rest)
	for ; ended; line, rest, ended = cutLine(rest) {
		if containsFold(line, "imap") {
			return certain(len(data) - len(rest))
		}
	}
	return likely(size)
}

func isUntagged(line []byte) bool {
	return hasPrefixFold(line, "* ok ") || hasPrefixFold(line, "* preauth ") || hasPrefixFold(line, "* bye ")
}

func imapDetails(data []byte) []Detail {
	line, _, _ := cutLine(data)
	return details("banner", show(line[2:]))
}
