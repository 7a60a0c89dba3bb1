package reports

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/analysis/asn"
	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// sample makes up the dataset of a run whose services behave about as the paper says.
type sample struct {
	random     *rand.Rand
	ports      []uint16
	services   int
	handshakes []*handshake.Protocol
	all        bool // whether each handshake is tried on every service
	probes     int  // ephemeral

	certificates servers.Certificates
}

// everything is handshakes enough for every exhibit.
const everything = "wait,tls,tls-legacy,http,http-options,dns,redis,smtp,tls12"

func newSample(services int, handshakes string, all bool, probes int) *sample {
	list, err := handshake.Parse(handshakes)
	if err != nil {
		panic(err)
	}
	return &sample{
		random: rand.New(rand.NewPCG(20210811, 1)), ports: datasets.PortSets()["paper"],
		services: services, handshakes: list, all: all, probes: probes, certificates: servers.Certificates{},
	}
}

// dataset writes the run to a directory of its own.
func (s *sample) dataset(t testing.TB) *analysis.Dataset {
	t.Helper()
	var services []session.Service
	var attempts []session.Attempt
	for i := range s.services {
		service, tried := s.service(i)
		services, attempts = append(services, service), append(attempts, tried...)
		if service.State == session.AllPorts { // which is seen at other ports of the host, too
			for port := range uint16(s.random.IntN(4)) {
				other := service
				other.Service = netip.AddrPortFrom(service.Service.Addr(), 30_000+port)
				services = append(services, other)
				attempts = append(attempts, session.Attempt{Service: other.Service, Handshake: s.handshakes[1], State: session.AcksData})
			}
		}
	}
	for i := range s.services / 15 {
		service, tried := s.serviceOn(s.services+i, datasets.Ephemeral()[i%5])
		services, attempts = append(services, service), append(attempts, tried...)
	}
	return datasetOf(t, s.manifest(t, "paper"), services, attempts)
}

