package session

import (
	"flag"
	"net/netip"
	"runtime"
	"testing"

	"laserdisc/capture/packet"
)

// nothing is a sink that keeps nothing but the last packet.
type nothing struct{ last packet.Segment }

func (*nothing) Asked(*packet.Segment) bool     { return true }
func (n *nothing) Send(s *packet.Segment) error { n.last = *s; return nil }
func (*nothing) Attempt(*Attempt) error         { return nil }
func (*nothing) Service(*Service) error         { return nil }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var sweep = flag.Int("sweep", 20, "TestMemory probes 2^N targets")

// memoryTest is a machine that is fed by hand.
type memoryTest struct {
	*testing.T
	*Machine
	sink nothing
	now  int64
	next netip.Addr
}

func newMemoryTest(t *testing.T, change func(*Settings)) *memoryTest {
	settings := Defaults()
	settings.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
	settings.Handshakes = []string{"http", "tls"}
	if change != nil {
		change(&settings)
	}
	m := &memoryTest{T: t, next: netip.MustParseAddr("1.0.0.0")}
	var err error
	if m.Machine, err = New(settings, 0, &m.sink); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *memoryTest) step(e Event) {
	m.now++
	e.Time = m.now
	if err := m.Step(&e); err != nil {
		m.Fatal(err)
	}
}

// probe probes the next address, and returns it.
func (m *memoryTest) probe() netip.AddrPort {
	to := netip.AddrPortFrom(m.next, 80)
	m.next = m.next.Next()
	m.step(Event{Target: to})
	return to
}

var synOptions = packet.AppendSYNOptions(nil, 1460, 1, 1, 7)

// connect has the next address accept, and returns it.
func (m *memoryTest) connect() netip.AddrPort {
	to := m.probe()
	syn := m.sink.last
	m.step(Event{Segment: &packet.Segment{
		Src: to, Dst: syn.Src, Seq: 1, Ack: syn.Seq + 1, Flags: packet.SYN | packet.ACK, Window: 65160, TTL: 55, Options: synOptions,
	}})
	return to
}

// A target costs nothing until it answers, a service in flight less than 900 bytes, and one that is
// over a tenth of that, for a while.
func TestMemory(t *testing.T) {
	m := newMemoryTest(t, nil)
	before := heap()
	for range 1 << *sweep {
		m.probe()
	}
	probed := heap()
	t.Logf("2^%d targets probed: %d bytes more than before", *sweep, int64(probed)-int64(before))
	if probed > before+64<<10 {
		t.Errorf("%d probes that nobody answered hold %d bytes", 1<<*sweep, probed-before)
	}
	const services = 100_000
	for range services {
		m.connect()
	}
	each := (heap() - probed) / services
	t.Logf("%d services in flight, %d bytes each", m.InFlight(), each)
	if m.InFlight() != services || each >= 900 { // a session beyond 760 bytes gets 896, with which it would be 984
		t.Errorf("%d services in flight, %d bytes each", m.InFlight(), each)
	}
	m.now += Linger / 2
	m.step(Event{})
	m.spare = nil // flights to be used again
	each = (heap() - probed) / services
	t.Logf("%d services remembered, %d bytes each", len(m.services.finished), each)
	if m.InFlight() != 0 || len(m.services.finished) != services || each > 128 {
		t.Errorf("%d services in flight, %d remembered, %d bytes each", m.InFlight(), len(m.services.finished), each)
	}
	runtime.KeepAlive(m)
}

// What stays for the whole scan of a host that was checked for an all-ports firewall is the
// verdict.
func TestMemoryOfVerdicts(t *testing.T) {
	m := newMemoryTest(t, func(s *Settings) { s.EphemeralProbes = 5 })
	before := heap()
	const hosts = 1 << 17
	for range hosts {
		to := m.connect()
		hello := m.sink.last
		m.step(Event{Segment: &packet.Segment{Src: to, Dst: hello.Src, Seq: 2, Ack: hello.End(), Flags: packet.ACK, Window: 65160, TTL: 55}})
		m.now += 20e6 // 50 a second: they come and go
	}
	for range 3 {
		m.now += 200e9
		m.step(Event{})
	}
	if len(m.verdicts) != hosts || m.InFlight() > 0 || len(m.services.four) > 0 || len(m.checks) > 0 || len(m.probes) > 0 {
		t.Fatalf("%d verdicts, %d in flight, %d services, %d checks, %d probes", len(m.verdicts), m.InFlight(), len(m.services.four), len(m.checks), len(m.probes))
	}
	each := (heap() - before) / hosts
	t.Logf("%d verdicts, %d bytes each", len(m.verdicts), each)
	if each > 128 {
		t.Errorf("a verdict takes %d bytes", each)
	}
	runtime.KeepAlive(m)
}

