package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
)

// maxBlock is the longest block that is read whole, in bytes; Wireshark's limit.
const maxBlock = 16 << 20

// Reader reads a record, or a capture that something else wrote: pcap or
// pcapng, in either byte order. Its methods are for one goroutine.
type Reader struct {
	paths []string // of the chunks, or of the one file
	chunk int      // the one that is read
	run   string   // whose chunks they are

	in     window
	format format
	block  int64  // offset of the current block
	number uint64 // of the last frame
	before uint64 // frames of the run in chunks before, if this is one of them alone
	part   int    // of the record; without chunks, a packet after statistics begins another
	told   bool   // statistics came after the last packet
	found  error  // why there is no frame after the last
	err    error  // what Next returns from now on: found, once all frames have been returned

	batch Batch // that Next returns the frames of
	at    int   // the next of them

	position *position
	manifest *Manifest
	comment  []byte // of the file's first section
	swap     bool   // whether the file, or the section, is big endian

	pcap       pcapHeader
	interfaces []netInterface // of the current pcapng section

	salvage   bool   // to go on behind what cannot be read
	begun     bool   // the header has been read
	kind      uint32 // of the current block of pcapng
	sectionAt uint64 // number of the last frame before the current section
	seconds   uint32 // of the last record of pcap
	resume    int    // how many bytes on the next sound record begins, if judge has found it; else 0
	oddCounts [oddities]oddCount
}

// format is what pcap and pcapng differ in, block by block; a pcap file's record
// is a block here.
type format struct {
	usual func([]Frame) []Frame      // appends the packets at hand, up to the first block that is anything else
	whole func() bool                // whether the next block is at hand to its end
	next  func(*Frame) (bool, error) // reads a block, and whether it is a packet

	sound func(b []byte, end bool) (ok, more bool) // whether blocks as they should be begin b, or it takes more to tell
}

// Open opens a run directory, whose chunks are read as one, or a pcap or pcapng
// file, which may be a chunk; any may be compressed with zstd or gzip, whatever
// its name says. A file that is neither is a *FormatError; a chunk that is not
// there is a *ChunkError. One that is cut off within its header opens; Next tells.
func Open(path string) (*Reader, error) {
	paths, manifest, err := locate(path)
	if err != nil {
		return nil, err
	}
	at := &position{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			at.size += info.Size()
		}
	}
	r, err := newReader(paths, at.open)
	if err != nil {
		return nil, err
	}
	r.position = at
	if manifest != nil {
		r.manifest = manifest
	}
	return r, nil
}

