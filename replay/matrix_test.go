package replay_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/replay"
)

// matrix says how many lossy scans TestMatrix makes: `make matrix` makes 2,000.
var matrix = flag.Uint64("matrix", 30, "lossy scans that TestMatrix plays back in many ways")

// way is how a record is played back into a dataset, which changes nothing in it.
type way struct {
	workers int // players, and partitions
	memory  int // bytes for rows: --memory gives them half of it
	parts   int
}

// ways go from one worker with a lot of memory to many with so little that nearly each row is a file of its own.
var ways = []way{
	{1, 4 << 30 / 2, 1}, {2, 64 << 20 / 2, 1}, {3, 16 << 10, 1}, {4, 4 << 10, 3}, {5, 2 << 20, 2}, {8, 8 << 10, 1}, {7, 64 << 20 / 2, 5}, {6, 4 << 30 / 2, 1},
}

func observeFile(ctx context.Context, path string, o replay.Options, sink replay.Sink) (*replay.Result, error) {
	return replay.Observe(ctx, []string{path}, o, sink)
}

// dataset plays back a run into a dataset of its own, or observes a capture.
func (w way) dataset(t testing.TB, path string) (*replay.Result, *analysis.Dataset) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := analysis.Create(t.TempDir(), analysis.Options{Memory: w.memory, Parts: w.parts, Workers: w.workers, Observed: !info.IsDir()})
	if err != nil {
		t.Fatal(err)
	}
	play := replay.Run
	if !info.IsDir() {
		play = observeFile
	}
	r, err := play(context.Background(), path, replay.Options{Workers: w.workers}, func(of int) replay.Rows { return b.Partition(of) })
	if err != nil {
		t.Fatal(errors.Join(err, b.Abort()))
	}
	d, err := b.Close(context.Background(), []*record.Manifest{r.Manifest})
	if err != nil {
		t.Fatal(err)
	}
	return r, d
}

// chunks counts the files of packets of a record.
func chunks(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "packets-*"))
	if err != nil || len(list) == 0 {
		t.Fatal("no packets in ", dir, err)
	}
	return list
}

// However a scan is recorded, in 1 to 50 chunks, compressed or not, and however it is played back, with 1 to 8 workers, with
// memory that holds everything or hardly a row, into one part or many: one digest, and no difference. Observed, too.
func TestMatrix(t *testing.T) {
	p := lossy(t)
	most, datasets, rows := 0, 0, uint64(0)
	for seed := range *matrix {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 50))
			lag := []time.Duration{0, 5 * time.Millisecond, 400 * time.Millisecond}[seed%3]
			whole := scan(t, p, seed, lag, 40)
			cut := scanInChunks(t, p, seed, lag, 40, 1<<10+random.Int64N(30<<10), []string{"", "zstd"}[random.IntN(2)])
			most = max(most, len(chunks(t, cut)))
			played, want := ways[0].dataset(t, whole)
			if played.Difference != nil || played.Truncated != nil {
				t.Fatal(played.Difference, played.Truncated)
			}
			if err := want.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			check := func(path string, w way, want *analysis.Dataset) {
				t.Helper()
				r, d := w.dataset(t, path)
				if r.Difference != nil || r.Truncated != nil {
					t.Errorf("%s, %+v: %v, %v", path, w, r.Difference, r.Truncated)
				}
				if d.Digest() != want.Digest() {
					t.Errorf("%s in %d chunks, %+v: digest %s, not %s", path, len(chunks(t, path)), w, d.Digest(), want.Digest())
				}
				datasets++
				rows += d.Attempts()
			}
			w := ways[1+seed%uint64(len(ways)-1)]
			check(cut, w, want)
			for range 2 {
				check([]string{whole, cut}[random.IntN(2)], ways[random.IntN(len(ways))], want)
			}
			capture := filepath.Join(whole, "packets-00000.pcapng")
			_, observed := ways[0].dataset(t, capture)
			if _, again := w.dataset(t, capture); again.Digest() != observed.Digest() {
				t.Errorf("observed, %+v: digest %s, not %s", w, again.Digest(), observed.Digest())
			}
		})
	}
	t.Logf("%d scans, %d datasets of theirs, of %d attempts, from up to %d chunks", *matrix, datasets, rows, most)
	if most < 20 || rows < 50**matrix {
		t.Error("too little to prove anything")
	}
}