func datasetOf(t testing.TB, m *record.Manifest, services []session.Service, attempts []session.Attempt) *analysis.Dataset {
	t.Helper()
	ases, err := asn.Open("testdata/ases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	b, err := analysis.Create(t.TempDir(), analysis.Options{ASes: ases})
	if err != nil {
		t.Fatal(err)
	}
	rows := b.Partition(1)
	for i := range attempts {
		if err := rows.Attempt(&attempts[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range services {
		if err := rows.Service(&services[i]); err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Close(t.Context(), []*record.Manifest{m})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *sample) manifest(t testing.TB, ports string) *record.Manifest {
	t.Helper()
	start := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	m := &record.Manifest{
		Format: record.ManifestFormat, Laserdisc: "0.1.0", Revision: "0123456789ab", Synthetic: "sample",
		Start: start, End: start.Add(83 * time.Second), Arguments: []string{"laserdisc", "scan", "10.0.0.0/12", "--sample", "1/16", "--sample-by", "host", "--all-handshakes"},
		Seed: 1<<64 - 1, TargetDigest: "4f1a9c0d2b3e5f60718293a4b5c6d7e8", TargetCount: 3_604_480, Rate: 50_000,
		Sample:   &target.Sample{Unit: "host", Numerator: 1, Denominator: 16, Drawn: 1 << 16, Of: 1 << 20, Shard: 1, Shards: 1},
		EndedBy:  record.EndedTargets,
		Settings: session.Settings{AllHandshakes: s.all, EphemeralProbes: s.probes, Retransmits: 1, RetransmitAfter: session.Duration(time.Second)},
		Counters: record.Counters{Launched: 3_604_480, Sent: 4_123_456, SentSYN: 3_700_000, ReceivedSYNACK: uint64(s.services)},
		Drops:    record.Drops{Kernel: 12}, Link: record.Link{Kind: "packet", Interface: "veth0"},
	}
	var err error
	if m.Targets, err = json.Marshal(target.Spec{Targets: []string{"10.0.0.0/12"}, Ports: ports, Sample: "1/16", SampleBy: "host"}); err != nil {
		t.Fatal(err)
	}
	for _, h := range s.handshakes {
		m.Handshakes = append(m.Handshakes, h.Name)
	}
	return m
}

// service draws the service with a number, and the attempts at it and at its host's ephemeral ports.
func (s *sample) service(i int) (session.Service, []session.Attempt) {
	// Ports are ever less popular, as in Table 4.
	rank := min(int(s.random.ExpFloat64()*float64(len(s.ports))/4), len(s.ports)-1)
	if s.random.Float64() < 0.3 {
		rank = s.random.IntN(len(s.ports))
	}
	return s.serviceOn(i, s.ports[rank])
}

// serviceOn draws the service with a number, on a port.
func (s *sample) serviceOn(i int, port uint16) (session.Service, []session.Attempt) {
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), port)
	sum := session.Service{Service: at, State: session.ResetAfterHandshake, Handshake: "wait", Attempts: 1}
	if s.random.Float64() < 0.25 {
		return sum, []session.Attempt{{Service: at, Handshake: s.handshakes[0], State: session.ResetAfterHandshake}}
	}
	sum.State = session.AcksData
	protocol := s.protocol(port)
	var attempts []session.Attempt
	best := handshake.Verdict{}
	for n, h := range s.handshakes {
		a := session.Attempt{Service: at, Number: n, Handshake: h, State: session.AcksData, SYNACKs: 1, SYNACKTime: 1e9}
		if h.Hello != nil {
			a.SentBytes, a.AckTime = 100, 11e8
			if i%400 == 7 {
				a.Retransmits, a.AckTime = 1, 22e8
			}
		}
		if s.random.Float64() < answers(protocol, h) {
			a.State = session.SendsData
			a.Verdict = handshake.Verdict{Label: speaks(protocol, h), Evidence: handshake.Certain}
			a.Response = s.response(at, protocol, h)
			if a.Verdict.Outranks(&best) {
				best = a.Verdict
				sum.State, sum.Handshake, sum.Label, sum.Evidence = a.State, h.Name, best.Label, best.Evidence
			}
		}
		attempts = append(attempts, a)
		if a.State == session.SendsData && !s.all {
			break
		}
	}
	if sum.State == session.AcksData && s.probes > 0 {
		probes, acked := s.ephemeral(at.Addr())
		attempts = append(attempts, probes...)
		if acked {
			sum.State = session.AllPorts
		}
	}
	return sum, attempts
}

// response is what the lab's servers say.
func (s *sample) response(at netip.AddrPort, protocol string, h *handshake.Protocol) []byte {
	kind := map[string]servers.Kind{"wait": servers.Wait, "tls12": servers.TLS, "http": servers.HTTP}[h.Name]
	index := servers.Index(protocol)
	if index < 0 || kind == servers.Wait && h.Name != "wait" {
		return nil
	}
	content := servers.Content{Maker: 0.5, KnownKey: 0.1, SharedKey: 0.4, Login: 0.25, UPnP: 0.05, DeviceSSH: 0.2}
	switch at.Port() {
	case 22, 80, 443:
		content = servers.Content{Maker: 0.1, KnownKey: 0.08, SharedKey: 0.2, Login: 0.1, UPnP: 0.02, DeviceSSH: 0.1}
	case 49152:
		content.UPnP = 0.8
	}
	key, host := draw.NewKey(1), at.Addr().As4()
	server := servers.Service{
		Host: draw.Source{Key: key, This: uint64(host[2])<<8 | uint64(host[3])}, At: at, Protocol: servers.Protocols()[index], Certificates: s.certificates,
		Answers: &servers.Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1}, Content: &content,
	}
	server.Source = draw.Source{Key: key, This: server.Host.Bits(uint64(at.Port()))}
	b, _ := server.Answer(kind, nil)
	return b
}

// ephemeral draws what the ephemeral probes of a host met, and whether it acknowledged all of them.
func (s *sample) ephemeral(host netip.Addr) (attempts []session.Attempt, all bool) {
	firewall := s.random.Float64() < 0.6
	all = true
	for n := range s.probes {
		a := session.Attempt{
			Service: netip.AddrPortFrom(host, uint16(50_000+n)), Number: n, Visit: session.Ephemeral, Handshake: s.handshakes[1],
			State: session.Closed,
		}
		if firewall || s.random.Float64() < 0.2 {
			a.State = session.AcksData
		}
		all = all && a.State == session.AcksData
		attempts = append(attempts, a)
	}
	return attempts, all
}

// speaks is how the answer of a protocol's service is labelled: that of kubernetes only where it shows its certificate.
func speaks(protocol string, h *handshake.Protocol) string {
	if protocol == "kubernetes" && h.Name != "tls" {
		return "http"
	}
	return protocol
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

var matrix = datasets.Matrix()

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
	if p, ok := matrix.Share(protocol, h.Name); ok {
		return p
	}
	if p, ok := matrix.Share(protocol, "http"); ok {
		return p * 0.9
	}
	return 0
}
