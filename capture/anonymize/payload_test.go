package anonymize

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"laserdisc/capture/handshake"
)

var own = []netip.Addr{
	netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1"),
	netip.MustParseAddr("2001:db8:7::5"), netip.MustParseAddr("2001:db8::1"),
}

// What is said, what has become of it with the sample key, and so what has not changed.
var said = []struct{ was, is string }{
	// Addresses: each number has as many digits, in headers and names, forwards and backwards.
	{
		"220 [198.51.100.7] ready",
		"220 [197.25.126.8] ready",
	},
	{
		"250-mx.example.org Hello client [192.0.2.1], pleased to meet you\r\n",
		"250-fs.ybzvtwb.org Hello client [191.7.5.2], pleased to meet you\r\n",
	},
	{
		"227 Entering Passive Mode (198,51,100,7,195,149).\r\n",
		"227 Entering Passive Mode (197,25,126,8,252,253).\r\n",
	},
	{"229 Entering Extended Passive Mode (|||6446|)\r\n", "229 Entering Extended Passive Mode (|||6446|)\r\n"},
	{
		"GET / HTTP/1.1\r\nHost: 198.51.100.7:8080\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 197.25.126.8:8080\r\n\r\n",
	},
	{
		"Location: https://[2001:db8:7::5]:8443/a?b=c::d\r\n",
		"Location: https://[2fc9:a0d:7::b]:8443/a?b=a::b\r\n",
	},
	{
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK00;received=192.0.2.1;rport=61000\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK00;received=191.7.5.2;rport=61000\r\n",
	},
	{
		"host-198-51-100-7.dyn.isp.example.net, 7.100.51.198.in-addr.arpa",
		"gudv-049-53-960-3.tne.png.iavpkkd.net, 3.534.39.529.op-nzlo.arpa",
	},
	{"listening on 0.0.0.0:80 and ::1, :: and 127.0.0.1", "listening on 0.0.0.0:80 and ::1, :: and 127.0.0.1"},
	{
		"zeros 198.051.100.007, again 198.51.100.7 and 198.51.100.8",
		"zeros 197.038.252.008, again 197.25.126.8 and 197.25.126.9",
	},
	{
		"1198.51.100.72 and x198.51.100.7y",
		"1197.25.126.82 and x197.25.126.8y",
	},
	{
		"c6336407 C6336407 \xc6\x33\x64\x07 \x07\x64\x33\xc6 \x20\x01\x0d\xb8\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05",
		"f9128bf7 F9128BF7 \xf9\x12\x8b\xf7 \xf7\x8b\x12\xf9 D\x01\x02\xbc`9\x03\xe3\x9e\x00\x9e\x01\xe0\x0e\xe2\xea",
	},
	{
		"fe80::1ff:fe23:4567:890a, FE80::1FF:FE23:4567:890A",
		"1e48::6b1:fbda:576f:6c4e, 1E48::6B1:FBDA:576f:6C4E",
	},
	// Not addresses.
	{"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 18:33:38 GMT\r\n", "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 18:33:38 GMT\r\n"},
	{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"},
	{"uuid:00:11:22:33:44:55 at 12:34:56 std::map", "uuid:00:11:22:33:44:55 at 12:34:56 std::map"},
	{"2026-11-22-04 300.1.2.3 1.2.3", "2026-11-22-04 300.1.2.3 1.2.3"},
	{"curve25519-sha256@libssh.org,chacha20-poly1305@openssh.com", "curve25519-sha256@libssh.org,chacha20-poly1305@openssh.com"},
	// Names.
	{
		"220 mail.example.co.uk ESMTP Postfix\r\n250-MAIL.example.co.uk\r\n",
		"220 pcyy.nmcimjj.co.uk ESMTP Postfix\r\n250-PCYY.nmcimjj.co.uk\r\n",
	},
	{
		"220 mailhost ESMTP Sendmail\r\n250-mailhost Hello\r\n",
		"220 ohhavswp ESMTP Sendmail\r\n250-ohhavswp Hello\r\n",
	},
	{"220 ESMTP ready\r\n", "220 ESMTP ready\r\n"},
	{
		"\xff\xfd\x18Debian GNU/Linux 12\r\nrouter7 login: ",
		"\xff\xfd\x18Debian GNU/Linux 12\r\nypzuns1 login: ",
	},
	{
		"jane.doe+x@dept.example.edu and index.html, kubernetes.default",
		"blib.mko+d@knjf.cbkjlej.edu and index.html, kubernetes.default",
	},
	{
		"db1.corp.local srv.fritz.box ec2-198-51-100-7.compute-1.amazonaws.com",
		"sw8.yrlc.local taw.gsnpa.box va6-307-04-400-4.gwajeul-0.iugpwumli.com",
	},
}

func TestPayload(t *testing.T) {
	k := sample(t)
	for i, c := range said {
		got := []byte(c.was)
		k.Payload(got, own...)
		if string(got) != c.is {
			t.Errorf("%d: %q\nbecomes %q,\nnot     %q", i, c.was, got, c.is)
		}
		if len(got) != len(c.was) || left(got, own...) != "" {
			t.Errorf("%d: %q still has %s", i, got, left(got, own...))
		}
	}
}

// left names an address that is in b, as text, in hexadecimal or in binary.
func left(b []byte, addrs ...netip.Addr) string {
	for _, a := range addrs {
		binary := a.AsSlice()
		if bytes.Contains(b, binary) {
			return a.String() + " in binary"
		}
		text := strings.ToLower(string(b))
		if regexp.MustCompile(regexp.QuoteMeta(a.String())).MatchString(text) {
			return a.String()
		}
		if strings.Contains(text, hex.EncodeToString(binary)) {
			return a.String() + " in hexadecimal"
		}
	}
	return ""
}

// Names and addresses in a certificate are replaced, whatever their length, and it can still be parsed.
func TestCertificate(t *testing.T) {
	k := sample(t)
	for _, name := range []string{"a.example.org", strings.Repeat("a", 36) + ".example.org", strings.Repeat("b", 60) + ".example.org"} { // of 13, 48 ('0') and 72 ('H') bytes
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Example GmbH"}},
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), DNSNames: []string{name, "*." + name},
			IPAddresses:    []net.IP{net.IPv4(198, 51, 100, 7).To4(), net.IPv4(203, 0, 113, 9).To4(), net.ParseIP("2001:db8:9::9")},
			EmailAddresses: []string{"root@" + name},
		}, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}}, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		k.Payload(der, own...)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := append(append([]string{c.Subject.CommonName, c.Issuer.CommonName}, c.DNSNames...), c.EmailAddresses...)
		for _, s := range all {
			if strings.Contains(s, strings.TrimSuffix(name, "org")) || !strings.HasSuffix(s, ".org") {
				t.Errorf("%s is in %q", name, all)
			}
		}
		if c.DNSNames[0] != c.Subject.CommonName || c.DNSNames[1] != "*."+c.DNSNames[0] || c.Subject.Organization[0] != "Example GmbH" {
			t.Errorf("%q, of %q", all, c.Subject.Organization)
		}
		for i, was := range []string{"198.51.100.7", "203.0.113.9", "2001:db8:9::9"} {
			if want := k.Addr(netip.MustParseAddr(was)); c.IPAddresses[i].String() != want.String() {
				t.Errorf("%s has become %v, not %v", was, c.IPAddresses[i], want)
			}
		}
	}
}

