package analysis

import (
	"cmp"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/session"
)

// Followups is a Fold that counts follow-ups into groups and kinds of Shares (scan --followup): services that were told the
// right handshake once more, some time after a wrong one or alone (paper, section 4.3). A service counts if its label, by what it
// said before, is of the right handshake's own protocol.
type Followups[Group, Kind cmp.Ordered] struct {
	shares Shares[Group, Kind]
	count  func(*FollowedUp, *Shares[Group, Kind])

	handshakes, labels names

	in      place
	service followed // the service that the fold is in
}

// FollowedUp is a service as Followups see it. It is valid until the function that it is given to returns.
type FollowedUp struct {
	Addr     string
	Protocol string        // of the service, and of the right handshake
	Control  bool          // whether it was told the right handshake alone
	Wrong    string        // the handshake before; valid only without Control
	SentData bool          // whether that drew data; valid only without Control
	Delay    time.Duration // from its end to the right one's SYN; valid only without Control
	State    session.State // how far the right handshake got: it failed below SendsData
}

// followed is a service whose attempts are not all seen yet.
type followed struct {
	responding
	FollowedUp
	right int  // number of the right handshake
	done  bool // whether that was told
}

// NewFollowups returns Followups that count what a function makes of each service: it calls Service and Hit with the service's own
// address.
func NewFollowups[Group, Kind cmp.Ordered](count func(*FollowedUp, *Shares[Group, Kind])) *Followups[Group, Kind] {
	return &Followups[Group, Kind]{count: count}
}

// Table is "attempts".
func (f *Followups[G, K]) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (f *Followups[G, K]) Columns() []string { return append([]string{"delay_ms"}, attemptColumns...) }

// Add takes the attempts of a batch into account.
func (f *Followups[G, K]) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows := readAttempts(&b, &f.handshakes, &f.labels)
	delay := readColumn[*array.Int64](&b, "delay_ms")
	for row := range b.rows() {
		if addr, port := rows.addr.Value(row), rows.port.Value(row); f.in.moves(addr, port) {
			f.closeService()
			f.in.move(addr, port)
		}
		s, state := &f.service, rows.state(row)
		switch rows.visit(row) {
		case session.Wrong:
			s.Wrong, s.SentData = f.handshakes.list[rows.handshakes.at(row)], state == session.SendsData
		case session.Followup:
			s.Delay, s.State, s.right, s.done = time.Duration(delay.Value(row))*time.Millisecond, state, rows.handshakes.at(row), true
		case session.Control:
			s.Control, s.State, s.right, s.done = true, state, rows.handshakes.at(row), true
		default:
			if rows.visit(row).Tells() {
				s.add(&rows, row, &f.labels)
			}
		}
	}
	return b.err
}

// closeService counts the service that the fold is in.
func (f *Followups[G, K]) closeService() {
	if s := &f.service; s.done && isOwn(f.handshakes.list[s.right], s.protocol()) {
		s.Addr, s.Protocol = string(f.in.addr), s.protocol()
		f.count(&s.FollowedUp, &f.shares)
	}
	f.service, f.in = followed{}, place{addr: f.in.addr[:0]}
}

// Merge adds what other Followups have counted, that count by the same function.
func (f *Followups[G, K]) Merge(fold Fold) error {
	other, ok := fold.(*Followups[G, K])
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, f)
	}
	f.closeService()
	other.closeService()
	f.shares.merge(&other.shares)
	return nil
}

// Counted is what was counted, once all rows have been seen.
func (f *Followups[G, K]) Counted() *Shares[G, K] {
	f.closeService()
	return &f.shares
}
