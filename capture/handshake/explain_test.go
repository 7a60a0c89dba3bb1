package handshake

import (
	"bytes"
	"fmt"
	"testing"
)

// TestExplain: the bytes that decided, of answers of every kind.
func TestExplain(t *testing.T) {
	for _, c := range []struct{ received, want string }{
		{"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", `http certain 0:"HTTP/1.1 200 " 27:"\n\r\n"`},
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", `ssh certain 0:"SSH-2.0-" 31:"\n"`},
		{"220 mail.example.com ESMTP Postfix\r\n", `smtp certain 0:"220 " 22:"SMTP" 35:"\n"`},
		{"* OK IMAP4 ready\r\n* CAPABILITY IMAP4rev1\r\n", `imap certain 0:"* OK IMAP" 17:"\n"`}, // the first of two that would do
		{"\x15\x03\x01\x00\x02\x02\x46rest", `tls certain 0:"\x15\x03\x01\x00\x02\x02F"`},
		{"\x12\x34\x00\x00\x00\x03\x00\xab\x01", `modbus certain 2:"\x00\x00\x00\x03" 7:"\xab\x01"`},
		{"nothing that is known", `unknown none`},
		{"\xff\xff\xff", `all-ones none 0:"\xff\xff\xff"`},
		{"said", `echo none 0:"said"`},
		{"", ` none`},
	} {
		e := Explain([]byte("said"), []byte(c.received))
		if got := e.Label + " " + e.Evidence.String() + quoted(e.Decided); got != c.want {
			t.Errorf("%q:\n%s, want\n%s", c.received, got, c.want)
		}
		p, listed := Lookup(e.Label)
		if e.Rule == "" || listed && (e.Rule != p.Signature || e.Spec != p.Spec || e.Version != p.Version) {
			t.Errorf("%q: %+v", c.received, e)
		}
	}
}

func quoted(decided []Run) (text string) {
	for _, r := range decided {
		text += fmt.Sprintf(" %d:%q", r.Offset, r.Bytes)
	}
	return text
}

// TestExplainSuffices: with all other bytes written over, those that are given as the reason are one.
func TestExplainSuffices(t *testing.T) {
	var v, again Verdict
	for _, a := range answers {
		received := []byte(a.received)
		if Classify(&v, nil, received); v.Evidence == None {
			continue
		}
		decided, left := decide(&v, nil, received)
		if Classify(&again, nil, left); again.Label != v.Label || again.Evidence != v.Evidence {
			t.Errorf("%s: %s does not follow from what is left, %q", a.name, v.Label, left)
		}
		kept := 0
		for i, d := range decided {
			if d {
				kept++
			}
			if d && left[i] != received[i] || !d && bytes.IndexByte(fillers[:], left[i]) < 0 {
				t.Errorf("%s: byte %d of %q", a.name, i, left)
			}
		}
		if kept == 0 {
			t.Errorf("%s is %s, and nothing decided", a.name, v.Label)
		}
	}
}
