package record

import (
	"errors"
	"io"
	"sync"
)

const (
	bufferSize   = 256 << 10 // bytes read into a buffer
	headroom     = 64 << 10  // bytes before them, for the block that the buffer before ends in
	buffersAhead = 8         // wait to be decoded
	buffersKept  = 32        // have been released, and are used again
)

// readAheadMemory is what reading ahead holds at most, in bytes: the buffers
// that wait, the one that is read into, and the one that is decoded. Batches are
// not counted, nor what a decompressor needs: for the zstd of a chunk, a frame as
// it is and decompressed, up to maxZstdFrame each.
const readAheadMemory = (buffersAhead + 2) * (bufferSize + headroom)

// ahead reads files on a goroutine of its own, so that neither the disk nor a
// decompressor is waited for while packets are decoded.
type ahead struct {
	full chan *buffer // the last of a file has an error after it that isLast; no file follows unless isEnd
	free chan *buffer
	stop chan struct{}
	done chan struct{}

	marks struct { // where frames of zstd begin that have been decompressed, in order
		sync.Mutex
		list []mark
	}

	cancelled <-chan struct{} // closed when nobody may be waited for any longer; nil: never
}

// mark is a place in a chunk that reading can begin at.
type mark struct {
	chunk       int
	plain, file int64 // bytes before it, decompressed and in the file
}

// marksUntil takes the marks off that are at an offset of a chunk or before. There are none in a file that is not compressed, or was
// not as it was written.
func (a *ahead) marksUntil(chunk int, plain int64) []mark {
	a.marks.Lock()
	defer a.marks.Unlock()
	n := 0
	for n < len(a.marks.list) && (a.marks.list[n].chunk < chunk || a.marks.list[n].chunk == chunk && a.marks.list[n].plain <= plain) {
		n++
	}
	taken := a.marks.list[:n:n]
	a.marks.list = a.marks.list[n:]
	return taken
}

// mark keeps in mind where a frame of zstd begins.
func (a *ahead) mark(m mark) {
	a.marks.Lock()
	defer a.marks.Unlock()
	if len(a.marks.list) < maxMarks { // nobody asks for them
		a.marks.list = append(a.marks.list, m)
	}
}

// maxMarks is far more than what is read ahead of who asks for marks.
const maxMarks = 1 << 16

var errCancelled = errors.New("reading was cancelled")

// readAhead begins to read the files that open opens, one after another, so many buffers ahead.
func readAhead(paths []string, open func(path string) (io.ReadCloser, error), buffers int, cancelled <-chan struct{}) *ahead {
	a := &ahead{
		cancelled: cancelled,
		full:      make(chan *buffer, buffers),
		free:      make(chan *buffer, buffersKept),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	go func() {
		defer close(a.done)
		for i, path := range paths {
			if !a.file(i, path, open) {
				return
			}
		}
	}()
	return a
}

// close ends the goroutine. It is not waited for once reading is cancelled: a pipe may have nothing to read.
func (a *ahead) close() {
	close(a.stop)
	select {
	case <-a.done:
	case <-a.cancelled:
	}
}

// file reads a file, and reports whether to read the next.
func (a *ahead) file(chunk int, path string, open func(path string) (io.ReadCloser, error)) bool {
	src, err := open(path)
	if err != nil {
		return a.pass(&buffer{space: make([]byte, headroom), after: err}) && isEnd(err)
	}
	defer src.Close()
	plain, release, err := decompress(src)
	if err != nil {
		return a.pass(&buffer{space: make([]byte, headroom), after: err}) && isEnd(err)
	}
	defer release()
	if d, ok := plain.(*decompressor); ok {
		if z, ok := d.plain.(*zstdReader); ok {
			z.began = func(plain, file int64) { a.mark(mark{chunk, plain, file}) }
		}
	}
	for {
		b := a.buffer()
		b.read(plain)
		after := b.after
		if !a.pass(b) {
			return false
		}
		if isLast(after) {
			return isEnd(after)
		}
	}
}

// pass hands a buffer to the Reader, unless that is closed.
func (a *ahead) pass(b *buffer) bool {
	select {
	case a.full <- b:
		return true
	case <-a.stop:
		return false
	}
}

// buffer returns an empty buffer: one that was released, or else another one.
// It does not wait for the holders of batches, who may be waiting for the next.
func (a *ahead) buffer() *buffer {
	select {
	case b := <-a.free:
		return b
	default:
		return &buffer{space: make([]byte, headroom+bufferSize), free: a.free}
	}
}

// read fills the buffer, or reads what there is.
func (b *buffer) read(src io.Reader) {
	b.size, b.after = 0, nil
	for into := b.space[headroom:]; b.size < len(into) && b.after == nil; {
		var n int
		n, b.after = src.Read(into[b.size:])
		b.size += n
	}
}
