package packet

import "encoding/binary"

// TCP option kinds (RFC 9293, section 3.2; RFC 7323; RFC 2018).
const (
	optEnd       = 0
	optNop       = 1
	optMSS       = 2
	optScale     = 3
	optSACK      = 4
	optTimestamp = 8
)

// Options are the TCP options that matter to a client. A zero value is an option that was not there.
type Options struct {
	MSS        uint16
	Scale      uint8
	HasScale   bool
	SACK       bool
	TSVal      uint32
	TSEcr      uint32
	Timestamps bool
}

// ParseOptions reads TCP options. What follows a malformed option is ignored, as stacks do.
func ParseOptions(b []byte) (o Options) {
	for len(b) > 0 {
		switch b[0] {
		case optEnd:
			return o
		case optNop:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return o
		}
		value := b[2:b[1]]
		switch {
		case b[0] == optMSS && len(value) == 2:
			o.MSS = binary.BigEndian.Uint16(value)
		case b[0] == optScale && len(value) == 1:
			o.Scale, o.HasScale = value[0], true
		case b[0] == optSACK && len(value) == 0:
			o.SACK = true
		case b[0] == optTimestamp && len(value) == 8:
			o.TSVal = binary.BigEndian.Uint32(value)
			o.TSEcr = binary.BigEndian.Uint32(value[4:])
			o.Timestamps = true
		}
		b = b[b[1]:]
	}
	return o
}

// Layout writes the kinds and order of options in p0f's letters: M(SS), S(ACK permitted),
// T(imestamp), N(op), W(indow scale), E(nd), ? for others. It tells stacks apart.
func Layout(b []byte) string {
	var out []byte
	for len(b) > 0 {
		switch b[0] {
		case optEnd:
			return string(append(out, 'E'))
		case optNop:
			out, b = append(out, 'N'), b[1:]
			continue
		case optMSS:
			out = append(out, 'M')
		case optScale:
			out = append(out, 'W')
		case optSACK:
			out = append(out, 'S')
		case optTimestamp:
			out = append(out, 'T')
		default:
			out = append(out, '?')
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return string(out)
		}
		b = b[b[1]:]
	}
	return string(out)
}

// AppendSYNOptions appends what a current Linux sends with a SYN: MSS, SACK permitted,
// timestamps, window scale (20 bytes). ZMap's option test: such a SYN finds 2 % more hosts
// than one without options.
func AppendSYNOptions(b []byte, mss uint16, tsval, tsecr uint32, scale uint8) []byte {
	b = binary.BigEndian.AppendUint64(b, optMSS<<56|4<<48|uint64(mss)<<32|optSACK<<24|2<<16|optTimestamp<<8|10)
	b = binary.BigEndian.AppendUint64(b, uint64(tsval)<<32|uint64(tsecr))
	return binary.BigEndian.AppendUint32(b, optNop<<24|optScale<<16|3<<8|uint32(scale))
}

// AppendTimestamp appends two NOPs and a timestamp option (12 bytes; RFC 7323, appendix A).
func AppendTimestamp(b []byte, tsval, tsecr uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, optNop<<24|optNop<<16|optTimestamp<<8|10)
	return binary.BigEndian.AppendUint64(b, uint64(tsval)<<32|uint64(tsecr))
}
