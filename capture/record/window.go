package record

import "io"

// window is a view of a stream that moves forward. Bytes it has shown stay in
// place until the next call of peek or skip.
type window struct {
	src        io.Reader
	buf        []byte
	start, end int   // of what is in buf and not yet passed
	offset     int64 // of buf[start] in the stream
}

const windowSize = 512 << 10

func newWindow(src io.Reader) window { return window{src: src, buf: make([]byte, windowSize)} }

// peek returns the next n bytes without passing them. At the end of the stream
// it returns io.EOF, or io.ErrUnexpectedEOF if there are some, but not n.
func (w *window) peek(n int) ([]byte, error) {
	if w.end-w.start < n {
		if err := w.fill(n); err != nil {
			return nil, err
		}
	}
	return w.buf[w.start : w.start+n], nil
}

// fill reads until n bytes are in the buffer. The buffer grows only as bytes
// arrive, so that a length in a short file cannot claim memory.
func (w *window) fill(n int) error {
	w.end = copy(w.buf, w.buf[w.start:w.end])
	w.start = 0
	for w.end < n {
		if w.end == len(w.buf) {
			w.buf = append(w.buf, make([]byte, len(w.buf))...)
		}
		got, err := io.ReadAtLeast(w.src, w.buf[w.end:], min(n, len(w.buf))-w.end)
		w.end += got
		if err == io.EOF && w.end > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pass moves over n bytes that peek has shown.
func (w *window) pass(n int) {
	w.start += n
	w.offset += int64(n)
}

// skip moves over n bytes, however many they are.
func (w *window) skip(n int64) error {
	for {
		step := int(min(n, int64(w.end-w.start)))
		w.pass(step)
		n -= int64(step)
		if n == 0 {
			return nil
		}
		if err := w.fill(1); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
}
