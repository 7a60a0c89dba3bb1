package replay_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// What a lossy scan's packets show to somebody who was not there is what the scan found: each
// service, its state, its label, what it said.
func TestObservedAgrees(t *testing.T) {
	p := lossy(t)
	services, scans, states := 0, 0, map[session.State]int{}
	for seed := range uint64(300) {
		dir := scan(t, p, seed, []time.Duration{0, 5 * time.Millisecond, 400 * time.Millisecond}[seed%3], 40)
		played := play(t, dir, 1)
		if played.Manifest.EphemeralProbes > 0 || len(played.Manifest.Followup) > 0 {
			continue // nobody else can know which attempts those were, and did not count
		}
		scans++
		observed, err := observe(filepath.Join(dir, "packets-00000.pcapng"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[netip.AddrPort]*session.Service{}
		for _, s := range observed.Services {
			found[s.Service] = s
		}
		for _, s := range played.Services {
			if want, got := facts(s), facts(found[s.Service]); want != got {
				t.Errorf("seed %d: %v: played back %s\nobserved %s", seed, s.Service, want, got)
			}
			delete(found, s.Service)
			services++
			states[s.State]++
		}
		for at, s := range found {
			t.Errorf("seed %d: %v: only observed: %s", seed, at, facts(s))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d scans, %d services: %v", scans, services, states)
	if scans < 50 || services < 1000 || len(states) < 9 {
		t.Error("too few to prove anything")
	}
}

// Frames that a capture has cut short, or of a link that is not known, are told of: services are missing.
func TestObserveUnread(t *testing.T) {
	dir := scan(t, lossy(t), 1, 0, 40)
	for _, c := range []struct {
		link   uint32
		length int
		says   string
	}{
		{packet.LinkEthernet, 53, "frame is shorter than its headers say"}, // tcpdump -s 53
		{195, 1500, "of link type 195 (IEEE 802.15.4): the link type is not read, first frame 1"},
	} {
		var unread uint64
		path := rewritten(t, dir, c.link, func(f *record.Frame) [][]byte {
			data := f.Data[:min(len(f.Data), c.length)]
			if c.link != packet.LinkEthernet || len(data) < len(f.Data) {
				unread++
			}
			return [][]byte{data}
		})
		observed, err := observe(path)
		if err != nil || unread == 0 || len(observed.Skipped) != 1 || observed.Skipped[0].Frames != unread || !strings.Contains(observed.Skipped[0].String(), c.says) {
			t.Errorf("%v, %d frames cannot be read: %v", err, unread, observed.Skipped)
		}
	}
}

// facts are what packets alone tell of a service.
func facts(s *session.Service) string {
	if s == nil {
		return "nothing"
	}
	said := s.Handshake // or what was to be said
	if s.State < session.AcksData {
		said = ""
	}
	return fmt.Sprintf("%v %q %v %s of %d attempts, from %v, window %d ttl %d %s, frame %d, first %d: %q",
		s.State, s.Label, s.Evidence, said, s.Attempts, s.Source, s.Window, s.TTL, s.Layout, s.Frame, s.First, s.Response)
}

// A capture that no scanner of ours made: the kernel's TCP and another scanner against real
// servers behind real firewalls, whose mechanisms are known (testdata/README.md).
func TestObserveForeignCapture(t *testing.T) {
	r, err := observe("testdata/behaviours.pcap.zst")
	if err != nil {
		t.Fatal(err)
	}
	type finding struct{ state, label string }
	found := map[string]finding{}
	for _, a := range r.Attempts {
		if !a.State.Connected() {
			found[a.Service.String()] = finding{state: a.State.String()}
		}
	}
	for _, s := range r.Services {
		found[s.Service.String()] = finding{s.State.String(), s.Label}
	}
	text, err := os.ReadFile("testdata/behaviours.tsv")
	if err != nil {
		t.Fatal(err)
	}
	table := map[[2]string]int{}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	for _, line := range lines {
		columns := strings.Split(line, "\t")
		want, got := finding{columns[1], columns[2]}, found[columns[0]]
		if got == (finding{}) {
			got.state = "no_answer" // a SYN that nothing comes back to is no attempt of its own
		}
		if want != got {
			t.Errorf("%s (%s) is %v, found %v", columns[0], columns[3], want, got)
		}
		table[[2]string{want.state, got.state}]++
		delete(found, columns[0])
	}
	for at, f := range found {
		t.Errorf("%s is not listed: %v", at, f)
	}
	for _, k := range slices.SortedFunc(maps.Keys(table), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		t.Logf("%4d  %-24s found %s", table[k], k[0], k[1])
	}
	if len(lines) < 50 || r.Packets != 4882 || r.Manifest.Observed == nil {
		t.Errorf("%d lines, %d packets, manifest %+v", len(lines), r.Packets, r.Manifest)
	}
}
