// Package handshake knows the application protocols: what a client says first in each of them, and what in a server's
// answer identifies it.
//
// One file holds one protocol, with the section of the specification beside every byte that is fixed. One ordered table
// lists them; its order is their precedence. Everything here is a pure function of bytes: the label of an answer never
// depends on which handshakes were asked for, on the time, or on the target.
//
// An answer is judged by every signature that its first byte allows (see [Classify]). Each match carries its evidence:
//
//   - certain: a whole message of the protocol, parsed to its end, that no other protocol in use sends;
//   - likely: its fixed part is right, but the message is cut, or has too few fixed bytes to be sure of;
//   - weak: consistent with the protocol, and also with others.
package handshake

import "net/netip"

// Evidence says how far the bytes of an answer prove a protocol.
type Evidence uint8

// The evidence, in rising order.
const (
	None    Evidence = iota // nothing speaks for it
	Weak                    // consistent with it, and with others
	Likely                  // its fixed part, cut short or not unique enough to be sure
	Certain                 // a whole message that only this protocol sends
)

// String gives "none", "weak", "likely" or "certain".
func (e Evidence) String() string {
	switch e {
	case Weak:
		return "weak"
	case Likely:
		return "likely"
	case Certain:
		return "certain"
	}
	return "none"
}

// Protocol is one line of the table.
type Protocol struct {
	Name        string   // as in labels and lists of handshakes: "http", "wait", ...
	ServerFirst bool     // the server speaks before the client does
	Ports       []uint16 // on which clients look for it: IANA's, or by custom; nil where there is none
	Spec        string   // where its bytes are fixed, such as "RFC 9112"
	Version     int      // of what Match finds: from 1, one more with each change of it; 0 where there is no Match
	First       string   // the client's first bytes, in words
	Signature   string   // what identifies an answer, in words
	Answer      string   // the protocol whose answer the Hello draws, where that is not Name: tls for tls-legacy
	Leads       string   // the bytes that an answer can begin with; empty: any

	// Hello appends the client's first bytes to b: at most MaxHello of them, the same for the same target and nonce.
	// It is nil where the client has nothing to say before the server does, and where there is no handshake: such a protocol is
	// recognised by what its servers answer to others'.
	Hello func(b []byte, to netip.AddrPort, nonce uint64) []byte

	// Match judges the reassembled prefix of what a server sent. It leaves Match.Protocol to the caller.
	// It is nil where there is no answer of its own.
	Match func(data []byte) Match

	// Details reads sub-labels from an answer with this label, such as a version or a status; nil: there are none.
	Details func(data []byte) []Detail
}

// SpeaksFirst is "server", "client", or "-" for a handshake that is of no protocol and says nothing.
func (p *Protocol) SpeaksFirst() string {
	switch {
	case p.ServerFirst:
		return "server"
	case p.Hello == nil && p.Match == nil:
		return "-"
	}
	return "client"
}

// Identified says what identifies an answer, in words.
func (p *Protocol) Identified() string {
	switch {
	case p.Signature != "":
		return p.Signature
	case p.Answer != "":
		return "as " + p.Answer
	}
	return "none of its own"
}

// MaxHello is the most bytes that a Hello may have, so that it fits into one frame with all headers and options.
const MaxHello = 1400

// UserAgent is how the scanner names itself wherever a protocol has a field for it; WithContact adds whom to ask.
const UserAgent = "laserdisc/0.1 (research scan)"

// Match is the finding of one signature.
type Match struct {
	Protocol *Protocol
	Evidence Evidence
	Bytes    int // how much of the prefix it took to reach it
}

// Detail is a sub-label that an answer gives at no cost, such as {"status", "404"}.
type Detail struct{ Key, Value string }

func weak(n int) Match    { return Match{Evidence: Weak, Bytes: n} }
func likely(n int) Match  { return Match{Evidence: Likely, Bytes: n} }
func certain(n int) Match { return Match{Evidence: Certain, Bytes: n} }

// certainIf is certain about a message that was parsed to its end, and finds one that is cut short merely likely.
func certainIf(whole bool, n int) Match {
	if whole {
		return certain(n)
	}
	return likely(n)
}
