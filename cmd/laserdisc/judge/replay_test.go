package judge

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"laserdisc/capture/record"
)

var (
	replayDir   = flag.String("replay", "", "run BenchmarkReplay, with its records and its table in this directory")
	replayScale = flag.Float64("replay-scale", 1, "size of BenchmarkReplay's records, of what they should be: 0.01 tries it out")
)

// replayRounds is how often each program reads each record.
const replayRounds = 3

// The records' names.
const (
	sweep        = "sweep"
	quarterSweep = "sweep-quarter"
	sessions     = "sessions"
)

// The programs' names, as the table has them.
const (
	reading  = "dd bs=1M"
	tcpdump  = "tcpdump -w /dev/null"
	decoding = "gopacket"
	tshark   = "tshark"
	playback = "laserdisc replay RUN"
	observed = "laserdisc replay FILE"
)

// recording is a scan of the lab in memory that is recorded, in one file of packets, so that every program reads the same.
type recording struct {
	name    string
	atLeast float64 // packets, at scale 1
	percent float64 // of the targets that are scanned, at scale 1
	scan    string  // the scan's other arguments

	// Valid only after make.
	dir      string
	manifest *record.Manifest
	bytes    int64 // of the file of packets
}

// recordings are the demo's scan of all ports with four times its sample, the same as the demo has it, and a scan of services
// that all say something.
func recordings() []*recording {
	const all = "--lab paper-shape --ports all --rate 150000 --timeout 2s"
	return []*recording{
		{name: sweep, atLeast: 20e6, percent: 0.2, scan: all},
		{name: quarterSweep, atLeast: 5e6, percent: 0.05, scan: all},
		{name: sessions, atLeast: 5e6, percent: 100, scan: "--lab testdata/dense.json --ports 22,80,25,443,21,6379 --rate 100000" +
			" --timeout 2s --wait 1s --handshakes wait,http,tls,redis"},
	}
}

// make records, unless that was done before by the same command line.
func (r *recording) make(b *testing.B) {
	r.dir = filepath.Join(*replayDir, r.name)
	percent := strconv.FormatFloat(math.Round(r.percent**replayScale*1e9)/1e9, 'f', -1, 64)
	args := append([]string{"scan", labPrefix, "--open", labPrefix}, strings.Fields(r.scan)...)
	args = append(args, "--sample", percent+"%", "--seed", "1", "--chunk", "1TiB", "--out", r.dir)
	m, err := record.LoadManifest(r.dir)
	if err != nil || m.End.IsZero() || m.Interrupted || !slices.Equal(m.Arguments[1:], args) {
		fmt.Fprintln(os.Stderr, "laserdisc", strings.Join(args, " "))
		if err := os.RemoveAll(r.dir); err != nil {
			b.Fatal(err)
		}
		laserdisc(b, args...)
		if m, err = record.LoadManifest(r.dir); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(r.file())
	if err != nil {
		b.Fatal(err)
	}
	r.manifest, r.bytes = m, info.Size()
	if float64(r.packets()) < r.atLeast**replayScale {
		b.Fatalf("%s: %d packets: too few", r.dir, r.packets())
	}
}

func (r *recording) file() string { return record.Packets(r.dir) }

func (r *recording) packets() uint64 { return r.manifest.Counters.Sent + r.manifest.Counters.Received }

// String says what packets these are.
func (r *recording) String() string {
	c := &r.manifest.Counters
	percent := func(n uint64) float64 { return 100 * float64(n) / float64(r.packets()) }
	return fmt.Sprintf("%s: %.2f million packets of %d services, %.2f GB. %.0f %% are SYNs sent, %.0f %% refusals received (RST, ICMP), %.1f %% carry data. `%s`",
		r.name, float64(r.packets())/1e6, c.Services, float64(r.bytes)/1e9,
		percent(c.SentSYN), percent(c.ReceivedRST+c.ReceivedICMP), percent(c.SentPayload+c.ReceivedPayload), r.scan)
}

// reader is a program that reads a record on some cores.
type reader struct {
	record  *recording
	program string
	work    string // what it does
	cores   int
	packets uint64 // that it reads
	argv    []string
	counts  bool // whether it prints how many packets it read, and the same at each run

	runs []run // one more after each measure
}

// run is what one run took.
type run struct {
	seconds float64 // by the clock
	cpu     float64 // seconds, user and system, of all threads
	peak    float64 // of resident memory, MiB. The kernel counts the benchmark's own, of which the child was a copy at first
	output  string  // of a program that counts
}

// readers are all programs that read a record, in the order of the table.
func readers(b *testing.B, r *recording, gopacket string) []*reader {
	tables := filepath.Join(*replayDir, "tables")
	hundredth := filepath.Join(*replayDir, "hundredth.pcapng")
	cut := exec.Command("editcap", "-r", r.file(), hundredth, fmt.Sprintf("1-%d", r.packets()/100))
	if out, err := cut.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", cut, err, out)
	}
	all := []*reader{
		{program: reading, work: "reads the bytes", cores: 1, argv: []string{"dd", "if=" + r.file(), "of=/dev/null", "bs=1M", "status=none"}},
		{program: tcpdump, work: "copies each packet", cores: 1, argv: []string{"tcpdump", "-r", r.file(), "-w", "/dev/null"}},
		{program: decoding, work: "decodes each packet", cores: 1, argv: []string{gopacket, r.file()}, counts: true},
		{program: tshark, work: "dissects the first hundredth, start included", cores: 1, packets: r.packets() / 100,
			argv: []string{"tshark", "-n", "-r", hundredth}},
	}
	for cores := 1; cores <= 2; cores++ {
		all = append(all, &reader{program: playback, work: "plays back, compares, writes tables", cores: cores, counts: true,
			argv: []string{"laserdisc", "replay", r.dir, "--workers", strconv.Itoa(cores), "--out", tables}})
	}
	for cores := 1; cores <= 2 && r.name == quarterSweep; cores++ {
		all = append(all, &reader{program: observed, work: "follows connections, writes tables", cores: cores, counts: true,
			argv: []string{"laserdisc", "replay", r.file(), "--workers", strconv.Itoa(cores), "--out", tables}})
	}
	for _, p := range all {
		p.record, p.packets = r, cmp.Or(p.packets, r.packets())
	}
	return all
}

