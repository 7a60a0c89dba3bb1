package reports

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// sample makes up the tables of a run whose services behave about as the paper says.
type sample struct {
	random     *rand.Rand
	ports      []uint16
	services   int
	handshakes []*handshake.Protocol
	all        bool
}

func newSample(services int, handshakes string, all bool) *sample {
	list, err := handshake.Parse(handshakes)
	if err != nil {
		panic(err)
	}
	return &sample{random: rand.New(rand.NewPCG(20210811, 1)), services: services, ports: datasets.PortSets()["paper"], handshakes: list, all: all}
}

// write writes the run to dir.
func (s *sample) write(t testing.TB, dir string) {
	t.Helper()
	attempts, err := analysis.CreateAttempts(filepath.Join(dir, "attempts.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	services, err := analysis.CreateServices(filepath.Join(dir, "services.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.services {
		service, tried := s.service(i)
		if err := services.Append(&service); err != nil {
			t.Fatal(err)
		}
		for j := range tried {
			if err := attempts.Append(&tried[j]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := attempts.Close(); err != nil {
		t.Fatal(err)
	}
	if err := services.Close(); err != nil {
		t.Fatal(err)
	}
	s.manifest(t, dir, "paper")
}

func (s *sample) manifest(t testing.TB, dir, ports string) {
	t.Helper()
	start := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	m := record.Manifest{
		Format: record.ManifestFormat, Laserdisc: "0.1.0", Revision: "0123456789ab", Synthetic: "sample",
		Start: start, End: start.Add(83 * time.Second), Arguments: []string{"laserdisc", "scan", "10.0.0.0/16", "--all-handshakes"},
		Seed: 1<<64 - 1, TargetDigest: "4f1a9c0d2b3e5f60718293a4b5c6d7e8", TargetCount: 3_604_480, Rate: 50_000, Settings: session.Settings{AllHandshakes: s.all},
		Counters: record.Counters{Launched: 3_604_480, Sent: 4_123_456, SentSYN: 3_700_000, ReceivedSYNACK: uint64(s.services)},
		Drops:    record.Drops{Kernel: 12}, Link: record.Link{Kind: "packet", Interface: "veth0"},
	}
	var err error
	if m.Targets, err = json.Marshal(target.Spec{Targets: []string{"10.0.0.0/16"}, Ports: ports}); err != nil {
		t.Fatal(err)
	}
	for _, h := range s.handshakes {
		m.Handshakes = append(m.Handshakes, h.Name)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// service draws the service with a number, and the attempts at it.
func (s *sample) service(i int) (session.Service, []session.Attempt) {
	// Ports are ever less popular, as in Table 4.
	rank := min(int(s.random.ExpFloat64()*float64(len(s.ports))/4), len(s.ports)-1)
	if s.random.Float64() < 0.3 {
		rank = s.random.IntN(len(s.ports))
	}
	port := s.ports[rank]
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), port)
	sum := session.Service{Service: at, State: session.ResetAfterHandshake, Handshake: "wait", Attempts: 1}
	if s.random.Float64() < 0.25 {
		return sum, []session.Attempt{{Service: at, Handshake: s.handshakes[0], State: session.ResetAfterHandshake}}
	}
	sum.State = session.AcksData
	protocol := s.protocol(port)
	var attempts []session.Attempt
	for n, h := range s.handshakes {
		a := session.Attempt{Service: at, Number: n, Handshake: h, State: session.AcksData}
		if s.random.Float64() < answers(protocol, h) {
			a.State = session.SendsData
			a.Verdict = handshake.Verdict{Label: protocol, Evidence: handshake.Certain}
			sum.State, sum.Handshake, sum.Label, sum.Evidence = a.State, h.Name, protocol, handshake.Certain
		}
		attempts = append(attempts, a)
		if a.State == session.SendsData && !s.all {
			break
		}
	}
	return sum, attempts
}

func (s *sample) protocol(port uint16) string {
	expected := datasets.Expected(port)
	switch draw := s.random.Float64(); {
	case expected != "" && draw < 0.6:
		return expected
	case draw < 0.8:
		return "http"
	case draw < 0.9:
		return "tls"
	case draw < 0.94:
		if other := s.handshakes[s.random.IntN(len(s.handshakes))]; other.Match != nil {
			return other.Name
		}
	}
	return ""
}

var published = datasets.Matrix()

// answers is how often a protocol's services send data back to a handshake.
func answers(protocol string, h *handshake.Protocol) float64 {
	own := h.Name
	if h.Answer != "" {
		own = h.Answer
	}
	if protocol == "" {
		return 0
	}
	if protocol == own {
		return 0.98
	}
	if p, ok := published.Share(protocol, h.Name); ok {
		return p
	}
	if p, ok := published.Share(protocol, "http"); ok {
		return p * 0.9
	}
	return 0
}
