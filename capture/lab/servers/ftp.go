package servers

import (
	"fmt"
	"strings"

	"laserdisc/capture/lab/draw"
)

// ftpProtocols is FTP (RFC 959).
var ftpProtocols = []*Protocol{{
	Name: "ftp", Label: "ftp", First: true, own: []Kind{FTP},
	answers: Answers{TLS: 0.97, Newlines: 0.99, HTTP: 0.99, Wait: 0.99},
	greet:   greetFTP, reply: replyFTP,
}}

func greetFTP(b []byte, s *Service) []byte {
	if s.Unit(draw.ForText) < 0.03 { // a greeting longer than one segment
		for i := range 40 {
			b = fmt.Appendf(b, "220-Line %d of the terms under which this FTP server may be used.\r\n", i+1)
		}
		return append(b, "220 FTP server ready.\r\n"...)
	}
	return append(b, pick(s,
		"220 (vsFTPd 3.0.3)\r\n",
		"220 ProFTPD Server (Debian) ["+s.At.Addr().String()+"]\r\n",
		"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user number 1 of 50 allowed.\r\n220 You will be disconnected after 15 minutes of inactivity.\r\n",
		"220 Microsoft FTP Service\r\n",
		"220-FileZilla Server 1.7.0\r\n220 Please visit https://filezilla-project.org/\r\n",
		"220 FTP server ready.\r\n")...)
}

func replyFTP(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	if k == FTP {
		return append(b, "331 Please specify the password.\r\n"...), ""
	}
	lines := max(1, min(strings.Count(string(said), "\n"), 3))
	return append(b, strings.Repeat(pick(s, "530 Please login with USER and PASS.\r\n", "500 Invalid command: try being more creative\r\n", "530 You aren't logged in\r\n", "500 Command not understood.\r\n"), lines)...), ""
}
