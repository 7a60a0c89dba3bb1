package lab

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"laserdisc/capture/lab/tcp"
	"laserdisc/capture/packet"
)

// Attack is something that hosts may do to whoever scans them.
type Attack struct {
	Name string
	Does string // in words

	asked    func(*Hostile, *packet.Segment) // by a SYN
	told     func(*Hostile, *packet.Segment) // something, or that the SYN-ACK came, while no data is acknowledged
	anything func(*Hostile, *packet.Segment) // by any segment, before that
}

// Attacks are all there are. But for what each says, its hosts answer every SYN, and acknowledge all data.
func Attacks() []Attack {
	return []Attack{
		{Name: "accept", Does: "every port of every host answers and acknowledges, and says nothing"},
		{Name: "strangers", Does: "a million SYN-ACKs, 50,000 a second, from addresses that were never probed", anything: (*Hostile).strangers},
		{Name: "repeat", Does: "a service's valid SYN-ACK 100,000 times, 50,000 a second", asked: (*Hostile).repeatSYNACK},
		{Name: "return", Does: "a service's valid SYN-ACK every 20 s for half an hour", asked: (*Hostile).returning},
		{Name: "trickle", Does: "data without end, a byte a second", told: (*Hostile).trickle},
		{Name: "torrent", Does: "ten megabytes of data at once", told: (*Hostile).torrent},
		{Name: "overlap", Does: "segments of data that overlap and contradict each other", told: (*Hostile).overlap},
		{Name: "checksum", Does: "data with wrong checksums", told: (*Hostile).checksum},
		{Name: "outside", Does: "data outside the window, and acknowledgements of what was never sent", told: (*Hostile).outside},
		{Name: "reset", Does: "a thousand resets for each segment, of which one is right", anything: (*Hostile).resets},
		{Name: "icmp", Does: "ICMP of every type, with codes 0 to 3, about each segment", anything: (*Hostile).icmp},
		{Name: "fragment", Does: "SYN-ACKs and data in IP fragments of 8 bytes, some of them missing", asked: (*Hostile).fragmentSYNACK, told: (*Hostile).fragments},
		{Name: "options", Does: "random TCP options", asked: (*Hostile).optionsSYNACK, told: (*Hostile).options},
		{Name: "damage", Does: "frames with random bytes changed, or cut off", asked: (*Hostile).damagedSYNACK, told: (*Hostile).damaged},
	}
}

// Hostile is a network whose hosts all make one attack. It implements link.Peer, and is not safe for concurrent use. It keeps no
// connections, only what it is repeating: at most mostRepeats segments.
type Hostile struct {
	attack  Attack
	random  *rand.Rand
	repeats []repetition
	began   bool // whether strangers has begun

	emit  func(at int64, frame []byte) // of the call in progress
	now   int64
	mac   [2]packet.MAC // of this side and of the other; valid once a frame has come
	in    []byte        // the frame that came
	frame []byte
}

// repetition is a segment that is sent again and again.
type repetition struct {
	segment packet.Segment
	at      int64 // when it is sent next
	every   int64 // ns
	left    int
	change  func(*Hostile, *packet.Segment) // before it is sent; may be nil
}

// mostRepeats bounds how many services are attacked at a time with what takes time.
const mostRepeats = 16

