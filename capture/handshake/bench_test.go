package handshake

import (
	"bytes"
	"testing"
)

// BenchmarkClassify judges real answers by every signature; ns/op is for one answer.
func BenchmarkClassify(b *testing.B) {
	answers := fleet(b)
	var v Verdict
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		Classify(&v, nil, answers[i].Received)
		if i++; i == len(answers) {
			i = 0
		}
	}
}

// BenchmarkKeywords is what it is compared with: the same answers searched for one word after another, as LZR does, the
// first that occurs giving the label.
func BenchmarkKeywords(b *testing.B) {
	answers := fleet(b)
	found := 0
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		lower := bytes.ToLower(answers[i].Received)
		for _, word := range keywords {
			if bytes.Contains(lower, word) {
				found++
				break
			}
		}
		if i++; i == len(answers) {
			i = 0
		}
	}
	if found == 0 {
		b.Error("no keyword occurs")
	}
}

// keywords has a word or two for each protocol, in the order of the table.
var keywords = func() (words [][]byte) {
	for _, w := range []string{
		"application/ipp", "kubernetes", "mongodb", "maxbsonobjectsize", "https", "\x16\x03", "\x15\x03", "http", "rtsp/1.0",
		"sip/2.0", "smtp", "ftp", "+ok", "imap", "implementation", "-err", "+pong", "version ", "error", "rfb", "fox hello",
		"\xff\xff\xff\xff\xff\xff\xff\xff", "amqp", "\x20\x02\x00", "smb", "\x03\x00\x00", "\x1a\x2b\x3c\x4d", "fatal",
		"\x04\x01\x00", "(description", "mysql", "x11", "fins", "\xbb\xbb", "\x06\x00\xff\x07", "\x05\x64", "ssh", "login", "user",
		"password", "\xff\xfb", "\xff\xfd",
	} {
		words = append(words, []byte(w))
	}
	return words
}()
