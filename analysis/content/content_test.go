package content

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/handshake"
)

// selfSigned makes a server's certificate.
func selfSigned(t testing.TB, key crypto.Signer, subject pkix.Name) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, der}, PrivateKey: key}
}

// flight is what Go's TLS server says to our hello.
func flight(t testing.TB, name string, config *tls.Config) []byte {
	t.Helper()
	hello, ok := handshake.Lookup(name)
	if !ok {
		t.Fatalf("there is no handshake %s", name)
	}
	client, server := net.Pipe()
	go func() {
		_ = tls.Server(server, config).Handshake()
		_ = server.Close()
	}()
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := client.Write(hello.Hello(nil, netip.MustParseAddrPort("192.0.2.1:443"), 1)); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 1<<16)
	n, err := io.ReadAtLeast(client, said, 1)
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	return said[:n]
}

// A TLS server that is not ours shows what crypto/x509 finds in its certificate, and every shorter response is cut.
func TestReadCertificate(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key     crypto.Signer
		subject pkix.Name
		maker   string
	}{
		{p256, pkix.Name{CommonName: "FGT60D", Organization: []string{"Fortinet"}, OrganizationalUnit: []string{"FortiGate"}}, "Fortinet"},
		{rsa2048, pkix.Name{CommonName: "192.168.1.1", Organization: []string{"HUAWEI TECHNOLOGIES CO., LTD"}}, "Huawei"},
		{ed, pkix.Name{CommonName: "UBNT-68:72:51:00:00:00"}, "Ubiquiti"},
		{ed, pkix.Name{CommonName: "www.exämple.net", Organization: []string{"ZTEC Bäckerei"}}, ""},
		{ed, pkix.Name{}, ""},
	} {
		pair := selfSigned(t, c.key, c.subject)
		want, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		said := flight(t, "tls12", &tls.Config{Certificates: []tls.Certificate{pair}})
		got, found := ReadCertificate(said)
		if found != Present || got.SPKI != sha256.Sum256(want.RawSubjectPublicKeyInfo) || got.Subject != got.Issuer ||
			got.Subject != (Name{want.Subject.CommonName, strings.Join(want.Subject.Organization, "")}) || got.Maker() != c.maker {
			t.Errorf("%v: %v, %+v, made by %q", want.Subject, found, got, got.Maker())
		}
		end := bytes.Index(said, pair.Certificate[0]) + len(pair.Certificate[0])
		for n := range said {
			want := Cut
			switch {
			case n >= end:
				want = Present
			case n == 0:
				want = Absent
			}
			if _, found := ReadCertificate(said[:n]); found != want {
				t.Fatalf("%v, %d bytes of %d: found is %d, want %d", c.subject, n, len(said), found, want)
			}
		}
	}
	pair := selfSigned(t, p256, pkix.Name{CommonName: "x"})
	if _, found := ReadCertificate(flight(t, "tls", &tls.Config{Certificates: []tls.Certificate{pair}})); found != Absent {
		t.Errorf("TLS 1.3: %d", found)
	}
	if _, found := ReadCertificate(flight(t, "tls12", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})); found != Absent {
		t.Errorf("alert: %d", found)
	}
}

// Devices show certificates that crypto/x509 refuses: here with a negative serial number, no version, no dates, and with an
// underscore in a PrintableString. Fragments of any size (RFC 5246, section 6.2.1) make no difference.
func TestCertificatesThatX509Refuses(t *testing.T) {
	name := tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, []byte{0x55, 4, 10}), tlv(0x13, []byte("ZTE_Corporation")))),
		tlv(0x31, tlv(0x30, tlv(6, []byte{0x55, 4, 3}), tlv(0x1e, []byte("\x00F\x006\x000\x009")))))
	key := tlv(0x30, tlv(0x30, tlv(6, []byte{0x2b, 0x65, 0x70})), tlv(3, make([]byte, 33)))
	der := tlv(0x30, tlv(0x30, tlv(2, []byte{0xff, 0}), tlv(0x30), name, tlv(0x30), name, key), tlv(0x30), tlv(3, []byte{0}))
	if _, err := x509.ParseCertificate(der); err == nil {
		t.Fatal("crypto/x509 takes it")
	}
	list := append(u24(len(der)+3), append(u24(len(der)), der...)...)
	messages := append(append([]byte{2}, append(u24(38), append([]byte{3, 3}, make([]byte, 36)...)...)...), append(append([]byte{11}, u24(len(list))...), list...)...)
	for size := 1; size <= len(messages); size++ {
		var said []byte
		for from := 0; from < len(messages); from += size {
			part := messages[from:min(len(messages), from+size)]
			said = append(append(said, 22, 3, 3, byte(len(part)>>8), byte(len(part))), part...)
		}
		got, found := ReadCertificate(said)
		if want := (Name{"F609", "ZTE_Corporation"}); found != Present || got.Subject != want || got.Issuer != want ||
			got.SPKI != sha256.Sum256(key) || got.Maker() != "ZTE" {
			t.Fatalf("fragments of %d: %d, %+v, made by %q", size, found, got, got.Maker())
		}
	}
}

func tlv(tag byte, values ...[]byte) []byte {
	value := bytes.Join(values, nil)
	switch {
	case len(value) < 128:
		return append([]byte{tag, byte(len(value))}, value...)
	case len(value) < 256:
		return append([]byte{tag, 0x81, byte(len(value))}, value...)
	}
	return append([]byte{tag, 0x82, byte(len(value) >> 8), byte(len(value))}, value...)
}

func u24(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }

