package record

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"
)

// An index says in which stretches of a record packets of a service may be, so that these alone need be read. A stretch is what one
// batch has, some 256 KiB of a chunk, or one frame of zstd. Of each the index has the services, as hashes of 24 bits, in order, each
// as its distance from the one before: about 2 bytes for each service of a stretch, 2 % of a record of SYNs. One stretch in some
// thousands is read in vain. Where a scan asks hosts on ephemeral ports, what becomes of a service depends on its host, and the index
// is of hosts.
//
//	laserdisc index 1       the first line
//	{"record":...}          the second: indexHeader
//	stretches               each a length and as many bytes: uvarints, see Stretch.append
//	0 {"chunks":[...]}      an empty stretch ends them: indexTrailer
//
// The trailer has the sizes of the chunks: a record that has grown since is not what the index is of.

const indexMagic = "laserdisc index 1\n"

// IndexFile is the name of an index beside a dataset.
const IndexFile = "packets.index"

type indexHeader struct {
	Record string `json:"record"`          // the run's directory, absolute
	Run    string `json:"run"`             // which run it is: the SHA-256 of chunk 0's manifest
	Hosts  bool   `json:"hosts,omitempty"` // whether it is of hosts, and not of services
}

type indexTrailer struct {
	Whole  bool           `json:"whole,omitempty"` // whether the record has to be read whole
	Chunks []indexedChunk `json:"chunks"`
}

type indexedChunk struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes of the file
}

// Stretch is a part of a record that can be read by itself.
type Stretch struct {
	Chunk int
	File  int64  // where it begins in the chunk's file, bytes
	Plain int64  // where it begins in the chunk, decompressed
	First uint64 // number of its first frame
	Part  int    // of the record

	size       int64 // of the file, up to the next stretch; 0: to the chunk's end
	headerFile int64 // how long the chunk's header is, in the file
	headerEnd  int64 // and decompressed
}

const (
	hashBits   = 24
	maxStretch = 1 << 24 // bytes of one in an index
)

// hash stands for a service in an index, or for its host.
func (h *indexHeader) hash(service netip.AddrPort) uint32 {
	var b [18]byte
	addr := service.Addr().As16()
	copy(b[:], addr[:])
	if !h.Hosts {
		binary.LittleEndian.PutUint16(b[16:], service.Port())
	}
	return uint32(xxh3.Hash(b[:]) >> (64 - hashBits))
}

// IndexWriter makes the index of a record while that is read. Its methods are for one goroutine; Close comes last. Of a record that
// cannot be begun in the middle, because something else compressed it, the index says that it has to be read whole.
type IndexWriter struct {
	w       *bufio.Writer
	reader  *Reader
	header  indexHeader
	at      Stretch   // the one at hand; First is 0 before there is one
	cuts    []Stretch // that begin within the batch
	hashes  []uint32  // of the one at hand
	chunk   int       // that packed is of; -1 before there is one
	packed  bool      // whether it is compressed
	encoded []byte
	whole   bool // whether the record has to be read whole
}

// NewIndexWriter begins the index of what r reads, a run in a directory, in w.
func NewIndexWriter(w io.Writer, r *Reader) (*IndexWriter, error) {
	dir, err := filepath.Abs(filepath.Dir(r.paths[0]))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	x := &IndexWriter{w: bufio.NewWriterSize(w, 64<<10), reader: r, chunk: -1, header: indexHeader{Record: dir, Run: r.run}}
	x.header.Hosts = r.manifest != nil && r.manifest.EphemeralProbes > 0
	if _, err := x.w.WriteString(indexMagic); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return x, x.json(x.header)
}

