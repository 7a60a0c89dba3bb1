package analysis

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"laserdisc/analysis/estimate"
)

// TestShares counts hosts with services of a few kinds, and again each kind for itself with estimate.Hosts: the sums are the same,
// also of two parts of the hosts, merged.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type service struct {
			group uint16
			kind  string // "" is none
		}
		hosts := rapid.SliceOfN(rapid.SliceOf(rapid.Custom(func(t *rapid.T) service {
			return service{rapid.Uint16Range(1, 3).Draw(t, "group"), rapid.SampledFrom([]string{"", "http", "tls"}).Draw(t, "kind")}
		})), 0, 8).Draw(t, "hosts")
		parts := make([]Shares[uint16, string], 2)
		want := make(map[service]estimate.Hosts)
		for i, services := range hosts {
			for _, s := range services {
				part, host := &parts[i%2], fmt.Sprintf("10.0.0.%d", i)
				part.Service(host, s.group)
				if s.kind != "" {
					part.Hit(host, s.group, s.kind)
				}
			}
			for group := uint16(1); group <= 3; group++ {
				for _, kind := range []string{"http", "tls"} {
					hits, all := uint32(0), uint32(0)
					for _, s := range services {
						if s.group == group {
							all++
							if s.kind == kind {
								hits++
							}
						}
					}
					sums := want[service{group, kind}]
					sums.Add(hits, all)
					want[service{group, kind}] = sums
				}
			}
		}
		parts[0].merge(&parts[1])
		for k, sums := range want {
			if got := parts[0].Of(k.group, k.kind); got != sums {
				t.Fatalf("%s on %d: %+v, want %+v", k.kind, k.group, got, sums)
			}
		}
	})
}

func TestTally(t *testing.T) {
	tally := NewTally(func(s *Seen, to *Shares[uint16, string]) {
		to.Service(s.Addr, s.Port)
		if s.Label != "" {
			to.Hit(s.Addr, s.Port, s.Label)
		}
	})
	if err := tally.Add(batchOf(t, tally, censusText)); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Port           uint16
		Label          string
		Hits, Services int
	}
	var got []line
	for _, port := range tally.Groups() {
		for _, label := range tally.Kinds(port) {
			hits, services := tally.Services(port, label)
			got = append(got, line{port, label, hits, services})
		}
	}
	if d := cmp.Diff([]line{{22, "ssh", 1, 1}, {80, "http", 2, 5}, {443, "kubernetes", 1, 3}, {443, "tls", 1, 3}}, got); d != "" {
		t.Error(d)
	}
	if groups := tally.Groups(); len(groups) != 3 {
		t.Errorf("groups %v", groups)
	}
	if err := tally.Merge(new(Census)); err == nil {
		t.Error("a Census merged with a Tally")
	}
}
