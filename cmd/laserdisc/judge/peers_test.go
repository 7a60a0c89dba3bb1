package judge

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"laserdisc/capture/lab"
	"laserdisc/capture/record"
	"laserdisc/datasets"
)

// Neither peer is to be had from Debian or Go's module proxy.
var (
	zgrab2 = flag.String("zgrab2", "", "run TestZGrabReads and TestForeignScanners/zgrab2 with this zgrab2")
	lzr    = flag.String("lzr", "", "run TestLZRFindsTheSame, TestForeignScanners/lzr and BenchmarkLZR with this lzr")
)

// needs skips a test whose peer is not there, and says so.
func needs(t *testing.T, path *string, variable string) {
	if *path == "" {
		absent(t, "%s is skipped: make peers %s=path runs it", t.Name(), variable)
		t.SkipNow()
	}
}

// jsonLines reads a file of JSON objects.
func jsonLines[T any](t testing.TB, path string) (lines []T) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var line T
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		lines = append(lines, line)
	}
}

// zgrabConfig has a section for each of our labels that zgrab2 has a module for.
const zgrabConfig = "../../../docs/multiple.ini"

var zgrabSection = regexp.MustCompile(`\[(\w+)\]\nname="(\w+)"\ntrigger="(\w+)"\n`)

// zgrabCannot is what zgrab2 makes nothing of, although label and port are right, and why.
var zgrabCannot = map[string]string{
	"198.18.1.4:443":  "wants a server name, of which a scan by address knows none",
	"198.18.1.14:443": "speaks ciphers that zgrab2 does not",
	"198.18.2.2:21":   "its banner is longer than zgrab2's buffer",
	"198.18.2.8:23":   "its answer is none for zgrab2's telnet",
	"198.18.3.2:3306": "refuses us, in MySQL",
	"198.18.5.5:9050": "Tor's, which is not asked to connect anywhere",
	"198.18.7.6:3001": "a serial line that says no more",
	"198.18.7.14:80":  "Modbus that answers with an exception",
	"198.18.7.14:502": "Modbus that answers with an exception",
}

// grab is what zgrab2 writes of a service.
type grab struct {
	IP   netip.Addr
	Port uint16
	Data map[string]struct {
		Status, Protocol, Error string
		Port                    uint16
		Timestamp               time.Time
	}
}

