package record

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCreateKeepsWhatIsThere(t *testing.T) {
	for _, name := range []string{singleFile, singleFile + ".zst", chunkName(0), chunkName(7) + ".zst", manifestFile, servicesFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("dear"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(dir, testManifest()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(filepath.Join(dir, name)); string(content) != "dear" {
			t.Error(content, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, testManifest()); err == nil {
		t.Error("a run directory that is a file")
	}
}

// TestFlushed looks at the files while the writer is open.
func TestFlushed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	lines := func() int {
		content, err := os.ReadFile(filepath.Join(dir, servicesFile))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(content), "\n")
	}
	inFiles := func(packets, services int) {
		t.Helper()
		w.pending.Wait()
		frames, r := mustRead(t, dir)
		if _, closed := r.End(); closed {
			t.Error("closed")
		}
		if len(frames) != packets || lines() != services {
			t.Errorf("%d packets and %d services in the files, want %d and %d", len(frames), lines(), packets, services)
		}
	}
	add := func(seconds float64) {
		t.Helper()
		if _, err := w.Packet(Sent, int64(seconds*1e9), []byte("frame")); err != nil {
			t.Fatal(err)
		}
		if err := w.Service("service"); err != nil {
			t.Fatal(err)
		}
	}
	inFiles(0, 0)
	add(10)
	add(10.9)
	inFiles(0, 0)
	add(11) // a second after the first in memory
	inFiles(2, 2)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	inFiles(3, 3)
	add(11.5)
	inFiles(3, 3)

	if err := w.Close(testManifest(), 12e9); err != nil {
		t.Fatal(err)
	}
	_, r := mustRead(t, dir)
	if end, ok := r.End(); end != 12e9 || !ok || lines() != 4 {
		t.Error(end, ok, lines())
	}
	_, late := w.Packet(Sent, 0, nil)
	for _, err := range []error{late, w.Service(0), w.Flush(), w.Close(testManifest(), 0)} {
		if !errors.Is(err, os.ErrClosed) {
			t.Error("after Close:", err)
		}
	}
}

func TestPacketRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	longest := make([]byte, MaxCapture)
	for _, c := range []struct {
		d     Direction
		ns    int64
		frame []byte
		ok    bool
	}{
		{Sent, 0, longest, true},
		{Sent, 0, append(longest, 0), false},
		{Sent, -1, nil, false},
		{Direction(2), 0, nil, false},
		{Received, 1<<63 - 1, nil, true},
		{Received, 1, longest, true}, // times need not rise
	} {
		if _, err := w.Packet(c.d, c.ns, c.frame); (err == nil) != c.ok {
			t.Errorf("%v at %d, %d bytes: %v", c.d, c.ns, len(c.frame), err)
		}
	}
	if err := w.Service(func() {}); err == nil {
		t.Error("a service that is not JSON")
	}
	if err := w.Close(testManifest(), 0); err != nil {
		t.Fatal(err)
	}
	if frames, _ := mustRead(t, dir); len(frames) != 3 || frames[1].Time != 1<<63-1 {
		t.Error(len(frames))
	}
}

// writerTo writes to files that need not be in the run directory.
func writerTo(t *testing.T, dir string, packets, services *os.File) *Writer {
	t.Helper()
	root, lock, err := lockRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := start(root, lock, &chunkWriter{dir: root, manifest: (&Manifest{}).stamped(), file: packets}, services)
	w.synced = time.Now().Add(time.Hour) // not every file can be
	return w
}

// TestSynced writes to a pipe, which has nothing to sync, and says so.
func TestSynced(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := writerTo(t, t.TempDir(), p, null)
	for _, c := range []struct {
		since  time.Duration
		synced bool
	}{{-time.Hour, false}, {syncEvery, true}} {
		w.pending.Wait()
		w.synced = time.Now().Add(-c.since)
		if _, err := w.Packet(Sent, 0, []byte("frame")); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		w.pending.Wait()
		if err := w.failed(); errors.Is(err, syscall.EINVAL) != c.synced {
			t.Errorf("%v after the last: %v", c.since, err)
		}
	}
}

// TestFullDisk writes to a device that is full.
func TestFullDisk(t *testing.T) {
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct{ packets, services string }{
		{"/dev/full", "/dev/null"},
		{"/dev/null", "/dev/full"},
	} {
		dir := t.TempDir()
		w := writerTo(t, dir, open(c.packets), open(c.services))
		if _, err := w.Packet(Sent, 0, []byte("frame")); err != nil {
			t.Fatal(err)
		}
		if err := w.Service("service"); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
		w.pending.Wait()
		_, packet := w.Packet(Sent, 0, []byte("frame"))
		for _, err := range []error{packet, w.Service("service"), w.Flush(), w.Close(testManifest(), 0)} {
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/dev/full") {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if _, err := LoadManifest(dir); !errors.Is(err, os.ErrNotExist) {
			t.Error("a manifest of a record that failed:", err)
		}
	}
}

// A scan that is not over is not gone on with by another, nor one that was when it was read.
func TestReopenRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(sent uint64) (*Writer, error) {
		m := testManifest()
		m.Counters = Counters{Sent: sent}
		w, _, err := Reopen(dir, m, nil)
		return w, err
	}
	refused := func(sent uint64, says string) {
		t.Helper()
		if _, err := reopen(sent); err == nil || !strings.Contains(err.Error(), says) {
			t.Fatal(err)
		}
	}
	for n := range uint64(2) {
		if _, err := w.Packet(Sent, testStart.UnixNano(), []byte("frame")); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		w.pending.Wait()
		refused(n+1, "another scan is writing to "+dir)
		if err := w.Close(testManifest(), testEnd.UnixNano()); err != nil {
			t.Fatal(err)
		}
		refused(n, "no longer")
		if w, err = reopen(n + 1); err != nil { // which then is the one
			t.Fatal(err)
		}
	}
	if err := w.Close(testManifest(), testEnd.UnixNano()); err != nil {
		t.Fatal(err)
	}
	if got, _ := mustRead(t, dir); len(got) != 2 {
		t.Errorf("%d frames", len(got))
	}
}

