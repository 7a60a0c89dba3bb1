package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/capture"
	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

// epoch is when the simulated scans start.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// list is a fixed order of targets.
type list struct {
	left   []netip.AddrPort
	places map[netip.AddrPort]uint64
}

func listOf(targets ...netip.AddrPort) *list {
	l := &list{left: targets, places: make(map[netip.AddrPort]uint64)}
	for i, t := range targets {
		l.places[t] = uint64(i)
	}
	return l
}

func (l *list) Next() (netip.AddrPort, bool) {
	if len(l.left) == 0 {
		return netip.AddrPort{}, false
	}
	t := l.left[0]
	l.left = l.left[1:]
	return t, true
}

func (l *list) Left() uint64 { return uint64(len(l.left)) }

func (l *list) Place(t netip.AddrPort) (uint64, bool) {
	place, ok := l.places[t]
	return place, ok
}

// lossy is a small network with every behaviour, on which one packet in twenty is lost, and
// others come twice or late.
func lossy(t testing.TB) *lab.Population {
	text, err := os.ReadFile("testdata/lossy.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse("lossy.json", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scan scans a part of the network in memory, and returns the run directory.
func scan(t testing.TB, p *lab.Population, seed uint64, lag time.Duration, targets int) string {
	t.Helper()
	return scanInChunks(t, p, seed, lag, targets, 0, "")
}

// scanInChunks is scan, but for the size and the compression of the record's chunks.
func scanInChunks(t testing.TB, p *lab.Population, seed uint64, lag time.Duration, targets int, chunk int64, compression string) string {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	ports := []uint16{21, 22, 23, 25, 53, 80, 443, 3306, 6379, 8080}
	var l []netip.AddrPort
	for _, i := range random.Perm(256 * len(ports))[:targets] {
		l = append(l, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, byte(i)}), ports[i/256]))
	}
	dir := filepath.Join(t.TempDir(), "run")
	m := manifest(seed)
	m.ChunkSize, m.Compression = chunk, compression
	m.AllHandshakes = random.IntN(2) == 0
	if random.IntN(2) == 0 {
		m.EphemeralProbes = 3
	}
	if random.IntN(2) == 0 {
		m.Revisit = session.Duration(10 * time.Second)
	}
	m.RandomOrder = random.IntN(2) == 0
	if random.IntN(2) == 0 {
		m.Followup = []session.Duration{0, session.Duration(3 * time.Second), session.Duration(20 * time.Second)}
	}
	s := capture.Scan{
		Dir: dir, Manifest: m, Targets: listOf(l...),
		Link: sluggish{link.NewMemory(lab.New(p, seed), epoch, link.Lag(seed, lag)), random, lag},
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return dir
}

// sluggish is a link whose scanner wakes up late, and finds what has come in the meantime.
type sluggish struct {
	link.Link
	random *rand.Rand
	most   time.Duration
}

func (s sluggish) Receive(until int64) (link.Frame, bool, error) {
	if until > s.Now() && s.most > 0 {
		until += s.random.Int64N(int64(s.most))
	}
	return s.Link.Receive(until)
}

func manifest(seed uint64) *record.Manifest {
	m := &record.Manifest{
		Laserdisc: "test", Synthetic: "lossy", Seed: seed, Rate: 1000, Cooldown: session.Duration(8 * time.Second),
		Settings: session.Defaults(),
	}
	m.CookieKey, m.Handshakes = session.KeyOf(seed), []string{"wait", "tls", "http", "redis"}
	m.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	return m
}

// Thousands of scans of a lossy network, with a kernel that hands packets over late: every one
// plays back to the same packets and the same services.
func TestLiveEqualsPlayback(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 200
	}
	p := lossy(t)
	var packets, services, repeats uint64
	visits := map[session.Visit]int{}
	for seed := range seeds {
		dir := scan(t, p, seed, []time.Duration{0, 5 * time.Millisecond, 400 * time.Millisecond}[seed%3], 40)
		r := play(t, dir, 1)
		if r.Difference != nil {
			t.Fatalf("seed %d: %v", seed, r.Difference)
		}
		if r.Truncated != nil {
			t.Fatalf("seed %d: %v", seed, r.Truncated)
		}
		if err := r.Agrees(dir, r.played); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		packets += r.Packets
		services += r.Manifest.Counters.Services
		for _, a := range r.Attempts {
			repeats += uint64(a.Retransmits)
			visits[a.Visit]++
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d scans, %d packets, %d services, %d retransmissions of ours, attempts %v", seeds, packets, services, repeats, visits)
	if services < 5*seeds || repeats < seeds || len(visits) != 7 {
		t.Error("the network is too quiet to prove anything")
	}
}

func TestWorkersChangeNothing(t *testing.T) {
	dir := scan(t, lossy(t), 7, 5*time.Millisecond, 2000)
	want := play(t, dir, 1)
	for _, workers := range []int{2, 3, 8} {
		got := play(t, dir, workers)
		if err := got.Agrees(dir, got.played); err != nil {
			t.Errorf("%d workers: %v", workers, err)
		}
		if d := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true }), cmp.Comparer(sameProtocol)); d != "" {
			t.Fatalf("%d workers: %s", workers, d)
		}
	}
}

