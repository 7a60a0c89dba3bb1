package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// found is what a scan says of a service.
type found struct {
	state session.State
	label string
}

func findings(services map[netip.AddrPort]*session.Service) map[netip.AddrPort]found {
	m := make(map[netip.AddrPort]found, len(services))
	for a, s := range services {
		m[a] = found{s.State, s.Label}
	}
	return m
}

func sameFindings(t *testing.T, want, got map[netip.AddrPort]found) {
	t.Helper()
	for a, f := range want {
		if got[a] != f {
			t.Errorf("%v: whole scan %v %q, resumed scan %v %q", a, f.state, f.label, got[a].state, got[a].label)
		}
	}
	for a, f := range got {
		if _, ok := want[a]; !ok {
			t.Errorf("%v: only the resumed scan found it: %v %q", a, f.state, f.label)
		}
	}
}

// A scan killed at any moment, even twice, goes on: its record plays back, and it finds the same
// services as one that was not killed.
func TestResumeAnywhere(t *testing.T) {
	t.Parallel()
	args := []string{"scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--ports", "paper",
		"--sample", "0.5%", "--rate", "2000", "--seed", "9"}
	whole := filepath.Join(t.TempDir(), "whole")
	laserdisc(t, append(args, "--out", whole)...)
	reference := readRun(t, whole)
	want := findings(reference.services)
	random := rand.New(rand.NewPCG(9, 9))
	for n := range 20 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			for range 1 + n%2 {
				kill(t, dir, random)
				laserdisc(t, "scan", "--resume", dir)
			}
			s := readRun(t, dir)
			sameFindings(t, want, findings(s.services))
			if c := s.manifest.Counters; c.Launched != uint64(len(s.probed)) || c.SentSYN > reference.manifest.Counters.SentSYN+40000 {
				t.Errorf("%d of %d targets, with %d SYNs; the whole scan sent %d", c.Launched, len(s.probed), c.SentSYN, reference.manifest.Counters.SentSYN)
			}
			if n < 2 {
				countsAgree(t, s)
			}
		})
	}
}

// A scan that is killed again when it has hardly gone on does not forget those that the first kill left in flight: most services
// wait for their follow-up then.
func TestResumeTwice(t *testing.T) {
	t.Parallel()
	args := []string{"scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--ports", "22,80,443", "--sample", "5%",
		"--rate", "20000", "--timeout", "2s", "--wait", "2s", "--handshakes", "wait,tls,http", "--followup", "0s,30s", "--seed", "9"}
	whole := filepath.Join(t.TempDir(), "whole")
	laserdisc(t, append(args, "--out", whole)...)
	want := findings(readRun(t, whole).services)
	for _, part := range []int64{65, 1} { // of a hundred, of the newest chunk
		chunks := chunksOf(t, whole)
		newest := chunks[len(chunks)-1]
		info, err := os.Stat(newest)
		if err == nil {
			err = os.Truncate(newest, info.Size()*part/100)
		}
		if err != nil {
			t.Fatal(err)
		}
		laserdisc(t, "scan", "--resume", whole)
	}
	got := findings(readRun(t, whole).services)
	if len(want) < 1000 {
		t.Errorf("%d services: too few to prove anything", len(want))
	}
	for a := range want {
		if _, ok := got[a]; !ok {
			t.Fatalf("%v is lost, one of %d", a, len(want)-len(got))
		}
	}
}

