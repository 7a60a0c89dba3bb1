package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// A capture that something else made is read as far as it makes sense, and taken up again behind what does not. That is not done for
// a record: there, a packet that is missing ends what can be played back.
//
// In pcap nothing but the lengths says where a record begins. One that is as it should be, and followed by another such, is taken as it
// is. Any other is judged by what stands behind it. Reading takes up again where soundRecords in a row begin, or fewer that end with the
// file: by chance, one of 2^40 places looks like one of them. In pcapng every block has its length at both ends, and what
// is wrong within a block costs no other.
const (
	soundRecords = 4
	soundBlocks  = 3

	// lookAhead is how many bytes are looked at to judge a place in a capture; more would be needed for long packets only.
	lookAhead = 2 << 20

	// nearSeconds is how far apart records may be that are to confirm each other: a day.
	nearSeconds = 86400

	// maxSoundBlock is the longest block that confirms another.
	maxSoundBlock = 1 << 20
)

// linkUnknown is the link type of an interface whose description cannot be read.
const linkUnknown = math.MaxUint32

// oddity is something that is not as the format has it, and costs nothing.
type oddity int

const (
	oddFraction oddity = iota
	oddTime
	oddLengths
	oddOptions
	oddBlock
	oddities
)

var oddTexts = [oddities]string{
	oddFraction: "%d frames with a fraction of a second that is one or more, which was added; the first is frame %d",
	oddTime:     "%d frames with a time that is not within the years 1678 to 2262, which got that of the frame before; the first is frame %d",
	oddLengths:  "%d frames with more bytes captured than the packet had, which were taken; the first is frame %d",
	oddOptions:  "%d frames with options that cannot be read, which were passed over; the first is frame %d",
	oddBlock:    "%d blocks without packets that cannot be read, or of unknown types, which were passed over; the first comes after frame %d",
}

// oddCount counts frames with an oddity.
type oddCount struct{ frames, first uint64 }

func (c *oddCount) count(frame uint64) {
	if c.frames++; c.frames == 1 {
		c.first = frame
	}
}

func (r *Reader) odd(o oddity, frame uint64) { r.oddCounts[o].count(frame) }

// wireLength is how long a packet was. No more can have been captured.
func (r *Reader) wireLength(captured, original uint32) uint32 {
	if captured > original {
		r.odd(oddLengths, r.number+1)
	}
	return max(captured, original)
}

// Remarks tell what of a capture was not as the format has it, and yet could be read, so far.
func (r *Reader) Remarks() []string {
	var list []string
	for o, c := range r.oddCounts {
		if c.frames > 0 {
			list = append(list, fmt.Sprintf(oddTexts[o], c.frames, c.first))
		}
	}
	return list
}

// takeUp goes on behind what cannot be read, and returns a *LostError; or the error as it was, if it is not sure where.
func (r *Reader) takeUp(err error) error {
	lost := &LostError{Path: r.path(), Offset: r.block, Frame: r.number, Problem: "its length reaches beyond the end of the file"}
	if e := new(FormatError); errors.As(err, &e) {
		lost.Problem = e.Problem
	} else if !errors.As(err, new(*TruncatedError)) {
		return err
	}
	if !r.begun || r.kind == blockSection || isCorrupt(r.in.after) && len(r.in.rest) == 0 {
		return err // nothing tells how to read what follows
	}
	switch {
	case r.in.offset > r.block: // the block has its lengths right, and is all that is wrong
		switch r.kind {
		case blockEnhancedPacket, blockPacket, blockSimplePacket:
			lost.Lost = 1
			r.number++
		case blockInterface:
			r.interfaces = append(r.interfaces, netInterface{link: linkUnknown, direction: Received, clock: microseconds})
		}
	case r.resume > 0:
		r.in.pass(r.resume)
	default:
		written := r.written()
		found, content := r.search()
		if !found && content <= written { // a power cut leaves zeros where data did not reach the disk
			return &TruncatedError{Path: lost.Path, Offset: lost.Offset, Frame: lost.Frame}
		}
		if !found {
			return err
		}
	}
	r.resume = 0
	lost.Resumed = r.in.offset
	return lost
}

// written is how many bytes of the block at hand may be other than zeros, if a tail of zeros begins within it.
func (r *Reader) written() int64 {
	head, err := r.in.peek(8)
	if err != nil || r.pcap.header > 0 {
		return 0
	}
	n := r.u32(head[4:])
	if n < 12 || n > maxBlock {
		return 8
	}
	b, err := r.in.peek(int(n))
	if err != nil || !r.begins(r.u32(b[n-4:]), n) {
		return int64(n) - 4
	}
	return int64(n)
}

// search moves to the next place behind the byte at hand from which on the capture is sound. If there is none, it says how many
// bytes were left up to the last that is not zero.
func (r *Reader) search() (found bool, content int64) {
	start := r.in.offset
	for first := 1; ; first = 0 {
		_, err := r.in.peek(lookAhead)
		if err != nil && !isEnd(err) && !isCorrupt(err) {
			return false, math.MaxInt64
		}
		b, end := r.in.rest, err != nil
		at := first
		for ; at < len(b); at++ {
			ok, more := r.format.sound(b[at:], end)
			if ok {
				r.in.pass(at)
				return true, 0
			}
			if more && at > first {
				break
			}
		}
		at = min(at, len(b))
		if n := len(bytes.TrimRight(b[:at], "\x00")); n > 0 {
			content = r.in.offset - start + int64(n)
		}
		r.in.pass(at)
		if end && at == len(b) {
			return false, content
		}
	}
}

