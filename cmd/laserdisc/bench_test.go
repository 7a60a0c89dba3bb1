package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

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
		r, err := replay.Run(b.Context(), dir, replay.Options{Workers: 1}, func(int) replay.Rows { return nowhere{} })
		if err != nil || r.Difference != nil {
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

// nowhere is where rows go that nobody wants.
type nowhere struct{}

func (nowhere) Attempt(*session.Attempt) error { return nil }
func (nowhere) Service(*session.Service) error { return nil }
func (nowhere) Resumed([]netip.AddrPort)       {}
