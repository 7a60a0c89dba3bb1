package record

import "io"

const (
	bufferSize   = 512 << 10 // bytes read into a buffer
	headroom     = 64 << 10  // bytes before them, for the block that the buffer before ends in
	buffersAhead = 4         // wait to be decoded
)

// readAheadMemory is what reading ahead holds at most, in bytes: the buffers
// that wait, the one that is read into, and the one that is decoded. Batches
// that have not been released are not counted.
const readAheadMemory = (buffersAhead + 2) * (bufferSize + headroom)

// ahead reads a stream on a goroutine of its own, so that neither the disk nor
// a decompressor is waited for while packets are decoded.
type ahead struct {
	full chan *buffer // the last of them has an error after it
	free chan *buffer
	stop chan struct{}
	done chan struct{}
}

// readAhead begins to read src, which is not used by others until stopped.
func readAhead(src io.Reader) *ahead {
	a := &ahead{
		full: make(chan *buffer, buffersAhead),
		free: make(chan *buffer, buffersAhead+2),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	go a.run(src)
	return a
}

func (a *ahead) run(src io.Reader) {
	defer close(a.done)
	for {
		b := a.buffer()
		b.read(src)
		select {
		case a.full <- b:
		case <-a.stop:
			return
		}
		if b.after != nil {
			return
		}
	}
}

// close ends the goroutine.
func (a *ahead) close() {
	close(a.stop)
	<-a.done
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