func (x *IndexWriter) json(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = x.w.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Batch begins a batch that NextBatch has just returned.
func (x *IndexWriter) Batch(b *Batch) error {
	if err := x.until(1<<64 - 1); err != nil {
		return err
	}
	first, last := &b.Frames[0], &b.Frames[len(b.Frames)-1]
	if chunk := x.reader.chunk; chunk != x.chunk {
		x.chunk, x.packed = chunk, x.reader.compressed(chunk)
	}
	x.cuts = x.cuts[:0]
	if !x.packed {
		x.cuts = append(x.cuts, Stretch{Chunk: x.chunk, File: first.Offset, Plain: first.Offset, First: first.Number, Part: first.Part})
		return nil
	}
	for _, m := range x.reader.in.ahead.marksUntil(x.chunk, last.Offset) {
		if m.chunk != x.chunk {
			continue // it has no frame
		}
		i, _ := slices.BinarySearchFunc(b.Frames, m.plain, func(f Frame, plain int64) int { return cmp.Compare(f.Offset, plain) })
		f := &b.Frames[i]
		x.cuts = append(x.cuts, Stretch{Chunk: x.chunk, File: m.file, Plain: m.plain, First: f.Number, Part: f.Part})
	}
	x.whole = x.whole || len(x.cuts) == 0 && x.at.Chunk != x.chunk || x.at.First == 0 && len(x.cuts) == 0
	return nil
}

// Service adds the service that a frame of the batch is of. Frames come in their order.
func (x *IndexWriter) Service(frame uint64, service netip.AddrPort) error {
	if len(x.cuts) > 0 && x.cuts[0].First <= frame {
		if err := x.until(frame); err != nil {
			return err
		}
	}
	x.hashes = append(x.hashes, x.header.hash(service))
	return nil
}

// until moves on to the stretch that a frame is in.
func (x *IndexWriter) until(frame uint64) error {
	for len(x.cuts) > 0 && x.cuts[0].First <= frame {
		next := x.cuts[0]
		x.cuts = x.cuts[1:]
		if next.First > x.at.First { // else the one at hand has no frame
			if err := x.flush(); err != nil {
				return err
			}
		}
		x.at = next
	}
	return nil
}

// flush writes the stretch that is at hand.
func (x *IndexWriter) flush() error {
	if x.at.First == 0 || x.whole {
		x.hashes = x.hashes[:0]
		return nil
	}
	slices.Sort(x.hashes)
	x.encoded = x.at.append(x.encoded[:0], slices.Compact(x.hashes))
	x.hashes = x.hashes[:0]
	_, err := x.w.Write(binary.AppendUvarint(nil, uint64(len(x.encoded))))
	if err == nil {
		_, err = x.w.Write(x.encoded)
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (s *Stretch) append(b []byte, hashes []uint32) []byte {
	for _, n := range []uint64{uint64(s.Chunk), uint64(s.File), uint64(s.Plain), s.First, uint64(s.Part)} {
		b = binary.AppendUvarint(b, n)
	}
	before := uint32(0)
	for _, h := range hashes {
		b = binary.AppendUvarint(b, uint64(h-before))
		before = h
	}
	return b
}

// Close ends the index.
func (x *IndexWriter) Close() error {
	if err := x.until(1<<64 - 1); err != nil {
		return err
	}
	if err := x.flush(); err != nil {
		return err
	}
	t := indexTrailer{Whole: x.whole || x.at.First == 0}
	for _, path := range x.reader.paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		t.Chunks = append(t.Chunks, indexedChunk{filepath.Base(path), info.Size()})
	}
	err := x.w.WriteByte(0)
	if err == nil {
		err = x.json(t)
	}
	if err == nil {
		err = x.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Index is what of a record has to be read for a service.
type Index struct {
	Record    string // the run's directory
	Whole     bool   // whether the record has to be read whole: Open cannot
	run       string
	stretches []Stretch
}

// What a record may be, other than what its index was made of.
var (
	ErrStale    = errors.New("the record is not as it was when its index was made")
	ErrOtherRun = errors.New("there is a record of another run")
)

// Lookup reads the index in a file, and finds what of its record has to be read for a service: the stretches that may have packets of it, and
// the first and last of each part. If the record has changed since, the error is ErrStale, and if it is not there,
// ErrOtherRun or what opening it gave; the Index is then valid for its Record alone. Without an Index, the index itself cannot be read.
func Lookup(path string, service netip.AddrPort) (*Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	x, trailer, err := readIndex(f, service)
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w", path, err)
	}
	return x, x.check(trailer)
}

// check compares the record with what it was.
func (x *Index) check(t *indexTrailer) error {
	r, err := Open(x.Record)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case r.run != x.run:
		return ErrOtherRun
	case len(r.paths) != len(t.Chunks):
		return ErrStale
	}
	for i, path := range r.paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		if t.Chunks[i] != (indexedChunk{filepath.Base(path), info.Size()}) {
			return ErrStale
		}
	}
	return nil
}

var errIndex = errors.New("not an index, or a damaged one: replay writes it anew")

func readIndex(src io.Reader, service netip.AddrPort) (*Index, *indexTrailer, error) {
	r := bufio.NewReaderSize(src, 1<<20)
	magic, err := r.Peek(len(indexMagic))
	if err != nil || string(magic) != indexMagic {
		return nil, nil, errIndex
	}
	_, _ = r.Discard(len(indexMagic)) // which Peek has shown
	line, err := r.ReadSlice('\n')
	var h indexHeader
	if err != nil || json.Unmarshal(line, &h) != nil {
		return nil, nil, errIndex
	}
	x := &Index{Record: h.Record, run: h.Run}
	wanted := h.hash(service)
	var last, header Stretch // header is the chunk's first, which begins where its header ends
	var content []byte
	kept := false // whether last is in x.stretches
	keep := func() {
		if !kept {
			x.stretches, kept = append(x.stretches, last), true
		}
	}
	for first := true; ; first = false {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > maxStretch {
			return nil, nil, errIndex
		}
		if n == 0 {
			break
		}
		if content, err = readFull(r, content, int(n)); err != nil {
			return nil, nil, errIndex
		}
		s, hashes, ok := parseStretch(content)
		if !ok || !first && !s.follows(&last) {
			return nil, nil, errIndex
		}
		if first || s.Chunk != last.Chunk {
			header = s
		}
		s.headerFile, s.headerEnd = header.File, header.Plain
		if !first && s.Part != last.Part {
			keep()
		}
		if !first && s.Chunk == last.Chunk {
			last.size = s.File - last.File
			if kept {
				x.stretches[len(x.stretches)-1].size = last.size
			}
		}
		begins := first || s.Part != last.Part
		last, kept = s, false
		has, ok := hasHash(hashes, wanted)
		if !ok {
			return nil, nil, errIndex
		}
		if begins || has {
			keep()
		}
	}
	if last.First != 0 {
		keep()
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBlock))
	t := new(indexTrailer)
	if err != nil || json.Unmarshal(text, t) != nil || last.Chunk >= len(t.Chunks) || last.First == 0 && !t.Whole {
		return nil, nil, errIndex
	}
	x.Whole = t.Whole
	return x, t, nil
}

