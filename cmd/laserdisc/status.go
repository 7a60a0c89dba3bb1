package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture"
	"laserdisc/capture/record"
)

// statusLine shows a scan's progress on one line of a terminal.
type statusLine struct {
	w        io.Writer
	manifest *record.Manifest
	last     capture.Status
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
	if s.Ended {
		fmt.Fprintln(l.w)
	}
}

func (l *statusLine) left(s capture.Status) string {
	switch left, known := timeLeft(s, l.manifest); {
	case !s.Probing:
		return "finishing"
	case !known:
		return "time left unknown"
	default:
		return (left + time.Duration(l.manifest.Cooldown)).Round(time.Second).String() + " left"
	}
}

// timeLeft estimates the time to the last probe from the share of the targets that has been probed.
func timeLeft(s capture.Status, m *record.Manifest) (left time.Duration, known bool) {
	targets, launched := m.TargetCount, s.Counters.Launched
	if m.MaxTargets > 0 {
		targets = min(targets, m.MaxTargets)
	}
	if launched == 0 || targets < launched || !s.Probing {
		return 0, !s.Probing
	}
	left = time.Duration(float64(s.Elapsed) * float64(targets-launched) / float64(launched))
	if m.MaxRuntime > 0 {
		left = min(left, max(0, time.Duration(m.MaxRuntime)-s.Elapsed))
	}
	return left, true
}

// statusJSON is a line of --status-file; docs/from-lzr.md says what is in it.
type statusJSON struct {
	Time              time.Time       `json:"time"`
	Elapsed           float64         `json:"elapsed"`
	Phase             string          `json:"phase"`
	Targets           uint64          `json:"targets"`
	Left              *float64        `json:"left"`
	HitRate           float64         `json:"hit_rate"`
	SentPerSecond     float64         `json:"sent_per_second"`
	ReceivedPerSecond float64         `json:"received_per_second"`
	InFlight          int             `json:"in_flight"`
	Counters          record.Counters `json:"counters"`
	Drops             record.Drops    `json:"drops"`
}

// statusFile writes a line of JSON each second, for machines.
type statusFile struct {
	lines    *json.Encoder
	manifest *record.Manifest
	last     capture.Status
	err      error // the first
}

func (f *statusFile) show(s capture.Status) {
	seconds := max(s.Elapsed-f.last.Elapsed, time.Millisecond).Seconds()
	l := statusJSON{
		Time: time.Unix(0, s.Time).UTC(), Elapsed: s.Elapsed.Seconds(), Phase: "probing", Targets: f.manifest.TargetCount,
		HitRate:           percent(s.Counters.Services, s.Counters.Launched) / 100,
		SentPerSecond:     float64(s.Counters.Sent-f.last.Counters.Sent) / seconds,
		ReceivedPerSecond: float64(s.Counters.Received-f.last.Counters.Received) / seconds,
		InFlight:          s.InFlight, Counters: s.Counters, Drops: s.Drops,
	}
	switch {
	case s.Ended:
		l.Phase = "ended"
	case !s.Probing:
		l.Phase = "finishing"
	}
	if left, known := timeLeft(s, f.manifest); known {
		l.Left = new(left.Seconds())
	}
	f.last = s
	if err := f.lines.Encode(l); f.err == nil {
		f.err = err
	}
}

// status is where a scan tells how far it is: a terminal, a file.
func (o *scanOptions) status(m *record.Manifest) (show func(capture.Status), closing func() error, err error) {
	var shows []func(capture.Status)
	closing = func() error { return nil }
	if terminal(os.Stderr) {
		shows = append(shows, (&statusLine{w: os.Stderr, manifest: m}).show)
	}
	if o.statusFile != "" {
		f, err := os.OpenFile(o.statusFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("--status-file: %w", err)
		}
		lines := &statusFile{lines: json.NewEncoder(f), manifest: m}
		shows = append(shows, lines.show)
		closing = func() error { return errors.Join(lines.err, f.Close()) }
	}
	return func(s capture.Status) {
		for _, show := range shows {
			show(s)
		}
	}, closing, nil
}

// summary tells how a scan went.
func summary(w io.Writer, m *record.Manifest, dir string) {
	var b strings.Builder
	c := m.Counters
	elapsed := m.End.Sub(m.Start)
	targets := fmt.Sprintf("%d of %d targets probed", c.Launched, m.TargetCount)
	if m.Adopt {
		targets = fmt.Sprintf("%d SYN-ACKs of another scanner's taken up", c.Launched)
	}
	fmt.Fprintf(&b, "%s in %v; %d packets sent, %d received, %d dropped\n",
		targets, elapsed.Round(time.Millisecond), c.Sent, c.Received, m.Drops.Kernel)
	fmt.Fprintf(&b, "%d services answered (hit rate %.3f %%); seed %d\n", c.Services, percent(c.Services, c.Launched), m.Seed)
	switch m.EndedBy {
	case record.EndedTargets:
		if len(m.Excluded) > 0 && c.Launched < m.TargetCount {
			fmt.Fprintf(&b, "%d are on the block list\n", m.TargetCount-c.Launched)
		}
	case record.EndedSignal:
		b.WriteString("interrupted: not every target was probed\n")
	default:
		fmt.Fprintf(&b, "ended by --%s: not every target was probed\n", m.EndedBy)
	}
	fmt.Fprintf(&b, "record: %s\n", dir)
	fmt.Fprint(w, b.String())
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
