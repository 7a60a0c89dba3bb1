package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

var update = flag.Bool("update", false, "write testdata/chunks and testdata/compressed anew")

// testStart is the start of all records of these tests, testEnd their end.
var (
	testStart = time.Date(2026, 11, 22, 10, 30, 0, 123456789, time.UTC)
	testEnd   = testStart.Add(time.Minute)
)

// testManifest has a value in every field that Create and Close do not set.
func testManifest() *Manifest {
	return &Manifest{
		Format: ManifestFormat, Laserdisc: "0.1.0", Revision: "4d522bc+dirty", Go: "go1.26.8", GOARCH: "amd64",
		Synthetic: "paper-mix", Start: testStart, Interrupted: true,
		Arguments: []string{"laserdisc", "scan", "10.0.0.0/8", "--note", "<ä&b>"},
		Seed:      1<<64 - 1,
		Targets:   json.RawMessage(`{"prefixes":["10.0.0.0/8"],"ports":[80,443]}`), TargetDigest: "ab12", TargetCount: 33554432,
		Domain: &target.Domain{Addresses: 1 << 24, Ports: 2, Services: 1 << 25},
		Sample: &target.Sample{Unit: "host", Numerator: 1, Denominator: 1000, Drawn: 16778, Of: 1 << 24, Shard: 1, Shards: 4},
		Lists:  []target.List{{Path: "block.txt", SHA256: "cd34", Entries: 12}},
		Rate:   10000, ChunkSize: 64 << 20,
		Settings: session.Settings{
			CookieKey:   session.Key{0: 1, 15: 0xff},
			Sources:     []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
			SourcePorts: session.PortRange{First: 32768, Last: 61000},
			Handshakes:  []string{"wait", "tls", "http"}, AllHandshakes: true,
			Timeout: session.Duration(5 * time.Second), Wait: session.Duration(1500 * time.Millisecond),
			RetransmitAfter: session.Duration(time.Second), Retransmits: 1,
			Gather: session.Duration(200 * time.Millisecond), ResponseLimit: 8192,
		},
		Link: Link{Kind: "packet", Interface: "eth0", MTU: 1500, SourceMAC: "02:00:00:00:00:01",
			GatewayMAC: "02:00:00:00:00:02", Offloads: []string{"generic-receive-offload", "tx-checksumming"}},
		Counters: Counters{Launched: 3, Sent: 3, SentSYN: 1, Received: 2, Services: 1},
		Drops:    Drops{Kernel: 7, Interface: 2},
	}
}

// inChunk is what the section header of a chunk says of a record with this manifest.
func inChunk(m *Manifest, c Chunk) *Manifest {
	in := *m
	in.Chunk = &c
	return &in
}

// testFrames are of lengths that need 0 to 3 bytes of padding.
func testFrames() []Frame {
	var frames []Frame
	for i := range 5 {
		data := make([]byte, 60+i)
		data[0] = byte(i)
		frames = append(frames, Frame{Number: uint64(i + 1), Time: testStart.UnixNano() + int64(i), Direction: Direction(i % 2),
			LinkType: linkEthernet, Length: uint32(len(data)), Data: data})
	}
	return frames
}

// record makes a run directory of frames and one service.
func record(t testing.TB, dir string, m *Manifest, frames []Frame) {
	t.Helper()
	w, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if number, err := w.Packet(f.Direction, f.Time, f.Data); number != uint64(i+1) || err != nil {
			t.Fatal(number, err)
		}
	}
	if err := w.Service(map[string]any{"address": "192.0.2.7", "port": 80, "label": "<http>"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(m, testEnd.UnixNano()); err != nil {
		t.Fatal(err)
	}
}

// readAll reads until an error, which is io.EOF at a clean end. It copies data.
func readAll(r *Reader) ([]Frame, error) {
	var frames []Frame
	for {
		var f Frame
		if err := r.Next(&f); err != nil {
			return frames, err
		}
		f.Data = append([]byte(nil), f.Data...)
		frames = append(frames, f)
	}
}

// mustRead reads a capture that must be whole.
func mustRead(t testing.TB, path string) ([]Frame, *Reader) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	frames, err := readAll(r)
	if err != io.EOF {
		t.Fatalf("%s: after %d frames: %v", path, len(frames), err)
	}
	return frames, r
}

// sameFrames ignores offsets, which depend on what is around the frames.
func sameFrames(t *testing.T, want, got []Frame) {
	t.Helper()
	if slices.EqualFunc(want, got, sameFrame) {
		return
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Frame{}, "Offset"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("frames differ (-want +got):\n%s", d)
	}
}

