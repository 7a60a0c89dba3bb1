package capture_test

import (
	"context"
	"math"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// cookie tells what a scan with a known key sends first to a service: it is a machine of the same settings.
type cookie struct{ syn packet.Segment }

func (*cookie) Asked(*packet.Segment) bool     { return true }
func (c *cookie) Send(s *packet.Segment) error { c.syn = *s; return nil }
func (*cookie) Attempt(*session.Attempt) error { return nil }
func (*cookie) Service(*session.Service) error { return nil }

// forged is the SYN-ACK that somebody who knows the key makes for a service, whatever was sent to it.
func forged(t *testing.T, settings session.Settings, from netip.AddrPort) *packet.Segment {
	t.Helper()
	var c cookie
	m, err := session.New(settings, 0, &c)
	if err == nil {
		err = m.Step(&session.Event{Time: 1, Target: from})
	}
	if err != nil {
		t.Fatal(err)
	}
	return &packet.Segment{Src: from, Dst: c.syn.Src, Seq: 77, Ack: c.syn.Seq + 1, Flags: packet.SYN | packet.ACK, Window: 65160, TTL: 55}
}

// repeater is a link, off whose wire the same frames come again and again, at a rate, beside what is there.
type repeater struct {
	link.Link
	frames [][]byte
	every  int64 // ns
	next   int64
	n, of  int // frames that have come, and that come in all
	sent   map[netip.AddrPort]int
}

func (r *repeater) Receive(until int64) (link.Frame, bool, error) {
	if now := r.Now(); r.n < r.of && r.next <= now {
		f := link.Frame{Time: r.next, Data: r.frames[r.n%len(r.frames)]}
		r.n++
		r.next += r.every
		return f, true, nil
	}
	if r.n < r.of {
		until = min(until, r.next)
	}
	return r.Link.Receive(until)
}

func (r *repeater) Send(frame []byte) error {
	var s packet.Segment
	if err := s.Decode(packet.LinkEthernet, frame); err != nil {
		return err
	}
	r.sent[s.Dst]++
	return r.Link.Send(frame)
}

// attacked scans the lab's hosts while frames come at a rate, from the start on.
func attacked(t *testing.T, m *record.Manifest, targets int, frames []*packet.Segment, every time.Duration, of int) (r *repeater, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	r = &repeater{Link: lossless(t), every: int64(every), next: start, of: of, sent: map[netip.AddrPort]int{}}
	for _, s := range frames {
		r.frames = append(r.frames, s.AppendFrame(nil, packet.MAC{2, 0, 0, 0, 0, 2}, source))
	}
	s := capture.Scan{Dir: dir, Manifest: m, Link: r, Targets: &addresses{end: targets}}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r, dir
}

// identical plays a run back, with one worker and with several, and returns its services.
func identical(t *testing.T, dir string, m *record.Manifest) (services map[netip.AddrPort]*session.Service) {
	t.Helper()
	for _, workers := range []int{1, 3} {
		result, list, err := play(dir, workers)
		if err != nil || result.Difference != nil || result.Truncated != nil {
			t.Fatalf("playback: %v, %v, %v", result.Difference, result.Truncated, err)
		}
		if result.Counters != m.Counters {
			t.Errorf("playback counts %+v, the scan %+v", result.Counters, m.Counters)
		}
		services = map[netip.AddrPort]*session.Service{}
		for _, s := range list {
			if services[s.Service] != nil {
				t.Errorf("%v is there twice", s.Service)
			}
			services[s.Service] = s
		}
	}
	return services
}

// Who knows the key makes SYN-ACKs with the right numbers. Those of addresses and ports that are no target, of targets that have
// not been begun, and what else there is to answer, draw nothing; they are counted, and play back.
func TestForgedAnswers(t *testing.T) {
	m := adopting()
	m.Adopt, m.Rate, m.EphemeralProbes = false, 1000, 3
	const targets = 4000
	var frames []*packet.Segment
	outside := []string{"203.0.113.7:443", "198.18.0.1:80", "198.19.0.1:443", "198.18.15.161:443"} // the last one is the 4,001st
	for _, a := range outside {
		frames = append(frames, forged(t, m.Settings, netip.MustParseAddrPort(a)))
	}
	last := netip.MustParseAddrPort("198.18.15.160:443") // probed after 4 s
	frames = append(frames, forged(t, m.Settings, last))
	for range len(frames) { // what else might be answered: data, and a reset, of connections that are not
		s := *frames[len(frames)-5]
		s.Flags, s.Seq, s.Payload = packet.ACK|packet.PSH, 78, []byte("220 hello\r\n")
		frames = append(frames, &s)
	}
	r, dir := attacked(t, m, targets, frames, time.Millisecond, 1000)
	services := identical(t, dir, m)
	for _, a := range append(outside, last.String()) {
		if s := netip.MustParseAddrPort(a); r.sent[s] > 0 && s != last || services[s] != nil {
			t.Errorf("%v was sent %d packets, and is a service: %v", s, r.sent[s], services[s] != nil)
		}
	}
	if m.Counters.Unasked != 500 || r.sent[last] != 1 || m.Counters.Launched != targets {
		t.Errorf("%d counted of 500 forged SYN-ACKs, %d packets to %v, %d targets", m.Counters.Unasked, r.sent[last], last, m.Counters.Launched)
	}
}

// A service that repeats its SYN-ACK, or anything else, is answered a bounded number of times; the scan goes on, and ends when it
// should.
func TestFloodFromService(t *testing.T) {
	scan := func() *record.Manifest {
		m := adopting()
		m.Adopt, m.Rate, m.MaxRuntime = false, 1000, session.Duration(8*time.Second)
		return m
	}
	alone := scan()
	attacked(t, alone, 60000, nil, time.Second, 0)
	for name, change := range map[string]func(*packet.Segment){
		"SYN-ACK": func(*packet.Segment) {},
		"data":    func(s *packet.Segment) { s.Flags, s.Seq, s.Payload = packet.ACK, 78, []byte("220 hello\r\n") },
		"nothing": func(s *packet.Segment) { s.Flags, s.Seq = packet.ACK, 78 },
		"old":     func(s *packet.Segment) { s.Dst = netip.AddrPortFrom(s.Dst.Addr(), s.Dst.Port()+1) },
	} {
		t.Run(name, func(t *testing.T) {
			m := scan()
			hostile := netip.MustParseAddrPort("198.18.0.1:443") // the first target
			synack := forged(t, m.Settings, hostile)
			again := *synack
			change(&again)
			frames := []*packet.Segment{synack, &again}
			// 50,000 a second, all the time and beyond it: 20 s
			r, dir := attacked(t, m, 60000, frames, 20*time.Microsecond, 1_000_000)
			services := identical(t, dir, m)
			most := len(m.Handshakes)*(2*(1+m.Retransmits)+m.Answers+1) + m.Answers
			if n := r.sent[hostile]; n > most || n < 5 {
				t.Errorf("%d packets were sent to who repeats, %d may be", n, most)
			}
			if services[hostile] == nil || m.EndedBy != record.EndedMaxRuntime || m.Counters.Launched < alone.Counters.Launched*9/10 {
				t.Errorf("ended by %s, %d targets launched, without the flood %d", m.EndedBy, m.Counters.Launched, alone.Counters.Launched)
			}
			if took, usual := m.End.Sub(m.Start), alone.End.Sub(alone.Start); took > usual+2*time.Second {
				t.Errorf("it took %v, without the flood %v", took, usual)
			}
		})
	}
}

// A service that repeats its SYN-ACK for ever is found once, and lets the scan end.
func TestRepeatedLater(t *testing.T) {
	m := adopting()
	m.Adopt, m.Rate = false, 100
	hostile := netip.MustParseAddrPort("198.18.0.1:443")
	r, dir := attacked(t, m, 60000, []*packet.Segment{forged(t, m.Settings, hostile)}, time.Second, 900)
	if services := identical(t, dir, m); services[hostile] == nil || m.EndedBy != record.EndedTargets || m.Counters.Unasked == 0 {
		t.Errorf("found: %v; %d packets, %d SYN-ACKs unasked, ended by %s", services[hostile] != nil, r.sent[hostile], m.Counters.Unasked, m.EndedBy)
	}
}

// torrent is a link that always has another frame: its ring never runs empty. Each takes its time.
type torrent struct {
	link.Link
	frame  []byte
	now    int64
	probes int
	at     func(now int64) // called with each frame
}

func (t *torrent) Now() int64        { return t.now }
func (t *torrent) Flush() error      { return nil }
func (t *torrent) Send([]byte) error { t.probes++; return nil }

func (t *torrent) Receive(int64) (link.Frame, bool, error) {
	t.now += 20e3
	t.at(t.now)
	return link.Frame{Time: t.now, Data: t.frame}, true, nil
}

// Limits count, a stop is noticed, probes go out and a scan ends, though the wire always has another frame.
func TestRingNeverEmpty(t *testing.T) {
	for _, c := range []struct {
		name, ended string
		runtime     time.Duration
		stop, cut   time.Duration // after which the user says so; 0 is never
		takes       time.Duration
	}{
		{name: "max-runtime", ended: record.EndedMaxRuntime, runtime: 2 * time.Second, takes: 10 * time.Second},
		{name: "stop", ended: record.EndedSignal, stop: 2 * time.Second, takes: 10 * time.Second},
		{name: "at once", ended: record.EndedSignal, cut: 2 * time.Second, takes: 2 * time.Second},
		{name: "targets", ended: record.EndedTargets, takes: 11 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, dir := adopting(), filepath.Join(t.TempDir(), "run")
			m.Adopt, m.Rate, m.MaxRuntime = false, 1000, session.Duration(c.runtime)
			junk := packet.Segment{
				Src: netip.MustParseAddrPort("203.0.113.7:443"), Dst: netip.AddrPortFrom(us, 61000), Seq: 1, Ack: 1, Flags: packet.SYN | packet.ACK, TTL: 55,
			}
			ctx, cut := context.WithCancel(context.Background())
			stop := make(chan struct{})
			wire := &torrent{Link: lossless(t), frame: junk.AppendFrame(nil, packet.MAC{2, 0, 0, 0, 0, 2}, source), now: start}
			stopped := false
			wire.at = func(now int64) {
				if c.cut > 0 && now >= start+int64(c.cut) {
					cut()
				}
				if c.stop > 0 && now >= start+int64(c.stop) && !stopped {
					stopped = true
					close(stop)
				}
				if now > start+int64(c.takes)+60e9 {
					t.Fatal("the scan does not end")
				}
			}
			s := capture.Scan{Dir: dir, Manifest: m, Link: wire, Targets: &addresses{end: 3000}, Stop: stop}
			if err := s.Run(ctx); err != nil {
				t.Fatal(err)
			}
			identical(t, dir, m)
			took := m.End.Sub(m.Start)
			if m.EndedBy != c.ended || took < c.takes-10*time.Millisecond || took > c.takes+100*time.Millisecond {
				t.Errorf("ended by %s, after %v", m.EndedBy, took)
			}
			if wire.probes < 1900 {
				t.Errorf("%d probes", wire.probes)
			}
			cut()
		})
	}
}

