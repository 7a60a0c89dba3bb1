package record

import (
	"errors"
	"io"
	"math"
	"math/bits"
	"slices"
)

// netInterface is an interface of a section (4.2).
type netInterface struct {
	link      uint32
	snap      uint32 // longest capture, for simple packets; 0 is no limit
	direction Direction
	clock     clock
	delivered uint64 // frames before its last statistics, if these say so
	counted   bool
	end       int64 // nanoseconds, from its statistics
	ended     bool
}

// maxInterfaces of a section; an obsolete packet block can name no more.
const maxInterfaces = 1 << 16

// nextBlock reads a block, and whether it is a packet.
func (r *Reader) nextBlock(f *Frame) (bool, error) {
	head, err := r.in.peek(8)
	if err != nil {
		return false, err
	}
	r.kind = r.u32(head)
	switch r.kind {
	case blockEnhancedPacket:
		return true, r.enhancedPacket(f)
	case blockSimplePacket:
		return true, r.simplePacket(f)
	case blockPacket:
		return true, r.obsoletePacket(f)
	case blockSection:
		return false, r.section()
	case blockInterface:
		return false, r.addInterface()
	case blockStatistics:
		return false, r.harmless(r.statistics())
	case blockJournal, blockCustom, blockCustomNoCopy:
		err = r.skipBlock()
		r.number++ // Wireshark numbers these among the packets
		return false, err
	}
	if r.salvage {
		return false, r.harmless(r.otherBlock())
	}
	return false, r.skipBlock()
}

// otherBlock passes a block of a capture that has no packets. One of a kind that is not known may have been one that has.
func (r *Reader) otherBlock() error {
	b, err := r.body(0)
	switch {
	case err != nil:
		return err
	case r.kind == blockSecrets, r.kind == blockProcess:
		return nil
	case r.kind != blockNames:
		return r.malformed("block of type %#x, which is not known", r.kind)
	}
	for { // records like options, and options (4.5)
		code, _, rest, err := r.option(b)
		if err != nil {
			return err
		}
		if code == 0 {
			break
		}
		b = rest
	}
	_, err = r.comments(b[4:])
	return err
}

// harmless makes of an error within a block without a packet one that is counted only, in a capture that is no record.
func (r *Reader) harmless(err error) error {
	if r.salvage && r.in.offset > r.block && errors.As(err, new(*FormatError)) {
		r.odd(oddBlock, r.number)
		return nil
	}
	return err
}

// wholeBlock reports whether the next block is at hand to its end, so that reading
// it does not read on. A section header, whose length may be in another byte
// order, counts as one that is not.
func (r *Reader) wholeBlock() bool {
	b := r.in.rest
	if len(b) < 12 || r.u32(b) == blockSection {
		return false
	}
	n := r.u32(b[4:])
	return n >= 12 && uint64(n) <= uint64(len(b)) && r.u32(b[n-4:]) == n
}

// usualPackets appends the frames at hand, up to the first block that is not an
// enhanced packet, little endian, without options, its time in nanoseconds: what
// nearly every block of a record is. All other blocks, wrong ones too, are for
// nextBlock.
func (r *Reader) usualPackets(frames []Frame) []Frame {
	if r.swap {
		return frames
	}
	b, offset := r.in.rest, r.in.offset
	for len(b) >= packetOverhead {
		length := little.Uint32(b[4:])
		if little.Uint32(b) != blockEnhancedPacket || uint64(length) > uint64(len(b)) {
			break
		}
		number := little.Uint32(b[8:])
		ns := uint64(little.Uint32(b[12:]))<<32 | uint64(little.Uint32(b[16:]))
		captured, original := little.Uint32(b[20:]), little.Uint32(b[24:])
		if captured > MaxCapture || captured > original || length != packetOverhead+(captured+3)&^3 ||
			little.Uint32(b[length-4:]) != length || ns > math.MaxInt64 || uint64(number) >= uint64(len(r.interfaces)) {
			break
		}
		i := &r.interfaces[number]
		if i.clock != nanosecondClock {
			break
		}
		r.number++
		frames = slices.Grow(frames, 1)[:len(frames)+1]
		f := &frames[len(frames)-1] // in place: this is most of what a packet costs
		f.Number, f.Offset, f.Part, f.Time = r.number, offset, r.part, int64(ns)
		f.Direction, f.LinkType, f.Length = i.direction, i.link, original
		f.Data = b[28 : 28+captured : 28+captured]
		b = b[length:]
		offset += int64(length)
	}
	r.in.pass(len(r.in.rest) - len(b))
	return frames
}

