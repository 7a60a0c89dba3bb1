package judge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

// TestForeignScanners has other scanners scan the lab, tcpdump record that, and an observer tell of the capture what the lab is: as it is,
// with a file for each direction, in many files, cut, in a tunnel, and with one packet in a hundred missing.
func TestForeignScanners(t *testing.T) {
	gateway := gateway(t)
	network := newLab(t)
	dir := t.TempDir() // the scanners' own results
	for _, c := range []struct {
		name, command string
		heard         func(t *testing.T) []netip.AddrPort // services that it says it has data from; nil where that is not read
	}{
		{"nmap", "nmap -sV --version-intensity 2 -T5 -Pn -n --unprivileged -p 21,22,25,80,443 --max-retries 1 --host-timeout 60s 198.18.16.0/26", nil},
		{"masscan", "masscan 198.18.16.0/22 -p22,80 --banners --rate 2000 --wait 5 --interface " + lab.Near + " --router-mac " + gateway +
			" --source-ip 192.0.2.77 --source-port 61000", nil},
		{"zmap", "zmap --interface=" + lab.Near + " --gateway-mac=" + gateway + " --source-ip=192.0.2.1 --source-port=61000-65535 --target-port=80 --rate=5000" +
			" --blacklist-file=/dev/null --cooldown-time=2 --quiet --output-file=/dev/null 198.18.16.0/22", nil},
		{"lzr", zmapToLZR(t, dir, "198.18.16.0/21", "21 22 25 80 443 3389 6379", "wait,tls,http,dns,redis"), func(t *testing.T) (heard []netip.AddrPort) {
			for _, l := range jsonLines[theirLine](t, filepath.Join(dir, "lzr")) {
				if l.Data != "" && !l.RST { // a reset's text is no service's
					heard = append(heard, netip.AddrPortFrom(l.Saddr, l.Sport))
				}
			}
			return heard
		}},
		{"zgrab2", zgrabEach(dir, "198.18.16.0/22"), func(t *testing.T) (heard []netip.AddrPort) {
			for _, g := range jsonLines[grab](t, filepath.Join(dir, "zgrab2")) {
				for _, r := range g.Data {
					if r.Status == "success" {
						heard = append(heard, netip.AddrPortFrom(g.IP, r.Port))
					}
				}
			}
			return heard
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch c.name {
			case "lzr":
				needs(t, lzr, "LZR")
				silenceKernel(t)
			case "zgrab2":
				needs(t, zgrab2, "ZGRAB2")
			default:
				if _, err := exec.LookPath(c.name); err != nil {
					absent(t, "%s is skipped: there is no %s", t.Name(), c.name)
					t.SkipNow()
				}
			}
			capture := filepath.Join(t.TempDir(), "a.pcap")
			recordTraffic(t, capture, c.command)
			frames := readFrames(t, capture)
			whole := observeFrames(t, frames)
			judgeByLab(t, network, whole)
			if c.heard != nil {
				judgeByScanner(t, c.heard(t), whole)
			}
			judgeVariants(t, frames, whole)
		})
	}
}

// zgrabEach is a command: zgrab2's modules one after the other, each on its port, which write into dir.
func zgrabEach(dir, prefix string) string {
	return fmt.Sprintf(`cd %s && for module in ftp:21 ssh:22 smtp:25 http:80 tls:443 mysql:3306 rdp:3389 redis:6379; do
		echo %s | %s ${module%%:*} --port ${module#*:} --connect-timeout 2s --target-timeout 8s --blocklist-file /dev/null 2>>zgrab2.log || exit; done >zgrab2`,
		dir, prefix, *zgrab2)
}

