package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"laserdisc/capture/lab"
	"laserdisc/capture/record"
	"laserdisc/replay"
)

// benchTargets is how many SYNs each scanner sends: 16 ports of 131,072 addresses.
const benchTargets = 16 << 17

// BenchmarkSYN has laserdisc, zmap and masscan send the same number of SYNs, as fast as they can,
// into a veth pair whose far end takes no notice. laserdisc records every packet, for it knows no
// other way. The rate is read off the interface's own counter, between the first tenth of the
// packets and the last, so that start and cooldown do not count; the CPU time is the process's.
func BenchmarkSYN(b *testing.B) {
	far := farEnd(b)
	gateway := far.String()
	none := filepath.Join(b.TempDir(), "none")
	if err := os.WriteFile(none, nil, 0o644); err != nil {
		b.Fatal(err)
	}
	self := buildSelf(b)
	for _, s := range []struct {
		name string
		argv func(dir string) []string
	}{
		{"laserdisc", func(dir string) []string {
			return []string{self, "scan", labPrefix, "--open", labPrefix, "--ports", "1-16", "--rate", "0", "--cooldown", "100ms",
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

// BenchmarkServices scans the lab over the wire, and plays the record back on one worker: alone,
// and as the command does it, with the tables.
func BenchmarkServices(b *testing.B) {
	serveLab(b, newTestLab(b, -1))
	self := buildSelf(b)
	var services, packets, seconds, played, cpu, tables float64
	for n := range b.N {
		dir := filepath.Join(b.TempDir(), fmt.Sprint("run", n))
		command(b, self, "scan", labPrefix, "--open", labPrefix, "--ports", "paper", "--sample", "20%", "--rate", "200000",
			"--handshakes", "http,tls", "--seed", "1", "--cooldown", "1s", "--out", dir)
		m, err := record.LoadManifest(dir)
		if err != nil {
			b.Fatal(err)
		}
		services += float64(m.Counters.Services)
		seconds += m.End.Sub(m.Start).Seconds()
		packets += float64(m.Counters.Sent + m.Counters.Received)

		start, before := time.Now(), cpuSeconds(b)
		if r, err := replay.Run(dir, 1); err != nil || r.Difference != nil {
			b.Fatal(err, r)
		}
		played, cpu = played+time.Since(start).Seconds(), cpu+cpuSeconds(b)-before

		start = time.Now()
		command(b, self, "replay", dir, "--out", dir+"-tables", "--workers", "1")
		tables += time.Since(start).Seconds()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(services/seconds, "services/s")
	b.ReportMetric(packets/played, "playback-packets/s")
	b.ReportMetric(packets/cpu, "playback-packets/CPU-s")
	b.ReportMetric(packets/tables, "with-tables-packets/s")
}

// cpuSeconds is what this process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func command(b *testing.B, argv ...string) {
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// buildSelf returns the path of a laserdisc as users run it.
func buildSelf(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "laserdisc")
	cmd := exec.Command("go", "build", "-tags", "noasm", "-o", path, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}
