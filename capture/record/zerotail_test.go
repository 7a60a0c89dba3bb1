package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestZeroTailOfCapture has a record read as a capture, as laserdisc replay FILE does, whose last bytes a power cut has left zero: the
// end of a block, a whole page, 64 KiB. It is cut off there, and not damaged.
func TestZeroTailOfCapture(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), numbered(30))
	whole, err := os.ReadFile(filepath.Join(dir, chunkName(0)))
	if err != nil {
		t.Fatal(err)
	}
	starts := blocks(whole)
	for _, zeros := range []int{5, 64, 4096, 64 << 10} {
		for from := starts[15]; from < starts[20]; from++ {
			want, _, _ := readBytes(whole[:from])
			got, troubles, _ := foreignBytes(t, append(bytes.Clone(whole[:from]), make([]byte, zeros)...))
			if len(got) < len(want) || len(got) > len(want)+1 { // one that ends in zeros may be whole
				t.Fatalf("%d zeros at byte %d: %d frames, not %d", zeros, from, len(got), len(want))
			}
			if len(troubles) != 1 || !errors.As(troubles[0], new(*TruncatedError)) {
				t.Fatalf("%d zeros at byte %d: %d frames, %v", zeros, from, len(got), troubles)
			}
		}
	}
}

// TestZeroTailResumed goes on with a record that ends in zeros: what was whole before them stays, and nothing else.
func TestZeroTailResumed(t *testing.T) {
	for _, zeros := range []int{6, 4096, 64 << 10} {
		dir := filepath.Join(t.TempDir(), "run")
		m := testManifest()
		record(t, dir, m, numbered(30))
		path := filepath.Join(dir, chunkName(0))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		starts := blocks(whole)
		from := starts[20] + 41 // within a packet
		if err := os.WriteFile(path, append(bytes.Clone(whole[:from]), make([]byte, zeros)...), 0o644); err != nil {
			t.Fatal(err)
		}
		services := filepath.Join(dir, servicesFile)
		if err := os.WriteFile(services, make([]byte, zeros), 0o644); err != nil {
			t.Fatal(err)
		}
		before, _, _ := readBytes(whole[:from])
		m.Counters = Counters{}
		for _, f := range before {
			m.Counters.Count(f.Direction, nil)
		}
		w, at, err := Reopen(dir, m, []any{"a service"})
		if err != nil {
			t.Fatalf("%d zeros: %v", zeros, err)
		}
		added := numbered(1)[0]
		if _, err := w.Packet(added.Direction, at.Last, added.Data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(m, at.Last); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		if err != io.EOF || len(got) != len(before)+1 {
			t.Fatalf("%d zeros: %d frames, and there were %d: %v", zeros, len(got), len(before), err)
		}
		sameFrames(t, before, got[:len(before)])
		if lines, err := os.ReadFile(services); err != nil || string(lines) != "\"a service\"\n" {
			t.Errorf("%d zeros: services.jsonl is %q, %v", zeros, lines, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
