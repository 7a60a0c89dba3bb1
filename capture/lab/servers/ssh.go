package servers

import (
	"encoding/binary"
	"strings"

	"laserdisc/capture/lab/draw"
)

// sshProtocols is SSH (RFC 4253): an identification line, which some servers let the binary KEXINIT follow at once.
var sshProtocols = []*Protocol{{
	Name: "ssh", Label: "ssh", First: true, own: []Kind{SSH},
	answers: Answers{TLS: 0.93, Newlines: 0.96, HTTP: 0.96, Wait: 0.98},
	greet:   greetSSH, reply: replySSH,
}}

// sshBanners begin with those of devices.
var sshBanners = []string{
	"SSH-2.0-dropbear_2020.81", "SSH-2.0-dropbear_2014.63", "SSH-2.0-Cisco-1.25", "SSH-2.0-HUAWEI-1.5", "SSH-2.0-ROSSSH",
	"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2", "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6", "SSH-2.0-OpenSSH_7.4",
	"SSH-2.0-OpenSSH_8.0", "SSH-2.0-OpenSSH_for_Windows_8.1", "SSH-1.99-OpenSSH_3.9p1", "SSH-2.0-mod_sftp",
}

const sshDevices = 5 // of them

func (s *Service) sshBanner() string {
	return *choose(s, draw.ForSoftware, s.Content.DeviceSSH, sshBanners, sshDevices)
}

func greetSSH(b []byte, s *Service) []byte {
	banner := s.sshBanner()
	if s.Unit(draw.ForText) < 0.02 { // other lines may come first (section 4.2)
		b = append(b, "This system is for authorised use only.\r\nAll activity is logged.\r\n"...)
	}
	b = append(append(b, banner...), "\r\n"...)
	if strings.Contains(banner, "dropbear") || strings.Contains(banner, "Cisco") {
		b = appendKEXINIT(b, s)
	}
	return b
}

func replySSH(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
	switch banner := s.sshBanner(); {
	case k == SSH && !strings.Contains(banner, "dropbear") && !strings.Contains(banner, "Cisco"):
		return appendKEXINIT(b, s), ""
	case k != SSH && strings.Contains(banner, "OpenSSH_9"):
		return append(b, "Invalid SSH identification string.\r\n"...), ""
	case k != SSH && strings.Contains(banner, "OpenSSH"):
		return append(b, "Protocol mismatch.\r\n"...), ""
	}
	return b, ""
}

// appendKEXINIT appends a key exchange packet (RFC 4253, sections 6 and 7.1).
func appendKEXINIT(b []byte, s *Service) []byte {
	lists := [10]string{
		"curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256", "ssh-ed25519,rsa-sha2-256",
		"chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr", "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
		"hmac-sha2-256", "hmac-sha2-256", "none", "none", "", "",
	}
	payload := appendRandom([]byte{20}, s, 16)
	for _, l := range lists {
		payload = append(binary.BigEndian.AppendUint32(payload, uint32(len(l))), l...)
	}
	payload = append(payload, 0, 0, 0, 0, 0)
	padding := 8 - (5+len(payload))%8
	if padding < 4 {
		padding += 8
	}
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(payload)+padding))
	b = append(append(b, byte(padding)), payload...)
	return append(b, make([]byte, padding)...)
}

// appendRandom appends n bytes that are the service's own, others at another place in b.
func appendRandom(b []byte, s *Service, n int) []byte {
	for i := 0; i < n; i += 8 {
		b = binary.LittleEndian.AppendUint64(b, s.Bits(uint64(draw.ForDetail)<<32|uint64(len(b))))
	}
	return b[:len(b)-(8-n%8)%8]
}
