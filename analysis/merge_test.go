package analysis

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// scanned is what one run found, as rows.
type scanned struct {
	attempts []session.Attempt
	services []session.Service
}

// add adds what another run found.
func (s *scanned) add(o scanned) {
	s.attempts, s.services = append(s.attempts, o.attempts...), append(s.services, o.services...)
}

// scannedAt makes up what a run finds at each of the targets, and on two ephemeral ports of a host. A target is the same
// each time, but for times and frames.
func scannedAt(random *rand.Rand, targets []netip.AddrPort) (s scanned) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC).UnixNano()
	frame := uint64(0)
	probed := make(map[netip.Addr]bool)
	for _, t := range targets {
		now += int64(random.IntN(1e6))
		frame += uint64(random.IntN(3))
		a := session.Attempt{Service: t, Handshake: &handshake.Protocol{Name: "wait"}, Source: netip.MustParseAddrPort("192.0.2.1:61000"),
			SYNTime: now, FirstFrame: frame, LastFrame: frame + 1}
		if t.Port()%3 == 0 {
			a.State = session.Closed
			s.attempts = append(s.attempts, a)
			continue
		}
		a.State, a.SentBytes = session.AcksData, 10
		if t.Port()%3 == 1 {
			a.State, a.Response = session.SendsData, bytes.Repeat([]byte{byte(t.Port())}, int(t.Port())%100)
		}
		again := a
		again.Number, again.Handshake = 1, &handshake.Protocol{Name: "http"}
		s.attempts = append(s.attempts, again, a)
		s.services = append(s.services, session.Service{Service: t, State: a.State, Attempts: 2, Frame: frame, First: now})
		if host := t.Addr(); a.State == session.AcksData && !probed[host] {
			probed[host] = true
			probe, silent := a, a
			probe.Service, probe.Visit = netip.AddrPortFrom(host, 50000), session.Ephemeral
			silent.Service, silent.Visit, silent.Number = netip.AddrPortFrom(host, 50001), session.Ephemeral, 1
			silent.State, silent.FirstFrame, silent.LastFrame = session.NoAnswer, 0, 0
			s.attempts = append(s.attempts, probe, silent)
		}
	}
	return s
}

// targetsOf are services at some hosts of both families, in random order.
func targetsOf(random *rand.Rand) (list []netip.AddrPort) {
	for _, host := range []string{"192.0.2.7", "198.51.100.1", "2001:db8::1", "203.0.113.255"} {
		for port := range 200 {
			list = append(list, netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)))
		}
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// shardManifest is that of a shard i/n.
func shardManifest(i, n uint64) *record.Manifest {
	start := time.Date(2026, 11, 27, 12, int(i), 0, 0, time.UTC)
	return &record.Manifest{Format: 1, Laserdisc: "1", Start: start, End: start.Add(time.Second), Seed: 1, TargetDigest: "d", TargetCount: 7,
		Settings: session.Defaults(), Sample: &target.Sample{Shard: i, Shards: n}}
}