// Anonymized, the scanner's hellos are those of an address of the same form, and still known by their names.
func TestHellos(t *testing.T) {
	k := sample(t)
	for _, text := range []string{"198.51.100.7:80", "[2001:db8:7::5]:80", "10.0.0.1:65535"} {
		to := netip.MustParseAddrPort(text)
		for _, p := range handshake.Table() {
			if p.Hello == nil {
				continue
			}
			hello := p.Hello(nil, to, 0x1234567890abcdef)
			want := handshake.Said(hello, to)
			k.Payload(hello, to.Addr(), netip.MustParseAddr("192.0.2.1"))
			if got := handshake.Said(hello, k.AddrPort(to)); got != want {
				t.Errorf("the hello of %s to %v is taken for %s's, not %s's: %q", p.Name, to, got.Name, want.Name, hello)
			}
			if where := left(hello, to.Addr()); where != "" {
				t.Errorf("the hello of %s has %s: %q", p.Name, where, hello)
			}
		}
	}
}

// In DNS, names have no dots, and addresses are those of anybody. A name is replaced as it is in text.
func TestDNS(t *testing.T) {
	k := sample(t)
	name := dnsmessage.MustNewName("www.dept.example.org.")
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET}},
		Answers: []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{203, 0, 113, 9}}},
			{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8:9::9").As16()}},
			{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.MXResource{MX: dnsmessage.MustNewName("mail.dept.example.org.")}},
			{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.TXTResource{TXT: []string{"host mail.dept.example.org"}}},
		},
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	stream := append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...)
	stream = append(stream, stream...) // two messages
	k.Payload(stream, own...)
	for _, b := range [][]byte{stream[2 : 2+len(packed)], stream[4+len(packed):]} {
		var got dnsmessage.Message
		if err := got.Unpack(b); err != nil {
			t.Fatal(err)
		}
		text := []byte("www.dept.example.org and mail.dept.example.org")
		k.Payload(text)
		www, mail, _ := strings.Cut(string(text), " and ")
		if got.Questions[0].Name.String() != www+"." || got.Answers[2].Body.(*dnsmessage.MXResource).MX.String() != mail+"." ||
			got.Answers[3].Body.(*dnsmessage.TXTResource).TXT[0] != "host "+mail || strings.Contains(string(b), "dept") {
			t.Errorf("%v; as text %s", got.GoString(), text)
		}
		if a := got.Answers[0].Body.(*dnsmessage.AResource).A; netip.AddrFrom4(a) != k.Addr(netip.MustParseAddr("203.0.113.9")) {
			t.Errorf("203.0.113.9 has become %v", a)
		}
		if a := got.Answers[1].Body.(*dnsmessage.AAAAResource).AAAA; netip.AddrFrom16(a) != k.Addr(netip.MustParseAddr("2001:db8:9::9")) {
			t.Errorf("2001:db8:9::9 has become %v", a)
		}
	}
}

// FuzzPayload: whatever is said, its length stays, no own address is left, and labels of what is real do.
func FuzzPayload(f *testing.F) {
	for _, c := range said {
		f.Add([]byte(c.was))
	}
	f.Add(append(bytes.Clone(subjectAltName), 0x04, 8, 0x30, 6, 0x87, 4, 203, 0, 113, 9))
	f.Add([]byte("\x00\x30\x00\x00\x85\x00\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x05fleet\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00<\x00\x04\xc6\x12\x01\n"))
	f.Add(append(bytes.Clone(subjectAltName), 0x01, 0x01, 0xff, 0x04, 0x82, 0xff))
	k, err := NewKey(sampleKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, again := bytes.Clone(b), bytes.Clone(b)
		k.Payload(b, own[0])
		k.Payload(again, own[0])
		if len(b) != len(before) || !bytes.Equal(b, again) {
			t.Errorf("%q becomes %q, and %q", before, b, again)
		}
		if len(before) < 3 && !bytes.Equal(b, before) {
			t.Errorf("%q, which has no room for a name, becomes %q", before, b)
		}
	})
}
