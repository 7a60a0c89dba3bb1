package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxBlock is the longest block that is read whole, in bytes; Wireshark's limit.
const maxBlock = 16 << 20

// zstdWindow is the longest window that is decompressed, zstd's own default.
const zstdWindow = 128 << 20

// Reader reads a record, or a capture that something else wrote: pcap or
// pcapng, in either byte order. Its methods are for one goroutine.
type Reader struct {
	path    string
	closers []io.Closer

	in     window
	format format
	block  int64  // offset of the current block
	number uint64 // of the last frame
	part   int    // of the record: a packet after statistics begins another
	told   bool   // statistics came after the last packet
	found  error  // why there is no frame after the last
	err    error  // what Next returns from now on: found, once all frames have been returned

	batch Batch // that Next returns the frames of
	at    int   // the next of them

	manifest *Manifest
	swap     bool // whether the file, or the section, is big endian

	pcap       pcapHeader
	interfaces []netInterface // of the current pcapng section
}

// format is what pcap and pcapng differ in, block by block; a pcap file's record
// is a block here.
type format struct {
	usual func([]Frame) []Frame      // appends the packets at hand, up to the first block that is anything else
	whole func() bool                // whether the next block is at hand to its end
	next  func(*Frame) (bool, error) // reads a block, and whether it is a packet
}

