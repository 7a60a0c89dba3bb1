package packet

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// linkTypes are what Decode reads, each with what stands before the IP header of its frames: kind is the packet's EtherType
// (https://www.tcpdump.org/linktypes.html).
var linkTypes = []struct {
	name   string
	number uint32
	header func(kind uint16) []byte
	only   uint16 // the EtherType that it can carry; 0 is both
}{
	{"null", LinkNull, func(uint16) []byte { return []byte{2, 0, 0, 0} }, etherIPv4},
	{"Ethernet", LinkEthernet, func(kind uint16) []byte { return binary.BigEndian.AppendUint16(make([]byte, 12), kind) }, 0},
	{"raw IP", LinkRaw, func(uint16) []byte { return nil }, 0},
	{"cooked v1", LinkSLL, func(kind uint16) []byte { return binary.BigEndian.AppendUint16(make([]byte, 14), kind) }, 0},
	{"raw IPv4", LinkIPv4, func(uint16) []byte { return nil }, etherIPv4},
	{"raw IPv6", LinkIPv6, func(uint16) []byte { return nil }, etherIPv6},
	{"cooked v2", LinkSLL2, func(kind uint16) []byte { return append(binary.BigEndian.AppendUint16(nil, kind), make([]byte, 18)...) }, 0},
}

// TestLinkTypes decodes the same segments behind the header of every link type. One that is cut anywhere is an error on the
// wire; in a capture it is what is left of it, if TCP's first 20 bytes are there. A link type that nobody knows is an error.
func TestLinkTypes(t *testing.T) {
	known := map[uint32]bool{}
	for _, l := range linkTypes {
		known[l.number] = true
		for _, want := range samples() {
			kind := uint16(etherIPv4)
			if want.Src.Addr().Is6() {
				kind = etherIPv6
			}
			if l.only != 0 && l.only != kind {
				continue
			}
			frame := append(l.header(kind), want.AppendFrame(nil, macA, macB)[14:]...)
			var got Segment
			if err := got.Decode(l.number, frame); err != nil || !equal(got, want) {
				t.Errorf("%s: %+v became %+v, %v", l.name, want, got, err)
			}
			for end := range frame {
				if err := got.Decode(l.number, frame[:end]); err == nil {
					t.Errorf("%s: the first %d of %d bytes are a frame", l.name, end, len(frame))
				}
				err := got.DecodeCut(l.number, frame[:end])
				left := want
				lacks := len(frame) - end
				left.Payload = want.Payload[:max(0, len(want.Payload)-lacks)]
				left.Options = want.Options[:min(len(want.Options), max(0, len(want.Options)+len(want.Payload)-lacks))]
				readable := end >= len(frame)-len(want.Payload)-len(want.Options)
				if readable != (err == nil) || readable && (!equal(got, left) || got.Cut != len(want.Payload)-len(left.Payload) || got.End() != want.End()) {
					t.Errorf("%s: the first %d of %d bytes: %v: %+v, not %+v", l.name, end, len(frame), err, got, left)
				}
			}
		}
	}
	frame := samples()[0].AppendFrame(nil, macA, macB)
	for number := range uint32(1024) {
		err := new(Segment).Decode(number, frame)
		if unknown := err != nil && strings.Contains(err.Error(), "not supported"); unknown == known[number] {
			t.Errorf("link type %d: %v, and this test has it: %v", number, err, known[number])
		} else if unknown && errors.Is(err, ErrOther) {
			t.Errorf("link type %d is taken for other traffic", number)
		}
	}
}
