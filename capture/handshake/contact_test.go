package handshake

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// A contact is in every Hello that has a User-Agent, and changes nothing else.
func TestContact(t *testing.T) {
	to := netip.MustParseAddrPort("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
	contact := "https://scan.example.org, " + strings.Repeat("x", maxContact-30) + "@x"
	if err := CheckContact(contact); err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, p := range speaking() {
		q := p.WithContact(contact)
		if p.Hello == nil {
			if p != q {
				t.Errorf("%s is another, without a Hello", p.Name)
			}
			continue
		}
		before, after := p.Hello([]byte("kept "), to, 7), q.Hello([]byte("kept "), to, 7)
		if want := bytes.Replace(before, []byte("research scan)"), []byte("research scan; "+contact+")"), 1); !bytes.Equal(after, want) {
			t.Errorf("%s says\n%s", p.Name, after)
		}
		if len(after)-len("kept ") > MaxHello {
			t.Errorf("%s says %d bytes", p.Name, len(after))
		}
		if !bytes.Equal(before, after) {
			named++
		}
		if q.Name != p.Name || p.WithContact("") != p {
			t.Errorf("%s is not itself any more", p.Name)
		}
	}
	if named < 5 { // http, http-options, ipp, kubernetes, rtsp, sip at least
		t.Errorf("%d protocols name a contact", named)
	}
}

func TestCheckContact(t *testing.T) {
	for _, bad := range []string{"a\r\nX: y", "(a)", "a\\b", "ü", strings.Repeat("x", maxContact+1)} {
		if CheckContact(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}
