package record

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// A capture has the frames that it was given, of several link types and directions, and the manifest.
func TestCaptureWriter(t *testing.T) {
	var out bytes.Buffer
	w, err := NewCaptureWriter(&out, &Manifest{Format: ManifestFormat, Laserdisc: "test", Synthetic: "made up"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Frame{
		{Number: 1, Time: 5, Direction: Received, LinkType: 1, Length: 3, Data: []byte("abc")},
		{Number: 2, Time: 0, Direction: Sent, LinkType: 276, Length: 4, Data: []byte("defg")},
		{Number: 3, Time: 4, Direction: Sent, LinkType: 1, Length: 0, Data: []byte{}},
		{Number: 4, Time: 6, Direction: Received, LinkType: 1, Length: 1, Data: []byte("h")},
	}
	for i := range want {
		if err := w.Packet(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []Frame{{Time: -1}, {LinkType: 1 << 16}, {Data: make([]byte, MaxCapture+1)}} {
		if err := w.Packet(&bad); err == nil {
			t.Errorf("a frame of %d bytes at %d, of link type %d, is taken", len(bad.Data), bad.Time, bad.LinkType)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if m := r.Manifest(); m == nil || m.Synthetic != "made up" {
		t.Errorf("the manifest is %v", m)
	}
	var f Frame
	for i := range want {
		if err := r.Next(&f); err != nil {
			t.Fatal(err)
		}
		f.Offset = 0
		if !reflect.DeepEqual(f, want[i]) {
			t.Errorf("frame %d is %+v, not %+v", i+1, f, want[i])
		}
	}
	if err := r.Next(&f); err == nil {
		t.Errorf("one more frame: %+v", f)
	}
}
