package record

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

var began = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// shardOf is the manifest of one shard of a scan, which took a minute and began so many minutes after the first.
func shardOf(number, of uint64) *Manifest {
	start := began.Add(time.Duration(number) * time.Minute)
	m := &Manifest{
		Format: ManifestFormat, Laserdisc: "1.0", Revision: "r", Start: start, End: start.Add(time.Minute), EndedBy: EndedTargets,
		Arguments: []string{"laserdisc", "scan"}, Seed: 7, TargetDigest: "d", TargetCount: 10 + number,
		Targets: json.RawMessage(`{"targets":["10.0.0.0/8"],"ports":"80","seed":"7","shard":"` + string('0'+rune(number)) + `/4"}`),
		Sample:  &target.Sample{Unit: "service", Numerator: 1, Denominator: 1, Drawn: 50, Of: 50, Shard: number, Shards: of},
		Probes:  1, Rate: 100, MaxTargets: 5, Settings: session.Defaults(), Chunks: 2,
		Counters: Counters{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 12, 13, 14, 15}, Drops: Drops{1, 2},
	}
	m.Sources = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(number)})}
	return m
}

func join(t *testing.T, list ...*Manifest) *Manifest {
	t.Helper()
	m, err := JoinShards(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckShards(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestJoinShards(t *testing.T) {
	one, two, three, four := shardOf(1, 4), shardOf(2, 4), shardOf(3, 4), shardOf(4, 4)
	three.EndedBy, three.NotProbed, three.Revision, three.MaxTargets = EndedMaxResults, 3, "other", 0
	whole := join(t, three, one, four, two)
	want := *one
	want.Revision, want.Start, want.End = "", began.Add(time.Minute), began.Add(5*time.Minute)
	want.EndedBy, want.NotProbed, want.TargetCount = EndedMaxResults, 3, 10+1+10+2+10+3+10+4
	want.Targets = json.RawMessage(`{"targets":["10.0.0.0/8"],"ports":"80","seed":"7"}`)
	want.Sample = &target.Sample{Unit: "service", Numerator: 1, Denominator: 1, Drawn: 50, Of: 50, Shard: 1, Shards: 1}
	want.Rate, want.MaxTargets, want.Chunks = 400, 0, 8
	want.Sources = []netip.Addr{one.Sources[0], two.Sources[0], three.Sources[0], four.Sources[0]}
	want.Counters = Counters{4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 64, 48, 52, 56, 60}
	want.Drops = Drops{4, 8}
	want.Shards = []*Manifest{one, two, three, four}
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if d := cmp.Diff(&want, whole, same); d != "" {
		t.Error(d)
	}
	if whole.IsShard() || whole.Missing() != "" || len(one.Sources) != 1 || one.Rate != 100 {
		t.Errorf("of the whole %q is missing; or the first shard has become another: %+v", whole.Missing(), one)
	}

	// What was joined can be joined further, in any order.
	if d := cmp.Diff(whole, join(t, join(t, four, two), join(t, three, one)), same); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(whole, join(t, join(t, one, three, two), four), same); d != "" {
		t.Error(d)
	}

	// A shard whose record was not closed leaves the whole without an end.
	two.End, two.EndedBy = time.Time{}, ""
	if m := join(t, one, two, three, four); !m.End.IsZero() || m.EndedBy != "" {
		t.Errorf("ended %v by %q", m.End, m.EndedBy)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		has  string // numbers of shards
		of   uint64
		want string
	}{
		{"1", 2, "2"}, {"2", 2, "1"}, {"12", 2, ""}, {"1", 9, "2-9"}, {"249", 9, "1, 3, 5-8"}, {"1", 1 << 63, "2-9223372036854775808"},
	} {
		var list []*Manifest
		for _, digit := range c.has {
			list = append(list, shardOf(uint64(digit-'0'), c.of))
		}
		m := join(t, list...)
		if got := m.Missing(); got != c.want {
			t.Errorf("of %s, of %d, %q is missing, not %q", c.has, c.of, got, c.want)
		}
		if c.want != "" && (!m.IsShard() || m.Sample.Shard != 0 || m.Sample.Shards != c.of) {
			t.Errorf("of %s, of %d: %+v", c.has, c.of, m.Sample)
		}
	}
}

// TestOneScan has every change that makes a shard another scan's, and those that do not.
func TestOneScan(t *testing.T) {
	for _, c := range []struct {
		change func(*Manifest)
		want   string // in the error; "" is none
	}{
		{func(m *Manifest) {}, ""},
		{func(m *Manifest) { m.Sources, m.Rate, m.Link.Interface, m.MaxRuntime = nil, 1, "eth7", 1 }, ""},
		{func(m *Manifest) { m.Revision, m.Arguments, m.Lists = "x", nil, []target.List{{}} }, ""},
		{func(m *Manifest) { m.Seed, m.TargetDigest, m.DrawKey = 8, "e", session.KeyOf(8) }, `seed is "8", not "7"`},
		{func(m *Manifest) { m.TargetDigest = "e" }, `target_digest is "e", not "d"`},
		{func(m *Manifest) { m.DrawKey = session.KeyOf(8) }, "draw_key is "},
		{func(m *Manifest) { m.Handshakes = []string{"wait"} }, `handshakes is ["wait"], not ["wait","tls"`},
		{func(m *Manifest) { m.Timeout *= 2 }, `timeout is "10s", not "5s"`},
		{func(m *Manifest) { m.EphemeralProbes = 5 }, "ephemeral_probes is 5, not 0"},
		{func(m *Manifest) { m.Probes = 2 }, "probes is 2, not 1"},
		{func(m *Manifest) { m.Synthetic = "lab" }, `synthetic is "lab", not ""`},
		{func(m *Manifest) { m.Laserdisc = "2.0" }, `laserdisc is "2.0", not "1.0"`},
		{func(m *Manifest) { m.Sample.Shards = 5 }, `sample is {`},
		{func(m *Manifest) { m.Domain = &target.Domain{} }, `domain is {"addresses":0,"ports":0,"services":0}, not missing`},
		{func(m *Manifest) { m.Sample = nil }, "it is not a shard"},
		{func(m *Manifest) { m.Sample.Shards = 1 }, "it is not a shard"},
		{func(m *Manifest) { m.Probes, m.Push = 2, true }, "probes is 2, not 1; push is true, not false"},
	} {
		other := shardOf(2, 4)
		c.change(other)
		err := shardOf(1, 4).OneScan(other)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v, but it is one scan", err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%v, not %q", err, c.want)
		}
	}
}

// TestCheckShards has what a file may claim.
func TestCheckShards(t *testing.T) {
	joined := func(change func(*Manifest)) *Manifest {
		m := join(t, shardOf(1, 4), shardOf(2, 4))
		change(m)
		return m
	}
	for _, m := range []*Manifest{
		shardOf(0, 4), shardOf(5, 4),
		joined(func(m *Manifest) { m.Shards = append(m.Shards, nil) }),
		joined(func(m *Manifest) { m.Shards[1] = m.Shards[0] }),
		joined(func(m *Manifest) { m.Shards[0] = shardOf(3, 4) }),
		joined(func(m *Manifest) { m.Shards[1].Sample = nil }),
		joined(func(m *Manifest) { m.Shards[1].Sample.Shard = 9 }),
		joined(func(m *Manifest) { m.Shards[0].Shards = m.Shards }),
	} {
		if m.CheckShards() == nil {
			t.Errorf("nothing is wrong with %+v, %+v", m.Sample, m.Shards)
		}
	}
	for _, m := range []*Manifest{shardOf(1, 1), shardOf(4, 4), {}} {
		if err := m.CheckShards(); err != nil {
			t.Error(err)
		}
	}
}