// locate returns the files that path means and, if path is a run directory with
// a manifest.json, the manifest.
func locate(path string) ([]string, *Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("record: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil, nil
	}
	manifest, err := LoadManifest(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	paths, err := chunkFiles(path, manifest)
	return paths, manifest, err
}

// newReader reads files that open opens.
func newReader(paths []string, open func(path string) (io.ReadCloser, error)) (*Reader, error) {
	r := &Reader{paths: paths}
	if err := r.start(readAhead(paths, open, buffersAhead, nil)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// start begins to read what is read ahead. Whatever it returns, the Reader has to be closed.
func (r *Reader) start(a *ahead) error {
	r.in.ahead = a
	paths := r.paths
	err := r.begin()
	r.begun = err == nil
	switch {
	case isEnd(err) && len(paths) > 1:
		err = r.wrongChunk("is cut off within its header")
	case err == io.EOF:
		err = io.ErrUnexpectedEOF // without a header: not an end but a cut
	case err == nil:
		r.run = runOf(r.comment)
		c := r.manifest.chunk()
		switch {
		case c != nil && len(paths) == 1 && c.First > 0:
			r.before, r.part = c.First-1, c.Part
		case c != nil && len(paths) > 1 && c.Number != 0:
			err = r.wrongChunk("is chunk %d", c.Number)
		}
	}
	if err = r.explain(err); err != nil && !errors.As(err, new(*TruncatedError)) {
		return err
	}
	r.found = err
	return nil
}

// begin tells the format by its first bytes and reads the file's header.
func (r *Reader) begin() error {
	magic, err := r.in.peek(4)
	if err != nil {
		return err
	}
	if r.u32(magic) == blockSection {
		r.format = format{r.usualPackets, r.wholeBlock, r.nextBlock, r.soundBlocks}
		if err := r.section(); err != nil {
			return err
		}
		r.manifest, err = manifestIn(r.comment)
		return err
	}
	if r.begins(r.u32(magic), blockSection) && r.in.onlyZeros(3) {
		return io.ErrUnexpectedEOF
	}
	r.format = format{r.usualRecords, r.wholeRecord, r.nextRecord, r.soundRecords}
	return r.header()
}

// nextChunk goes on with the next file, whose header says which it is. It is a
// *LostError if frames are missing in between: the file before has a problem at
// an offset.
func (r *Reader) nextChunk(end int64, problem string) error {
	before := r.paths[r.chunk]
	r.chunk++
	r.in.nextStream()
	r.block, r.swap = 0, false
	magic, err := r.in.peek(4)
	if err == io.EOF {
		return io.ErrUnexpectedEOF // without a header: not an end but a cut
	}
	if err != nil {
		return err
	}
	if r.begins(r.u32(magic), blockSection) && r.in.onlyZeros(3) {
		return io.ErrUnexpectedEOF
	}
	if r.u32(magic) != blockSection {
		return r.wrongChunk("is not a pcapng file")
	}
	if err := r.section(); err != nil {
		return err
	}
	m, err := manifestIn(r.comment)
	if err != nil {
		return err
	}
	c := m.chunk()
	switch {
	case c == nil:
		return r.wrongChunk("does not say which chunk it is")
	case c.Run != r.run:
		return r.wrongChunk("is of another run")
	case c.Number != r.chunk:
		return r.wrongChunk("is chunk %d", c.Number)
	case c.First <= r.number:
		return r.wrongChunk("begins with frame %d, and the one before ends with frame %d", c.First, r.number)
	}
	r.part, r.told = c.Part, false
	if c.First > r.number+1 {
		lost := &LostError{Path: before, Offset: end, Frame: r.number, Lost: c.First - 1 - r.number, Problem: problem}
		r.number = c.First - 1
		return lost
	}
	return nil
}

// lost goes on behind what cannot be read, and counts the frames that are missing
// by the statistics that follow.
func (r *Reader) lost(d *damage) error {
	lost := &LostError{Path: r.path(), Offset: d.offset, Frame: r.number, Problem: d.problem.Error()}
	r.in.passDamage()
	var frames uint64
	for i := range r.interfaces {
		r.interfaces[i].counted = false
	}
	for {
		r.block = r.in.offset
		head, err := r.in.peek(8)
		if err != nil && !isEnd(err) {
			return err
		}
		if err != nil || r.u32(head) != blockStatistics {
			break
		}
		if err := r.statistics(); err != nil {
			return err
		}
	}
	for _, i := range r.interfaces {
		if !i.counted { // nothing is behind it
			r.in.toEnd()
			if isEnd(r.in.after) && r.chunk+1 < len(r.paths) {
				return r.nextChunk(d.offset, lost.Problem)
			}
			return lost
		}
		frames += i.delivered
	}
	if frames < r.before+r.number {
		return r.malformed("statistics of %d frames, after frame %d", frames, r.before+r.number)
	}
	if lost.Lost = frames - r.before - r.number; lost.Lost == 0 {
		return nil
	}
	r.number += lost.Lost
	return lost
}

func (r *Reader) wrongChunk(problem string, args ...any) error {
	return &ChunkError{Path: r.path(), Number: r.chunk, Count: len(r.paths), Problem: fmt.Sprintf(problem, args...)}
}

// path returns the file that is read.
func (r *Reader) path() string { return r.paths[r.chunk] }

// Next reads the next frame into f. At the end of the capture it returns io.EOF;
// if that is within a block, a *TruncatedError; if a block is not what the
// format allows, a *FormatError; if a chunk is not the one that follows, a
// *ChunkError; if frames are missing that other frames follow, a *LostError;
// other errors are the disk's or the decompressor's. An error repeats on
// further calls. f.Data is valid until the next call.
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
			if r.salvage {
				r.found = r.takeUp(r.found)
			}
			r.err = r.found
		}
		return r.err
	}
	return nil
}

// GoOn makes Next, which has returned a *LostError, go on with the frames behind
// those that are missing.
func (r *Reader) GoOn() {
	if errors.As(r.err, new(*LostError)) {
		r.found, r.err = nil, nil
	}
}

// fill reads into b what is at hand, or up to the next packet if there is none.
func (r *Reader) fill(b *Batch) error {
	if err := r.in.own(); err != nil {
		return err
	}
	var frames []Frame
	var err error
	for {
		if len(frames) == 0 { // what has been read until now may have been of another buffer
			frames = r.in.buffer.frames[:0]
		}
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
		packet, err = r.format.next(&f)
		if d, ok := err.(*damage); ok {
			err = r.lost(d)
		}
		for isEnd(err) && r.chunk+1 < len(r.paths) {
			err = r.nextChunk(r.block, "the file ends")
		}
		if err != nil {
			break
		}
		if packet && len(frames) == 0 {
			frames = r.in.buffer.frames[:0]
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

// isEnd reports whether an error is the end of a file, within a block or not.
func isEnd(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

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

// Close closes the files. What End says stays, and so do batches.
func (r *Reader) Close() error {
	if r.in.ahead != nil {
		r.in.ahead.close()
		r.in.ahead = nil
	}
	r.batch, r.at = Batch{}, 0
	if r.err == nil {
		r.err = errClosed
	}
	r.found = r.err
	return nil
}

// explain makes of an error from within the one that the caller sees.
func (r *Reader) explain(err error) error {
	switch err := err.(type) {
	case nil, *FormatError, *ChunkError, *LostError:
		return err
	case *corruptError:
		return r.malformed("%v", err)
	}
	switch err {
	case io.EOF:
		return io.EOF
	case io.ErrUnexpectedEOF:
		return &TruncatedError{Path: r.path(), Offset: r.block, Frame: r.number}
	}
	return fmt.Errorf("record: %s: block at byte %d, after frame %d: %w", r.path(), r.block, r.number, err)
}

func (r *Reader) malformed(format string, args ...any) error {
	return &FormatError{Path: r.path(), Offset: r.block, Frame: r.number, Problem: fmt.Sprintf(format, args...)}
}

// checkLengths holds a packet's lengths against the bounds.
func (r *Reader) checkLengths(captured, original uint32) error {
	if captured > MaxCapture {
		return r.malformed("%d bytes captured, more than the %d that a capture can hold", captured, MaxCapture)
	}
	if captured > original && !r.salvage {
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
