package record

import (
	"bytes"
	"errors"
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
