package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdFrame is how many bytes are gathered for a frame of zstd: longer ones
	// compress packets by less than 1 % better.
	zstdFrame = 4 << 20

	// maxZstdFrame is the longest frame that is decompressed as a whole, in bytes,
	// before and after: the longest section header, or what is gathered, fits.
	maxZstdFrame = maxBlock + 1<<20

	// zstdWindow is the longest window that is decompressed, zstd's own default.
	zstdWindow = 128 << 20
)

var errNotAChunk = errors.New("not a frame as chunks have them")

// zstdMagic begins a frame (RFC 8878, section 3.1.1).
var zstdMagic = []byte("\x28\xb5\x2f\xfd")

// newEncoder makes frames that say how long they are.
func newEncoder() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true))
}

// damage says what of a compressed chunk cannot be read. What is behind it may be.
type damage struct {
	offset  int64 // in the file, of the frame of zstd
	problem error
}

func (d *damage) Error() string { return fmt.Sprintf("zstd frame at byte %d: %v", d.offset, d.problem) }

// zstdReader decompresses a chunk frame by frame: nothing of a frame is used
// whose checksum is wrong, and reading takes up again behind it. A file that does
// not begin with a frame of ours is decompressed as one stream.
type zstdReader struct {
	src    *tailReader
	space  []byte
	held   []byte // in space: has been read, from the next frame on
	end    error  // of src, once it has ended
	offset int64  // of held in the file

	decoder *zstd.Decoder
	wasted  int    // bytes that may have been decompressed in vain
	plain   []byte // of the last frame
	unread  []byte // of plain
	stream  *zstd.Decoder

	passed int64                   // bytes of the frames before plain, decompressed
	began  func(plain, file int64) // called for each frame before anything of it is read: where it begins; may be nil
}

func newZstdReader(src io.Reader) (*zstdReader, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxZstdFrame))
	if err != nil {
		return nil, err
	}
	z := &zstdReader{src: &tailReader{src: src}, decoder: d}
	n, err := z.whole()
	if err == nil {
		z.plain, err = d.DecodeAll(z.held[:n], nil)
	}
	if err == nil && isOurs(z.plain) {
		z.unread = z.plain
		z.drop(n)
		return z, nil
	}
	z.stream, err = zstd.NewReader(io.MultiReader(bytes.NewReader(z.held), z.src),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	return z, err
}

func (z *zstdReader) close() {
	z.decoder.Close()
	if z.stream != nil {
		z.stream.Close()
	}
}

