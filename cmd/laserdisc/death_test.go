package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture/lab"
	"laserdisc/capture/record"
)

// ruleset is what nft tells of the namespace.
func ruleset(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// startScan begins a scan on the wire, as a process, and returns when packets are recorded, and what it says on standard error.
func startScan(t *testing.T, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(laserdiscBinary(t), "scan", labPrefix, "--open", labPrefix, "--ports", "80", "--rate", "2000", "--max-targets", "30000",
		"--handshakes", "http", "--timeout", "1s", "--cooldown", "1s", "--out", dir)
	said := new(bytes.Buffer)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if info, err := os.Stat(filepath.Join(dir, "packets-00000.pcapng")); err == nil && info.Size() > 8192 {
			return cmd, said
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("no packets are recorded")
		}
	}
}

// However a scan dies that has become nobody, within a second nothing is left of what keeps the kernel from answering. HUP ends it
// as TERM does.
func TestDeath(t *testing.T) {
	serveLab(t, newTestLab(t, 0))
	before := ruleset(t)
	for _, how := range []unix.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGQUIT, unix.SIGABRT, unix.SIGSEGV, unix.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd, _ := startScan(t, dir)
			if during := ruleset(t); !strings.Contains(during, "laserdisc_") {
				t.Errorf("no guard is up:\n%s", during)
			}
			if err := cmd.Process.Signal(how); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			time.Sleep(100 * time.Millisecond)
			if after := ruleset(t); after != before {
				t.Errorf("left:\n%s", after)
			}
			m, loading := record.LoadManifest(dir)
			if loading != nil {
				t.Fatal(loading)
			}
			gentle := slices.Contains([]unix.Signal{unix.SIGHUP, unix.SIGTERM}, how)
			if gentle != (err == nil) || gentle != (m.EndedBy == record.EndedSignal) {
				t.Errorf("%v; ended by %q", err, m.EndedBy)
			}
			if code := run([]string{"replay", dir, "--out", dir + "-tables"}); code != 0 {
				t.Errorf("playing it back: exit code %d", code)
			}
		})
	}
}

// A scan from whose machine the address is taken that it sends from ends within seconds, with a word, an exit code, and a manifest
// that says why. What it has recorded plays back, and goes on once the address is there again.
func TestAddressRemoved(t *testing.T) {
	serveLab(t, newTestLab(t, 0))
	before := ruleset(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, said := startScan(t, dir)
	sh := func(script string) {
		t.Helper()
		if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sh("ip address del 192.0.2.1/30 dev " + lab.Near)
	removed := time.Now()
	err := cmd.Wait()
	took := time.Since(removed)
	sh("ip address add 192.0.2.1/30 dev " + lab.Near + "; ip route add " + labPrefix + " via 192.0.2.2")
	const word = "192.0.2.1 is no longer an address of this machine"
	if err == nil || cmd.ProcessState.ExitCode() != 2 || took > 4*time.Second || strings.Count(said.String(), word) != 1 {
		t.Errorf("after %v: %v: %s", took, err, said)
	}
	if after := ruleset(t); after != before {
		t.Errorf("left:\n%s", after)
	}
	m, err := record.LoadManifest(dir)
	if err != nil || m.EndedBy != record.EndedError || !m.Interrupted || !strings.Contains(m.Problem, word) {
		t.Errorf("%v; ended by %q: %q", err, m.EndedBy, m.Problem)
	}
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
	laserdisc(t, "scan", "--resume", dir)
	if m, err = record.LoadManifest(dir); err != nil || m.EndedBy != record.EndedMaxTargets || m.Problem != "" {
		t.Errorf("%v; then ended by %q: %q", err, m.EndedBy, m.Problem)
	}
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
}
