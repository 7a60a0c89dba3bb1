package replay_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture/record"
	"laserdisc/replay"
)

// pcap returns frames as a file.
func pcap(frames []record.Frame) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for _, f := range frames {
		for _, n := range []int64{f.Time / 1e9, f.Time % 1e9, int64(len(f.Data)), int64(f.Length)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, f.Data...)
	}
	return b
}

// framesOf returns the frames of a capture, or of a run.
func framesOf(t testing.TB, path string) []record.Frame {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []record.Frame
	var f record.Frame
	for r.Next(&f) == nil {
		f.Data = bytes.Clone(f.Data)
		list = append(list, f)
	}
	return list
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// servicesOf says what was found, but for the numbers of frames.
func servicesOf(r *result) []string {
	var list []string
	for _, s := range r.Services {
		list = append(list, fmt.Sprintf("%v %v %q %v of %d attempts, %q", s.Service, s.State, s.Label, s.Evidence, s.Attempts, s.Response))
	}
	return list
}

func mustObserve(t testing.TB, paths ...string) *result {
	t.Helper()
	r, err := observe(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A capture of a scan is the same whether it is in one file or in several, in whatever order its frames are, and however often.
func TestObserveFiles(t *testing.T) {
	dir := scan(t, lossy(t), 3, 5*time.Millisecond, 300)
	atOnce := framesOf(t, dir) // what the scan did at the time of what made it do so
	frames := slices.Clone(atOnce)
	for i := 1; i < len(frames); i++ { // no two at once, as nearly always on a wire
		frames[i].Time = max(frames[i].Time, frames[i-1].Time+1000)
	}
	whole := mustObserve(t, write(t, "whole.pcap", pcap(frames)))
	want := servicesOf(whole)
	if len(want) < 50 {
		t.Fatal(len(want), "services")
	}
	split := func(frames []record.Frame, n int, which func(i int, f record.Frame) int) string {
		parts := make([][]record.Frame, n)
		for i, f := range frames {
			w := which(i, f)
			parts[w] = append(parts[w], f)
		}
		into := t.TempDir()
		for i, part := range parts {
			if err := os.WriteFile(filepath.Join(into, fmt.Sprintf("part.pcap%d", i)), pcap(part), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(into, "README.txt"), []byte("no capture"), 0o644); err != nil {
			t.Fatal(err)
		}
		return into
	}
	jittered := jitter(frames)
	var mirrored []record.Frame
	for _, f := range frames {
		again := f
		again.Data = bytes.Clone(f.Data)
		again.Data[0] ^= 1     // another MAC
		again.Data[14+8]--     // a hop on
		again.Data[14+10] ^= 1 // its checksum
		again.Time += 80e3
		mirrored = append(mirrored, f, again)
	}
	for _, c := range []struct {
		name       string
		path       string
		duplicates int
	}{
		{"a file for each direction", split(frames, 2, func(_ int, f record.Frame) int { return int(f.Direction) }), 0},
		{"a file for each direction, at once", split(atOnce, 2, func(_ int, f record.Frame) int { return int(f.Direction) }), 0},
		{"the answers first, at once", split(atOnce, 2, func(_ int, f record.Frame) int { return 1 - int(f.Direction) }), 0},
		{"rotated", split(frames, 100, func(i int, _ record.Frame) int { return i * 100 / len(frames) }), 0},
		{"dealt", split(frames, 5, func(i int, _ record.Frame) int { return i % 5 }), 0},
		{"50 ms of jitter", write(t, "jitter.pcap", pcap(jittered)), 0},
		{"mirrored", write(t, "mirror.pcap", pcap(mirrored)), len(frames)},
	} {
		got := mustObserve(t, c.path)
		if services := servicesOf(got); !slices.Equal(services, want) {
			t.Errorf("%s: %d services, not %d; the first that differs: %s", c.name, len(services), len(want), firstOther(services, want))
		}
		if n := uint64(c.duplicates) + whole.Duplicates; got.Duplicates != n || got.Damage != nil {
			t.Errorf("%s: %d duplicates, not %d; damage %v; remarks %q", c.name, got.Duplicates, n, got.Damage, got.Remarks)
		}
	}
}

// jitter puts frames into the order that they have if each is up to 50 ms late.
func jitter(frames []record.Frame) []record.Frame {
	random := rand.New(rand.NewPCG(1, 2))
	jittered := slices.Clone(frames)
	arrival := make(map[uint64]int64)
	for _, f := range frames {
		arrival[f.Number] = f.Time + random.Int64N(50e6)
	}
	slices.SortStableFunc(jittered, func(a, b record.Frame) int { return cmp.Compare(arrival[a.Number], arrival[b.Number]) })
	return jittered
}

// A record of ours has what the scan did at the time of what made it do so. It is the same again after 50 ms of jitter, and with a file
// for each direction.
func TestObserveRecordOutOfOrder(t *testing.T) {
	for seed := range uint64(10) {
		dir := scan(t, lossy(t), seed, 5*time.Millisecond, 81)
		frames := framesOf(t, dir)
		want := servicesOf(mustObserve(t, filepath.Join(dir, "packets-00000.pcapng")))
		directions := make([][]record.Frame, 2)
		for _, f := range frames {
			directions[f.Direction] = append(directions[f.Direction], f)
		}
		for name, paths := range map[string][]string{
			"jitter":     {write(t, "jitter.pcapng", pcapng(t, jitter(frames)))},
			"directions": {write(t, "sent.pcapng", pcapng(t, directions[0])), write(t, "received.pcapng", pcapng(t, directions[1]))},
		} {
			got := mustObserve(t, paths...)
			if services := servicesOf(got); !slices.Equal(services, want) {
				t.Errorf("seed %d, %s: %d services, not %d; the first that differs: %s", seed, name, len(services), len(want),
					firstOther(services, want))
			}
		}
	}
}

// pcapng returns frames as a file that knows their directions.
func pcapng(t testing.TB, frames []record.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := record.NewCaptureWriter(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := w.Packet(&frames[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func firstOther(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] + "; not " + b[i]
		}
	}
	return ""
}

// A pipe is read once, and its digest is that of the bytes.
func TestObservePipe(t *testing.T) {
	dir := scan(t, lossy(t), 3, 0, 40)
	file := write(t, "a.pcap", pcap(framesOf(t, dir)))
	want := mustObserve(t, file)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cat := exec.Command("sh", "-c", "cat "+file+" >"+pipe)
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	got := mustObserve(t, pipe)
	if err := cat.Wait(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(servicesOf(got), servicesOf(want)) || got.Manifest.Observed.SHA256 != want.Manifest.Observed.SHA256 ||
		len(got.Manifest.Observed.SHA256) != 64 {
		t.Errorf("%+v, not %+v", got.Manifest.Observed, want.Manifest.Observed)
	}
	// Nobody writes to it now: only the end of ctx ends that.
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	sink, _ := keep()
	if _, err := replay.Observe(ctx, []string{pipe}, replay.Options{}, sink); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