// NewHostile makes a network that makes the attack of a name. The same seed gives the same attack.
func NewHostile(name string, seed uint64) (*Hostile, error) {
	var names []string
	for _, a := range Attacks() {
		if a.Name == name {
			return &Hostile{attack: a, random: rand.New(rand.NewPCG(seed, 0))}, nil
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("lab: no attack is called %q; there are %s", name, strings.Join(names, ", "))
}

// Handle implements link.Peer.
func (h *Hostile) Handle(now int64, frame []byte, emit func(int64, []byte)) {
	var s packet.Segment
	if s.Decode(packet.LinkEthernet, frame) != nil || s.ICMP != 0 {
		return
	}
	h.now, h.emit, h.in = now, emit, frame
	h.mac = [2]packet.MAC{packet.MAC(frame[0:6]), packet.MAC(frame[6:12])}
	if h.attack.anything != nil {
		h.attack.anything(h, &s)
	}
	switch {
	case s.Flags.Has(packet.RST):
	case s.Flags.Has(packet.SYN) && h.attack.asked != nil:
		h.attack.asked(h, &s)
	case s.Flags.Has(packet.SYN):
		h.send(synack(&s))
	default:
		if h.attack.told != nil && s.Ack == hostileISS+1 {
			h.attack.told(h, &s)
		}
		if len(s.Payload) > 0 {
			h.send(answer(&s, nil))
		}
	}
}

// Next implements link.Peer.
func (h *Hostile) Next() (at int64, ok bool) {
	for i := range h.repeats {
		if r := &h.repeats[i]; !ok || r.at < at {
			at, ok = r.at, true
		}
	}
	return at, ok
}

// Wake implements link.Peer.
func (h *Hostile) Wake(now int64, emit func(int64, []byte)) {
	h.now, h.emit = now, emit
	left := h.repeats[:0]
	for _, r := range h.repeats {
		for ; r.at <= now && r.left > 0; r.left-- {
			if r.change != nil {
				r.change(h, &r.segment)
			}
			h.send(r.segment)
			r.at += r.every
		}
		if r.left > 0 {
			left = append(left, r)
		}
	}
	h.repeats = left
}

// hostileISS is the first sequence number of every connection.
const hostileISS = 1000

// synack answers a SYN.
func synack(s *packet.Segment) packet.Segment {
	return packet.Segment{Src: s.Dst, Dst: s.Src, Seq: hostileISS, Ack: s.Seq + 1, Flags: packet.SYN | packet.ACK, Window: 65160, TTL: 60}
}

// answer answers a segment with data, from the first byte on.
func answer(s *packet.Segment, data []byte) packet.Segment {
	a := packet.Segment{Src: s.Dst, Dst: s.Src, Seq: hostileISS + 1, Ack: s.End(), Flags: packet.ACK, Window: 65160, TTL: 60, Payload: data}
	if len(data) > 0 {
		a.Flags |= packet.PSH
	}
	return a
}

func (h *Hostile) send(s packet.Segment) { h.emit(h.now, h.encode(&s)) }

// encode makes the frame of a segment, which is valid until the next.
func (h *Hostile) encode(s *packet.Segment) []byte {
	h.frame = s.AppendFrame(h.frame[:0], h.mac[0], h.mac[1])
	return h.frame
}

// bytes are random ones.
func (h *Hostile) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(h.random.Uint32())
	}
	return b
}

// repeat sends a segment again and again.
func (h *Hostile) repeat(s packet.Segment, every int64, times int, change func(*Hostile, *packet.Segment)) {
	if len(h.repeats) < mostRepeats {
		h.repeats = append(h.repeats, repetition{s, h.now + every, every, times, change})
	}
}

func (h *Hostile) strangers(s *packet.Segment) {
	if h.began {
		return
	}
	h.began = true
	h.repeat(synack(s), 20e3, 1_000_000, func(h *Hostile, s *packet.Segment) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], h.random.Uint32())
		s.Src = netip.AddrPortFrom(netip.AddrFrom4(a), uint16(h.random.Uint32()))
		s.Dst = netip.AddrPortFrom(s.Dst.Addr(), uint16(h.random.Uint32()))
		s.Seq, s.Ack = h.random.Uint32(), h.random.Uint32()
	})
}

func (h *Hostile) repeatSYNACK(s *packet.Segment) {
	h.send(synack(s))
	h.repeat(synack(s), 20e3, 100_000, nil)
}

func (h *Hostile) returning(s *packet.Segment) {
	h.send(synack(s))
	h.repeat(synack(s), 20e9, 90, nil)
}

func (h *Hostile) trickle(s *packet.Segment) {
	h.repeat(answer(s, []byte("a")), 1e9, 3600, func(_ *Hostile, s *packet.Segment) { s.Seq++ })
}