func sameFrame(a, b Frame) bool {
	return a.Number == b.Number && a.Time == b.Time && a.Direction == b.Direction && a.LinkType == b.LinkType &&
		a.Length == b.Length && bytes.Equal(a.Data, b.Data)
}

func sameManifest(t *testing.T, want, got *Manifest) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("manifests differ (-want +got):\n%s", d)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "one")
	m := testManifest()
	record(t, dir, m, testFrames())

	got, r := mustRead(t, dir)
	sameFrames(t, testFrames(), got)
	if ns, ok := r.End(); !ok || ns != testEnd.UnixNano() {
		t.Error(ns, ok)
	}
	ended := *m
	ended.End, ended.Chunks = testEnd, 1
	sameManifest(t, &ended, r.Manifest())

	// The file alone has the manifest of the start.
	_, r = mustRead(t, filepath.Join(dir, chunkName(0)))
	sameManifest(t, inChunk(m, Chunk{First: 1}), r.Manifest())
}

// TestGolden holds the bytes of run directories: the format is for keeping.
func TestGolden(t *testing.T) {
	for golden, compression := range map[string]string{"testdata/chunks": "", "testdata/compressed": "zstd"} {
		dir := filepath.Join(t.TempDir(), "run")
		m := testManifest()
		m.ChunkSize, m.Compression = 200, compression // two frames a buffer, or one
		record(t, dir, m, testFrames())
		if *update {
			if err := errors.Join(os.RemoveAll(golden), os.CopyFS(golden, os.DirFS(dir))); err != nil {
				t.Fatal(err)
			}
		}
		want, got := readFiles(t, golden), readFiles(t, dir)
		if len(got) != len(want) {
			t.Errorf("%d files, want %d", len(got), len(want))
		}
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s differs from %s; if that is meant, raise ManifestFormat where a meaning changed, and run with -update", name, golden)
			}
		}
		frames, r := mustRead(t, golden)
		sameFrames(t, testFrames(), frames)
		if chunks := r.Manifest().Chunks; chunks != len(want)-2 {
			t.Error(chunks)
		}
	}
}

// TestGoldenSingle reads a run directory of the time before chunks, and before the manifest's keys were in today's order.
func TestGoldenSingle(t *testing.T) {
	frames, r := mustRead(t, "testdata/run")
	sameFrames(t, testFrames(), frames)
	m := testManifest()
	m.End, m.ChunkSize, m.Domain, m.Sample = testEnd, 0, nil, nil // which came later
	sameManifest(t, m, r.Manifest())
	if Packets("testdata/run") != "testdata/run/"+singleFile {
		t.Error(Packets("testdata/run"))
	}
}

// readFiles returns what the files of a directory hold, by name.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(content)
	}
	return files
}

func TestManifestOfOtherVersions(t *testing.T) {
	for _, c := range []struct{ text, problem string }{
		{`{"format":1,"laserdisc":"0.9","colour":"unknown","link":{"speed":10}}`, ""},
		{`{"format":2,"laserdisc":"7.0"}`, "written by laserdisc 7.0; this laserdisc reads up to format 1"},
		{`{"name":"something else"}`, "no format"},
		{`{"format":1,"laserdisc":"0.1","timeout":"soon"}`, "soon"},
		{`{"format":1,"laserdisc":"0.1","cookie_key":"00"}`, "2 hexadecimal digits, not 32"},
		{`{"format":`, "unexpected end"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestFile), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := LoadManifest(dir)
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if _, err := LoadManifest(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestLongManifest needs more than the 65,535 bytes that one comment holds.
func TestLongManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	m := testManifest()
	for range 9000 {
		m.Arguments = append(m.Arguments, "ein längeres Argument")
	}
	record(t, dir, m, testFrames())
	file := filepath.Join(dir, chunkName(0))
	got, r := mustRead(t, file)
	sameFrames(t, testFrames(), got)
	sameManifest(t, inChunk(m, Chunk{First: 1}), r.Manifest())
	if out := run(t, "capinfos", "-c", "-M", file); !strings.Contains(out, "Number of packets:   5\n") {
		t.Error(out)
	}

	m.Arguments = append(m.Arguments, strings.Repeat("x", maxBlock))
	if _, err := Create(filepath.Join(t.TempDir(), "run"), m); err == nil {
		t.Error("a manifest that no reader takes")
	}
}
