package record

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Block types, sections 4 and, for the obsolete one, appendix A.
const (
	blockSection        = 0x0A0D0D0A
	blockInterface      = 1
	blockPacket         = 2 // obsolete
	blockSimplePacket   = 3
	blockNames          = 4
	blockStatistics     = 5
	blockEnhancedPacket = 6
	blockJournal        = 9 // systemd's
	blockSecrets        = 0xA
	blockCustom         = 0xBAD
	blockCustomNoCopy   = 0x40000BAD
	blockProcess        = 0x80000001 // Darwin's: which process a packet is of

	byteOrderMagic = 0x1A2B3C4D
)

// Option codes, sections 3.5 and 4.
const (
	optEnd              = 0
	optComment          = 1
	optUserApplication  = 4  // of a section
	optName             = 2  // of an interface
	optResolution       = 9  // of an interface
	optOffset           = 14 // of an interface
	optFlags            = 2  // of an enhanced packet
	optStartTime        = 2  // of statistics, as below
	optEndTime          = 3
	optReceived         = 4
	optInterfaceDropped = 5
	optSystemDropped    = 7
	optDelivered        = 8
)

// A record is little endian on every machine, so that its bytes are the same.
var little = binary.LittleEndian

const (
	application     = "laserdisc"
	linkEthernet    = 1
	nanoseconds     = "\x09" // if_tsresol: 10^-9 s
	packetOverhead  = 32     // of an enhanced packet block without options
	maxOptionLength = 1<<16 - 1
)

// appendBlock appends a block whose body is what write appends.
func appendBlock(b []byte, kind uint32, write func([]byte) []byte) []byte {
	start := len(b)
	b = little.AppendUint32(b, kind)
	b = little.AppendUint32(b, 0)
	b = write(b)
	length := uint32(len(b) - start + 4)
	little.PutUint32(b[start+4:], length)
	return little.AppendUint32(b, length)
}

func appendOption(b []byte, code uint16, value string) []byte {
	b = little.AppendUint16(b, code)
	b = little.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	return append(b, "\x00\x00\x00"[:-len(value)&3]...)
}

func appendCount(b []byte, code uint16, n uint64) []byte {
	b = little.AppendUint16(b, code)
	b = little.AppendUint16(b, 8)
	return little.AppendUint64(b, n)
}

// appendTime appends an option that is a time, high half first (section 4.6).
func appendTime(b []byte, code uint16, ns int64) []byte {
	return appendCount(b, code, uint64(ns)<<32|uint64(ns)>>32)
}

func appendEnd(b []byte) []byte { return little.AppendUint32(b, optEnd) }

// appendSection appends the section header (4.1). An option holds at most
// 65,535 bytes, so a long comment becomes several.
func appendSection(b []byte, comment string) []byte {
	return appendBlock(b, blockSection, func(b []byte) []byte {
		b = little.AppendUint32(b, byteOrderMagic)
		b = little.AppendUint16(b, 1) // version 1.0
		b = little.AppendUint16(b, 0)
		b = little.AppendUint64(b, 1<<64-1) // length of the section: not given
		for len(comment) > 0 {
			n := optionPrefix(comment)
			b = appendOption(b, optComment, comment[:n])
			comment = comment[n:]
		}
		b = appendOption(b, optUserApplication, application)
		return appendEnd(b)
	})
}

// optionPrefix returns how much of text an option holds, in whole characters.
func optionPrefix(text string) int {
	n := len(text)
	if n > maxOptionLength {
		for n = maxOptionLength; !utf8.RuneStart(text[n]); n-- {
		}
	}
	return n
}

// isOurs reports whether a record of ours begins so.
func isOurs(b []byte) bool {
	return len(b) > 4 && little.Uint32(b) == blockSection && bytes.Contains(b, []byte(application))
}

// appendInterface appends an interface description (4.2), of a link type.
func appendInterface(b []byte, name string, link uint32) []byte {
	return appendBlock(b, blockInterface, func(b []byte) []byte {
		b = little.AppendUint32(b, link)
		b = little.AppendUint32(b, MaxCapture)
		b = appendOption(b, optName, name)
		b = appendOption(b, optResolution, nanoseconds)
		return appendEnd(b)
	})
}

// appendPacket appends an enhanced packet (4.3), of the interface with a number: of a record, that of its direction.
func appendPacket(b []byte, number uint32, ns int64, frame []byte) []byte {
	length := uint32(packetOverhead + (len(frame)+3)&^3)
	b = little.AppendUint32(b, blockEnhancedPacket)
	b = little.AppendUint32(b, length)
	b = little.AppendUint32(b, number)
	b = little.AppendUint32(b, uint32(ns>>32))
	b = little.AppendUint32(b, uint32(ns))
	b = little.AppendUint32(b, uint32(len(frame)))
	b = little.AppendUint32(b, uint32(len(frame)))
	b = append(b, frame...)
	b = append(b, "\x00\x00\x00"[:-len(frame)&3]...)
	return little.AppendUint32(b, length)
}

// appendCommented appends an enhanced packet with a comment (3.5), which was so long on the wire.
func appendCommented(b []byte, number uint32, f *Frame, length uint32, comment string) []byte {
	return appendBlock(b, blockEnhancedPacket, func(b []byte) []byte {
		b = little.AppendUint32(b, number)
		b = little.AppendUint32(b, uint32(uint64(f.Time)>>32))
		b = little.AppendUint32(b, uint32(f.Time))
		b = little.AppendUint32(b, uint32(len(f.Data)))
		b = little.AppendUint32(b, length)
		b = append(b, f.Data...)
		b = append(b, "\x00\x00\x00"[:-len(f.Data)&3]...)
		b = appendOption(b, optComment, comment)
		return appendEnd(b)
	})
}

// statistics are what an interface statistics block holds.
type statistics struct {
	start, end int64 // nanoseconds; a start of 0 is not written
	recorded   uint64
	drops      Drops
}

// appendProgress appends, for each interface, how many frames have been recorded
// up to a time.
func appendProgress(b []byte, ns int64, frames [2]uint64) []byte {
	for d, n := range frames {
		b = appendBlock(b, blockStatistics, func(b []byte) []byte {
			b = little.AppendUint32(b, uint32(d))
			b = little.AppendUint32(b, uint32(ns>>32))
			b = little.AppendUint32(b, uint32(ns))
			b = appendCount(b, optDelivered, n)
			return appendEnd(b)
		})
	}
	return b
}

// appendStatistics appends the statistics of an interface (4.6).
func appendStatistics(b []byte, d Direction, s statistics) []byte {
	return appendBlock(b, blockStatistics, func(b []byte) []byte {
		b = little.AppendUint32(b, uint32(d))
		b = little.AppendUint32(b, uint32(s.end>>32))
		b = little.AppendUint32(b, uint32(s.end))
		if s.start != 0 {
			b = appendTime(b, optStartTime, s.start)
		}
		b = appendTime(b, optEndTime, s.end)
		b = appendCount(b, optReceived, s.recorded+s.drops.Kernel)
		b = appendCount(b, optInterfaceDropped, s.drops.Interface)
		b = appendCount(b, optSystemDropped, s.drops.Kernel)
		b = appendCount(b, optDelivered, s.recorded)
		return appendEnd(b)
	})
}