// zgrab2 reads what --feed-zgrab writes, while it is written: every service with the module that its
// label calls for. The services are real ones, on their own ports and on others.
func TestZGrabReads(t *testing.T) {
	needs(t, zgrab2, "ZGRAB2")
	config, err := os.ReadFile(zgrabConfig)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]string{} // by label
	for _, m := range zgrabSection.FindAllStringSubmatch(string(config), -1) {
		modules[m[3]] = m[1]
	}

	readable := func(v fleetService) bool { return modules[v.protocol] != "" }
	var fleet []fleetServer
	for _, s := range readFleet(t) {
		if len(s.missing()) == 0 && slices.ContainsFunc(s.services, readable) {
			fleet = append(fleet, s)
		}
	}
	w := newFleetWorld(t, fleet)
	for i := range fleet {
		w.start(t, &fleet[i])
	}
	until := time.Now().Add(startTime)
	truth := map[netip.AddrPort]string{}
	var targets strings.Builder
	for i := range fleet {
		not := w.await(t, &fleet[i], until)
		if len(not) > 0 {
			absent(t, "%s: absent: %s on %v, which does not listen", t.Name(), fleet[i].name, not)
		}
		for _, v := range fleet[i].services {
			if readable(v) && !slices.Contains(not, v.at) {
				truth[v.at] = v.protocol
				fmt.Fprintln(&targets, v.at)
			}
		}
	}

	dir := t.TempDir()
	cmd := near(t, w.process, "bash", "-o", "pipefail", "-c",
		`laserdisc scan - --open 198.18.0.0/15 --open 2001:2::/48 --handshakes all --timeout 1s --wait 3s --seed 1 --out $DIR/run --feed-zgrab |
		tee $DIR/fed | $ZGRAB2 multiple -c $CONFIG --blocklist-file /dev/null --output-file $DIR/grabs`)
	cmd.Env = append(cmd.Env, "DIR="+dir, "ZGRAB2="+*zgrab2, "CONFIG="+zgrabConfig)
	cmd.Stdin = strings.NewReader(targets.String())
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}

	grabs, first := map[string]grab{}, time.Now()
	for _, g := range jsonLines[grab](t, filepath.Join(dir, "grabs")) {
		grabs[fmt.Sprintf("%v,,%d", g.IP, g.Port)] = g
		for _, r := range g.Data {
			if r.Timestamp.Before(first) {
				first = r.Timestamp
			}
		}
	}
	fed, err := os.ReadFile(filepath.Join(dir, "fed"))
	if err != nil {
		t.Fatal(err)
	}
	read, excused := map[string]int{}, 0
	for line := range strings.Lines(string(fed)) {
		f := strings.Split(strings.TrimSpace(line), ",") // ip, domain, label, port
		port, err := strconv.ParseUint(f[3], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		at, label := netip.AddrPortFrom(netip.MustParseAddr(f[0]), uint16(port)), f[2]
		if label != truth[at] {
			continue // TestFleet's business
		}
		g, ok := grabs[f[0]+",,"+f[3]]
		r := g.Data[label]
		switch {
		case !ok || len(g.Data) != 1 || r.Port != at.Port() || r.Protocol != modules[label]:
			t.Errorf("%v is %s, and was read as %+v", at, label, g)
		case r.Status == "success":
			read[label]++
		case zgrabCannot[at.String()] == "":
			t.Errorf("%v is %s, of which zgrab2 makes nothing: %s: %s", at, label, r.Status, r.Error)
		default:
			excused++
			t.Logf("%v is %s, but %s: %s: %s", at, label, zgrabCannot[at.String()], r.Status, r.Error)
		}
		delete(truth, at)
	}
	for at, protocol := range truth {
		t.Logf("%v is not fed: its first answer was to another handshake than %s", at, protocol)
	}
	m, err := record.LoadManifest(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	early := m.End.Sub(first)
	if early < 10*time.Second {
		t.Errorf("zgrab2 read nothing until %v before the scan's end", early)
	}
	total := 0
	for _, n := range read {
		total += n
	}
	if len(read) < 10 {
		t.Errorf("%d protocols: too few to prove anything", len(read))
	}
	t.Logf("%d services of %d protocols read, %d excused, the first %v before the scan's end: %v", total, len(read), excused, early.Round(time.Second), read)
}

// lzrDiffers is what LZR says of a service (second) that is something else (first), and why.
var lzrDiffers = map[[2]string]string{
	{"reset_after_handshake", "unknown"}: "the text of a reset is nobody's data",
	{"echo", "tls"}:                      "it was LZR that said so",
	{"echo", "http"}:                     "it was LZR that said so",
	{"rdp", "siemens"}:                   "every COTP confirm is siemens",
	{"redis", "pop3"}:                    "every -ERR is pop3",
	{"unknown", "telnet"}:                "every second byte from FBh on is telnet",
	{"ftp", "smtp-ftp"}:                  "a 220 that says neither is both",
	{"smtp", "smtp-ftp"}:                 "a 220 that says neither is both",
	{"kubernetes", "tls"}:                "a name in -handshakes beats the more specific one",
	{"ipp", "http"}:                      "a name in -handshakes beats the more specific one",
	{"mongodb", "http"}:                  "a name in -handshakes beats the more specific one",
	{"ssh", "postgres"}:                  "one segment is read: S",
}

// theirLine is LZR's of a service.
type theirLine struct {
	Saddr       netip.Addr
	Sport       uint16
	Fingerprint string
	Data        string
	RST         bool
}

// silenceKernel keeps the kernel from resetting LZR's connections, until the test ends.
func silenceKernel(t testing.TB) {
	nft := func(rules string) {
		if text, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
			t.Fatalf("nft: %v\n%s", err, text)
		}
	}
	nft("add table ip lzr; add chain ip lzr out { type filter hook output priority 0; }; add rule ip lzr out tcp flags & rst == rst drop")
	t.Cleanup(func() { nft("delete table ip lzr") })
}

