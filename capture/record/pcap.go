package record

// pcapHeader is what a pcap file says about all its packets
// (draft-ietf-opsawg-pcap, section 4).
type pcapHeader struct {
	link   uint32
	unit   int64 // of the fraction of a second, in nanoseconds
	header int   // bytes of a record's header
	either bool  // the two lengths of a packet come in either order
}

const (
	magicMicroseconds = 0xA1B2C3D4
	magicNanoseconds  = 0xA1B23C4D

	// magicKuznetzov is that of files whose records have 8 bytes more: interface, protocol, kind of packet. What else has it is told
	// from the packets by Wireshark alone.
	magicKuznetzov = 0xA1B2CD34

	// Ixia's, of hardware and of software, have the length of all records behind the header. Wireshark reads both as microseconds.
	magicIxiaHardware = 0x1C0001AC
	magicIxiaSoftware = 0x1C0001AB

	fileHeader      = 24 // bytes
	recordHeader    = 16
	kuznetzovHeader = 24

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
	length := fileHeader
	if m := r.u32(magic); m == magicIxiaHardware || m == magicIxiaSoftware {
		length += 4
	}
	b, err := r.in.peek(length)
	if err != nil {
		return err
	}
	// The two lengths changed places with version 2.3, and not in all that claims to be 2.3 or is of DG/UX, which wrote 543.0. There is
	// no need to know which order a file has: what was captured is never the longer one.
	switch major, minor := r.u16(b[4:]), r.u16(b[6:]); {
	case major == 2 && minor == 4:
	case major == 2 && minor < 4, major == 543 && minor == 0:
		r.pcap.either = true
	default:
		return r.malformed("pcap version %d.%d, not 2.0 to 2.4", major, minor)
	}
	r.pcap.link = r.u32(b[20:]) & linkTypeBits
	r.in.pass(length)
	return nil
}

// pcapMagic takes the unit of time and the length of headers from the magic number, if it is one.
func (r *Reader) pcapMagic(magic uint32) bool {
	r.pcap.unit, r.pcap.header = 1e3, recordHeader
	switch magic {
	case magicMicroseconds, magicIxiaHardware, magicIxiaSoftware:
	case magicNanoseconds:
		r.pcap.unit = 1
	case magicKuznetzov:
		r.pcap.header = kuznetzovHeader
	default:
		return false
	}
	return true
}

// pcapRecord is the header of a packet (section 5).
type pcapRecord struct {
	seconds, fraction  uint32
	captured, original uint32
}

func (r *Reader) record(b []byte) pcapRecord {
	p := pcapRecord{r.u32(b), r.u32(b[4:]), r.u32(b[8:]), r.u32(b[12:])}
	if r.pcap.either && p.captured > p.original {
		p.captured, p.original = p.original, p.captured
	}
	return p
}

// time is in nanoseconds since the Unix epoch, whatever the fraction.
func (r *Reader) recordTime(p pcapRecord) int64 {
	return int64(p.seconds)*1e9 + int64(p.fraction)*r.pcap.unit
}

// nextRecord reads a packet of a pcap file.
func (r *Reader) nextRecord(f *Frame) (bool, error) {
	b, err := r.in.peek(r.pcap.header)
	if err != nil {
		return false, err
	}
	p := r.record(b)
	if r.salvage {
		if err := r.judgeRecord(&p); err != nil {
			return false, err
		}
	} else if err := r.checkRecord(p); err != nil {
		return false, err
	}
	n := r.pcap.header + int(p.captured)
	if b, err = r.in.peek(n); err != nil {
		return false, err
	}
	r.in.pass(n)
	f.Time, r.seconds = r.recordTime(p), p.seconds
	f.Direction = Received
	f.LinkType = r.pcap.link
	f.Length = p.original
	f.Data = b[r.pcap.header:n:n]
	return true, nil
}

func (r *Reader) checkRecord(p pcapRecord) error {
	if err := r.checkLengths(p.captured, p.original); err != nil {
		return err
	}
	if int64(p.fraction)*r.pcap.unit >= 1e9 {
		return r.malformed("fraction %d is a second or more", p.fraction)
	}
	return nil
}

// wholeRecord reports whether the next packet is at hand, with all that it takes to judge it.
func (r *Reader) wholeRecord() bool {
	b := r.in.rest
	if len(b) < r.pcap.header {
		return false
	}
	if r.salvage {
		_, _, more := r.judge(b, false)
		return !more
	}
	return uint64(r.record(b).captured) <= uint64(len(b)-r.pcap.header)
}

// usualRecords appends the packets at hand, up to the first that is wrong, which
// is for nextRecord.
func (r *Reader) usualRecords(frames []Frame) []Frame {
	b, offset, header := r.in.rest, r.in.offset, r.pcap.header
	for len(b) >= header {
		p := r.record(b)
		ns := int64(p.fraction) * r.pcap.unit
		if p.captured > MaxCapture || p.captured > p.original || int(p.captured) > len(b)-header || ns >= 1e9 {
			break
		}
		length := header + int(p.captured)
		if r.salvage && !(r.usual(p) && len(b)-length >= header && r.usual(r.record(b[length:]))) {
			break
		}
		r.number++
		frames = append(frames, Frame{
			Number: r.number, Offset: offset, Time: int64(p.seconds)*1e9 + ns, Direction: Received,
			LinkType: r.pcap.link, Length: p.original, Data: b[header:length:length],
		})
		b = b[length:]
		offset += int64(length)
	}
	if len(frames) > 0 {
		r.seconds = uint32(frames[len(frames)-1].Time / 1e9)
	}
	r.in.pass(len(r.in.rest) - len(b))
	return frames
}
