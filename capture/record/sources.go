package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// StandardInput is the path that means it.
const StandardInput = "-"

// CaptureFile is a file of a capture.
type CaptureFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the file's bytes, hexadecimal
}

// IsRun reports whether path is the directory of a run, which is played back, and not one of captures.
func IsRun(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return false
	}
	if _, err := os.Stat(filepath.Join(path, manifestFile)); err == nil {
		return true
	}
	first := Packets(path)
	return first != "" && !strings.HasPrefix(filepath.Base(first), singleFile)
}

// captureFiles returns the files that paths mean, those of directories in the order of their names, and which of them were not named
// themselves.
func captureFiles(paths []string) (files []string, found map[string]bool, err error) {
	found = make(map[string]bool)
	known := make(map[string]bool)
	add := func(path string, inDirectory bool) {
		same, err := filepath.EvalSymlinks(path)
		if err == nil {
			same, err = filepath.Abs(same)
		}
		if err != nil || path == StandardInput {
			same = path
		}
		if !known[same] {
			known[same] = true
			files = append(files, path)
			found[path] = inDirectory
		}
	}
	for _, path := range paths {
		if path == StandardInput {
			add(path, false)
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, fmt.Errorf("record: %w", err)
		}
		if !info.IsDir() {
			add(path, false)
			continue
		}
		err = filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
				add(path, true) // an error says that when it is opened
			}
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("record: %w", err)
		}
	}
	return files, found, nil
}

// source is a file of a capture: of which the bytes are counted and digested as they are read, once.
type source struct {
	path     string
	found    bool // in a directory
	stream   bool // a pipe, or what else cannot be read again
	position *position

	start int64 // time of its first frames; what cannot be read begins before all

	reader   *Reader
	digest   hash.Hash
	whole    bool        // it has been read to its end
	dropped  atomic.Bool // it is not wanted any longer
	finished bool

	order order
}

// open begins to read the file, of which nothing has been read.
func (s *source) open(ctx context.Context, buffers int) error {
	s.digest, s.whole = sha256.New(), false
	r := &Reader{paths: []string{s.path}, salvage: true}
	err := r.start(readAhead(r.paths, func(string) (io.ReadCloser, error) {
		f := os.Stdin
		if s.path != StandardInput {
			var err error
			if f, err = os.Open(s.path); err != nil {
				return nil, err
			}
		}
		return &digested{f, s, ctx}, nil
	}, buffers, ctx.Done()))
	if err != nil {
		s.dropped.Store(true)
		return errors.Join(err, r.Close())
	}
	s.reader = r
	return nil
}

// close ends reading. What of the file has not been read is digested, unless it is not wanted.
func (s *source) close() error {
	if s.reader == nil {
		return nil
	}
	err := s.reader.Close()
	s.finished = true
	return err
}

// file tells what has been read.
func (s *source) file() CaptureFile {
	f := CaptureFile{Path: s.path}
	if s.whole {
		f.SHA256 = hex.EncodeToString(s.digest.Sum(nil))
	}
	return f
}

// digested is a file that is being read.
type digested struct {
	*os.File
	s   *source
	ctx context.Context
}

// Read implements io.Reader.
func (d *digested) Read(b []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, context.Cause(d.ctx)
	}
	n, err := d.File.Read(b)
	d.s.digest.Write(b[:n])
	d.s.position.read.Add(int64(n))
	d.s.whole = d.s.whole || err == io.EOF
	return n, err
}

// Close reads on to the end, for the digest.
func (d *digested) Close() error {
	var b [64 << 10]byte
	for !d.s.whole && !d.s.dropped.Load() {
		if _, err := d.Read(b[:]); err != nil {
			break
		}
	}
	return d.File.Close()
}

// maxOpen is how many files of a capture are read at a time.
const maxOpen = 64

// begin opens every file for a look at its header and at the time of its first frames. All but pipes are closed again if they are many.
func (c *Capture) begin() error {
	buffers := buffersAhead
	if len(c.sources) > 1 {
		buffers = 1
	}
	kept := c.sources[:0]
	for _, s := range c.sources {
		err := s.open(c.ctx, buffers)
		if errors.As(err, new(*FormatError)) && s.found {
			c.passOver(s.path, err)
			continue
		}
		if err != nil {
			return err
		}
		if c.manifest == nil {
			c.manifest = s.reader.Manifest()
		}
		kept = append(kept, s)
		var b Batch
		if err := s.reader.NextBatch(&b); err == nil {
			s.start = b.Frames[0].Time
			for i := range b.Frames {
				s.start = min(s.start, b.Frames[i].Time)
			}
			s.reader.batch, s.reader.at = b, 0 // to be read again
		}
		if len(c.sources) > maxOpen && !s.stream {
			s.dropped.Store(true)
			err := s.reader.Close()
			s.dropped.Store(false)
			s.reader = nil
			if err != nil {
				return err
			}
		}
	}
	c.sources = kept
	if len(kept) == 0 {
		n := c.passed.frames + uint64(len(c.troubles))
		return errors.Join(fmt.Errorf("record: none of %d files can be read as a capture", n), errors.Join(c.troubles...))
	}
	c.position.read.Store(0)
	c.waiting = slices.Clone(kept)
	slices.SortStableFunc(c.waiting, func(a, b *source) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	return nil
}

// passOver takes note of a file in a directory that is no capture, or none any longer.
func (c *Capture) passOver(path string, err error) {
	if looksLikeCapture(path) {
		c.troubles = append(c.troubles, err)
		return
	}
	if c.passed.frames == 0 {
		c.firstPassed = path
	}
	c.passed.frames++
}

// looksLikeCapture reports whether a file is called as captures are, those that tcpdump numbers included.
func looksLikeCapture(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	return strings.Contains(name, ".pcap") || strings.Contains(name, ".cap") || strings.Contains(name, ".dmp")
}