// A service that waits for its follow-up takes no more than one in flight, and the response that it is to be reported with.
func TestMemoryOfFollowups(t *testing.T) {
	m := newMemoryTest(t, func(s *Settings) { s.Followup = []Duration{0, Duration(Linger)} })
	before := heap()
	const services, response = 10_000, 4 << 10
	data := make([]byte, response/4)
	for range services {
		to := m.connect()
		hello := m.sink.last
		for i := range 4 {
			m.step(Event{Segment: &packet.Segment{
				Time: m.now + 1, Src: to, Dst: hello.Src, Seq: 2 + uint32(i*len(data)), Ack: hello.End(), Flags: packet.ACK, Window: 65160, TTL: 55, Payload: data,
			}})
		}
	}
	m.now += 2e9
	m.step(Event{})
	each := (heap() - before) / services
	t.Logf("%d services wait, with responses of %d bytes: %d bytes each", m.InFlight(), response, each)
	if m.InFlight() != services || m.Machine.Deadline() < m.now+int64(Linger)/2 || each > 900+response*5/4 {
		t.Errorf("%d services wait, %d bytes each", m.InFlight(), each)
	}
	runtime.KeepAlive(m)
}

// Whatever a service sends, what is kept of it is within the response limit: segments far before their turn, larger than any
// frame, outside the window, or that acknowledge what was never sent. When it is over, nothing is.
func TestMemoryUnderAttack(t *testing.T) {
	const services = 300
	payload := make([]byte, 40_000)
	attack := func(m *memoryTest, observer *observed) (held, left uint64) {
		before := heap()
		for range services {
			to := m.connect()
			hello := m.sink.last
			segments := []packet.Segment{
				{Src: hello.Dst, Dst: hello.Src, Seq: 0, Ack: hello.Seq, Flags: packet.SYN | packet.ACK, Window: 65160},
				{Src: hello.Src, Dst: hello.Dst, Seq: hello.Seq, Ack: 1, Flags: packet.ACK, Window: 64240, Payload: hello.Payload},
			}
			for i := range uint32(200) {
				s := packet.Segment{Src: to, Dst: hello.Src, Seq: 3 + i*300, Ack: hello.End(), Flags: packet.ACK, Window: 65160, TTL: 55, Payload: payload}
				if i%3 == 2 {
					s.Ack += 100_000
				}
				segments = append(segments, s)
			}
			for i, s := range segments {
				s.Time = m.now
				if observer != nil {
					observer.Observe(&s)
				} else if i > 1 {
					m.step(Event{Segment: &s})
				}
			}
		}
		held = (heap() - before) / services
		if observer != nil {
			observer.End()
		}
		m.now += 400e9
		m.step(Event{})
		left = (heap() - before) / services
		runtime.KeepAlive(m)
		runtime.KeepAlive(observer)
		return held, left
	}
	limit := uint64(Defaults().ResponseLimit)
	held, left := attack(newMemoryTest(t, nil), nil)
	t.Logf("a service that attacks takes %d bytes in flight, and %d when it is over; the response limit is %d", held, left, limit)
	if held > 900+limit+heldPieces*64 || left > 900 { // with what each piece takes by itself
		t.Errorf("%d bytes in flight, %d bytes afterwards", held, left)
	}
	o := observe(int(limit))
	o.Observer.attempt = func(*Attempt) error { return nil }
	held, left = attack(newMemoryTest(t, nil), o)
	t.Logf("a connection that is observed takes %d bytes, and %d when it is over", held, left)
	if held > 2500+2*limit || left > 1500 { // among which are 900 of the machine's
		t.Errorf("%d bytes observed, %d bytes afterwards", held, left)
	}
}
