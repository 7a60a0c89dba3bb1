// Package replay plays a recorded run back: the same loop as the live scan's, fed from the
// record, with every packet that it sends compared with the one that was sent.
package replay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Result is what a record says. Attempts and Services are sorted by address, port, and number of
// attempt, so that they depend on the record alone.
type Result struct {
	Manifest *record.Manifest
	Packets  uint64 // frames played back
	Counters record.Counters
	Attempts []*session.Attempt
	Services []*session.Service

	// Parts is how many the record has: one more than the times the scan was resumed.
	Parts int
	// Unfinished are the services in flight at the end of the last part, in order.
	Unfinished []netip.AddrPort

	// Truncated is set if the record ends before the scan did; what stands before is played back.
	Truncated *record.TruncatedError
	// Unread counts the frames of a foreign capture that say nothing: cut short, malformed, of a link
	// that is not known. FirstUnread tells of the first.
	Unread      uint64
	FirstUnread error
	// Difference is the first packet that is not what the session sends; nil: identical.
	Difference *Difference
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

// Run plays back the run in dir on the given number of workers, which changes the time it takes
// and nothing else. A difference or a truncation is part of the result, not an error; errors are
// for what cannot be read.
func Run(dir string, workers int) (*Result, error) {
	r, err := record.Open(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Manifest() == nil {
		return nil, fmt.Errorf("replay: %s: no manifest: not a run that laserdisc recorded", dir)
	}
	result := &Result{Manifest: r.Manifest()}
	players := make([]*player, max(1, workers))
	for i := range players {
		if players[i], err = newPlayer(result.Manifest); err != nil {
			return nil, err
		}
	}
	var group sync.WaitGroup
	for _, p := range players {
		group.Go(p.run)
	}
	err = deal(dir, r, players, result)
	group.Wait()
	if err != nil {
		return nil, err
	}
	return result, gather(players, result)
}

// gather merges what the players found.
func gather(players []*player, result *Result) error {
	for _, p := range players {
		var d *Difference
		if errors.As(p.err, &d) {
			if result.Difference == nil || d.Frame < result.Difference.Frame {
				result.Difference = d
			}
		} else if p.err != nil {
			return p.err
		}
		result.Counters.Launched += p.probes
		result.Counters.Services += uint64(len(p.services))
		result.Unfinished = append(result.Unfinished, p.machine.Unfinished()...)
		result.Attempts = append(result.Attempts, p.attempts...)
		result.Services = append(result.Services, p.services...)
	}
	slices.SortFunc(result.Attempts, func(a, b *session.Attempt) int {
		return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Visit, b.Visit), cmp.Compare(a.FirstFrame, b.FirstFrame))
	})
	slices.SortFunc(result.Unfinished, netip.AddrPort.Compare)
	slices.SortFunc(result.Services, func(a, b *session.Service) int {
		return a.Service.Compare(b.Service)
	})
	// Nothing is remembered of a target that refused: each of its resets or ICMP errors stands
	// alone. One is kept.
	result.Attempts = slices.CompactFunc(result.Attempts, func(a, b *session.Attempt) bool {
		return a.Service == b.Service && a.Number == b.Number && a.Visit == b.Visit && !b.State.Connected()
	})
	return nil
}

// player is one worker: the source of its machine's events and the sink of what it does.
type player struct {
	settings session.Settings
	part     int
	machine  *session.Machine
	framer   *packet.Framer
	in       chan *hand
	out      chan *hand // empty ones, back to the dealer

	hand     *hand
	next     int    // in hand.cards
	probed   uint64 // number of the sent frame that a probe was made of
	probes   uint64 // how many there were
	lastSeen uint64
	ending   *ending
	attempts []*session.Attempt
	services []*session.Service
	err      error
}

// ending is how the record ended.
type ending struct {
	time  int64
	clean bool // the scan's own end
	told  bool // the machine knows
}

func newPlayer(m *record.Manifest) (*player, error) {
	framer, err := m.Link.Framer()
	if err != nil {
		return nil, err
	}
	p := &player{settings: m.Settings, framer: framer, in: make(chan *hand, handsInFlight), out: make(chan *hand, handsInFlight)}
	for range handsInFlight {
		p.out <- &hand{}
	}
	p.machine, err = session.New(p.settings, p.part, p)
	return p, err
}

// run plays one part after another.
func (p *player) run() {
	for p.err == nil {
		p.err = p.machine.Run(p)
		if c := p.peek(); c == nil || p.err != nil {
			break
		}
		p.next++ // the mark
		p.err = p.resume()
	}
	for h := range p.in { // after a difference: let the dealer go on
		p.out <- h
	}
}

// resume begins the next part as the resumed scan did: with nothing in flight. The attempts at
// what was are forgotten, for it was probed again.
func (p *player) resume() (err error) {
	unfinished := make(map[netip.AddrPort]bool)
	for _, s := range p.machine.Unfinished() {
		unfinished[s] = true
	}
	p.attempts = slices.DeleteFunc(p.attempts, func(a *session.Attempt) bool {
		return unfinished[a.Service] && a.Visit != session.Ephemeral
	})
	p.part++
	p.machine, err = session.New(p.settings, p.part, p)
	return err
}

// peek returns the next frame, or nil at the end.
func (p *player) peek() *card {
	for p.ending == nil && (p.hand == nil || p.next == len(p.hand.cards)) {
		if p.hand != nil {
			p.out <- p.hand
		}
		p.hand, p.next = <-p.in, 0
		if p.hand == nil {
			p.ending = &ending{}
		} else if p.hand.ending != nil {
			p.ending = p.hand.ending
		}
	}
	if p.next < len(p.hand.cards) {
		return &p.hand.cards[p.next]
	}
	return nil
}

func (p *player) take(c *card) {
	p.lastSeen = c.segment.Number
	p.next++
}

// Next implements session.Source.
func (p *player) Next(deadline int64, e *session.Event) error {
	c := p.peek()
	switch {
	case c == nil && p.ending.told:
		return io.EOF
	case c == nil:
		p.ending.told = true
		e.Time = p.ending.time
	case deadline <= c.segment.Time:
		e.Time = deadline
	case c.mark:
		return io.EOF
	case c.direction == record.Received:
		e.Time, e.Segment = c.segment.Time, &c.segment
		p.take(c)
	case p.probed == c.segment.Number:
		return &Difference{Frame: c.segment.Number, Recorded: describe(&c.segment)}
	default:
		// The session did not ask for it, so it was a probe; Send takes it off.
		p.probed = c.segment.Number
		p.probes++
		e.Time, e.Target = c.segment.Time, c.segment.Dst
	}
	return nil
}

// Send implements session.Sink: the packet must be the record's next.
func (p *player) Send(s *packet.Segment) error {
	c := p.peek()
	if c == nil {
		if p.ending.clean {
			return &Difference{Frame: p.lastSeen, Played: describe(s)}
		}
		return nil // the record was cut off here
	}
	if c.mark {
		return nil // and here, before it was resumed
	}
	if c.direction != record.Sent || s.Time != c.segment.Time || !bytes.Equal(p.framer.Frame(s), c.frame) {
		return &Difference{Frame: c.segment.Number, Recorded: describe(&c.segment), Played: describe(s)}
	}
	p.take(c)
	return nil
}

// Attempt implements session.Sink.
func (p *player) Attempt(a *session.Attempt) error {
	p.attempts = append(p.attempts, a.Clone())
	return nil
}

// Service implements session.Sink.
func (p *player) Service(s *session.Service) error {
	p.services = append(p.services, s.Clone())
	return nil
}
