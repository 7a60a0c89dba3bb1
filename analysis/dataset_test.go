package analysis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := examples()
	d := write(t, dir, want.shuffled(1))
	if d := diff(want, read(t, dir)); d != "" {
		t.Error(d)
	}
	if d.Attempts() != uint64(len(want.attempts)) || d.Services() != uint64(len(want.services)) || len(d.Runs()) != 1 || d.Dir() != dir {
		t.Errorf("%d attempts, %d services, %d runs in %s", d.Attempts(), d.Services(), len(d.Runs()), d.Dir())
	}
	if opened, err := Open(dir); err != nil || opened.Digest() != d.Digest() {
		t.Errorf("opened again it is %v, %v", opened, err)
	}
}

// Whatever the rows, in whatever order and partition, spilled or not: what is read is what was written, in order, and it
// verifies.
func TestAnyRowsRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		rows := tables{rapid.SliceOf(anyAttempt()).Draw(t, "attempts"), rapid.SliceOf(anyService()).Draw(t, "services")}
		o := Options{Memory: rapid.SampledFrom([]int{1, 4096, 1 << 20}).Draw(t, "memory"), Workers: rapid.IntRange(1, 3).Draw(t, "workers")}
		d, err := build(dir, rows, rapid.IntRange(1, 8).Draw(t, "partitions"), o)
		if err != nil {
			t.Fatal(err)
		}
		var got tables
		err = errors.Join(d.EachAttempt(context.Background(), func(a *session.Attempt, run int) error {
			got.attempts = append(got.attempts, attempt{a.Clone(), run})
			return nil
		}), d.eachService(context.Background(), func(s *service) error {
			got.services = append(got.services, service{s.Service.Clone(), s.Run, s.Origin})
			return nil
		}), d.Verify(context.Background()))
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(rows.expected(), got); d != "" {
			t.Fatal(d)
		}
	})
}

// The digest must stay what it is, and tell any two rows apart.
func TestDigest(t *testing.T) {
	rows := examples()
	digest := write(t, t.TempDir(), rows).Digest()
	const want = "fa176e9a5628adb0a23e8dc2d185e650aaf18bc54ffd78d22777f0e8dae2bc18"
	if digest != want {
		t.Errorf("the digest of the examples is %s, was %s", digest, want)
	}
	if got := write(t, t.TempDir(), rows.shuffled(3)).Digest(); got != digest {
		t.Error("the order of adding changes the digest")
	}
	rows.attempts[0].AckedBytes++
	if got := write(t, t.TempDir(), rows).Digest(); got == digest {
		t.Error("another attempt gives the same digest")
	}
	rows.attempts[0].AckedBytes--
	rows.services[0].Run++
	if got := write(t, t.TempDir(), rows).Digest(); got == digest {
		t.Error("another run gives the same digest")
	}
}

// Every column of every row counts in its canonical bytes: rows that differ in one differ there, and are read back.
func TestCanonicalBytes(t *testing.T) {
	seen := map[string]tables{}
	for i := range 2000 {
		rows := tables{attempts: []attempt{anyAttempt().Example(i)}}
		b, err := attempts.appendRow(nil, &rows.attempts[0])
		if err != nil {
			t.Fatal(err)
		}
		back := attempt{Attempt: new(session.Attempt)}
		if err := attempts.readRow(&back, b); err != nil {
			t.Fatal(err)
		}
		if d := diff(rows, tables{attempts: []attempt{back}}); d != "" {
			t.Fatal(d)
		}
		if other, ok := seen[string(b)]; ok && diff(rows, other) != "" {
			t.Fatalf("the same bytes, but %s", diff(rows, other))
		}
		seen[string(b)] = rows
		for n := range b {
			if err := attempts.readRow(&attempt{Attempt: new(session.Attempt)}, b[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes are read as a row", n, len(b))
			}
		}
	}
}

// The digests of disjoint parts of a table add up to the whole's.
func TestDigestAdds(t *testing.T) {
	rows := many(1000)
	whole := write(t, t.TempDir(), rows).header.Attempts.Digest
	var sum Digest
	for from := 0; from < 1000; from += 300 {
		sum.Add(write(t, t.TempDir(), tables{attempts: rows.attempts[from:min(from+300, 1000)]}).header.Attempts.Digest)
	}
	if sum != whole {
		t.Errorf("%v, not %v", sum, whole)
	}
	most := Digest{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64}
	if most.Add(Digest{1}); most != (Digest{}) {
		t.Errorf("2^256 is %v", most)
	}
	text, _ := whole.MarshalText()
	var back Digest
	if err := back.UnmarshalText(text); err != nil || back != whole || len(text) != 64 {
		t.Errorf("%s is read as %v: %v", text, back, err)
	}
	for _, bad := range []string{"", "0", strings.Repeat("x", 64), strings.Repeat("0", 63), strings.Repeat("0", 65)} {
		if err := new(Digest).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as a digest", bad)
		}
	}
}

