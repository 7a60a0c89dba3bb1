package anonymize

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"os"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
)

// Result is what became of a record's frames.
type Result struct {
	Packets   uint64 // frames read and written
	Blank     uint64 // of these: neither TCP nor an ICMP error about it, or malformed, or cut short
	Relabeled uint64 // streams that a signature takes for something else than before: there should be none
	First     string // of them, in the order of their ends: which they are, and both labels
}

// A record is dealt by connection to files so that one of them is held in memory at a time.
const (
	shareSize = 16 << 20 // of the record's bytes, about, for each file
	maxShares = 256
	maxShare  = 1 << 30 // bytes that one may have
)

// Record writes the frames of the run or capture at path, anonymized, as one pcapng capture. It has as many frames, in the same
// order, of the same lengths, times and directions. temporary is the directory of temporary files, which need as much room as the
// record. A record that is cut off ends there, for its tables do; one that is damaged is an error.
func (k *Key) Record(ctx context.Context, path string, w io.Writer, temporary string) (*Result, error) {
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m := r.Manifest()
	if m != nil {
		m = k.Manifest(m)
	}
	_, size := r.Position()
	d := &dealt{shares: make([]share, min(max(1, size/shareSize), maxShares)), seed: maphash.MakeSeed()}
	defer d.close()
	for i := range d.shares {
		if err := d.shares[i].create(temporary); err != nil {
			return nil, fmt.Errorf("anonymize: %w", err)
		}
	}
	result := new(Result)
	if err := d.read(ctx, r, result); err != nil {
		return nil, fmt.Errorf("anonymize: %w", err)
	}
	for i := range d.shares {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := k.share(&d.shares[i], result); err != nil {
			return nil, fmt.Errorf("anonymize: %w", err)
		}
	}
	out, err := record.NewCaptureWriter(w, m)
	if err != nil {
		return nil, err
	}
	if err := d.merge(ctx, out); err != nil {
		return nil, fmt.Errorf("anonymize: %w", err)
	}
	return result, out.Flush()
}

// dealt are a record's frames, those of a connection in one file.
type dealt struct {
	shares []share
	seed   maphash.Seed // which file it is changes nothing
}

// share is one file, of frames in their order.
type share struct {
	file *os.File
	w    *bufio.Writer
	size int
}

func (s *share) create(dir string) (err error) {
	if s.file, err = os.CreateTemp(dir, "laserdisc-"); err != nil {
		return err
	}
	s.w = bufio.NewWriterSize(s.file, 64<<10)
	return os.Remove(s.file.Name())
}

func (d *dealt) close() {
	for _, s := range d.shares {
		if s.file != nil {
			s.file.Close()
		}
	}
}

// frameHeader is the length of what stands before a frame in a file: number, time, direction, link type and length.
const frameHeader = 8 + 8 + 1 + 4 + 4