// A default that has changed since does not change a scan: what is sent and how it is judged is in the manifest, and a
// scan goes on by that, whatever its command line left to the defaults of its time.
func TestResumeByManifest(t *testing.T) {
	t.Parallel()
	args := []string{"scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--ports", "22,80,443", "--sample", "2%",
		"--sample-by", "host", "--shard", "1/2", "--block", "198.18.9.0/24", "--seed", "9", "--rate", "3000", "--probes", "2",
		"--handshakes", "http,tls,wait", "--all-handshakes", "--push", "--timeout", "3s", "--wait", "3s", "--retransmit-after", "700ms", "--retransmits", "2",
		"--ephemeral-probes", "2", "--skip-all-ports", "--revisit", "4s", "--followup", "0s,2s,6s", "--random-order", "--cooldown", "9s", "--contact", "noc@example.net", "--source-port", "50000-59999"}
	whole := filepath.Join(t.TempDir(), "whole")
	laserdisc(t, append(args, "--out", whole)...)
	want := readRun(t, whole)
	for n, kept := range [][]string{
		{"laserdisc", "scan", "--lab", datasets.DefaultPopulation}, // the link
		slices.DeleteFunc(slices.Clone(want.manifest.Arguments), func(a string) bool { return a == "3s" || a == "--timeout" || a == "--wait" }),
	} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		kill(t, dir, rand.New(rand.NewPCG(9, uint64(n))))
		m, err := record.LoadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		m.Arguments = kept
		if err := record.SaveManifest(dir, m); err != nil {
			t.Fatal(err)
		}
		laserdisc(t, "scan", "--resume", dir)
		got := readRun(t, dir) // identical, or it fails
		sameFindings(t, findings(want.services), findings(got.services))
		w, g := *want.manifest, *got.manifest
		for _, m := range []*record.Manifest{&w, &g} { // how it went, which is another matter
			m.Arguments, m.End, m.Counters, m.Chunks = nil, time.Time{}, record.Counters{}, 0
		}
		if diff := cmp.Diff(w, g, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("the manifest of the resumed scan: %s", diff)
		}
	}
}

// Whom the killed scan was still to probe, as --probes says, the resumed one does, without any cool-down too.
func TestResumeProbes(t *testing.T) {
	t.Parallel()
	dir, _ := scanInMemory(t, "198.18.0.0/19", "--ports", "80", "--loss", "1", "--probes", "3", "--cooldown", "0s")
	packets := filepath.Join(dir, "packets-00000.pcapng")
	info, err := os.Stat(packets)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(packets, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	laserdisc(t, "scan", "--resume", dir)
	probes := map[netip.AddrPort]int{}
	for _, s := range synsOf(t, dir) {
		probes[s.to]++
	}
	few := 0
	for _, n := range probes {
		if n < 3 {
			few++
		}
	}
	if len(probes) != 8192 || few > 0 {
		t.Errorf("%d targets, %d of them probed less than three times", len(probes), few)
	}
}

// kill makes of a finished run what one looks like that was killed: a record whose last chunk ends anywhere,
// services written as far as they were, and the manifest as it was at the start.
func kill(t *testing.T, dir string, random *rand.Rand) {
	chunks := chunksOf(t, dir)
	for _, path := range []string{chunks[len(chunks)-1], filepath.Join(dir, "services.jsonl")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()/8+random.Int64N(info.Size()*7/8)); err != nil {
			t.Fatal(err)
		}
	}
}

// The same on a real wire, with a real SIGKILL: the kernel's own resets are kept away again, and
// what the servers still remember does no harm.
func TestResumeKilled(t *testing.T) {
	network := newTestLab(t, 0)
	serveLab(t, network)
	args := []string{"scan", labPrefix, "--open", labPrefix, "--ports", "22,80,443", "--sample", "3%", "--rate", "2000",
		"--timeout", "4s", "--wait", "4s", "--cooldown", "2s", "--handshakes", "tls,http,wait", "--seed", "10"} // a GET before TLS has answered would spoil TLS for the second scan (paper, section 4.3)
	whole := filepath.Join(t.TempDir(), "whole")
	laserdisc(t, append(args, "--out", whole)...)
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(laserdiscBinary(t), append(args, "--out", dir)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it says
	laserdisc(t, "scan", "--resume", dir)
	want, got := findings(readRun(t, whole).services), findings(readRun(t, dir).services)
	for _, m := range []map[netip.AddrPort]found{want, got} {
		for a := range m {
			// What remembers a source from the first scan treats it otherwise in the second. The lab tells who does, and not what
			// was found: a kernel that resets makes services look so, too.
			if truth, _ := network.At(a); truth.Behaviour == "shunning" || truth.Behaviour == "dynamic_blocking" {
				delete(want, a)
				delete(got, a)
			}
		}
	}
	sameFindings(t, want, got)
	if len(want) < 200 {
		t.Errorf("%d services: too few to prove anything", len(want))
	}
}
