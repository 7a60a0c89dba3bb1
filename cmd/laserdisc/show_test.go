package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"laserdisc/capture"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

var update = flag.Bool("update", false, "write testdata/show anew, from what is shown now")

// shownLab has one host of each family, whose services are known, and a firewall that serves on all of its ports.
const shownLab = `{
	"name": "shown", "synthetic": "hosts to be shown", "density": 1,
	"prefixes": ["198.18.0.0/32", "198.18.4.0/24", "2001:2:0:1::1/128"],
	"hosts": [{"name": "host", "weight": 1, "closed": {"unreachable": 1}}],
	"stacks": {"linux": 1}, "pace": {"prompt": 1},
	"defences": [{"name": "shuns", "behaviours": {"shunning": 1}}],
	"ports": [
		{"port": 22, "open": 1, "acks": 1, "protocols": {"ssh": 1}},
		{"port": 53, "open": 1, "acks": 1, "protocols": {"dns": 1}},
		{"port": 80, "open": 1, "acks": 1, "protocols": {"http": 1}},
		{"port": 443, "open": 1, "acks": 1, "protocols": {"tls": 1}},
		{"port": 502, "open": 1, "acks": 1, "protocols": {"modbus": 1}},
		{"port": 8080, "open": 1, "acks": 0, "defences": "shuns", "protocols": {"http": 1}}],
	"network": {"delay": "20ms", "spread": "10ms", "jitter": "1ms", "hold_back": "1ms"}}`

// closedLab is the same host with other closed ports.
var closedLab = strings.NewReplacer(`"unreachable": 1`, `"reset": 1`, `"shown"`, `"closed"`).Replace(shownLab)

// shownTargets are on the hosts of the lab.
type shownTargets []netip.AddrPort

func (l *shownTargets) Next() (at netip.AddrPort, ok bool) {
	if len(*l) == 0 {
		return at, false
	}
	at, *l = (*l)[0], (*l)[1:]
	return at, true
}

func (l *shownTargets) Left() uint64 { return uint64(len(*l)) }

// Place implements capture.Targets. What answers was asked: all are begun at once.
func (l *shownTargets) Place(netip.AddrPort) (uint64, bool) { return 0, true }

// scanShown records a scan of a lab over a link in memory, whose clock begins with the year 2026.
func scanShown(t *testing.T, population string) (dir string) {
	t.Helper()
	p, err := lab.Parse("shown", []byte(population))
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "run")
	m := &record.Manifest{
		Laserdisc: "test", Synthetic: p.Name, Seed: 1, Rate: 1000, Cooldown: session.Duration(8 * time.Second), Settings: session.Defaults(),
	}
	m.CookieKey, m.Handshakes = session.KeyOf(1), []string{"wait", "tls", "http", "dns", "modbus"}
	m.EphemeralProbes = 2
	m.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var l shownTargets
	for _, host := range []string{"198.18.0.0", "2001:2:0:1::1"} {
		for _, port := range []uint16{22, 53, 80, 81, 443, 502, 8080} {
			l = append(l, netip.AddrPortFrom(netip.MustParseAddr(host), port))
		}
	}
	s := capture.Scan{Dir: dir, Manifest: m, Targets: &l, Link: link.NewMemory(lab.New(p, 1), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// printsOf is what show prints, what it remarks, and its exit code.
func printsOf(args ...string) (text, remarks string, code int) {
	var out, problems bytes.Buffer
	cmd := showCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&problems)
	switch err := cmd.Execute(); {
	case err == nil:
		return out.String(), problems.String(), 0
	case errors.As(err, new(verdictError)):
		return out.String(), problems.String() + err.Error(), 1
	default:
		return out.String(), problems.String() + err.Error(), 2
	}
}

// What is shown of services of each kind, of whatever path leads to them.
func TestShow(t *testing.T) {
	run, closed := scanShown(t, shownLab), scanShown(t, closedLab)
	tables := filepath.Join(t.TempDir(), "tables")
	laserdisc(t, "replay", run, "--out", tables)
	capture := filepath.Join(run, "packets-00000.pcapng")
	for _, c := range []struct {
		name, path, service string
		code                int
		options             []string
	}{
		{name: "ssh", path: run, service: "198.18.0.0:22"},
		{name: "dns", path: run, service: "198.18.0.0:53"},
		{name: "http", path: run, service: "198.18.0.0:80"},
		{name: "tls", path: run, service: "198.18.0.0:443"},
		{name: "modbus", path: run, service: "198.18.0.0:502"},
		{name: "shuns", path: run, service: "198.18.0.0:8080"},
		{name: "ipv6", path: run, service: "[2001:2:0:1::1]:80"},
		{name: "ipv6", path: tables, service: "[2001:2:0:1::1]:80"},
		{name: "unreachable", path: run, service: "198.18.0.0:81"},
		{name: "unreachable-ipv6", path: run, service: "[2001:2:0:1::1]:81"},
		{name: "closed", path: closed, service: "198.18.0.0:81"},
		{name: "http", path: tables, service: "198.18.0.0:80"},
		{name: "http-observed", path: capture, service: "198.18.0.0:80"},
		{name: "http-json", path: run, service: "198.18.0.0:80", options: []string{"--json"}},
		{name: "nobody", path: run, service: "198.18.9.9:80", code: 1},
	} {
		t.Run(c.name+"-"+filepath.Base(c.path), func(t *testing.T) {
			text, remarks, code := printsOf(append([]string{c.path, c.service}, c.options...)...)
			if code != c.code {
				t.Fatalf("exit code %d, want %d: %s\n%s", code, c.code, remarks, text)
			}
			if scanned := strings.Contains(remarks, "for want of an index"); scanned == (c.path == tables || c.path == capture) {
				t.Errorf("remarks: %q", remarks)
			}
			if c.code != 0 {
				return
			}
			for i, line := range strings.Split(text, "\n") {
				if len(line) > storyWidth && c.options == nil {
					t.Errorf("line %d has %d columns: %s", i+1, len(line), line)
				}
			}
			golden(t, c.name+".txt", text)
		})
	}
}

func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", "show", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s is another; look at it, and if it is right: go test -tags noasm ./cmd/laserdisc -run Show -update\n%s", path, text)
	}
}

