package session

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"

	"laserdisc/capture/packet"
)

// wild is a scan whose hosts do what bytes say. It checks that nothing is sent to anybody else, and not too much to anybody.
type wild struct {
	*Machine
	asked map[netip.AddrPort]int64 // targets, and when they were probed
	hosts map[netip.Addr]bool      // those of them that have answered
	sent  map[netip.AddrPort]int
	last  map[netip.AddrPort]packet.Segment // the last one sent to a service that was no reset
	log   []logged
	bad   error
}

// logged is one line of a record.
type logged struct {
	sent bool
	s    packet.Segment
}

func (w *wild) Asked(s *packet.Segment) bool {
	at, ok := w.asked[s.Src]
	ok = ok && w.now < at+Linger
	if ok {
		w.hosts[s.Src.Addr()] = true
	}
	return ok
}

func (w *wild) Send(s *packet.Segment) error {
	c := *s
	c.Options, c.Payload = slices.Clone(s.Options), slices.Clone(s.Payload)
	w.log = append(w.log, logged{true, c})
	if w.sent[s.Dst]++; w.sent[s.Dst] > mostSent(&w.settings) {
		w.fail("%d packets to %v", w.sent[s.Dst], s.Dst)
	}
	if _, ok := w.asked[s.Dst]; !ok && (!w.hosts[s.Dst.Addr()] || s.Dst.Port() < 49152) {
		w.fail("a packet to %v", s.Dst)
	}
	if !w.id.has(s.Src) {
		w.fail("a packet from %v", s.Src)
	}
	if !s.Flags.Has(packet.RST) {
		w.last[s.Dst] = c
	}
	return nil
}

func (*wild) Attempt(*Attempt) error { return nil }
func (*wild) Service(*Service) error { return nil }

func (w *wild) fail(format string, a ...any) {
	if w.bad == nil {
		w.bad = fmt.Errorf(format, a...)
	}
}

// mostSent is the most packets to one service: what each attempt may come to, and the resets of what comes beside and after them.
func mostSent(s *Settings) int {
	return (len(s.Handshakes)+4)*(4*(1+s.Retransmits)+s.Answers+2) + 2*s.Answers + s.EphemeralProbes
}

// again is the same scan, played back from the log.
type again struct {
	t    *testing.T
	log  []logged
	next int
	last int // the line that a probe was made of, plus 1
	m    *Machine
}

func (a *again) Asked(s *packet.Segment) bool {
	if a.next == len(a.log) {
		return false
	}
	l := &a.log[a.next]
	return l.sent && l.s.Time == s.Time && l.s.Dst == s.Src && l.s.Src == s.Dst && !l.s.Flags.Has(packet.SYN)
}

func (a *again) Send(s *packet.Segment) error {
	if a.next == len(a.log) {
		return fmt.Errorf("played back, %v is sent at the end", s)
	}
	l := a.log[a.next]
	if a.next++; !l.sent || l.s.Time != s.Time || l.s.Src != s.Src || l.s.Dst != s.Dst || l.s.Seq != s.Seq || l.s.Ack != s.Ack || l.s.Flags != s.Flags ||
		string(l.s.Payload) != string(s.Payload) || string(l.s.Options) != string(s.Options) {
		return fmt.Errorf("played back, number %d is %+v, not %+v", a.next, s, l)
	}
	return nil
}

func (*again) Attempt(*Attempt) error { return nil }
func (*again) Service(*Service) error { return nil }

func (a *again) Next(deadline int64, e *Event) error {
	if a.next == len(a.log) {
		if deadline == Never {
			return io.EOF
		}
		e.Time = deadline
		return nil
	}
	switch l := &a.log[a.next]; {
	case deadline <= l.s.Time:
		e.Time = deadline
	case l.sent && a.last == a.next+1:
		return fmt.Errorf("played back, number %d is not sent: %+v", a.next, l)
	case l.sent:
		e.Time, e.Target, a.last = l.s.Time, l.s.Dst, a.next+1
	default:
		e.Time, e.Segment = l.s.Time, &l.s
		a.next++
	}
	return nil
}

