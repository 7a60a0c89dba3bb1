package session

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"laserdisc/capture/packet"
)

// FuzzObserver feeds segments between two ends, either of which may be the client, whose numbers
// are near each other or across 2^32.
func FuzzObserver(f *testing.F) {
	f.Add([]byte{0x00, 0, 0, 0, 0x01, 0, 1, 0, 0x02, 1, 1, 3, 0x05, 1, 4, 9})
	f.Add([]byte{0x00, 255, 0, 0, 0x03, 7, 0, 0, 0x00, 9, 0, 0, 0x06, 1, 10, 0})
	kinds := []packet.Flags{packet.SYN, packet.SYN | packet.ACK, packet.ACK, packet.RST | packet.ACK, packet.FIN | packet.ACK, packet.ACK | packet.PSH, packet.RST, 0}
	ends := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.1:80"), netip.MustParseAddrPort("192.0.2.2:40000")}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := observe(64)
		o.Ongoing = len(data)%2 == 1
		for n := uint64(1); len(data) >= 4; n++ {
			what, seq, ack, length := data[0], data[1], data[2], data[3]
			data = data[4:]
			s := packet.Segment{
				Time: int64(n) * 7e8, Number: n, Flags: kinds[what&7], Window: uint16(what & 8), TTL: 64,
				Src: ends[what>>4&1], Dst: ends[1-what>>4&1], Seq: uint32(int8(seq)), Ack: uint32(int8(ack)),
			}
			if what&0x20 != 0 && what&0x10 == 0 {
				s.Src = ends[2]
			}
			if what&0x40 != 0 {
				s.ICMP = 3<<8 | 1
			}
			s.Payload = data[:min(int(length), len(data))]
			if what&0x80 != 0 {
				s.Cut = int(length) - len(s.Payload)
			}
			o.Observe(&s)
			for _, c := range o.open {
				held, doubtful := 0, 0
				for h := c.held; h != nil; h = h.next {
					held += len(h.data)
				}
				for _, d := range c.doubtful {
					doubtful += len(d.Payload)
				}
				if held+len(c.Response) > 64 || doubtful > 64 {
					t.Fatalf("%d bytes held, %d of the response, %d doubtful", held, len(c.Response), doubtful)
				}
			}
		}
		attempts, services := o.results()
		connected := map[netip.AddrPort]bool{}
		numbers := map[netip.AddrPort]int{}
		for _, a := range attempts {
			if a.Number != numbers[a.Service] || a.Handshake == nil || len(a.Response) > 64 {
				t.Fatalf("attempt %+v", a)
			}
			numbers[a.Service]++
			connected[a.Service] = connected[a.Service] || a.State.Connected()
		}
		for _, s := range services {
			if !connected[s.Service] || s.Attempts == 0 {
				t.Fatalf("service %+v", s)
			}
			delete(connected, s.Service)
		}
		for at, is := range connected {
			if is {
				t.Fatalf("%v connected, and is no service", at)
			}
		}
	})
}

// A client that closes before its data is acknowledged sends the data again with its FIN, which is no byte of it.
func TestObservedBytes(t *testing.T) {
	client, service := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.1:80")
	o := observe(64)
	for i, s := range []packet.Segment{
		{Src: client, Dst: service, Seq: 10, Flags: packet.SYN},
		{Src: service, Dst: client, Seq: 20, Ack: 11, Flags: packet.SYN | packet.ACK, Window: 1000},
		{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK, Payload: []byte("hello")},
		{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK | packet.FIN, Payload: []byte("hello")},
		{Src: service, Dst: client, Seq: 21, Ack: 17, Flags: packet.ACK, Window: 1000},
	} {
		s.Time, s.Number = int64(i+1)*1e8, uint64(i+1)
		o.Observe(&s)
	}
	attempts, _ := o.results()
	if a := attempts[0]; a.SentBytes != 5 || a.AckedBytes != 5 {
		t.Errorf("%d bytes sent, %d acknowledged, want 5", a.SentBytes, a.AckedBytes)
	}
}

