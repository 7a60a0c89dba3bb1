package analysis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// same compares rows as a reader sees them: a handshake by its name, nothing as nothing.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b *handshake.Protocol) bool { return a.Name == b.Name }),
	cmpopts.IgnoreFields(handshake.Match{}, "Bytes"),
}

const second = int64(1e9)

// begin is 2026-11-22 04:00 UTC and 123,456,789 ns: a time that shows any rounding.
const begin = 1795320000*second + 123456789

// examples are attempts of each sort, in order.
func examples() []session.Attempt {
	at := func(addr string, port uint16, number int, name string) session.Attempt {
		return session.Attempt{
			Service: netip.AddrPortFrom(netip.MustParseAddr(addr), port), Number: number,
			Handshake: &handshake.Protocol{Name: name},
			Source:    netip.MustParseAddrPort("192.0.2.1:61000"), End: begin + 9*second,
			Verdict: handshake.Verdict{Evidence: handshake.None},
		}
	}
	silent := at("9.0.0.1", 80, 0, "wait")

	unreachable := at("9.0.0.2", 80, 0, "http")
	unreachable.State, unreachable.ICMP = session.Unreachable, 3<<8
	unreachable.Reporter, unreachable.FirstFrame, unreachable.LastFrame = netip.MustParseAddr("9.0.0.254"), 7, 7

	zero := at("10.0.0.1", 80, 0, "http")
	zero.State, zero.SYNACKs, zero.SYNACKTime, zero.SYNACKTTL = session.ZeroWindow, 1, begin, 64

	data := at("10.0.0.1", 80, 1, "http")
	data.State, data.SYNACKs, data.Window = session.SendsData, 1, 65535
	data.SYNTime, data.SYNACKTime, data.AckTime, data.DataTime = begin-1, begin, begin+1, begin+2
	data.Options = packet.Options{MSS: 1460, HasScale: true, SACK: true, TSVal: 1<<32 - 1, TSEcr: 0, Timestamps: true}
	data.Layout, data.SYNACKTTL, data.DataTTL, data.SentBytes, data.AckedBytes = "MSTNW", 64, 63, 40, 40
	data.FIN, data.Truncated, data.FirstFrame, data.LastFrame = true, true, 10, 1<<40
	data.Response = []byte("HTTP/1.1 200 OK\r\n\r\n\x00\xff")
	data.Verdict = handshake.Verdict{Label: "http", Evidence: handshake.Certain, Bytes: 13, Matches: []handshake.Match{
		{Protocol: &handshake.Protocol{Name: "http"}, Evidence: handshake.Certain},
		{Protocol: &handshake.Protocol{Name: "of another version"}, Evidence: handshake.Weak},
	}}

	reset := at("10.0.0.1", 443, 0, "tls")
	reset.State, reset.RST, reset.ResetTTL, reset.ResetText = session.ResetAfterHandshake, true, 255, []byte("BIG-IP System\x80")

	six := at("2001:db8::1", 65535, 0, "tls")
	return []session.Attempt{silent, unreachable, zero, data, reset, six}
}