// judgeRecord checks a record of pcap that is out of the usual by what follows. It may change p to what can be made of it.
func (r *Reader) judgeRecord(p *pcapRecord) error {
	for {
		problem, resume, more := r.judge(r.in.rest, r.in.after != nil)
		if problem != "" {
			r.resume = resume
			return r.malformed("%s", problem)
		}
		if !more {
			break
		}
		if _, err := r.in.peek(len(r.in.rest) + 1); err != nil && r.in.after == nil {
			return err
		}
	}
	if int64(p.fraction)*r.pcap.unit >= 1e9 {
		r.odd(oddFraction, r.number+1)
	}
	if p.captured > p.original {
		r.odd(oddLengths, r.number+1)
		p.original = p.captured
	}
	return nil
}

// judge says what is wrong with the record at the beginning of b, if anything is, and where within b a sound one begins, if that is
// known. Or it asks for more than b, unless b goes to the end of the file or is long enough.
func (r *Reader) judge(b []byte, end bool) (problem string, resume int, more bool) {
	header := r.pcap.header
	end = end || len(b) >= lookAhead
	p := r.record(b)
	if p.captured > MaxCapture {
		return fmt.Sprintf("%d bytes captured, more than the %d that a capture can hold", p.captured, MaxCapture), 0, false
	}
	length := header + int(p.captured)
	usual := r.usual(p)
	switch {
	case len(b) < length+header && !end:
		return "", 0, true
	case len(b) < length, len(b) == length:
		return "", 0, false // it is cut off, or the last
	case usual && len(b) >= length+header && r.usual(r.record(b[length:])):
		return "", 0, false
	}
	ok, more := r.chain(b, end, false)
	if ok || more {
		return "", 0, more
	}
	// Is it this record's length that is wrong? Then others begin within it, or where it would end had it been captured whole.
	for at := header; at < length; at++ {
		if ok, more = r.soundRecords(b[at:], end); ok || more {
			return overlong, at, more
		}
	}
	if whole := header + int(min(p.original, MaxCapture)); p.captured < p.original && whole < len(b) {
		if ok, more = r.soundRecords(b[whole:], end); ok || more {
			return fmt.Sprintf("%d bytes captured, and %d more before the next record", p.captured, p.original-p.captured), whole, more
		}
	}
	if !usual {
		return "this is no record, and none follows it", 0, false
	}
	return "", 0, false
}

const overlong = "its length covers records that follow"

// usual reports whether a record is as nearly all are.
func (r *Reader) usual(p pcapRecord) bool {
	return p.captured > 0 && p.captured <= p.original && p.original <= MaxCapture && int64(p.fraction)*r.pcap.unit < 1e9
}

// soundRecords reports whether b begins with records that confirm each other, or asks for more than b.
func (r *Reader) soundRecords(b []byte, end bool) (ok, more bool) { return r.chain(b, end, true) }

// chain reports whether b begins with a chain of records, by their lengths, or with fewer that end with the file. Strictly, all are
// usual, and of one day.
func (r *Reader) chain(b []byte, end, strict bool) (ok, more bool) {
	seconds, known := r.seconds, r.number > 0
	alone := false // whether the first may stand alone
	for n := range soundRecords {
		if len(b) < r.pcap.header {
			return end && (n > 1 || alone && len(b) == 0), !end
		}
		p := r.record(b)
		near := known && max(p.seconds, seconds)-min(p.seconds, seconds) <= nearSeconds
		if n == 0 {
			alone = near
		}
		if p.captured > MaxCapture || !near && p.captured == 0 || strict && (!r.usual(p) || !near && n > 0) {
			return false, false
		}
		seconds, known = p.seconds, true
		length := r.pcap.header + int(p.captured)
		if len(b) < length {
			return end && n > 1, !end
		}
		b = b[length:]
	}
	return true, false
}

// soundBlocks reports whether b begins with blocks of pcapng that follow each other, or with fewer that end with the file; or asks
// for more than b. Before a section's first packet no other block is sure: a description of an interface may be missing, and those
// behind it then have other numbers.
func (r *Reader) soundBlocks(b []byte, end bool) (ok, more bool) {
	for n := range soundBlocks {
		if len(b) < 12 {
			return end && (n > 1 || n == 1 && len(b) == 0), !end
		}
		kind, length := r.u32(b), r.u32(b[4:])
		swap := kind == blockSection && r.u32(b[8:]) == bits.ReverseBytes32(byteOrderMagic)
		if swap {
			length = bits.ReverseBytes32(length)
		}
		least, known := leastBlock[kind]
		if !known || length < least || length%4 != 0 || length > maxSoundBlock || kind != blockSection && r.number == r.sectionAt {
			return false, false
		}
		if len(b) < int(least) {
			return false, !end
		}
		switch kind {
		case blockSection:
			if magic := r.u32(b[8:]); !swap && magic != byteOrderMagic {
				return false, false
			}
		case blockEnhancedPacket:
			if r.u32(b[20:]) > length-packetOverhead || int64(r.u32(b[8:])) >= int64(len(r.interfaces)) {
				return false, false
			}
		}
		if len(b) < int(length) {
			return end && n > 1, !end
		}
		trailer := r.u32(b[length-4:])
		if swap {
			trailer = bits.ReverseBytes32(trailer)
		}
		if trailer != length {
			return false, false
		}
		if kind == blockSection {
			return true, false // what follows has another byte order, or other interfaces
		}
		b = b[length:]
	}
	return true, false
}

// leastBlock has the blocks that confirm others, and how long they are at least.
var leastBlock = map[uint32]uint32{
	blockSection:        28,
	blockInterface:      20,
	blockPacket:         packetOverhead,
	blockSimplePacket:   16,
	blockNames:          12,
	blockStatistics:     24,
	blockEnhancedPacket: packetOverhead,
	blockJournal:        12,
	blockSecrets:        20,
	blockCustom:         16,
	blockCustomNoCopy:   16,
	blockProcess:        12,
}
