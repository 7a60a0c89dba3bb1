package link

import (
	"testing"
	"time"
)

// hands are a wall clock that can be set, and a monotonic one that cannot.
type hands struct{ wall, monotonic int64 }

func (h *hands) pass(d time.Duration) { h.wall += int64(d); h.monotonic += int64(d) }

// The link's time goes on whatever is done to the wall clock, and so do the times of frames, whose stamps are the wall clock's.
func TestClockSet(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, -2 * time.Second, 2 * time.Second, 24 * time.Hour} {
		h := &hands{wall: 1_800_000_000e9, monotonic: 77e9}
		c := startClock(func() int64 { return h.wall }, func() int64 { return h.monotonic })
		start := c.now()
		if start != h.wall {
			t.Fatalf("it begins at %d, and not at %d", start, h.wall)
		}
		frame := func(when string) {
			t.Helper()
			stamp, want := h.wall, c.now()
			h.pass(3 * time.Millisecond) // until it is read
			c.look()
			if got := c.at(stamp); got != want {
				t.Errorf("%v, %s: a frame that came at %v came at %v", step, when, time.Duration(want-start), time.Duration(got-start))
			}
		}
		h.pass(time.Second)
		frame("before")
		waiting := h.wall // of a frame that is read once the clock has been set
		came := c.now()
		h.pass(time.Millisecond)
		h.wall += int64(step)
		c.look()
		if got := c.at(waiting); got > c.now() || step < 0 && got < came {
			t.Errorf("%v: a frame from before it, %v, came at %v", step, time.Duration(came-start), time.Duration(got-start))
		}
		frame("after")
		h.wall -= int64(step)
		h.pass(time.Second)
		frame("set back")
		if now := c.now() - start; now != int64(2010*time.Millisecond) {
			t.Errorf("%v: 2.01 s take %v", step, time.Duration(now))
		}
	}
}

// Who is interrupted between reading one clock and the other takes that for no setting.
func TestClockInterrupted(t *testing.T) {
	h := &hands{wall: 1_800_000_000e9}
	wall := func() int64 {
		defer h.pass(50 * time.Millisecond)
		return h.wall
	}
	c := startClock(func() int64 { return h.wall }, func() int64 { return h.monotonic })
	c.wall = wall
	for range 100 {
		if c.look(); c.ahead != 0 {
			t.Fatalf("the wall clock is taken to have been set by %v", time.Duration(c.ahead))
		}
	}
}
