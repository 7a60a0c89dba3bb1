package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// dense has a program scan a share of a population whose every service speaks, in memory, at so many packets a second of its
// time. It is a child, for what a child of ours takes later is counted from what we have taken.
func dense(t testing.TB, program, dir, sample, rate string) *record.Manifest {
	t.Helper()
	scan := exec.Command(program, "scan", labPrefix, "--open", labPrefix, "--lab", "judge/testdata/dense.json", "--ports", "22,80,25,443,21,6379",
		"--rate", rate, "--timeout", "2s", "--wait", "1s", "--handshakes", "wait,http,tls,redis", "--sample", sample, "--seed", "1", "--out", dir)
	if out, err := scan.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m, err := record.LoadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// content gives the files of a directory, and nothing of one that is not there.
func content(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		found[e.Name()] = nil
		if !e.IsDir() {
			if found[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// intact is the digest of the dataset in a directory, after Verify; "" if there is none.
func intact(t testing.TB, dir string) string {
	t.Helper()
	if !analysis.IsDataset(dir) {
		return ""
	}
	d, err := analysis.Open(dir)
	if err == nil {
		err = d.Verify(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest()
}

const incomplete = ".laserdisc-incomplete"

// killing is what is played back while it is killed, and what was there before.
type killing struct {
	laserdisc  string
	record     string // of some 75,000 packets, so that with 16 MiB rows are spilled seven times
	old, fresh string // digests of the dataset that is replaced, and of the record's
	oldRecord  string
	oldDataset string
	takes      time.Duration // playing the record back
}

func newKilling(t *testing.T) *killing {
	dir := t.TempDir()
	k := &killing{
		laserdisc: laserdiscBinary(t), record: filepath.Join(dir, "record"),
		oldRecord: filepath.Join(dir, "old"), oldDataset: filepath.Join(dir, "old-tables"),
	}
	if m := dense(t, k.laserdisc, k.record, "1%", "100000"); m.Counters.Sent+m.Counters.Received < 65_000 {
		t.Fatalf("%+v: too few", m.Counters)
	}
	dense(t, k.laserdisc, k.oldRecord, "0.1%", "100000")
	laserdisc(t, "replay", k.oldRecord, "--out", k.oldDataset)
	k.old = intact(t, k.oldDataset)
	fresh := filepath.Join(dir, "fresh")
	start := time.Now()
	if out, err := k.replay(k.record, fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k.takes = time.Since(start)
	k.fresh = intact(t, fresh)
	if k.old == "" || k.fresh == "" || k.old == k.fresh {
		t.Fatal("nothing to tell apart")
	}
	return k
}

// replay plays a record back with so little memory that rows are spilled.
func (k *killing) replay(record, out string) *exec.Cmd {
	return exec.Command(k.laserdisc, "replay", record, "--memory", "16MiB", "--out", out)
}

// interrupt begins to play the record back into dir, and sends it a signal at a random moment. What it says, and its exit code.
func (k *killing) interrupt(t *testing.T, dir string, s syscall.Signal, random *rand.Rand) (said string, code int) {
	t.Helper()
	var out bytes.Buffer
	cmd := k.replay(k.record, dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(random.Int64N(int64(k.takes))))
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

// into is the directory that is played back into, with an older dataset in it or not even there.
func (k *killing) into(t *testing.T, replace bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tables")
	if replace {
		if err := os.CopyFS(dir, os.DirFS(k.oldDataset)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestReplayStopped plays a record back, and stops that at random moments.
func TestReplayStopped(t *testing.T) {
	k := newKilling(t)
	t.Run("killed", k.killed)
	t.Run("interrupted", k.interrupted)
}

// Killed at whatever moment, a playback leaves the old dataset whole, the new one whole, or none; and beside it only the
// directory that the next one names and removes.
func (k *killing) killed(t *testing.T) {
	random := rand.New(rand.NewPCG(20, 9))
	found := map[string]int{}
	for i := range 20 {
		dir := k.into(t, i%2 == 0)
		k.interrupt(t, dir, syscall.SIGKILL, random)
		left := content(t, dir)
		_, stale := left[incomplete]
		delete(left, incomplete)
		digest := intact(t, dir)
		switch {
		case digest == k.fresh:
			found["new"]++
		case digest == k.old && i%2 == 0:
			found["old"]++
			if old := content(t, k.oldDataset); !maps.EqualFunc(left, old, bytes.Equal) {
				t.Errorf("the old dataset is whole, but there are %v", slices.Sorted(maps.Keys(left)))
			}
		case digest == "":
			found["none"]++
			if len(left) > 0 && !stale {
				t.Errorf("there is no dataset, but %v", slices.Sorted(maps.Keys(left)))
			}
		default:
			t.Errorf("the digest is %s", digest)
		}
		if stale {
			found["stale"]++
		}
		var stderr bytes.Buffer
		next := k.replay(k.oldRecord, dir)
		next.Stderr = &stderr
		if err := next.Run(); err != nil {
			t.Fatalf("%v: %s", err, &stderr)
		}
		if told := fmt.Sprintf("laserdisc: removed %s, which a run that was killed had left\n", filepath.Join(dir, incomplete)); stale != (stderr.String() == told) {
			t.Errorf("stale %v, and the next one says %q", stale, &stderr)
		}
		if left, old := content(t, dir), content(t, k.oldDataset); !maps.EqualFunc(left, old, bytes.Equal) {
			t.Errorf("then there are %v", slices.Sorted(maps.Keys(left)))
		}
	}
	t.Logf("playing back takes %v; killed 20 times: %v", k.takes.Round(time.Millisecond), found)
	if found["stale"] < 10 {
		t.Error("most were not killed while they worked")
	}
}

// Stopped by a signal at whatever moment, a playback says so with its exit code, and leaves what was there before.
func (k *killing) interrupted(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 2))
	codes := map[int]int{}
	for i := range 20 {
		replace := i%2 == 0
		dir := k.into(t, replace)
		said, code := k.interrupt(t, dir, []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[i/2%2], random)
		codes[code]++
		if code == 0 { // the signal came after the end
			if digest := intact(t, dir); digest != k.fresh || len(content(t, dir)) != 4 { // tables, dataset.json, packets.index
				t.Errorf("exit code 0, digest %s: %s", digest, said)
			}
			continue
		}
		before := map[string][]byte{}
		if replace {
			before = content(t, k.oldDataset)
		}
		if left := content(t, dir); !maps.EqualFunc(left, before, bytes.Equal) {
			t.Errorf("exit code %d: there are %v: %s", code, slices.Sorted(maps.Keys(left)), said)
		}
		if _, err := os.Stat(dir); !replace && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
		if code > 0 && !strings.Contains(said, context.Canceled.Error()) && !strings.Contains(said, "interrupt") && !strings.Contains(said, "signal") {
			t.Errorf("exit code %d: %q", code, said)
		}
	}
	t.Logf("exit codes %v", codes)
	if codes[2] < 10 {
		t.Error("most were not stopped while they worked")
	}
}

// memoryBound makes TestReplayMemory run: `make memory`.
var memoryBound = flag.Bool("memory", false, "measure the memory that replay takes, over records of up to 6 million packets")

// Playing back keeps to --memory, but for a quarter, whatever the length of the record: four times as many services, of a
// scan of the same rate, take as much memory. So does observing, of connections that are over after a while.
func TestReplayMemory(t *testing.T) {
	if !*memoryBound {
		t.Skip("make memory runs it")
	}
	const bound = 256 << 20
	dir := t.TempDir()
	program := laserdiscBinary(t)
	for _, c := range []struct{ name, file string }{{"played back", ""}, {"observed", "packets-00000.pcapng"}} {
		var peaks []int64
		for _, sample := range []string{"20%", "80%"} {
			run := filepath.Join(dir, sample)
			if _, err := os.Stat(run); err != nil {
				dense(t, program, run, sample, "2000")
			}
			var peak int64
			cmd := exec.Command(program, "replay", filepath.Join(run, c.file), "--memory", "256MiB", "--out", filepath.Join(dir, "tables"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			peak = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
			t.Logf("%s, %s of the services: %d MiB", c.name, sample, peak>>20)
			if peak > bound/4*5 {
				t.Errorf("%s, %s of the services: %d MiB are more than 1.25 times %d MiB", c.name, sample, peak>>20, bound>>20)
			}
			peaks = append(peaks, peak)
		}
		if peaks[1] > peaks[0]/10*11 {
			t.Errorf("%s: four times the record takes %d MiB, and one %d MiB", c.name, peaks[1]>>20, peaks[0]>>20)
		}
	}
}
