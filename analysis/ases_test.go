package analysis

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"laserdisc/analysis/asn"
	"laserdisc/capture/record"
)

// Services get who announces their address; the manifest names the file. A merge keeps both, and the digest counts both.
func TestASes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ases.txt")
	if err := os.WriteFile(path, []byte("9.0.0.0\t8\t64496\tNine\n2001:db8::\t32\t64497\tSix\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ases, err := asn.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	make := func(o Options) *Dataset {
		t.Helper()
		b, err := Create(t.TempDir(), o)
		if err != nil {
			t.Fatal(err)
		}
		p := b.Partition(1)
		for _, s := range examples().services {
			if err := p.Service(s.Service); err != nil {
				t.Fatal(err)
			}
		}
		d, err := b.Close(context.Background(), []*record.Manifest{manifest()})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	with, without := make(Options{ASes: ases}), make(Options{})
	merged, err := Merge(t.Context(), []*Dataset{with}, t.TempDir(), false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*Dataset{with, merged} {
		want := []asn.Origin{}
		for _, s := range examples().services {
			o, err := ases.Lookup(s.Service.Service.Addr())
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, o)
		}
		found := read(t, d.Dir())
		for i, s := range found.services {
			if s.Origin != want[i] {
				t.Errorf("%v is announced by %v, not %v", s.Service.Service, s.Origin, want[i])
			}
		}
		if m := d.Manifest().PrefixToAS; len(found.services) != 3 || m == nil || m.File != "ases.txt" || m.SHA256 != ases.SHA256() {
			t.Errorf("%d services, of %v", len(found.services), m)
		}
	}
	if with.Digest() != merged.Digest() || with.Digest() == without.Digest() || without.Manifest().PrefixToAS != nil {
		t.Errorf("digests %s, %s merged, %s without", with.Digest(), merged.Digest(), without.Digest())
	}
}
