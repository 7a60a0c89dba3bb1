package analysis

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"laserdisc/capture/record"
)

// unchanged fails the test if a directory is not as it was.
func unchanged(t testing.TB, dir string, before map[string][]byte) {
	t.Helper()
	after := files(t, dir)
	if !maps.EqualFunc(before, after, slices.Equal) {
		t.Errorf("%s held %v, and now %v", dir, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
}

// A directory is as it was until Close; the files of what is spilled have no names.
func TestBuilderLeavesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, examples())
	before := files(t, dir)
	b, err := Create(dir, Options{Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := b.Partition(1)
	for _, a := range many(100).attempts {
		if err := p.Attempt(a.Attempt); err != nil {
			t.Fatal(err)
		}
	}
	during := files(t, dir)
	if want := []string{".laserdisc-incomplete", ".laserdisc-incomplete/lock", "attempts.parquet", "dataset.json", "services.parquet"}; !slices.Equal(slices.Sorted(maps.Keys(during)), want) {
		t.Errorf("there are %v", slices.Sorted(maps.Keys(during)))
	}
	if _, err := Create(dir, Options{}); err == nil || !strings.Contains(err.Error(), dir+": another process is making tables there") {
		t.Errorf("a second builder: %v", err)
	}
	if err := b.Abort(); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, before)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b, err = Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Close(ctx, []*record.Manifest{manifest()}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	unchanged(t, dir, before)

	made := filepath.Join(t.TempDir(), "made")
	if b, err = Create(made, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", made, err)
	}
}

// A new dataset takes the place of an old one, of all its parts; what else is in the directory stays.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	joined(t, dir, write(t, t.TempDir(), examples()), write(t, t.TempDir(), many(10)))
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(dir); err != nil || d.Verify(t.Context()) != nil || len(d.header.files()) != 4 {
		t.Fatal(err)
	}
	d := write(t, dir, many(20))
	if err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := slices.Sorted(maps.Keys(files(t, dir))), []string{"attempts.parquet", "dataset.json", "notes.txt", "services.parquet"}; !slices.Equal(got, want) {
		t.Errorf("there are %v", got)
	}
}

// What cannot take the place of what is there is an error before any work is done.
func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, headerFile)
	for _, text := range []string{"{", `{"format": 99}`} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(dir, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("over %s: %v", text, err)
		}
		unchanged(t, dir, map[string][]byte{headerFile: []byte(text)})
	}
	if _, err := Create(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("where a file is: %v", err)
	}
}

// What a process that was killed has left is removed, and told of.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	work := filepath.Join(dir, workDir)
	if err := os.MkdirAll(filepath.Join(work, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "attempts.parquet", "x/y"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Create(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b.Stale != work {
		t.Errorf("stale is %q", b.Stale)
	}
	if err := b.Abort(); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, map[string][]byte{})
}

// A process that was killed while it put its files in place: at whatever step, there is the old dataset whole, the new one
// whole, or none, and the next one removes what is nobody's.
func TestKilledInPlace(t *testing.T) {
	old, fresh := examples(), many(20)
	steps := func(dir string) []func() error { // as commit does them
		work := filepath.Join(dir, workDir)
		replaced := filepath.Join(work, replacedDir)
		rename := func(name, from, to string) func() error {
			return func() error { return os.Rename(filepath.Join(from, name), filepath.Join(to, name)) }
		}
		list := []func() error{func() error { return os.Mkdir(replaced, 0o777) }, rename(headerFile, dir, replaced)}
		for _, name := range []string{"attempts-a.parquet", "attempts-b.parquet", "services-a.parquet", "services-b.parquet"} {
			list = append(list, func() error { return os.Remove(filepath.Join(dir, name)) })
		}
		return append(list, rename("attempts.parquet", work, dir), rename("services.parquet", work, dir), rename(headerFile, work, dir))
	}
	for killed := range 10 {
		dir, made := t.TempDir(), t.TempDir()
		want := joined(t, dir, write(t, t.TempDir(), old), write(t, t.TempDir(), many(10))).Digest()
		write(t, made, fresh)
		if err := os.Rename(made, filepath.Join(dir, workDir)); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps(dir)[:killed] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if killed == 9 {
			want = write(t, t.TempDir(), fresh).Digest()
		}
		d, err := Open(dir)
		if killed < 2 || killed == 9 {
			if err != nil || d.Verify(t.Context()) != nil || d.Digest() != want {
				t.Errorf("killed before step %d: %v", killed, err)
			}
		} else if err == nil {
			t.Errorf("killed before step %d: there is a dataset", killed)
		}
		b, err := Create(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Abort(); err != nil {
			t.Fatal(err)
		}
		if d != nil {
			if err := d.Verify(t.Context()); err != nil {
				t.Errorf("killed before step %d: then %v", killed, err)
			}
		} else if left := files(t, dir); len(left) > 0 {
			t.Errorf("killed before step %d: %v are left", killed, slices.Sorted(maps.Keys(left)))
		}
	}
}

// TestDiskFull makes a dataset over an older one where no file can be longer than a limit: at whatever place that strikes,
// there is an error that names the directory, and it is as it was. The limit is the process's, so that it is a child's.
func TestDiskFull(t *testing.T) {
	const child = "LASERDISC_FULL"
	if os.Getenv(child) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
		command.Env = append(os.Environ(), child+"=1")
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "limits struck") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	rows := many(20_000)
	rows.attempts = rows.attempts[:10_000] // a smaller table than that of services
	var unlimited unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &unlimited); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unlimited.Max}); err != nil {
			t.Fatal(err)
		}
	}
	struck := map[string]int{}
	random := rand.New(rand.NewPCG(1, 1))
	for _, memory := range []int{256 << 10, 1 << 20, 1 << 30} { // runs of runs, runs, none
		dir := t.TempDir()
		write(t, dir, examples())
		before := files(t, dir)
		limits := []uint64{0, 1, 300, 4096, 100_000, 300_000, 400_000}
		for range 5 {
			limits = append(limits, random.Uint64N(500_000))
		}
		limits = append(limits, 1<<20)
		for _, bytes := range limits {
			limit(bytes)
			d, err := build(dir, rows, 2, Options{Memory: memory})
			limit(unlimited.Cur)
			if err == nil {
				if err := d.Verify(t.Context()); err != nil {
					t.Fatalf("%d bytes of memory, files of %d: %v", memory, bytes, err)
				}
				write(t, dir, examples())
				struck["nothing"]++
				continue
			}
			if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%d bytes of memory, files of %d: %v", memory, bytes, err)
			}
			unchanged(t, dir, before)
			for _, what := range []string{"rows-", "attempts.parquet", "services.parquet"} {
				if strings.Contains(err.Error(), what) {
					struck[what]++
				}
			}
		}
	}
	t.Logf("limits struck %v", struck)
	if struck["rows-"] == 0 || struck["attempts.parquet"] == 0 || struck["services.parquet"] == 0 || struck["nothing"] == 0 {
		t.Error("too few to prove anything")
	}
}
