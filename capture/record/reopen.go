package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Reopen goes on with the record in dir, which was closed before its scan was done, or cut off:
// what follows its last whole packet is dropped, statistics end the part, and the packets that
// are written from now on are the next part. m is the record's manifest, with the counters of what
// has been read; services are the lines that services.jsonl begins with.
func Reopen(dir string, m *Manifest, services []any) (*Writer, Continuation, error) {
	packets, err := os.OpenFile(filepath.Join(dir, packetsFile), os.O_WRONLY, 0)
	if err != nil {
		return nil, Continuation{}, fmt.Errorf("record: %w", err)
	}
	var state surveyed
	if err = lock(packets); err == nil {
		state, err = survey(dir)
	}
	if counted := [2]uint64{m.Counters.Sent, m.Counters.Received}; err == nil && state.frames != counted {
		err = fmt.Errorf("%s has %d packets sent and received, and no longer %d", packets.Name(), state.frames, counted)
	}
	if err == nil {
		err = errors.Join(packets.Truncate(state.size), seek(packets, state.size))
	}
	if err != nil {
		return nil, Continuation{}, errors.Join(fmt.Errorf("record: go on: %w", err), packets.Close())
	}
	lines, err := os.OpenFile(filepath.Join(dir, servicesFile+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, Continuation{}, errors.Join(fmt.Errorf("record: %w", err), packets.Close())
	}
	w, err := start(dir, packets, lines)
	if err != nil {
		return nil, Continuation{}, err
	}
	w.frames = state.frames
	ending := m.stamped()
	ending.End = time.Unix(0, state.last)
	w.appendEnding(ending)
	for _, s := range services {
		err = errors.Join(err, w.Service(s))
	}
	if err = errors.Join(err, w.Flush()); err == nil {
		err = os.Rename(lines.Name(), filepath.Join(dir, servicesFile))
	}
	if err != nil { // the lines that there were stay
		return nil, Continuation{}, errors.Join(err, w.stop(), os.Remove(lines.Name()))
	}
	return w, Continuation{Part: state.part + 1, Last: state.last}, nil
}

// Continuation is where a record that was reopened goes on.
type Continuation struct {
	Part int   // number of the new part
	Last int64 // time of the packet before it, ns since the Unix epoch
}

// surveyed is what a record holds.
type surveyed struct {
	size   int64 // bytes, to the end of the last packet
	last   int64 // its time
	part   int
	frames [2]uint64
}

func survey(dir string) (s surveyed, err error) {
	r, err := Open(filepath.Join(dir, packetsFile))
	if err != nil {
		return s, err
	}
	defer r.Close()
	var f Frame
	var truncated *TruncatedError
	for {
		if err = r.Next(&f); err != nil {
			break
		}
		s.frames[f.Direction]++
		s.size = f.Offset + packetOverhead + int64(len(f.Data)+3)&^3
		s.last, s.part = f.Time, f.Part
	}
	switch {
	case !errors.Is(err, io.EOF) && !errors.As(err, &truncated):
		return s, err
	case s.size == 0:
		return s, fmt.Errorf("record: %s holds no packet: nothing to go on from; start the scan anew", dir)
	}
	return s, nil
}

func seek(f *os.File, offset int64) error {
	_, err := f.Seek(offset, io.SeekStart)
	return err
}
