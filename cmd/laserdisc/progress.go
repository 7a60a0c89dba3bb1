package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/replay"
)

// playProgress shows how far a playback is, on one line of a terminal.
type playProgress struct {
	w           io.Writer // nil: there is no terminal
	start, last time.Time
}

func newPlayProgress(f *os.File) *playProgress {
	p := &playProgress{start: time.Now()}
	if terminal(f) {
		p.w = f
	}
	return p
}

// show tells of what has been read: four times a second, for it is called far more often.
func (p *playProgress) show(s replay.Progress) {
	now := time.Now()
	if p.w == nil || now.Sub(p.last) < 250*time.Millisecond {
		return
	}
	p.last = now
	elapsed := now.Sub(p.start)
	left := ""
	if s.Read > 0 && s.Size > s.Read && elapsed > time.Second {
		left = fmt.Sprintf("; %v left", time.Duration(float64(elapsed)*float64(s.Size-s.Read)/float64(s.Read)).Round(time.Second))
	}
	of := ""
	if s.Size > 0 {
		of = fmt.Sprintf(" of %d", s.Size>>20)
	}
	fmt.Fprintf(p.w, "\r\033[K%v %d%s MiB, %d packets (%.2f M/s), %d services%s", elapsed.Round(time.Second),
		s.Read>>20, of, s.Packets, float64(s.Packets)/elapsed.Seconds()/1e6, s.Services, left)
}

// stage tells of what comes after the reading.
func (p *playProgress) stage(what string) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\033[K%v %s", time.Since(p.start).Round(time.Second), what)
	}
}

// end clears the line.
func (p *playProgress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\033[K")
	}
}

// untilInterrupted returns a context that ends with the first Ctrl-C. A second one ends the process.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
