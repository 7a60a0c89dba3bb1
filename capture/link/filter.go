package link

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// scope is the traffic that belongs to a link: the socket filter lets it in, and
// the guard keeps it from the kernel.
type scope struct {
	// prefixes are the destination addresses.
	prefixes []netip.Prefix

	// first to last are the TCP destination ports of a scanner, which also gets
	// ICMP errors. Both are zero for a server, which gets everything except
	// IPv6 neighbour discovery: that one the kernel must go on answering.
	first, last uint16
}

func (s scope) serving() bool { return s.first == 0 && s.last == 0 }

// Offsets into an Ethernet frame without a VLAN tag, which the kernel has taken
// off, and the numbers found there.
const (
	offsetType          = 12
	offset4             = ethernetHeader
	offset4Fragment     = offset4 + 6
	offset4Protocol     = offset4 + 9
	offset4Destination  = offset4 + 16
	offset6             = ethernetHeader
	offset6Next         = offset6 + 6
	offset6Destination  = offset6 + 24
	offset6Payload      = offset6 + 40
	offsetTCPTargetPort = 2

	type4 = 0x0800
	type6 = 0x86dd

	protocolICMP   = 1
	protocolTCP    = 6
	protocolICMPv6 = 58

	fragmentOffset = 0x1fff // mask: all but the flags

	firstDiscovery6 = 133 // ICMPv6 types: router solicitation
	lastDiscovery6  = 137 // to redirect
	firstQuery6     = 128 // below are the errors
)

// errors4 are the ICMP types that report an error (RFC 1122, 3.2.2).
var errors4 = []uint32{3, 4, 5, 11, 12}

var (
	accept = bpf.RetConstant{Val: 1 << 20} // bytes kept: more than any frame has
	reject = bpf.RetConstant{Val: 0}
)

// filter is the program for the socket.
func (s scope) filter() []bpf.Instruction {
	var prefixes4, prefixes6 []netip.Prefix
	for _, p := range s.prefixes {
		if p.Addr().Is4() {
			prefixes4 = append(prefixes4, p)
		} else {
			prefixes6 = append(prefixes6, p)
		}
	}
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: offsetType, Size: 2}}
	program = append(program, when(type4, concat(anyOf(offset4Destination, prefixes4), s.rest4()))...)
	program = append(program, when(type6, concat(anyOf(offset6Destination, prefixes6), s.rest6()))...)
	return append(program, reject)
}

// rest4 decides on an IPv4 packet whose destination is ours.
func (s scope) rest4() []bpf.Instruction {
	if s.serving() {
		return []bpf.Instruction{accept}
	}
	icmp := []bpf.Instruction{bpf.LoadIndirect{Off: offset4, Size: 1}}
	for _, t := range errors4 {
		icmp = append(icmp, when(t, []bpf.Instruction{accept})...)
	}
	return concat(
		[]bpf.Instruction{
			bpf.LoadAbsolute{Off: offset4Fragment, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: fragmentOffset, SkipTrue: 1},
			reject, // no TCP header in a later fragment
			bpf.LoadMemShift{Off: offset4},
			bpf.LoadAbsolute{Off: offset4Protocol, Size: 1},
		},
		when(protocolTCP, concat(
			[]bpf.Instruction{bpf.LoadIndirect{Off: offset4 + offsetTCPTargetPort, Size: 2}},
			s.ports(),
		)),
		when(protocolICMP, append(icmp, reject)),
		[]bpf.Instruction{reject},
	)
}

// rest6 decides on an IPv6 packet whose destination is ours.
func (s scope) rest6() []bpf.Instruction {
	next := []bpf.Instruction{bpf.LoadAbsolute{Off: offset6Next, Size: 1}}
	icmpType := []bpf.Instruction{bpf.LoadAbsolute{Off: offset6Payload, Size: 1}}
	if s.serving() {
		return concat(
			next,
			when(protocolICMPv6, concat(icmpType, outside(firstDiscovery6, lastDiscovery6))),
			[]bpf.Instruction{accept},
		)
	}
	return concat(
		next,
		when(protocolTCP, concat(
			[]bpf.Instruction{bpf.LoadAbsolute{Off: offset6Payload + offsetTCPTargetPort, Size: 2}},
			s.ports(),
		)),
		when(protocolICMPv6, concat(icmpType, within(0, firstQuery6-1))),
		[]bpf.Instruction{reject},
	)
}

func (s scope) ports() []bpf.Instruction { return within(uint32(s.first), uint32(s.last)) }

// within accepts values from first to last, and rejects all others.
func within(first, last uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: first, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: last, SkipTrue: 1},
		accept,
		reject,
	}
}

// outside rejects values from first to last, and accepts all others.
func outside(first, last uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: first, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: last, SkipTrue: 1},
		reject,
		accept,
	}
}

// when runs the body, which must return, if the accumulator has the value.
func when(value uint32, body []bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(body))},
	}, body...)
}

// anyOf falls through to what follows it if the address at the offset is in one
// of the prefixes, and rejects if it is in none.
func anyOf(offset uint32, prefixes []netip.Prefix) []bpf.Instruction {
	program := []bpf.Instruction{reject}
	for i := len(prefixes) - 1; i >= 0; i-- { // from the end, so that the distance to it is known
		match := []bpf.Instruction{bpf.Jump{Skip: uint32(len(program))}}
		words := prefixWords(prefixes[i])
		for w := len(words) - 1; w >= 0; w-- {
			match = append([]bpf.Instruction{
				bpf.LoadAbsolute{Off: offset + uint32(4*w), Size: 4},
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: words[w].mask},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: words[w].value, SkipTrue: uint8(len(match))},
			}, match...)
		}
		program = append(match, program...)
	}
	return program
}

type maskedWord struct{ mask, value uint32 }

// prefixWords gives the 32-bit words that the prefix says something about.
func prefixWords(p netip.Prefix) []maskedWord {
	address := p.Masked().Addr().AsSlice()
	var words []maskedWord
	for bits := p.Bits(); bits > 0; bits -= 32 {
		mask := ^uint32(0) << max(0, 32-bits)
		words = append(words, maskedWord{mask, binary.BigEndian.Uint32(address[4*len(words):])})
	}
	return words
}

func concat[T any](parts ...[]T) []T {
	var all []T
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}