// length returns the length of the block at hand, which is in its second word
// and last (3.1).
func (r *Reader) length() (uint32, error) {
	head, err := r.in.peek(8)
	if err != nil {
		return 0, err
	}
	n := r.u32(head[4:])
	if n < 12 || n%4 != 0 {
		zeros := 8
		if n == 0 {
			zeros = 4
		}
		if n%4 == 0 && r.endsInZeros(zeros) { // the first byte of a length is there or not, so that it goes into 4
			return 0, io.ErrUnexpectedEOF // a power cut leaves zeros where data did not reach the disk
		}
		return 0, r.malformed("length %d, not a multiple of 4 from 12", n)
	}
	return n, nil
}

// body reads the block at hand and returns what is between its lengths, which
// must be least bytes.
func (r *Reader) body(least int) ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	if int(n) < least+12 || n > maxBlock {
		if r.endsInZeros(8) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, r.malformed("length %d, not within %d and %d", n, least+12, maxBlock)
	}
	b, err := r.in.peek(int(n))
	if err != nil {
		return nil, err
	}
	if err := r.checkTrailer(int(n)-4, n); err != nil {
		return nil, err
	}
	r.in.pass(int(n))
	return b[8 : n-4], nil
}

// skipBlock passes a block that has nothing for us, without holding it.
func (r *Reader) skipBlock() error {
	if r.salvage { // which would look for others within it, were its length wrong
		_, err := r.body(0)
		return err
	}
	n, err := r.length()
	if err != nil {
		return err
	}
	if err := r.in.skip(int64(n) - 4); err != nil {
		return err
	}
	_, err = r.in.peek(4)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if err := r.checkTrailer(0, n); err != nil {
		return err
	}
	r.in.pass(4)
	return nil
}

// checkTrailer compares the length of a block with that at its end, which is at
// hand, so many bytes on.
func (r *Reader) checkTrailer(at int, n uint32) error {
	trailer := r.u32(r.in.rest[at:])
	if r.begins(trailer, n) && r.endsInZeros(at+3) {
		return io.ErrUnexpectedEOF
	}
	if trailer != n {
		return r.malformed("length %d at its start, %d at its end", n, trailer)
	}
	return nil
}

// begins reports whether a word of the file has some of the bytes of another, or none, and then zeros.
func (r *Reader) begins(word, whole uint32) bool {
	if r.swap {
		word, whole = bits.ReverseBytes32(word), bits.ReverseBytes32(whole)
	}
	for n := range 4 {
		if word == whole&(1<<(8*n)-1) && word != whole {
			return true
		}
	}
	return false
}

// endsInZeros reports whether zeros alone are left, from the n-th byte at hand on, which it passes whatever they are. What is to be
// taken up again keeps them.
func (r *Reader) endsInZeros(n int) bool { return !r.salvage && r.in.onlyZeros(n) }

// section reads a section header (4.1): the byte order, and no interfaces yet.
// The first of a file may have our manifest.
func (r *Reader) section() error {
	head, err := r.in.peek(12)
	if err != nil {
		return err
	}
	r.swap = false
	if r.u32(head[8:]) != byteOrderMagic {
		r.swap = true
	}
	if r.u32(head[8:]) != byteOrderMagic {
		if r.endsInZeros(11) { // the last byte of the magic number is not
			return io.ErrUnexpectedEOF
		}
		return r.malformed("byte-order magic % x", head[8:])
	}
	b, err := r.body(16)
	if err != nil {
		return err
	}
	// Some wrote 1.2 for the same format (4.1).
	if major, minor := r.u16(b[4:]), r.u16(b[6:]); major != 1 || minor != 0 && minor != 2 {
		return r.malformed("pcapng version %d.%d, not 1.0", major, minor)
	}
	r.interfaces, r.sectionAt = r.interfaces[:0], r.number
	comment, err := r.comments(b[16:])
	if r.block == 0 {
		r.comment = comment
	}
	return err
}

// comments joins the comments among options.
func (r *Reader) comments(options []byte) ([]byte, error) {
	var all []byte
	for len(options) > 0 {
		code, value, rest, err := r.option(options)
		if err != nil {
			return nil, err
		}
		if code == optComment {
			all = append(all, value...)
		}
		options = rest
	}
	return all, nil
}

