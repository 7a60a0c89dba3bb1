package record

// pcapHeader is what a pcap file says about all its packets
// (draft-ietf-opsawg-pcap, section 4).
type pcapHeader struct {
	link uint32
	unit int64 // of the fraction of a second, in nanoseconds
}

const (
	magicMicroseconds = 0xA1B2C3D4
	magicNanoseconds  = 0xA1B23C4D

	fileHeader   = 24 // bytes
	recordHeader = 16

	// linkTypeBits leaves out the length of the frame check sequence, which is
	// above it in the same word.
	linkTypeBits = 0x03FFFFFF
)

// header reads the header of a pcap file.
func (r *Reader) header() error {
	magic, err := r.in.peek(4)
	if err != nil {
		return err
	}
	if !r.pcapMagic(r.u32(magic)) {
		r.swap = true
		if !r.pcapMagic(r.u32(magic)) {
			return r.malformed("neither pcap nor pcapng: begins with % x", magic)
		}
	}
	b, err := r.in.peek(fileHeader)
	if err != nil {
		return err
	}
	if major, minor := r.u16(b[4:]), r.u16(b[6:]); major != 2 || minor != 4 {
		return r.malformed("pcap version %d.%d, not 2.4", major, minor)
	}
	r.pcap.link = r.u32(b[20:]) & linkTypeBits
	r.in.pass(fileHeader)
	return nil
}

// pcapMagic takes the unit of time from the magic number, if it is one.
func (r *Reader) pcapMagic(magic uint32) bool {
	switch magic {
	case magicMicroseconds:
		r.pcap.unit = 1e3
	case magicNanoseconds:
		r.pcap.unit = 1
	default:
		return false
	}
	return true
}

// nextRecord reads a packet of a pcap file (section 5).
func (r *Reader) nextRecord(f *Frame) (bool, error) {
	b, err := r.in.peek(recordHeader)
	if err != nil {
		return false, err
	}
	seconds, fraction := int64(r.u32(b)), int64(r.u32(b[4:]))
	captured, original := r.u32(b[8:]), r.u32(b[12:])
	if err := r.checkLengths(captured, original); err != nil {
		return false, err
	}
	if fraction*r.pcap.unit >= 1e9 {
		return false, r.malformed("fraction %d is a second or more", fraction)
	}
	n := recordHeader + int(captured)
	if b, err = r.in.peek(n); err != nil {
		return false, err
	}
	r.in.pass(n)
	f.Time = seconds*1e9 + fraction*r.pcap.unit
	f.Direction = Received
	f.LinkType = r.pcap.link
	f.Length = original
	f.Data = b[recordHeader:n:n]
	return true, nil
}

// wholeRecord reports whether the next packet is at hand to its end.
func (r *Reader) wholeRecord() bool {
	b := r.in.rest
	return len(b) >= recordHeader && uint64(r.u32(b[8:])) <= uint64(len(b)-recordHeader)
}

// usualRecords appends the packets at hand, up to the first that is wrong, which
// is for nextRecord.
func (r *Reader) usualRecords(frames []Frame) []Frame {
	b, offset := r.in.rest, r.in.offset
	for len(b) >= recordHeader {
		captured, original := r.u32(b[8:]), r.u32(b[12:])
		ns := int64(r.u32(b[4:])) * r.pcap.unit
		if captured > MaxCapture || captured > original || int(captured) > len(b)-recordHeader || ns >= 1e9 {
			break
		}
		length := recordHeader + int(captured)
		r.number++
		frames = append(frames, Frame{
			Number: r.number, Offset: offset, Time: int64(r.u32(b))*1e9 + ns, Direction: Received,
			LinkType: r.pcap.link, Length: original, Data: b[recordHeader:length:length],
		})
		b = b[length:]
		offset += int64(length)
	}
	r.in.pass(len(r.in.rest) - len(b))
	return frames
}
