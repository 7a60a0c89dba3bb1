package handshake

import (
	"bytes"
	"net/netip"
)

var ftp = Protocol{
	Name:        "ftp",
	ServerFirst: true,
	Ports:       []uint16{21},
	Spec:        "RFC 959",
	Version:     1,
	First:       "FEAT",
	Signature:   "220 greeting that says FTP, replies about USER and PASS, or the list for FEAT; weak: any greeting in many lines",
	Leads:       "12345f",
	Hello:       func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "FEAT\r\n"...) }, // RFC 2389, section 3.1
	Match:       matchFTP,
	Details:     replyDetails,
}

// matchFTP judges the replies of RFC 959, section 4.2. SMTP and others use the same codes, so that the code alone is
// nothing: the words of the greeting or of the replies after it must be FTP's.
func matchFTP(data []byte) Match {
	if hasPrefix(data, ftpd) {
		return weak(len(ftpd))
	}
	r, rest, ok := cutReply(data)
	if !ok {
		return Match{}
	}
	found := judgeFTP(r, rest, data)
	if found.Evidence != None && isOtherReply(r.text) {
		return Match{}
	}
	return found
}

// judgeFTP is matchFTP without regard to services that name themselves.
func judgeFTP(r reply, rest, data []byte) Match {
	words, named := r.words()
	if containsFold(words, "smtp") {
		return Match{}
	}
	size := len(data) - len(rest)
	greets := r.code == 120 || r.code == 220
	switch said := saysFTP(words); {
	case said == Certain:
		return certainIf(greets && r.ended, size)
	case said == Likely, isFTPReply(r):
		return likely(size)
	case !greets:
		return Match{}
	}
	for next, rest, ok := cutReply(rest); ok; next, rest, ok = cutReply(rest) {
		if isFTPReply(next) {
			return certainIf(next.ended, len(data)-len(rest))
		}
	}
	if isFTPGreeting(r.text) {
		return likely(size)
	}
	// SMTP begins every line of a greeting with the host's name; what doesn't, and takes many lines, is mostly FTP.
	if r.many && !named {
		return weak(size)
	}
	return Match{}
}

// ftpd begins the complaint of a server that inetd could not start; it goes to the client.
const ftpd = "ftpd: "

// isFTPReply recognises the replies to a command before login: RFC 959, section 5.4, 530 and 331, and RFC 2389,
// section 3.2, the list of features in which each line begins with a space.
func isFTPReply(r reply) bool {
	switch r.code {
	case 530, 331:
		return containsFold(r.text, "user") && containsFold(r.text, "pass")
	case 211:
		return bytes.Contains(r.lines, []byte("\n MDTM")) || bytes.Contains(r.lines, []byte("\n EPSV")) ||
			bytes.Contains(r.lines, []byte("\n REST STREAM")) || bytes.Contains(r.lines, []byte("\n UTF8"))
	}
	return false
}

// saysFTP looks for the protocol's name in a text. In the name of a host it proves less: ftp.example.com.
func saysFTP(text []byte) Evidence {
	found := None
	for i := 0; i+3 <= len(text); i++ {
		switch {
		case !hasPrefixFold(text[i:], "ftp"):
		case i+4 < len(text) && text[i+3] == '.' && isLetter(text[i+4]):
			found = Likely
		default:
			return Certain
		}
	}
	return found
}

// isFTPGreeting knows the servers whose greeting has no "FTP" in it: BusyBox, FileZilla, Serv-U.
func isFTPGreeting(text []byte) bool {
	return string(text) == "Operation successful" || hasPrefix(text, "FileZilla Server") || hasPrefix(text, "Serv-U")
}
