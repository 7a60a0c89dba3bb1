package judge

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"laserdisc/capture/lab"
	"laserdisc/capture/session"
)

// inLab runs a shell command in dir, against a lab of its own: a host that was scanned before may shun who scans again.
func inLab(t *testing.T, dir, command string) {
	built(t)
	defer serveLab(t)()
	cmd := exec.Command("bash", "-o", "pipefail", "-c", command)
	cmd.Dir = dir
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
		" --output-filter='success = 1 && repeat = 0' %s 2>>zmap.log", lab.Near, gateway(t), port, prefix)
}

// fromZMap is a command that reads what zmapTo writes.
func fromZMap(t testing.TB) string {
	return fmt.Sprintf("laserdisc scan --from zmap --interface %s --gateway-mac %s --source-ip 192.0.2.1", lab.Near, gateway(t))
}

// guarded waits until laserdisc keeps the kernel from resetting what zmap is answered (at most five seconds): of two programs
// that are started at once, either may be first.
const guarded = "for i in $(seq 100); do nft list tables | grep -q laserdisc && break; sleep 0.05; done"

// TestFromZMap has zmap | laserdisc find the services that laserdisc finds alone, in the same states, with the same labels.
func TestFromZMap(t *testing.T) {
	// Debian's ZMap hands a SYN-ACK over about a second late. A server whose handshake is dropped repeats it after 1 and 3 s: with
	// a wait of 2 s the second repetition would come at the very end of what is waited for.
	const prefix, common = "198.18.16.0/20", "--timeout 4s --wait 4s --seed 5"
	dir := t.TempDir()
	inLab(t, dir, fmt.Sprintf("laserdisc scan %s --open %s --ports 80 --rate 3000 %s --out alone", prefix, labPrefix, common))
	inLab(t, dir, fmt.Sprintf("{ %s; %s; } | %s %s --out piped", guarded, zmapTo(t, dir, prefix, "80"), fromZMap(t), common))
	alone, piped := foundIn(t, filepath.Join(dir, "alone")), foundIn(t, filepath.Join(dir, "piped"))
	var exit *exec.ExitError
	if err := exec.Command("laserdisc", "scan", "--resume", filepath.Join(dir, "piped")).Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("--resume of what came through a pipe: %v", err)
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
	for _, s := range jsonLines[serviceLine](t, filepath.Join(dir, "services.jsonl")) {
		found[netip.AddrPortFrom(s.Addr, s.Port)] = strings.TrimSpace(s.State.String() + " " + s.Label)
	}
	return found
}

// serviceLine is what is read of a line of services.jsonl.
type serviceLine struct {
	Addr     netip.Addr
	Port     uint16
	State    session.State
	Label    string
	Response []byte
}

