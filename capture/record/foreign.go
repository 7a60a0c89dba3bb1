package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Capture is what something else than a scan recorded: files of any format that Open reads, as one. Frames come in the order of their
// times. Damage is passed over where that is sure. Its methods are for one goroutine.
type Capture struct {
	ctx      context.Context
	sources  []*source
	waiting  []*source // are to be opened, by the time of their first frames
	reading  []*source
	position position
	manifest *Manifest

	troubles []error // to be returned by Next
	frames   []Frame
	number   uint64
	now      int64 // of the last frame returned
	begun    bool

	late        oddCount // frames before others that have been returned
	mistimed    oddCount
	passed      oddCount // files that are no captures
	firstPassed string
	done        []*heldBatch // batches with nothing left but what Next has returned
}

const (
	// OrderTime is how much later than one with a later time a frame may come, and yet be put into order, in nanoseconds.
	OrderTime = 1e9

	// OrderMemory is what is held for that at most, in bytes.
	OrderMemory = 64 << 20

	// mostFrames that Next returns at a time, out of so many batches: what is read of them waits for the next call.
	mostFrames  = 4096
	mostBatches = 32
)

// OpenCapture opens files, "-" for the standard input, and all captures in directories, as one capture. Reading ends when ctx does,
// even from a pipe that has nothing to read. A file that is no capture is an error; one that is in a directory is told of by Remarks.
func OpenCapture(ctx context.Context, paths []string) (*Capture, error) {
	files, found, err := captureFiles(paths)
	if err != nil {
		return nil, err
	}
	c := &Capture{ctx: ctx}
	sized := true
	for _, path := range files {
		s := &source{path: path, found: found[path], position: &c.position}
		s.stream = path == StandardInput
		if info, err := os.Stat(path); err == nil && !s.stream {
			s.stream = !info.Mode().IsRegular()
			c.position.size += info.Size()
		}
		sized = sized && !s.stream
		c.sources = append(c.sources, s)
	}
	if !sized {
		c.position.size = 0
	}
	if len(c.sources) == 0 {
		return nil, fmt.Errorf("record: no file is in %v", paths)
	}
	if err := c.begin(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Next returns the next frames, which are valid until the next call. Numbers are those of a file alone, as Wireshark has them, or count
// over all files in the order of time. Errors that are *LostError, *TruncatedError or *FormatError say what of a file cannot be read;
// what else there is, further calls return. The last error is io.EOF; another, of a disk or of ctx, is final.
func (c *Capture) Next() ([]Frame, error) {
	for _, h := range c.done {
		h.Release()
	}
	c.done, c.frames = c.done[:0], c.frames[:0]
	for len(c.frames) < mostFrames && len(c.done) < mostBatches {
		s, until, err := c.earliest()
		if err != nil {
			return nil, err
		}
		if s == nil || len(c.troubles) > 0 {
			break
		}
		c.take(s, until)
	}
	if len(c.frames) > 0 {
		return c.frames, nil
	}
	if len(c.troubles) > 0 {
		err := c.troubles[0]
		c.troubles = c.troubles[1:]
		return nil, err
	}
	return nil, io.EOF
}

// earliest returns the source that the next frame is of, and the time at which another's turn comes; nil if there are no more.
func (c *Capture) earliest() (next *source, until int64, err error) {
	for {
		next, until = nil, 1<<63-1
		for i := 0; i < len(c.reading); i++ {
			s := c.reading[i]
			if err := c.fill(s); err != nil {
				return nil, 0, err
			}
			if !s.order.ready() {
				if err := s.close(); err != nil {
					return nil, 0, err
				}
				c.reading = slices.Delete(c.reading, i, i+1)
				i--
				continue
			}
			switch {
			case next == nil:
				next = s
			case s.order.precedes(&next.order):
				next, until = s, next.order.next()
			default:
				until = min(until, s.order.next())
			}
		}
		if len(c.waiting) == 0 {
			return next, until, nil
		}
		if begins := c.waiting[0].start - OrderTime; next != nil && begins > next.order.next() {
			return next, min(until, begins), nil
		}
		if len(c.reading) == maxOpen {
			return nil, 0, fmt.Errorf("record: more than %d files are of the same time: %s is one of them", maxOpen, c.waiting[0].path)
		}
		s := c.waiting[0]
		c.waiting = c.waiting[1:]
		if s.reader == nil {
			if err := s.open(c.ctx, 1); err != nil {
				return nil, 0, err
			}
		}
		c.reading = append(c.reading, s)
	}
}

// fill reads frames of a source until one is the next for sure, or none is left.
func (c *Capture) fill(s *source) error {
	s.order.most = max(OrderMemory/heldBytes/len(c.reading), 2)
	for !s.order.ready() && !s.order.ended {
		h := &heldBatch{}
		err := s.reader.NextBatch(&h.Batch)
		switch {
		case err == nil:
			s.order.add(h, &c.mistimed)
			continue
		case errors.As(err, new(*LostError)):
			s.reader.GoOn()
			c.troubles = append(c.troubles, err)
			continue
		case errors.As(err, new(*TruncatedError)), errors.As(err, new(*FormatError)):
			c.troubles = append(c.troubles, err)
		case c.ctx.Err() != nil:
			return context.Cause(c.ctx)
		case err != io.EOF:
			return err
		}
		s.order.end(&c.mistimed)
	}
	return nil
}

// take takes a frame of a source, and those that follow it up to a time that is another's.
func (c *Capture) take(s *source, until int64) {
	for o, first := &s.order, true; o.ready() && (first || o.next() < until) && len(c.frames) < mostFrames && len(c.done) < mostBatches; first = false {
		h := o.pop()
		f := *h.frame
		f.Time = h.time
		c.number++
		if len(c.sources) > 1 {
			f.Number = c.number
		}
		if c.begun && f.Time < c.now {
			c.late.count(f.Number)
		} else {
			c.now, c.begun = f.Time, true
		}
		c.frames = append(c.frames, f)
		if h.of.left == 0 {
			c.done = append(c.done, h.of)
		}
	}
}

// Manifest returns that of the first file that has one, as the section header of a record of ours does; nil for none.
func (c *Capture) Manifest() *Manifest { return c.manifest }

// Files returns the files with their digests, once Next has returned io.EOF.
func (c *Capture) Files() []CaptureFile {
	list := make([]CaptureFile, len(c.sources))
	for i, s := range c.sources {
		list[i] = s.file()
	}
	return list
}

// Remarks tell what in the files was odd, and yet could be read; and what could not be put into order.
func (c *Capture) Remarks() []string {
	var list []string
	if c.passed.frames > 0 {
		list = append(list, fmt.Sprintf("%d files that are no captures were passed over; the first is %s", c.passed.frames, c.firstPassed))
	}
	for _, s := range c.sources {
		if s.reader == nil {
			continue
		}
		for _, remark := range s.reader.Remarks() {
			list = append(list, s.path+": "+remark)
		}
	}
	if c.mistimed.frames > 0 {
		const text = "%d frames with a time that is minutes from those around them, which got that of the frame before; the first is frame %d"
		list = append(list, fmt.Sprintf(text, c.mistimed.frames, c.mistimed.first))
	}
	if c.late.frames > 0 {
		list = append(list, fmt.Sprintf("%d frames came too late to be put into order (more than %v s, or %d MiB); the first is frame %d",
			c.late.frames, OrderTime/1e9, OrderMemory>>20, c.late.first))
	}
	return list
}

// Position returns how many bytes of the files have been read, and how many they have: 0 if that is not known.
func (c *Capture) Position() (read, size int64) { return c.position.read.Load(), c.position.size }

// Close closes the files.
func (c *Capture) Close() error {
	var errs []error
	for _, s := range c.sources {
		if !s.finished {
			s.dropped.Store(true)
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}
