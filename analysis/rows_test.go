package analysis

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"laserdisc/analysis/asn"
	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// same compares rows as a reader sees them: a handshake by its name, nothing as nothing, and only what a table holds.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b *handshake.Protocol) bool { return a.Name == b.Name }),
	cmpopts.IgnoreFields(handshake.Match{}, "Bytes"),
	cmpopts.IgnoreUnexported(session.Service{}),
}

const second = int64(1e9)

// begin is 2026-11-22 04:00 UTC and 123,456,789 ns: a time that shows any rounding.
const begin = 1795320000*second + 123456789

// tables are rows for a dataset.
type tables struct {
	attempts []attempt
	services []service
}

// examples are rows of each sort, in order.
func examples() tables {
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

	followup := at("10.0.0.1", 80, 3, "http")
	followup.Visit, followup.Delay = session.Followup, 120_000

	reset := at("10.0.0.1", 443, 0, "tls")
	reset.State, reset.RST, reset.ResetTTL, reset.ResetText = session.ResetAfterHandshake, true, 255, []byte("BIG-IP System\x80")

	six := at("2001:db8::1", 65535, 0, "tls")

	var rows tables
	for _, a := range []session.Attempt{silent, unreachable, zero, data, followup, reset, six} {
		rows.attempts = append(rows.attempts, attempt{Attempt: &a})
	}
	for _, s := range []session.Service{
		{Service: netip.MustParseAddrPort("9.0.0.1:80"), Handshake: "wait", Attempts: 1, First: begin, End: begin + 1},
		{Service: netip.MustParseAddrPort("10.0.0.1:443"), State: session.SendsData, Label: "tls", Evidence: handshake.Likely,
			Handshake: "tls", Attempts: 3, First: begin, End: begin + second, Window: 1, TTL: 128, Layout: "M", Frame: 3, Response: []byte{0, 0xff}},
		{Service: netip.MustParseAddrPort("[2001:db8::1]:80"), State: session.Shunned, Handshake: "http", Attempts: 2, First: begin, End: begin},
	} {
		rows.services = append(rows.services, service{Service: &s})
	}
	rows.services[1].Origin = asn.Origin{Prefix: netip.MustParsePrefix("10.0.0.0/8"), ASN: math.MaxUint32, Name: "Example"}
	return rows
}

// anyAddress is often one of a few, so that some rows are of one service.
func anyAddress() *rapid.Generator[netip.Addr] {
	return rapid.OneOf(
		rapid.SampledFrom([]netip.Addr{
			netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("9.0.0.1"),
			netip.IPv6Unspecified(), netip.MustParseAddr("::ffff:9.0.0.1"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		}),
		rapid.Custom(func(t *rapid.T) netip.Addr {
			return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4")))
		}),
		rapid.Custom(func(t *rapid.T) netip.Addr {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "IPv6")))
		}),
	)
}

func anyEndpoint() *rapid.Generator[netip.AddrPort] {
	return rapid.Custom(func(t *rapid.T) netip.AddrPort {
		port := rapid.OneOf(rapid.SampledFrom([]uint16{0, 80, 65535}), rapid.Uint16())
		return netip.AddrPortFrom(anyAddress().Draw(t, "addr"), port.Draw(t, "port"))
	})
}

var (
	anyTime  = rapid.OneOf(rapid.Int64Range(0, 7e18), rapid.SampledFrom([]int64{0, 1, -1, math.MinInt64 + 1, math.MaxInt64}))
	anyCount = rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, math.MaxUint32), rapid.Just(math.MaxUint32))
	anyFrame = rapid.Uint64Max(math.MaxInt64)
	anyName  = rapid.SampledFrom([]string{"", "wait", "http", "tls", "of another version", strings.Repeat("long ", 100)})
	anyBytes = rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 40), rapid.Just([]byte{0}))
	anyRun   = rapid.OneOf(rapid.Just(0), rapid.IntRange(0, math.MaxUint16))
)