// files gives the content of a directory's files, by their names.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() && path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			found[name] = nil
			return nil
		}
		found[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Whatever the order of the rows, the number of partitions and workers, and the memory, from what makes merges of merged
// runs to what holds everything: the same bytes in every file.
func TestNothingChangesTheBytes(t *testing.T) {
	rows := many(30_000)
	var want map[string][]byte
	for i, c := range []struct {
		partitions int
		Options
	}{
		{1, Options{}},
		{1, Options{}},
		{1, Options{Workers: 1}},
		{8, Options{Memory: 1 << 30, Workers: 3}},
		{1, Options{Memory: 64 << 10}},
		{1, Options{Memory: 4 << 10}}, // some 2,000 runs, of which 64 become one, and 16 are read at once
		{2, Options{Memory: 1 << 20}},
		{3, Options{Memory: 4 << 20, Workers: 2}},
		{8, Options{Memory: 256 << 10, Workers: 8}},
	} {
		dir := t.TempDir()
		if _, err := build(dir, rows.shuffled(uint64(i/2)), c.partitions, c.Options); err != nil {
			t.Fatal(err)
		}
		got := files(t, dir)
		if want == nil {
			want = got
		}
		for _, name := range []string{"attempts.parquet", "services.parquet", headerFile} {
			if len(want[name]) == 0 || !bytes.Equal(want[name], got[name]) {
				t.Errorf("%d partitions, %+v: %s has other bytes", c.partitions, c.Options, name)
			}
		}
		if len(got) != 3 {
			t.Errorf("%d partitions, %+v: there are %v", c.partitions, c.Options, slices.Sorted(maps.Keys(got)))
		}
	}
}

// However many runs are spilled, few are open at once: they are merged into longer ones as they come, and again before they
// are read.
func TestRunsAreMerged(t *testing.T) {
	b, err := Create(t.TempDir(), Options{Memory: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	p := b.Partition(1)
	s := &p.parts[0].attempts
	rows := many(50_000)
	most := 0
	for i := range rows.attempts {
		if err := p.Attempt(rows.attempts[i].Attempt); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(s.runs))
	}
	before := len(s.runs)
	if _, err := sorted(t.Context(), []*sorter{s}, 1<<10); err != nil {
		t.Fatal(err)
	}
	if s.spills < 2*runFan*runFan/3 || most > 3*runFan || before < 20 || len(s.runs) > 16 || len(s.runs) < 2 {
		t.Errorf("of %d runs up to %d were open; %d became %d", s.spills, most, before, len(s.runs))
	}
}

// Row groups end by their number of rows, and by their bytes; what is longer than a run's buffer is read whole.
func TestRowGroups(t *testing.T) {
	dir := t.TempDir()
	rows := many(groupRows + 1000)
	d := write(t, dir, rows)
	if err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if n := rowGroups(t, filepath.Join(dir, "attempts.parquet")); !slices.Equal(n, []int64{groupRows, 1000}) {
		t.Errorf("row groups of %d rows", n)
	}
	rows = many(3)
	for i := range rows.attempts {
		rows.attempts[i].Response = bytes.Repeat([]byte{byte(i)}, groupBytes/2)
	}
	d, err := build(dir, rows, 1, Options{Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if n := rowGroups(t, filepath.Join(dir, "attempts.parquet")); !slices.Equal(n, []int64{1, 1, 1}) {
		t.Errorf("row groups of %d rows", n)
	}
}

// A value that a column cannot hold is an error that names the column, when it is added.
func TestValuesThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		change func(*attempt)
		want   string
	}{
		{func(a *attempt) { a.Number = math.MaxUint32 + 1 }, `attempts: column "attempt" cannot hold 4294967296`},
		{func(a *attempt) { a.Number = -1 }, `attempts: column "attempt" cannot hold -1`},
		{func(a *attempt) { a.SentBytes = math.MinInt64 }, `attempts: column "sent_bytes" cannot hold -9223372036854775808`},
		{func(a *attempt) { a.Run = math.MaxUint16 + 1 }, `attempts: column "run" cannot hold 65536`},
		{func(a *attempt) { a.LastFrame = math.MaxUint64 }, `attempts: column "last_frame" cannot hold -1`},
	} {
		dir := t.TempDir()
		rows := examples()
		c.change(&rows.attempts[3])
		_, err := build(dir, rows, 1, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, should say %q", err, c.want)
		}
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("%v is left", slices.Sorted(maps.Keys(left)))
		}
	}
}

// What Resumed tells of does not count, but for what ephemeral ports said.
func TestResumed(t *testing.T) {
	dir := t.TempDir()
	b, err := Create(dir, Options{Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := b.Partition(1)
	at := func(service string, number int, visit session.Visit, said string) {
		err = errors.Join(err, p.Attempt(&session.Attempt{
			Service: netip.MustParseAddrPort(service), Number: number, Visit: visit, State: session.SendsData,
			Handshake: &handshake.Protocol{Name: "http"}, Response: []byte(said),
		}))
	}
	at("9.0.0.1:80", 0, session.First, "first part")
	at("9.0.0.1:80", 0, session.Ephemeral, "first part")
	at("9.0.0.2:80", 0, session.First, "first part")
	at("9.0.0.3:80", 0, session.First, "first part")
	p.Resumed([]netip.AddrPort{netip.MustParseAddrPort("9.0.0.1:80"), netip.MustParseAddrPort("9.0.0.3:80")})
	at("9.0.0.1:80", 0, session.First, "second part")
	at("9.0.0.3:80", 0, session.First, "second part")
	at("9.0.0.3:80", 1, session.First, "second part")
	p.Resumed([]netip.AddrPort{netip.MustParseAddrPort("9.0.0.3:80")})
	at("9.0.0.3:80", 0, session.First, "third part")
	if err == nil {
		_, err = b.Close(t.Context(), []*record.Manifest{manifest()})
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range read(t, dir).attempts {
		got = append(got, fmt.Sprintf("%v %d %v: %s", a.Service, a.Number, a.Visit, a.Response))
	}
	want := []string{
		"9.0.0.1:80 0 first: second part",
		"9.0.0.1:80 0 ephemeral: first part",
		"9.0.0.2:80 0 first: first part",
		"9.0.0.3:80 0 first: third part",
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are\n%s", strings.Join(got, "\n"))
	}
}

// The error of who reads is passed on as it is, and ends the reading; so does a context that is done.
func TestReadingStops(t *testing.T) {
	d := write(t, t.TempDir(), examples())
	stop := errors.New("stop")
	n := 0
	if err := d.EachAttempt(t.Context(), func(*session.Attempt, int) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.EachService(ctx, func(*session.Service, int) error { n++; return nil }); !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
	if err := d.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A dataset of many parts is read part by part.
func TestManyParts(t *testing.T) {
	rows := many(1000)
	var parts []*Dataset
	for i := range 3 {
		var some tables
		for j := range rows.attempts {
			if rows.attempts[j].Service.Addr().As4()[3]%3 == byte(i) {
				some.attempts, some.services = append(some.attempts, rows.attempts[j]), append(some.services, rows.services[j])
			}
		}
		parts = append(parts, write(t, t.TempDir(), some))
	}
	dir := t.TempDir()
	d := joined(t, dir, parts...)
	if err := d.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if whole := write(t, t.TempDir(), rows); whole.Digest() != d.Digest() {
		t.Errorf("the digest is %s, that of one part %s", d.Digest(), whole.Digest())
	}
	if d := diff(rows.expected(), read(t, dir).expected()); d != "" {
		t.Error(d)
	}
}
