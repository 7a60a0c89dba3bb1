package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

const start = 1_700_000_000_000_000_000

// script is a peer that answers each frame twice, 10 and 30 ns later, and says
// something of its own every 25 ns, until its wakes are used up.
type script struct {
	next  int64
	wakes int
}

func (s *script) Handle(now int64, frame []byte, emit func(int64, []byte)) {
	emit(now+10, fmt.Appendf(nil, "%s, first", frame))
	emit(now+30, fmt.Appendf(nil, "%s, second", frame))
}

func (s *script) Next() (int64, bool) { return s.next, s.wakes > 0 }

func (s *script) Wake(now int64, emit func(int64, []byte)) {
	s.next += 25
	s.wakes--
	emit(now, []byte("wake without a frame"))
}

func frameOf(text string) []byte { return append([]byte(text), make([]byte, ethernetHeader)...) }

// heard lists what arrives until the time given, with the link's clock before
// each frame's own time.
func heard(t *testing.T, m *Memory, until int64) (lines []string) {
	t.Helper()
	for {
		f, ok, err := m.Receive(until)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return lines
		}
		text := strings.ReplaceAll(string(f.Data), "\x00", "")
		lines = append(lines, fmt.Sprintf("%d %d %s", m.Now()-start, f.Time-start, text))
	}
}

func TestMemory(t *testing.T) {
	m := NewMemory(&script{next: start + 10, wakes: 2}, start)
	send(t, m, frameOf("a"), frameOf("b"))
	if err := m.Send(frameOf("c")); err != nil { // queued only
		t.Fatal(err)
	}
	if got := heard(t, m, 0); got != nil || m.Now() != start {
		t.Errorf("a poll moved the clock to %d and gave %q", m.Now()-start, got)
	}
	want := []string{
		"10 10 a, first", "10 10 b, first", "10 10 wake without a frame",
		"30 30 a, second", "30 30 b, second",
		"35 35 wake without a frame",
	}
	if got := heard(t, m, start+100); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if m.Now() != start+100 {
		t.Errorf("the clock is at %d", m.Now()-start)
	}
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, m, start+111); !reflect.DeepEqual(got, []string{"110 110 c, first"}) {
		t.Errorf("got %q", got)
	}
	if got := stats(t, m); got != (Stats{Sent: 3, Received: 7}) {
		t.Errorf("%+v", got)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{m.Send(frameOf("d")), m.Flush(), second(m.Receive(0))} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func second(_ Frame, _ bool, err error) error { return err }

func TestMemoryRefusesLengths(t *testing.T) {
	m := NewMemory(&script{}, start)
	for _, length := range []int{0, 13, 1515} {
		if err := m.Send(make([]byte, length)); err == nil {
			t.Errorf("a frame of %d bytes was taken", length)
		}
	}
}

// stuck never moves on.
type stuck struct{ script }

func (*stuck) Next() (int64, bool)             { return start, true }
func (*stuck) Wake(int64, func(int64, []byte)) {}

func TestMemoryStuckPeer(t *testing.T) {
	if err := second(NewMemory(&stuck{}, start).Receive(start + 1)); err == nil {
		t.Error("a peer that is due for ever was not noticed")
	}
}

// noise is a peer that answers with random frames at random times, as a lab does.
type noise struct {
	random *rand.Rand
	next   int64
}

func (n *noise) Handle(now int64, frame []byte, emit func(int64, []byte)) {
	for range n.random.IntN(3) {
		emit(now+n.random.Int64N(1e6), append(frame, byte(n.random.Uint32())))
	}
}

func (n *noise) Next() (int64, bool) { return n.next, true }

func (n *noise) Wake(now int64, emit func(int64, []byte)) {
	n.next = now + 1 + n.random.Int64N(1e6)
	emit(now+n.random.Int64N(1e6), binary.BigEndian.AppendUint64(nil, n.random.Uint64()))
}

// converse returns what a caller sees that answers every other frame: the time
// on its clock and on the frame, and the frame.
func converse(t *testing.T, seed uint64, lag time.Duration) (seen []Frame, late, early int) {
	t.Helper()
	peer := &noise{random: rand.New(rand.NewPCG(seed, 1)), next: start}
	m := NewMemory(peer, start, Lag(seed, lag))
	previous := int64(start)
	for until := int64(start); len(seen) < 1000; until += 300_000 {
		for {
			clock := m.Now()
			f, ok, err := m.Receive(until)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if f.Time < clock {
				late++
			}
			if f.Time < previous {
				early++
			}
			if behind := m.Now() - f.Time; behind < 0 || behind > int64(lag) || m.Now() < clock {
				t.Fatalf("a frame of %d is seen at %d, after %d", f.Time, m.Now(), clock)
			}
			previous = f.Time
			seen = append(seen, Frame{m.Now(), bytes.Clone(f.Data)})
			if len(seen)%2 == 0 {
				send(t, m, append(f.Data, make([]byte, ethernetHeader)...)[:ethernetHeader])
			}
		}
	}
	return seen, late, early
}

// The same seeds give the same frames at the same times, others do not; and with
// lag there are frames of a time that the caller has passed.
func TestMemoryIsDeterministic(t *testing.T) {
	for seed := range uint64(20) {
		plain, late, early := converse(t, seed, 0)
		if late != 0 || early != 0 {
			t.Fatalf("seed %d: without lag, %d frames are late and %d early", seed, late, early)
		}
		one, late, early := converse(t, seed, 5*time.Millisecond)
		if late == 0 || early == 0 {
			t.Errorf("seed %d: with lag, %d frames are late and %d early", seed, late, early)
		}
		two, _, _ := converse(t, seed, 5*time.Millisecond)
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		if reflect.DeepEqual(one, plain) {
			t.Fatalf("seed %d: lag changes nothing", seed)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(&script{}, start)
	frame := frameOf("a")
	b.ReportAllocs()
	for b.Loop() {
		send(b, m, frame)
		for range 2 {
			if _, ok, err := m.Receive(m.Now() + 100); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	}
}

// A sender that never flushes gets its answers while it sends, at a million frames a second.
func TestMemoryFullBatch(t *testing.T) {
	m := NewMemory(&script{}, start)
	answers := 0
	for range 10 * memoryBatch {
		if err := m.Send(frameOf("a")); err != nil {
			t.Fatal(err)
		}
		for {
			_, ok, err := m.Receive(0)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			answers++
		}
	}
	if want := int64(10 * memoryBatch * memoryFrameTime); m.Now() != start+want {
		t.Errorf("the clock is at %d ns, want %d", m.Now()-start, want)
	}
	if want := 2 * 9 * memoryBatch; answers != want { // those to the last batch are under way
		t.Errorf("%d answers, want %d", answers, want)
	}
}
