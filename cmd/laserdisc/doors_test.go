package main

import (
	"bufio"
	"bytes"
	"context"
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

	"laserdisc/capture/lab"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// inLab runs a shell command in dir, against a lab of its own: what was scanned before may hold a grudge.
func inLab(t *testing.T, dir, command string) {
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	defer serveOn(context.Background(), far, newTestLab(t, 0))()
	cmd := exec.Command("bash", "-o", "pipefail", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(laserdiscBinary(t))+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// zmapTo is a command for inLab: zmap writes the SYN-ACKs of a prefix and a port as LZR reads them.
func zmapTo(t testing.TB, dir, prefix, port string) string {
	if err := os.WriteFile(filepath.Join(dir, "none"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("zmap --interface=%s --gateway-mac=%s --source-ip=192.0.2.1 --source-port=61000-65535 --target-port=%s --rate=10000"+
		" --blacklist-file=none --cooldown-time=1 --quiet --output-module=json --output-fields=saddr,daddr,sport,dport,seqnum,acknum,window"+
		" --output-filter='success = 1 && repeat = 0' %s 2>>zmap.log", lab.Near, farEnd(t), port, prefix)
}

// fromZMap is a command that reads what zmapTo writes.
func fromZMap(t testing.TB) string {
	return fmt.Sprintf("laserdisc scan --from zmap --interface %s --gateway-mac %s --source-ip 192.0.2.1", lab.Near, farEnd(t))
}

// zmap | laserdisc finds the services that laserdisc finds alone, in the same states, with the
// same labels.
func TestFromZMap(t *testing.T) {
	const prefix, common = "198.18.16.0/20", "--timeout 2s --wait 2s --seed 5"
	dir := t.TempDir()
	inLab(t, dir, fmt.Sprintf("laserdisc scan %s --open %s --ports 80 --rate 3000 %s --out alone", prefix, labPrefix, common))
	inLab(t, dir, fmt.Sprintf("%s | %s %s --out piped", zmapTo(t, dir, prefix, "80"), fromZMap(t), common))
	alone, piped := foundIn(t, filepath.Join(dir, "alone")), foundIn(t, filepath.Join(dir, "piped"))
	if code := run([]string{"scan", "--resume", filepath.Join(dir, "piped")}); code != 2 {
		t.Errorf("--resume of what came through a pipe: exit code %d", code)
	}
	if len(alone) < 100 {
		t.Errorf("%d services: too few to prove anything", len(alone))
	}
	for key, what := range alone {
		if piped[key] != what {
			t.Errorf("%v: alone %q, piped %q", key, what, piped[key])
		}
	}
	for key, what := range piped {
		if _, ok := alone[key]; !ok {
			t.Errorf("%v: only piped: %q", key, what)
		}
	}
	laserdisc(t, "replay", filepath.Join(dir, "piped"), "--out", filepath.Join(dir, "tables"))
	t.Logf("%d services, the same", len(alone))
}

// foundIn returns a run's states and labels.
func foundIn(t *testing.T, dir string) map[netip.AddrPort]string {
	found := map[netip.AddrPort]string{}
	for at, s := range readServices(t, dir) {
		found[at] = strings.TrimSpace(s.State.String() + " " + s.Label)
	}
	return found
}

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

// A line of ZMap's is a SYN-ACK, or is none, or says what is wrong with it and where.
func TestReadZMap(t *testing.T) {
	m := &record.Manifest{Settings: session.Defaults()}
	m.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	const good = `{"saddr":"198.18.0.1","daddr":"192.0.2.1","sport":80,"dport":61001,"seqnum":4294967295,"acknum":0,"window":0,"ttl":55}` + "\n"
	read := func(text string) (list []packet.Segment, err error) {
		z := readZMap(t.Context(), strings.NewReader(text), m)
		for {
			s, ok, err := z.Next()
			if err != nil {
				return list, err
			}
			if ok {
				list = append(list, s)
			}
		}
	}
	list, err := read(good + strings.Replace(good, `"ttl":55`, `"classification":"rst"`, 1) + strings.Replace(good, "4294967295", "-1", 1))
	if !errors.Is(err, io.EOF) || len(list) != 2 {
		t.Fatalf("%d SYN-ACKs, %v", len(list), err)
	}
	want := packet.Segment{Src: netip.MustParseAddrPort("198.18.0.1:80"), Dst: netip.MustParseAddrPort("192.0.2.1:61001"),
		Seq: 4294967295, TTL: 55, Flags: packet.SYN | packet.ACK}
	for _, s := range list { // the second as ZMap 2 writes it
		if fmt.Sprint(s) != fmt.Sprint(want) {
			t.Errorf("read %+v", s)
		}
	}
	for _, c := range []struct{ old, new, says string }{
		{`{`, `x`, "zmap -O json"},
		{`"198.18.0.1"`, `"198.18.0"`, "zmap -O json"},
		{`"198.18.0.1"`, `"2001:db8::1"`, "cannot answer"},
		{`"sport":80,`, ``, "-f saddr"},
		{`"acknum":0,`, ``, "-f saddr"},
		{`"window":0,`, ``, "-f saddr"},
		{`4294967295`, `4294967296`, "32 bits"},
		{`4294967295`, `-2147483649`, "32 bits"},
		{`4294967295`, `"x"`, "32 bits"},
		{`61001`, `40000`, "--source-port"},
		{`"192.0.2.1"`, `"192.0.2.2"`, "--source-ip"},
		{`{`, strings.Repeat("{", maxZMapLine), "longer than 65536 bytes"},
	} {
		list, err := read(good + strings.Replace(good, c.old, c.new, 1) + good)
		if err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), c.says) || len(list) != 1 {
			t.Errorf("%s for %s: %d SYN-ACKs, %v", c.new, c.old, len(list), err)
		}
	}
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
		var l lzrLine
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

// Flags of the doors that do not go together are refused before anything is opened.
func TestDoorsClosed(t *testing.T) {
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
