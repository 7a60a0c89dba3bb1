package handshake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	cryptotls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// TestClientHello: a TLS server that is not ours answers our hellos as it should: the modern one with a ServerHello of
// its best version, the older one with its certificate in clear, the export-grade one with an alert.
func TestClientHello(t *testing.T) {
	plain, api := selfSigned(t, "host.example"), selfSigned(t, "kubernetes.default.svc")
	for _, c := range []struct {
		name   string
		hello  *Protocol
		server *cryptotls.Config
		label  string
		detail Detail
	}{
		{"TLS 1.3", &tls, &cryptotls.Config{Certificates: plain}, "tls", Detail{"version", "TLS 1.3"}},
		{"TLS 1.2", &tls, &cryptotls.Config{Certificates: plain, MaxVersion: cryptotls.VersionTLS12}, "tls", Detail{"version", "TLS 1.2"}},
		{"TLS 1.0", &tls, &cryptotls.Config{Certificates: plain, MinVersion: cryptotls.VersionTLS10, MaxVersion: cryptotls.VersionTLS10}, "tls", Detail{"version", "TLS 1.0"}},
		{"P-256 alone", &tls, &cryptotls.Config{Certificates: plain, CurvePreferences: []cryptotls.CurveID{cryptotls.CurveP256}}, "tls", Detail{"message", "hello retry request"}},
		{"TLS 1.3 possible", &tls12, &cryptotls.Config{Certificates: plain}, "tls", Detail{"version", "TLS 1.2"}},
		{"TLS 1.3 alone", &tls12, &cryptotls.Config{Certificates: plain, MinVersion: cryptotls.VersionTLS13}, "tls", Detail{"alert", "protocol_version (70)"}},
		{"export", &tlsLegacy, &cryptotls.Config{Certificates: plain}, "tls", Detail{"message", "alert"}},
		{"API server", &kubernetes, &cryptotls.Config{Certificates: api}, "kubernetes", Detail{"version", "TLS 1.2"}},
		{"another's certificate", &kubernetes, &cryptotls.Config{Certificates: plain}, "tls", Detail{"version", "TLS 1.2"}},
	} {
		answer := converse(t, c.server, c.hello.Hello(nil, target, 42))
		var v Verdict
		Classify(&v, nil, answer)
		found := false
		for _, d := range Details(v.Label, answer) {
			found = found || d == c.detail
		}
		if v.Label != c.label || v.Evidence < Likely || !found {
			t.Errorf("%s: %s, %s, %v", c.name, v.Label, v.Evidence, Details(v.Label, answer))
		}
	}
}

// converse gives a server our hello and returns what it says before it wants more.
func converse(t *testing.T, config *cryptotls.Config, hello []byte) []byte {
	client, server := net.Pipe()
	defer client.Close()
	go func() {
		defer server.Close()
		cryptotls.Server(server, config).Handshake()
	}()
	client.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := client.Write(hello); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := client.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return answer[:n]
}

func selfSigned(t *testing.T, name string) []cryptotls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{name},
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return []cryptotls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
}
