package reports

import (
	"net/netip"
	"slices"
	"testing"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

func TestCompareOptions(t *testing.T) {
	trials := analysis.NewTrials([]string{"http", "http-options", "tls"})
	// Of each service: the states of the attempts with http, then http-options.
	for i, states := range [][2]session.State{
		{session.SendsData, session.SendsData},
		{session.SendsData, session.AcksData},
		{session.SendsData, session.AcksData},
		{session.AcksData, session.SendsData},
		{session.AcksData, session.AcksData},
	} {
		for _, port := range []uint16{8081, 80} {
			service := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, byte(i)}), port)
			for n, name := range []string{"http", "http-options"} {
				p, _ := handshake.Lookup(name)
				if err := trials.Add(&session.Attempt{Service: service, Number: n, Handshake: p, State: states[n]}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	list := compareOptions(trials)
	if len(list) != 1 || list[0].port != 8081 || list[0].counts != [3]int{2, 1, 1} {
		t.Fatalf("%+v", list)
	}
	want := [][]string{
		{"8081", "http", "only GET", "2", "0.500000", "0.270000"},
		{"8081", "http", "only OPTIONS", "1", "0.250000", "0.073000"},
		{"8081", "http", "both", "1", "0.250000", "0.657000"},
	}
	for i, row := range table3(list, "").rows {
		if !slices.Equal(row, want[i]) {
			t.Errorf("line %d is %q, not %q", i, row, want[i])
		}
	}
}