// manifestIn returns the manifest that a comment is, or nil if it is another.
func manifestIn(comment []byte) (*Manifest, error) {
	m, err := parseManifest(comment)
	if errors.Is(err, errNoManifest) {
		return nil, nil
	}
	return m, err
}

// option takes the first of the options (3.5). Nothing is left after the one
// that ends them, for which the code is optEnd.
func (r *Reader) option(b []byte) (code uint16, value, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, nil, r.malformed("option of %d bytes", len(b))
	}
	code = r.u16(b)
	if code == optEnd {
		return code, nil, nil, nil
	}
	n := int(r.u16(b[2:]))
	padded := (n + 3) &^ 3
	if b = b[4:]; padded > len(b) {
		return 0, nil, nil, r.malformed("option %d of %d bytes where %d are left", code, n, len(b))
	}
	return code, b[:n], b[padded:], nil
}

// addInterface reads an interface description (4.2).
func (r *Reader) addInterface() error {
	b, err := r.body(8)
	if err != nil {
		return err
	}
	if len(r.interfaces) == maxInterfaces {
		return r.malformed("more than %d interfaces", maxInterfaces)
	}
	i := netInterface{link: uint32(r.u16(b)), snap: r.u32(b[4:]), direction: Received, clock: microseconds}
	for options := b[8:]; len(options) > 0; {
		code, value, rest, err := r.option(options)
		if err != nil {
			return err
		}
		if err := r.interfaceOption(&i, code, value); err != nil {
			return err
		}
		options = rest
	}
	r.interfaces = append(r.interfaces, i)
	return nil
}

func (r *Reader) interfaceOption(i *netInterface, code uint16, value []byte) error {
	switch code {
	case optName:
		if string(value) == Sent.String() {
			i.direction = Sent
		}
	case optResolution:
		if len(value) != 1 {
			return r.malformed("if_tsresol of %d bytes, not 1", len(value))
		}
		i.clock.resolve(value[0])
	case optOffset:
		if len(value) != 8 {
			return r.malformed("if_tsoffset of %d bytes, not 8", len(value))
		}
		i.clock.offset = int64(r.u64(value))
	}
	return nil
}

// netInterface returns the interface with a number in the current section.
func (r *Reader) netInterface(number uint32) (*netInterface, error) {
	if int64(number) >= int64(len(r.interfaces)) {
		return nil, r.malformed("interface %d of %d", number, len(r.interfaces))
	}
	return &r.interfaces[number], nil
}

// time reads a time: the high half first, whatever the byte order.
func (r *Reader) time(i *netInterface, b []byte) (int64, error) {
	ticks := uint64(r.u32(b))<<32 | uint64(r.u32(b[4:]))
	ns, ok := i.clock.nanoseconds(ticks)
	if !ok {
		return 0, r.malformed("time %d is not within the years 1678 to 2262", ticks)
	}
	return ns, nil
}

// statistics reads the end time and the count in an interface's statistics (4.6).
func (r *Reader) statistics() error {
	b, err := r.body(12)
	if err != nil {
		return err
	}
	i, err := r.netInterface(r.u32(b))
	if err != nil {
		return err
	}
	for options := b[12:]; len(options) > 0; {
		code, value, rest, err := r.option(options)
		if err != nil {
			return err
		}
		if code == optEndTime {
			if len(value) != 8 {
				return r.malformed("isb_endtime of %d bytes, not 8", len(value))
			}
			if i.end, err = r.time(i, value); err != nil {
				return err
			}
			i.ended, r.told = true, true
		}
		if code == optDelivered {
			if len(value) != 8 {
				return r.malformed("isb_usrdeliv of %d bytes, not 8", len(value))
			}
			i.delivered, i.counted = r.u64(value), true
		}
		options = rest
	}
	return nil
}

// enhancedPacket reads an enhanced packet (4.3).
func (r *Reader) enhancedPacket(f *Frame) error {
	b, err := r.body(20)
	if err != nil {
		return err
	}
	return r.timedPacket(f, r.u32(b), b[4:])
}

// obsoletePacket reads what came before enhanced packets (appendix A): its
// interface has 16 bits, a drop count the others.
func (r *Reader) obsoletePacket(f *Frame) error {
	b, err := r.body(20)
	if err != nil {
		return err
	}
	return r.timedPacket(f, uint32(r.u16(b)), b[4:])
}

