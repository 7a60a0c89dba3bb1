package handshake

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var target = netip.MustParseAddrPort("192.0.2.1:8080")

// TestTable holds every line of the table to what the package promises.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Table() {
		if names[p.Name] {
			t.Errorf("%s is listed twice", p.Name)
		}
		names[p.Name] = true
		if p.Spec == "" || p.First == "" {
			t.Errorf("%s lacks its specification or its first bytes", p.Name)
		}
		if (p.Match != nil) != (p.Signature != "") {
			t.Errorf("%s: a signature in words and in code come together", p.Name)
		}
		if (p.Match != nil) != (p.Version > 0) {
			t.Errorf("%s: a signature and its version come together", p.Name)
		}
		if p.Match != nil && p.Answer != "" {
			t.Errorf("%s has an answer of its own", p.Name)
		}
	}
	for _, p := range Table() {
		if p.Answer != "" && !names[p.Answer] {
			t.Errorf("%s draws the answer of %q, which is not in the table", p.Name, p.Answer)
		}
	}
}

func TestHello(t *testing.T) {
	targets := []netip.AddrPort{target, netip.MustParseAddrPort("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535")}
	for _, p := range Table() {
		for _, to := range targets {
			if p.Hello == nil {
				continue
			}
			hello := p.Hello(nil, to, 7)
			if len(hello) == 0 || len(hello) > MaxHello {
				t.Errorf("%s: hello of %d bytes", p.Name, len(hello))
			}
			if again := p.Hello([]byte("x"), to, 7); !bytes.Equal(again[1:], hello) || again[0] != 'x' {
				t.Errorf("%s: hello is not a function of target and nonce, or not appended", p.Name)
			}
		}
	}
}

// TestEchoes: our own bytes that come back are never an identification, whatever part of them comes back.
func TestEchoes(t *testing.T) {
	var v Verdict
	for _, p := range Table() {
		if p.Hello == nil {
			continue
		}
		hello := p.Hello(nil, target, 1)
		for _, back := range [][]byte{hello, hello[:len(hello)/2+1], slices.Concat(hello, hello, hello[:1])} {
			if Classify(&v, hello, back); v.Label != Echo || v.Evidence != None || len(v.Matches) != 0 || v.Bytes != len(back) {
				t.Errorf("%s: %+v", p.Name, v)
			}
		}
		if Classify(&v, nil, hello); v.Label != Unknown && !symmetric[p.Name] {
			t.Errorf("%s: our own hello passes for a server's answer: %s, %s", p.Name, v.Label, v.Evidence)
		}
	}
}

// symmetric are the protocols in which server and client begin with the same message.
var symmetric = map[string]bool{"ssh": true, "amqp": true, "bgp": true, "redis": true}

func TestNoAnswer(t *testing.T) {
	var v Verdict
	if Classify(&v, []byte("x"), nil); v.Label != "" || v.Evidence != None || v.Bytes != 0 {
		t.Errorf("no data: %+v", v)
	}
	if Classify(&v, nil, []byte{255, 255, 255}); v.Label != AllOnes || v.Evidence != None {
		t.Errorf("all ones: %+v", v)
	}
}

func TestParse(t *testing.T) {
	ps, err := Parse("wait, tls,http")
	if err != nil || len(ps) != 3 || ps[0] != &wait || ps[1] != &tls || ps[2] != &http {
		t.Errorf("%v, %v", ps, err)
	}
	all, err := Parse("all")
	if err != nil || all[0] != &wait || !slices.Contains(all, &newlines50) || slices.Contains(all, &mysql) {
		t.Errorf("all: %v, %v", all, err)
	}
	for list, want := range map[string]string{
		"wait,htttp":   `unknown handshake "htttp": did you mean http?`,
		"gopher":       "unknown handshake \"gopher\": `laserdisc protocols` lists them",
		"tls-":         `did you mean tls or tls-legacy?`,
		"htp":          `did you mean http or ftp?`,
		"all,http":     `handshake "all" stands for the whole list`,
		"":             `unknown handshake ""`,
		"wait,clamd":   `clamd has no handshake`,
		"tls,wait,tls": `handshake "tls" is listed twice`,
	} {
		if _, err := Parse(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", list, err, want)
		}
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	var v Verdict
	answer := []byte("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	Classify(&v, nil, answer)
	if n := testing.AllocsPerRun(100, func() { Classify(&v, nil, answer) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