// mostSent is the most packets that a scan sends to one service: what each of its attempts may come to, and the resets of what comes
// beside them and after them. docs/security.md has the number for a scan with the default settings.
func mostSent(s *session.Settings) int {
	attempts := len(s.Handshakes)
	if s.Revisit > 0 {
		attempts += 2
	}
	if len(s.Followup) > 0 {
		attempts += 2
	}
	sends := 1 + s.Retransmits // of a SYN, and again of a hello
	if s.Liveness {
		sends += s.Retransmits + 1 // and of a question whether the window has opened, and what accepts it
	}
	return attempts*(1+s.Retransmits+sends+s.Answers+1) + 2*s.Answers
}

// Every attack that the lab knows is borne: memory, packets and time are bounded, nobody else is sent anything, and the record plays
// back. With -v, the table of docs/security.md.
func TestHostile(t *testing.T) {
	const targets = 16
	settings := session.Defaults()
	t.Logf("at most %d packets to a service with the default settings, of %d targets", mostSent(&settings), targets)
	t.Logf("| attack | its hosts | packets received | bytes held | processor time | packets to a service | ends after | services | playback |")
	t.Logf("| --- | --- | --: | --: | --: | --: | --: | --: | --- |")
	for _, attack := range lab.Attacks() {
		peer, err := lab.NewHostile(attack.Name, 1)
		if err != nil {
			t.Fatal(err)
		}
		m := &record.Manifest{Laserdisc: "test", Rate: 1000, Cooldown: session.Duration(8 * time.Second), Settings: session.Defaults()}
		m.CookieKey, m.Sources, m.EphemeralProbes = session.KeyOf(1), []netip.Addr{us}, 3
		wire := &repeater{Link: link.NewMemory(peer, start), sent: map[netip.AddrPort]int{}}
		asked := &addresses{end: targets}
		s := capture.Scan{Dir: filepath.Join(t.TempDir(), "run"), Manifest: m, Link: wire, Targets: asked}
		before := held()
		var most uint64
		s.Status = func(capture.Status) { most = max(most, held()) }
		worked := processorTime(t)
		if err := s.Run(context.Background()); err != nil {
			t.Fatalf("%s: %v", attack.Name, err)
		}
		worked = processorTime(t) - worked
		took, memory := m.End.Sub(m.Start), int64(most)-int64(before)
		services := identical(t, s.Dir, m)
		busiest := 0
		for to, n := range wire.sent {
			_, ok := asked.Place(to)
			_, known := asked.Place(netip.AddrPortFrom(to.Addr(), 443))
			if !ok && (!known || to.Port() < 49152) {
				t.Errorf("%s: %d packets were sent to %v", attack.Name, n, to)
			}
			busiest = max(busiest, n)
		}
		t.Logf("| `%s` | %s | %d | %d | %v | %d | %v | %d | identical |", attack.Name, attack.Does, m.Counters.Received, max(0, memory),
			worked.Round(10*time.Millisecond), busiest, took.Round(100*time.Millisecond), len(services))
		if limit := mostSent(&m.Settings); busiest > limit {
			t.Errorf("%s: %d packets were sent to one service, %d may be", attack.Name, busiest, limit)
		}
		// The record's buffers are among it, and up to 64 MiB that wait for the disk: simulated time is faster than that.
		if limit := int64(80<<20 + targets*(1000+2*m.ResponseLimit)); memory > limit {
			t.Errorf("%s: %d bytes are held, %d may be", attack.Name, memory, limit)
		}
		if took > time.Minute || len(services) > targets {
			t.Errorf("%s: %d services, after %v", attack.Name, len(services), took)
		}
		if m.Counters.Received == 0 {
			t.Errorf("%s: nothing was received", attack.Name)
		}
	}
}

// held is how many bytes are in use, once what waits for the disk is there.
func held() uint64 {
	least := uint64(math.MaxUint64)
	for {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc+64<<10 > least {
			return min(least, m.HeapAlloc)
		}
		least = m.HeapAlloc
		time.Sleep(20 * time.Millisecond)
	}
}

func processorTime(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
