package servers

import (
	"encoding/binary"
	"strings"

	"laserdisc/capture/lab/draw"
)

// otherProtocols are the rest: PPTP, SMB, IPMI, RTSP, SIP, BGP, SOCKS 5.
var otherProtocols = []*Protocol{
	{Name: "pptp", Label: "pptp", own: []Kind{PPTP}, options: Options{OnlyUsual: 0.671, OnlyOther: 0.00001}, reply: replyPPTP},
	{Name: "smb", Label: "smb", own: []Kind{SMB}, reply: replySMB},
	// What answers RMCP (IPMI 2.0, section 13.1) over TCP gives every probe back (paper, Figure 10).
	{Name: "ipmi", Label: "echo", own: []Kind{IPMI}, answers: Answers{TLS: 0.86, Newlines: 0.86, HTTP: 0.86}, reply: replyEcho},
	{Name: "rtsp", Label: "rtsp", own: []Kind{RTSP}, answers: Answers{HTTP: 0.5}, reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
		if k != RTSP {
			return append(b, "RTSP/1.0 400 Bad Request\r\n\r\n"...), ""
		}
		return append(b, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: "+pick(s, "Hipcam RealServer/V1.0", "Rtsp Server/2.0", "GStreamer RTSP server")+"\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"...), ""
	}},
	{Name: "sip", Label: "sip", own: []Kind{SIP}, reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k != SIP {
			return b, ""
		}
		b = append(b, pick(s, "SIP/2.0 200 OK\r\n", "SIP/2.0 404 Not Found\r\n", "SIP/2.0 401 Unauthorized\r\n")...)
		for line := range strings.Lines(string(said)) { // these go back as they came (RFC 3261, section 8.2.6.2)
			for _, name := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
				if strings.HasPrefix(line, name) {
					b = append(b, line...)
				}
			}
		}
		return append(b, "Server: "+pick(s, "Asterisk PBX 18.10.0", "FPBX-16.0.40(18.9)", "kamailio (5.6.3)")+"\r\nContent-Length: 0\r\n\r\n"...), ""
	}},
	{Name: "bgp", Label: "bgp", First: true, own: []Kind{BGP}, answers: Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1}, greet: greetBGP},
	{Name: "socks5", Label: "socks5", own: []Kind{SOCKS5}, reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
		if k != SOCKS5 {
			return b, ""
		}
		return append(b, 5, [...]byte{0, 2, 0xff}[s.Below(draw.ForVariant, 3)]), ""
	}},
}

// replyPPTP appends a Start-Control-Connection-Reply (RFC 2637, section 2.2), an error where the cookie is wrong.
func replyPPTP(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	if k != PPTP {
		return b, ""
	}
	m := make([]byte, 156)
	binary.BigEndian.PutUint16(m, 156)
	m[3] = 1
	binary.BigEndian.PutUint32(m[4:], 0x1a2b3c4d)
	m[9], m[12], m[14] = 2, 1, 1
	if badCookie(said) {
		m[14], m[15] = 2, 4
	}
	m[19], m[23], m[25] = 1, 1, 1
	copy(m[28:], pick(s, "local", "MikroTik", "draytek", "cananian"))
	copy(m[92:], pick(s, "linux", "MikroTik", "DrayTek", "cananian"))
	return append(b, m...), ""
}

// replySMB appends a response to the negotiation ([MS-SMB2] 2.2.4).
func replySMB(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	if k != SMB {
		return b, ""
	}
	m := make([]byte, 64+64)
	copy(m, "\xfeSMB")
	m[4], m[14], m[16] = 64, 1, 1 // header size, credits, flags: response
	r := m[64:]
	r[0], r[2] = 65, 1
	copy(r[4:], pick(s, "\x02\x02", "\x10\x02", "\x00\x03", "\x11\x03")) // dialect
	copy(r[8:], appendRandom(nil, s, 16))                                // server GUID
	r[24], r[30], r[34], r[38] = 7, 0x10, 0x10, 0x10
	r[56] = 0x80
	b = append(b, 0, 0, 0, byte(len(m)))
	return append(b, m...), ""
}

// greetBGP appends what a router says to a stranger: OPEN, or NOTIFICATION (cease, connection
// rejected) at once (RFC 4271, sections 4.2 and 4.5; RFC 4486).
func greetBGP(b []byte, s *Service) []byte {
	b = append(b, strings.Repeat("\xff", 16)...)
	if s.Unit(draw.ForVariant) < 0.7 {
		b = append(b, 0, 29, 1, 4, 0xfd, byte(s.Below(draw.ForDetail, 250)), 0, 180)
		address := s.At.Addr().As16()
		b = append(append(b, address[12:]...), 0)
		b = append(b, strings.Repeat("\xff", 16)...)
	}
	return append(b, 0, 21, 3, 6, 5)
}