func writeAttempts(t testing.TB, path string, rows []session.Attempt) string {
	t.Helper()
	w, err := CreateAttempts(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Append(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Digest()
}

func readAttempts(t testing.TB, path string) []session.Attempt {
	t.Helper()
	var rows []session.Attempt
	err := ReadAttempts(path, func(a *session.Attempt) error {
		rows = append(rows, *a.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestAttemptsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attempts.parquet")
	want := examples()
	shuffled := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	writeAttempts(t, path, shuffled)
	if d := cmp.Diff(want, readAttempts(t, path), same); d != "" {
		t.Error(d)
	}
}

func TestServicesRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.parquet")
	want := []session.Service{
		{Service: netip.MustParseAddrPort("9.0.0.1:80"), Handshake: "wait", Attempts: 1, First: begin, End: begin + 1},
		{Service: netip.MustParseAddrPort("9.0.0.1:443"), State: session.SendsData, Label: "tls", Evidence: handshake.Likely,
			Handshake: "tls", Attempts: 3, First: begin, End: begin + second, Window: 1, TTL: 128, Layout: "M", Frame: 3, Response: []byte{0, 0xff}},
		{Service: netip.MustParseAddrPort("[2001:db8::1]:80"), State: session.Shunned, Handshake: "http", Attempts: 2, First: begin, End: begin},
	}
	w, err := CreateServices(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if err := w.Append(&want[len(want)-1-i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got []session.Service
	err = ReadServices(path, func(s *session.Service) error {
		got = append(got, *s.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, same, cmpopts.IgnoreUnexported(session.Service{})); d != "" {
		t.Error(d)
	}
}

// anyAttempt draws every field at random, so that a column that is read from or written to the
// wrong one shows.
func anyAttempt() *rapid.Generator[session.Attempt] {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "v6") {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr")))
		}
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
	})
	endpoint := rapid.Custom(func(t *rapid.T) netip.AddrPort {
		return netip.AddrPortFrom(addr.Draw(t, "addr"), rapid.Uint16().Draw(t, "port"))
	})
	return rapid.Custom(func(t *rapid.T) session.Attempt {
		small := rapid.IntRange(0, 1<<20)
		frame := rapid.Uint64Max(1 << 62)
		when := rapid.Int64Range(0, 7e18) // to the year 2191
		a := session.Attempt{
			Service: endpoint.Draw(t, "service"), Number: small.Draw(t, "number"),
			Handshake: &handshake.Protocol{Name: rapid.SampledFrom([]string{"wait", "http", "tls"}).Draw(t, "handshake")},
			Source:    endpoint.Draw(t, "source"),
			State:     session.State(rapid.IntRange(0, int(session.SendsData)).Draw(t, "state")),
			SYNTime:   when.Draw(t, "syn"), SYNACKTime: when.Draw(t, "synack"), AckTime: when.Draw(t, "ack"),
			DataTime: when.Draw(t, "data"), End: when.Draw(t, "end"),
			Window: rapid.Uint16().Draw(t, "window"), Layout: rapid.StringMatching(`[MSTNWE?]{0,40}`).Draw(t, "layout"),
			SYNACKTTL: rapid.Byte().Draw(t, "ttl"), DataTTL: rapid.Byte().Draw(t, "ttl"), ResetTTL: rapid.Byte().Draw(t, "ttl"),
			SYNACKs: small.Draw(t, "synacks"), Retransmits: small.Draw(t, "retransmits"),
			SentBytes: small.Draw(t, "sent"), AckedBytes: small.Draw(t, "acked"),
			FIN: rapid.Bool().Draw(t, "fin"), RST: rapid.Bool().Draw(t, "rst"),
			ResetText: rapid.SliceOf(rapid.Byte()).Draw(t, "text"), ICMP: packet.ICMP(rapid.Uint16().Draw(t, "icmp")),
			FirstFrame: frame.Draw(t, "first"), LastFrame: frame.Draw(t, "last"),
			Response: rapid.SliceOf(rapid.Byte()).Draw(t, "response"), Truncated: rapid.Bool().Draw(t, "truncated"),
		}
		a.Options.MSS, a.Options.SACK = rapid.Uint16().Draw(t, "mss"), rapid.Bool().Draw(t, "sack")
		if a.Options.HasScale = rapid.Bool().Draw(t, "scale"); a.Options.HasScale {
			a.Options.Scale = rapid.Byte().Draw(t, "scale")
		}
		if a.Options.Timestamps = rapid.Bool().Draw(t, "timestamps"); a.Options.Timestamps {
			a.Options.TSVal, a.Options.TSEcr = rapid.Uint32().Draw(t, "tsval"), rapid.Uint32().Draw(t, "tsecr")
		}
		if rapid.Bool().Draw(t, "reporter") {
			a.Reporter = addr.Draw(t, "reporter")
		}
		a.Verdict.Label = rapid.SampledFrom([]string{"", "unknown", "http", "tls"}).Draw(t, "label")
		a.Verdict.Evidence = handshake.Evidence(rapid.IntRange(0, int(handshake.Certain)).Draw(t, "evidence"))
		for range rapid.IntRange(0, 3).Draw(t, "matches") {
			a.Verdict.Matches = append(a.Verdict.Matches, handshake.Match{
				Protocol: &handshake.Protocol{Name: rapid.SampledFrom([]string{"http", "tls", "ftp"}).Draw(t, "match")},
				Evidence: handshake.Evidence(rapid.IntRange(0, int(handshake.Certain)).Draw(t, "evidence")),
			})
		}
		a.Verdict.Bytes = small.Draw(t, "bytes")
		return a
	})
}

func TestAnyAttemptRoundTrips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attempts.parquet")
	want := anyAttempts(2000)
	writeAttempts(t, path, want)
	slices.SortStableFunc(want, func(a, b session.Attempt) int {
		ka, kb := attempts.key(&a), attempts.key(&b)
		return ka.compare(&kb)
	})
	if d := cmp.Diff(want, readAttempts(t, path), same); d != "" {
		t.Error(d)
	}
}

func anyAttempts(n int) []session.Attempt {
	generator := anyAttempt()
	rows := make([]session.Attempt, n)
	for i := range rows {
		rows[i] = generator.Example(i)
	}
	return rows
}

// The canonical encoding must tell any two rows apart, and stay what it is.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	rows := examples()
	digest := writeAttempts(t, filepath.Join(dir, "a"), rows)
	const want = "0c564091b268a69b77e3b1f04be54470b39092f6aac1e0e8ebe860964a7bc9f5"
	if digest != want {
		t.Errorf("digest of the examples is %s, was %s", digest, want)
	}
	slices.Reverse(rows)
	if got := writeAttempts(t, filepath.Join(dir, "b"), rows); got != digest {
		t.Error("the order of appending changes the digest")
	}
	rows[0].AckedBytes++
	if got := writeAttempts(t, filepath.Join(dir, "c"), rows); got == digest {
		t.Error("another row gives the same digest")
	}
}

// many are attempts enough for several row groups, with a layout that no dictionary could hold.
func many(n int) []session.Attempt {
	random := rand.New(rand.NewPCG(7, 7))
	kinds := examples()
	rows := make([]session.Attempt, n)
	for i := range rows {
		rows[i] = kinds[random.IntN(len(kinds))]
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], random.Uint32())
		rows[i].Service = netip.AddrPortFrom(netip.AddrFrom4(addr), uint16(random.Uint32()))
		rows[i].Layout = strings.Repeat("M", random.IntN(20)) + strings.Repeat("N", random.IntN(20))
		rows[i].FirstFrame = uint64(i)
	}
	return rows
}

func TestTwoFilesAreTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	rows := many(groupRows + 1000)
	var files [2][]byte
	for i := range files {
		path := filepath.Join(dir, "attempts.parquet")
		writeAttempts(t, path, rows)
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same rows gave different bytes")
	}
}

func TestGroupLength(t *testing.T) {
	small := slices.Repeat([]spilled{{length: 1}}, groupRows+1)
	large := []spilled{{length: groupBytes + 1}, {length: groupBytes + 1}}
	if got := []int{groupLength(small), groupLength(small[:5]), groupLength(large)}; !slices.Equal(got, []int{groupRows, 5, 1}) {
		t.Error(got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "attempts.parquet")
	w, err := CreateAttempts(path)
	if err != nil {
		t.Fatal(err)
	}
	row := examples()[0]
	if err := w.Append(&row); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("before Close: %v, %v", entries, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err = os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "attempts.parquet" {
		t.Errorf("after Close: %v, %v", entries, err)
	}
}

func TestReadStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attempts.parquet")
	writeAttempts(t, path, examples())
	stop := errors.New("stop")
	n := 0
	err := ReadAttempts(path, func(*session.Attempt) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	writeAttempts(t, path("good"), examples())
	good, err := os.ReadFile(path("good"))
	if err != nil {
		t.Fatal(err)
	}
	services, err := CreateServices(path("services"))
	if err != nil {
		t.Fatal(err)
	}
	if err := services.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("addr,port\n"), "cut": good[:len(good)/2], "headless": good[len(good)/2:],
	} {
		if err := os.WriteFile(path(name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wide := attempts
	wide.columns = slices.Clone(attempts.columns)
	wide.columns[1] = column[attempt]{name: "port", kind: text, get: func(*attempt) cell { return cell{text: "80"} }}
	writeAs(t, path("wide"), &wide)
	wrong := attempts
	wrong.columns = slices.Clone(attempts.columns)
	wrong.columns[1].get = func(a *attempt) cell { return cell{number: int64(a.Service.Port()) + 65000} }
	writeAs(t, path("wrong"), &wrong)

	for _, c := range []struct{ name, want string }{
		{"absent", "no such file"},
		{"empty", "not a table of attempts"},
		{"text", "not a table of attempts"},
		{"cut", "not a table of attempts"},
		{"headless", "not a table of attempts"},
		{"services", `not a table of attempts: it has 0 columns "attempt"`},
		{"wide", `column "port" is utf8, not int64`},
		{"wrong", `row 5, column "port": 130535 does not fit uint16`},
	} {
		err := ReadAttempts(path(c.name), func(*session.Attempt) error { return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path(c.name)) {
			t.Errorf("%s: error is %v, should say %q", c.name, err, c.want)
		}
	}
	if err := ReadAttempts(path("absent"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func writeAs(t *testing.T, path string, as *table[attempt]) {
	t.Helper()
	w, err := create(path, as)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range examples() {
		if err := w.Append(&a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzRead damages a table at one place: an error or other rows, never a panic.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "attempts.parquet")
	writeAttempts(f, path, examples())
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{})
	f.Add(uint32(len(good)-12), []byte{0xff, 0xff, 0xff})
	f.Add(uint32(len(good)/2), []byte("PAR1"))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		b := slices.Clone(good)
		copy(b[int(at)%len(b):], patch)
		r := reader[attempt]{table: &attempts, row: func(*attempt) error { return nil }, names: make(map[string]string)}
		_ = r.read(bytes.NewReader(b))
	})
}

func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "attempts.parquet")
	rows := many(200_000)
	b.ResetTimer()
	for b.Loop() {
		writeAttempts(b, path, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "attempts.parquet")
	rows := many(200_000)
	writeAttempts(b, path, rows)
	b.ResetTimer()
	for b.Loop() {
		if err := ReadAttempts(path, func(*session.Attempt) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
}
