package reports

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// twoKinds is a run over hosts of two kinds that port 80 tells apart: 200 with http there have three ports more, 200 with tls have none.
func twoKinds(t *testing.T) *analysis.Dataset {
	var services []session.Service
	var attempts []session.Attempt
	wait, _ := handshake.Lookup("wait")
	add := func(host int, port uint16, label string) {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(host / 200), byte(host % 200)}), port)
		v := handshake.Verdict{Label: label, Evidence: handshake.Certain}
		services = append(services, session.Service{Service: at, State: session.SendsData, Label: label, Evidence: v.Evidence, Handshake: wait.Name, Attempts: 1})
		attempts = append(attempts, session.Attempt{Service: at, Handshake: wait, State: session.SendsData, Verdict: v, Response: []byte("x")})
	}
	for host := range 400 {
		if host%2 == 0 {
			add(host, 80, "tls")
			continue
		}
		for _, port := range []uint16{80, 1001, 1002, 1003} {
			add(host, port, "http")
		}
	}
	s := newSample(0, "wait", false, 0)
	m := s.manifest(t, "1-2000")
	m.EndedBy = record.EndedTargets
	m.Domain = &target.Domain{Addresses: 4000, Ports: 2000, Services: 8_000_000}
	m.Sample = &target.Sample{Unit: "host", Numerator: 1, Denominator: 4, Drawn: 1000, Of: 4000, Shard: 1, Shards: 1}
	return datasetOf(t, m, services, attempts)
}

// TestPredicted: of 1,000 addresses, one probe each and 600 more find all 1,000 services; by popularity it takes 4,000.
func TestPredicted(t *testing.T) {
	shown := exhibitsOf(t, twoKinds(t))["predict"]
	if shown.Lacks != nil {
		t.Fatal("the run is no sample of hosts")
	}
	var b bytes.Buffer
	if err := writeCSV(&b, shown.table); err != nil {
		t.Fatal(err)
	}
	want := `probes,random_order,popularity,predicted,effective_networks,warning
1.000000,0.000500,0.400000,0.400000,0.000000,too few effective hosts
2.000000,0.001000,0.600000,1.000000,0.000000,too few effective hosts
5.000000,0.002500,1.000000,1.000000,0.000000,too few effective hosts
10.000000,0.005000,1.000000,1.000000,0.000000,too few effective hosts
20.00,0.010000,1.000000,1.000000,0.000000,too few effective hosts
50.00,0.025000,1.000000,1.000000,0.000000,too few effective hosts
100.00,0.050000,1.000000,1.000000,0.000000,too few effective hosts
200.00,0.100000,1.000000,1.000000,0.000000,too few effective hosts
500.00,0.250000,1.000000,1.000000,0.000000,too few effective hosts
1000.00,0.500000,1.000000,1.000000,0.000000,too few effective hosts
2000.00,1.000000,1.000000,1.000000,0.000000,too few effective hosts
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	if !strings.Contains(shown.Caption, "Too few effective hosts") {
		t.Error(shown.Caption)
	}
}
