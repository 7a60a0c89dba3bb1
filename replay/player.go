package replay

import (
	"bytes"
	"io"
	"net/netip"
	"sync/atomic"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// player plays the frames of one partition of the hosts: it is the source of its machine's events, and the sink of what
// that does.
type player struct {
	settings session.Settings
	part     int
	machine  *session.Machine
	framer   *packet.Framer
	rows     Rows
	in       chan *dealt

	number   int // among the dealer's players
	batch    *dealt
	next     int    // in the batch's frames of this player
	at       uint32 // the index in the batch of the frame that peek found; valid until take
	resuming bool   // the batch begins another part, and the machine has not come to its end
	ending   *ending
	ended    bool   // the machine knows of the ending
	probed   uint64 // number of the sent frame that a probe was made of
	probes   uint64 // how many there were
	unasked  uint64 // SYN-ACKs of what the scan had not asked
	lastSeen uint64
	services atomic.Uint64
	lines    lineSum
	line     []byte
	left     map[netip.AddrPort]bool // what an earlier part left in flight, and none has probed since
	err      error

	story *story // of one service, which is told as it goes; or nil
}

func newPlayer(m *record.Manifest, number, of int) (*player, error) {
	framer, err := m.Link.Framer()
	if err != nil {
		return nil, err
	}
	p := &player{settings: m.Settings, framer: framer, in: make(chan *dealt, batchesInFlight), number: number}
	p.batch = &dealt{of: make([][]uint32, of), free: make(chan *dealt, 1)} // none
	p.batch.holders.Store(1)
	p.machine, err = session.New(p.settings, p.part, p)
	return p, err
}

// tells has the player tell a story.
func (p *player) tells(st *story) {
	if st != nil {
		p.story = st
		st.attempt = func(s *packet.Segment) *session.Attempt { return p.machine.Attempt(s) }
	}
}

// told tells of the packet that was taken last, before anything else happens.
func (p *player) told() error {
	if p.story == nil {
		return nil
	}
	return p.story.tell(nil)
}

// run plays one part after another.
func (p *player) run() {
	for p.err == nil {
		p.err = p.machine.Run(p)
		if p.err != nil || !p.resuming {
			return
		}
		p.resuming = false
		p.err = p.resume()
	}
}

// resume begins the next part as the resumed scan did: with nothing in flight.
func (p *player) resume() (err error) {
	unfinished := p.machine.Unfinished()
	for _, t := range unfinished {
		if p.left == nil {
			p.left = make(map[netip.AddrPort]bool)
		}
		p.left[t] = true
	}
	p.rows.Resumed(unfinished)
	p.part++
	p.machine, err = session.New(p.settings, p.part, p)
	return err
}

// drain lets the dealer go on after a difference.
func (p *player) drain() {
	p.batch.release()
	for b := range p.in {
		b.release()
	}
}

// peek makes p.at the next frame's index in the batch. It returns false at the end of a part, and of the record.
func (p *player) peek() bool {
	for !p.resuming && p.ending == nil && p.next == len(p.batch.of[p.number]) {
		b, ok := <-p.in
		if !ok { // the dealer has given up
			p.ending, p.ended = &ending{}, true
			return false
		}
		p.batch.release()
		p.batch, p.next = b, 0
		p.resuming, p.ending = b.resumed, b.ending
	}
	if p.resuming || p.ending != nil {
		return false
	}
	p.at = p.batch.of[p.number][p.next]
	return true
}

func (p *player) take() {
	s := &p.batch.segments[p.at]
	if p.story != nil {
		p.story.take(&p.batch.batch.Frames[p.at], s)
	}
	p.lastSeen = s.Number
	p.next++
}

// Next implements session.Source.
func (p *player) Next(deadline int64, e *session.Event) error {
	if err := p.told(); err != nil {
		return err
	}
	if !p.peek() {
		return p.nextAtEnd(deadline, e)
	}
	f, s := &p.batch.batch.Frames[p.at], &p.batch.segments[p.at]
	switch {
	case deadline <= s.Time:
		e.Time = deadline
	case f.Direction == record.Received:
		e.Time, e.Segment = s.Time, s
		p.take()
	case p.probed == s.Number:
		return &Difference{Frame: s.Number, Recorded: describe(s)}
	default:
		// The session did not ask for it, so it was a probe; Send takes it off.
		p.probed = s.Number
		p.probes++
		delete(p.left, s.Dst)
		e.Time, e.Target = s.Time, s.Dst
	}
	return nil
}

// nextAtEnd fires what was due before the part ended.
func (p *player) nextAtEnd(deadline int64, e *session.Event) error {
	switch {
	case p.resuming && deadline <= p.batch.before:
		e.Time = deadline
	case p.resuming || p.ended:
		return io.EOF
	default:
		p.ended = true
		e.Time = p.ending.time
	}
	return nil
}

// Asked implements session.Sink. It is for the record to say: a scan answers the SYN-ACK of what it has asked at once, and
// sends nothing else before that. Which were its targets, and which of them it had come to, playback does not know.
func (p *player) Asked(synack *packet.Segment) bool {
	from, to, at := synack.Src, synack.Dst, synack.Time // peek may go on to another batch
	if !p.peek() {
		return p.resuming || !p.ending.clean // for all one knows: the record was cut off here
	}
	f, s := &p.batch.batch.Frames[p.at], &p.batch.segments[p.at]
	if f.Direction == record.Sent && s.Time == at && s.Src == to && s.Dst == from && !s.Flags.Has(packet.SYN) {
		return true
	}
	p.unasked++
	return false
}

// Send implements session.Sink: the packet must be the record's next.
func (p *player) Send(s *packet.Segment) error {
	if err := p.told(); err != nil {
		return err
	}
	if !p.peek() {
		if !p.resuming && p.ending.clean {
			return &Difference{Frame: p.lastSeen, Played: describe(s)}
		}
		return nil // the record was cut off here
	}
	f, recorded := &p.batch.batch.Frames[p.at], &p.batch.segments[p.at]
	if f.Direction != record.Sent || s.Time != recorded.Time || !bytes.Equal(p.framer.Frame(s), f.Data) {
		return &Difference{Frame: recorded.Number, Recorded: describe(recorded), Played: describe(s)}
	}
	p.take()
	return nil
}

// Attempt implements session.Sink.
func (p *player) Attempt(a *session.Attempt) error { return p.rows.Attempt(a) }

// Service implements session.Sink.
func (p *player) Service(s *session.Service) error {
	p.services.Add(1)
	p.line = s.AppendJSON(p.line[:0])
	p.lines.line(p.line)
	return p.rows.Service(s)
}
