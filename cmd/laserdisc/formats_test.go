package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/formats"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// readServices reads a run's services.jsonl.
func readServices(t *testing.T, dir string) map[netip.AddrPort]serviceLine {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "services.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[netip.AddrPort]serviceLine{}
	for d := json.NewDecoder(f); ; {
		var s serviceLine
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[netip.AddrPortFrom(s.Addr, s.Port)] = s
	}
}

type serviceLine struct {
	Addr                       netip.Addr
	Port                       uint16
	State                      session.State
	Label, Evidence, Handshake string
	Response                   []byte
}

// printed scans a part of the lab in memory and returns what goes to standard output.
func printed(t *testing.T, args ...string) (dir string, lines [][]byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(laserdiscBinary(t), append([]string{"scan", "198.18.0.0/21", "--open", labPrefix, "--lab", datasets.DefaultPopulation,
		"--seed", "7", "--ports", "22,80,443,3306,8080", "--out", dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	return dir, lines
}

// --format lzr has LZR's fields, a line for each service, and every byte of the data.
func TestFormatLZR(t *testing.T) {
	dir, lines := printed(t, "--format", "lzr", "--ephemeral-probes", "5")
	services := readServices(t, dir)
	states := map[session.State]int{}
	binary := 0
	for _, text := range lines {
		var names map[string]any
		if err := json.Unmarshal(text, &names); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"saddr", "daddr", "sport", "dport", "seqnum", "acknum", "window", "ttl", "ACK", "ACKed", "SYN", "RST", "FIN", "PUSH", "HandshakeNum", "Timestamp", "expectedRToLZR"} {
			if _, ok := names[name]; !ok {
				t.Fatalf("no %s in %s", name, text)
			}
		}
		var l formats.LZR
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		key := netip.AddrPortFrom(l.Source, l.Port)
		s, ok := services[key]
		if !ok {
			t.Fatalf("%v is in no line, or in two", key)
		}
		delete(services, key)
		states[s.State]++
		if !bytes.Equal(l.Raw, s.Response) || l.Fingerprint != s.Label {
			t.Errorf("%v: %s", key, text)
		}
		if l.Data != string(l.Raw) {
			binary++
		}
		if l.OwnPort < 61000 || !l.Timestamp.After(time.Now().Add(-time.Hour)) || l.Firewall != (s.State == session.AllPorts) || l.ACKed && s.Handshake == "wait" {
			t.Errorf("%v: %s", key, text)
		}
		if s.State == session.AcksData && (!l.ACKed || l.Expected != "data") || s.State == session.NoDataAck && (l.ACKed || l.Expected != "ack") {
			t.Errorf("%v is %v: %s", key, s.State, text)
		}
	}
	if len(services) > 0 || states[session.SendsData] < 50 || states[session.NoDataAck] == 0 || states[session.AllPorts] == 0 || binary == 0 {
		t.Errorf("%d services without a line; states %v; %d with other than text", len(services), states, binary)
	}
}

// With --only-data, only services that sent data have a line.
func TestOnlyData(t *testing.T) {
	dir, lines := printed(t, "--format", "lzr", "--only-data")
	want := 0
	for _, s := range readServices(t, dir) {
		if s.State == session.SendsData {
			want++
		}
	}
	for _, line := range lines {
		if !bytes.Contains(line, []byte(`"data_base64":"`)) {
			t.Errorf("%s", line)
		}
	}
	if len(lines) != want || want < 50 {
		t.Errorf("%d lines for %d services", len(lines), want)
	}
}

// laserdisc reads the lines that it writes for LZR's users, and labels them the same.
func TestFormatLZRReadBack(t *testing.T) {
	dir, lines := printed(t, "--format", "lzr")
	path := filepath.Join(t.TempDir(), "lzr.jsonl")
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(laserdiscBinary(t), "classify", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	services := readServices(t, dir)
	same := 0
	for line := range bytes.Lines(out) {
		var l struct {
			Saddr netip.Addr
			Sport uint16
			Label string
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if s := services[netip.AddrPortFrom(l.Saddr, l.Sport)]; s.Label != l.Label {
			t.Errorf("%s, but the scan said %s", line, s.Label)
		}
		same++
	}
	if same != len(services) {
		t.Errorf("%d lines of %d services", same, len(services))
	}
}

// --feed-zgrab writes a line for each identified service that `zgrab2 multiple` takes.
func TestFeedZGrab(t *testing.T) {
	dir, lines := printed(t, "--feed-zgrab")
	want := map[string]bool{}
	for key, s := range readServices(t, dir) {
		if s.Evidence != "none" {
			want[fmt.Sprintf("%v,,%s,%d", key.Addr(), s.Label, key.Port())] = true
		}
	}
	for _, line := range lines {
		if !want[string(line)] {
			t.Errorf("%s", line)
		}
		delete(want, string(line))
	}
	if len(want) > 0 || len(lines) < 50 {
		t.Errorf("%d lines; missing: %v", len(lines), want)
	}
}

// When the reader of standard output leaves, the scan ends with an error and a closed record.
func TestReaderLeaves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command("bash", "-c", `"$0" "$@" | head -n 3; exit ${PIPESTATUS[0]}`, laserdiscBinary(t), "scan", "198.18.0.0/21", "--open", labPrefix,
		"--lab", datasets.DefaultPopulation, "--seed", "7", "--ports", "22,80,443", "--format", "lzr", "--out", dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "broken pipe; the record up to here is in "+dir) {
		t.Errorf("%v\n%s", err, out)
	}
	if m, err := record.LoadManifest(dir); err != nil || m.EndedBy != record.EndedError || m.End.IsZero() {
		t.Errorf("manifest: %+v, %v", m, err)
	}
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
}

// Flags of the formats that do not go together are refused before anything is opened.
func TestFormatFlags(t *testing.T) {
	for _, args := range []string{
		"--from lzr --out x",
		"--from zmap 198.18.0.1 --out x",
		"--from zmap --ports 80 --out x",
		"--from zmap --lab paper-shape --out x",
		"--from zmap --probes 2 --out x",
		"--from zmap --max-targets 5% --out x",
		"198.18.0.1:80 --open 198.18.0.0/15 --lab paper-shape --format json --out x",
		"198.18.0.1:80 --open 198.18.0.0/15 --lab paper-shape --format lzr --feed-zgrab --out x",
		"198.18.0.1:80 --open 198.18.0.0/15 --lab paper-shape --only-data --out x",
		"198.18.0.1:80 --open 198.18.0.0/15 --lab paper-shape --contact (x) --out x",
		"198.18.0.1:80 --open 198.18.0.0/15 --lab paper-shape --probes 0 --out x",
	} {
		if code := run(append([]string{"scan"}, strings.Fields(args)...)); code != 2 {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("something was written")
	}
}