// datasetOf makes a dataset of one run.
func datasetOf(t *testing.T, m *record.Manifest, rows scanned) *Dataset {
	t.Helper()
	b, err := Create(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := b.Partition(1)
	for i := range rows.attempts {
		err = errors.Join(err, p.Attempt(&rows.attempts[i]))
	}
	for i := range rows.services {
		err = errors.Join(err, p.Service(&rows.services[i]))
	}
	d, err2 := b.Close(t.Context(), []*record.Manifest{m})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return d
}

// rowsWithRuns are the rows of a dataset as text, with their runs, in its order.
func rowsWithRuns(t *testing.T, d *Dataset) (list []string) {
	t.Helper()
	describe := func(table string, service netip.AddrPort, number int, visit session.Visit, frame uint64, response []byte, run int) {
		list = append(list, fmt.Sprintf("%s %v run %d %d %v frame %d %x", table, service, run, number, visit, frame, response))
	}
	err := d.EachAttempt(t.Context(), func(a *session.Attempt, run int) error {
		describe("attempt", a.Service, a.Number, a.Visit, a.FirstFrame, a.Response, run)
		return nil
	})
	err2 := d.EachService(t.Context(), func(s *session.Service, run int) error {
		describe("service", s.Service, s.Attempts, 0, s.Frame, s.Response, run)
		return nil
	})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return list
}

func mustMerge(t *testing.T, datasets []*Dataset, apart bool, o Options) *Dataset {
	t.Helper()
	d, err := Merge(t.Context(), datasets, t.TempDir(), apart, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sameFiles(t *testing.T, a, b *Dataset) {
	t.Helper()
	for _, name := range []string{"attempts.parquet", "services.parquet", "dataset.json"} {
		x, err := os.ReadFile(filepath.Join(a.dir, name))
		y, err2 := os.ReadFile(filepath.Join(b.dir, name))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s is not the same in %s and %s", name, a.dir, b.dir)
		}
	}
}

// TestMergeShards deals the services of hosts out to shards, as a scan does, whose ephemeral probes of a host are then
// made by several. The merged dataset has all rows, in any order of the arguments, within any memory, at once or by and
// by, and its digests are the sums of the shards'.
func TestMergeShards(t *testing.T) {
	const n = 4
	random := rand.New(rand.NewPCG(1, 2))
	targets := targetsOf(random)
	var datasets []*Dataset
	var all scanned
	var digests [2]Digest
	for i := range n {
		var mine []netip.AddrPort
		for k := i; k < len(targets); k += n {
			mine = append(mine, targets[k])
		}
		rows := scannedAt(random, mine)
		all.add(rows)
		d := datasetOf(t, shardManifest(uint64(i+1), n), rows)
		datasets = append(datasets, d)
		digests[0].Add(d.header.Attempts.Digest)
		digests[1].Add(d.header.Services.Digest)
	}
	merged := mustMerge(t, datasets, false, Options{})
	if merged.header.Attempts.Digest != digests[0] || merged.header.Services.Digest != digests[1] {
		t.Error("its digests are not the sums of the shards'")
	}
	if got := merged.Runs(); len(got) != 1 || got[0].IsShard() || len(got[0].Shards) != n || got[0].TargetCount != n*7 {
		t.Errorf("runs: %+v", got)
	}

	// The rows are those of a dataset that was made of all at once. Those that are sorted alike may change places.
	var want []string
	for _, a := range all.attempts {
		want = append(want, fmt.Sprintf("attempt %v run 0 %d %v frame %d %x", a.Service, a.Number, a.Visit, a.FirstFrame, a.Response))
	}
	for _, s := range all.services {
		want = append(want, fmt.Sprintf("service %v run 0 %d %v frame %d %x", s.Service, s.Attempts, session.First, s.Frame, s.Response))
	}
	got := rowsWithRuns(t, merged)
	if d := gocmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); d != "" {
		t.Error(d)
	}
	var last netip.AddrPort
	err := merged.EachAttempt(t.Context(), func(a *session.Attempt, _ int) error {
		if last.IsValid() && cmp.Or(last.Addr().Compare(a.Service.Addr()), cmp.Compare(last.Port(), a.Service.Port())) > 0 {
			t.Errorf("%v comes after %v", a.Service, last)
		}
		last = a.Service
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	other := slices.Clone(datasets)
	for range 5 {
		random.Shuffle(n, func(i, j int) { other[i], other[j] = other[j], other[i] })
		sameFiles(t, merged, mustMerge(t, other, false, Options{Memory: 1 << 16, Workers: 3}))
	}
	parts := mustMerge(t, datasets, false, Options{Parts: 3})
	if d := mustMerge(t, []*Dataset{parts}, false, Options{}); len(parts.header.Attempts.Parts) != 3 || parts.Digest() != merged.Digest() || d.Digest() != merged.Digest() {
		t.Error("in three parts it is another")
	}
	one := mustMerge(t, []*Dataset{datasets[3], datasets[1]}, false, Options{})
	if m := one.Manifest(); m.Missing() != "1, 3" {
		t.Errorf("of shards 2 and 4, %q is missing", m.Missing())
	}
	two := mustMerge(t, []*Dataset{datasets[2], datasets[0]}, false, Options{})
	if d := mustMerge(t, []*Dataset{one, two}, false, Options{}); d.Digest() != merged.Digest() || !gocmp.Equal(asJSON(t, d.Runs()), asJSON(t, merged.Runs())) {
		t.Error("two halves make another whole")
	}
	apart := mustMerge(t, datasets, true, Options{})
	if d := mustMerge(t, []*Dataset{apart}, false, Options{}); d.Digest() != merged.Digest() {
		t.Error("runs that are shards make another whole")
	}
}

// TestMergedShardsFold has the ephemeral probes of a host by several shards count as one shard's.
func TestMergedShardsFold(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	targets := targetsOf(random)
	whole := datasetOf(t, shardManifest(1, 1), scannedAt(random, targets))
	half := len(targets) / 2
	merged := mustMerge(t, []*Dataset{
		datasetOf(t, shardManifest(1, 2), scannedAt(random, targets[:half])), datasetOf(t, shardManifest(2, 2), scannedAt(random, targets[half:])),
	}, false, Options{})
	count := func(d *Dataset) []any {
		census, allPorts, responses := new(Census), new(AllPorts), new(Responses)
		if err := d.Fold(t.Context(), census, allPorts, responses); err != nil {
			t.Fatal(err)
		}
		steps, hosts, services := allPorts.Steps()
		handshakes, patterns := responses.Patterns(nil)
		return []any{census.Kinds(), steps, hosts, services, handshakes, patterns}
	}
	if d := gocmp.Diff(count(whole), count(merged)); d != "" {
		t.Error(d)
	}
}

// TestMergeRuns merges runs that overlap. Each keeps its rows, under its number; of a service the first run's count.
func TestMergeRuns(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	targets := targetsOf(random)
	var datasets []*Dataset
	var want []string
	var first scanned // rows that count
	seen := make(map[netip.AddrPort]bool)
	for i := range 3 {
		m := shardManifest(1, 1)
		m.Seed = uint64(i)
		rows := scannedAt(random, targets[100*i:100*i+300])
		datasets = append(datasets, datasetOf(t, m, rows))
		for _, s := range rowsWithRuns(t, datasets[i]) {
			want = append(want, strings.Replace(s, "run 0", fmt.Sprint("run ", i), 1))
		}
		for _, s := range rows.services {
			if !seen[s.Service] {
				seen[s.Service] = true
				first.services = append(first.services, s)
			}
		}
	}
	merged := mustMerge(t, datasets, false, Options{})
	if d := gocmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(rowsWithRuns(t, merged)))); d != "" {
		t.Error(d)
	}
	for i, m := range merged.Runs() {
		if m.Seed != uint64(i) {
			t.Errorf("run %d has the seed %d", i, m.Seed)
		}
	}
	sameFiles(t, merged, mustMerge(t, datasets, false, Options{Memory: 1 << 16, Workers: 3}))
	sameFiles(t, merged, mustMerge(t, datasets, true, Options{}))
	two := mustMerge(t, datasets[1:], false, Options{})
	sameFiles(t, merged, mustMerge(t, []*Dataset{datasets[0], two}, false, Options{}))

	census, wanted := new(Census), new(Census)
	err := errors.Join(merged.Fold(t.Context(), census), datasetOf(t, shardManifest(1, 1), first).Fold(t.Context(), wanted))
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(wanted.Kinds(), census.Kinds()); d != "" {
		t.Error(d)
	}
}

// TestMergeRefuses has what is no one result. Nothing is left where it would have been.
func TestMergeRefuses(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	targets := targetsOf(random)[:40]
	rows := scannedAt(random, targets[:20])
	one, two := datasetOf(t, shardManifest(1, 2), rows), datasetOf(t, shardManifest(2, 2), scannedAt(random, targets[20:]))
	changed := func(m *record.Manifest, change func(*record.Manifest), rows scanned) *Dataset {
		change(m)
		return datasetOf(t, m, rows)
	}
	later := func(m *record.Manifest) { m.Start = m.Start.Add(time.Hour) }
	copied := datasetOf(t, shardManifest(1, 2), rows)
	again := changed(shardManifest(1, 2), later, rows)
	overlapping := changed(shardManifest(2, 2), later, rows)
	seed := changed(shardManifest(2, 2), func(m *record.Manifest) { m.Seed = 9 }, scanned{})
	says := changed(shardManifest(2, 2), func(m *record.Manifest) { m.Handshakes = []string{"wait"} }, scanned{})
	run := datasetOf(t, shardManifest(1, 1), rows)
	rerun := changed(shardManifest(1, 1), later, rows)
	both := mustMerge(t, []*Dataset{run, rerun}, false, Options{})
	for _, c := range []struct {
		datasets []*Dataset
		want     []string
		apart    bool // whether they are runs of one dataset, if asked for
	}{
		{nil, []string{"no dataset to merge"}, false},
		{[]*Dataset{one, one}, []string{one.dir, "the same dataset"}, false},
		{[]*Dataset{one, copied}, []string{one.dir, copied.dir, "shard 1/2 of the same record"}, false},
		{[]*Dataset{run, both}, []string{run.dir, "run 0 of " + both.dir, "of the same record"}, false},
		{[]*Dataset{two, again, one}, []string{one.dir, again.dir, "both are shard 1/2"}, true},
		{[]*Dataset{one, seed}, []string{one.dir, seed.dir, `seed is "9", not "1"`}, true},
		{[]*Dataset{one, says}, []string{one.dir, says.dir, `handshakes is ["wait"], not ["wait",`}, true},
		{[]*Dataset{one, two, run}, []string{run.dir, "it is not a shard"}, true},
		{[]*Dataset{run, one, two}, []string{run.dir, "it is not a shard"}, true},
		{[]*Dataset{one, overlapping}, []string{"not disjoint: service ", one.dir, overlapping.dir}, true},
	} {
		out := filepath.Join(t.TempDir(), "out")
		_, err := Merge(t.Context(), c.datasets, out, false, Options{})
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v: %q is not in it", err, part)
			}
		}
		if _, missing := os.Stat(out); missing == nil {
			t.Errorf("%v, but %s is there", err, out)
		}
		d, err := Merge(t.Context(), c.datasets, out, true, Options{})
		if (err == nil) != c.apart {
			t.Errorf("apart: %v", err)
		}
		if err == nil && len(d.Runs()) != len(c.datasets) {
			t.Errorf("apart: %d runs of %d", len(d.Runs()), len(c.datasets))
		}
	}

	if _, err := Merge(t.Context(), []*Dataset{one, two}, two.dir, false, Options{}); err == nil || !strings.Contains(err.Error(), "name another directory") {
		t.Error(err)
	}
	if _, err := Open(two.dir); err != nil {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Merge(stopped, []*Dataset{one, two}, filepath.Join(t.TempDir(), "out"), false, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestMergeChecks has rows that are not what the dataset says.
func TestMergeChecks(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	rows := scannedAt(random, targetsOf(random)[:40])
	for _, c := range []struct {
		change func(*header)
		want   string
	}{
		{func(h *header) { h.Attempts.Digest[2]++; h.Attempts.Parts[0].Digest[2]++ }, "the table of attempts are not those"},
		{func(h *header) { h.Services.Digest[0]--; h.Services.Parts[0].Digest[0]-- }, "the table of services are not those"},
		{func(h *header) { h.Services.Rows++; h.Services.Parts[0].Rows++ }, "services.parquet has "},
		{func(h *header) { h.Attempts.Parts[0].Name = "gone.parquet" }, "gone.parquet"},
		{func(h *header) {
			a, s := &h.Attempts.Parts[0], &h.Services.Parts[0]
			a.Name, s.Name = s.Name, a.Name
		}, "services.parquet: not such a table"},
	} {
		d := datasetOf(t, shardManifest(1, 2), rows)
		c.change(&d.header)
		if err := d.header.write(d.dir); err != nil {
			t.Fatal(err)
		}
		d, err := Open(d.dir)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, err := Merge(t.Context(), []*Dataset{d}, out, false, Options{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), d.dir) {
			t.Errorf("%v, not %q", err, c.want)
		}
		if _, missing := os.Stat(out); missing == nil {
			t.Errorf("%s is there", out)
		}
	}
	// A row of a run that the dataset does not have.
	b, err := Create(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := b.Partition(1)
	p.run = 1
	if err := p.Attempt(&rows.attempts[0]); err != nil {
		t.Fatal(err)
	}
	d, err := b.Close(t.Context(), []*record.Manifest{shardManifest(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(t.Context(), []*Dataset{d}, t.TempDir(), false, Options{}); err == nil || !strings.Contains(err.Error(), "a row is of run 1") {
		t.Error(err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