func readFull(r io.Reader, into []byte, n int) ([]byte, error) {
	into = slices.Grow(into[:0], n)[:n]
	_, err := io.ReadFull(r, into)
	return into, err
}

func parseStretch(b []byte) (s Stretch, hashes []byte, ok bool) {
	var fields [5]uint64
	for i := range fields {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > 1<<62 {
			return s, nil, false
		}
		fields[i], b = n, b[size:]
	}
	s = Stretch{Chunk: int(fields[0]), File: int64(fields[1]), Plain: int64(fields[2]), First: fields[3], Part: int(fields[4])}
	return s, b, s.Chunk < maxChunks && s.First > 0
}

// follows reports whether a stretch can come after another.
func (s *Stretch) follows(before *Stretch) bool {
	if s.First <= before.First || s.Part < before.Part || s.Part > before.Part+1 {
		return false
	}
	if s.Chunk == before.Chunk {
		return s.File > before.File && s.Plain > before.Plain
	}
	return s.Chunk > before.Chunk
}

// hasHash reports whether a hash is among those of a stretch, and whether these could be read.
func hasHash(hashes []byte, wanted uint32) (has, ok bool) {
	at := uint64(0)
	for len(hashes) > 0 {
		n, size := uint64(hashes[0]), 1
		if n >= 0x80 {
			if n, size = binary.Uvarint(hashes); size <= 0 {
				return false, false
			}
		}
		if at += n; at >= 1<<hashBits {
			return false, false
		}
		has = has || uint32(at) == wanted
		hashes = hashes[size:]
	}
	return has, true
}

