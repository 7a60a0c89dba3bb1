package handshake_test

import (
	"fmt"
	"net/netip"

	"laserdisc/capture/handshake"
)

// A response is labelled by its bytes alone, wherever it came from.
func ExampleClassify() {
	var v handshake.Verdict
	handshake.Classify(&v, nil, []byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
	fmt.Println(v.Label, v.Evidence, v.Bytes)
	for _, d := range handshake.Details(v.Label, []byte("SSH-2.0-OpenSSH_9.2p1\r\n")) {
		fmt.Println(d.Key, d.Value)
	}

	handshake.Classify(&v, nil, []byte("220 "))
	fmt.Println(v.Label, v.Evidence)

	handshake.Classify(&v, []byte("GET / HTTP/1.1\r\n"), []byte("GET / HTTP/1.1\r\n"))
	fmt.Println(v.Label)
	// Output:
	// ssh certain 23
	// version 2.0
	// software OpenSSH_9.2p1
	// unknown none
	// echo
}

// Why an answer has its label: the rule, where it is written, and the bytes that decided.
func ExampleExplain() {
	e := handshake.Explain(nil, []byte("220 mail.example.com ESMTP Postfix\r\n"))
	fmt.Println(e.Label, e.Evidence, e.Spec)
	for _, r := range e.Decided {
		fmt.Printf("at %d: %x %q\n", r.Offset, r.Bytes, r.Bytes)
	}
	// Output:
	// smtp certain RFC 5321
	// at 0: 32323020 "220 "
	// at 22: 534d5450 "SMTP"
	// at 35: 0a "\n"
}

// A service has one label over its attempts: that of the verdict that outranks the others.
func ExampleVerdict_Outranks() {
	var best handshake.Verdict
	for _, response := range []string{"\x01\x02\x03\x04", "HTTP/1.1 400 Bad Request\r\n\r\n", "garbage"} {
		var v handshake.Verdict
		handshake.Classify(&v, nil, []byte(response))
		if v.Outranks(&best) {
			best = v
		}
	}
	fmt.Println(best.Label)
	// Output: http
}

// A list of handshakes is read in the order in which they are to be tried.
func ExampleParse() {
	handshakes, err := handshake.Parse("wait,tls,http")
	if err != nil {
		fmt.Println(err)
	}
	to := netip.MustParseAddrPort("198.51.100.7:443")
	for _, h := range handshakes {
		hello := 0
		if h.Hello != nil {
			hello = len(h.Hello(nil, to, 1))
		}
		fmt.Printf("%s says %d bytes; %s\n", h.Name, hello, h.Spec)
	}
	_, err = handshake.Parse("wait,htp")
	fmt.Println(err)
	// Output:
	// wait says 0 bytes; paper, section 4.1
	// tls says 245 bytes; RFC 8446, RFC 5246
	// http says 117 bytes; RFC 9112
	// unknown handshake "htp": did you mean http or ftp?
}

// What a client said tells which handshake it was.
func ExampleSaid() {
	to := netip.MustParseAddrPort("198.51.100.7:6379")
	redis, _ := handshake.Lookup("redis")
	fmt.Println(handshake.Said(redis.Hello(nil, to, 9), to).Name)
	// Output: redis
}
