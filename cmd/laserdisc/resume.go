package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"laserdisc/capture"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/replay"
)

// resume goes on with the scan in dir: what was in flight when it ended, or probed so shortly before that an answer may
// have been missed, is probed again; then what had not been. What is sent, to whom and how fast, and how it is judged, is
// as the manifest says: a default may have changed since. By which interface, and where output goes, is as its command
// line says.
func resume(cmd *cobra.Command, dir string) error {
	m, err := record.LoadManifest(dir)
	if err != nil {
		return err
	}
	if len(m.Arguments) < 2 || m.Arguments[1] != "scan" {
		return fmt.Errorf("%s: its manifest has no command line of a scan", dir)
	}
	o, flags := newScan(m.Arguments[1:])
	if err := flags.ParseFlags(m.Arguments[2:]); err != nil {
		return fmt.Errorf("%s: its manifest's command line: %w", dir, err)
	}
	if o.from != "" {
		return fmt.Errorf("%s: its SYN-ACKs came from zmap's pipe: run both anew", dir)
	}
	if err := json.Unmarshal(m.Targets, &o.targets); err != nil {
		return fmt.Errorf("%s: its manifest's targets: %w", dir, err)
	}
	o.out, o.resumed, o.plan = dir, m, *m
	o.plan.End, o.plan.Interrupted, o.plan.EndedBy, o.plan.Problem, o.plan.NotProbed = time.Time{}, false, "", "", 0
	o.plan.Sources = nil // which the link tells
	return o.run(cmd)
}

// remaining is what a resumed scan has left to do.
type remaining struct {
	again  []netip.AddrPort
	places map[netip.AddrPort]uint64 // of those that are probed again
	rest   *target.Iterator
	from   uint64                  // position of the rest's first
	done   map[netip.AddrPort]bool // some of the rest, by a scan that was resumed before
	begun  *uint64                 // targets, those that are done included
}

// Next implements capture.Targets.
func (r *remaining) Next() (netip.AddrPort, bool) {
	if len(r.again) > 0 {
		t := r.again[0]
		r.again = r.again[1:]
		return t, true
	}
	for {
		t, ok := r.rest.Next()
		if !ok || !r.done[t] {
			return t, ok
		}
		*r.begun++
	}
}

// Left implements capture.Targets.
func (r *remaining) Left() uint64 { return uint64(len(r.again)) + r.rest.Left() }

// Place implements capture.Targets.
func (r *remaining) Place(t netip.AddrPort) (uint64, bool) {
	if place, ok := r.places[t]; ok {
		return place, true
	}
	position, ok := r.rest.Place(t)
	return uint64(len(r.places)) + position, ok && position >= r.from && !r.done[t]
}

// history is what the record of a scan that is resumed holds.
type history struct {
	*replay.Result
	partitions []*outcome
	recent     []netip.AddrPort // targets probed in the last moments
	last       int64            // time of the last packet, ns since the Unix epoch
}

// outcome is what came of the targets on some of the hosts, as far as it matters to who goes on. It implements
// replay.Rows.
type outcome struct {
	services []*session.Service
	refused  map[netip.AddrPort]bool
}

// Attempt implements replay.Rows.
func (o *outcome) Attempt(a *session.Attempt) error {
	if !a.State.Connected() {
		o.refused[a.Service] = true
	}
	return nil
}

// Service implements replay.Rows.
func (o *outcome) Service(s *session.Service) error {
	o.services = append(o.services, s.Clone())
	return nil
}

// Resumed implements replay.Rows: what was in flight was probed again.
func (o *outcome) Resumed(unfinished []netip.AddrPort) {
	for _, t := range unfinished {
		delete(o.refused, t)
	}
}

// playHistory plays the record back, which has to be identical.
func (o *scanOptions) playHistory(ctx context.Context, set *target.Set) (h history, err error) {
	if digest := o.resumed.TargetDigest; digest != set.Digest() {
		return h, fmt.Errorf("%s: its targets were others: a list has been changed since", o.out)
	}
	var lock sync.Mutex
	sink := func(int) replay.Rows {
		lock.Lock()
		defer lock.Unlock()
		h.partitions = append(h.partitions, &outcome{refused: make(map[netip.AddrPort]bool)})
		return h.partitions[len(h.partitions)-1]
	}
	if h.Result, err = replay.Run(ctx, o.out, replay.Options{Workers: runtime.NumCPU()}, sink); err != nil {
		return h, err
	}
	if h.Difference != nil {
		return h, verdictError{h.Difference}
	}
	if h.Damage != nil {
		return h, fmt.Errorf("a scan goes on from a record that is whole: %w", h.Damage)
	}
	if h.Truncated == nil && finished(o.resumed) {
		return h, fmt.Errorf("%s: its scan has ended: nothing is left to go on with", o.out)
	}
	// A target that is to be probed once more has been within a second, or two where probes wait for the rate.
	h.recent, h.last, err = recentProbes(o.out, o.resumed, max(time.Duration(o.plan.Cooldown), 2*time.Second))
	return h, err
}