// measure runs the program once more, and holds its output to that of the run before.
func (p *reader) measure(b *testing.B, cpus []string) {
	var output strings.Builder
	var stdout io.Writer // nil is /dev/null: what tshark prints would be memory of this process, and so of every child's peak
	if p.counts {
		stdout = &output
	}
	this := execute(b, stdout, cpus[:p.cores], p.argv...)
	this.output = output.String()
	if err := os.RemoveAll(filepath.Join(*replayDir, "tables")); err != nil {
		b.Fatal(err)
	}
	if p.counts {
		var n uint64
		if _, err := fmt.Sscanf(this.output, "%d packets", &n); err != nil || n != p.packets {
			b.Fatalf("%v: not all of %d packets:\n%s", p.argv, p.packets, this.output)
		}
		if len(p.runs) > 0 && this.output != p.runs[0].output {
			b.Fatalf("%v: this run and the first differ:\n%s%s", p.argv, this.output, p.runs[0].output)
		}
	}
	p.runs = append(p.runs, this)
	fmt.Fprintf(os.Stderr, "%-14s %-22s cores: %d %8.2f s %6.0f MiB\n", p.record.name, p.program, p.cores, this.seconds, this.peak)
}

// execute runs a program to its end on these processors alone.
func execute(b *testing.B, stdout io.Writer, cpus []string, argv ...string) run {
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strings.Join(cpus, ",")}, argv...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", len(cpus)))
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	seconds := time.Since(start).Seconds()
	if err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, stderr.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return run{
		seconds: seconds,
		cpu:     time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds(),
		peak:    float64(usage.Maxrss) / 1024,
	}
}

// sorted are the runs' values of something, the least first.
func (p *reader) sorted(value func(run) float64) []float64 {
	var all []float64
	for _, r := range p.runs {
		all = append(all, value(r))
	}
	slices.Sort(all)
	return all
}

func (p *reader) seconds() (best, median float64) {
	s := p.sorted(func(r run) float64 { return r.seconds })
	return s[0], s[len(s)/2]
}

func (p *reader) cpu() (median float64) {
	s := p.sorted(func(r run) float64 { return r.cpu })
	return s[len(s)/2]
}

func (p *reader) peak() (most float64) {
	s := p.sorted(func(r run) float64 { return r.peak })
	return s[len(s)-1]
}

// rate is of the median, packets a second.
func (p *reader) rate() float64 {
	_, median := p.seconds()
	return float64(p.packets) / median
}

// comparison is what was measured, in the order of the table.
type comparison []*reader

// of finds a program's row.
func (c comparison) of(record, program string, cores int) *reader {
	return c[slices.IndexFunc(c, func(p *reader) bool {
		return p.record.name == record && p.program == program && p.cores == cores
	})]
}

// ofTCPDump is a program's rate, of tcpdump's over the same file.
func (c comparison) ofTCPDump(p *reader) float64 {
	return p.rate() / c.of(p.record.name, tcpdump, 1).rate()
}

// peak is the most memory that playing a record back took, on any number of cores.
func (c comparison) peak(record string) float64 {
	return max(c.of(record, playback, 1).peak(), c.of(record, playback, 2).peak())
}

// slowest is the least that a program of ours has of tcpdump's rate, and where.
func (c comparison) slowest(program string) (least float64, where string) {
	least = math.Inf(1)
	for _, p := range c {
		if share := c.ofTCPDump(p); p.program == program && share < least {
			least, where = share, fmt.Sprintf("%s, cores: %d", p.record.name, p.cores)
		}
	}
	return least, where
}

