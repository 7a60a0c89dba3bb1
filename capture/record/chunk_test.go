package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inMemory opens chunks that are called packets-00000.pcapng and so on.
func inMemory(chunks [][]byte) (*Reader, error) {
	paths := make([]string, len(chunks))
	byPath := make(map[string][]byte)
	for i, c := range chunks {
		paths[i] = chunkName(i)
		byPath[paths[i]] = c
	}
	return newReader(paths, func(path string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(byPath[path])), nil
	})
}

// goldenChunks are the three chunks of testdata/chunks, of 2, 2 and 1 frames.
func goldenChunks(t testing.TB) [][]byte {
	t.Helper()
	var chunks [][]byte
	for number := range 3 {
		content, err := os.ReadFile(filepath.Join("testdata", "chunks", chunkName(number)))
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, content)
	}
	return chunks
}

func chunksOf(t testing.TB, dir string) []string {
	t.Helper()
	m, err := LoadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := chunkFiles(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestChunks reads 1 to 50 chunks as one record.
func TestChunks(t *testing.T) {
	frames := oddFrames(400)
	size := int64(0)
	for _, f := range frames {
		size += int64(len(f.Data) + packetOverhead)
	}
	counts := map[int]bool{}
	for _, parts := range []int64{1, 2, 3, 7, 20, 60, 1000, -1, -4, -1000} {
		m := testManifest()
		if parts < 0 {
			parts, m.Compression = -parts, "zstd"
		}
		m.ChunkSize = size/parts + 5000
		dir := filepath.Join(t.TempDir(), "run")
		record(t, dir, m, frames)
		got, r := mustRead(t, dir)
		sameFrames(t, frames, got)
		if end, closed := r.End(); end != testEnd.UnixNano() || !closed {
			t.Error(end, closed)
		}
		paths := chunksOf(t, dir)
		counts[len(paths)] = true
		if r.Manifest().Chunks != len(paths) {
			t.Errorf("%d chunks, the manifest has %d", len(paths), r.Manifest().Chunks)
		}
		// Each is a capture of its own.
		first := uint64(1)
		for number, path := range paths {
			alone, r := mustRead(t, path)
			in := r.Manifest().Chunk
			if in.Number != number || in.First != first || in.Part != 0 || (in.Run == "") != (number == 0) {
				t.Errorf("%s: %+v, want chunk %d from frame %d", path, in, number, first)
			}
			for i := range alone {
				if alone[i].Number != uint64(i+1) {
					t.Fatalf("frame %d of %s has number %d", i+1, path, alone[i].Number)
				}
				alone[i].Number += first - 1
			}
			sameFrames(t, frames[first-1:int(first)-1+len(alone)], alone)
			first += uint64(len(alone))
			most := m.ChunkSize + 2000
			if m.Compression != "" {
				most += zstdFrame // one, if it alone is longer
			}
			if info, err := os.Stat(path); err != nil || len(alone) == 0 || len(alone) > 1 && info.Size() > most {
				t.Errorf("%s: %d frames, %v, %v", path, len(alone), info, err)
			}
		}
	}
	if !counts[1] || len(counts) < 5 {
		t.Error(counts)
	}
}

// TestChunkMovedAway takes each finished chunk to another place while the scan
// runs, and reads them when they are back.
func TestChunkMovedAway(t *testing.T) {
	dir, elsewhere := filepath.Join(t.TempDir(), "run"), t.TempDir()
	m := testManifest()
	m.ChunkSize = 3000
	w, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	frames := testFrames()
	for range 6 {
		frames = append(frames, frames...)
	}
	move := func() {
		chunks, _ := filepath.Glob(filepath.Join(dir, "packets-*"))
		for _, path := range chunks[:len(chunks)-1] {
			if err := os.Rename(path, filepath.Join(elsewhere, filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range frames {
		f := &frames[i]
		f.Number = uint64(i + 1)
		if _, err := w.Packet(f.Direction, f.Time, f.Data); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		w.pending.Wait()
		move()
	}
	if err := w.Close(m, testEnd.UnixNano()); err != nil {
		t.Fatal(err)
	}
	var missing *ChunkError
	if _, err := Open(dir); !errors.As(err, &missing) || missing.Number != 0 || missing.Count < 10 {
		t.Error(err)
	}
	for _, e := range readDir(t, elsewhere) {
		if err := os.Symlink(filepath.Join(elsewhere, e), filepath.Join(dir, e)); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := mustRead(t, dir)
	sameFrames(t, frames, got)
}

func readDir(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestWrongChunks has chunks that are missing, in another's place, or of another
// run.
func TestWrongChunks(t *testing.T) {
	runs := t.TempDir()
	make := func(name string, seed uint64) string {
		dir := filepath.Join(runs, name)
		m := testManifest()
		m.ChunkSize, m.Seed = 200, seed
		record(t, dir, m, testFrames())
		return dir
	}
	other := make("other", 7)
	single, err := os.ReadFile("testdata/run/packets.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		change  func(path func(int) string) error
		number  int
		problem string
	}{
		{func(path func(int) string) error { return os.Remove(path(0)) }, 0, "is missing: PATH"},
		{func(path func(int) string) error { return os.Remove(path(1)) }, 1, "is missing: PATH"},
		{func(path func(int) string) error { return os.Remove(path(2)) }, 2, "is missing: PATH"},
		{func(path func(int) string) error {
			return errors.Join(os.Rename(path(1), path(3)), os.Rename(path(2), path(1)), os.Rename(path(3), path(2)))
		}, 1, "is chunk 2: PATH"},
		{func(path func(int) string) error {
			return errors.Join(os.Rename(path(0), path(3)), os.Rename(path(1), path(0)), os.Rename(path(3), path(1)))
		}, 0, "is chunk 1: PATH"},
		{func(path func(int) string) error { return os.Rename(filepath.Join(other, chunkName(0)), path(0)) }, 1, "is of another run: PATH"},
		{func(path func(int) string) error { return os.Rename(filepath.Join(other, chunkName(2)), path(2)) }, 2, "is of another run: PATH"},
		{func(path func(int) string) error { return os.WriteFile(path(1), single, 0o644) }, 1, "does not say which chunk it is: PATH"},
		{func(path func(int) string) error { return os.WriteFile(path(1), pcapOf(t, 2), 0o644) }, 1, "is not a pcapng file: PATH"},
		{func(path func(int) string) error { return os.Truncate(path(0), 100) }, 0, "is cut off within its header: PATH"},
	} {
		dir := make(fmt.Sprint(i), 1)
		path := func(number int) string { return filepath.Join(dir, chunkName(number)) }
		if err := c.change(path); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir)
		if err == nil {
			var frames []Frame
			frames, err = readAll(r)
			sameFrames(t, testFrames()[:len(frames)], frames)
			if again := r.Next(new(Frame)); again != err {
				t.Errorf("%v, then %v", err, again)
			}
			r.Close()
		}
		var wrong *ChunkError
		want := fmt.Sprintf("record: chunk %d of 3 %s", c.number, strings.ReplaceAll(c.problem, "PATH", path(c.number)))
		if !errors.As(err, &wrong) || wrong.Number != c.number || err.Error() != want {
			t.Errorf("%d: %v, want %s", i, err, want)
		}
	}
}

// TestLastChunkMissing lacks the end of a scan that was killed: nothing tells
// that there was more.
func TestLastChunkMissing(t *testing.T) {
	r, err := inMemory(goldenChunks(t)[:2])
	if err != nil {
		t.Fatal(err)
	}
	frames, err := readAll(r)
	if _, closed := r.End(); err != io.EOF || closed {
		t.Error(err, closed)
	}
	sameFrames(t, testFrames()[:4], frames)
}

// TestChunkCut cuts each chunk at every byte. The last is then cut off, as any
// capture; behind the others frames are missing, and the rest can be had.
func TestChunkCut(t *testing.T) {
	whole := goldenChunks(t)
	before := []int{0, 2, 4, 5}
	for number, chunk := range whole {
		starts := blocks(chunk)
		for n := 0; n < len(chunk); n++ {
			if n > 40 && n < starts[1]-40 { // the long section header, all of which is alike
				n += 30
			}
			chunks := slices.Clone(whole)
			chunks[number] = chunk[:n]
			r, err := inMemory(chunks)
			if number == 0 && n < starts[1] {
				if !errors.As(err, new(*ChunkError)) {
					t.Fatalf("chunk 0 cut at %d: %v", n, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			left := before[number]
			for at := 3; at+1 < len(starts) && starts[at+1] <= n && left < before[number+1]; at++ {
				left++
			}
			frames, err := readAll(r)
			sameFrames(t, testFrames()[:left], frames[:min(left, len(frames))])
			var lost *LostError
			switch {
			case number == 2:
				if _, closed := r.End(); closed || !errors.As(err, new(*TruncatedError)) && (err != io.EOF || !slices.Contains(starts, n)) {
					t.Fatalf("the last chunk cut at %d: %v", n, err)
				}
				continue
			case left == before[number+1]: // no frame is missing
			case !errors.As(err, &lost) || lost.Frame != uint64(left) || lost.Lost != uint64(before[number+1]-left) ||
				lost.Path != chunkName(number) || lost.Offset > int64(n):
				t.Fatalf("chunk %d cut at %d: %d frames, %v", number, n, len(frames), err)
			default:
				r.GoOn()
				var rest []Frame
				rest, err = readAll(r)
				sameFrames(t, testFrames()[before[number+1]:], rest)
			}
			if _, closed := r.End(); err != io.EOF || !closed {
				t.Fatalf("chunk %d cut at %d: %v, %v", number, n, err, closed)
			}
		}
	}
}

// TestGoOn does nothing where it does not apply.
func TestGoOn(t *testing.T) {
	chunks := goldenChunks(t)
	r, err := inMemory(append(chunks[:2:2], chunks[2][:len(chunks[2])-3]))
	if err != nil {
		t.Fatal(err)
	}
	r.GoOn()
	_, err = readAll(r)
	r.GoOn()
	if again := r.Next(new(Frame)); again != err || !errors.As(err, new(*TruncatedError)) {
		t.Errorf("%v, then %v", err, again)
	}
}

// resumed goes on with the record in dir with one more frame.
func resumed(t *testing.T, dir, compression string, closed bool) {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	frames, _ := readAll(r)
	m := testManifest()
	m.ChunkSize, m.Compression = 200, compression
	m.Counters = Counters{}
	for _, f := range frames {
		m.Counters.Count(f.Direction, nil)
	}
	last := frames[len(frames)-1]
	w, at, err := Reopen(dir, m, []any{"service"})
	if err != nil {
		t.Fatal(err)
	}
	if at.Part != last.Part+1 || at.Last != last.Time {
		t.Errorf("%+v after %+v", at, last)
	}
	number, err := w.Packet(Received, last.Time+1, []byte("resumed"))
	if err != nil || number != last.Number+1 {
		t.Error(number, err)
	}
	if closed {
		err = w.Close(m, testEnd.UnixNano())
	} else {
		err = errors.Join(w.Flush(), w.stop(), w.lock.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReopenCut goes on with records of one file and of chunks, of which the last
// is cut anywhere.
func TestReopenCut(t *testing.T) {
	for _, golden := range []string{"testdata/run", "testdata/chunks"} {
		paths := chunksOf(t, golden)
		last := filepath.Base(paths[len(paths)-1])
		content, err := os.ReadFile(filepath.Join(golden, last))
		if err != nil {
			t.Fatal(err)
		}
		for n := blocks(content)[2]; n <= len(content); n += 5 {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(dir, last), int64(n)); err != nil {
				t.Fatal(err)
			}
			r, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			left, _ := readAll(r)
			if len(left) == 0 {
				continue
			}
			resumed(t, dir, "", n%2 == 0)
			resumed(t, dir, "", true)
			got, r := mustRead(t, dir)
			if _, closed := r.End(); !closed || len(got) != len(left)+2 {
				t.Fatalf("cut at %d: %d frames of %d and 2; closed: %v", n, len(got), len(left), closed)
			}
			sameFrames(t, left, got[:len(left)])
			for i, f := range got[len(left):] {
				if f.Part != i+1 || f.Number != uint64(len(left)+i+1) || string(f.Data) != "resumed" {
					t.Errorf("cut at %d: %+v", n, f)
				}
			}
			if names := readDir(t, dir); len(names) != len(got[len(left):])+2+r.Manifest().Chunks-2 {
				t.Error(names)
			}
		}
	}
}

// TestReopenKeepsWhatIsClosed changes no chunk that has its end.
func TestReopenKeepsWhatIsClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS("testdata/chunks")); err != nil {
		t.Fatal(err)
	}
	before := readFiles(t, dir)
	resumed(t, dir, "", true)
	after := readFiles(t, dir)
	for number := range 3 {
		if name := chunkName(number); before[name] != after[name] {
			t.Errorf("%s was changed", name)
		}
	}
	if after[servicesFile] != "\"service\"\n" {
		t.Errorf("%q", after[servicesFile])
	}
}

// TestReopenBeforeAPacket goes on with a scan that was killed when it had just
// been gone on with: the part that has no packet does not count.
func TestReopenBeforeAPacket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), testFrames())
	m := testManifest()
	m.Counters = Counters{Sent: 3, Received: 2}
	for _, closes := range []bool{false, true, false} {
		w, at, err := Reopen(dir, m, nil)
		if err != nil || at.Part != 1 {
			t.Fatal(at, err)
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(r); err != io.EOF {
			t.Error(err)
		}
		if _, closed := r.End(); closed {
			t.Error("closed, while the scan runs")
		}
		if closes {
			err = w.Close(m, testEnd.UnixNano())
		} else {
			err = errors.Join(w.Flush(), w.stop(), w.lock.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := len(chunksOf(t, dir)); n != 2 {
			t.Errorf("%d chunks", n)
		}
	}
	resumed(t, dir, "", true)
	if got, _ := mustRead(t, dir); len(got) != 6 || got[5].Part != 1 {
		t.Error(len(got))
	}
}

// TestWiresharkOpensChunks has tshark read each chunk, and mergecap put them
// together.
func TestWiresharkOpensChunks(t *testing.T) {
	frames, counters := conversation(t)
	dir := filepath.Join(t.TempDir(), "run")
	m := testManifest()
	m.ChunkSize, m.Counters = 300, counters
	record(t, dir, m, frames)
	paths := chunksOf(t, dir)
	if len(paths) < 3 {
		t.Fatal(paths)
	}
	for number, path := range paths {
		if said := complaints(t, path); said != "" {
			t.Errorf("%s: %s", path, said)
		}
		sameAsTshark(t, path)
		info := run(t, "capinfos", "-M", path)
		for _, says := range []string{"Name = sent", "Name = received", fmt.Sprintf(`"chunk":{"number":%d,`, number)} {
			if !strings.Contains(info, says) {
				t.Errorf("capinfos %s does not say %q:\n%s", path, says, info)
			}
		}
	}
	merged := filepath.Join(t.TempDir(), "merged.pcapng")
	run(t, "mergecap", append([]string{"-a", "-w", merged}, paths...)...)
	got, _ := mustRead(t, merged)
	sameFrames(t, frames, got)
}

// FuzzChunks reads two chunks, of which the second is anything.
func FuzzChunks(f *testing.F) {
	chunks := goldenChunks(f)
	f.Add(chunks[1])
	f.Add(chunks[2])
	f.Add(chunks[1][:len(chunks[1])-50])
	f.Add(compressed(f, gzipWriter, chunks[1]))
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		changed := bytes.Clone(chunks[1])
		changed[random.IntN(len(changed))] ^= 1 << random.IntN(8)
		f.Add(changed)
	}
	f.Fuzz(func(t *testing.T, second []byte) {
		r, err := inMemory([][]byte{chunks[0], second})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		number := uint64(0)
		for {
			frames, err := readAll(r)
			for _, f := range frames {
				if f.Number <= number {
					t.Fatalf("frame %d after frame %d", f.Number, number)
				}
				number = f.Number
			}
			if number < 2 {
				t.Fatalf("%d frames of the first chunk: %v", number, err)
			}
			if !errors.As(err, new(*LostError)) {
				return
			}
			r.GoOn()
		}
	})
}
