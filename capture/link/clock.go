package link

import "time"

// clock is the time of a link on a wire: what the wall clock said once, when the
// link was opened, and the monotonic clock since. What sets the wall clock later
// moves no timer. But the kernel stamps frames with the wall clock, so that how
// far that has been set has to be taken off.
type clock struct {
	wall      func() int64 // ns since the Unix epoch
	monotonic func() int64 // ns since anything, never back
	base      int64        // what is to be added to monotonic
	ahead     int64        // how far the wall clock is ahead of the link's time, ns: how it has been set
	looked    int64        // the link's time when that was looked at
}

// setBy is the least that counts as setting the wall clock, in nanoseconds: adjtime slews both clocks alike.
const setBy = 1e6

func newClock() clock {
	opened := time.Now()
	return startClock(func() int64 { return time.Now().UnixNano() }, func() int64 { return int64(time.Since(opened)) })
}

func startClock(wall, monotonic func() int64) clock {
	c := clock{wall: wall, monotonic: monotonic}
	c.base = wall() - monotonic()
	return c
}

func (c *clock) now() int64 { return c.base + c.monotonic() }

// look finds out whether the wall clock has been set. Who is interrupted between reading the one clock and the other looks again.
func (c *clock) look() {
	for range 10 {
		before := c.now()
		wall := c.wall()
		c.looked = c.now()
		if wall-c.looked <= c.ahead+setBy && wall-before >= c.ahead-setBy {
			return
		}
		if c.looked-before < setBy {
			c.ahead = wall - c.looked
			return
		}
	}
}

// at is when a frame came that the kernel stamped with a wall time, and that was there when look was called last. Stamps from before
// the wall clock was set, of frames that are read afterwards, are too early, and may come out too late: no frame is of the future.
func (c *clock) at(stamp int64) int64 { return min(stamp-c.ahead, c.looked) }