// sameProtocol compares lines of the table by identity.
func sameProtocol(a, b *handshake.Protocol) bool { return a == b }

// A record cut anywhere plays back to a prefix of what the scan found.
func TestCutRecord(t *testing.T) {
	dir := scan(t, lossy(t), 11, 5*time.Millisecond, 300)
	whole, err := os.ReadFile(filepath.Join(dir, "packets-00000.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	live := lines(t, dir)
	cuts := []int{ends(t, dir)} // as a killed scan leaves it: between two packets
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		cuts = append(cuts, random.IntN(len(whole)))
	}
	for _, n := range cuts {
		cut := filepath.Join(t.TempDir(), "run")
		if err := os.MkdirAll(cut, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cut, "packets-00000.pcapng"), whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := run(cut, 1)
		var truncated *record.TruncatedError
		if errors.As(err, &truncated) && n < 4096 {
			continue // not even the manifest
		}
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
		if r.Difference != nil || r.Truncated == nil || !strings.HasPrefix(r.Truncated.Path, cut) {
			t.Fatalf("cut at %d of %d: difference %v, truncated %v", n, len(whole), r.Difference, r.Truncated)
		}
		prefix := live[:0:0]
		for _, s := range r.Services {
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			prefix = append(prefix, string(text))
		}
		for _, line := range live[:len(prefix)] {
			if !contains(prefix, line) {
				t.Fatalf("cut at %d of %d: %d services, but not the live run's %s", n, len(whole), len(prefix), line)
			}
		}
	}
}

// ends returns where the last packet of a record begins.
func ends(t *testing.T, dir string) int {
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f record.Frame
	for r.Next(&f) == nil {
	}
	return int(f.Offset)
}

func contains(lines []string, line string) bool {
	for _, l := range lines {
		if l == line {
			return true
		}
	}
	return false
}

// lines are the services that the live scan wrote.
func lines(t *testing.T, dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "services.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// Whatever is changed in a record's packets, playback says where.
func TestChangedRecord(t *testing.T) {
	dir := scan(t, lossy(t), 3, 0, 100)
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var frames []record.Frame
	for {
		var f record.Frame
		if r.Next(&f) != nil {
			break
		}
		f.Data = append([]byte(nil), f.Data...)
		frames = append(frames, f)
	}
	sent := 0
	for sent = len(frames) / 2; frames[sent].Direction != record.Sent; sent++ {
	}
	rewrite := func(name string, change func(*record.Frame) bool) *result {
		out := filepath.Join(t.TempDir(), name)
		w, err := record.Create(out, r.Manifest())
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frames {
			f.Data = append([]byte(nil), f.Data...)
			if i == sent && !change(&f) {
				continue
			}
			if _, err := w.Packet(f.Direction, f.Time, f.Data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(r.Manifest(), frames[len(frames)-1].Time); err != nil {
			t.Fatal(err)
		}
		return play(t, out, 2)
	}
	if r := rewrite("same", func(*record.Frame) bool { return true }); r.Difference != nil {
		t.Fatalf("nothing was changed: %v", r.Difference)
	}
	for name, change := range map[string]func(*record.Frame) bool{
		"sequence number": func(f *record.Frame) bool { f.Data[38]++; return true },
		"source address":  func(f *record.Frame) bool { f.Data[6]++; return true },
		"checksum":        func(f *record.Frame) bool { f.Data[50]++; return true },
	} {
		r := rewrite(name, change)
		if r.Difference == nil || r.Difference.Frame != frames[sent].Number {
			t.Errorf("%s of frame %d: difference %v", name, frames[sent].Number, r.Difference)
		}
	}
}

func BenchmarkPlayback(b *testing.B) {
	dir := scan(b, lossy(b), 5, 0, 2560)
	var packets uint64
	for b.Loop() {
		r := play(b, dir, 1)
		if r.Difference != nil {
			b.Fatal(r.Difference)
		}
		packets += r.Packets
	}
	b.ReportMetric(float64(packets)/b.Elapsed().Seconds(), "packets/s")
}

// A port that the scan probes, and that is among those that tell of an all-ports firewall, has an attempt of both visits.
func TestEphemeralPortIsTarget(t *testing.T) {
	p, err := lab.Parse("honest", []byte(`{
		"name": "honest", "synthetic": "one host", "prefixes": ["198.18.0.0/32"], "density": 1,
		"hosts": [{"name": "host", "weight": 1, "closed": {"reset": 1}}], "stacks": {"linux": 1},
		"ports": [{"port": 80, "open": 1, "acks": 1, "protocols": {"unknown": 1}}], "pace": {"prompt": 1},
		"network": {"delay": "1ms", "spread": "1ms", "jitter": "1ms", "hold_back": "1ms"}}`))
	if err != nil {
		t.Fatal(err)
	}
	host := netip.AddrFrom4([4]byte{198, 18, 0, 0})
	targets := []netip.AddrPort{netip.AddrPortFrom(host, 80)}
	for port := 49152; port <= 65535; port++ {
		targets = append(targets, netip.AddrPortFrom(host, uint16(port)))
	}
	all := len(targets)
	m := manifest(1)
	m.Handshakes, m.EphemeralProbes, m.Rate = []string{"http"}, 3, 1_000_000
	s := capture.Scan{
		Dir: filepath.Join(t.TempDir(), "run"), Manifest: m, Targets: listOf(targets...),
		Link: link.NewMemory(lab.New(p, 1), epoch),
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	visits := map[session.Visit]int{}
	for _, a := range play(t, s.Dir, 1).Attempts {
		visits[a.Visit]++
	}
	if visits[session.First] != all || visits[session.Ephemeral] != m.EphemeralProbes {
		t.Errorf("%d targets and %d ephemeral probes gave attempts %v", all, m.EphemeralProbes, visits)
	}
}

// However many batches of frames follow the place where a scan was resumed, it was resumed once.
func TestResumedBeforeAnyBatch(t *testing.T) {
	for batches := range 9 {
		dir := filepath.Join(t.TempDir(), "run")
		m := manifest(1)
		m.Rate = 1_000_000
		targets := func(n int) *list { // at which there is nobody
			l := make([]netip.AddrPort, n)
			for i := range l {
				l[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), uint16(i>>8+1))
			}
			return listOf(l...)
		}
		network := lab.New(lossy(t), 1)
		first := capture.Scan{Dir: dir, Manifest: m, Targets: targets(10), Link: link.NewMemory(network, epoch)}
		if err := first.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		second := capture.Scan{Dir: dir, Manifest: m, Targets: targets(10 + 2400*batches), Resume: []any{}, Link: link.NewMemory(network, epoch+60e9)}
		if err := second.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 3} {
			if r := play(t, dir, workers); r.Difference != nil || r.Truncated != nil || r.Parts != 2 || r.resumed != workers || r.Packets != uint64(20+2400*batches) {
				t.Errorf("%d batches: %v, %v, %d parts, resumed %d times, %d packets", batches, r.Difference, r.Truncated, r.Parts, r.resumed, r.Packets)
			}
		}
	}
}

var tablesOf = flag.String("tables-of", "", "run directory that BenchmarkTables plays back")

// BenchmarkTables plays a run back into a dataset, as laserdisc replay does: for a profile, with -cpuprofile.
func BenchmarkTables(b *testing.B) {
	dir := *tablesOf
	if dir == "" {
		dir = scan(b, lossy(b), 5, 0, 2560)
	}
	workers := runtime.GOMAXPROCS(0)
	var packets uint64
	for b.Loop() {
		builder, err := analysis.Create(filepath.Join(b.TempDir(), "tables"), analysis.Options{Memory: 256 << 20, Workers: workers})
		if err != nil {
			b.Fatal(err)
		}
		sink := func(of int) replay.Rows { return builder.Partition(of) }
		r, err := replay.Run(b.Context(), dir, replay.Options{Workers: workers}, sink)
		if err != nil || r.Difference != nil {
			b.Fatal(err, errors.Join(builder.Abort()), r)
		}
		if _, err := builder.Close(b.Context(), []*record.Manifest{r.Manifest}); err != nil {
			b.Fatal(err)
		}
		packets += r.Packets
	}
	b.ReportMetric(float64(packets)/b.Elapsed().Seconds(), "packets/s")
}