// The packets that are cut out are those of the story, and tshark reads them with what is said of each.
func TestShowPcap(t *testing.T) {
	run, cut := scanShown(t, shownLab), filepath.Join(t.TempDir(), "cut.pcapng")
	laserdisc(t, "show", run, "198.18.0.0:443", "--pcap", cut)
	r, err := record.Open(cut)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	packets := 0
	var f record.Frame
	for r.Next(&f) == nil {
		packets++
	}
	story, err := os.ReadFile("testdata/show/tls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for _, line := range strings.Split(string(story), "\n") {
		if fields := strings.Fields(line); len(fields) > 5 && (fields[3] == ">" || fields[3] == "<") {
			comments = append(comments, fmt.Sprintf("frame %s, then %s", fields[0], fields[5]))
		}
	}
	if packets == 0 || packets != len(comments) {
		t.Errorf("%d packets were cut out, and %d shown", packets, len(comments))
	}
	out, err := exec.Command("tshark", "-r", cut, "-Y", "tcp", "-T", "fields", "-e", "frame.comment").CombinedOutput()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	for _, c := range comments {
		if !strings.Contains(string(out), c) {
			t.Errorf("tshark does not see %q:\n%s", c, out)
		}
	}
	if _, _, code := printsOf(run, "198.18.0.0:443", "--pcap", cut); code != 2 {
		t.Errorf("exit code %d: a file that is there is written over", code)
	}
}

// A dataset whose record is gone, has changed or is another's shows what its tables have, or reads all of the record.
func TestShowWithoutPackets(t *testing.T) {
	run, other := scanShown(t, shownLab), scanShown(t, closedLab)
	tables := filepath.Join(t.TempDir(), "tables")
	laserdisc(t, "replay", run, "--out", tables)
	moved := run + "-moved"
	if err := os.Rename(run, moved); err != nil {
		t.Fatal(err)
	}
	text, remarks, code := printsOf(tables, "198.18.0.0:443")
	if code != 0 || !strings.Contains(remarks, "the packets would be in "+run) {
		t.Errorf("exit code %d: %s\n%s", code, remarks, text)
	}
	golden(t, "rows.txt", text)
	if text, remarks, code := printsOf(tables, "198.18.0.0:443", "--pcap", filepath.Join(t.TempDir(), "cut")); code != 2 {
		t.Errorf("exit code %d, of packets that are not there: %s\n%s", code, remarks, text)
	}
	if text, remarks, code := printsOf(tables, "198.18.9.9:443"); code != 1 {
		t.Errorf("exit code %d, of a service that is not there: %s\n%s", code, remarks, text)
	}
	if err := os.Rename(other, run); err != nil {
		t.Fatal(err)
	}
	if text, remarks, code := printsOf(tables, "198.18.0.0:443"); code != 0 || !strings.Contains(remarks, "there is a record of another run") {
		t.Errorf("exit code %d, of another run in its place: %s\n%s", code, remarks, text)
	}
}

// Words of nobody who was asked for.
func TestShowUsage(t *testing.T) {
	run := scanShown(t, shownLab)
	for _, args := range [][]string{
		{run}, {run, "198.18.0.0"}, {run, "198.18.0.0:0"}, {run, "2001:2:0:1::1:80"},
		{"nosuch", "198.18.0.0:80"}, {t.TempDir(), "198.18.0.0:80"}, {"show_test.go", "198.18.0.0:80"},
	} {
		if text, remarks, code := printsOf(args...); code != 2 {
			t.Errorf("%q: exit code %d: %s\n%s", args, code, remarks, text)
		}
	}
}

// Whatever a server sends, it is read or said not to be.
func FuzzMessages(f *testing.F) {
	for name := range messageReaders {
		f.Add(name, []byte("\x16\x03\x01\x00\x04\x02\x00\x00\x00\x15\x03\x03\x00\x02\x02\x28"))
		f.Add(name, []byte("\x00\x11\x00\x01\x80\x05\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"))
		f.Add(name, []byte("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"))
		f.Add(name, []byte("\x00\x01\x00\x00\x00\x03\x01\x2b\x0e"))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for _, line := range messagesIn(name, data) {
			if line != shown(line) {
				t.Errorf("a line has bytes that are none: %q", line)
			}
		}
	})
}