// anyAttempt draws every field at random, so that a column that is read from or written to the wrong one shows.
func anyAttempt() *rapid.Generator[attempt] {
	return rapid.Custom(func(t *rapid.T) attempt {
		a := session.Attempt{
			Service: anyEndpoint().Draw(t, "service"), Number: anyCount.Draw(t, "number"),
			Visit:     session.Visit(rapid.IntRange(0, int(session.Followup)).Draw(t, "visit")),
			Handshake: &handshake.Protocol{Name: anyName.Draw(t, "handshake")},
			Source:    anyEndpoint().Draw(t, "source"),
			State:     session.State(rapid.IntRange(0, int(session.SendsData)).Draw(t, "state")),
			SYNTime:   anyTime.Draw(t, "syn"), SYNACKTime: anyTime.Draw(t, "synack"), AckTime: anyTime.Draw(t, "ack"),
			DataTime: anyTime.Draw(t, "data"), End: anyTime.Draw(t, "end"),
			Window: rapid.Uint16().Draw(t, "window"), Layout: rapid.StringMatching(`[MSTNWE?]{0,40}`).Draw(t, "layout"),
			SYNACKTTL: rapid.Byte().Draw(t, "ttl"), DataTTL: rapid.Byte().Draw(t, "ttl"), ResetTTL: rapid.Byte().Draw(t, "ttl"),
			SYNACKs: anyCount.Draw(t, "synacks"), Retransmits: anyCount.Draw(t, "retransmits"),
			SentBytes: anyCount.Draw(t, "sent"), AckedBytes: anyCount.Draw(t, "acked"),
			Seen: session.Seen(rapid.IntRange(0, int(session.SeenOngoing)).Draw(t, "seen")),
			FIN:  rapid.Bool().Draw(t, "fin"), RST: rapid.Bool().Draw(t, "rst"),
			ResetText: anyBytes.Draw(t, "text"), ICMP: packet.ICMP(rapid.Uint16().Draw(t, "icmp")),
			FirstFrame: anyFrame.Draw(t, "first"), LastFrame: anyFrame.Draw(t, "last"),
			Response: anyBytes.Draw(t, "response"), Truncated: rapid.Bool().Draw(t, "truncated"),
		}
		if rapid.Bool().Draw(t, "other") {
			a.Handshake = handshake.OtherOf(anyName.Draw(t, "said"))
		}
		a.Options.MSS, a.Options.SACK = rapid.Uint16().Draw(t, "mss"), rapid.Bool().Draw(t, "sack")
		if a.Visit == session.Followup {
			a.Delay = rapid.Uint32().Draw(t, "delay")
		}
		if a.Options.HasScale = rapid.Bool().Draw(t, "scale"); a.Options.HasScale {
			a.Options.Scale = rapid.Byte().Draw(t, "scale")
		}
		if a.Options.Timestamps = rapid.Bool().Draw(t, "timestamps"); a.Options.Timestamps {
			a.Options.TSVal, a.Options.TSEcr = rapid.Uint32().Draw(t, "tsval"), rapid.Uint32().Draw(t, "tsecr")
		}
		if rapid.Bool().Draw(t, "reporter") {
			a.Reporter = anyAddress().Draw(t, "reporter")
		}
		a.Verdict.Label = anyName.Draw(t, "label")
		a.Verdict.Evidence = handshake.Evidence(rapid.IntRange(0, int(handshake.Certain)).Draw(t, "evidence"))
		for range rapid.IntRange(0, 3).Draw(t, "matches") {
			a.Verdict.Matches = append(a.Verdict.Matches, handshake.Match{
				Protocol: &handshake.Protocol{Name: anyName.Draw(t, "match")},
				Evidence: handshake.Evidence(rapid.IntRange(int(handshake.Weak), int(handshake.Certain)).Draw(t, "evidence")),
			})
		}
		a.Verdict.Bytes = anyCount.Draw(t, "bytes")
		return attempt{Attempt: &a, Run: anyRun.Draw(t, "run")}
	})
}

func anyOrigin() *rapid.Generator[asn.Origin] {
	return rapid.Custom(func(t *rapid.T) asn.Origin {
		o := asn.Origin{ASN: rapid.Uint32().Draw(t, "asn"), Name: rapid.StringMatching(`[A-Za-zäöü ,.]{0,20}`).Draw(t, "name")}
		if rapid.Bool().Draw(t, "announced") {
			addr := anyAddress().Draw(t, "prefix")
			o.Prefix = netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
		}
		return o
	})
}

// anyService draws every field of the table at random.
func anyService() *rapid.Generator[service] {
	return rapid.Custom(func(t *rapid.T) service {
		return service{Run: anyRun.Draw(t, "run"), Origin: anyOrigin().Draw(t, "origin"), Service: &session.Service{
			Service: anyEndpoint().Draw(t, "service"),
			State:   session.State(rapid.IntRange(0, int(session.SendsData)).Draw(t, "state")),
			Label:   anyName.Draw(t, "label"), Evidence: handshake.Evidence(rapid.IntRange(0, int(handshake.Certain)).Draw(t, "evidence")),
			Handshake: anyName.Draw(t, "handshake"), Attempts: anyCount.Draw(t, "attempts"),
			First: anyTime.Draw(t, "first"), End: anyTime.Draw(t, "end"),
			Window: rapid.Uint16().Draw(t, "window"), TTL: rapid.Byte().Draw(t, "ttl"),
			Layout: rapid.StringMatching(`[MSTNWE?]{0,40}`).Draw(t, "layout"), Frame: anyFrame.Draw(t, "frame"),
			Response: anyBytes.Draw(t, "response"),
		}}
	})
}

// many are rows enough for several row groups, with a layout that no dictionary could hold.
func many(n int) tables {
	random := rand.New(rand.NewPCG(7, 7))
	sorts := examples()
	var rows tables
	for i := range n {
		a, s := *sorts.attempts[random.IntN(len(sorts.attempts))].Attempt, *sorts.services[random.IntN(len(sorts.services))].Service
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], random.Uint32())
		a.Service = netip.AddrPortFrom(netip.AddrFrom4(addr), uint16(random.Uint32()))
		a.Layout = strings.Repeat("M", random.IntN(20)) + strings.Repeat("N", random.IntN(20))
		a.FirstFrame = uint64(i)
		s.Service, s.Layout, s.Frame = a.Service, a.Layout, a.FirstFrame
		rows.attempts, rows.services = append(rows.attempts, attempt{Attempt: &a}), append(rows.services, service{Service: &s})
	}
	return rows
}

