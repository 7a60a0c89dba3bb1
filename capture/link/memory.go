package link

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Peer is what lives at the other end of a memory link.
//
// An emitted frame is copied; a time before now counts as now. Frames that
// arrive at the same time do so in the order they were emitted.
type Peer interface {
	// Handle takes a frame that was sent at now, and may emit answers for any
	// later time. The frame is valid during the call only.
	Handle(now int64, frame []byte, emit func(at int64, frame []byte))

	// Next says when the peer next wants Wake; false if never.
	Next() (int64, bool)

	// Wake is called at the time that Next gave, or later if that had passed. It
	// does all that is due: Next must be later afterwards.
	Wake(now int64, emit func(at int64, frame []byte))
}

// Memory is a link to a Peer, in virtual time and on the caller's goroutine: the
// same calls give the same frames at the same times.
type Memory struct {
	peer     Peer
	now      int64
	queue    [][]byte // sent, not flushed
	arrivals arrivals // min-heap
	current  []byte   // what the last Receive returned
	free     [][]byte
	sequence uint64
	lag      func() int64
	stats    Stats
	closed   bool
}

// MemoryOption changes a memory link.
type MemoryOption func(*Memory)

// Lag makes each frame visible to Receive up to most after its time, as a busy
// kernel does; how much is drawn from the seed. A frame can then carry a time
// that the caller has already passed, or that lies before that of the frame
// before it.
func Lag(seed uint64, most time.Duration) MemoryOption {
	return func(m *Memory) {
		if most > 0 {
			random := rand.New(rand.NewPCG(seed, 0))
			m.lag = func() int64 { return random.Int64N(int64(most) + 1) }
		}
	}
}

// NewMemory makes a link to the peer whose clock starts at start, in nanoseconds
// since the Unix epoch.
func NewMemory(peer Peer, start int64, options ...MemoryOption) *Memory {
	m := &Memory{peer: peer, now: start, lag: func() int64 { return 0 }}
	for _, option := range options {
		option(m)
	}
	return m
}

// Now implements [Link].
func (m *Memory) Now() int64 { return m.now }

// Receive implements [Link]. It moves the clock to the next frame, or to until.
func (m *Memory) Receive(until int64) (Frame, bool, error) {
	if m.closed {
		return Frame{}, false, ErrClosed
	}
	m.recycle()
	until = max(until, m.now)
	for {
		wake, wakes := m.peer.Next()
		arrives := len(m.arrivals) > 0
		switch {
		case wakes && wake <= until && (!arrives || wake <= m.arrivals[0].visible):
			m.now = max(m.now, wake)
			m.peer.Wake(m.now, m.emit)
			if next, ok := m.peer.Next(); ok && next <= wake {
				return Frame{}, false, fmt.Errorf("link: the memory peer, woken for %d, then asks to be woken at %d", wake, next)
			}
		case arrives && m.arrivals[0].visible <= until:
			return m.arrive(), true, nil
		default:
			m.now = until
			return Frame{}, false, nil
		}
	}
}

func (m *Memory) arrive() Frame {
	a := heap.Pop(&m.arrivals).(arrival)
	m.now = max(m.now, a.visible)
	m.current = a.data
	m.stats.Received++
	return Frame{Time: a.time, Data: a.data}
}

// Send implements [Link].
func (m *Memory) Send(frame []byte) error {
	if m.closed {
		return ErrClosed
	}
	if err := checkLength(frame, memoryMTU); err != nil {
		return err
	}
	m.queue = append(m.queue, m.copy(frame))
	if len(m.queue) < memoryBatch {
		return nil
	}
	m.now += memoryBatch * memoryFrameTime
	return m.Flush()
}

// A full batch has the time on the wire that a million frames a second have. So even a sender that
// knows no limit gets answers, and its queue has one.
const (
	memoryBatch     = 64
	memoryFrameTime = 1000 // ns
)

// Flush implements [Link]: the peer handles every queued frame now.
func (m *Memory) Flush() error {
	if m.closed {
		return ErrClosed
	}
	for _, frame := range m.queue {
		m.peer.Handle(m.now, frame, m.emit)
		m.free = append(m.free, frame)
		m.stats.Sent++
	}
	m.queue = m.queue[:0]
	return nil
}

func (m *Memory) emit(at int64, frame []byte) {
	at = max(at, m.now)
	m.sequence++
	heap.Push(&m.arrivals, arrival{
		visible:  at + m.lag(),
		sequence: m.sequence,
		time:     at,
		data:     m.copy(frame),
	})
}

// copy copies the frame into a buffer that Receive or Flush gave back.
func (m *Memory) copy(frame []byte) []byte {
	var buffer []byte
	if n := len(m.free); n > 0 {
		buffer, m.free = m.free[n-1], m.free[:n-1]
	}
	return append(buffer[:0], frame...)
}

func (m *Memory) recycle() {
	if m.current != nil {
		m.free = append(m.free, m.current)
		m.current = nil
	}
}

// Stats implements [Link].
func (m *Memory) Stats() (Stats, error) { return m.stats, nil }

const memoryMTU = 1500

// Info implements [Link]. The addresses are from documentation space, so that no
// lab prefix holds them.
func (m *Memory) Info() Info {
	return Info{
		Kind:       "memory",
		MTU:        memoryMTU,
		SourceMAC:  [6]byte{2, 0, 0, 0, 0, 1},
		GatewayMAC: [6]byte{2, 0, 0, 0, 0, 2},
		Source4:    netip.AddrFrom4([4]byte{192, 0, 2, 1}),
		Source6:    netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}),
	}
}

// Close implements [Link].
func (m *Memory) Close() error {
	if m.closed {
		return nil
	}
	err := m.Flush()
	m.closed = true
	return err
}

const ethernetHeader = 14

// checkLength refuses what the kernel would, with an error that says the lengths.
func checkLength(frame []byte, mtu int) error {
	if len(frame) < ethernetHeader || len(frame) > ethernetHeader+mtu {
		return fmt.Errorf("link: cannot send a frame of %d bytes: it must have %d to %d", len(frame), ethernetHeader, ethernetHeader+mtu)
	}
	return nil
}

type arrival struct {
	visible  int64 // when Receive may return it
	sequence uint64
	time     int64
	data     []byte
}

type arrivals []arrival

func (q arrivals) Len() int { return len(q) }
func (q arrivals) Less(i, j int) bool {
	if q[i].visible != q[j].visible {
		return q[i].visible < q[j].visible
	}
	return q[i].sequence < q[j].sequence
}
func (q arrivals) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *arrivals) Push(x any)   { *q = append(*q, x.(arrival)) }
func (q *arrivals) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
