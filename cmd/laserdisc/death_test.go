package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
			cmd := exec.Command(laserdiscBinary(t), "scan", labPrefix, "--open", labPrefix, "--ports", "80", "--rate", "2000",
				"--handshakes", "http", "--timeout", "1s", "--cooldown", "1s", "--out", dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
				if info, err := os.Stat(filepath.Join(dir, "packets-00000.pcapng")); err == nil && info.Size() > 8192 {
					break
				}
				if time.Since(begun) > 20*time.Second {
					t.Fatal("no packets are recorded")
				}
			}
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