// shuffled are the same rows in another order, of which there are as many as seeds.
func (rows tables) shuffled(seed uint64) tables {
	random := rand.New(rand.NewPCG(seed, 2))
	c := tables{slices.Clone(rows.attempts), slices.Clone(rows.services)}
	random.Shuffle(len(c.attempts), func(i, j int) { c.attempts[i], c.attempts[j] = c.attempts[j], c.attempts[i] })
	random.Shuffle(len(c.services), func(i, j int) { c.services[i], c.services[j] = c.services[j], c.services[i] })
	return c
}

// expected are the rows in the order of a dataset, without what it leaves out: all but the first of several answers that
// refuse one attempt. Rows of equal keys stay in their order.
func (rows tables) expected() tables {
	return tables{expected(attempts, rows.attempts), expected(services, rows.services)}
}

func expected[R any](t *table[R], rows []R) []R {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b R) int { ka, kb := t.key(&a), t.key(&b); return slices.Compare(ka[:], kb[:]) })
	var counted []R
	for i := range sorted {
		if i > 0 && t.refused(&sorted[i]) {
			if last, k := t.key(&sorted[i-1]), t.key(&sorted[i]); sameAttempt(last[:], k[:]) {
				continue
			}
		}
		counted = append(counted, sorted[i])
	}
	return counted
}

// manifest is a run's.
func manifest() *record.Manifest {
	return &record.Manifest{Format: record.ManifestFormat, Laserdisc: "test", Synthetic: "rows"}
}

// build makes a dataset of rows, whose hosts are dealt to so many partitions, in the order in which they are.
func build(dir string, rows tables, partitions int, o Options) (*Dataset, error) {
	b, err := Create(dir, o)
	if err != nil {
		return nil, err
	}
	var list []*Partition
	for range partitions {
		list = append(list, b.Partition(partitions))
	}
	of := func(a netip.Addr) *Partition {
		bytes := a.As16()
		return list[int(bytes[15])%partitions]
	}
	for i := 0; err == nil && i < len(rows.attempts); i++ {
		p := of(rows.attempts[i].Service.Addr())
		p.run = rows.attempts[i].Run
		err = p.Attempt(rows.attempts[i].Attempt)
	}
	for i := 0; err == nil && i < len(rows.services); i++ {
		p := of(rows.services[i].Service.Service.Addr())
		p.run = rows.services[i].Run
		err = add(p, services, &rows.services[i]) // with its origin, which Partition.Service would look up
	}
	if err != nil {
		return nil, errors.Join(err, b.Abort())
	}
	return b.Close(context.Background(), []*record.Manifest{manifest()})
}

// write makes a dataset of one partition.
func write(t testing.TB, dir string, rows tables) *Dataset {
	t.Helper()
	d, err := build(dir, rows, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// read gives the rows of the dataset in dir, in their order.
func read(t testing.TB, dir string) tables {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var rows tables
	if err := d.EachAttempt(t.Context(), func(a *session.Attempt, run int) error {
		rows.attempts = append(rows.attempts, attempt{a.Clone(), run})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.eachService(t.Context(), func(s *service) error {
		rows.services = append(rows.services, service{s.Service.Clone(), s.Run, s.Origin})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

// diff compares rows.
func diff(want, got tables) string {
	return cmp.Diff(want.attempts, got.attempts, same) + cmp.Diff(want.services, got.services, same)
}

// joined makes one dataset of many parts, of the parts of several of disjoint hosts.
func joined(t testing.TB, dir string, of ...*Dataset) *Dataset {
	t.Helper()
	h := header{Format: Format, Runs: []*record.Manifest{manifest()}}
	for i, d := range of {
		for _, tables := range []struct{ whole, part *tableHeader }{{&h.Attempts, &d.header.Attempts}, {&h.Services, &d.header.Services}} {
			for _, p := range tables.part.Parts {
				name := strings.Replace(p.Name, ".parquet", "-"+string(rune('a'+i))+".parquet", 1)
				copyFile(t, filepath.Join(d.dir, p.Name), filepath.Join(dir, name))
				p.Name = name
				tables.whole.Parts = append(tables.whole.Parts, p)
			}
			tables.whole.Rows += tables.part.Rows
			tables.whole.Digest.Add(tables.part.Digest)
		}
	}
	if err := h.write(dir); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rowGroups are the numbers of rows in the row groups of a Parquet file.
func rowGroups(t testing.TB, path string) (rows []int64) {
	t.Helper()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range r.NumRowGroups() {
		rows = append(rows, r.MetaData().RowGroup(i).NumRows())
	}
	return rows
}