// Read returns a *damage where something is missing, and then goes on behind it.
func (z *zstdReader) Read(b []byte) (int, error) {
	if z.stream != nil {
		n, err := z.stream.Read(b)
		if err != nil && !isEnd(err) && z.src.endsInZeros() {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	for len(z.unread) == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, z.unread)
	z.unread = z.unread[n:]
	return n, nil
}

// next decompresses the next frame. If that cannot be, it goes on to the next
// that can, and returns a *damage.
func (z *zstdReader) next() error {
	at := z.offset
	problem := z.frame()
	if problem == nil || problem == io.EOF || problem == z.end {
		return problem
	}
	for z.wasted = 0; z.wasted < maxWaste; {
		n := -1
		if len(z.held) > 0 {
			n = bytes.Index(z.held[1:], zstdMagic)
		}
		switch {
		case n >= 0:
			z.drop(1 + n)
			if z.frame() == nil {
				return &damage{at, problem}
			}
		case z.end == nil:
			z.drop(max(0, len(z.held)-len(zstdMagic)))
			z.more()
		case z.end != io.EOF:
			return z.end
		default:
			z.drop(len(z.held))
			if problem == io.ErrUnexpectedEOF || z.src.endsInZeros() {
				return io.ErrUnexpectedEOF
			}
			return &damage{at, problem}
		}
	}
	z.held, z.end = nil, io.EOF
	return &damage{at, problem}
}

// maxWaste is how much is decompressed at most in search of a frame, bytes: for a
// file that is made of what looks like frames and is none, there is an end to it.
const maxWaste = 4 << 30

// frame decompresses the frame that held begins with. It is io.EOF where nothing
// is left, and io.ErrUnexpectedEOF if less is left than the frame has.
func (z *zstdReader) frame() error {
	n, err := z.whole()
	if err != nil {
		return err
	}
	plain, err := z.decoder.DecodeAll(z.held[:n], z.plain[:0])
	if err != nil {
		z.wasted += maxZstdFrame
		return err
	}
	z.passed += int64(len(z.plain))
	z.plain, z.unread = plain, plain
	if z.began != nil {
		z.began(z.passed, z.offset)
	}
	z.drop(n)
	return nil
}

// whole reads until the whole frame is held, and returns its length.
func (z *zstdReader) whole() (int, error) {
	for {
		n, err := frameLength(z.held)
		switch {
		case err != io.ErrUnexpectedEOF:
			return n, err
		case z.end == io.EOF && len(z.held) > 0:
			return 0, io.ErrUnexpectedEOF
		case z.end != nil:
			return 0, z.end
		}
		z.more()
	}
}

// more reads about as much as is held.
func (z *zstdReader) more() {
	n := len(z.held)
	step := min(max(64<<10, n), 1<<20)
	if cap(z.held) < n+step {
		if len(z.space) < n+step {
			z.space = make([]byte, 2*(n+step))
		}
		z.held = z.space[:copy(z.space, z.held)]
	}
	var got int
	got, z.end = io.ReadAtLeast(z.src, z.held[n:n+step], 1)
	z.held = z.held[:n+got]
}

func (z *zstdReader) drop(n int) {
	z.held = z.held[n:]
	z.offset += int64(n)
}

const (
	maxZstdBlock  = 128 << 10 // bytes (RFC 8878, section 3.1.1.2.4)
	maxZstdBlocks = 512       // of a frame; the longest that we write has 136
)

// tailReader remembers the last bytes that were read.
type tailReader struct {
	src  io.Reader
	last [4]byte
}

func (t *tailReader) Read(b []byte) (int, error) {
	n, err := t.src.Read(b)
	kept := copy(t.last[:], t.last[min(n, 4):])
	copy(t.last[kept:], b[max(0, n-4):n])
	return n, err
}

// endsInZeros reports whether nothing but zeros is left, or has been at the end:
// a power cut leaves them where data did not reach the disk, and a frame of zstd
// ends with a checksum.
func (t *tailReader) endsInZeros() bool {
	var b [4096]byte
	for {
		n, err := t.Read(b[:])
		if len(bytes.Trim(b[:n], "\x00")) > 0 {
			return false
		}
		if err != nil {
			return err == io.EOF && t.last == [4]byte{}
		}
	}
}

// wholeFrames returns the length of a chunk up to the end of its last whole frame,
// and of that decompressed; 0 if the file is no chunk that was compressed as it
// was written.
func wholeFrames(path string) (size, plain int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	z, err := newZstdReader(f)
	if err != nil {
		return 0, 0, err
	}
	defer z.close()
	if z.stream != nil {
		return 0, 0, nil
	}
	for err == nil {
		size, plain = z.offset, plain+int64(len(z.plain))
		err = z.frame()
	}
	if z.end == io.EOF || z.end == nil {
		err = nil // what is not whole is the end
	}
	return size, plain, err
}

// frameLength returns the length of the frame that b begins with, from its
// header and those of its blocks (RFC 8878, section 3.1.1). It is
// io.ErrUnexpectedEOF if b ends before these do.
func frameLength(b []byte) (int, error) {
	if len(b) < len(zstdMagic) {
		return 0, io.ErrUnexpectedEOF
	}
	if !bytes.HasPrefix(b, zstdMagic) {
		return 0, zstd.ErrMagicMismatch
	}
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return 0, err
	}
	if !h.HasFCS || h.FrameContentSize > maxZstdFrame {
		return 0, errNotAChunk
	}
	n := h.HeaderSize
	for last, blocks := false, 0; !last; blocks++ {
		if n+3 > len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		block := int(b[n]) | int(b[n+1])<<8 | int(b[n+2])<<16
		last = block&1 != 0
		kind, size := block>>1&3, block>>3
		if kind == 3 || size > maxZstdBlock || blocks == maxZstdBlocks {
			return 0, errNotAChunk
		}
		if kind == 1 { // one byte, repeated
			size = 1
		}
		if n += 3 + size; n > maxZstdFrame {
			return 0, errNotAChunk
		}
	}
	if h.HasCheckSum {
		n += 4
	}
	if n > len(b) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}
