package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	writeBufferSize = 512 << 10 // handed to the disk at a time, bytes
	maxWriteBuffers = 128       // wait for the disk: 64 MiB, which is a stall of a second at full rate
	keptBuffers     = 4         // stay when the disk has caught up: memory is what the disk is behind by, and not by how much it ever was
	maxAge          = int64(time.Second)
)

// Writer appends to a run directory. Its methods are for one goroutine. They
// copy into memory; another goroutine does the writing. What that one meets,
// a full disk for instance, is the error of all later calls: a scan that
// cannot be recorded has to stop.
type Writer struct {
	dir      *os.Root
	lock     *os.File // the directory, which nobody else writes to while this is open
	chunks   *chunkWriter
	services *os.File

	buffer  *writeBuffer
	limit   int          // bytes of packets in it
	frames  [2]uint64    // by direction
	buffers atomic.Int32 // that there are
	closed  bool

	synced  time.Time         // of the writing goroutine: when it last did
	full    chan *writeBuffer // to it
	empty   chan *writeBuffer // and back
	pending sync.WaitGroup
	failure atomic.Pointer[error]
}

// writeBuffer is what is written at a time. Its packets go first: no service is
// ever in services.jsonl before the packets that showed it are in a chunk.
type writeBuffer struct {
	blocks   []byte
	packets  int       // how many of the blocks are
	before   [2]uint64 // frames by direction before these. Valid only with blocks
	oldest   int64     // time of the first packet. Valid only with packets
	services bytes.Buffer
}

// first returns the number of the first packet.
func (b *writeBuffer) first() uint64 { return b.before[Sent] + b.before[Received] + 1 }

// Create makes the run directory dir, with its parents, and starts the record:
// manifest.json, and chunk 0 with its header. A directory that already holds a
// record is an error, and stays as it is.
func Create(dir string, m *Manifest) (_ *Writer, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	root, lock, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	m = m.stamped()
	m.Chunks = 1
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close(), root.Close())
		}
	}()
	if name, err := holds(dir); err != nil {
		return nil, err
	} else if name != "" {
		return nil, fmt.Errorf("record: %s already holds a record (%s); name a new directory", dir, name)
	}
	chunks, err := newChunkWriter(root, m)
	if err != nil {
		return nil, err
	}
	if err := chunks.begin(Chunk{First: 1}); err != nil {
		return nil, err
	}
	services, err := root.OpenFile(servicesFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("record: %w", err), chunks.remove())
	}
	if err := m.save(root); err != nil {
		return nil, errors.Join(err, chunks.remove(), services.Close(), root.Remove(servicesFile))
	}
	return start(root, lock, chunks, services), nil
}

// lockRun opens a run directory, which nobody else may be writing to.
func lockRun(dir string) (*os.Root, *os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("record: %w", err)
	}
	lock, err := root.Open(".")
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("record: %w", err), root.Close())
	}
	// The lock ends with its process, killed or not. Not every file system can.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil, errors.Join(fmt.Errorf("record: another scan is writing to %s", dir), lock.Close(), root.Close())
	}
	return root, lock, nil
}

// start takes all of them over.
func start(dir *os.Root, lock *os.File, chunks *chunkWriter, services *os.File) *Writer {
	w := &Writer{
		dir: dir, lock: lock, chunks: chunks, services: services,
		limit: int(min(writeBufferSize, chunks.manifest.ChunkSize)), synced: time.Now(),
		full:  make(chan *writeBuffer, maxWriteBuffers),
		empty: make(chan *writeBuffer, maxWriteBuffers),
	}
	w.buffer = w.newBuffer()
	go w.drain()
	return w
}

// holds returns the name of a file in dir that is part of a record, or "".
func holds(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	for _, e := range entries {
		if IsFile(e.Name()) {
			return e.Name(), nil
		}
	}
	return "", nil
}

// Packet appends a frame at a time in nanoseconds since the Unix epoch and
// returns its number, from 1, as Reader and Wireshark count. The frame is
// copied. It goes to the writing goroutine when much has gathered, when a second
// of packet time has passed, or with Flush.
func (w *Writer) Packet(d Direction, ns int64, frame []byte) (number uint64, err error) {
	if err := w.failed(); err != nil {
		return 0, err
	}
	if d > Received || ns < 0 || len(frame) > MaxCapture {
		return 0, fmt.Errorf("record: cannot hold a frame of %d bytes at %d ns, direction %v", len(frame), ns, d)
	}
	b := w.buffer
	if b.packets > 0 && (len(b.blocks)+packetOverhead+len(frame)+3 > w.limit || ns-b.oldest >= maxAge) {
		w.handOver()
		b = w.buffer
	}
	if b.packets == 0 {
		b.before, b.oldest = w.frames, ns
	}
	b.blocks = appendPacket(b.blocks, uint32(d), ns, frame)
	b.packets++
	w.frames[d]++
	return w.frames[Sent] + w.frames[Received], nil
}