// What cannot be gone on with keeps the services that it has.
func TestReopenFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), testFrames())
	want, err := os.ReadFile(filepath.Join(dir, servicesFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Reopen(dir, testManifest(), []any{"service", make(chan int)}); err == nil {
		t.Fatal("a service that JSON has no words for")
	}
	if got, err := os.ReadFile(filepath.Join(dir, servicesFile)); string(got) != string(want) {
		t.Errorf("%q, %v; there was %q", got, err, want)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Error(entries, err)
	}
	if got, _ := mustRead(t, dir); len(got) != len(testFrames()) {
		t.Errorf("%d frames", len(got))
	}
}

// TestFileSizeLimit fills a file up to a limit, in a process of its own, and
// reads what is left: a prefix, and a manifest without an end.
func TestFileSizeLimit(t *testing.T) {
	const limit = writeBufferSize + 1001 // blocks end on multiples of 4
	if dir := os.Getenv("RECORD_TEST_LIMITED"); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		recordUntilError(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "run")
	child := exec.Command(os.Args[0], "-test.run=^TestFileSizeLimit$")
	child.Env = append(os.Environ(), "RECORD_TEST_LIMITED="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames, err := readAll(r)
	var cut *TruncatedError
	if !errors.As(err, &cut) || cut.Frame != uint64(len(frames)) || !strings.Contains(err.Error(), "is cut off") || len(frames) < writeBufferSize/200 {
		t.Errorf("%d frames, then %v", len(frames), err)
	}
	if m := r.Manifest(); m == nil || !m.End.IsZero() {
		t.Error(m)
	}
}

func recordUntilError(t *testing.T, dir string) {
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 * writeBufferSize / synFrame {
		if _, err = w.Packet(Sent, 0, make([]byte, synFrame)); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Error("no error from Packet:", err)
	}
	if err := w.Close(testManifest(), 0); !errors.Is(err, syscall.EFBIG) {
		t.Error("no error from Close:", err)
	}
}

// TestSlowDisk lets the buffers run out, so that Packet has to wait for one.
func TestSlowDisk(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const packets = (maxWriteBuffers + 20) * writeBufferSize / MaxCapture
	written := make(chan int64)
	go func() {
		time.Sleep(50 * time.Millisecond)
		n, _ := io.Copy(io.Discard, r)
		written <- n
	}()
	w := writerTo(t, t.TempDir(), p, null)
	frame := make([]byte, MaxCapture)
	for range packets {
		if _, err := w.Packet(Sent, 0, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	w.pending.Wait()
	if w.buffers.Load() > maxWriteBuffers {
		t.Errorf("%d buffers", w.buffers.Load())
	}
	p.Close()
	if n := <-written; n != packets*(MaxCapture+packetOverhead) {
		t.Errorf("%d bytes written", n)
	}
}

func TestPacketAllocatesNothing(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "run"), testManifest())
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, synFrame)
	ns := int64(0)
	packet := func() {
		ns += 2000
		if _, err := w.Packet(Sent, ns, frame); err != nil {
			t.Fatal(err)
		}
	}
	// Over many buffers: what is made once for each rounds down to nothing.
	if n := testing.AllocsPerRun(100_000, packet); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := w.Close(testManifest(), ns); err != nil {
		t.Fatal(err)
	}
}

// TestManifestIsReplacedWhole reads manifest.json while it is written.
func TestManifestIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	m := testManifest()
	if err := SaveManifest(dir, m); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for i := range 50 {
			m.Revision = strings.Repeat("x", 100*i) + strconv.Itoa(i)
			if err := SaveManifest(dir, m); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		if _, err := LoadManifest(dir); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