// What a capture has cut off a payload was sent nevertheless: it is acknowledged, and what follows has its place behind it. A
// response goes as far as its first gap.
func TestObservedCut(t *testing.T) {
	client, service := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.1:80")
	segments := []packet.Segment{
		{Src: client, Dst: service, Seq: 10, Flags: packet.SYN, Window: 1000},
		{Src: service, Dst: client, Seq: 20, Ack: 11, Flags: packet.SYN | packet.ACK, Window: 1000},
		{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK, Window: 1000, Payload: []byte("GET / HTTP/1.1"), Cut: 86},
		{Src: client, Dst: service, Seq: 111, Ack: 21, Flags: packet.ACK, Window: 1000, Payload: []byte("the second segment")},
		{Src: service, Dst: client, Seq: 21, Ack: 129, Flags: packet.ACK, Window: 1000, Payload: []byte("HTTP/1.1 200 OK\r\n"), Cut: 83},
		{Src: service, Dst: client, Seq: 121, Ack: 129, Flags: packet.ACK, Window: 1000, Payload: []byte("more"), Cut: 96},
		{Src: service, Dst: client, Seq: 221, Ack: 129, Flags: packet.ACK | packet.FIN, Window: 1000, Cut: 5},
	}
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 3, 6, 5, 4}, {0, 1, 2, 3, 4, 6, 5}, {0, 1, 2, 3, 4, 4, 5, 6}} {
		o := observe(64)
		for i, n := range order {
			s := segments[n]
			s.Time, s.Number = int64(i+1)*1e8, uint64(i+1)
			o.Observe(&s)
		}
		attempts, _ := o.results()
		a := attempts[0]
		if len(attempts) != 1 || a.State != SendsData || a.Handshake.Name != "http" || a.SentBytes != 118 || a.AckedBytes != 118 || !a.FIN {
			t.Errorf("%v: %d attempts: %v %s, %d of %d bytes acknowledged, FIN %v", order, len(attempts), a.State, a.Handshake.Name, a.AckedBytes, a.SentBytes, a.FIN)
		}
		if string(a.Response) != "HTTP/1.1 200 OK\r\n" || !a.Truncated || a.Verdict.Label != "http" {
			t.Errorf("%v: response %q, truncated %v, %s", order, a.Response, a.Truncated, a.Verdict.Label)
		}
	}
}

// Whatever a server sends, and on whichever connection, every attempt ends, and an observer of the same packets finds the
// same services. Left out is what a client of RFC 9293 would not hear, and the scan does: a SYN-ACK after a reset; and
// what comes when the scan has given the SYN up, without a packet that says so.
func TestObservedHostility(t *testing.T) {
	flags := []packet.Flags{packet.SYN | packet.ACK, packet.SYN | packet.ACK, packet.ACK, packet.ACK, packet.ACK, packet.ACK | packet.PSH,
		packet.ACK | packet.FIN, packet.RST, packet.RST | packet.ACK, packet.FIN, packet.SYN}
	states := map[string]int{}
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 0))
		pick := func(from ...int64) int64 { return from[random.IntN(len(from))] }
		p := play{T: t, observer: observe(64), with: []string{"", "sources revisit=10s"}[random.IntN(2)]}
		if err := p.start([]string{"http", "wait,http", "http,redis"}[random.IntN(3)], random.IntN(3) == 0); err != nil {
			t.Fatal(err)
		}
		var syns, latest []packet.Segment // and the latest packet of the same connection
		step := func(e Event) {
			e.Time = p.now
			if err := p.machine.Step(&e); err != nil {
				t.Fatal(err)
			}
			for _, s := range p.sent {
				i := slices.IndexFunc(syns, func(syn packet.Segment) bool { return syn.Src == s.Src })
				if i < 0 {
					syns, latest = append(syns, s), append(latest, s)
				} else {
					latest[i] = s
				}
			}
			p.sent = nil
		}
		step(Event{Target: scriptTarget})
		for n := range uint64(25) {
			p.now += pick(1e6, 1e8, 5e8, 1e9, 3e9)
			step(Event{})
			i := len(syns) - 1
			if random.IntN(12) == 0 {
				i = random.IntN(len(syns))
			}
			s := packet.Segment{
				Time: p.now, Number: n + 1, Src: scriptTarget, Dst: syns[i].Src, Flags: flags[random.IntN(len(flags))], TTL: 55,
				Window: uint16(pick(0, 100, 100)), Seq: uint32(serverISS + pick(0, 1, 1, 1, 5, 9)), Payload: []byte("12345678")[:pick(0, 0, 4, 8)],
			}
			if s.Flags.Has(packet.SYN) {
				s.Seq = uint32(serverISS + pick(0, 0, 0, 7))
			}
			if s.Flags.Has(packet.ACK) {
				s.Ack = syns[i].Seq + uint32(pick(1, 1, 3, 9999))
				if random.IntN(3) == 0 {
					s.Ack = latest[i].End()
				}
			}
			if latest[i].Flags == packet.SYN && (s.Flags.Has(packet.RST) || p.now-syns[i].Time >= int64(p.machine.settings.Timeout)) {
				continue
			}
			p.observer.Observe(&s)
			step(Event{Segment: &s})
		}
		p.now += 400e9
		step(Event{})
		if p.machine.InFlight() > 0 || len(p.machine.services.four) > 0 {
			t.Fatalf("seed %d: %v unfinished, %d remembered", seed, p.machine.Unfinished(), len(p.machine.services.four))
		}
		p.compare()
		if t.Failed() {
			t.Fatalf("seed %d: found %q", seed, p.found)
		}
		for _, s := range p.services {
			states[strings.Fields(s)[1]]++
		}
	}
	t.Log(states)
	if len(states) < 10 {
		t.Error("too few states to prove anything")
	}
}

