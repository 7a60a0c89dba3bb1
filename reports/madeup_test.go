package reports

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// Runs for the exhibits that the sample of one scan has nothing for, or too little of.

// madeUp is the rows of a made-up run.
type madeUp struct {
	random   *rand.Rand
	services []session.Service
	attempts []session.Attempt
}

// add adds a service and one connection to it. A label is certain.
func (m *madeUp) add(host netip.Addr, port uint16, state session.State, label string) {
	at := netip.AddrPortFrom(host, port)
	s := session.Service{Service: at, State: state, Handshake: "http", Attempts: 1}
	if label != "" {
		s.Label, s.Evidence = label, handshake.Certain
	}
	m.services = append(m.services, s)
	http, _ := handshake.Lookup("http")
	a := session.Attempt{Service: at, Handshake: http, State: state, SYNACKs: 1}
	switch state {
	case session.DroppedHandshake:
		a.SYNACKs = 5 + m.random.IntN(8)
	case session.Shunned, session.Churned, session.DynamicBlocking, session.AllPorts: // which no single connection shows
		a.State = session.NoDataAck
	}
	m.attempts = append(m.attempts, a)
}

func (m *madeUp) host(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// keepsOut draws a state in which no data is acknowledged. Only a second look tells all of them.
func (m *madeUp) keepsOut(twice bool) session.State {
	states := []session.State{session.ResetAfterHandshake, session.ResetAfterHandshake, session.ClosedAfterHandshake, session.ZeroWindow, session.ZeroWindow,
		session.DroppedHandshake, session.NoDataAck, session.NoDataAck}
	if twice {
		states = append(states, session.DynamicBlocking, session.DynamicBlocking, session.Shunned, session.Churned)
	}
	return states[m.random.IntN(len(states))]
}

// ports draws hosts with a few services on the paper's ports, on the first of which there are most; a few hosts acknowledge data
// on all of them. With a second look, nothing is labelled.
func (m *madeUp) ports(hosts int, twice bool) {
	all := datasets.PortSets()["paper"]
	for i := range hosts {
		if m.random.Float64() < 0.01 {
			for _, port := range all {
				state := session.AllPorts
				if twice {
					state = session.AcksData
				}
				m.add(m.host(i), port, state, "")
			}
			continue
		}
		for _, port := range all {
			likely := 0.03
			switch port {
			case 80:
				likely = 0.95
			case 443:
				likely = 0.6
			case 7547:
				likely = 0.35
			case 22:
				likely = 0.2
			}
			if m.random.Float64() >= likely {
				continue
			}
			expected, draw := datasets.Expected(port), m.random.Float64()
			switch {
			case draw < 0.16 || likely < 0.1 && draw < 0.4:
				m.add(m.host(i), port, m.keepsOut(twice), "")
			case twice || draw < 0.5:
				m.add(m.host(i), port, session.AcksData, "")
			case expected != "" && draw < 0.85:
				m.add(m.host(i), port, session.SendsData, expected)
			default:
				m.add(m.host(i), port, session.SendsData, []string{"http", "http", "http", "tls", "ssh", "smtp", "ftp", "mysql", "redis", "telnet", "dns"}[m.random.IntN(11)])
			}
		}
	}
}

// blocks draws /24s in which few addresses, halves, or all behave alike.
func (m *madeUp) blocks(n int) {
	for block := range n {
		whole := []session.State{session.ZeroWindow, session.DynamicBlocking, session.AllPorts, session.ResetAfterHandshake}[m.random.IntN(4)]
		first, size := m.random.IntN(256), []int{0, 0, 3, 16, 100, 256}[m.random.IntN(6)]
		if size == 256 {
			first = 0
		}
		for last := range 256 {
			host := netip.AddrFrom4([4]byte{10, 9, byte(block), byte(last)})
			switch {
			case last >= first && last < first+size:
				m.add(host, 80, whole, "")
			case m.random.Float64() < 0.1:
				m.add(host, 80, session.SendsData, "http")
			case m.random.Float64() < 0.05:
				m.add(host, 80, m.keepsOut(true), "")
			}
		}
	}
}

// everywhere draws hosts with few unknown services, and some with one on nearly every port.
func (m *madeUp) everywhere(few, many int) {
	for i := range few + many {
		if i < few {
			for port := range uint16(1 + m.random.IntN(3)) {
				m.add(m.host(i), 1000+port, session.AcksData, "")
			}
			continue
		}
		for port := 1; port <= 60_001+500*(i-few); port++ {
			m.add(m.host(i), uint16(port), session.AllPorts, "")
		}
	}
}

// followups draws services that are told a wrong handshake and then the right one, or that alone. A GET spoils TLS for a quarter of
// those that answer it, anything spoils Telnet for a sixth; most recover within 5 s.
func (m *madeUp) followups(hosts int) {
	lookup := func(name string) *handshake.Protocol { p, _ := handshake.Lookup(name); return p }
	for i := range hosts {
		protocol, right, share := "http", lookup("http"), 0.0
		switch draw := m.random.Float64(); {
		case draw < 0.5:
			protocol, right, share = "tls", lookup("tls"), 0.29
		case draw < 0.8:
			protocol, right, share = "telnet", lookup("wait"), 0.17
		}
		at := netip.AddrPortFrom(m.host(i), 443)
		add := func(visit session.Visit, h *handshake.Protocol, state session.State) *session.Attempt {
			a := session.Attempt{Service: at, Number: len(m.attempts), Visit: visit, Handshake: h, State: state, SYNACKs: 1}
			if state == session.SendsData {
				a.Verdict = handshake.Verdict{Label: protocol, Evidence: handshake.Certain}
			}
			m.attempts = append(m.attempts, a)
			return &m.attempts[len(m.attempts)-1]
		}
		m.services = append(m.services, session.Service{Service: at, State: session.SendsData, Handshake: right.Name, Label: protocol, Evidence: handshake.Certain})
		add(session.First, right, session.SendsData)
		arm := m.random.IntN(1 + len(followupDelays))
		if arm == 0 {
			add(session.Control, right, session.SendsData)
			continue
		}
		wrong := lookup([]string{"http", "redis", "dns"}[m.random.IntN(3)])
		if protocol == "http" {
			wrong = lookup([]string{"tls", "redis", "dns"}[m.random.IntN(3)])
		}
		drew := protocol == "telnet" || wrong.Name == "http" || m.random.Float64() < 0.3
		state := session.AcksData
		if drew {
			state = session.SendsData
		}
		add(session.Wrong, wrong, state)
		delay := followupDelays[arm-1]
		state = session.SendsData
		if fails := share * map[bool]float64{true: 1, false: 0.05}[time.Duration(delay) < 5*time.Second]; drew &&
			(protocol != "tls" || wrong.Name == "http") && m.random.Float64() < fails {
			state = []session.State{session.Closed, session.Closed, session.NoAnswer}[m.random.IntN(3)]
		}
		add(session.Followup, right, state).Delay = uint32(time.Duration(delay) / time.Millisecond)
	}
}

var followupDelays = []session.Duration{0, session.Duration(time.Second), session.Duration(5 * time.Second), session.Duration(2 * time.Minute)}

// madeUpRun is the run for an exhibit, nil if there is none.
func madeUpRun(t *testing.T, name string) *analysis.Dataset {
	t.Helper()
	if i := slices.IndexFunc(madeUpRuns, func(r madeUpFor) bool { return slices.Contains(r.exhibits, name) }); i >= 0 {
		return madeUpRuns[i].dataset(t)
	}
	return nil
}

func (r *madeUpFor) dataset(t *testing.T) *analysis.Dataset {
	t.Helper()
	rows := madeUp{random: rand.New(rand.NewPCG(20210811, 2))}
	r.draw(&rows)
	m := newSample(0, everything, true, 0).manifest(t, "paper")
	r.as(m)
	return datasetOf(t, m, rows.services, rows.attempts)
}

// madeUpFor is a made-up run, and the exhibits that it is for.
type madeUpFor struct {
	exhibits []string
	draw     func(*madeUp)
	as       func(*record.Manifest)
}

var madeUpRuns = []madeUpFor{
	{[]string{"figure06", "figure07", "section31", "rankings"}, func(m *madeUp) { m.ports(800, false) }, func(m *record.Manifest) {
		m.EphemeralProbes = 5
	}},
	{[]string{"figure01", "figure03", "section2"}, func(m *madeUp) { m.ports(800, true) }, func(m *record.Manifest) {
		m.Liveness, m.Revisit = true, session.Duration(time.Minute)
		m.Sources = []netip.Addr{netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("10.255.0.2")}
	}},
	{[]string{"figure04"}, func(m *madeUp) { m.blocks(250) }, func(m *record.Manifest) {
		m.Targets, _ = json.Marshal(target.Spec{Targets: []string{"10.0.0.0/12"}, Ports: "80", Sample: "1%", SampleBy: "/24"})
		m.Sample = &target.Sample{Unit: "block", Bits: 24, Numerator: 1, Denominator: 100, Drawn: 250, Of: 25_000, Shard: 1, Shards: 1}
	}},
	{[]string{"figure11"}, func(m *madeUp) { m.followups(2500) }, func(m *record.Manifest) { m.Followup = followupDelays }},
	{[]string{"section33", "section33shares", "banners"}, func(m *madeUp) { m.revealing(600) }, func(m *record.Manifest) {}},
	{[]string{"unknowns"}, func(m *madeUp) { m.everywhere(49, 1) }, func(m *record.Manifest) {
		m.Targets, _ = json.Marshal(target.Spec{Targets: []string{"10.0.0.0/12"}, Ports: "all", Sample: "1/16", SampleBy: "host"})
		m.EphemeralProbes = 5
	}},
}

var (
	madeUpOnce  sync.Once
	madeUpShown map[string]shown
)

// madeUpExhibits are the exhibits, each of the run that is for it, of the sample of one scan if none is. They are made once.
func madeUpExhibits(t *testing.T) map[string]shown {
	t.Helper()
	madeUpOnce.Do(func() {
		madeUpShown = exhibitsOf(t, newSample(1500, everything, true, 4).dataset(t))
		for _, r := range madeUpRuns {
			by := exhibitsOf(t, r.dataset(t))
			for _, name := range r.exhibits {
				madeUpShown[name] = by[name]
			}
		}
		madeUpShown["predict"] = exhibitsOf(t, twoKinds(t))["predict"]
		one, other := newSample(1500, everything, true, 4).dataset(t), newSample(1500, "wait,http,redis", false, 0).dataset(t)
		pair := exhibitsOf(t, one, other)
		places := strings.NewReplacer(one.Dir(), "one", other.Dir(), "other") // which are others each time
		for _, name := range []string{"table4", "table4cost"} {
			s := pair[name]
			s.Caption = places.Replace(s.Caption)
			madeUpShown[name] = s
		}
	})
	return madeUpShown
}
