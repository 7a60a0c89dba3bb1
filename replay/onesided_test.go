package replay_test

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// What is left of a lab run's packets tells what it can: one in a hundred lost to the capture, the services' alone, the
// scanner's alone.
func TestObservedInPart(t *testing.T) {
	p := lossy(t)
	type count struct{ services, found, states, labels, data, acks, wrong int }
	counts := map[string]*count{}
	parts := map[string]func(s *packet.Segment, lost bool, own netip.Addr) bool{
		"all":              func(*packet.Segment, bool, netip.Addr) bool { return true },
		"1 % lost":         func(_ *packet.Segment, lost bool, _ netip.Addr) bool { return !lost },
		"services' side":   func(s *packet.Segment, _ bool, own netip.Addr) bool { return s.Src.Addr() != own },
		"scanner's side":   func(s *packet.Segment, _ bool, own netip.Addr) bool { return s.Src.Addr() == own },
		"each frame twice": nil,
	}
	for seed := range uint64(60) {
		dir := scan(t, p, seed, 0, 40)
		played := play(t, dir, 1)
		m := played.Manifest
		if m.EphemeralProbes > 0 || len(m.Followup) > 0 || m.Revisit > 0 {
			continue // other addresses, and attempts that do not count
		}
		for name, keep := range parts {
			found := inPart(t, dir, func(s *packet.Segment, lost bool) bool { return keep == nil || keep(s, lost, m.Sources[0]) }, keep == nil)
			c := counts[name]
			if c == nil {
				c = &count{}
				counts[name] = c
			}
			for _, s := range played.Services {
				c.services++
				is := found[s.Service]
				if is == nil {
					continue
				}
				c.found++
				if is.State == s.State {
					c.states++
				} else if is.State > s.State && is.State >= session.AcksData {
					c.wrong++ // it claims more than there was
				}
				if is.Label == s.Label {
					c.labels++
				}
				if s.State == session.SendsData && is.State == session.SendsData {
					c.data++
				}
				if s.State >= session.AcksData {
					c.acks++
				}
			}
		}
	}
	for name, c := range counts {
		t.Logf("%-17s %+v", name, *c)
	}
	sure := func(name string, got, of, percent int) {
		if got*100 < of*percent || of == 0 {
			t.Errorf("%s: %d of %d, less than %d %%", name, got, of, percent)
		}
	}
	all, lost, servers, scanners, twice := counts["all"], counts["1 % lost"], counts["services' side"], counts["scanner's side"], counts["each frame twice"]
	sure("all", all.states, all.services, 100)
	sure("each frame twice", twice.states, twice.services, 100)
	sure("states, 1 % lost", lost.states, lost.services, 96)
	sure("services' side", servers.found, servers.services, 100)
	sure("labels, services' side", servers.labels, servers.services, 97)
	sure("data, scanner's side", scanners.data, all.data, 50) // which a scanner that resets does not acknowledge
	for name, c := range counts {
		if c.wrong > 0 {
			t.Errorf("%s: %d services do less than they are said to", name, c.wrong)
		}
	}
}

// inPart observes those packets of a run that keep takes, each twice if that is asked for. One in a hundred is lost.
func inPart(t *testing.T, dir string, keep func(s *packet.Segment, lost bool) bool, twice bool) map[netip.AddrPort]*session.Service {
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows := &rows{}
	o := session.NewObserver(session.Defaults().ResponseLimit, rows.Attempt)
	random := rand.New(rand.NewPCG(1, 1))
	for {
		var f record.Frame
		if err := r.Next(&f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var s packet.Segment
		if s.Decode(f.LinkType, f.Data) != nil {
			continue
		}
		s.Time, s.Number = f.Time, f.Number
		if keep(&s, random.IntN(100) == 0) {
			o.Observe(&s)
			if twice {
				o.Observe(&s)
			}
		}
	}
	if err := o.End(); err != nil {
		t.Fatal(err)
	}
	found := map[netip.AddrPort]*session.Service{}
	sums := map[netip.AddrPort]*session.Summary{}
	slices.SortFunc(rows.attempts, func(a, b *session.Attempt) int { return cmp.Compare(a.Number, b.Number) })
	for _, a := range rows.attempts {
		if sums[a.Service] == nil {
			sums[a.Service] = &session.Summary{}
		}
		sums[a.Service].Add(a)
	}
	for at, sum := range sums {
		if s, ok := sum.Service(); ok {
			found[at] = s
		}
	}
	return found
}