// Open opens a run directory, or a pcap or pcapng file; any may be compressed
// with zstd or gzip, whatever its name says. A file that is neither is a
// *FormatError. One that is cut off within its header opens; Next tells.
func Open(path string) (*Reader, error) {
	file, manifest, err := locate(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	r, err := newReader(file, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.closers = append(r.closers, f)
	if manifest != nil {
		r.manifest = manifest
	}
	return r, nil
}

// locate returns the capture file that path means and, if path is a run
// directory with a manifest.json, the manifest.
func locate(path string) (string, *Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("record: %w", err)
	}
	if !info.IsDir() {
		return path, nil, nil
	}
	manifest, err := LoadManifest(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	if file := Packets(path); file != "" {
		return file, manifest, nil
	}
	return "", nil, fmt.Errorf("record: %s is not a run directory: it has no %s", path, packetsFile)
}

// Packets returns the file of packets in dir, or "" if dir holds no record.
func Packets(dir string) string {
	for _, name := range packetsFiles() {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// packetsFiles returns the names that the packets may have in a run directory.
func packetsFiles() []string {
	return []string{packetsFile, packetsFile + ".zst", packetsFile + ".gz"}
}

// newReader reads from src, which errors call path.
func newReader(path string, src io.Reader) (*Reader, error) {
	r := &Reader{path: path}
	plain, err := r.decompress(bufio.NewReaderSize(src, 64<<10))
	if err == nil {
		r.in.ahead = readAhead(plain)
		err = r.begin()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // without a header: not an end but a cut
	}
	if err = r.explain(err); err != nil && !errors.As(err, new(*TruncatedError)) {
		return nil, errors.Join(err, r.Close())
	}
	r.found = err
	return r, nil
}

// decompress returns what src holds once decompressed.
func (r *Reader) decompress(src *bufio.Reader) (io.Reader, error) {
	magic, _ := src.Peek(4)
	switch {
	case string(magic) == "\x28\xb5\x2f\xfd": // RFC 8878, section 3.1.1
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		r.closers = append(r.closers, d.IOReadCloser())
		return d, nil
	case len(magic) > 1 && string(magic[:2]) == "\x1f\x8b": // RFC 1952, section 2.3.1
		return gzip.NewReader(src)
	}
	return src, nil
}

// begin tells the format by its first bytes and reads the file's header.
func (r *Reader) begin() error {
	magic, err := r.in.peek(4)
	if err != nil {
		return err
	}
	if r.u32(magic) == blockSection {
		r.format = format{r.usualPackets, r.wholeBlock, r.nextBlock}
		return r.section()
	}
	r.format = format{r.usualRecords, r.wholeRecord, r.nextRecord}
	return r.header()
}

// Next reads the next frame into f. At the end of the file it returns io.EOF;
// if the file ends within a block, a *TruncatedError; if a block is not what
// the format allows, a *FormatError; other errors are the disk's or the
// decompressor's. An error repeats on further calls. f.Data is valid until
// the next call.
func (r *Reader) Next(f *Frame) error {
	if r.at == len(r.batch.Frames) {
		r.batch.Release()
		r.batch, r.at = Batch{}, 0
		if err := r.NextBatch(&r.batch); err != nil {
			return err
		}
	}
	*f = r.batch.Frames[r.at]
	r.at++
	return nil
}

// NextBatch reads the next frames, at least one, into b, which has to be
// released. Errors are those of Next, after the frames before them. What b held
// before is not looked at.
func (r *Reader) NextBatch(b *Batch) error {
	if r.at < len(r.batch.Frames) { // which Next has not returned
		*b, r.batch = Batch{Frames: r.batch.Frames[r.at:], buffer: r.batch.buffer}, Batch{}
		r.at = 0
		return nil
	}
	*b = Batch{}
	if r.found == nil {
		r.found = r.explain(r.fill(b))
	}
	if len(b.Frames) == 0 {
		if r.err == nil {
			r.err = r.found
		}
		return r.err
	}
	return nil
}

// fill reads into b what is at hand, or up to the next packet if there is none.
func (r *Reader) fill(b *Batch) error {
	if err := r.in.own(); err != nil {
		return err
	}
	frames := r.in.buffer.frames[:0]
	var err error
	for {
		if r.told && len(frames) > 0 {
			break // for the next part
		}
		if !r.told {
			frames = r.format.usual(frames)
		}
		if len(frames) > 0 && !r.format.whole() {
			break
		}
		var f Frame
		var packet bool
		r.block = r.in.offset
		if packet, err = r.format.next(&f); err != nil {
			break
		}
		if packet {
			frames = append(frames, r.place(f))
		}
	}
	if len(frames) > 0 {
		b.Frames, b.buffer = frames, r.in.handOver()
		b.buffer.frames = frames
		b.buffer.holders.Store(1)
	}
	return err
}

// place tells a frame where in the capture it is.
func (r *Reader) place(f Frame) Frame {
	r.number++
	if r.told {
		r.part++
		r.told = false
	}
	f.Number, f.Offset, f.Part = r.number, r.block, r.part
	return f
}

// Manifest returns the manifest of a laserdisc record: manifest.json of a run
// directory, or else what the first section's comments hold, which is from the
// start of the scan. It is nil for other captures.
func (r *Reader) Manifest() *Manifest { return r.manifest }

// End returns when the capture ended, in nanoseconds since the Unix epoch, as
// the interface statistics tell. It is false before Next has returned io.EOF,
// and for a record that was not closed: a scan that was killed may leave a
// file that ends between two blocks.
func (r *Reader) End() (int64, bool) {
	if r.err != io.EOF || len(r.interfaces) == 0 || !r.told {
		return 0, false
	}
	var end int64
	for _, i := range r.interfaces {
		if !i.ended {
			return 0, false
		}
		end = max(end, i.end)
	}
	return end, true
}

// Close closes the file. What End says stays.
func (r *Reader) Close() error {
	if r.in.ahead != nil {
		r.in.ahead.close()
		r.in.ahead = nil
	}
	r.batch, r.at = Batch{}, 0
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c.Close())
	}
	r.closers = nil
	if r.err == nil {
		r.err = errClosed
	}
	return errors.Join(errs...)
}

// explain makes of an error from within the one that the caller sees.
func (r *Reader) explain(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *FormatError:
		return e
	}
	switch err {
	case io.EOF:
		return io.EOF
	case io.ErrUnexpectedEOF:
		return &TruncatedError{Path: r.path, Offset: r.block, Frame: r.number}
	}
	return fmt.Errorf("record: %s: block at byte %d, after frame %d: %w", r.path, r.block, r.number, err)
}

func (r *Reader) malformed(format string, args ...any) error {
	return &FormatError{Path: r.path, Offset: r.block, Frame: r.number, Problem: fmt.Sprintf(format, args...)}
}

// checkLengths holds a packet's lengths against the bounds.
func (r *Reader) checkLengths(captured, original uint32) error {
	if captured > MaxCapture {
		return r.malformed("%d bytes captured, more than the %d that a capture can hold", captured, MaxCapture)
	}
	if captured > original {
		return r.malformed("%d bytes captured of a packet of %d", captured, original)
	}
	return nil
}

func (r *Reader) u16(b []byte) uint16 {
	v := little.Uint16(b)
	if r.swap {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (r *Reader) u32(b []byte) uint32 {
	v := little.Uint32(b)
	if r.swap {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (r *Reader) u64(b []byte) uint64 {
	v := little.Uint64(b)
	if r.swap {
		v = bits.ReverseBytes64(v)
	}
	return v
}
