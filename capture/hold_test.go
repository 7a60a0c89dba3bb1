package capture_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"laserdisc/capture"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// addresses are targets on one port.
type addresses struct{ next, end int }

func (a *addresses) Next() (netip.AddrPort, bool) {
	if a.next == a.end {
		return netip.AddrPort{}, false
	}
	a.next++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(a.next >> 8), byte(a.next)}), 443), true
}

func (a *addresses) Place(t netip.AddrPort) (uint64, bool) {
	b := t.Addr().As4()
	place := uint64(b[2])<<8 + uint64(b[3])
	return place, b[0] == 198 && b[1] == 18 && t.Port() == 443 && 0 < place && place <= uint64(a.end)
}

func (a *addresses) Left() uint64 { return uint64(a.end - a.next) }

// followed scans with follow-ups, and no more services in flight than most; it returns how many there were.
func followed(t *testing.T, most int) (inFlight int, m *record.Manifest, dir string) {
	t.Helper()
	m, dir = adopting(), filepath.Join(t.TempDir(), "run")
	m.Adopt, m.Rate, m.Handshakes = false, 2000, []string{"wait", "tls", "http"}
	m.Followup = []session.Duration{0, session.Duration(30 * time.Second)}
	s := capture.Scan{Dir: dir, Manifest: m, Link: lossless(t), Targets: &addresses{end: 4000}}
	s.Status = func(s capture.Status) {
		inFlight = max(inFlight, s.InFlight)
		if s.Counters.Launched < 4000 && !s.Probing {
			t.Errorf("after %v it is said that no targets are left", s.Elapsed)
		}
	}
	s.Hold(most)
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return inFlight, m, dir
}

// While as many services wait for their follow-ups as may be, no more targets are begun: memory is bounded, the scan takes
// longer, finds the same, and plays back.
func TestServicesInFlightAreBounded(t *testing.T) {
	free, whole, _ := followed(t, 1<<20)
	const most = 40
	held, m, dir := followed(t, most)
	t.Logf("%d services in flight at most, of %d; held back, %d", free, whole.Counters.Services, held)
	// A probe is answered up to 42 ms later: those of 84 are under way.
	if held > most+84 || free < 2*(most+84) {
		t.Errorf("%d services were in flight, with a bound of %d; without it %d", held, most, free)
	}
	if m.Counters.Launched != 4000 || m.EndedBy != record.EndedTargets || m.Counters.Services != whole.Counters.Services {
		t.Errorf("%d targets, ended by %s, %d services, without the bound %d", m.Counters.Launched, m.EndedBy, m.Counters.Services, whole.Counters.Services)
	}
	if a, b := m.End.Sub(m.Start), whole.End.Sub(whole.Start); a < 2*b {
		t.Errorf("it took %v, without the bound %v", a, b)
	}
	result, services, err := play(dir, 3)
	if err != nil || result.Difference != nil || uint64(len(services)) != m.Counters.Services {
		t.Errorf("playback: %d services, %v, %v", len(services), result.Difference, err)
	}
}
