package handshake

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// maxContact keeps the longest Hello below MaxHello.
const maxContact = 200

// CheckContact reports what a User-Agent's comment cannot hold (RFC 9110, section 5.6.5), or holds only quoted, so that a
// reader sees something else.
func CheckContact(contact string) error {
	if len(contact) > maxContact {
		return fmt.Errorf("contact has %d characters: %d are the most", len(contact), maxContact)
	}
	for _, c := range []byte(contact) {
		if c < ' ' || c > '~' || c == '(' || c == ')' || c == '\\' {
			return fmt.Errorf("contact %q: %q cannot stand in a User-Agent: ASCII without ( ) \\ can", contact, c)
		}
	}
	return nil
}

// WithContact is p, but its Hello says in its User-Agent, if it has one, how whoever runs the scan can be reached:
// "laserdisc/0.1 (research scan; CONTACT)". The contact must pass CheckContact; the empty one changes nothing.
func (p *Protocol) WithContact(contact string) *Protocol {
	if contact == "" || p.Hello == nil || !bytes.Contains(p.Hello(nil, netip.AddrPort{}, 0), []byte(UserAgent)) {
		return p
	}
	named := *p
	hello, agent := p.Hello, []byte(UserAgent)
	comment, says := len(agent)-len(")"), []byte("; "+contact)
	named.Hello = func(b []byte, to netip.AddrPort, nonce uint64) []byte {
		start := len(b)
		b = hello(b, to, nonce)
		return slices.Insert(b, start+bytes.Index(b[start:], agent)+comment, says...)
	}
	return &named
}
