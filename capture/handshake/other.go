package handshake

import (
	"bytes"
	"encoding/binary"
)

// Other stands for what somebody else's client said that is no Hello of the table's, and for a connection of which nobody
// knows what it said.
var Other = &Protocol{Name: "other", First: "what another client said"}

// OtherOf is Other with Answer, the protocol that a client's bytes show; Other itself where that is "".
func OtherOf(name string) *Protocol {
	if name == "" {
		return Other
	}
	if p, ok := others[name]; ok {
		return p
	}
	p := *Other
	p.Answer = name
	return &p
}

// others holds an Other for each protocol that can be shown.
var others = makeOthers()

func makeOthers() map[string]*Protocol {
	by := make(map[string]*Protocol, len(shown))
	for _, s := range shown {
		p := *Other
		p.Answer = s.name
		by[s.name] = &p
	}
	return by
}

// shows names the protocol that a client's first bytes show; "" if they show none of the table's.
func shows(said []byte) string {
	for _, s := range shown {
		if s.begins(said) {
			return s.name
		}
	}
	return ""
}

// shown tells protocols by what their clients say first, be it a whole message or only its beginning.
var shown = []struct {
	name   string
	begins func(said []byte) bool
}{
	{"ssh", prefixes("SSH-2.0-", "SSH-1.")}, // RFC 4253, section 4.2
	{"rtsp", requestOf(" RTSP/1.")},         // RFC 2326, section 6.1
	{"sip", requestOf(" SIP/2.0")},          // RFC 3261, section 7.1
	{"http", func(said []byte) bool { // RFC 9112, section 3; RFC 9113, section 3.4
		return requestOf(" HTTP/1.")(said) || bytes.HasPrefix(said, []byte("PRI * HTTP/2.0"))
	}},
	{"tls", func(said []byte) bool { // an SSLv2 ClientHello: RFC 5246, appendix E.2
		return len(said) > 5 && said[0]&0x80 != 0 && said[2] == 1 && (said[3] == 3 || said[3] == 0 && said[4] == 2) &&
			int(binary.BigEndian.Uint16(said)&0x7fff) == len(said)-2
	}},
	{"smb", func(said []byte) bool { // MS-SMB2, section 2.1: four bytes of length, then 0xFE or 0xFF "SMB"
		return len(said) > 8 && said[0] == 0 && (said[4] == 0xfe || said[4] == 0xff) && string(said[5:8]) == "SMB"
	}},
	{"siemens", func(said []byte) bool { // a connection request with selectors: RFC 905, section 13.3.4
		return connectionRequest(said) && len(said) > 11 && said[11] >= 0xc0 && said[11] <= 0xc2
	}},
	{"rdp", func(said []byte) bool { // MS-RDPBCGR, section 2.2.1.1: a cookie, a negotiation request, or nothing
		return connectionRequest(said) && (len(said) == 11 || said[11] == 'C' || said[11] == 1)
	}},
	{"smtp", prefixes("EHLO ", "HELO ", "ehlo ", "helo ")}, // RFC 5321, section 4.1.1.1
	{"mqtt", func(said []byte) bool { // OASIS MQTT 5.0, section 3.1: a length of one to four bytes, then the name
		return len(said) > 10 && said[0] == 0x10 &&
			(bytes.Contains(said[:12], []byte("\x00\x04MQTT")) || bytes.Contains(said[:min(14, len(said))], []byte("\x00\x06MQIsdp")))
	}},
	{"redis", func(said []byte) bool { // an array of strings, as Redis' protocol has commands
		return len(said) > 4 && said[0] == '*' && said[1] >= '1' && said[1] <= '9' && bytes.Contains(said[:min(10, len(said))], []byte("\r\n$"))
	}},
	{"postgres", func(said []byte) bool { // PostgreSQL 16, section 55.7, StartupMessage and SSLRequest
		return len(said) >= 8 && int(binary.BigEndian.Uint32(said)) == len(said) &&
			(binary.BigEndian.Uint32(said[4:]) == 3<<16 || len(said) == 8 && binary.BigEndian.Uint32(said[4:]) == 1234<<16|5679)
	}},
	{"mssql", func(said []byte) bool { // MS-TDS, section 2.2.6.5: PRELOGIN
		return len(said) > 8 && said[0] == 0x12 && said[1] == 1 && int(binary.BigEndian.Uint16(said[2:])) == len(said)
	}},
	{"mongodb", func(said []byte) bool { // MongoDB wire protocol: the message's length, and OP_QUERY or OP_MSG
		return len(said) > 16 && int(binary.LittleEndian.Uint32(said)) == len(said) &&
			(binary.LittleEndian.Uint32(said[12:]) == 2004 || binary.LittleEndian.Uint32(said[12:]) == 2013)
	}},
	{"amqp", prefixes("AMQP")},    // OASIS AMQP 1.0, section 2.2
	{"vnc", prefixes("RFB 003.")}, // RFC 6143, section 7.1.1
	{"socks5", func(said []byte) bool { // RFC 1928, section 3
		return len(said) > 2 && said[0] == 5 && int(said[1]) == len(said)-2
	}},
	{"bgp", func(said []byte) bool { // RFC 4271, section 4.1
		return len(said) > 18 && bytes.Count(said[:16], []byte{0xff}) == 16 && said[18] == 1
	}},
	{"dns", func(said []byte) bool { // RFC 1035, sections 4.1.1 and 4.2.2: one question, no answer
		return len(said) > 16 && int(binary.BigEndian.Uint16(said)) == len(said)-2 && said[4]&0x80 == 0 && string(said[6:10]) == "\x00\x01\x00\x00"
	}},
	{"memcached", prefixes("stats\r\n", "version\r\n")},
	{"telnet", func(said []byte) bool { // RFC 854: an option is negotiated
		return len(said) > 2 && said[0] == 0xff && said[1] >= 0xfb && said[1] <= 0xfe
	}},
	{"x11", prefixes("l\x00\x0b\x00", "B\x00\x00\x0b")}, // X11, section 8
}

func prefixes(list ...string) func([]byte) bool {
	return func(said []byte) bool {
		for _, p := range list {
			if bytes.HasPrefix(said, []byte(p)) {
				return true
			}
		}
		return false
	}
}

// requestOf tells a request line by the version at its end, after a method and a target.
func requestOf(version string) func([]byte) bool {
	return func(said []byte) bool {
		line, _, _ := bytes.Cut(said, []byte("\n"))
		method, rest, _ := bytes.Cut(line, []byte(" "))
		for _, c := range method {
			if c < 'A' || c > 'Z' {
				return false
			}
		}
		return len(method) > 2 && bytes.Contains(rest, []byte(version))
	}
}

// connectionRequest tells an ISO transport connection request (RFC 1006, section 6; RFC 905, section 13.3).
func connectionRequest(said []byte) bool {
	return len(said) >= 11 && said[0] == 3 && said[1] == 0 && int(binary.BigEndian.Uint16(said[2:])) == len(said) && said[5] == 0xe0
}