func TestReadPage(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nServer: Linux/3.4 UPnP/1.0 thing/1\r\n"
	for _, c := range []struct {
		name      string
		response  string
		truncated bool
		want      Page
	}{
		{"a password", head + "\r\n<title>\n Sign  in </title><form><INPUT\nTYPE=Password></form>", false, Page{"Linux/3.4 UPnP/1.0 thing/1", "Sign in", Present}},
		{"a user name", "HTTP/1.0 401 No\n\n<input name=UserName>", false, Page{Login: Present}},
		{"a login, in a field of text", "HTTP/1.0 200 OK\n\n<input type=text id='f_login'>", false, Page{Login: Present}},
		{"a button", "HTTP/1.0 200 OK\n\n<input type=submit name=login><a href=login>login</a>", false, Page{}},
		{"text about passwords", "HTTP/1.0 200 OK\n\n<p>password username login</p><!-- <input type=password> -->", false, Page{}},
		{"a script's text", "HTTP/1.0 200 OK\n\n<script>'<input type=password>'</script>", false, Page{}},
		{"a search field", "HTTP/1.0 200 OK\n\n<input name=q>", false, Page{}},
		{"not HTML", "HTTP/1.0 200 OK\nContent-Type: application/json\n\n<input type=password>", false, Page{}},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\n9\r\n<input ty\r\na\r\npe=passwor\r\n2\r\nd>\r\n0\r\n\r\n", false, Page{Login: Present}},
		{"chunked, cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n<input ty", false, Page{Login: Cut}},
		{"its length not reached", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<html>", false, Page{Login: Cut}},
		{"its length reached", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", true, Page{}},
		{"no length, truncated", "HTTP/1.1 200 OK\r\n\r\n<html><input type=pass", true, Page{Login: Cut}},
		{"found before the cut", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<input type=password>", true, Page{Login: Present}},
		{"header cut", "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Le", true, Page{Server: "a", Login: Cut}},
		{"header with what is no field", "HTTP/1.1 200 OK\r\nnonsense\r\n Server : b \r\n\r\n<input type=password>", false, Page{Server: "b", Login: Present}},
	} {
		if got, ok := ReadPage([]byte(c.response), c.truncated); !ok || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, ok, c.want)
		}
	}
	if _, ok := ReadPage([]byte("SSH-2.0-x\r\n"), false); ok {
		t.Error("SSH is taken for a page")
	}
}

func TestWords(t *testing.T) {
	for response, want := range map[string][2]string{
		"SSH-2.0-dropbear_2020.81\r\n":               {"dropbear_2020.81", "Dropbear"},
		"Welcome.\r\nSSH-1.99-Cisco-1.25\n\x00\x00":  {"Cisco-1.25", "Cisco"},
		"SSH-2.0-HUAWEI-1.5\r\n":                     {"HUAWEI-1.5", "Huawei"},
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n": {"OpenSSH_9.2p1", ""},
		"SSH-2.0-ztest\r\n":                          {"ztest", ""},
		"SSH-2.0":                                    {"", ""},
		"220 a ESMTP\r\n":                            {"", ""},
	} {
		software := SSHSoftware([]byte(response))
		if got := [2]string{software, SSHMaker(software)}; got != want {
			t.Errorf("%q: %q, want %q", response, got, want)
		}
	}
	for server, want := range map[string]bool{"RomPager/4.07 UPnP/1.0": true, "Linux upnp/1.1 x": true, "nginx": false, "UPnP": false} {
		if IsUPnP(server) != want {
			t.Errorf("%q: UPnP is %v", server, !want)
		}
	}
	if !IsBIGIP([]byte("BIG-IP System: [0x26d1f1e:2301] No local listener")) || IsBIGIP([]byte("Go away")) {
		t.Error("BIG-IP")
	}
	if !HasWord([]byte("\xff\xfd\x18\r\nPlease LOGIN: "), []string{"login", "user"}) || !HasWord([]byte("RFB 003.008\n"), []string{"RFB"}) ||
		HasWord([]byte("220 ready"), []string{"smtp"}) || HasWord(nil, []string{"x"}) {
		t.Error("words")
	}
}

// Whatever the bytes, they are read without a panic; what has been found stays found with more of them; and what crypto/x509
// reads of a certificate is what is read here.
func FuzzContent(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pair := selfSigned(f, key, pkix.Name{CommonName: "a", Organization: []string{"b"}})
	f.Add(flight(f, "tls12", &tls.Config{Certificates: []tls.Certificate{pair}}), 100)
	f.Add(pair.Certificate[0], 1)
	f.Add([]byte("HTTP/1.1 200 OK\r\nServer: x UPnP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<inpu\r\n"), 70)
	f.Add([]byte("SSH-2.0-dropbear_2020.81\r\n"), 5)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		part := b[:min(max(0, cut), len(b))]
		c, found := ReadCertificate(b)
		if shorter, before := ReadCertificate(part); before == Present && (found != Present || shorter != c) {
			t.Errorf("the certificate of %d bytes is %+v, and of %d %d, %+v", len(part), shorter, len(b), found, c)
		}
		page, ok := ReadPage(b, false)
		if shorter, _ := ReadPage(part, true); shorter.Login == Present && (!ok || page.Login != Present) && !bytes.Contains(b, []byte("hunked")) {
			t.Errorf("a login is found in %d bytes, and not in %d", len(part), len(b))
		}
		SSHMaker(SSHSoftware(b))
		IsUPnP(page.Server)
		IsBIGIP(b)
		if want, err := x509.ParseCertificate(b); err == nil {
			got, ok := parseCertificate(b)
			if !ok || got.SPKI != sha256.Sum256(want.RawSubjectPublicKeyInfo) {
				t.Errorf("%x: %+v", b, got)
			}
		}
	})
}