// recordTraffic has tcpdump record what a command does to the lab.
func recordTraffic(t *testing.T, path, command string) {
	dump := exec.Command("tcpdump", "-i", lab.Near, "-n", "-U", "-B", "65536", "-w", path, "-Z", "root", "tcp or icmp")
	if err := dump.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() >= 24 {
			break
		}
	}
	stop := serveLab(t)
	out, err := exec.Command("bash", "-o", "pipefail", "-c", command).CombinedOutput()
	stop()
	time.Sleep(500 * time.Millisecond)
	if e := dump.Process.Signal(os.Interrupt); e != nil {
		t.Fatal(e)
	}
	if e := dump.Wait(); e != nil {
		t.Logf("tcpdump: %v", e)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func readFrames(t *testing.T, path string) (frames []record.Frame) {
	c, err := record.OpenCapture(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		more, err := c.Next()
		if err != nil {
			return frames
		}
		for _, f := range more {
			f.Data = bytes.Clone(f.Data)
			frames = append(frames, f)
		}
	}
}

// finding is what an observer says of a service.
type finding struct{ state, label string }

// observeFrames observes captures that have these frames, one each.
func observeFrames(t *testing.T, captures ...[]record.Frame) map[netip.AddrPort]finding {
	var paths []string
	for i, frames := range captures {
		var b bytes.Buffer
		w, err := record.NewCaptureWriter(&b, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range frames {
			if err := w.Packet(&frames[j]); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".pcapng"))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	sums := map[netip.AddrPort]*session.Summary{}
	rows := attemptRows(func(a *session.Attempt) {
		if sums[a.Service] == nil {
			sums[a.Service] = &session.Summary{}
		}
		sums[a.Service].Add(a.Clone())
	})
	r, err := replay.Observe(t.Context(), paths, replay.Options{Workers: 1}, func(int) replay.Rows { return rows })
	if err != nil || r.Damage != nil || len(r.Skipped) > 0 {
		t.Fatal(err, r)
	}
	found := map[netip.AddrPort]finding{}
	for at, sum := range sums {
		if s, ok := sum.Service(); ok {
			found[at] = finding{s.State.String(), s.Label}
			if s.Evidence == handshake.Weak {
				found[at] = finding{s.State.String(), s.Label + ", weak"}
			}
		}
	}
	return found
}

// partsMislead is what a scanner that hangs up after the first segment leaves of a service (truth, finding), and why that says something else.
var partsMislead = map[[2]string]string{
	{"ssh", "postgres, weak"}: "S, the first byte of a server that sends one at a time, is an answer to SSLRequest, too",
}

// judgeByLab compares what was found with what the lab is. What sends data says what it is, or what nobody can tell.
func judgeByLab(t *testing.T, network *lab.Network, found map[netip.AddrPort]finding) {
	table := map[string]int{}
	for at, f := range found {
		truth, ok := network.At(at)
		if !ok {
			t.Errorf("%v is found, and is none", at)
			continue
		}
		table[strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", truth.Behaviour, truth.Label, f.state, f.label))]++
		label, _, _ := strings.Cut(f.label, ",")
		if why := partsMislead[[2]string{truth.Label, f.label}]; why != "" && f.state == "sends_data" {
			t.Logf("%v is %s, and seems %s: %s", at, truth.Label, f.label, why)
			continue
		}
		if f.state == "sends_data" && (truth.Behaviour != "serves" || label != handshake.Unknown && label != handshake.Echo && label != truth.Label) {
			t.Errorf("%v is %s %s, and seems %s %s", at, truth.Behaviour, truth.Label, f.state, f.label)
		}
	}
	t.Logf("%d services, what they are and what they seem:", len(found))
	for _, line := range slices.Sorted(maps.Keys(table)) {
		t.Logf("%6d %s", table[line], line)
	}
	if len(found) < 20 {
		t.Errorf("%d services: too few to prove anything", len(found))
	}
}

// judgeByScanner compares what was found with what the scanner itself has data from.
func judgeByScanner(t *testing.T, heard []netip.AddrPort, found map[netip.AddrPort]finding) {
	for _, at := range heard {
		if found[at].state != "sends_data" {
			t.Errorf("%v sent the scanner data, and seems %v", at, found[at])
		}
	}
	t.Logf("the scanner has data from %d services", len(heard))
	if len(heard) < 20 {
		t.Errorf("%d services sent the scanner data: too few to prove anything", len(heard))
	}
}

// judgeVariants observes the same packets in other shapes.
func judgeVariants(t *testing.T, frames []record.Frame, whole map[netip.AddrPort]finding) {
	parts := func(n int, which func(i int, f *record.Frame) int) [][]record.Frame {
		list := make([][]record.Frame, n)
		for i := range frames {
			w := which(i, &frames[i])
			list[w] = append(list[w], frames[i])
		}
		return list
	}
	each := func(change func(record.Frame) record.Frame) [][]record.Frame {
		list := make([]record.Frame, len(frames))
		for i := range frames {
			list[i] = change(frames[i])
		}
		return [][]record.Frame{list}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, v := range []struct {
		name     string
		captures [][]record.Frame
	}{
		{"a file for each direction", parts(2, func(_ int, f *record.Frame) int {
			var s packet.Segment
			if s.DecodeCut(f.LinkType, f.Data) == nil && s.Src.Addr().As16()[12] == 198 {
				return 0
			}
			return 1
		})},
		{"rotated", parts(20, func(i int, _ *record.Frame) int { return i * 20 / len(frames) })},
		{"in VXLAN", each(inVXLAN)},
		{"cut to 128 bytes", each(func(f record.Frame) record.Frame { f.Data = f.Data[:min(128, len(f.Data))]; return f })},
		{"1 % lost", parts(2, func(int, *record.Frame) int { return min(random.IntN(100), 1) })[1:]},
	} {
		got := observeFrames(t, v.captures...)
		states, labels := 0, 0
		var example string
		for at, f := range whole {
			if got[at].state != f.state {
				states++
				example = fmt.Sprintf("%v is %v, not %v", at, got[at], f)
			} else if got[at].label != f.label {
				labels++
				if example == "" {
					example = fmt.Sprintf("%v is %v, not %v", at, got[at], f)
				}
			}
		}
		t.Logf("%s: of %d services %d have another state, %d another label; %d more; %s", v.name, len(whole), states, labels, len(got)-len(whole), example)
		switch {
		case v.name == "1 % lost":
			if states > len(whole)/20 {
				t.Errorf("%s: %d states differ", v.name, states)
			}
		case states > 0 || labels > 0 && v.name != "cut to 128 bytes" || len(got) != len(whole):
			t.Errorf("%s: %d states and %d labels differ", v.name, states, labels)
		}
	}
}

// inVXLAN puts a frame into a tunnel (RFC 7348).
func inVXLAN(f record.Frame) record.Frame {
	n := len(f.Data)
	b := make([]byte, 0, 50+n)
	b = append(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(36+n))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 201, 192, 0, 2, 202)
	b = binary.BigEndian.AppendUint16(b, 50000)
	b = binary.BigEndian.AppendUint16(b, 4789)
	b = binary.BigEndian.AppendUint16(b, uint16(16+n))
	b = append(b, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0)
	f.Data = slices.Concat(b, f.Data)
	f.Length += 50
	return f
}
