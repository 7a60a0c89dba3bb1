package judge

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

var (
	reportDir      = flag.String("report", "", "run BenchmarkReport, with its dataset in this directory")
	reportAttempts = flag.Uint64("report-attempts", 10e6, "attempts in BenchmarkReport's dataset")
	duckdbModules  = flag.String("duckdb", "", "directory where npm has installed @duckdb/node-api")
)

// reportDataset is the dataset of BenchmarkReport.
func reportDataset() string {
	return filepath.Join(*reportDir, fmt.Sprintf("dataset-%d", *reportAttempts))
}

// TestReportDataset makes the dataset of BenchmarkReport, in a process of its own: a child's memory is counted from that of its
// parent.
func TestReportDataset(t *testing.T) {
	if *reportDir == "" {
		t.Skip("make bench-analysis runs it")
	}
	for dir, attempts := range map[string]uint64{reportDataset(): *reportAttempts, fewDataset(): 1000} {
		if !analysis.IsDataset(dir) {
			if err := makeDataset(t, dir, attempts); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fewDataset is where one is whose report takes no longer than the drawing of it.
func fewDataset() string { return filepath.Join(*reportDir, "dataset-1000") }

// grouped is what testdata/group.mjs prints.
type grouped struct {
	Tables map[string]struct {
		Of      string
		Rows    int
		Seconds float64 // of CPU
	}
	Sums map[string]int
}

// BenchmarkReport draws a report of ten million attempts, on one core, beside DuckDB, which groups in SQL, on one thread, what
// the report's folds count. CPU seconds are compared: they vary less with what else the machine does.
func BenchmarkReport(b *testing.B) {
	if *reportDir == "" {
		b.Skip("make bench-analysis runs it")
	}
	dataset := reportDataset()
	built(b)
	one := processors(b)[:1]
	group := func(argv ...string) (g grouped, r run) {
		var printed bytes.Buffer
		r = execute(b, &printed, one, append([]string{"node", "testdata/group.mjs", *duckdbModules, dataset}, argv...)...)
		if err := json.Unmarshal(printed.Bytes(), &g); err != nil {
			b.Fatalf("%v: %s", err, &printed)
		}
		return g, r
	}
	ours, drawing, theirs := math.Inf(1), math.Inf(1), math.Inf(1) // seconds, the best of all
	var tables grouped
	for b.Loop() {
		tell := func(what string, r run) {
			fmt.Fprintf(os.Stderr, "%-36s %6.2f s, CPU %6.2f s, %5.0f MiB\n", what, r.seconds, r.cpu, r.peak)
		}
		few := execute(b, nil, one, "laserdisc", "report", fewDataset(), "--out", filepath.Join(*reportDir, "out"))
		tell("laserdisc report of 1,000 attempts:", few)
		report := execute(b, nil, one, "laserdisc", "report", dataset, "--out", filepath.Join(*reportDir, "out"))
		tell("laserdisc report, drawing included:", report)
		var grouping run
		tables, grouping = group()
		tell("DuckDB, threads = 1, start included:", grouping)
		ours, drawing, theirs = min(ours, report.cpu), min(drawing, few.cpu), min(theirs, grouping.cpu)
	}
	drawn, err := filepath.Glob(filepath.Join(*reportDir, "out", "*.csv"))
	if err != nil {
		b.Fatal(err)
	}
	for i := range drawn {
		drawn[i] = strings.TrimSuffix(filepath.Base(drawn[i]), ".csv")
	}
	fmt.Fprintf(os.Stderr, "the report has %d exhibits: %s\n", len(drawn), strings.Join(drawn, " "))
	fmt.Fprintln(os.Stderr, "what DuckDB grouped, with rows and CPU seconds of the last run:")
	for _, name := range slices.Sorted(maps.Keys(tables.Tables)) {
		t := tables.Tables[name]
		fmt.Fprintf(os.Stderr, "  %-14s %9d %6.2f  %s\n", name, t.Rows, t.Seconds, t.Of)
	}
	got, _ := group("sum")
	want := counts(b, dataset)
	for name, n := range want {
		if sum, is := got.Sums[name]; !is || sum != n {
			b.Errorf("%s: the folds count %d, DuckDB %d", name, n, sum)
		}
	}
	if len(got.Sums) != len(want) {
		b.Errorf("DuckDB counts %v, the folds %v", got.Sums, want)
	}
	fmt.Fprintf(os.Stderr, "both count %v\n", want)
	b.ReportMetric(ours/theirs, "×DuckDB")
	b.ReportMetric((ours-drawing)/theirs, "×DuckDB,without-drawing")
}

// counts is what the folds of a report count, added up.
func counts(b *testing.B, dataset string) map[string]int {
	d, err := analysis.Open(dataset)
	if err != nil {
		b.Fatal(err)
	}
	census, allPorts, connections, curves := new(analysis.Census), new(analysis.AllPorts), new(analysis.Connections), new(analysis.Curves)
	inventory, answers, contents := new(analysis.Inventory), analysis.NewAnswers(time.Second), analysis.NewContents(estimate.ByHost)
	var every []uint16
	for port := range 1<<16 - 1 {
		every = append(every, uint16(port+1))
	}
	trials := analysis.NewTrials(analysis.Counting{Ports: every, Expected: true}, analysis.Counting{Ports: datasets.Assigned(), Own: true, ByPort: true})
	if err := d.Fold(b.Context(), census, allPorts, connections, curves, inventory, answers, contents, trials); err != nil {
		b.Fatal(err)
	}
	sums := map[string]int{"kinds": len(census.Kinds())}
	for _, k := range census.Kinds() {
		sums["services"] += k.Services
	}
	_, sums["probed_hosts"], sums["acks_only"] = allPorts.Steps()
	for _, s := range connections.States() {
		sums["connections"] += s.Connections
	}
	for _, p := range curves.Protocols() {
		sums["curve_ports"] += int(p.Ports.Kinds().Seen)
	}
	sample, _ := inventory.Sample(d.Manifest(), nil)
	sums["inventory_hosts"] = len(sample.Hosts)
	for _, h := range sample.Hosts {
		sums["inventory_services"] += len(h.Services)
	}
	for i, name := range []string{"trial", "own"} {
		o, err := trials.Outcomes(i)
		if err != nil {
			b.Fatal(err)
		}
		sums[name+"_outcomes"] = len(o.Services)
		for _, s := range o.Services {
			sums[map[string]string{"trial": "trials", "own": "own_trials"}[name]] += s.Services
			for _, c := range s.Costs {
				if i == 0 {
					sums["trial_packets"] += int(c.Packets)
				}
			}
		}
	}
	add := func(hits, services string, of estimate.Hosts) {
		x, k := of.Services()
		sums[hits] += int(x)
		sums[services] += int(k)
	}
	for _, h := range answers.Handshakes(nil) {
		for _, p := range answers.Protocols() {
			add("drew", "tried", answers.Drew(p, h))
		}
		x, _ := answers.Identified(h).Services()
		sums["identified"] += int(x)
	}
	_, k := answers.SentAgain().Services()
	sums["acknowledge"] = int(k)
	for _, w := range datasets.Banners() {
		words, err := contents.Words(w.Protocol)
		if err != nil {
			b.Fatal(err)
		}
		add("banner_words", "banners", words)
	}
	return sums
}

// makeDataset makes a dataset of so many attempts, at hosts of up to four services that are tried with each of five handshakes,
// one host in 20 with ephemeral probes besides, and half as many that refuse. It is the same each time.
func makeDataset(t *testing.T, dir string, attempts uint64) error {
	run := filepath.Join(*reportDir, "run") // whose manifest it gets
	if err := os.RemoveAll(run); err != nil {
		return err
	}
	laserdisc(t, "scan", labPrefix, "--open", labPrefix, "--lab", "paper-shape", "--ports", "paper", "--sample", "0.01%", "--all-handshakes",
		"--handshakes", "wait,http,tls,ssh,redis", "--ephemeral-probes", "3", "--seed", "1", "--out", run)
	m, err := record.LoadManifest(run)
	if err != nil {
		return err
	}
	m.Sample = &target.Sample{Unit: "host", Numerator: 1, Denominator: 8, Drawn: 1 << 28, Of: 1 << 31, Shard: 1, Shards: 1} // of which the hosts below answered
	builder, err := analysis.Create(dir, analysis.Options{})
	if err != nil {
		return err
	}
	p := builder.Partition(1)
	random := rand.New(rand.NewPCG(10, 7))
	ports := []uint16{22, 80, 443, 8080, 8443, 2222, 7547, 6379, 5000, 21}
	answers := map[string]string{"http": "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "tls": "\x15\x03\x03\x00\x02\x02\x28",
		"ssh": "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "redis": "-ERR unknown command\r\n", "unknown": "\x00\x01\x02\x03"}
	labels := []string{"http", "tls", "ssh", "redis", "unknown"}
	hello := m.Handshakes
	frame, n := uint64(0), uint64(0)
	now := m.Start.UnixNano()
	add := func(a *session.Attempt) {
		frame += 3
		n++
		now += 50_000
		a.Source = netip.AddrPortFrom(m.Sources[0], uint16(32768+n%28232))
		a.SYNTime, a.End, a.FirstFrame, a.LastFrame = now, now+3e9, frame, frame+2
		if a.State.Connected() {
			a.SYNACKs, a.SYNACKTime, a.SYNACKTTL, a.Window, a.Layout = 1, now+30e6, 54, 65160, "MSTNW"
			a.Options = packet.Options{MSS: 1460, HasScale: true, Scale: 7, SACK: true, Timestamps: true, TSVal: uint32(n), TSEcr: uint32(now / 1e6)}
		}
		if a.State >= session.AcksData {
			a.SentBytes, a.AckedBytes, a.AckTime = 120, 120, now+60e6
		}
		if err == nil {
			err = p.Attempt(a)
		}
	}
	for host := uint32(1 << 24); n < attempts && err == nil; host += 1 + random.Uint32N(300) {
		addr := netip.AddrFrom4([4]byte{byte(host >> 24), byte(host >> 16), byte(host >> 8), byte(host)})
		if random.IntN(20) == 0 {
			for i := range 3 {
				a := session.Attempt{Service: netip.AddrPortFrom(addr, uint16(49152+random.IntN(16384))), Number: i, Visit: session.Ephemeral,
					Handshake: protocol(hello[0]), State: []session.State{session.Closed, session.NoAnswer, session.AcksData}[random.IntN(3)]}
				add(&a)
			}
		}
		first := random.IntN(len(ports))
		for i := range 1 + random.IntN(4) {
			at := netip.AddrPortFrom(addr, ports[(first+i)%len(ports)])
			if random.IntN(3) == 0 {
				add(&session.Attempt{Service: at, Handshake: protocol(hello[0]), State: session.Closed, RST: true, ResetTTL: 54})
				continue
			}
			speaks := random.IntN(len(labels) + 2) // two are none
			best := session.Service{Service: at, Handshake: hello[0], Attempts: len(hello), First: now, State: session.Silent}
			for number, name := range hello {
				a := session.Attempt{Service: at, Number: number, Handshake: protocol(name), State: session.NoDataAck}
				switch {
				case speaks < len(labels) && random.IntN(2) == 0:
					label := labels[speaks]
					a.State, a.Response = session.SendsData, []byte(answers[label])
					a.Verdict = handshake.Verdict{Label: label, Evidence: handshake.Certain, Bytes: 8}
					if label == "unknown" {
						a.Verdict.Evidence = handshake.None
					} else {
						a.Verdict.Matches = []handshake.Match{{Protocol: protocol(label), Evidence: handshake.Certain}}
					}
					a.DataTime, a.DataTTL = now+70e6, 54
				case number == 0:
					a.State = session.Silent
				case speaks < len(labels)+1 && random.IntN(2) == 0:
					a.State = session.AcksData
				}
				add(&a)
				if a.State > best.State {
					best.State, best.Label, best.Evidence, best.Handshake, best.Response = a.State, a.Verdict.Label, a.Verdict.Evidence, name, a.Response
				}
				best.End, best.Window, best.TTL, best.Layout, best.Frame = a.End, a.Window, a.SYNACKTTL, a.Layout, a.FirstFrame
			}
			if err == nil {
				err = p.Service(&best)
			}
		}
	}
	if err == nil {
		_, err = builder.Close(context.Background(), []*record.Manifest{m})
		return err
	}
	_ = builder.Abort()
	return err
}

func protocol(name string) *handshake.Protocol {
	p, ok := handshake.Lookup(name)
	if !ok {
		return &handshake.Protocol{Name: name}
	}
	return p
}