// FuzzMachine has hosts do whatever the bytes say: the first two choose the settings, and each five after them an event.
// Whatever it is, nothing is sent outside the targets and the ephemeral ports of those of their hosts that have answered, no service
// gets more than a bounded number of packets, the scan ends, and it plays back.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add([]byte("\x00\x00" + "\x00\x00\x00\x00\x00" + "\x01\x00\x12\x00\x01" + "\x01\x00\x10\x00\x05" + "\x01\x00\x11\x00\x05"))
	f.Add([]byte("\xff\xff" + "\x00\x00\x00\x00\x00" + "\x01\x00\x12\x00\x01" + "\x01\x00\x12\x00\x01" + "\x02\x03\x12\x00\x01" + "\x05\x00\x00\x00\x90" + "\x01\x00\x14\x00\x05"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 2 || len(text) > 4096 {
			return
		}
		s := Defaults()
		s.CookieKey, s.DrawKey = KeyOf(1), KeyOf(2)
		s.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
		s.Handshakes, s.ResponseLimit, s.Answers = []string{"wait", "http", "tls"}, 64, 8
		bit := func(n int) bool { return text[n/8]>>(n%8)&1 == 1 }
		s.RandomOrder, s.AllHandshakes, s.Push, s.Liveness = bit(0), bit(1), bit(2), bit(3)
		if bit(4) {
			s.EphemeralProbes = 2
		}
		if bit(5) {
			s.Revisit = Duration(30e9)
		}
		if bit(6) {
			s.Followup = []Duration{0, Duration(5e9)}
		}
		s.SkipAllPorts = bit(7) && bit(4)
		s.Retransmits = int(text[1] & 3)
		w := &wild{asked: map[netip.AddrPort]int64{}, hosts: map[netip.Addr]bool{}, sent: map[netip.AddrPort]int{}, last: map[netip.AddrPort]packet.Segment{}}
		var err error
		if w.Machine, err = New(s, 0, w); err != nil {
			t.Fatal(err)
		}
		now := int64(1e18)
		for b := text[2:]; len(b) >= 5 && w.bad == nil; b = b[5:] {
			e := Event{}
			now = max(now, w.now) + int64(b[4])*7e6
			if b[0]%8 == 5 {
				now += int64(b[4]) * 1e9
			}
			service := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, b[1] >> 1 & 3}), 80+uint16(b[1]&1))
			switch to := w.last[service]; b[0] % 8 {
			case 0: // a target is probed; some addresses and ports are none
				if b[1]&7 > 5 || w.asked[service] != 0 {
					continue
				}
				e.Target, w.asked[service] = service, now
			case 5: // time passes
			case 3: // who knows the key answers for a service, whether it was asked or not
				end := newIdentity(&s, 0).of(service, 0, false)
				to.Src, to.Seq, to.Flags = end.source, end.seq, packet.SYN
				e.Segment = response(to, service, b)
			case 4: // an ephemeral port of the host does
				for a, other := range w.last {
					if a.Addr() == service.Addr() && a.Port() > 81 && (e.Segment == nil || a.Port() < e.Segment.Src.Port()) {
						e.Segment = response(other, a, b)
					}
				}
			default:
				e.Segment = response(to, service, b)
			}
			// What is due fires before, at its own time, as in a scan.
			for n := 0; w.Deadline() <= now && w.bad == nil; n++ {
				if n == 10_000 {
					t.Fatalf("at %d the deadline stays %d", w.now, w.Deadline())
				}
				if err := w.Step(&Event{Time: w.Deadline()}); err != nil {
					t.Fatal(err)
				}
			}
			e.Time = now
			if e.Segment != nil {
				if !e.Segment.Dst.IsValid() {
					continue
				}
				e.Segment.Time = now
				w.log = append(w.log, logged{false, *e.Segment})
			}
			if err := w.Step(&e); err != nil {
				t.Fatal(err)
			}
		}
		steps := 0
		for ; w.Deadline() != Never && w.bad == nil && steps < 1000; steps++ {
			if err := w.Step(&Event{Time: w.Deadline()}); err != nil {
				t.Fatal(err)
			}
		}
		if w.bad != nil {
			t.Fatal(w.bad)
		}
		if steps == 1000 || w.InFlight() > 0 || len(w.probes) > 0 || len(w.checks) > 0 {
			t.Fatalf("after %d steps %d services are in flight, %d ephemeral probes, %d hosts are checked", steps, w.InFlight(), len(w.probes), len(w.checks))
		}
		a := &again{t: t, log: w.log}
		if a.m, err = New(s, 0, a); err != nil {
			t.Fatal(err)
		}
		if err := a.m.Run(a); err != nil {
			t.Fatal(err)
		}
		if a.next != len(a.log) {
			t.Fatalf("played back, %d of %d lines of the log", a.next, len(a.log))
		}
	})
}

// response is what a service says to a segment, as bytes say: right, or nearly so.
func response(to packet.Segment, service netip.AddrPort, b []byte) *packet.Segment {
	const iss = 0xffffff80 // so that the numbers' end is crossed
	s := &packet.Segment{Src: service, Dst: to.Src, Flags: packet.Flags(b[2] & 31), Window: 65160, TTL: 60}
	s.Seq, s.Ack = uint32(iss), to.End()
	if !s.Flags.Has(packet.SYN) {
		s.Seq = max(to.Ack, 1)
		if to.Ack == 0 {
			s.Seq = iss + 1
		}
	}
	if b[2]&32 != 0 { // data; its length depends on when it comes
		s.Payload = make([]byte, 1+int(b[4]))
	}
	switch b[3] & 15 {
	case 1:
		s.Seq += uint32(b[4])
	case 2:
		s.Seq -= uint32(b[4])
	case 3:
		s.Ack += uint32(b[4])
	case 4:
		s.Ack -= uint32(b[4])
	case 5:
		s.Window = 0
	case 6:
		s.Options = packet.AppendSYNOptions(nil, 1460, 1, 1, 7)
	case 7:
		s.Dst = netip.AddrPortFrom(s.Dst.Addr(), s.Dst.Port()^1)
	case 8:
		s.Dst = netip.MustParseAddrPort("203.0.113.7:61000")
	case 9:
		s.ICMP, s.Seq, s.Reporter = 0x301, to.Seq, service.Addr()
	case 10:
		s.Seq += 1 << 20
	}
	return s
}
