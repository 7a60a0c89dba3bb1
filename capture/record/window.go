package record

import (
	"bytes"
	"io"
)

// window is a view that moves forward over a stream, one of those that are read
// ahead. Bytes that it has shown stay in place until the next call of peek or
// skip, or, once handOver has given them away, until their batch is released.
type window struct {
	ahead  *ahead
	buffer *buffer // that rest is in; nil after handOver
	rest   []byte  // shown next
	offset int64   // of rest in the stream
	after  error   // what follows rest; nil if more bytes do

	tail []byte // memory for rest after handOver
}

// peek returns the next n bytes without passing them. At the end of the stream
// it returns io.EOF, or io.ErrUnexpectedEOF if there are some, but not n.
func (w *window) peek(n int) ([]byte, error) {
	for len(w.rest) < n {
		if err := w.fetch(); err != nil {
			return nil, err
		}
	}
	return w.rest[:n], nil
}

// fetch adds to rest what has been read ahead.
func (w *window) fetch() error {
	switch {
	case w.after == io.EOF && len(w.rest) > 0:
		return io.ErrUnexpectedEOF
	case w.after != nil:
		return w.after
	}
	var next *buffer
	select {
	case next = <-w.ahead.full:
	case <-w.ahead.cancelled:
		w.after = errCancelled
		return w.after
	}
	w.after = next.after
	read := next.space[headroom : headroom+next.size : headroom+next.size]
	if n := len(w.rest); n <= headroom {
		copy(next.space[headroom-n:], w.rest)
		if w.buffer != nil {
			w.buffer.recycle()
		}
		w.buffer, w.rest = next, next.space[headroom-n:headroom+next.size:headroom+next.size]
		return nil
	}
	// A long block, or what a batch left that ended early. Memory grows only as bytes arrive, so that a length
	// in a short file cannot claim it.
	grown := append(w.rest, read...)
	if w.buffer != nil {
		w.buffer.recycle()
	}
	next.recycle()
	w.buffer, w.rest = &buffer{}, grown
	return nil
}

// passDamage moves past the *damage that is after rest, of which nothing is whole.
func (w *window) passDamage() {
	w.rest, w.after = nil, nil
}

// nextStream leaves the stream and moves on to the one behind it.
func (w *window) nextStream() {
	w.toEnd()
	if w.buffer != nil {
		w.buffer.recycle()
	}
	w.buffer, w.rest, w.offset, w.after = nil, nil, 0, nil
}

// onlyZeros reports whether zeros alone are left of the stream, one at least, from the n-th byte
// of rest on, and moves to its end.
func (w *window) onlyZeros(n int) bool {
	zeros, some := true, false
	w.rest = w.rest[n:]
	for {
		some = some || len(w.rest) > 0
		zeros = zeros && len(bytes.Trim(w.rest, "\x00")) == 0
		w.rest = nil
		if w.after != nil {
			return zeros && some && isEnd(w.after)
		}
		_ = w.fetch() // which fails only after the last of it
	}
}

// toEnd moves to the end of the stream.
func (w *window) toEnd() {
	for w.rest = nil; !isLast(w.after); w.rest = nil {
		w.after = nil
		_ = w.fetch() // which fails only after the last of it
	}
}

// isLast reports whether nothing follows an error in its stream.
func isLast(after error) bool {
	_, damaged := after.(*damage)
	return after != nil && !damaged
}

// handOver gives away the buffer with what has been passed, and keeps the rest.
func (w *window) handOver() *buffer {
	b := w.buffer
	w.tail = append(w.tail[:0], w.rest...)
	w.buffer, w.rest = nil, w.tail[:len(w.tail):len(w.tail)]
	return b
}

// own makes sure that rest is in a buffer, for handOver to give away.
func (w *window) own() error {
	if w.buffer != nil {
		return nil
	}
	if w.after == nil && len(w.rest) <= headroom {
		return w.fetch()
	}
	w.buffer, w.rest = &buffer{}, append([]byte(nil), w.rest...)
	return nil
}

// pass moves over n bytes that peek has shown.
func (w *window) pass(n int) {
	w.rest = w.rest[n:]
	w.offset += int64(n)
}

// skip moves over n bytes, however many they are.
func (w *window) skip(n int64) error {
	for {
		step := int(min(n, int64(len(w.rest))))
		w.pass(step)
		n -= int64(step)
		if n == 0 {
			return nil
		}
		if err := w.fetch(); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
}
