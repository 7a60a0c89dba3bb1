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

// LostError says that frames are missing from a record, which has more behind
// them. A scan without them cannot be played back. See Reader.GoOn.
type LostError struct {
	Path    string // of the chunk that had them
	Offset  int64  // in the file, of what cannot be read
	Frame   uint64 // number of the last frame before
	Lost    uint64 // frames that are missing; 0 if that cannot be told
	Problem string
}

func (e *LostError) Error() string {
	lost := fmt.Sprintf("frames %d to %d", e.Frame+1, e.Frame+e.Lost)
	if e.Lost == 0 {
		lost = fmt.Sprintf("frames after %d", e.Frame)
	}
	return fmt.Sprintf("record: %s is damaged at byte %d: %s are lost: %s", e.Path, e.Offset, lost, e.Problem)
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
	header = appendInterface(header, Sent.String())
	return appendInterface(header, Received.String()), comment, nil
}

// chunkWriter writes packets to one chunk after another. Once a chunk is
// finished it is not touched again: it may be moved away. The methods are for
// the writing goroutine, but for begin and close, before that starts and after
// it has ended.
type chunkWriter struct {
	dir      *os.Root
	manifest *Manifest // for the headers
	limit    int64     // bytes of a chunk

	chunk Chunk
	file  *os.File
	size  int64 // of the file, bytes
	empty bool  // no packet is in it
}

// begin makes the file of a chunk.
func (c *chunkWriter) begin(next Chunk) error {
	header, comment, err := chunkHeader(c.manifest, next)
	if err != nil {
		return err
	}
	f, err := c.dir.OpenFile(chunkName(next.Number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if _, err := f.Write(header); err != nil {
		return errors.Join(fmt.Errorf("record: %w", err), f.Close(), c.dir.Remove(chunkName(next.Number)))
	}
	if next.Number == 0 {
		next.Run = runOf(comment)
	}
	c.chunk, c.file, c.size, c.empty = next, f, int64(len(header)), true
	return nil
}

// write appends blocks, of which packets are packets, the first with the number
// first in the run. They are of one chunk: the next one, if this is full.
func (c *chunkWriter) write(blocks []byte, packets int, first uint64) error {
	if packets > 0 && !c.empty && c.size+int64(len(blocks)) > c.limit {
		next := c.chunk
		next.Number++
		next.First = first
		if err := c.close(); err != nil {
			return err
		}
		if err := c.begin(next); err != nil {
			return err
		}
	}
	n, err := c.file.Write(blocks)
	c.size += int64(n)
	c.empty = c.empty && packets == 0
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// close finishes the chunk, if there is one.
func (c *chunkWriter) close() error {
	if c.file == nil {
		return nil
	}
	defer func() { c.file = nil }()
	if err := errors.Join(c.file.Sync(), c.file.Close()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// remove removes the chunk, of which nothing is worth keeping.
func (c *chunkWriter) remove() error {
	return errors.Join(c.close(), c.dir.Remove(chunkName(c.chunk.Number)))
}
