package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	chunkSize = 512 << 10 // handed to the disk at a time, bytes
	maxChunks = 128       // wait for the disk: 64 MiB, which is a stall of a second at full rate
	maxAge    = int64(time.Second)
)

// Writer appends to a run directory. Its methods are for one goroutine. They
// copy into memory; another goroutine does the writing. What that one meets,
// a full disk for instance, is the error of all later calls: a scan that
// cannot be recorded has to stop.
type Writer struct {
	dir               *os.Root
	packets, services *os.File

	chunk  *chunk
	oldest int64     // time of the first packet in chunk
	frames [2]uint64 // by direction
	chunks int       // made so far
	closed bool

	full    chan *chunk // to the writing goroutine
	empty   chan *chunk // and back
	pending sync.WaitGroup
	failure atomic.Pointer[error]
}

// chunk is what is written at a time. Its packets go first: no service is ever
// in services.jsonl before the packets that showed it are in packets.pcapng.
type chunk struct {
	packets  []byte
	services bytes.Buffer
}

// Create makes the run directory dir, with its parents, and starts the record:
// manifest.json, and packets.pcapng with its header. A directory that already
// holds a record is an error, and stays as it is.
func Create(dir string, m *Manifest) (*Writer, error) {
	m = m.stamped()
	header, err := header(m)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if name := holds(dir); name != "" {
		return nil, fmt.Errorf("record: %s already holds a record (%s); name a new directory", dir, name)
	}
	packets, err := createFile(dir, packetsFile, header)
	if err != nil {
		return nil, err
	}
	services, err := createFile(dir, servicesFile, nil)
	if err != nil {
		return nil, errors.Join(err, packets.Close(), os.Remove(packets.Name()))
	}
	if err := SaveManifest(dir, m); err != nil {
		return nil, errors.Join(err, packets.Close(), services.Close(),
			os.Remove(packets.Name()), os.Remove(services.Name()))
	}
	return start(dir, packets, services)
}

// start takes the files over, and closes them if that fails.
func start(dir string, packets, services *os.File) (*Writer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("record: %w", err), packets.Close(), services.Close())
	}
	w := &Writer{
		dir: root, packets: packets, services: services,
		full:  make(chan *chunk, maxChunks),
		empty: make(chan *chunk, maxChunks),
	}
	w.chunk = w.newChunk()
	go w.drain()
	return w, nil
}

// header returns what packets.pcapng begins with.
func header(m *Manifest) ([]byte, error) {
	comment, err := m.encode("")
	if err != nil {
		return nil, err
	}
	b := appendSection(nil, string(bytes.TrimSpace(comment)))
	if len(b) > maxBlock {
		return nil, fmt.Errorf("record: the manifest has %d bytes; a pcapng section header holds %d", len(comment), maxBlock)
	}
	b = appendInterface(b, Sent.String())
	return appendInterface(b, Received.String()), nil
}

// holds returns the name of a file in dir that is part of a record, or "".
func holds(dir string) string {
	for _, name := range Files() {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return name
		}
	}
	return ""
}

func createFile(dir, name string, content []byte) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if err = lock(f); err == nil {
		_, err = f.Write(content)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("record: %w", err), f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// lock keeps others from writing to a record while f is open, which it is no more when its process is killed. Not every
// file system can.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another scan is writing to %s", f.Name())
	}
	return nil
}

// Packet appends a frame at a time in nanoseconds since the Unix epoch and
// returns its number, from 1, as Reader and Wireshark count. The frame is
// copied. It reaches the file when much has gathered, when a second of packet
// time has passed, or with Flush.
func (w *Writer) Packet(d Direction, ns int64, frame []byte) (number uint64, err error) {
	if err := w.failed(); err != nil {
		return 0, err
	}
	if d > Received || ns < 0 || len(frame) > MaxCapture {
		return 0, fmt.Errorf("record: cannot hold a frame of %d bytes at %d ns, direction %v", len(frame), ns, d)
	}
	if len(w.chunk.packets)+packetOverhead+len(frame)+3 > chunkSize || w.aged(ns) {
		w.handOver()
	}
	if len(w.chunk.packets) == 0 {
		w.oldest = ns
	}
	w.chunk.packets = appendPacket(w.chunk.packets, d, ns, frame)
	w.frames[d]++
	return w.frames[Sent] + w.frames[Received], nil
}