// copied copies the files of a run.
func copied(t testing.TB, dir string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// A record that is cut anywhere, in any of its chunks, plays back to the same prefix whatever the way, and says where it ends.
func TestMatrixOfCuts(t *testing.T) {
	whole := scanInChunks(t, lossy(t), 11, 5*time.Millisecond, 300, 16<<10, "")
	list := chunks(t, whole)
	random := rand.New(rand.NewPCG(9, 9))
	cuts := 0
	for range 25 {
		dir := copied(t, whole)
		if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil { // which says that the scan ended
			t.Fatal(err)
		}
		at := random.IntN(len(list))
		for i, path := range chunks(t, dir) {
			if i > at { // a scan that was killed has no later ones
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		last := chunks(t, dir)[at]
		info, err := os.Stat(last)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(last, random.Int64N(info.Size())); err != nil {
			t.Fatal(err)
		}
		if r, err := record.Open(dir); err != nil {
			continue // not even the manifest
		} else if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		result, want := ways[0].dataset(t, dir)
		if result.Difference != nil || result.Truncated == nil {
			t.Fatalf("%s of %d chunks: difference %v, truncated %v", last, len(list), result.Difference, result.Truncated)
		}
		for range 2 {
			w := ways[random.IntN(len(ways))]
			r, d := w.dataset(t, dir)
			if d.Digest() != want.Digest() || r.Difference != nil || r.Truncated == nil || *r.Truncated != *result.Truncated {
				t.Errorf("%s, %+v: digest %s, not %s; truncated %v, not %v", last, w, d.Digest(), want.Digest(), r.Truncated, result.Truncated)
			}
			if !slices.Equal(r.Unfinished, result.Unfinished) || r.Counters != result.Counters {
				t.Errorf("%s, %+v: %v, not %v", last, w, r.Counters, result.Counters)
			}
		}
		cuts++
	}
	t.Logf("%d chunks, %d cuts", len(list), cuts)
	if len(list) < 10 || cuts < 20 {
		t.Error("too few to prove anything")
	}
}

// Whatever byte of a sent packet is changed, in whatever chunk: the first difference is that packet, with any number of
// workers.
func TestMatrixOfChanges(t *testing.T) {
	dir := scan(t, lossy(t), 3, 0, 100)
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frames []record.Frame
	for {
		var f record.Frame
		if err := r.Next(&f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		f.Data = slices.Clone(f.Data)
		frames = append(frames, f)
	}
	random := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		at := random.IntN(len(frames))
		for frames[at].Direction != record.Sent {
			at = (at + 1) % len(frames)
		}
		// Not the addresses and what says how to read the rest: with those it may be no packet at all, or another host's.
		place := 38 + random.IntN(len(frames[at].Data)-38)
		if place >= 46 && place < 48 {
			continue
		}
		m := *r.Manifest()
		m.ChunkSize, m.Chunk = 4<<10+random.Int64N(30<<10), nil
		changed := filepath.Join(t.TempDir(), "run")
		w, err := record.Create(changed, &m)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frames {
			data := slices.Clone(f.Data)
			if i == at {
				data[place] ^= byte(1 + random.IntN(255))
			}
			if _, err := w.Packet(f.Direction, f.Time, data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(&m, frames[len(frames)-1].Time); err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 1 + random.IntN(8)} {
			played := play(t, changed, workers)
			if played.Difference == nil || played.Difference.Frame != frames[at].Number {
				t.Errorf("byte %d of frame %d, %d chunks, %d workers: difference %v", place, frames[at].Number, len(chunks(t, changed)), workers, played.Difference)
			}
		}
	}
}