// Excerpt reads the stretches of a record that an index has for a service. Its methods are for one goroutine.
type Excerpt struct {
	index    *Index
	paths    []string
	manifest *Manifest
	next     int // of the stretches
	reader   *Reader
	position *position
}

// Open opens the record, to read what there may be of the service.
func (x *Index) Open() (*Excerpt, error) {
	paths, manifest, err := locate(x.Record)
	if err != nil {
		return nil, err
	}
	e := &Excerpt{index: x, paths: paths, manifest: manifest, position: new(position)}
	for i := range x.stretches {
		size := x.stretches[i].size
		if size == 0 {
			info, err := os.Stat(paths[x.stretches[i].Chunk])
			if err != nil {
				return nil, fmt.Errorf("record: %w", err)
			}
			size = info.Size() - x.stretches[i].File
		}
		e.position.size += size
	}
	return e, nil
}

// Manifest returns the run's.
func (e *Excerpt) Manifest() *Manifest { return e.manifest }

// Position is as Reader.Position, of what is to be read.
func (e *Excerpt) Position() (read, size int64) { return e.position.read.Load(), e.position.size }

// NextBatch is as Reader.NextBatch.
func (e *Excerpt) NextBatch(b *Batch) error {
	for {
		if e.reader == nil {
			if err := e.stretch(); err != nil {
				return err
			}
		}
		err := e.reader.NextBatch(b)
		if err != io.EOF || e.next == len(e.index.stretches) {
			return err
		}
		if err := e.reader.Close(); err != nil {
			return err
		}
		e.reader = nil
	}
}

// End is as Reader.End.
func (e *Excerpt) End() (int64, bool) {
	if e.reader == nil {
		return 0, false
	}
	return e.reader.End()
}

// Close closes the files.
func (e *Excerpt) Close() error {
	if e.reader == nil {
		return nil
	}
	return e.reader.Close()
}

// stretch opens the next stretch, and those that follow on it: behind the header of its chunk.
func (e *Excerpt) stretch() error {
	s := e.index.stretches[e.next]
	size := s.size
	for e.next++; size > 0 && e.next < len(e.index.stretches); e.next++ {
		follows := &e.index.stretches[e.next]
		if follows.Chunk != s.Chunk || follows.File != s.File+size {
			break
		}
		if follows.size == 0 {
			size = 0
		} else {
			size += follows.size
		}
	}
	open := func(path string) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		rest := io.NewSectionReader(f, s.File, 1<<62)
		if size > 0 {
			rest = io.NewSectionReader(f, s.File, size)
		}
		return excerpted{io.MultiReader(io.NewSectionReader(f, 0, s.headerFile), rest), &counted{f, e.position}}, nil
	}
	r, err := newReader(e.paths[s.Chunk:s.Chunk+1], open)
	if err != nil {
		return err
	}
	for err = r.found; err == nil && r.in.offset < s.headerEnd; {
		r.block = r.in.offset
		_, err = r.format.next(new(Frame))
	}
	if err != nil {
		return errors.Join(r.explain(err), r.Close())
	}
	if name := r.manifest.chunk(); runOf(r.comment) != e.index.run && (name == nil || name.Run != e.index.run) {
		return errors.Join(ErrStale, r.Close())
	}
	e.reader = r
	r.in.offset, r.number, r.before, r.part, r.told = s.Plain, s.First-1, 0, s.Part, false
	r.position = e.position
	return nil
}

// excerpted is a file of which a header and some of the rest are read.
type excerpted struct {
	io.Reader
	*counted
}

// Read implements io.Reader.
func (e excerpted) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	e.position.read.Add(int64(n))
	return n, err
}

// compressed reports whether a chunk is, by its first bytes.
func (r *Reader) compressed(chunk int) bool {
	f, err := os.Open(r.paths[chunk])
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = io.ReadFull(f, magic)
	return err == nil && little.Uint32(magic) != blockSection
}
