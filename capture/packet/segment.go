// Package packet decodes and encodes the frames that a scan sends and receives:
// Ethernet, IPv4, IPv6, TCP, and the ICMP errors that quote TCP. It does no I/O.
//
// Everything else in laserdisc speaks of one type, Segment.
package packet

import (
	"net/netip"
	"strings"
)

// Flags are the control bits of a TCP header (RFC 9293, section 3.1).
type Flags uint8

// The control bits that a scan looks at or sets.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all bits of f are set.
func (g Flags) Has(f Flags) bool { return g&f == f }

// String names the set bits in the order of the header's low bits: "SYN|ACK".
func (g Flags) String() string {
	names := [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}
	var set []string
	for i, name := range names {
		if g&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, "|")
}

// ICMP is the type (high byte) and code (low byte) of an ICMP or ICMPv6 error; 0 is none.
type ICMP uint16

// Segment is one TCP segment, or one ICMP error about a TCP segment, as it was on the wire.
//
// An ICMP error stands as a segment that came back from the service it is about:
// Src and Dst are those of the quoted segment, swapped; Seq is the quoted segment's own
// sequence number; Reporter is the router or host that sent the error.
//
// Options and Payload are views of the frame it was decoded from, and live as long as that.
type Segment struct {
	Time    int64  // nanoseconds since the Unix epoch
	Number  uint64 // the frame's number in its record, from 1
	Src     netip.AddrPort
	Dst     netip.AddrPort
	Seq     uint32
	Ack     uint32 // valid with ACK
	Flags   Flags
	Window  uint16 // as in the header: not scaled
	TTL     uint8  // or IPv6's hop limit
	Options []byte // of the TCP header, padding included
	Payload []byte
	Cut     int // bytes behind Payload that the packet had and the frame, which a capture has cut short, lacks; or behind an ICMP error

	OptionsCut bool // whether Options lacks some, for the same reason

	ICMP     ICMP
	Reporter netip.Addr // valid with ICMP
}

// Length is the number of bytes of payload that the packet had.
func (s *Segment) Length() int { return len(s.Payload) + s.Cut }

// End is the sequence number after the segment: SYN and FIN count one each (RFC 9293, section 3.4).
func (s *Segment) End() uint32 {
	end := s.Seq + uint32(s.Length())
	if s.Flags.Has(SYN) {
		end++
	}
	if s.Flags.Has(FIN) {
		end++
	}
	return end
}

// Size is the number of bytes that a segment that is no ICMP error has from the IP header on, if that has no options or extension
// headers: those that a Framer writes have none.
func (s *Segment) Size() int {
	header := 20
	if s.Dst.Addr().Is6() {
		header = 40
	}
	return header + 20 + len(s.Options) + s.Length()
}

// Before reports whether sequence number a precedes b, modulo 2^32 (RFC 9293, section 3.4).
func Before(a, b uint32) bool { return int32(a-b) < 0 }
