// Package servers is what the servers of a simulated Internet say, and when: a file for each family of protocols, written from
// their specifications and from what their products are known to say. It knows nothing of package handshake, which recognises
// protocols, and recognises a client's first words by itself ([Recognise]), so that one can judge the other. It knows nothing of
// TCP either; package tcp carries what a [Service] says.
package servers

import (
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/lab/draw"
)

// Protocol is how the servers of one protocol talk.
type Protocol struct {
	Name    string // as populations call it
	Label   string // what identifies it; "unknown" for a protocol that no scanner lists
	First   bool   // the server speaks first
	stays   bool   // it never closes
	closes  bool   // it closes after an answer
	own     []Kind // what a client of this protocol says
	answers Answers
	options Options // for populations that have none

	// greet appends what the server says unasked. Valid only if First.
	greet func(b []byte, s *Service) []byte
	// reply appends its answer to what was said; nil is none. label differs from the protocol's where the answer is another
	// protocol's: a TLS server that answers HTTP in HTTP.
	reply func(b []byte, s *Service, k Kind, said []byte) (answer []byte, label string)
}

// Answers are the shares of a protocol's services that send data back to a handshake that is not
// theirs, or to none (paper, Figure 10). A service that answers where the share is low also
// answers wherever it is higher. A protocol not listed answers as its specification suggests.
type Answers struct {
	Protocol string  `json:"protocol"`
	TLS      float64 `json:"tls"`
	Newlines float64 `json:"newlines"`
	HTTP     float64 `json:"http"`
	Wait     float64 `json:"wait"`
}

var protocols []*Protocol

func init() {
	protocols = slices.Concat(
		webProtocols, tlsProtocols, sshProtocols, mailProtocols, ftpProtocols, telnetProtocols, dnsProtocols,
		databaseProtocols, messageProtocols, desktopProtocols, industrialProtocols, otherProtocols, unknownProtocols,
	)
}

// Protocols are all that there are, in a fixed order. The caller must not change them.
func Protocols() []*Protocol { return protocols }

// Index is where in Protocols that of a name is, or -1.
func Index(name string) int {
	return slices.IndexFunc(protocols, func(p *Protocol) bool { return p.Name == name })
}

// AnswersOf are each protocol's answers, in the order of Protocols: the given ones, and the protocol's own where none are given.
func AnswersOf(given []Answers) []Answers {
	all := make([]Answers, len(protocols))
	for i, p := range protocols {
		all[i] = p.answers
	}
	for _, a := range given {
		all[Index(a.Protocol)] = a
	}
	return all
}

// Service is one server, and all that what it says depends on.
type Service struct {
	draw.Source
	At           netip.AddrPort
	Host         draw.Source // what it shares with the other services of its host
	Protocol     *Protocol
	Answers      *Answers
	Options      *Options // nil: its protocol's own
	Pace         Pace
	Certificates Certificates // of its network
	Content      *Content     // of its protocol on its port
}

// Pace is how fast a server speaks.
type Pace uint8

// The paces.
const (
	Prompt     Pace = iota // within 40 ms
	Late                   // starts after 0.5 to 3 s
	ByteByByte             // dribbles over up to 2.4 s
)

// PaceNames are what population files call the paces.
var PaceNames = []string{"prompt", "late", "byte_by_byte"}

// IsOwn reports whether words of this kind are a client's of the service's own protocol.
func (s *Service) IsOwn(k Kind) bool { return slices.Contains(s.Protocol.own, k) }

// AnswersTo reports whether the service sends data back to first words of this kind: to its own protocol's, unless it minds how
// they are put (paper, Table 3), to others as strict as it is (section 4.1).
func (s *Service) AnswersTo(k Kind, said []byte) bool {
	switch {
	case s.IsOwn(k):
		return s.accepts(said)
	case k == Wait:
		return s.Unit(draw.ForStrictness) < s.Answers.Wait
	case k == HTTP || k == IPP: // IPP is carried in HTTP
		return s.Unit(draw.ForStrictness) < s.Answers.HTTP
	case k.text(): // as two newlines are: to who does not know the word it is a line like any other
		return s.Unit(draw.ForStrictness) < s.Answers.Newlines
	case k == TLS:
		return s.Unit(draw.ForStrictness) < s.Answers.TLS
	}
	// The paper does not say what other binary words draw. They are noise to whom a ClientHello is
	// not, and no better than text to whom that is noise.
	return s.Unit(draw.ForStrictness) < min(s.Answers.TLS, max(s.Answers.Newlines, s.Answers.HTTP))
}

// Answer is what the service sends to a client that connects and says this, and what that is to be labelled; nil is nothing.
func (s *Service) Answer(k Kind, said []byte) (b []byte, label string) {
	if !s.AnswersTo(k, said) {
		return nil, ""
	}
	label = s.Protocol.Label
	if s.Protocol.First {
		b = s.Greeting()
	}
	if k == Wait || s.Protocol.reply == nil {
		return b, label
	}
	b, other := s.Protocol.reply(b, s, k, said)
	if other != "" {
		label = other
	}
	return b, label
}

// Greeting is what the service says unasked. Valid only if its protocol's servers speak first.
func (s *Service) Greeting() []byte { return s.Protocol.greet(nil, s) }

// Reply is what the service sends to what was said, if it has sent its greeting; nil is nothing.
func (s *Service) Reply(k Kind, said []byte) []byte {
	if s.Protocol.reply == nil {
		return nil
	}
	b, _ := s.Protocol.reply(nil, s, k, said)
	return b
}

// Thinking is the time from a question to the answer.
func (s *Service) Thinking() time.Duration {
	x := s.Unit(draw.ForThinking)
	if s.Pace == Late {
		return 500*time.Millisecond + time.Duration(x*2.5e9)
	}
	if x < 0.3 {
		return 0 // the answer carries the acknowledgement
	}
	return time.Duration(x * 40e6)
}

// Ending is what a server does when it has spoken, or has decided not to.
type Ending uint8

// The endings; of two, the later one counts.
const (
	Stays Ending = iota
	Closes
	Aborts
)

// Ending is what the service does after it has, or has not, answered.
func (s *Service) Ending(k Kind) Ending {
	x := draw.Unit(s.Key.Draw(s.This, draw.ForReaction<<8|uint64(k)))
	own := s.IsOwn(k)
	switch {
	case s.Protocol.stays || own && !s.Protocol.closes:
		return Stays
	case own && x < 0.8 || x < 0.3:
		return Closes
	case !own && x < 0.4:
		return Aborts
	}
	return Stays
}
