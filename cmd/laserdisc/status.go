package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture"
	"laserdisc/capture/record"
)

// statusLine shows a scan's progress on one line of a terminal.
type statusLine struct {
	w        io.Writer
	manifest *record.Manifest
	cooldown time.Duration
	last     capture.Status
}

func newStatusLine(w io.Writer, m *record.Manifest, cooldown time.Duration) *statusLine {
	return &statusLine{w: w, manifest: m, cooldown: cooldown}
}

// terminal reports whether f is one.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (l *statusLine) show(s capture.Status) {
	seconds := max(s.Elapsed-l.last.Elapsed, time.Millisecond).Seconds()
	rate := func(now, before uint64) float64 { return float64(now-before) / seconds }
	c, before := s.Counters, l.last.Counters
	l.last = s
	fmt.Fprintf(l.w, "\r\033[K%v %.1f%%; sent %d (%.0f/s), received %d (%.0f/s), services %d, in flight %d, hit rate %.3f%%, drops %d; %s",
		s.Elapsed.Round(time.Second), percent(c.Launched, l.manifest.TargetCount), c.Sent, rate(c.Sent, before.Sent),
		c.Received, rate(c.Received, before.Received), c.Services, s.InFlight, percent(c.Services, c.Launched), s.Drops.Kernel+s.Drops.Interface, l.left(s))
	if !s.Probing && s.InFlight == 0 {
		fmt.Fprintln(l.w)
	}
}

// left estimates the time to the end from the share of the targets that has been probed.
func (l *statusLine) left(s capture.Status) string {
	if !s.Probing {
		return "finishing"
	}
	if s.Counters.Launched == 0 {
		return "starting"
	}
	left := float64(s.Elapsed) * float64(l.manifest.TargetCount-s.Counters.Launched) / float64(s.Counters.Launched)
	return (time.Duration(left) + l.cooldown).Round(time.Second).String() + " left"
}