// table is all rows in Markdown.
func (c comparison) table() string {
	var t strings.Builder
	t.WriteString("| packets | program | what it does | cores | s, best | s, median | M packets/s, median | × tcpdump | CPU s | peak MiB |\n")
	t.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, p := range c {
		best, median := p.seconds()
		fmt.Fprintf(&t, "| %s | %s | %s | %d | %.2f | %.2f | %.3g | %.2g | %.2f | %.0f |\n",
			p.record.name, p.program, p.work, p.cores, best, median, p.rate()/1e6, c.ofTCPDump(p), p.cpu(), p.peak())
	}
	return t.String()
}

// targets says of each target whether it is reached, in Markdown. What is the same memory, nobody said: a tenth more is.
func (c comparison) targets() string {
	const gib, sameMemory = 1024, 1.1
	one, two, dense := c.of(sweep, playback, 1), c.of(sweep, playback, 2), c.of(sessions, playback, 1)
	slowest, where := c.slowest(playback)
	slowestObserved, whereObserved := c.slowest(observed)
	large, small := c.peak(sweep), c.peak(quarterSweep)

	var t strings.Builder
	t.WriteString("| target, tables written | measured | |\n| --- | --- | --- |\n")
	for _, target := range []struct {
		name, measured string
		reached        bool
	}{
		{"sweep, one core: at least 3 M packets/s", fmt.Sprintf("%.2f", one.rate()/1e6), one.rate() >= 3e6},
		{"sweep, two cores: at least 1.8 times one core", fmt.Sprintf("%.2f", two.rate()/one.rate()), two.rate() >= 1.8*one.rate()},
		{"sessions, one core: at least 1 M packets/s", fmt.Sprintf("%.2f", dense.rate()/1e6), dense.rate() >= 1e6},
		{"played back never slower than a quarter of tcpdump", fmt.Sprintf("%.2f (%s)", slowest, where), slowest >= 0.25},
		{"observed never slower than a quarter of tcpdump", fmt.Sprintf("%.2f (%s)", slowestObserved, whereObserved), slowestObserved >= 0.25},
		{"sweep: peak memory under 1 GiB", fmt.Sprintf("%.0f MiB", large), large < gib},
		{"the same at a quarter of it: within 10 %", fmt.Sprintf("%.0f MiB, and %.0f", small, large), large <= sameMemory*small && small <= sameMemory*large},
		{"sessions: peak memory under 1 GiB", fmt.Sprintf("%.0f MiB", c.peak(sessions)), c.peak(sessions) < gib},
	} {
		reached := "reached"
		if !target.reached {
			reached = "**not reached**"
		}
		fmt.Fprintf(&t, "| %s | %s | %s |\n", target.name, target.measured, reached)
	}
	return t.String()
}

// processors are the numbers of those that this process may run on.
func processors(b *testing.B) (numbers []string) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		b.Fatal(err)
	}
	for n := range 8 * int(unsafe.Sizeof(set)) {
		if set.IsSet(n) {
			numbers = append(numbers, strconv.Itoa(n))
		}
	}
	return numbers
}

// machine says what it runs on, and what else did at the start.
func machine(b *testing.B, cores int) string {
	model := "unknown processor" // of a kind whose cpuinfo has no such line
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%s, %d cores, load average %s", model, cores, strings.Fields(string(load))[0])
}

// BenchmarkReplay puts playback, with its tables written, beside other programs that read the same records, in turn, each on
// so many processors and no other: what it costs, and what is reached of what issue 8 wants. One iteration has all rounds.
func BenchmarkReplay(b *testing.B) {
	if *replayDir == "" {
		b.Skip("make bench-replay runs it")
	}
	built(b)
	gopacket := filepath.Join(b.TempDir(), "gopacket")
	if out, err := exec.Command("go", "build", "-tags", "noasm", "-o", gopacket, "testdata/gopacket/main.go").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	cpus := processors(b)
	if len(cpus) < 2 {
		b.Fatalf("%d processor: two are wanted", len(cpus))
	}
	if err := os.MkdirAll(*replayDir, 0o755); err != nil {
		b.Fatal(err)
	}

	var page strings.Builder
	fmt.Fprintf(&page, "%s: %s; %s, scale %g, %d runs of each in turn.\n\n", time.Now().Format(time.DateOnly), machine(b, len(cpus)),
		runtime.Version(), *replayScale, replayRounds)
	records := recordings()
	for _, r := range records {
		r.make(b)
		fmt.Fprintf(&page, "- %v\n", r)
	}
	unix.Sync() // what was recorded is not written back while others are measured

	var all comparison
	for _, r := range records {
		programs := readers(b, r, gopacket)
		execute(b, nil, cpus[:1], programs[0].argv...) // the file is in memory from now on
		for range replayRounds {
			for _, p := range programs {
				p.measure(b, cpus)
			}
		}
		all = append(all, programs...)
	}
	least := execute(b, nil, cpus[:1], "true").peak
	fmt.Fprintf(&page, "\n%s\nNo peak is shown that is below the benchmark's own, %.0f MiB.\n\n%s", all.table(), least, all.targets())
	if err := os.WriteFile(filepath.Join(*replayDir, "table.md"), []byte(page.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range []string{sweep, sessions} {
		b.ReportMetric(all.of(name, playback, 1).rate(), name+"-packets/s")
	}
}
