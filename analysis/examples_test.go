package analysis

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/capture/session"
)

const examplesText = `
addr         port  state       label  evidence  asn
198.18.0.10  80    sends_data  http   certain   64500
198.18.0.10  443   closed      -      none      64500
198.18.0.9   80    sends_data  http   likely    64500
198.18.0.9   81    acks_data   -      none      64500
198.18.1.1   80    sends_data  http   weak      64501
198.18.1.1   81    acks_data   -      none      64500
2001:db8::1  80    sends_data  http   certain   64502
`

// The first of each kind is the one with the lowest address, as a number.
func TestExamples(t *testing.T) {
	e := new(Examples)
	if err := e.Add(batchOf(t, e, examplesText)); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr
	want := []KindExample{
		{Addr: addr("198.18.0.9"), Port: 80, State: session.SendsData, Label: "http", ASN: 64500},
		{Addr: addr("198.18.0.9"), Port: 81, State: session.AcksData, ASN: 64500},
		{Addr: addr("198.18.1.1"), Port: 80, State: session.SendsData, ASN: 64501},
		{Addr: addr("2001:db8::1"), Port: 80, State: session.SendsData, Label: "http", ASN: 64502},
	}
	if d := cmp.Diff(want, e.List(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if err := e.Add(batchOf(t, e, "addr port state label evidence asn\n198.18 80 silent - none 1")); err == nil {
		t.Error("no error for an address that is none")
	}
}

// What is found of a service is what the tables have, in one part or many, and in one row group or more.
func TestAt(t *testing.T) {
	rows := many(groupRows + 1000)
	for i := range rows.attempts { // a service in both row groups, wherever they are cut
		if i%1000 == 0 {
			rows.attempts[i].Service = netip.MustParseAddrPort("128.0.0.1:80")
			rows.attempts[i].Number = i
		}
	}
	whole := write(t, t.TempDir(), rows)
	parts, err := build(t.TempDir(), rows, 2, Options{Parts: 3})
	if err != nil {
		t.Fatal(err)
	}
	describe := func(a *session.Attempt) string { return fmt.Sprint(a.Number, a.Visit, a.State, a.Source, a.FirstFrame) }
	want, services := make(map[netip.AddrPort][]string), make(map[netip.AddrPort]int)
	for _, a := range rows.expected().attempts {
		want[a.Service] = append(want[a.Service], describe(a.Attempt))
	}
	for _, s := range rows.services {
		services[s.Service.Service]++
	}
	asked := []netip.AddrPort{netip.MustParseAddrPort("128.0.0.1:80"), netip.MustParseAddrPort("0.0.0.0:1"), netip.MustParseAddrPort("[ffff::1]:1")}
	for i := range 20 {
		asked = append(asked, rows.attempts[i*6000+1].Service)
	}
	for _, d := range []*Dataset{whole, parts} {
		for _, at := range asked {
			tried, err := d.AttemptsAt(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			found, err := d.ServicesAt(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range tried {
				got = append(got, describe(a))
			}
			if d := cmp.Diff(want[at], got); d != "" || len(found) != services[at] {
				t.Errorf("%v: %d services, want %d: %s", at, len(found), services[at], d)
			}
		}
	}
}