// finished reports whether a scan ended by itself. Whoever goes on after --max-runtime wants as long again.
func finished(m *record.Manifest) bool {
	return m.EndedBy != "" && m.EndedBy != record.EndedMaxRuntime && !m.Interrupted
}

// takeUp makes the scan go on after its history.
func (o *scanOptions) takeUp(s *capture.Scan, set *target.Set, h history) error {
	m := s.Manifest
	if !slices.Equal(o.resumed.Sources, m.Sources) {
		return fmt.Errorf("%s: its packets came from %v; now they would come from %v", o.out, o.resumed.Sources, m.Sources)
	}
	m.Start, m.Link, m.Counters = o.resumed.Start, o.resumed.Link, h.Counters
	s.Resume = []any{}
	done := make(map[netip.AddrPort]bool)
	var services []*session.Service
	for _, p := range h.partitions {
		services = append(services, p.services...)
		maps.Copy(done, p.refused)
	}
	slices.SortFunc(services, func(a, b *session.Service) int { return a.Service.Compare(b.Service) })
	for _, v := range services {
		s.Resume = append(s.Resume, v)
		done[v.Service] = true
	}
	for _, t := range h.Unfinished {
		done[t] = true // once it has been listed
	}
	// Where a record is cut off, what has just answered may be no target, but somebody who knows the key.
	again, places := []netip.AddrPort(nil), make(map[netip.AddrPort]uint64)
	for i, t := range slices.Concat(h.Unfinished, h.recent) {
		if _, ok := set.PositionOf(t); ok && (i < len(h.Unfinished) || !done[t]) {
			places[t] = uint64(len(again))
			again = append(again, t)
		}
	}
	from := after(set, h.recent)
	rest := set.Iterate()
	rest.Seek(from)
	m.Counters.Launched = set.Before(from) - uint64(len(again)) // which are begun once more
	s.Targets = &remaining{again: again, places: places, rest: rest, from: from, done: done, begun: &m.Counters.Launched}
	return nil
}

// recentProbes lists the targets of the probes in the last moments of a record, and of those in the last moments of an earlier part
// that no later one has probed again, each once. It tells when the last packet was.
func recentProbes(dir string, m *record.Manifest, last time.Duration) (targets []netip.AddrPort, end int64, err error) {
	r, err := record.Open(dir)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	type sent struct {
		at int64
		to netip.AddrPort
	}
	var recent []sent
	var f record.Frame
	var s packet.Segment
	seen := make(map[netip.AddrPort]bool)
	probes := session.NewProbes(&m.Settings, 0)
	// list takes up those that a part ends with. The very last ones count whenever they were: from them on, nothing has been probed.
	list := func(end int64) {
		for i, s := range recent {
			if s.at >= end-int64(last) || i >= len(recent)-1024 {
				seen[s.to] = true
			}
		}
		recent = recent[:0]
	}
	for {
		part, before := f.Part, f.Time
		if err = r.Next(&f); err != nil {
			break
		}
		if f.Part != part {
			list(before)
			probes = session.NewProbes(&m.Settings, f.Part)
		}
		if f.Direction == record.Sent && s.Decode(f.LinkType, f.Data) == nil && s.Flags.Has(packet.SYN) && probes.Has(&s) {
			recent = append(recent, sent{f.Time, s.Dst})
			delete(seen, s.Dst)
		}
		if n := len(recent); n >= 1024 && recent[n/2].at < f.Time-int64(last) {
			recent = append(recent[:0], recent[n/2:]...)
		}
	}
	var truncated *record.TruncatedError
	if !errors.Is(err, io.EOF) && !errors.As(err, &truncated) {
		return nil, 0, err
	}
	list(f.Time)
	return slices.SortedFunc(maps.Keys(seen), netip.AddrPort.Compare), f.Time, nil
}

// after returns the position past the furthest of the targets among those probed.
func after(set *target.Set, probed []netip.AddrPort) (position uint64) {
	for _, t := range probed {
		if p, ok := set.PositionOf(t); ok {
			position = max(position, p+1)
		}
	}
	return position
}
