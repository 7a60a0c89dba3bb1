package handshake

import "bytes"

var telnet = Protocol{
	Name:        "telnet",
	ServerFirst: true,
	Ports:       []uint16{23},
	Spec:        "RFC 854, RFC 855",
	Version:     1,
	First:       "nothing",
	Signature:   "IAC and WILL, WONT, DO or DONT with a registered option, first or after text; weak: text that ends in a login prompt",
	Match:       matchTelnet,
	Details:     telnetDetails,
}

const (
	iac  = 255
	will = 251
	dont = 254
)

// matchTelnet looks for option negotiation, RFC 855: IAC, a verb, an option. Two of them are certain; one is likely, if text
// follows. Text may precede them; it is the virtual terminal's, RFC 854, so that IAC cannot occur in it otherwise.
func matchTelnet(data []byte) Match {
	at := bytes.IndexByte(data, iac)
	if at < 0 {
		return matchPrompt(data)
	}
	if !isText(data[:at]) {
		return Match{}
	}
	count := 0
	for at+3 <= len(data) && isNegotiation(data[at:]) {
		at += 3
		count++
	}
	switch {
	case count == 0:
		return Match{}
	case count > 1:
		return certain(at)
	case at == len(data):
		return weak(at)
	case isScreen(data[at:min(len(data), at+16)]):
		return likely(at)
	}
	return Match{}
}

// isNegotiation wants IAC and a verb of 251 to 254; the options that are assigned are 0 to 49 and 138 to 140 (RFC 2941
// onwards), and 255.
func isNegotiation(b []byte) bool {
	option := b[2]
	return b[0] == iac && b[1] >= will && b[1] <= dont && (option < 50 || option >= 138 && option <= 140)
}

// isScreen tells whether b is text in ASCII, the terminal's code before anything else is negotiated.
func isScreen(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return isText(b)
}

// matchPrompt recognises a text whose last line asks who is there. Any console on a socket may do that.
func matchPrompt(data []byte) Match {
	if line, _, ended := cutLine(data); ended && bytes.Contains(line, telnetd) {
		return weak(len(line))
	}
	tail := bytes.TrimRight(data[max(0, len(data)-64):], " ")
	if len(tail) == 0 || tail[len(tail)-1] != ':' || !isText(data) {
		return Match{}
	}
	tail = tail[bytes.LastIndexByte(tail, '\n')+1:]
	for _, prompt := range prompts {
		if n := len(tail) - len(prompt); n >= 0 && hasPrefixFold(tail[n:], prompt) {
			return weak(len(data))
		}
	}
	return Match{}
}

// telnetd is in the complaint of a server that inetd could not start; it goes to the client.
var telnetd = []byte("telnetd")

var prompts = []string{"login:", "username:", "user name:", "password:"}

// telnetDetails gives the text of the screen.
func telnetDetails(data []byte) []Detail {
	var text []byte
	for len(data) > 0 {
		if len(data) >= 3 && isNegotiation(data) {
			data = data[3:]
			continue
		}
		text = append(text, data[0])
		data = data[1:]
	}
	return details("banner", show(text))
}
