package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Reopen goes on with the record in dir, which was closed before its scan was done, or cut off:
// what follows its last whole packet is dropped, statistics end the part, and the packets that
// are written from now on are the next part, in a chunk of its own. m is the record's manifest, with the
// counters of what has been read; services are the lines that services.jsonl begins with.
func Reopen(dir string, m *Manifest, services []any) (_ *Writer, _ Continuation, err error) {
	root, lock, err := lockRun(dir)
	if err != nil {
		return nil, Continuation{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close(), root.Close())
		}
	}()
	last, err := survey(dir)
	if err != nil {
		return nil, Continuation{}, err
	}
	if counted := [2]uint64{m.Counters.Sent, m.Counters.Received}; last.frames != counted {
		return nil, Continuation{}, fmt.Errorf("record: go on: %s has %d packets sent and received, and no longer %d", dir, last.frames, counted)
	}
	var lines bytes.Buffer
	for _, s := range services {
		if err := encodeLine(&lines, s); err != nil {
			return nil, Continuation{}, err
		}
	}
	m = m.stamped()
	m.Chunks = last.number + 2
	w, err := goOn(root, lock, m, last, lines.Bytes())
	return w, Continuation{Part: last.part + 1, Last: last.time}, err
}

// goOn ends the last chunk and begins the next.
func goOn(root *os.Root, lock *os.File, m *Manifest, last lastChunk, lines []byte) (*Writer, error) {
	if err := last.finish(root, m); err != nil {
		return nil, err
	}
	const temporary = servicesFile + ".new"
	if err := writeSynced(root, temporary, lines); err != nil {
		return nil, errors.Join(fmt.Errorf("record: %w", err), root.Remove(temporary))
	}
	chunks, err := newChunkWriter(root, m)
	if err != nil {
		return nil, errors.Join(err, root.Remove(temporary))
	}
	frames := last.frames[Sent] + last.frames[Received]
	if err := chunks.begin(Chunk{Number: last.number + 1, Run: last.run, Part: last.part + 1, First: frames + 1}); err != nil {
		return nil, errors.Join(err, root.Remove(temporary))
	}
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		err = root.Rename(temporary, servicesFile)
	}
	if err != nil { // the lines that there were stay
		return nil, errors.Join(fmt.Errorf("record: %w", err), chunks.remove(), root.Remove(temporary))
	}
	if err := m.save(root); err != nil {
		return nil, errors.Join(err, file.Close(), chunks.remove())
	}
	w := start(root, lock, chunks, file)
	w.frames = last.frames
	return w, nil
}

// Continuation is where a record that was reopened goes on.
type Continuation struct {
	Part int   // number of the new part
	Last int64 // time of the packet before it, ns since the Unix epoch
}

// lastChunk is where a record ends: the last of its chunks that holds a packet.
type lastChunk struct {
	name   string
	number int
	run    string
	part   int
	time   int64     // of its last packet
	frames [2]uint64 // in the record
	ended  bool      // statistics end it
	size   int64     // bytes of the file, to the end of the last packet, or of zstd's frame; 0 if it cannot be cut there
	after  []string  // names of chunks behind it, without a packet
}

// survey reads a record to its end.
func survey(dir string) (last lastChunk, err error) {
	r, err := Open(dir)
	if err != nil {
		return last, err
	}
	defer r.Close()
	last.number, last.run = -1, r.run
	for {
		var b Batch
		if err = r.NextBatch(&b); err != nil {
			break
		}
		for _, f := range b.Frames {
			last.frames[f.Direction]++
		}
		f := b.Frames[len(b.Frames)-1]
		last.number, last.part, last.time = r.chunk, f.Part, f.Time
		b.Release()
	}
	if err = cutOrEnd(err); err != nil {
		return last, err
	}
	if last.number < 0 {
		return last, fmt.Errorf("record: %s holds no packet: nothing to go on from; start the scan anew", dir)
	}
	for _, path := range r.paths[last.number+1:] {
		last.after = append(last.after, filepath.Base(path))
	}
	return last, last.look(r.paths[last.number])
}

// cutOrEnd is what err is but for the end of a record, whole or cut off.
func cutOrEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.As(err, new(*TruncatedError)) {
		return nil
	}
	return err
}

// look reads the chunk itself, to see how it ends.
func (last *lastChunk) look(path string) error {
	last.name = filepath.Base(path)
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		var f Frame
		if err = r.Next(&f); err != nil {
			break
		}
		last.size = f.Offset + packetOverhead + int64(len(f.Data)+3)&^3
	}
	_, last.ended = r.End()
	var cut *TruncatedError
	errors.As(err, &cut)
	if err = cutOrEnd(err); err != nil || strings.HasSuffix(path, ".pcapng") {
		return err
	}
	size, plain, err := wholeFrames(path)
	if cut != nil && cut.Offset != plain { // within what was compressed
		size = 0
	}
	last.size = size
	return err
}

// finish cuts the chunk to its packets and ends it, and removes those behind it.
// One that has its end already stays as it is.
func (last *lastChunk) finish(dir *os.Root, m *Manifest) error {
	if !last.ended {
		if err := last.end(dir, m); err != nil {
			return fmt.Errorf("record: go on: %w", err)
		}
	}
	for _, name := range last.after {
		if err := dir.Remove(name); err != nil {
			return fmt.Errorf("record: go on: %w", err)
		}
	}
	return nil
}

func (last *lastChunk) end(dir *os.Root, m *Manifest) error {
	if last.size == 0 {
		return fmt.Errorf("%s was cut off before it was compressed: decompress it first", last.name)
	}
	ending := *m
	ending.End = time.Unix(0, last.time)
	content := appendEnding(nil, &ending, last.frames)
	if !strings.HasSuffix(last.name, ".pcapng") {
		e, err := newEncoder()
		if err != nil {
			return err
		}
		content = e.EncodeAll(content, nil)
	}
	f, err := dir.OpenFile(last.name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(last.size); err == nil {
		_, err = f.WriteAt(content, last.size)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