func (d *dealt) read(ctx context.Context, r *record.Reader, result *Result) error {
	var header [frameHeader]byte
	for ctx.Err() == nil {
		var b record.Batch
		err := r.NextBatch(&b)
		if errors.Is(err, io.EOF) || errors.As(err, new(*record.TruncatedError)) && result.Packets > 0 {
			for i := range d.shares {
				if err := d.shares[i].w.Flush(); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Frames {
			f := &b.Frames[i]
			result.Packets++
			binary.LittleEndian.PutUint64(header[0:], result.Packets)
			binary.LittleEndian.PutUint64(header[8:], uint64(f.Time))
			header[16] = byte(f.Direction)
			binary.LittleEndian.PutUint32(header[17:], f.LinkType)
			binary.LittleEndian.PutUint32(header[21:], uint32(len(f.Data)))
			s := &d.shares[d.of(f)]
			if s.size += frameHeader + len(f.Data); s.size > maxShare {
				return fmt.Errorf("frame %d: more than %d bytes are of few connections", f.Number, maxShare)
			}
			if _, err := s.w.Write(header[:]); err != nil {
				return err
			}
			if _, err := s.w.Write(f.Data); err != nil {
				return err
			}
		}
		b.Release()
	}
	return context.Cause(ctx)
}

// of is the file for a frame: both directions of a connection, and ICMP errors about it, have one.
func (d *dealt) of(f *record.Frame) int {
	var s packet.Segment
	if s.Decode(f.LinkType, f.Data) != nil {
		return 0
	}
	a, b := s.Src, s.Dst
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return int(maphash.Comparable(d.seed, [2]netip.AddrPort{a, b}) % uint64(len(d.shares)))
}

// held is a frame in memory.
type held struct {
	packet.Segment
	link uint32
	data []byte
	tcp  bool // whether it was decoded
}

// share anonymizes the frames of one file, in place.
func (k *Key) share(s *share, result *Result) error {
	content := make([]byte, s.size)
	if _, err := s.file.ReadAt(content, 0); err != nil {
		return err
	}
	var frames []held
	for b := content; len(b) > 0; {
		length := frameHeader + int(binary.LittleEndian.Uint32(b[21:]))
		h := held{link: binary.LittleEndian.Uint32(b[17:]), data: b[frameHeader:length]}
		h.tcp = h.Decode(h.link, h.data) == nil
		h.Number = binary.LittleEndian.Uint64(b)
		frames = append(frames, h)
		b = b[length:]
	}
	k.streams(frames, result)
	for i := range frames {
		h := &frames[i]
		if h.tcp {
			k.headers(h.link, h.data, &h.Segment)
		} else {
			k.blank(h.link, h.data)
			result.Blank++
		}
	}
	_, err := s.file.WriteAt(content, 0)
	return err
}

// ends are those of one direction of a connection.
type ends struct{ from, to netip.AddrPort }

// stream is what one end sent to the other in one connection, from the sequence number base.
type stream struct {
	base   uint32
	pieces []piece
}

// piece is a segment's payload, so many bytes from base.
type piece struct {
	at   uint32
	data []byte
}

// farthest is how far behind the beginning of a stream a segment can be that is of it.
const farthest = 1 << 30

// streams anonymizes the payloads of TCP segments. A stream is put together first, for a name may be in two segments, and what is
// sent again must stay the same.
func (k *Key) streams(frames []held, result *Result) {
	open := make(map[ends]*stream)
	for i := range frames {
		s := &frames[i].Segment
		if !frames[i].tcp || s.ICMP != 0 {
			continue
		}
		e := ends{s.Src, s.Dst}
		at := s.Seq
		if s.Flags.Has(packet.SYN) {
			at++
		}
		if s.Flags.Has(packet.RST) { // what is in a reset is of no stream
			k.Payload(s.Payload, s.Src.Addr(), s.Dst.Addr())
			continue
		}
		if len(s.Payload) == 0 && !s.Flags.Has(packet.SYN) {
			continue
		}
		t := open[e]
		if t == nil || s.Flags.Has(packet.SYN) && t.base != at || at-t.base > farthest {
			if t != nil {
				k.stream(e, t, result)
			}
			t = &stream{base: at}
			open[e] = t
		}
		if len(s.Payload) > 0 {
			t.pieces = append(t.pieces, piece{at - t.base, s.Payload})
		}
	}
	for e, t := range open {
		k.stream(e, t, result)
	}
}

// stream anonymizes a stream, by stretches that have no gap. Of bytes that were sent in two versions the first counts; another is
// anonymized by itself.
func (k *Key) stream(e ends, t *stream, result *Result) {
	list := slices.Clone(t.pieces)
	slices.SortStableFunc(list, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	for len(list) > 0 {
		start, n := list[0].at, 1
		end := start + uint32(len(list[0].data))
		for n < len(list) && list[n].at <= end {
			end = max(end, list[n].at+uint32(len(list[n].data)))
			n++
		}
		whole := make([]byte, end-start)
		for i := len(t.pieces) - 1; i >= 0; i-- { // so that the first to come is what stays
			if p := t.pieces[i]; p.at >= start && p.at < end {
				copy(whole[p.at-start:], p.data)
			}
		}
		before := bytes.Clone(whole)
		k.Payload(whole, e.from.Addr(), e.to.Addr())
		if start == 0 {
			result.compare(e, before, whole)
		}
		for _, p := range list[:n] {
			if from := p.at - start; bytes.Equal(p.data, before[from:int(from)+len(p.data)]) {
				copy(p.data, whole[from:])
			} else {
				k.Payload(p.data, e.from.Addr(), e.to.Addr())
			}
		}
		list = list[n:]
	}
}

// compare counts a stream whose label is another.
func (r *Result) compare(e ends, before, after []byte) {
	const limit = 16384 // bytes of a response that a scan keeps
	var was, is handshake.Verdict
	handshake.Classify(&was, nil, before[:min(len(before), limit)])
	handshake.Classify(&is, nil, after[:min(len(after), limit)])
	if was.Label == is.Label && was.Evidence == is.Evidence {
		return
	}
	r.Relabeled++
	text := fmt.Sprintf("from %v to %v: %s (%v) became %s (%v)", e.from, e.to, was.Label, was.Evidence, is.Label, is.Evidence)
	if r.First == "" || text < r.First {
		r.First = text
	}
}

// merge puts the frames of all files into their order.
func (d *dealt) merge(ctx context.Context, out *record.CaptureWriter) error {
	type head struct {
		r      *bufio.Reader
		left   int
		number uint64
	}
	heads := make([]head, len(d.shares))
	var header [frameHeader]byte
	next := func(h *head) error {
		h.number = 0
		if h.left == 0 {
			return nil
		}
		b, err := h.r.Peek(8)
		if err == nil {
			h.number = binary.LittleEndian.Uint64(b)
		}
		return err
	}
	for i := range d.shares {
		heads[i] = head{r: bufio.NewReaderSize(io.NewSectionReader(d.shares[i].file, 0, int64(d.shares[i].size)), 64<<10), left: d.shares[i].size}
		if err := next(&heads[i]); err != nil {
			return err
		}
	}
	at := make(map[uint64]int) // by the number of its next frame
	for i := range heads {
		if heads[i].number != 0 {
			at[heads[i].number] = i
		}
	}
	var data []byte
	for number := uint64(1); len(at) > 0; number++ {
		if number%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		i := at[number] // frames are numbered without a gap: one of the files has it next
		h := &heads[i]
		delete(at, number)
		if _, err := io.ReadFull(h.r, header[:]); err != nil {
			return err
		}
		data = slices.Grow(data[:0], int(binary.LittleEndian.Uint32(header[21:])))[:binary.LittleEndian.Uint32(header[21:])]
		if _, err := io.ReadFull(h.r, data); err != nil {
			return err
		}
		f := record.Frame{
			Time: int64(binary.LittleEndian.Uint64(header[8:])), Direction: record.Direction(header[16]),
			LinkType: binary.LittleEndian.Uint32(header[17:]), Data: data,
		}
		if err := out.Packet(&f); err != nil {
			return err
		}
		h.left -= frameHeader + len(data)
		if err := next(h); err != nil {
			return err
		}
		if h.number != 0 {
			at[h.number] = i
		}
	}
	return nil
}
