package record

import (
	"path/filepath"
	"testing"
)

// TestBuffersGoBack has a disk fall behind, and catch up: of the buffers that waited for it few stay.
func TestBuffersGoBack(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "run"), testManifest())
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 1000)
	most := int32(0)
	for range 20 { // each hands over 26 buffers at once
		for range 26 * writeBufferSize / (len(frame) + packetOverhead) {
			if _, err := w.Packet(Received, 1, frame); err != nil {
				t.Fatal(err)
			}
			most = max(most, w.buffers.Load())
		}
		w.pending.Wait()
		if left := w.buffers.Load(); left > keptBuffers+1 {
			t.Fatalf("%d buffers are left of %d", left, most)
		}
	}
	if most <= keptBuffers+1 {
		t.Errorf("the disk never fell behind: %d buffers", most)
	}
	if err := w.Close(testManifest(), testEnd.UnixNano()); err != nil {
		t.Fatal(err)
	}
}
