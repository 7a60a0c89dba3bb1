package record

import "sync/atomic"

// Batch is many frames of a capture at once, with the bytes that they are views
// of. It is a handle: a copy of it, given to another goroutine, is the same
// batch. Frames and their Data are valid until the last holder has called
// Release; nobody may change them.
type Batch struct {
	Frames []Frame // of one part

	buffer *buffer
}

// Hold adds n holders to the one that called NextBatch. Each of them calls
// Release once.
func (b *Batch) Hold(n int) { b.buffer.holders.Add(int32(n)) }

// Release ends what one holder has of the batch. After the last one the Reader
// reads other frames into the same memory.
func (b *Batch) Release() {
	if b.buffer == nil {
		return
	}
	switch left := b.buffer.holders.Add(-1); {
	case left == 0:
		b.buffer.recycle()
	case left < 0:
		panic("record: a batch was released more often than it was held")
	}
}

// buffer is a stretch of a capture's bytes. It goes from the goroutine that
// reads ahead to the Reader, from there with a Batch to its holders, and back.
type buffer struct {
	space []byte // headroom, then what is read
	size  int    // bytes that have been read
	after error  // what follows them in the file: io.EOF, or why nothing does; nil if more bytes do

	frames  []Frame // for the batch
	holders atomic.Int32
	free    chan *buffer // where it goes in the end; nil for one of odd size
}

// recycle gives the buffer back. One that there is no room for is garbage.
func (b *buffer) recycle() {
	select {
	case b.free <- b:
	default:
	}
}