// timedPacket reads what enhanced and obsolete packets have in common: time,
// lengths, data, options.
func (r *Reader) timedPacket(f *Frame, number uint32, b []byte) error {
	i, err := r.netInterface(number)
	if err != nil {
		return err
	}
	ns, err := r.time(i, b)
	if err != nil && r.salvage {
		r.odd(oddTime, r.number+1)
		f.Untimed = true
	} else if err != nil {
		return err
	}
	captured, original := r.u32(b[8:]), r.u32(b[12:])
	if err := r.checkLengths(captured, original); err != nil {
		return err
	}
	b = b[16:]
	padded := (int(captured) + 3) &^ 3
	if padded > len(b) {
		return r.malformed("%d bytes captured, but %d in the block", captured, len(b))
	}
	f.Time = ns
	f.Direction = i.direction
	f.LinkType = i.link
	f.Length = r.wireLength(captured, original)
	f.Data = b[:captured:captured]
	return r.packetOptions(f, b[padded:])
}

// packetOptions takes the direction from the flags (4.3.1), where a capture
// has them.
func (r *Reader) packetOptions(f *Frame, b []byte) error {
	for len(b) > 0 {
		code, value, rest, err := r.option(b)
		if err != nil && r.salvage {
			r.odd(oddOptions, r.number+1)
			return nil
		}
		if err != nil {
			return err
		}
		if code == optFlags && len(value) == 4 {
			switch r.u32(value) & 3 {
			case 1:
				f.Direction = Received
			case 2:
				f.Direction = Sent
			}
		}
		b = rest
	}
	return nil
}

// simplePacket reads a simple packet (4.4): of the first interface, no time.
func (r *Reader) simplePacket(f *Frame) error {
	b, err := r.body(4)
	if err != nil {
		return err
	}
	i, err := r.netInterface(0)
	if err != nil {
		return err
	}
	original := r.u32(b)
	captured := original
	if i.snap > 0 {
		captured = min(captured, i.snap)
	}
	if err := r.checkLengths(captured, original); err != nil {
		return err
	}
	if int(captured) > len(b)-4 {
		return r.malformed("%d bytes captured, but %d in the block", captured, len(b)-4)
	}
	f.Time, f.Untimed = 0, true
	f.Direction = i.direction
	f.LinkType = i.link
	f.Length = original
	f.Data = b[4 : 4+captured : 4+captured]
	return nil
}

// clock turns the ticks of an interface into nanoseconds.
type clock struct {
	multiply, divide uint64 // ns = ticks * multiply / divide >> shift
	shift            uint
	offset           int64 // seconds
}

// microseconds are the ticks of an interface that says nothing (4.2).
var microseconds = clock{multiply: 1000, divide: 1}

// nanosecondClock is that of an interface of ours.
var nanosecondClock = clock{multiply: 1, divide: 1}

// resolve sets the ticks per second from if_tsresol: a power of 10 or, with
// the top bit, of 2.
func (c *clock) resolve(resolution byte) {
	c.multiply, c.divide, c.shift = 1, 1, 0
	exponent := uint(resolution & 0x7F)
	if resolution&0x80 != 0 {
		c.multiply, c.shift = 1e9, exponent
		return
	}
	for ; exponent < 9; exponent++ {
		c.multiply *= 10
	}
	for ; exponent > 9; exponent-- {
		if c.divide > math.MaxUint64/10 {
			c.multiply = 0 // a tick so short that 2^64 of them are no nanosecond
			return
		}
		c.divide *= 10
	}
}

// nanoseconds is false if the time is beyond what 64 bits hold.
func (c *clock) nanoseconds(ticks uint64) (int64, bool) {
	high, low := bits.Mul64(ticks, c.multiply)
	if c.shift >= 64 {
		high, low = 0, high>>(c.shift-64)
	} else {
		high, low = high>>c.shift, low>>c.shift|high<<(64-c.shift)
	}
	if high > 0 || low/c.divide > math.MaxInt64 {
		return 0, false
	}
	ns := int64(low / c.divide)
	if c.offset == 0 {
		return ns, true
	}
	return addSeconds(ns, c.offset)
}

func addSeconds(ns, seconds int64) (int64, bool) {
	const most = math.MaxInt64 / int64(1e9)
	if seconds > most || seconds < -most {
		return 0, false
	}
	sum := ns + seconds*1e9
	return sum, sum >= ns == (seconds >= 0)
}