// That a fresh source is served tells of a dynamic block, whether the first one comes back afterwards or not.
func TestObservedSourcesInTurn(t *testing.T) {
	service := netip.MustParseAddrPort("198.51.100.1:80")
	for _, sources := range []string{"1 1 2", "1 2 1", "1 2 1 2"} {
		o := observe(64)
		for i, source := range strings.Fields(sources) {
			client := netip.MustParseAddrPort("192.0.2." + source + ":4000" + strconv.Itoa(i))
			connection := []packet.Segment{
				{Src: client, Dst: service, Seq: 10, Flags: packet.SYN},
				{Src: service, Dst: client, Seq: 20, Ack: 11, Flags: packet.SYN | packet.ACK, Window: 1000},
				{Src: client, Dst: service, Seq: 11, Ack: 21, Flags: packet.ACK, Payload: []byte("hello")},
				{Src: service, Dst: client, Seq: 21, Ack: 16, Flags: packet.ACK, Window: 1000},
			}
			if source == "1" {
				connection = connection[:3]
			}
			for n, s := range connection {
				s.Time = int64(i+1)*10e9 + int64(n)*1e8
				o.Observe(&s)
			}
		}
		if _, services := o.results(); services[0].State != DynamicBlocking || services[0].Attempts != len(strings.Fields(sources)) {
			t.Errorf("sources %s: %v after %d attempts", sources, services[0].State, services[0].Attempts)
		}
	}
}

// observed is an Observer and what it has reported.
type observed struct {
	*Observer
	attempts []*Attempt
}

func observe(limit int) *observed {
	o := &observed{}
	o.Observer = NewObserver(limit, func(a *Attempt) error {
		o.attempts = append(o.attempts, a.Clone())
		return nil
	})
	return o
}

// results ends the capture and gives all attempts, and the services that they make, in order.
func (o *observed) results() (attempts []*Attempt, services []*Service) {
	if err := o.End(); err != nil {
		panic(err)
	}
	attempts = o.attempts
	slices.SortFunc(attempts, func(a, b *Attempt) int {
		return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.Number, b.Number))
	})
	for i := 0; i < len(attempts); {
		var sum Summary
		at := attempts[i].Service
		for ; i < len(attempts) && attempts[i].Service == at; i++ {
			sum.Add(attempts[i])
		}
		if s, ok := sum.Service(); ok {
			services = append(services, s)
		}
	}
	return attempts, services
}

// An observer holds what is open, and for a while what it knows to be a service: not the whole capture.
func TestObserverForgets(t *testing.T) {
	o := observe(64)
	client := netip.MustParseAddr("192.0.2.1")
	const connections = 20_000
	for i := range connections {
		service := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 80)
		from := netip.AddrPortFrom(client, uint16(40000+i%1000))
		for n, s := range []packet.Segment{
			{Src: from, Dst: service, Seq: 10, Flags: packet.SYN},
			{Src: service, Dst: from, Seq: 20, Ack: 11, Flags: packet.SYN | packet.ACK, Window: 1000},
		} {
			s.Time, s.Number = int64(i)*1e9+int64(n)*1e6, uint64(2*i+n+1)
			if err := o.Observe(&s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if open := int(idleTime / 1e9); len(o.open) > open+1 || len(o.idle.list) > open+1 || len(o.known) > int(knownTime/1e9)+open || len(o.asked.of[0])+len(o.asked.of[1]) > int(unanswered/1e9)+1 {
		t.Errorf("holds %d connections, %d services, %d SYNs", len(o.open), len(o.known), len(o.asked.of[0])+len(o.asked.of[1]))
	}
	if attempts, services := o.results(); len(attempts) != connections || len(services) != connections {
		t.Errorf("%d attempts, %d services of %d", len(attempts), len(services), connections)
	}
}
