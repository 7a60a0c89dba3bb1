// Package replay plays a recorded run back: the same loop as the live scan's, fed from the record, with every packet that
// it sends compared with the one that was sent.
//
// Everything streams. One goroutine reads the record and decodes each frame, once; it deals the frames to players by
// host, so that all that a host is part of meets in one place. Each player is a session.Machine with the record as its
// source of events, and gives what it finds to the sink as it is made. What is held is what was in flight at once when
// the scan ran. The number of players changes the time that it takes and nothing else.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"laserdisc/capture/dissect"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Options say how a record is played back. But for what of a capture counts, they change nothing in what is found.
type Options struct {
	Workers  int            // players at a time, at least 1
	Progress func(Progress) // called for each batch of frames, from one goroutine; may be nil

	// Of a capture, what counts: see session.Observer. A run has neither.
	Clients []netip.Prefix
	Ongoing bool

	// Index is where an index of the record goes, by which Show finds a host's packets; nil is nowhere.
	Index io.Writer

	story   *story        // of the one service that matters; nil: all do
	excerpt *record.Index // what of the record may have that; nil: all
}

// Progress is how far a playback is.
type Progress struct {
	Read, Size int64 // bytes of the record, as they are in its files
	Packets    uint64
	Services   uint64
}

// Rows takes what is found at some of the hosts, from one goroutine. What it is given is valid during the call only.
type Rows interface {
	Attempt(*session.Attempt) error
	Service(*session.Service) error
	// Resumed says that the scan was resumed here, with nothing in flight: these services were probed again. The attempts
	// at them so far do not count, but for those of visit session.Ephemeral.
	Resumed(unfinished []netip.AddrPort)
}

// A Sink makes the Rows of one partition of the hosts, of so many in all. Rows come in any order. A target that refused
// may be told of more than once, for nothing is remembered of it: the attempt with the lowest FirstFrame counts.
type Sink func(partitions int) Rows

// Result is what a record says, but for its attempts and services, which went to the sink.
type Result struct {
	Manifest *record.Manifest
	Packets  uint64 // frames played back
	Counters record.Counters
	Services uint64 // rows that went to the sink

	// Parts is how many the record has: one more than the times the scan was resumed.
	Parts int
	// Unfinished are the services in flight at the end of the last part, and those that an earlier part left in flight and none has
	// probed since, in order.
	Unfinished []netip.AddrPort

	// Truncated is set if the record ends before the scan did; what stands before is played back.
	Truncated *record.TruncatedError
	// Damage is why the packets are not read any further, though there may be more: a *record.LostError, ChunkError or
	// FormatError. What stands before is played back. An observed capture is gone on with where that is sure; Damage is then the first
	// of DamagedPlaces, of which Places has ten at most, and a *record.TruncatedError is one.
	Damage        error
	Places        []error
	DamagedPlaces uint64
	// Duplicates counts the packets of an observed capture that it has twice, and that count once.
	Duplicates uint64
	// Remarks tell what of an observed capture was odd, and yet could be read.
	Remarks []string
	// Skipped counts the frames of a foreign capture that could not be read, by cause; Other those of other traffic than TCP.
	Skipped []dissect.Skipped
	Other   uint64
	// Difference is the first packet that is not what the session sends; nil: identical.
	Difference *Difference

	// Clients are those whose connections a capture has, the busiest first; OfOthers counts the attempts of more than are listed.
	Clients  []Client
	OfOthers int
	// Left is how many connections of a capture were left out because they began before it.
	Left int

	lines lineSum // of services.jsonl, as playback would write it
}

// Difference is a packet that playback and record disagree on.
type Difference struct {
	Frame    uint64 // number in the record; of the last frame, when the record lacks one
	Recorded string // "" if the record has no such packet
	Played   string // "" if the session sends no such packet
}

func (d *Difference) Error() string {
	switch {
	case d.Recorded == "":
		return fmt.Sprintf("after frame %d: the session sends %s, which the record does not have", d.Frame, d.Played)
	case d.Played == "":
		return fmt.Sprintf("frame %d: recorded %s, which the session does not send", d.Frame, d.Recorded)
	}
	return fmt.Sprintf("frame %d: recorded %s, but the session sends %s", d.Frame, d.Recorded, d.Played)
}

// Run plays back the run in dir. A difference or a truncation is part of the result, not an error; errors are for what
// cannot be read, for the sink's own, and for ctx when it is done.
func Run(ctx context.Context, dir string, o Options, sink Sink) (*Result, error) {
	d := &dealer{path: dir, options: o}
	m, stop, err := d.open()
	if err != nil {
		return nil, err
	}
	defer stop()
	if m == nil {
		return nil, fmt.Errorf("replay: %s: no manifest: not a run that laserdisc recorded", dir)
	}
	d.result = &Result{Manifest: m}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if o.story != nil {
		if err := o.story.Manifest(m); err != nil {
			return nil, err
		}
		o.story.hosts = m.EphemeralProbes > 0
		sink = func(int) Rows { return teller{o.story} }
	}
	workers := max(1, o.Workers)
	for i := range workers {
		p, err := newPlayer(m, i, workers)
		if err != nil {
			return nil, fmt.Errorf("replay: %s: %w", dir, err)
		}
		d.players = append(d.players, p)
	}
	var group sync.WaitGroup
	for _, p := range d.players {
		p.rows = sink(len(d.players))
		p.tells(o.story)
		group.Go(func() {
			if p.run(); p.err != nil && !errors.As(p.err, new(*Difference)) {
				cancel(p.err)
			}
			p.drain()
		})
	}
	err = d.deal(ctx)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, err
	}
	if d.index != nil {
		if err := d.index.Close(); err != nil {
			return nil, err
		}
	}
	d.gather()
	return d.result, nil
}

// open opens the record, or what the options say of it.
func (d *dealer) open() (m *record.Manifest, stop func() error, err error) {
	if d.options.excerpt != nil {
		e, err := d.options.excerpt.Open()
		if err != nil {
			return nil, nil, err
		}
		d.reader = e
		return e.Manifest(), e.Close, nil
	}
	r, err := record.Open(d.path)
	if err != nil {
		return nil, nil, err
	}
	d.reader = r
	if d.options.Index != nil {
		if d.index, err = record.NewIndexWriter(d.options.Index, r); err != nil {
			return nil, nil, errors.Join(err, r.Close())
		}
	}
	return r.Manifest(), r.Close, nil
}

// gather adds up what the players found.
func (d *dealer) gather() {
	result := d.result
	for _, p := range d.players {
		var difference *Difference
		if errors.As(p.err, &difference) && (result.Difference == nil || difference.Frame < result.Difference.Frame) {
			result.Difference = difference
		}
		result.Counters.Launched += p.probes
		result.Counters.Unasked += p.unasked
		result.Services += p.services.Load()
		result.lines.add(p.lines)
		result.Unfinished = slices.AppendSeq(append(result.Unfinished, p.machine.Unfinished()...), maps.Keys(p.left))
	}
	result.Counters.Services = result.Services
	slices.SortFunc(result.Unfinished, netip.AddrPort.Compare)
}
