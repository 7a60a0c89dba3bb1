package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// DefaultChunkSize is where a chunk ends whose manifest says nothing, in bytes.
const DefaultChunkSize = 1 << 30

// Chunk says what a file of packets is of its run. It is in the manifest in the
// section header.
type Chunk struct {
	Number int    `json:"number"`        // from 0, as in the file's name
	Run    string `json:"run,omitempty"` // SHA-256 of the manifest in chunk 0, as it stands there; absent in chunk 0
	Part   int    `json:"part"`          // of all its frames: how often the scan had been resumed
	First  uint64 `json:"first"`         // number of its first frame in the run
}

// chunk returns which chunk the manifest was read from; nil for none.
func (m *Manifest) chunk() *Chunk {
	if m == nil {
		return nil
	}
	return m.Chunk
}

// ChunkError says that a file of packets is not there, or not the one that its
// name says.
type ChunkError struct {
	Path    string // of the chunk as it is called when it is not compressed
	Number  int
	Count   int // chunks that the run has, as far as can be told
	Problem string
}

func (e *ChunkError) Error() string {
	return fmt.Sprintf("record: chunk %d of %d %s: %s", e.Number, e.Count, e.Problem, e.Path)
}

// LostError says that frames are missing from a record or a capture, which has more behind
// them. A scan without them cannot be played back. See Reader.GoOn.
type LostError struct {
	Path    string // of the chunk that had them
	Offset  int64  // in the file, of what cannot be read
	Frame   uint64 // number of the last frame before
	Lost    uint64 // frames that are missing; 0 if that cannot be told
	Resumed int64  // offset of what is read next, of a capture that is no record; 0 for a record
	Problem string
}

func (e *LostError) Error() string {
	lost := fmt.Sprintf("frames %d to %d are", e.Frame+1, e.Frame+e.Lost)
	switch e.Lost {
	case 0:
		lost = fmt.Sprintf("frames after %d are", e.Frame)
	case 1:
		lost = fmt.Sprintf("frame %d is", e.Frame+1)
	}
	resumed := ""
	if e.Resumed > 0 {
		resumed = fmt.Sprintf("; reading goes on at byte %d", e.Resumed)
	}
	return fmt.Sprintf("record: %s is damaged at byte %d: %s lost: %s%s", e.Path, e.Offset, lost, e.Problem, resumed)
}

// chunkName returns the name of a chunk that is not compressed.
func chunkName(number int) string { return fmt.Sprintf("packets-%05d.pcapng", number) }

// singleFile is the name of a record's packets before there were chunks. It is
// read as chunk 0.
const singleFile = "packets.pcapng"

// compressions are what may follow the name of a file of packets.
var compressions = []string{"", ".zst", ".gz"}

// chunkNumber returns which chunk a file is by its name.
func chunkNumber(name string) (number int, ok bool) {
	for _, c := range compressions[1:] {
		name = strings.TrimSuffix(name, c)
	}
	if name == singleFile {
		return 0, true
	}
	digits, ok := strings.CutPrefix(strings.TrimSuffix(name, ".pcapng"), "packets-")
	number, err := strconv.Atoi(digits)
	return number, ok && err == nil && number >= 0 && name == chunkName(number)
}

// IsFile reports whether a file of a run directory may have this name.
func IsFile(name string) bool {
	_, packets := chunkNumber(name)
	return packets || name == manifestFile || name == servicesFile
}

// Packets returns the first file of packets in dir, or "" if dir holds no record.
func Packets(dir string) string {
	found, err := findChunks(dir)
	if err != nil || len(found) == 0 {
		return ""
	}
	first := 0
	for found[first] == "" {
		first++
	}
	return filepath.Join(dir, found[first])
}

// maxChunks of a run; a petabyte of the default size.
const maxChunks = 1 << 20

// findChunks returns the names of dir's files of packets, by number; "" for one
// that is not there. Of several with a number the first counts, in the order of
// compressions; packets.pcapng counts after all.
func findChunks(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	there := make(map[string]bool)
	count := 0
	for _, e := range entries {
		if number, ok := chunkNumber(e.Name()); ok && number < maxChunks {
			there[e.Name()] = true
			count = max(count, number+1)
		}
	}
	names := make([]string, count)
	for number := range names {
		for _, name := range []string{chunkName(number), singleFile} {
			for _, c := range compressions {
				if names[number] == "" && there[name+c] && (number == 0 || name != singleFile) {
					names[number] = name + c
				}
			}
		}
	}
	return names, nil
}

// chunkFiles returns dir's files of packets, in order. None may be missing, of
// as many as the manifest says that there are.
func chunkFiles(dir string, m *Manifest) ([]string, error) {
	names, err := findChunks(dir)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("record: %s is not a run directory: it has no %s", dir, chunkName(0))
	}
	count := len(names)
	if m != nil {
		count = max(count, min(m.Chunks, maxChunks))
	}
	for number := range count {
		if number == len(names) || names[number] == "" {
			return nil, &ChunkError{filepath.Join(dir, chunkName(number)), number, count, "is missing"}
		}
		names[number] = filepath.Join(dir, names[number])
	}
	return names, nil
}

// runOf names the run whose chunk 0 has this manifest in its section header.
func runOf(comment []byte) string {
	sum := sha256.Sum256(comment)
	return hex.EncodeToString(sum[:])
}

