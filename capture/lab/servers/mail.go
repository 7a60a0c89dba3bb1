package servers

import (
	"fmt"
	"strings"

	"laserdisc/capture/lab/draw"
)

// mailProtocols are SMTP (RFC 5321), POP3 (RFC 1939), IMAP (RFC 9051). In all of them the server speaks first.
var mailProtocols = []*Protocol{
	{
		Name: "smtp", Label: "smtp", First: true, own: []Kind{SMTP},
		answers: Answers{TLS: 0.99, Newlines: 1, HTTP: 1, Wait: 0.79},
		greet:   greetSMTP, reply: replySMTP,
	},
	{
		Name: "pop3", Label: "pop3", First: true, own: []Kind{POP3},
		answers: Answers{TLS: 1, Newlines: 1, HTTP: 0.99, Wait: 0.99},
		greet: func(b []byte, s *Service) []byte {
			return append(b, pick(s, "+OK Dovecot ready.\r\n", "+OK POP3 server ready <1896.697170952@"+s.hostName()+">\r\n", "+OK Microsoft Exchange POP3 service is ready.\r\n")...)
		},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k == POP3 {
				return append(b, "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nSTLS\r\nUSER\r\n.\r\n"...), ""
			}
			return append(b, pick(s, "-ERR Unknown command.\r\n", "-ERR unrecognized command\r\n", "-ERR Protocol error. 14\r\n")...), ""
		},
	},
	{
		Name: "imap", Label: "imap", First: true, own: []Kind{IMAP},
		answers: Answers{TLS: 1, Newlines: 0.99, HTTP: 0.99, Wait: 1},
		greet: func(b []byte, s *Service) []byte {
			return append(b, pick(s, "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN] Dovecot (Debian) ready.\r\n",
				"* OK The Microsoft Exchange IMAP4 service is ready.\r\n", "* OK [CAPABILITY IMAP4rev1 UIDPLUS] Courier-IMAP ready.\r\n")...)
		},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k == IMAP {
				return append(b, "* CAPABILITY IMAP4rev1 IDLE\r\na1 OK done\r\n"...), ""
			}
			return append(b, "* BAD Error in IMAP command received by server.\r\n"...), ""
		},
	},
}

func greetSMTP(b []byte, s *Service) []byte {
	name := s.hostName()
	return append(b, pick(s,
		"220 mail."+name+" ESMTP Postfix (Debian/GNU)\r\n",
		"220 "+name+" ESMTP Exim 4.96 ready\r\n",
		"220 mx."+name+" Microsoft ESMTP MAIL Service ready\r\n",
		"220-"+name+" ESMTP Sendmail 8.17.1\r\n220-We do not accept unsolicited mail.\r\n220 Ready\r\n",
		"220 "+name+" SMTP service ready\r\n")...)
}

func replySMTP(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	switch k {
	case SMTP:
		return fmt.Appendf(b, "250-%s\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 8BITMIME\r\n", s.hostName()), ""
	case HTTP:
		return append(b, pick(s, "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n", "500 5.5.1 Unrecognized command\r\n", "500 5.3.3 Unrecognized command\r\n")...), ""
	}
	lines := max(1, min(strings.Count(string(said), "\n"), 3))
	return append(b, strings.Repeat("500 5.5.2 Error: command not recognized\r\n", lines)...), ""
}

// pick returns one of the variants, by the service's own draw.
func pick(s *Service, variants ...string) string {
	return variants[s.Below(draw.ForVariant, len(variants))]
}

// hostName is a name for the host, in a domain that is reserved for it (RFC 2606).
func (s *Service) hostName() string {
	return "h" + strings.NewReplacer(".", "-", ":", "-").Replace(s.At.Addr().String()) + ".example.net"
}
