package record

import (
	"context"
	"errors"
	"fmt"
	"io"

	"laserdisc/capture/packet"
)

// Verify reads the whole record of the run in dir, and compares what it counts with its manifest: every chunk must be there, in
// its place, whole, with as many frames of each kind as the scan has recorded. It returns the manifest and what was counted; the
// first thing that is wrong is the error.
func Verify(ctx context.Context, dir string) (*Manifest, *Counters, error) {
	r, err := Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	m := r.Manifest()
	if m == nil {
		return nil, nil, fmt.Errorf("record: %s has no manifest", dir)
	}
	var found Counters
	for ctx.Err() == nil {
		var b Batch
		err := r.NextBatch(&b)
		if errors.Is(err, io.EOF) {
			return m, &found, m.agrees(dir, &found)
		}
		if err != nil {
			return m, &found, err
		}
		for i := range b.Frames {
			f := &b.Frames[i]
			var s packet.Segment
			if s.Decode(f.LinkType, f.Data) != nil {
				found.Count(f.Direction, nil)
			} else {
				found.Count(f.Direction, &s)
			}
		}
		b.Release()
	}
	return nil, nil, context.Cause(ctx)
}

// agrees compares counts of frames with the manifest's, which are there if the scan had an end.
func (m *Manifest) agrees(dir string, found *Counters) error {
	if m.End.IsZero() {
		return fmt.Errorf("record: %s: the scan had no end: its manifest counts nothing", dir)
	}
	told := m.Counters
	told.Launched, told.Services = 0, 0 // which are no frames
	counted := *found
	if told.SentBytes == 0 { // it is of a version that did not count them
		counted.SentBytes, counted.SentSYNBytes, counted.SentRSTBytes, counted.SentPayloadBytes = 0, 0, 0, 0
	}
	if counted != told {
		return fmt.Errorf("record: %s: its frames are %+v, and its manifest counts %+v", dir, counted, told)
	}
	return nil
}