// TestZMapFindsTheSame has zmap find the same services on the lab as laserdisc: the same SYN-ACKs.
func TestZMapFindsTheSame(t *testing.T) {
	defer serveLab(t)()
	const prefix, port = "198.18.16.0/20", 80
	dir := t.TempDir()
	none, out := filepath.Join(dir, "none"), filepath.Join(dir, "zmap")
	if err := os.WriteFile(none, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("zmap", "--interface="+lab.Near, "--gateway-mac="+gateway(t), "--source-ip=192.0.2.1",
		"--target-port="+strconv.Itoa(port), "--rate=5000", "--blacklist-file="+none, "--cooldown-time=3", "--quiet",
		"--output-fields=saddr", "--output-filter=success = 1 && repeat = 0", "--output-module=csv", "--output-file="+out, prefix)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Fields(string(text))
	theirs = slices.DeleteFunc(theirs, func(line string) bool { return line == "saddr" })
	slices.Sort(theirs)

	run := filepath.Join(dir, "run")
	laserdisc(t, "scan", prefix, "--open", labPrefix, "--ports", strconv.Itoa(port), "--rate", "5000", "--handshakes", "http", "--out", run)
	ours := []string{}
	for at := range foundIn(t, run) {
		ours = append(ours, at.Addr().String())
	}
	slices.Sort(ours)
	if !slices.Equal(ours, theirs) {
		t.Errorf("laserdisc found %d, zmap %d", len(ours), len(theirs))
	}
	if len(ours) < 50 {
		t.Errorf("%d services: too few to prove anything", len(ours))
	}
	t.Logf("%d services, found by both", len(ours))
}

// benchTargets is how many SYNs each scanner sends: 16 ports of 131,072 addresses.
const benchTargets = 16 << 17

// BenchmarkSYN has laserdisc, zmap and masscan send the same number of SYNs, as fast as they can,
// into a veth pair whose far end takes no notice. laserdisc records every packet, for it knows no
// other way. The rate is read off the interface's own counter, between the first tenth of the
// packets and the last, so that start and cooldown do not count; the CPU time is the process's.
func BenchmarkSYN(b *testing.B) {
	built(b)
	gateway := gateway(b)
	none := filepath.Join(b.TempDir(), "none")
	if err := os.WriteFile(none, nil, 0o644); err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name string
		argv func(dir string) []string
	}{
		{"laserdisc", func(dir string) []string {
			return []string{"laserdisc", "scan", labPrefix, "--open", labPrefix, "--ports", "1-16", "--rate", "0", "--cooldown", "100ms",
				"--gateway-mac", gateway, "--seed", "1", "--out", dir}
		}},
		{"zmap", func(dir string) []string {
			return []string{"zmap", "--interface=" + lab.Near, "--gateway-mac=" + gateway, "--source-ip=192.0.2.1", "--target-port=80",
				"--bandwidth=10G", "--blacklist-file=" + none, "--probes=16", "--cooldown-time=1", "--output-file=" + dir, "--seed=1", "--quiet", labPrefix}
		}},
		{"masscan", func(dir string) []string {
			return []string{"masscan", labPrefix, "-p1-16", "--rate=10000000", "--interface", lab.Near, "--router-mac", gateway,
				"--source-ip", "192.0.2.1", "--source-port", "61000", "--wait", "1", "--output-format", "list", "--output-filename", dir}
		}},
	} {
		b.Run(s.name, func(b *testing.B) {
			var rate, cpu float64
			for n := range b.N {
				dir := filepath.Join(b.TempDir(), fmt.Sprint("run", n))
				r, c := sendRate(b, s.argv(dir))
				rate, cpu = rate+r, cpu+c
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate/float64(b.N), "SYN/s")
			b.ReportMetric(cpu/float64(b.N)/benchTargets*1e6, "CPU-s/M-SYN")
		})
	}
}

// sendRate runs a scanner and returns the packets per second that the interface sent, and the
// CPU seconds of the process.
func sendRate(b *testing.B, argv []string) (perSecond, cpu float64) {
	type sample struct {
		at      time.Time
		packets uint64
	}
	device, err := netlink.LinkByName(lab.Near)
	if err != nil {
		b.Fatal(err)
	}
	before := device.Attrs().Statistics.TxPackets
	cmd := exec.Command(argv[0], argv[1:]...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var samples []sample
	for ticker := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ticker.C:
			if device, err = netlink.LinkByName(lab.Near); err != nil {
				b.Fatal(err)
			}
			samples = append(samples, sample{time.Now(), device.Attrs().Statistics.TxPackets - before})
			continue
		case err = <-done:
		}
		break
	}
	if err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, output.String())
	}
	total := samples[len(samples)-1].packets
	if total < benchTargets*99/100 {
		b.Fatalf("%v sent %d packets, not %d\n%s", argv, total, benchTargets, output.String())
	}
	var first, last sample
	for _, s := range samples {
		if first.packets == 0 && s.packets >= total/10 {
			first = s
		}
		if s.packets <= total*9/10 {
			last = s
		}
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	return float64(last.packets-first.packets) / last.at.Sub(first.at).Seconds(), cpu
}
