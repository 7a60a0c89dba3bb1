package record

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// indexedRun writes a run of many chunks, in which a service has two packets, and its index.
func indexedRun(t testing.TB, compression string) (dir, index string, service netip.AddrPort) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	m := testManifest()
	m.ChunkSize, m.Compression = 1<<20, compression
	w, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, synFrame)
	for i := range 250_000 {
		frame[0], frame[1], frame[2] = byte(i), byte(i>>8), byte(i>>16) // which no compressor makes nothing of
		if _, err := w.Packet(Sent, int64(i)*2000, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(m, 1e9); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	x, err := NewIndexWriter(&b, r)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var batch Batch
		if r.NextBatch(&batch) != nil {
			break
		}
		if err := x.Batch(&batch); err != nil {
			t.Fatal(err)
		}
		for _, f := range batch.Frames {
			if err := x.Service(f.Number, serviceOf(f.Number)); err != nil {
				t.Fatal(err)
			}
		}
		batch.Release()
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	index = filepath.Join(t.TempDir(), IndexFile)
	if err := os.WriteFile(index, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir, index, serviceOf(54_321)
}

// serviceOf gives every frame a service of its own, but frame 76,543 that of 54,321.
func serviceOf(frame uint64) netip.AddrPort {
	if frame == 76_543 {
		frame = 54_321
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, byte(frame >> 16), byte(frame >> 8), byte(frame)}), 80)
}

// What an excerpt has are the record's frames, with their numbers, and all of the service's; it ends as the record does.
func TestIndex(t *testing.T) {
	for _, compression := range []string{"", "zstd"} {
		_, path, service := indexedRun(t, compression)
		index, err := Lookup(path, service)
		if err != nil {
			t.Fatal(err)
		}
		e, err := index.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		seen := make(map[uint64]bool)
		var last uint64
		for {
			var batch Batch
			if err = e.NextBatch(&batch); err != nil {
				break
			}
			for _, f := range batch.Frames {
				i := f.Number - 1
				if f.Number <= last || f.Data[0] != byte(i) || f.Data[1] != byte(i>>8) || f.Data[2] != byte(i>>16) || f.Time != int64(i)*2000 {
					t.Fatalf("%q: frame %d after %d is another's: % x at %d ns", compression, f.Number, last, f.Data[:3], f.Time)
				}
				last = f.Number
				seen[last] = true
			}
			batch.Release()
		}
		end, closed := e.End()
		if err.Error() != "EOF" || !closed || end != 1e9 || last != 250_000 {
			t.Errorf("%q: it ends with frame %d, at %d, %v, %v", compression, last, end, closed, err)
		}
		if !seen[54_321] || !seen[76_543] {
			t.Errorf("%q: frames of the service are missing", compression)
		}
		read, size := e.Position()
		t.Logf("%q: %d of 250,000 frames read; %d of %d bytes", compression, len(seen), read, size)
		if len(seen) > map[string]int{"": 20_000, "zstd": 220_000}[compression] {
			t.Errorf("%d frames were read", len(seen))
		}
	}
}

// An index of a record that has changed, or that is not there, says so; what is no index is an error.
func TestIndexStale(t *testing.T) {
	dir, path, service := indexedRun(t, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, 30, len(text) / 2, len(text) - 2} {
		cut := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(cut, text[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if x, err := Lookup(cut, service); x != nil || !errors.Is(err, errIndex) {
			t.Errorf("of an index that was cut at byte %d: %v", n, err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, chunkName(0)), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if x, err := Lookup(path, service); x == nil || !errors.Is(err, ErrStale) {
		t.Error("a chunk has grown:", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if x, err := Lookup(path, service); x == nil || x.Record != dir || !errors.Is(err, fs.ErrNotExist) {
		t.Error("the record is gone:", err)
	}
}

// Whatever an index has, it is an error or can be looked up.
func FuzzIndex(f *testing.F) {
	_, path, service := indexedRun(f, "zstd")
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(indexMagic + "{}\n\x00{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		x, _, err := readIndex(bytes.NewReader(text), service)
		if (x == nil) == (err == nil) {
			t.Error("neither an index nor an error, or both")
		}
		if err != nil {
			return
		}
		for i, s := range x.stretches {
			if s.First == 0 || s.File < 0 || s.Plain < 0 || s.size < 0 || i > 0 && s.First <= x.stretches[i-1].First {
				t.Errorf("stretch %d is %+v", i, s)
			}
		}
	})
}