func (h *Hostile) torrent(s *packet.Segment) {
	const size = 1460
	h.repeat(answer(s, h.bytes(size)), 1e3, 10<<20/size, func(_ *Hostile, s *packet.Segment) { s.Seq += size })
}

func (h *Hostile) overlap(s *packet.Segment) {
	for range 100 {
		a := answer(s, h.bytes(1+h.random.IntN(1460)))
		a.Seq += uint32(h.random.IntN(20000))
		h.send(a)
	}
}

func (h *Hostile) checksum(s *packet.Segment) {
	a := answer(s, []byte("220 hello\r\n"))
	frame := h.encode(&a)
	frame[len(frame)-len(a.Payload)-4] ^= 0x55 // of TCP
	h.emit(h.now, frame)
}

func (h *Hostile) outside(s *packet.Segment) {
	for range 20 {
		a := answer(s, h.bytes(1460))
		a.Seq, a.Ack = h.random.Uint32(), h.random.Uint32()
		h.send(a)
	}
}

func (h *Hostile) resets(s *packet.Segment) {
	right := h.random.IntN(1000)
	for i := range 1000 {
		r := answer(s, nil)
		r.Flags = packet.RST | packet.ACK
		if i != right {
			r.Seq, r.Ack = h.random.Uint32(), h.random.Uint32()
		}
		h.send(r)
	}
}

func (h *Hostile) icmp(s *packet.Segment) {
	for kind := range 256 {
		for code := range uint8(4) {
			h.frame = tcp.AppendICMP(h.frame[:0], h.in, s, 60, uint8(kind), code)
			h.emit(h.now, h.frame)
		}
	}
}

func (h *Hostile) fragmentSYNACK(s *packet.Segment) {
	h.fragment(synack(s))
	if h.random.IntN(2) == 0 { // whole, too
		h.send(synack(s))
	}
}

func (h *Hostile) fragments(s *packet.Segment) { h.fragment(answer(s, h.bytes(400))) }

// fragment sends an IPv4 packet in fragments of 8 bytes (RFC 791, section 3.2), one in 20 of which is missing. IPv6 is left whole.
func (h *Hostile) fragment(s packet.Segment) {
	const link, header = 14, 20
	whole := append([]byte(nil), h.encode(&s)...)
	if s.Src.Addr().Is6() {
		h.emit(h.now, whole)
		return
	}
	text := whole[link+header:]
	for at := 0; at < len(text); at += 8 {
		if h.random.IntN(20) == 0 {
			continue
		}
		piece := text[at:min(at+8, len(text))]
		f := append(append([]byte(nil), whole[:link+header]...), piece...)
		place := uint16(at / 8)
		if at+8 < len(text) {
			place |= 0x2000 // more come
		}
		ip := f[link:]
		binary.BigEndian.PutUint16(ip[2:], uint16(header+len(piece)))
		binary.BigEndian.PutUint16(ip[6:], place)
		h.emit(h.now, f)
	}
}

func (h *Hostile) optionsSYNACK(s *packet.Segment) {
	a := synack(s)
	a.Options = h.bytes(4 * h.random.IntN(11))
	h.send(a)
}

func (h *Hostile) options(s *packet.Segment) {
	a := answer(s, []byte("220 hello\r\n"))
	a.Options = h.bytes(4 * h.random.IntN(11))
	h.send(a)
}

func (h *Hostile) damagedSYNACK(s *packet.Segment) {
	h.damage(synack(s))
	h.send(synack(s))
}

func (h *Hostile) damaged(s *packet.Segment) { h.damage(answer(s, []byte("220 hello\r\n"))) }

// damage sends a segment a hundred times, each time with random bytes changed behind the Ethernet header, or cut off.
func (h *Hostile) damage(s packet.Segment) {
	for range 100 {
		frame := h.encode(&s)
		for range 1 + h.random.IntN(4) {
			frame[14+h.random.IntN(len(frame)-14)] = byte(h.random.Uint32())
		}
		if h.random.IntN(4) == 0 {
			frame = frame[:14+h.random.IntN(len(frame)-14)]
		}
		h.emit(h.now, frame)
	}
}
