package replay

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"time"

	"laserdisc/capture/dissect"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Observe reads a capture that something else made, files as record.OpenCapture takes them: ZMap with LZR, ZGrab, a browser. There
// is no log of events to play back and nothing to compare with, so that it goes through a session.Observer. Its manifest says what is
// known of it.
//
// The sink gets the attempts alone, whose Number is that of their SYN in the capture: a session.Summary makes services of
// them, once all attempts at one are known.
func Observe(ctx context.Context, paths []string, o Options, sink Sink) (*Result, error) {
	r, err := record.OpenCapture(ctx, paths)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	limit := session.Defaults().ResponseLimit
	m := &record.Manifest{
		Format: record.ManifestFormat, Go: runtime.Version(), GOARCH: runtime.GOARCH,
		Settings: session.Settings{ResponseLimit: limit},
	}
	if own := r.Manifest(); own != nil { // a record of ours, its packets only
		m.Synthetic, m.Anonymized = own.Synthetic, own.Anonymized
	}
	st := o.story
	if st != nil {
		if err := st.Manifest(r.Manifest()); err != nil {
			return nil, err
		}
	}
	result := &Result{Manifest: m, Parts: 1}
	rows, found := sink(1), newClients()
	observer := session.NewObserver(limit, func(a *session.Attempt) error {
		found.add(a)
		return rows.Attempt(a)
	})
	observer.Clients, observer.Ongoing = o.Clients, o.Ongoing
	dissector := dissect.New()
	double := newDuplicates()
	if st != nil {
		st.attempt = observer.Attempt
	}
	var tied ties
	var frames []record.Frame
	next := func(s *packet.Segment) error {
		if st != nil && s.Src != st.service && s.Dst != st.service {
			return nil
		}
		if err := observer.Observe(s); err != nil || st == nil {
			return err
		}
		at := slices.IndexFunc(frames, func(f record.Frame) bool { return f.Number == s.Number })
		return st.observed(&frames[at], s)
	}
	var first, last int64
	timed := false
	for ctx.Err() == nil {
		var err error
		if frames, err = r.Next(); errors.Is(err, io.EOF) {
			break
		}
		if damaged(err) {
			result.damaged(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		for i := range frames {
			f := &frames[i]
			if !f.Untimed {
				if !timed {
					first, last, timed = f.Time, f.Time, true
				}
				last = max(last, f.Time)
			}
			s := packet.Segment{Time: f.Time, Number: f.Number}
			if bad := dissector.Decode(f.LinkType, f.Data, &s); bad != nil {
				if errors.Is(bad, packet.ErrOther) { // than TCP, or an error about it
					result.Other++
				}
				continue // what else was skipped the dissector counts
			}
			if double.is(f, dissector.Packet()) {
				result.Duplicates++
				continue
			}
			if err := tied.pass(&s, f.Untimed, next); err != nil {
				return nil, err
			}
		}
		if err := tied.end(next); err != nil { // while the frames are there
			return nil, err
		}
		result.Packets += uint64(len(frames))
		if o.Progress != nil {
			p := Progress{Packets: result.Packets}
			p.Read, p.Size = r.Position()
			o.Progress(p)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if result.Packets == 0 && result.Damage != nil {
		return nil, result.Damage
	}
	if timed {
		m.Start, m.End = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	}
	result.Skipped = dissector.End()
	result.Remarks = r.Remarks()
	files := r.Files()
	m.Observed = &record.Observed{
		Path: files[0].Path, SHA256: files[0].SHA256, Further: files[1:],
		Other: result.Other, Skipped: result.Skipped, Duplicates: result.Duplicates, Remarks: result.Remarks,
	}
	err = observer.End()
	result.Clients, result.OfOthers, result.Left = found.list(), found.others, observer.Left()
	m.Observed.Clients, m.Observed.Ongoing, m.Observed.Left = o.Clients, o.Ongoing, result.Left
	return result, err
}

// damaged takes note of a place in a capture that cannot be read.
func (r *Result) damaged(err error) {
	if r.Damage == nil {
		r.Damage = err
	}
	if r.DamagedPlaces++; len(r.Places) < mostPlaces {
		r.Places = append(r.Places, err)
	}
}

// mostPlaces of damage are told of one by one.
const mostPlaces = 10
