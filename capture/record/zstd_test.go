package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// packed returns a chunk with so many packets in each frame of zstd, and where
// these frames begin.
func packed(t testing.TB, frames []Frame, each int) (content []byte, starts []int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	m := testManifest()
	m.Compression = "zstd"
	recordPacked(t, dir, m, frames, each)
	content, err := os.ReadFile(filepath.Join(dir, chunkName(0)+".zst"))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content); {
		starts = append(starts, at)
		n, err := frameLength(content[at:])
		if err != nil {
			t.Fatal(err)
		}
		at += n
	}
	return content, starts
}

// recordPacked makes a run directory whose frames of zstd have so many packets.
func recordPacked(t testing.TB, dir string, m *Manifest, frames []Frame, each int) {
	t.Helper()
	w, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if _, err := w.Packet(f.Direction, f.Time, f.Data); err != nil {
			t.Fatal(err)
		}
		if (i+1)%each == 0 {
			err := w.Flush()
			w.pending.Wait()
			if err = errors.Join(err, w.chunks.flush()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(m, testEnd.UnixNano()); err != nil {
		t.Fatal(err)
	}
}

// numbered returns frames of different lengths and contents.
func numbered(n int) []Frame {
	frames := make([]Frame, 0, n)
	for len(frames) < n {
		f := testFrames()[len(frames)%5]
		f.Number, f.Data = uint64(len(frames)+1), append(f.Data, byte(len(frames)))
		f.Length = uint32(len(f.Data))
		frames = append(frames, f)
	}
	return frames
}

// TestZstdCut cuts a compressed chunk at every byte: what is whole is read.
func TestZstdCut(t *testing.T) {
	frames := numbered(20)
	content, starts := packed(t, frames, 4)
	if len(starts) != 7 { // the header, five times four packets, the statistics
		t.Fatal(starts)
	}
	for n := range content {
		whole, _ := slices.BinarySearch(starts, n+1)
		whole -= 1 // which are not cut
		got, r, err := readBytes(content[:n])
		if whole == 0 {
			if len(got) > 0 || !errors.As(err, new(*TruncatedError)) {
				t.Fatalf("cut at %d: %d frames, %v", n, len(got), err)
			}
			continue
		}
		sameFrames(t, frames[:min(20, 4*(whole-1))], got)
		if border := n == starts[whole]; border != (err == io.EOF) || border == errors.As(err, new(*TruncatedError)) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if _, closed := r.End(); closed {
			t.Fatalf("cut at %d: closed", n)
		}
	}
}

// TestZstdDamage changes a compressed chunk at every byte: only the frame of zstd
// in which that is is lost, and it is said how many packets that are.
func TestZstdDamage(t *testing.T) {
	frames := numbered(20)
	content, starts := packed(t, frames, 4)
	meaningless := 0
	for n := range content {
		damaged := bytes.Clone(content)
		damaged[n] ^= 1 << (n % 8)
		at, found := slices.BinarySearch(starts, n)
		if !found {
			at--
		}
		r, err := readFrom(bytes.NewReader(damaged))
		if err != nil {
			if at > 0 {
				t.Fatalf("byte %d: %v", n, err)
			}
			continue
		}
		got, err := readAll(r)
		if at == 0 { // the header: without it nothing can be read, but for what has no effect
			if len(got) > 0 && (len(got) < len(frames) || err != io.EOF) || len(got) == 0 && err == io.EOF {
				t.Fatalf("byte %d of the header: %d frames, %v", n, len(got), err)
			}
			continue
		}
		if _, closed := r.End(); err == io.EOF && closed { // RFC 8878 has bits without a meaning
			sameFrames(t, frames, got)
			if meaningless++; meaningless > len(content)/50 {
				t.Fatalf("%d bytes have no effect", meaningless)
			}
			continue
		}
		var lost *LostError
		want := LostError{Path: "test", Offset: int64(starts[at]), Frame: uint64(4 * (at - 1)), Lost: 4}
		if at == 6 { // only the statistics are lost, and what was behind them if anything
			want.Lost = 0
		}
		cut := at == 6 && errors.As(err, new(*TruncatedError)) // of which the length was changed
		if !errors.As(err, &lost) && !cut {
			t.Fatalf("byte %d (%d of the frame at %d): %d frames, %v", n, n-starts[at], starts[at], len(got), err)
		}
		if lost != nil {
			want.Problem = lost.Problem
			if *lost != want || lost.Problem == "" {
				t.Fatalf("byte %d: %v, want %v", n, lost, &want)
			}
			if again := r.Next(new(Frame)); again != err {
				t.Fatalf("%v, then %v", err, again)
			}
			r.GoOn()
			var rest []Frame
			rest, err = readAll(r)
			got = append(got, rest...)
		}
		if _, closed := r.End(); closed != (at < 6) || err != io.EOF && !cut {
			t.Fatalf("byte %d: closed %v, %v", n, closed, err)
		}
		left := slices.Clone(frames)
		if at < 6 {
			left = slices.Delete(left, 4*(at-1), 4*at)
		}
		sameFrames(t, left, got)
	}
}

// TestZstdDamagedTwice damages two frames of zstd beside each other, and the last
// of a chunk that another follows.
func TestZstdDamagedTwice(t *testing.T) {
	frames := numbered(20)
	content, starts := packed(t, frames, 4)
	content[starts[2]+30] ^= 1
	content[starts[3]+30] ^= 1
	r, err := readFrom(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(r)
	var lost *LostError
	if !errors.As(err, &lost) || lost.Frame != 4 || lost.Lost != 8 || lost.Offset != int64(starts[2]) {
		t.Error(err)
	}

	dir := filepath.Join(t.TempDir(), "run")
	m := testManifest()
	m.Compression, m.ChunkSize = "zstd", 1500
	recordPacked(t, dir, m, frames, 3)
	first := filepath.Join(dir, chunkName(0)+".zst")
	content, err = os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-20] ^= 1
	if err := os.WriteFile(first, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(r)
	if !errors.As(err, &lost) || lost.Lost != 3 || lost.Path != first || int(lost.Frame) != len(got) {
		t.Fatal(len(got), err)
	}
	r.GoOn()
	rest, err := readAll(r)
	if _, closed := r.End(); err != io.EOF || !closed {
		t.Error(err, closed)
	}
	sameFrames(t, frames[lost.Frame+3:], rest)
}

// TestZeroTail has files end as a power cut leaves them: the length is there, and
// zeros are where data did not reach the disk.
func TestZeroTail(t *testing.T) {
	frames := numbered(20)
	compressed, starts := packed(t, frames, 4)
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), frames)
	plain, err := os.ReadFile(filepath.Join(dir, chunkName(0)))
	if err != nil {
		t.Fatal(err)
	}
	for _, zeros := range []int{4, 4096, 3 << 20} {
		for n := range plain {
			if zeros == 4096 && n%4 != 0 || zeros > 4096 && n%512 != 0 {
				continue
			}
			tail := append(bytes.Clone(plain[:n]), make([]byte, zeros)...)
			want, _, _ := readBytes(plain[:n])
			if n == 0 {
				want = nil
			}
			got, r, err := readBytes(tail)
			if err == io.EOF && bytes.HasPrefix(tail, plain[:min(len(plain), n+4)]) {
				continue // a whole block may end so
			}
			if !errors.As(err, new(*TruncatedError)) {
				t.Fatalf("%d zeros at %d: %d frames, %v", zeros, n, len(got), err)
			}
			sameFrames(t, want, got[:len(want)])
			if _, closed := r.End(); closed || len(got) > len(want)+1 {
				t.Fatalf("%d zeros at %d: %d frames, not %d; closed: %v", zeros, n, len(got), len(want), closed)
			}
		}
		for n := 0; n < len(compressed); n += 4 * (1 + zeros/100000) {
			tail := append(bytes.Clone(compressed[:n]), make([]byte, zeros)...)
			whole, _ := slices.BinarySearch(starts, n+1)
			want := frames[:min(20, max(0, 4*(whole-2)))]
			got, r, err := readBytes(tail)
			if !errors.As(err, new(*TruncatedError)) {
				t.Fatalf("compressed, %d zeros at %d: %d frames, %v", zeros, n, len(got), err)
			}
			sameFrames(t, want, got[:min(len(want), len(got))])
			if _, closed := r.End(); closed {
				t.Fatalf("compressed, %d zeros at %d: closed", zeros, n)
			}
		}
	}
	// Anything behind them, and they are no such tail.
	if _, _, err := readBytes(append(append(plain, make([]byte, 8<<20)...), 1)); !errors.As(err, new(*FormatError)) {
		t.Error(err)
	}
}

// TestReopenZstd goes on with compressed records that were cut.
func TestReopenZstd(t *testing.T) {
	frames := numbered(20)
	content, starts := packed(t, frames, 4)
	m := testManifest()
	m.Compression = "zstd"
	for n := starts[2]; n <= len(content); n += 1 + n%23 {
		dir := filepath.Join(t.TempDir(), "run")
		if err := errors.Join(os.Mkdir(dir, 0o755), SaveManifest(dir, m),
			os.WriteFile(filepath.Join(dir, chunkName(0)+".zst"), content[:n], 0o644)); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		left, _ := readAll(r)
		resumed(t, dir, "zstd", n%2 == 0)
		resumed(t, dir, "", true) // nor does it matter that others are not compressed
		got, r := mustRead(t, dir)
		if _, closed := r.End(); !closed || len(got) != len(left)+2 || got[len(left)].Part != 1 || got[len(left)+1].Part != 2 {
			t.Fatalf("cut at %d: %d frames of %d and 2; closed: %v", n, len(got), len(left), closed)
		}
		sameFrames(t, left, got[:len(left)])
		if names := readDir(t, dir); !slices.Equal(names, []string{manifestFile, chunkName(0) + ".zst", chunkName(1) + ".zst", chunkName(2), servicesFile}) {
			t.Error(names)
		}
	}
}

// TestReopenCompressedByHand goes on with a record that was closed and then
// compressed, and not with one that was cut off before.
func TestReopenCompressedByHand(t *testing.T) {
	for _, c := range []struct {
		extension string
		writer    func(io.Writer) io.WriteCloser
	}{{".zst", zstdWriter}, {".gz", gzipWriter}} {
		for _, cut := range []int{0, 3} {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(dir, os.DirFS("testdata/run")); err != nil {
				t.Fatal(err)
			}
			content := golden(t)
			packed := compressed(t, c.writer, content[:len(content)-cut])
			path := filepath.Join(dir, singleFile)
			if err := errors.Join(os.Remove(path), os.WriteFile(path+c.extension, packed, 0o644)); err != nil {
				t.Fatal(err)
			}
			if cut == 0 {
				resumed(t, dir, "", true)
				if got, _ := mustRead(t, dir); len(got) != 6 || got[5].Part != 1 {
					t.Error(len(got))
				}
				continue
			}
			m := testManifest()
			m.Counters = Counters{Sent: 3, Received: 2}
			if _, _, err := Reopen(dir, m, nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte("decompress it first")) {
				t.Error(err)
			}
		}
	}
}

// TestZstdTool has zstd decompress a chunk, and tshark read it.
func TestZstdTool(t *testing.T) {
	frames, _ := conversation(t)
	dir := filepath.Join(t.TempDir(), "run")
	m := testManifest()
	m.Compression = "zstd"
	recordPacked(t, dir, m, frames, 2)
	chunk, plain := filepath.Join(dir, chunkName(0)+".zst"), filepath.Join(dir, "plain.pcapng")
	run(t, "zstd", "-q", "-t", chunk)
	run(t, "zstd", "-q", "-d", chunk, "-o", plain)
	if said := complaints(t, plain); said != "" {
		t.Error(said)
	}
	sameAsTshark(t, plain)
	got, _ := mustRead(t, plain)
	sameFrames(t, frames, got)
	if out, err := exec.Command("tshark", "-n", "-r", plain, "-T", "fields", "-e", "frame.interface_name").Output(); err != nil ||
		bytes.Count(out, []byte("sent\n")) != 3 || bytes.Count(out, []byte("received\n")) != 6 {
		t.Errorf("%s, %v", out, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, change := range []func(*Manifest){
		func(m *Manifest) { m.Compression = "lzw" },
		func(m *Manifest) { m.ChunkSize = -1 },
	} {
		dir := filepath.Join(t.TempDir(), "run")
		m := testManifest()
		change(m)
		if _, err := Create(dir, m); err == nil {
			t.Error("created")
		}
		if names := readDir(t, dir); len(names) > 0 {
			t.Error(names)
		}
	}
}
