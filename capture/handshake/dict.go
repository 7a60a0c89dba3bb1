package handshake

import "bytes"

var dict = Protocol{
	Name:        "dict",
	ServerFirst: true,
	Ports:       []uint16{2628},
	Spec:        "RFC 2229, section 3.1",
	Version:     1,
	First:       "nothing",
	Signature:   "220 greeting that ends with capabilities and a message identifier, each in angle brackets",
	Leads:       "2",
	Match:       matchDICT,
	Details:     replyDetails,
}

// matchDICT reads the banner: 220, text, then <capabilities>, separated by points, which may be missing, and <msg-id>. SMTP and
// FTP end no greeting so, but for one with a message identifier alone, whose server names itself: "dict" is wanted then.
func matchDICT(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !hasPrefix(line, "220 ") || !ended || !bytes.HasSuffix(line, []byte(">")) {
		return Match{}
	}
	id := bytes.LastIndexByte(line, '<')
	if id < 4 || bytes.IndexByte(line[id:], '@') < 0 {
		return Match{}
	}
	if before := line[:id]; bytes.HasSuffix(before, []byte("> ")) && bytes.LastIndexByte(before, '<') > 4 || containsFold(before, "dictd") {
		return certain(len(data) - len(rest))
	}
	return Match{}
}
