package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
)

// readBatches reads until an error, which is io.EOF at a clean end. It holds all
// batches until then, so that the frames that it returns are views of them.
func readBatches(r *Reader) (frames []Frame, batches []Batch, err error) {
	for {
		var b Batch
		if err := r.NextBatch(&b); err != nil {
			return frames, batches, err
		}
		frames = append(frames, b.Frames...)
		batches = append(batches, b)
	}
}

// oddFrames are so many, and so long, that blocks begin and end anywhere in the
// buffers that are read ahead, and some are longer than the headroom.
func oddFrames(n int) []Frame {
	random := rand.NewChaCha8([32]byte{7})
	sizes := rand.New(random)
	frames := make([]Frame, n)
	for i := range frames {
		data := make([]byte, sizes.IntN(200))
		switch sizes.IntN(60) {
		case 0:
			data = make([]byte, sizes.IntN(MaxCapture))
		case 1:
			data = make([]byte, MaxCapture)
		}
		random.Read(data)
		frames[i] = Frame{Number: uint64(i + 1), Time: testStart.UnixNano() + int64(i), Direction: Direction(i % 2),
			LinkType: linkEthernet, Length: uint32(len(data)), Data: data}
	}
	return frames
}

// TestNextBatch reads batches, all held, and frame by frame.
func TestNextBatch(t *testing.T) {
	want := oddFrames(5000)
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), want)
	open := func() *Reader {
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	r := open()
	got, batches, err := readBatches(r)
	if err != io.EOF || len(batches) < 50 {
		t.Fatal(len(batches), err)
	}
	sameFrames(t, want, got)
	if _, closed := r.End(); !closed {
		t.Error("not closed")
	}
	got, _ = mustRead(t, dir)
	sameFrames(t, want, got)

	// Next, then the rest of what it has read ahead, then Next again.
	r, got = open(), nil
	for len(got) < len(want) {
		var f Frame
		if err := r.Next(&f); err != nil {
			t.Fatal(err)
		}
		f.Data = bytes.Clone(f.Data)
		got = append(got, f)
		var b Batch
		if err := r.NextBatch(&b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, b.Frames...)
	}
	sameFrames(t, want, got)
}

// TestNextBatchErrors delivers what is before an error first.
func TestNextBatchErrors(t *testing.T) {
	content := golden(t)
	broken := errors.New("broken disk")
	for name, c := range map[string]struct {
		src io.Reader
		is  func(error) bool
	}{
		"cut":    {bytes.NewReader(content[:len(content)-300]), func(err error) bool { return errors.As(err, new(*TruncatedError)) }},
		"wrong":  {bytes.NewReader(append(bytes.Clone(content), "nonsense"...)), func(err error) bool { return errors.As(err, new(*FormatError)) }},
		"broken": {io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), func(err error) bool { return errors.Is(err, broken) }},
	} {
		r, err := readFrom(c.src)
		if err != nil {
			t.Fatal(err)
		}
		frames, _, err := readBatches(r)
		if len(frames) < 3 || !c.is(err) {
			t.Errorf("%s: %d frames, then %v", name, len(frames), err)
		}
		if again := r.NextBatch(new(Batch)); again != err {
			t.Errorf("%s: %v, then %v", name, err, again)
		}
		if again := r.Next(new(Frame)); again != err {
			t.Errorf("%s: %v, then %v", name, err, again)
		}
	}
}

// TestBatchOfAPart ends a batch where the scan was resumed.
func TestBatchOfAPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	frames := testFrames()
	record(t, dir, testManifest(), frames)
	for range 3 {
		m := testManifest()
		m.Counters = Counters{}
		got, _ := mustRead(t, dir)
		for _, f := range got {
			m.Counters.Count(f.Direction, nil)
		}
		w, _, err := Reopen(dir, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Packet(Sent, testEnd.UnixNano(), []byte("frame")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(m, testEnd.UnixNano()); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, batches, err := readBatches(r)
	if err != io.EOF || len(batches) != 4 {
		t.Fatal(len(batches), err)
	}
	for part, b := range batches {
		for _, f := range b.Frames {
			if f.Part != part {
				t.Errorf("frame %d of part %d in batch %d", f.Number, f.Part, part)
			}
		}
	}
}

// TestBatchHolders has several goroutines read each batch, and finds the memory
// of all of them used again.
func TestBatchHolders(t *testing.T) {
	const holders = 3
	r, err := readFrom(bytes.NewReader(pcapngOf(t, 300_000)))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	work := make([]chan Batch, holders)
	var counted [holders]uint64
	for i := range work {
		work[i] = make(chan Batch, i)
		group.Go(func() {
			for b := range work[i] {
				for _, f := range b.Frames {
					if counted[i]++; f.Number != counted[i] || len(f.Data) != synFrame || f.Data[0] != 0 {
						t.Errorf("frame %d, not %d", f.Number, counted[i])
					}
				}
				b.Release()
			}
		})
	}
	buffers := map[*buffer]bool{}
	var b Batch
	for r.NextBatch(&b) == nil {
		buffers[b.buffer] = true
		b.Hold(holders)
		for _, w := range work {
			w <- b
		}
		b.Release()
	}
	for _, w := range work {
		close(w)
	}
	group.Wait()
	for _, n := range counted {
		if n != 300_000 {
			t.Errorf("%d frames", n)
		}
	}
	if n := len(buffers); n > buffersAhead+2+holders+2 {
		t.Errorf("%d buffers", n)
	}
}

func TestReleaseTooOften(t *testing.T) {
	r, err := readFrom(bytes.NewReader(golden(t)))
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := r.NextBatch(&b); err != nil {
		t.Fatal(err)
	}
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("released twice, held once")
		}
	}()
	b.Release()
}

// TestBatchesHeld holds many batches while others are read, and finds each as it
// was: in a record, and where blocks that are passed over are longer than a buffer.
func TestBatchesHeld(t *testing.T) {
	m := testManifest()
	m.ChunkSize = 1 << 20
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, m, oddFrames(3000))
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	holdBatches(t, r, oddFrames(3000))

	var passed, c capture
	passed.order, c.order = little, little
	passed.block(0x7777, make([]byte, bufferSize+headroom))
	content := newCapture(little)
	content.network(linkEthernet, 0)
	stream := content.bytes
	var want []Frame
	for i := range 600 {
		if i%6 == 0 {
			stream = append(stream, passed.bytes...)
		}
		c.bytes = c.bytes[:0]
		c.packet(0, uint64(i))
		stream = append(stream, c.bytes...)
		want = append(want, Frame{Number: uint64(i + 1), Time: int64(i) * 1000, Direction: Received, LinkType: linkEthernet, Length: 1500, Data: []byte("data")})
	}
	if r, err = readFrom(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	holdBatches(t, r, want)
}

func holdBatches(t *testing.T, r *Reader, want []Frame) {
	t.Helper()
	var held []Batch
	n := 0
	release := func() {
		for _, f := range held[0].Frames {
			if n >= len(want) || !sameFrame(want[n], f) {
				t.Fatalf("frame %d is number %d, of %d bytes", n+1, f.Number, len(f.Data))
			}
			n++
		}
		held[0].Release()
		held = held[1:]
	}
	var b Batch
	var err error
	for err = r.NextBatch(&b); err == nil; err = r.NextBatch(&b) {
		if held = append(held, b); len(held) > 30 {
			release()
		}
	}
	for len(held) > 0 {
		release()
	}
	if err != io.EOF || n != len(want) {
		t.Errorf("%d frames, want %d: %v", n, len(want), err)
	}
}