// zmapToLZR is a command: zmap | lzr, which writes into dir.
func zmapToLZR(t *testing.T, dir, prefix, ports, handshakes string) string {
	// Debian's ZMap 2 writes numbers from 2^31 on as negative, which LZR does not expect: newer ones do not.
	return fmt.Sprintf(`cd %s && { for port in %s; do %s || exit; done; } | perl -pe '$|=1; s/-\d+/$&+2**32/ge' |
		%s -sendInterface %s -gatewayMac %s -handshakes %s -t 3 -f lzr 2>lzr.log`,
		dir, ports, zmapTo(t, dir, prefix, "$port"), *lzr, lab.Near, gateway(t), handshakes)
}

// zmap | laserdisc, laserdisc and zmap | lzr find the same services with data. Where LZR's labels differ, the truth is on
// our side, and it is known why.
func TestLZRFindsTheSame(t *testing.T) {
	needs(t, lzr, "LZR")
	const prefix, handshakes = "198.18.0.0/18", "wait,tls,http,dns,redis"
	ports := []uint16{21, 22, 80, 443, 3389, 6379}
	listed := strings.Trim(fmt.Sprint(ports), "[]")
	dir := t.TempDir()
	zmap := fmt.Sprintf("for port in %s; do %s || exit; done", listed, zmapTo(t, dir, prefix, "$port"))
	const common = "--handshakes " + handshakes + " --timeout 4s --wait 4s --seed 5"
	inLab(t, dir, fmt.Sprintf("laserdisc scan %s --open %s --ports %s %s --out alone", prefix, labPrefix, strings.ReplaceAll(listed, " ", ","), common))
	inLab(t, dir, fmt.Sprintf("{ %s; %s; } | %s %s --out piped", guarded, zmap, fromZMap(t), common))
	silenceKernel(t)
	inLab(t, dir, zmapToLZR(t, dir, prefix, listed, handshakes))

	alone, piped := foundIn(t, filepath.Join(dir, "alone")), foundIn(t, filepath.Join(dir, "piped"))
	theirs, lines := map[netip.AddrPort]theirLine{}, jsonLines[theirLine](t, filepath.Join(dir, "lzr"))
	for _, l := range lines {
		if at := netip.AddrPortFrom(l.Saddr, l.Sport); theirs[at].Data == "" { // with window 0 there are several
			theirs[at] = l
		}
	}
	network := newLab(t)
	table, services, data, missed := confusion{}, 0, 0, 0
	for at := range network.Services(ports) {
		if !netip.MustParsePrefix(prefix).Contains(at.Addr()) {
			continue
		}
		services++
		state, label, _ := network.Expect(at, strings.Split(handshakes, ","), false)
		want := strings.TrimSpace(state + " " + label)
		if alone[at] != want || piped[at] != want {
			t.Errorf("%v is %q, alone %q, piped %q", at, want, alone[at], piped[at])
		}
		l, sends := theirs[at], state == "sends_data"
		if sends {
			data++
		} else {
			label = state
		}
		switch {
		case l.Data != "":
			table[[2]string{label, l.Fingerprint}]++
		case sends:
			missed++
		}
	}
	if len(alone) != services || len(piped) != services || len(theirs) != services || data < 1000 {
		t.Errorf("%d services, %d with data; alone %d, piped %d, LZR %d", services, data, len(alone), len(piped), len(theirs))
	}
	if missed > data/100 {
		t.Errorf("LZR heard nothing from %d of %d services with data: something is wrong with how it is run", missed, data)
	}
	wrong := 0
	for _, pair := range slices.SortedFunc(maps.Keys(table), func(x, y [2]string) int { return table[y] - table[x] }) {
		why := lzrDiffers[pair]
		switch {
		case pair[0] == pair[1]:
			continue
		case why == "" && pair[1] == "unknown":
			why = "one segment is read, and must be all ASCII or long enough"
		case why == "":
			t.Errorf("LZR says %s of %s", pair[1], pair[0])
		}
		wrong += table[pair]
		t.Logf("%5d  %-22s  LZR: %-10s %s", table[pair], pair[0], pair[1], why)
	}
	t.Logf("%d services, %d with data: laserdisc all and right, alone and from zmap; LZR missed %d, %d wrong, %d lines too many",
		services, data, missed, wrong, len(lines)-len(theirs))
}

