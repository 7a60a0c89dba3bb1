package record

import (
	"io"
	"os"
	"sync/atomic"
)

// position is how far the files of a capture have been read.
type position struct {
	read atomic.Int64
	size int64
}

// open opens a file whose bytes count.
func (p *position) open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &counted{f, p}, nil
}

// counted is a file that is being read.
type counted struct {
	*os.File
	position *position
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.File.Read(b)
	c.position.read.Add(int64(n))
	return n, err
}

// Position returns how many bytes of the capture's files have been read, some of them ahead of the frames, and how many
// they have.
func (r *Reader) Position() (read, size int64) { return r.position.read.Load(), r.position.size }
