package lab_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
)

func everything(n *lab.Network, ports []uint16) (targets []netip.AddrPort) {
	for _, p := range n.Prefixes() {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			for _, port := range ports {
				targets = append(targets, netip.AddrPortFrom(a, port))
			}
		}
	}
	return targets
}

// With loss, what a scan gets wrong was lost: each such service has packets in the log.
func TestWhatIsMissedWasLost(t *testing.T) {
	ports := []uint16{80, 443, 22, 25}
	handshakes, err := handshake.Parse("wait,tls,http,dns,redis,newlines")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"wait", "tls", "http", "dns", "redis", "newlines"}
	for seed := range uint64(20) {
		p := load(t, "testdata/small.json")
		p.Network.Loss, p.Network.Duplicate, p.Network.Reorder = 0.01, 0.01, 0.01
		n := lab.New(p, seed)
		s := scan(t, link.NewMemory(n, 1e18), handshakes, false, everything(n, ports))
		lost := map[netip.AddrPort]int{}
		count := 0
		for l := range n.Lost() {
			lost[l.Service]++
			count++
		}
		c := n.Counters()
		if seed == 0 {
			t.Logf("%+v", c)
		}
		if count == 0 || uint64(count) > c.LostIn+c.LostOut {
			t.Errorf("seed %d: %d losses in the log, %d counted", seed, count, c.LostIn+c.LostOut)
		}
		var log strings.Builder
		if err := n.WriteLost(&log); err != nil || strings.Count(log.String(), "\n") != count {
			t.Errorf("seed %d: %v", seed, err)
		}
		wrong := 0
		for at := range n.Services(ports) {
			state, label, _ := n.Expect(at, names, false)
			got := s.services[at]
			if got.State.String() == state && got.Label == label {
				continue
			}
			if wrong++; lost[at] == 0 {
				truth, _ := n.At(at)
				t.Errorf("seed %d: %s: got %s %q, want %s %q, and nothing was lost: %+v\n%q", seed, at, got.State, got.Label, state, label, truth, s.attempts[at])
			}
		}
		t.Logf("seed %d: %d packets lost, %d services differ from the truth", seed, count, wrong)
	}
}

// recorder is a link.Peer that digests what a network says.
type recorder struct {
	*lab.Network
	sum [32]byte
}

func (r *recorder) Handle(now int64, frame []byte, emit func(int64, []byte)) {
	r.Network.Handle(now, frame, r.digest(emit))
}

func (r *recorder) Wake(now int64, emit func(int64, []byte)) { r.Network.Wake(now, r.digest(emit)) }

func (r *recorder) digest(emit func(int64, []byte)) func(int64, []byte) {
	return func(at int64, frame []byte) {
		r.sum = sha256.Sum256(append(binary.BigEndian.AppendUint64(r.sum[:], uint64(at)), frame...))
		emit(at, frame)
	}
}

// The same population, seed and frames give the same answers; another seed gives others.
func TestDeterminism(t *testing.T) {
	handshakes, err := handshake.Parse("all")
	if err != nil {
		t.Fatal(err)
	}
	run := func(seed uint64) string {
		p := load(t, "testdata/small.json")
		p.Network.Loss, p.Network.Duplicate, p.Network.Reorder = 0.05, 0.05, 0.05
		r := &recorder{Network: lab.New(p, seed)}
		scan(t, link.NewMemory(r, 1e18), handshakes, false, everything(r.Network, []uint16{80, 443, 22, 25, 7}))
		var truth strings.Builder
		if err := r.WriteTruth(&truth, []uint16{80, 443, 22, 25}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x %x", r.sum, sha256.Sum256([]byte(truth.String())))
	}
	first := run(1)
	if again := run(1); again != first {
		t.Errorf("twice the same: %s and %s", first, again)
	}
	if other := run(2); other == first {
		t.Error("two seeds give the same")
	}
}
