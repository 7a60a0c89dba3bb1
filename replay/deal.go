package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
)

// A dealt batch holds frames of the record, each decoded once, and says which are which player's. All players get it.
type dealt struct {
	batch    record.Batch
	segments []packet.Segment // of batch.Frames; only those that are some player's are valid
	of       [][]uint32       // by player: indexes of its frames

	resumed bool  // the scan was resumed before these frames,
	before  int64 // and this is the time of the frame before
	ending  *ending

	holders atomic.Int32
	free    chan *dealt
}

// ending is how the record ended, after the last frame of a batch.
type ending struct {
	time  int64
	clean bool // the scan's own end
}

// release ends what one player has of the batch.
func (b *dealt) release() {
	if b.holders.Add(-1) == 0 {
		b.batch.Release()
		b.batch = record.Batch{}
		b.free <- b
	}
}

// batchesInFlight bounds what has been read and not yet been played by the slowest player.
const batchesInFlight = 6

// source is what a record is read from: all of it, or an excerpt.
type source interface {
	NextBatch(*record.Batch) error
	End() (int64, bool)
	Position() (read, size int64)
}

// dealer reads a record and gives each host's frames to that host's player.
type dealer struct {
	path    string
	reader  source
	index   *record.IndexWriter // or nil
	options Options
	players []*player
	result  *Result
	last    int64 // time of the last frame
	number  uint64
	offset  int64
	free    chan *dealt
}

// deal goes through the record, until its end or until ctx is done.
func (d *dealer) deal(ctx context.Context) error {
	defer func() {
		for _, p := range d.players {
			close(p.in)
		}
	}()
	d.free = make(chan *dealt, batchesInFlight)
	for range batchesInFlight {
		d.free <- &dealt{of: make([][]uint32, len(d.players)), free: d.free}
	}
	for ctx.Err() == nil {
		b := <-d.free
		b.resumed, b.ending = false, nil
		err := d.reader.NextBatch(&b.batch)
		if err == nil {
			err = d.decode(b)
		} else if b.ending, err = d.end(err); b.ending != nil {
			d.pass(b)
			return nil
		}
		if err != nil {
			return err
		}
		d.pass(b)
		d.tell()
	}
	return nil
}

// pass gives the batch to all players.
func (d *dealer) pass(b *dealt) {
	b.holders.Store(int32(len(d.players)))
	for _, p := range d.players {
		p.in <- b
	}
}

// tell tells how far the playback is.
func (d *dealer) tell() {
	if d.options.Progress == nil {
		return
	}
	var services uint64
	for _, p := range d.players {
		services += p.services.Load()
	}
	read, size := d.reader.Position()
	d.options.Progress(Progress{Read: read, Size: size, Packets: d.result.Packets, Services: services})
}

// decode decodes the frames of a batch and finds each its player.
func (d *dealer) decode(b *dealt) error {
	frames := b.batch.Frames
	if len(b.segments) < len(frames) {
		b.segments = make([]packet.Segment, len(frames))
	}
	for i := range b.of {
		b.of[i] = b.of[i][:0]
	}
	b.before = d.last
	if part := frames[0].Part; part == d.result.Parts {
		b.resumed = part > 0
		d.result.Parts++
	}
	if d.index != nil {
		if err := d.index.Batch(&b.batch); err != nil {
			return err
		}
	}
	c := &d.result.Counters
	for i := range frames {
		f, s := &frames[i], &b.segments[i]
		if f.Time < d.last {
			return fmt.Errorf("replay: frame %d is earlier than the one before: not a record of laserdisc's", f.Number)
		}
		d.last = f.Time
		if d.options.story != nil && !d.options.story.mayConcern(f) {
			continue
		}
		if bad := s.Decode(f.LinkType, f.Data); bad != nil {
			if f.Direction == record.Sent {
				return fmt.Errorf("replay: frame %d was sent, but does not decode: %w", f.Number, bad)
			}
			c.Count(f.Direction, nil)
			continue
		}
		c.Count(f.Direction, s)
		s.Time, s.Number = f.Time, f.Number
		service := s.Src
		if f.Direction == record.Sent {
			service = s.Dst
		}
		if d.options.story != nil && !d.options.story.concerns(service) {
			continue
		}
		if d.index != nil {
			if err := d.index.Service(f.Number, service); err != nil {
				return err
			}
		}
		p := partition(service.Addr(), len(b.of))
		b.of[p] = append(b.of[p], uint32(i))
	}
	last := &frames[len(frames)-1]
	d.number, d.offset = last.Number, last.Offset
	d.result.Packets += uint64(len(frames))
	return nil
}

// end says how the record ends, of what the reader said after the last frame.
func (d *dealer) end(err error) (*ending, error) {
	var truncated *record.TruncatedError
	switch {
	case errors.As(err, &truncated):
		d.result.Truncated = truncated
	case damaged(err) && d.result.Packets > 0:
		d.result.Damage = err
	case !errors.Is(err, io.EOF):
		return nil, err
	default:
		if t, closed := d.reader.End(); closed {
			return &ending{time: max(t, d.last), clean: true}, nil
		}
		d.result.Truncated = &record.TruncatedError{Path: d.path, Frame: d.number, Offset: d.offset}
	}
	return &ending{time: d.last}, nil
}

// damaged reports whether an error of the reader's is of the packets, and not of the disk.
func damaged(err error) bool {
	return errors.As(err, new(*record.LostError)) || errors.As(err, new(*record.ChunkError)) || errors.As(err, new(*record.FormatError)) ||
		errors.As(err, new(*record.TruncatedError))
}

// partition gives a host one of n partitions.
func partition(host netip.Addr, n int) int {
	if n == 1 {
		return 0
	}
	b := host.As16()
	return int(xxh3.Hash(b[:]) % uint64(n))
}

func describe(s *packet.Segment) string {
	if s.ICMP != 0 {
		return fmt.Sprintf("ICMP %d/%d about %v > %v", s.ICMP>>8, s.ICMP&0xff, s.Dst, s.Src)
	}
	return fmt.Sprintf("%v > %v [%v] seq %d ack %d win %d len %d at %d ns",
		s.Src, s.Dst, s.Flags, s.Seq, s.Ack, s.Window, len(s.Payload), s.Time)
}