// chunkHeader returns what a chunk begins with.
func chunkHeader(m *Manifest, c Chunk) (header, comment []byte, err error) {
	described := *m
	described.Chunks, described.Chunk = 0, &c // how many there will be is not known
	if comment, err = described.encode(""); err != nil {
		return nil, nil, err
	}
	comment = comment[:len(comment)-1] // without the end of the line
	header = appendSection(nil, string(comment))
	if len(header) > maxBlock {
		return nil, nil, fmt.Errorf("record: the manifest has %d bytes; a pcapng section header holds %d", len(comment), maxBlock)
	}
	header = appendInterface(header, Sent.String(), linkEthernet)
	return appendInterface(header, Received.String(), linkEthernet), comment, nil
}

// chunkWriter writes packets to one chunk after another. Once a chunk is
// finished it is not touched again: it may be moved away. The methods are for
// the writing goroutine, but for newChunkWriter and begin, before that starts,
// and close, after it has ended.
type chunkWriter struct {
	dir      *os.Root
	manifest *Manifest     // for the headers
	encoder  *zstd.Encoder // nil if chunks are not compressed

	chunk Chunk
	file  *os.File
	size  int64 // of the file, bytes
	empty bool  // no packet is in it

	gathered []byte    // blocks that are still to be compressed
	packets  int       // how many of them are
	first    uint64    // number of the first of these
	since    time.Time // when the first block came
	packed   []byte
}

// gatherTime is how long blocks wait at most for others to be compressed with.
const gatherTime = 5 * time.Second

func newChunkWriter(dir *os.Root, m *Manifest) (*chunkWriter, error) {
	c := &chunkWriter{dir: dir, manifest: m}
	if m.ChunkSize <= 0 {
		return nil, fmt.Errorf("record: chunks of %d bytes", m.ChunkSize)
	}
	switch m.Compression {
	case "":
		return c, nil
	case "zstd":
		var err error
		c.encoder, err = newEncoder()
		return c, err
	}
	return nil, fmt.Errorf("record: compression %q: zstd is the only one", m.Compression)
}

// name returns the name of the chunk's file.
func (c *chunkWriter) name() string {
	if c.encoder != nil {
		return chunkName(c.chunk.Number) + ".zst"
	}
	return chunkName(c.chunk.Number)
}

// begin makes the file of a chunk.
func (c *chunkWriter) begin(next Chunk) (err error) {
	header, comment, err := chunkHeader(c.manifest, next)
	if err != nil {
		return err
	}
	if next.Number == 0 {
		next.Run = runOf(comment)
	}
	if c.encoder != nil {
		header = c.encoder.EncodeAll(header, nil)
	}
	c.chunk, c.size, c.empty = next, 0, true
	if c.file, err = c.dir.OpenFile(c.name(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err = c.put(header); err == nil {
		err = c.sync()
	}
	if err != nil {
		return errors.Join(err, c.remove())
	}
	return nil
}

// sync sees to it that the chunk is on the disk, with its name.
func (c *chunkWriter) sync() error {
	dir, err := c.dir.Open(".")
	if err == nil {
		err = errors.Join(c.file.Sync(), dir.Sync(), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// write appends what a buffer holds. Compressed, it may wait for more.
func (c *chunkWriter) write(b *writeBuffer) error {
	if c.encoder == nil {
		return c.append(b.blocks, b.packets, b.first())
	}
	if len(b.blocks) > 0 {
		if len(c.gathered) == 0 {
			c.gathered = appendProgress(c.gathered, b.oldest, b.before)
			c.packets, c.first, c.since = 0, b.first(), time.Now()
		}
		c.gathered = append(c.gathered, b.blocks...)
		c.packets += b.packets
	}
	if len(c.gathered) >= zstdFrame || len(c.gathered) > 0 && time.Since(c.since) >= gatherTime {
		return c.flush()
	}
	return nil
}

// flush compresses what has been gathered, as a frame of its own.
func (c *chunkWriter) flush() error {
	if len(c.gathered) == 0 {
		return nil
	}
	c.packed = c.encoder.EncodeAll(c.gathered, c.packed[:0])
	c.gathered = c.gathered[:0]
	return c.append(c.packed, c.packets, c.first)
}

// append appends to the chunk, or to the next one if this is full. Of what it
// appends so many are packets, the first with the number first in the run.
func (c *chunkWriter) append(content []byte, packets int, first uint64) error {
	if packets > 0 && !c.empty && c.size+int64(len(content)) > c.manifest.ChunkSize {
		next := c.chunk
		next.Number++
		next.First = first
		if err := c.finish(); err != nil {
			return err
		}
		if err := c.begin(next); err != nil {
			return err
		}
	}
	c.empty = c.empty && packets == 0
	return c.put(content)
}

func (c *chunkWriter) put(content []byte) error {
	n, err := c.file.Write(content)
	c.size += int64(n)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// finish closes the chunk, if there is one.
func (c *chunkWriter) finish() error {
	if c.file == nil {
		return nil
	}
	err := errors.Join(c.file.Sync(), c.file.Close())
	c.file = nil
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// remove removes the chunk, of which nothing is worth keeping.
func (c *chunkWriter) remove() error {
	return errors.Join(c.finish(), c.dir.Remove(c.name()))
}