// Service appends v to services.jsonl, as JSON on a line of its own. It
// reaches the file after the packets before it do.
func (w *Writer) Service(v any) error {
	if err := w.failed(); err != nil {
		return err
	}
	if err := encodeLine(&w.buffer.services, v); err != nil {
		return err
	}
	if w.buffer.services.Len() > writeBufferSize {
		w.handOver()
	}
	return nil
}

func encodeLine(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("record: service: %w", err)
	}
	return nil
}

// Flush gives all that was appended to the writing goroutine, and does not wait
// for it. Call it each second, whether packets come or not: nothing else moves the
// last of them to the disk, and nothing else notices that time passes.
func (w *Writer) Flush() error {
	if err := w.failed(); err != nil {
		return err
	}
	w.handOver()
	return nil
}

// Close ends the record: statistics for each interface, with the end of the
// scan in nanoseconds since the Unix epoch and the drops in m, then
// manifest.json from m with that end. If anything could not be written, the
// record stays as if cut off and the error is returned. Further calls fail.
func (w *Writer) Close(m *Manifest, end int64) error {
	if w.closed {
		return errClosed
	}
	w.closed = true
	m = m.stamped()
	m.End = time.Unix(0, end).UTC()
	if b := w.buffer; b.packets == 0 {
		b.before, b.oldest = w.frames, end
	}
	w.buffer.blocks = appendEnding(w.buffer.blocks, m, w.frames)
	if w.failed() == nil {
		w.handOver()
	}
	err := w.stop()
	m.Chunks = w.chunks.chunk.Number + 1
	if err == nil {
		err = m.save(w.dir)
	}
	w.fail(errClosed)
	return errors.Join(err, w.lock.Close(), w.dir.Close())
}

var errClosed = fmt.Errorf("record: %w", os.ErrClosed)

// appendEnding appends the statistics of both interfaces, which have recorded so
// many frames up to the end in m.
func appendEnding(b []byte, m *Manifest, frames [2]uint64) []byte {
	s := statistics{end: m.End.UnixNano()}
	if !m.Start.IsZero() {
		s.start = m.Start.UnixNano()
	}
	s.recorded = frames[Sent]
	b = appendStatistics(b, Sent, s)
	s.recorded, s.drops = frames[Received], m.Drops
	return appendStatistics(b, Received, s)
}

// stop ends the writing goroutine, once it has written all, and closes the files.
func (w *Writer) stop() error {
	w.pending.Wait()
	close(w.full)
	err := w.failed()
	if err == nil {
		err = w.chunks.flush()
	}
	return errors.Join(err, w.chunks.finish(), w.services.Sync(), w.services.Close())
}

// handOver gives the buffer to the writing goroutine and takes an empty one.
// It waits only when the disk is behind by maxWriteBuffers.
func (w *Writer) handOver() {
	w.pending.Add(1)
	w.full <- w.buffer
	select {
	case w.buffer = <-w.empty:
	default:
		w.buffer = w.newBuffer()
	}
}

// newBuffer makes a buffer, or waits for one when there are enough.
func (w *Writer) newBuffer() *writeBuffer {
	if w.buffers.Load() == maxWriteBuffers {
		return <-w.empty
	}
	w.buffers.Add(1)
	return &writeBuffer{blocks: make([]byte, 0, w.limit)}
}

// drain is the writing goroutine. After an error it writes nothing more, so
// that the files stay prefixes, and lets the buffers go round.
func (w *Writer) drain() {
	for b := range w.full {
		if w.failed() == nil {
			if err := w.write(b); err != nil {
				w.fail(err)
			}
		}
		b.blocks, b.packets = b.blocks[:0], 0
		b.services.Reset()
		if len(w.empty) < keptBuffers {
			w.empty <- b
		} else {
			w.buffers.Add(-1)
		}
		w.pending.Done()
	}
}

// syncEvery is how long what has been written may be in the kernel's memory only.
const syncEvery = time.Second

func (w *Writer) write(b *writeBuffer) error {
	if err := w.chunks.write(b); err != nil {
		return err
	}
	if _, err := w.services.Write(b.services.Bytes()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if time.Since(w.synced) < syncEvery {
		return nil
	}
	w.synced = time.Now()
	if err := errors.Join(w.chunks.file.Sync(), w.services.Sync()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// fail makes err the error of all later calls, unless there is one.
func (w *Writer) fail(err error) { w.failure.CompareAndSwap(nil, &err) }

func (w *Writer) failed() error {
	if p := w.failure.Load(); p != nil {
		return *p
	}
	return nil
}