// BenchmarkLZR gives LZR and laserdisc the same services, all of which answer, at the same rates: SYNs for LZR, whatever is
// sent for laserdisc.
func BenchmarkLZR(b *testing.B) {
	if *lzr == "" {
		b.Skip("make peers LZR=path runs it")
	}
	dir := b.TempDir()
	built(b)
	gateway := gateway(b)
	silenceKernel(b)
	network := newLab(b)
	var list strings.Builder
	data, n := 0, 0
	for at := range network.Services(datasets.PortSets()["paper"]) {
		if n++; n%4 != 0 {
			continue
		}
		fmt.Fprintln(&list, at)
		if state, _, _ := network.Expect(at, []string{"http", "tls"}, false); state == "sends_data" {
			data++
		}
	}
	for _, rate := range []string{"5000", "50000"} {
		for _, c := range []struct {
			name, list string
			argv       []string
			found      func(path string) int
		}{
			{"laserdisc", list.String(), []string{"laserdisc", "scan", "-", "--open", labPrefix, "--handshakes", "http,tls", "--rate", rate, "--out"}, func(path string) (n int) {
				for _, s := range jsonLines[serviceLine](b, filepath.Join(path, "services.jsonl")) {
					if len(s.Response) > 0 {
						n++
					}
				}
				return n
			}},
			// It wants IP;PORT, whatever its README says.
			{"LZR", strings.ReplaceAll(list.String(), ":", ";"), []string{*lzr, "-sendSYNs", "-sourceIP", "192.0.2.1", "-sendInterface", lab.Near, "-gatewayMac", gateway,
				"-handshakes", "http,tls", "-rate", rate, "-f"}, func(path string) int {
				found := map[netip.AddrPort]bool{}
				for _, l := range jsonLines[theirLine](b, path) {
					if l.Data != "" && !l.RST { // a reset's text is no service's
						found[netip.AddrPortFrom(l.Saddr, l.Sport)] = true
					}
				}
				return len(found)
			}},
		} {
			b.Run(c.name+"/"+rate, func(b *testing.B) {
				var found, seconds, cpu, memory float64
				for n := range b.N {
					stop := serveLab(b)
					out := filepath.Join(dir, fmt.Sprint(c.name, rate, n))
					cmd := exec.Command(c.argv[0], append(c.argv[1:], out)...)
					cmd.Stdin = strings.NewReader(c.list)
					start := time.Now()
					text, err := cmd.CombinedOutput()
					seconds += time.Since(start).Seconds()
					stop()
					if err != nil {
						b.Fatalf("%v: %v\n%s", cmd, err, text)
					}
					usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
					cpu += time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
					memory = max(memory, float64(usage.Maxrss)/1024)
					found += float64(c.found(out))
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(100*found/float64(b.N)/float64(data), "%-found")
				b.ReportMetric(found/seconds, "services/s")
				b.ReportMetric(found/cpu, "services/CPU-s")
				b.ReportMetric(memory, "MiB")
			})
		}
	}
}
