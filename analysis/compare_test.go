package analysis

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis/estimate"
)

func TestCompare(t *testing.T) {
	ours := OfDataset()
	if err := ours.Add(batchOf(t, ours, `
		addr     port state       label   evidence
		10.0.0.1 80   sends_data  http    certain
		10.0.0.1 443  sends_data  tls     certain
		10.0.0.2 80   closed      -       none
		10.0.0.3 80   acks_data   -       none
		10.0.0.4 80   all_ports   -       none
		10.0.0.5 80   zero_window -       none
		10.0.0.6 80   sends_data  unknown none
	`)); err != nil {
		t.Fatal(err)
	}
	theirs := NewFindings(Acks, Identifies)
	for _, f := range []struct {
		service string
		level   Level
		label   string
	}{
		{"10.0.0.3:80", Acks, ""}, {"10.0.0.3:80", Identifies, "ssh"}, {"10.0.0.3:80", Acks, ""}, // the best counts
		{"10.0.0.1:80", Identifies, "http"}, {"10.0.0.1:443", Identifies, "http"}, {"10.0.0.9:443", Acks, ""}, {"10.9.9.9:80", Identifies, "ssh"},
	} {
		if err := theirs.Found(netip.MustParseAddrPort(f.service), f.level, f.label); err != nil {
			t.Fatal(err)
		}
	}
	if n := theirs.Keep(func(s netip.AddrPort) bool { return s.Addr() != netip.MustParseAddr("10.9.9.9") }); n != 1 || theirs.Len() != 4 {
		t.Errorf("%d were left out, %d remain", n, theirs.Len())
	}
	want := []Agreement{
		{Level: Acks, Services: estimate.Pairs{Both: 3, First: 2, Second: 1}, Hosts: estimate.Pairs{Both: 2, First: 2, Second: 1},
			ByPort: map[uint16]estimate.Pairs{80: {Both: 2, First: 2}, 443: {Both: 1, Second: 1}}},
		{Level: Identifies, Services: estimate.Pairs{Both: 2, Second: 1}, Hosts: estimate.Pairs{Both: 1, Second: 1}, Same: 1,
			ByPort: map[uint16]estimate.Pairs{80: {Both: 1, Second: 1}, 443: {Both: 1}}},
	}
	got := Compare(ours, theirs)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	first, second := got[0].Ports()
	if d := cmp.Diff([][]float64{{80, 80, 80, 80, 443}, {80, 80, 443, 443}}, [][]float64{first, second}); d != "" {
		t.Error(d)
	}
	// A comparison the other way round, of findings that come in two parts.
	half := NewFindings(Acks, Identifies)
	if err := half.Merge(theirs); err != nil {
		t.Fatal(err)
	}
	back := Compare(half, ours)[1]
	if back.Same != 1 || back.Services.First != 1 || back.Services.Both != 2 {
		t.Errorf("%+v", back)
	}
	if err := half.Merge(ours); err == nil {
		t.Error("what tells of other levels is merged")
	}
}