func (w *Writer) aged(ns int64) bool {
	return len(w.chunk.packets) > 0 && ns-w.oldest >= maxAge
}

// Service appends v to services.jsonl, as JSON on a line of its own. It
// reaches the file after the packets before it do.
func (w *Writer) Service(v any) error {
	if err := w.failed(); err != nil {
		return err
	}
	e := json.NewEncoder(&w.chunk.services)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("record: service: %w", err)
	}
	if w.chunk.services.Len() > chunkSize {
		w.handOver()
	}
	return nil
}

// Flush returns when all that was appended is in the files. Call it when no
// packets come, for then nothing else moves the last of them to the disk.
func (w *Writer) Flush() error {
	if err := w.failed(); err != nil {
		return err
	}
	w.handOver()
	w.pending.Wait()
	return w.failed()
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
	w.appendEnding(m)
	err := errors.Join(w.Flush(), w.stop())
	if err == nil {
		err = m.save(w.dir)
	}
	w.fail(errClosed)
	return errors.Join(err, w.dir.Close())
}

var errClosed = fmt.Errorf("record: %w", os.ErrClosed)

// appendEnding appends the statistics of both interfaces.
func (w *Writer) appendEnding(m *Manifest) {
	s := statistics{end: m.End.UnixNano()}
	if !m.Start.IsZero() {
		s.start = m.Start.UnixNano()
	}
	b := w.chunk.packets
	s.recorded = w.frames[Sent]
	b = appendStatistics(b, Sent, s)
	s.recorded, s.drops = w.frames[Received], m.Drops
	w.chunk.packets = appendStatistics(b, Received, s)
}

// stop ends the writing goroutine and closes the files.
func (w *Writer) stop() error {
	w.pending.Wait() // after an error Flush does not
	close(w.full)
	return errors.Join(w.packets.Sync(), w.packets.Close(), w.services.Sync(), w.services.Close())
}

// handOver gives the chunk to the writing goroutine and takes an empty one.
// It waits only when the disk is behind by maxChunks.
func (w *Writer) handOver() {
	w.pending.Add(1)
	w.full <- w.chunk
	select {
	case w.chunk = <-w.empty:
	default:
		w.chunk = w.newChunk()
	}
}

// newChunk makes a chunk, or waits for one when there are enough.
func (w *Writer) newChunk() *chunk {
	if w.chunks == maxChunks {
		return <-w.empty
	}
	w.chunks++
	return &chunk{packets: make([]byte, 0, chunkSize)}
}

// drain is the writing goroutine. After an error it writes nothing more, so
// that the files stay prefixes, and lets the chunks go round.
func (w *Writer) drain() {
	for c := range w.full {
		if w.failed() == nil {
			w.write(c)
		}
		c.packets = c.packets[:0]
		c.services.Reset()
		w.empty <- c
		w.pending.Done()
	}
}

func (w *Writer) write(c *chunk) {
	if _, err := w.packets.Write(c.packets); err != nil {
		w.fail(fmt.Errorf("record: %w", err))
		return
	}
	if _, err := w.services.Write(c.services.Bytes()); err != nil {
		w.fail(fmt.Errorf("record: %w", err))
	}
}

// fail makes err the error of all later calls, unless there is one.
func (w *Writer) fail(err error) { w.failure.CompareAndSwap(nil, &err) }

func (w *Writer) failed() error {
	if p := w.failure.Load(); p != nil {
		return *p
	}
	return nil
}
