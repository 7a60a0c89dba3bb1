package servers

import "laserdisc/capture/lab/draw"

// telnetProtocols is Telnet (RFC 854). Most servers negotiate options before they prompt, some only prompt.
var telnetProtocols = []*Protocol{{
	Name: "telnet", Label: "telnet", First: true, own: []Kind{Telnet},
	answers: Answers{TLS: 0.98, Newlines: 0.97, HTTP: 0.97, Wait: 0.97},
	greet: func(b []byte, s *Service) []byte {
		const (
			linux    = "\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27" // DO terminal type, speed, X display, environment
			embedded = "\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03" // DO echo, window size; WILL echo, suppress go-ahead
			router   = "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18\xff\xfd\x1f"
		)
		if s.Unit(draw.ForText) < 0.28 { // it asks for options first, and for a login then (paper, section 4.1: 72 % say "login" or "user")
			return append(b, linux...)
		}
		return append(b, pick(s,
			embedded+"\r\n(none) login: ",
			router+"\r\nUser Access Verification\r\n\r\nUsername: ",
			embedded+"\r\nBCM96338 ADSL Router\r\nLogin: ",
			embedded+"\r\nPlease login: ",
			embedded+"\r\n\r\nWarning: Telnet is not a secure protocol.\r\n\r\nUsername:")...)
	},
	reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
		switch k {
		case Telnet:
			return append(b, "\xff\xfb\x03\r\nlogin: "...), ""
		case Newlines:
			return append(b, "\r\nlogin: "...), ""
		}
		return append(b, "\r\nPassword: \r\nLogin incorrect\r\n"...), ""
	},
}}
