package servers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"laserdisc/capture/lab/draw"
)

// tlsProtocols is TLS (RFC 8446, RFC 5246), and what is served over it. Servers answer a ClientHello as far as a scan reads:
// their keys are made up, so that no handshake can be completed. Certificates are real ones, self-signed.
var tlsProtocols = []*Protocol{
	{Name: "tls", Label: "tls", own: []Kind{TLS}, answers: Answers{TLS: 1, Newlines: 0.04, HTTP: 0.41}, reply: replyTLS},
	{Name: "kubernetes", Label: "kubernetes", own: []Kind{TLS}, answers: Answers{TLS: 0.98, Newlines: 0.83, HTTP: 0.98}, reply: replyTLS},
}

// wantsTLS is what web servers say on their TLS port to a client that forgot TLS.
var wantsTLS = []string{
	"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: 248\r\nConnection: close\r\n\r\n<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n",
	"HTTP/1.1 400 Bad Request\r\nServer: Apache/2.4.57\r\nContent-Length: 226\r\nConnection: close\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<h1>Bad Request</h1>\n<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS scheme to access this URL, please.<br />\n</p>\n</body></html>\n",
	"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
}

// offers13 is what a list of versions has in which TLS 1.3 comes before 1.2 (RFC 8446, section 4.2.1).
var offers13 = []byte{3, 4, 3, 3}

func replyTLS(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
	kubernetes := s.Protocol.Name == "kubernetes"
	switch x := s.Unit(draw.ForVariant); {
	case k == HTTP && kubernetes:
		return append(b, wantsTLS[2]...), "tls"
	case k == HTTP && x < 0.7:
		return append(b, wantsTLS[s.Below(draw.ForDetail, len(wantsTLS))]...), "tls"
	case k != TLS: // a fatal alert: unexpected_message or protocol_version
		return append(b, 0x15, 3, 3, 0, 2, 2, [...]byte{10, 70}[s.Below(draw.ForDetail, 2)]), "tls"
	case x < 0.02: // no virtual host without a name, or no cipher in common
		return append(b, 0x15, 3, 3, 0, 2, 2, [...]byte{112, 40}[s.Below(draw.ForDetail, 2)]), "tls"
	case x < 0.4 && !kubernetes && bytes.Contains(said, offers13) && len(said) > 43:
		return appendServerHello13(b, s, said), ""
	}
	return appendFlight12(b, s), ""
}

// appendServerHello13 appends the server's first flight of TLS 1.3: hello, change of cipher, and
// records that nobody can read.
func appendServerHello13(b []byte, s *Service, said []byte) []byte {
	hello := appendRandom([]byte{3, 3}, s, 32)
	session := said[44:min(len(said), 44+min(int(said[43]), 32))]
	hello = append(append(hello, byte(len(session))), session...)
	hello = append(hello, 0x13, 0x01, 0, 0, 46, 0, 0x2b, 0, 2, 3, 4, 0, 0x33, 0, 0x24, 0, 0x1d, 0, 0x20)
	hello = appendRandom(hello, s, 32)
	b = appendRecord(b, 0x16, appendMessage(nil, 2, hello))
	b = appendRecord(b, 0x14, []byte{1})
	b = appendRecord(b, 0x17, appendRandom(nil, s, 23))
	b = appendRecord(b, 0x17, appendRandom(nil, s, 700+s.Below(draw.ForDetail, 1500)))
	return appendRecord(b, 0x17, appendRandom(nil, s, 69))
}

// appendFlight12 appends that of TLS 1.2: hello, certificate, key exchange, done.
func appendFlight12(b []byte, s *Service) []byte {
	hello := appendRandom([]byte{3, 3}, s, 32)
	hello = append(hello, 0, 0xc0, 0x2b, 0, 0, 9, 0xff, 1, 0, 1, 0, 0, 0x17, 0, 0)
	certificate := s.certificate()
	list := appendLength24(appendLength24(nil, len(certificate)+3), len(certificate))
	list = append(list, certificate...)
	exchange := appendRandom([]byte{3, 0, 0x1d, 0x20}, s, 32) // X25519
	exchange = appendRandom(append(exchange, 8, 7, 0, 64), s, 64)
	b = appendRecord(b, 0x16, appendMessage(nil, 2, hello))
	b = appendRecord(b, 0x16, appendMessage(nil, 11, list))
	b = appendRecord(b, 0x16, appendMessage(nil, 12, exchange))
	return appendRecord(b, 0x16, appendMessage(nil, 14, nil))
}

func appendRecord(b []byte, kind byte, body []byte) []byte {
	b = append(b, kind, 3, 3)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

func appendMessage(b []byte, kind byte, body []byte) []byte {
	return append(appendLength24(append(b, kind), len(body)), body...)
}

func appendLength24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

// makers make devices whose certificates name them.
var makers = []string{"HUAWEI TECHNOLOGIES CO., LTD", "Mikrotik SIA", "Ubiquiti Networks Inc.", "TP-Link Technologies", "Hikvision", "D-Link Corporation", "Fortinet", "ZTE Corporation"}

// Certificates are those of one network that were made lately: to make one takes as long as a thousand answers. The map must be
// made before a service answers.
type Certificates map[certificateID][]byte

// mostCertificates bounds how many of them are kept.
const mostCertificates = 1 << 16

// certificateID is all that a certificate depends on.
type certificateID struct {
	key                uint64
	device, kubernetes bool
}

// knownKey is the private key that RFC 8410 prints in section 10.3.
var knownKey = ed25519.NewKeyFromSeed([]byte("\xd4\xee\x72\xdb\xf9\x13\x58\x4a\xd5\xb6\xd8\xf1\xf7\x69\xf8\xad" +
	"\x3a\xfe\x7c\x28\xcb\xf1\xd4\xfb\xe0\x97\xa8\x8f\x44\x75\x58\x42"))

// certificate is the service's, of a server or of a device.
func (s *Service) certificate() []byte {
	id := certificateID{s.keyOf(), s.isDevices(), s.Protocol.Name == "kubernetes"}
	if der, ok := s.Certificates[id]; ok {
		return der
	}
	if len(s.Certificates) == mostCertificates {
		clear(s.Certificates)
	}
	der := id.make(s.Key)
	s.Certificates[id] = der
	return der
}

// make makes a certificate.
func (id certificateID) make(key draw.Key) []byte {
	d := draw.Source{Key: key, This: id.key}
	private := knownKey
	if id.key != sharedKeys {
		var seed [ed25519.SeedSize]byte
		for i := range 4 {
			binary.LittleEndian.PutUint64(seed[8*i:], d.Bits(uint64(i)))
		}
		private = ed25519.NewKeyFromSeed(seed[:])
	}
	start := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, d.Below(draw.ForPort, 60), 0)
	name := fmt.Sprintf("h%d.example.net", d.Bits(draw.ForText)>>32)
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(d.Bits(draw.ForISN) >> 1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    start,
		NotAfter:     start.AddDate(1, 0, 0),
		DNSNames:     []string{name},
	}
	switch {
	case id.kubernetes:
		t.Subject = pkix.Name{CommonName: "kube-apiserver"}
		t.DNSNames = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	case id.device:
		t.Subject = pkix.Name{CommonName: "192.168.1.1", Organization: []string{makers[d.Below(draw.ForDetail, len(makers))]}}
		t.DNSNames, t.NotAfter = nil, start.AddDate(20, 0, 0)
	}
	der, err := x509.CreateCertificate(nil, t, t, private.Public(), private)
	if err != nil {
		panic(err) // the template is ours
	}
	return der
}
