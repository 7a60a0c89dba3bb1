package analysis

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Relabel is a Fold that labels the responses of a dataset by the table of signatures that this program has, and counts the services
// whose label is another than the dataset's. An echo stays one: that is told by what had been sent, and not by a signature.
type Relabel struct {
	without  []string
	names    names
	moves    map[move]*Move
	services int // that sent data

	in      place
	service relabelled
}

// move is a change of label and evidence.
type move struct {
	from, to             string
	fromEvidence, toEvid handshake.Evidence
}

// Move is the services that a change of the table moves from one label to another.
type Move struct {
	From, To handshake.Verdict // labels, with their evidence
	Services int
	Examples []Example // the first ones, MostExamples at most
}

// Example is a service that moves, with the response that decided its label, of which there are Look bytes at most.
type Example struct {
	Service   netip.AddrPort
	Handshake string
	Response  []byte
}

const (
	// MostExamples is how many services a Move shows.
	MostExamples = 2
	// Look is how many bytes of a response it shows.
	Look = 48
)

// relabelled is a service whose attempts are not all seen yet.
type relabelled struct {
	sent         bool
	was, is      handshake.Verdict
	wasBy, isBy  string
	said, saysIs []byte
}

// NewRelabel returns one that has counted nothing. The protocols of without count as missing from the table.
func NewRelabel(without []string) *Relabel {
	return &Relabel{without: without, moves: make(map[move]*Move)}
}

// Table is "attempts".
func (r *Relabel) Table() string { return attempts.name }

// Columns are the columns that it reads.
func (r *Relabel) Columns() []string {
	return []string{"addr", "port", "visit", "handshake", "state", "label", "evidence", "response"}
}

// Add labels the responses of a batch.
func (r *Relabel) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows := readAttempts(&b, new(names), new(names)) // whose numbers are of this batch alone
	handshakes, labels := readCodes(&b, "handshake", r.names.number), readCodes(&b, "label", r.names.number)
	response := readColumn[*array.Binary](&b, "response")
	var verdict handshake.Verdict
	for row := range b.rows() {
		if rows.visit(row) == session.Ephemeral || rows.state(row) != session.SendsData {
			continue
		}
		if addr, port := rows.addr.Value(row), rows.port.Value(row); r.in.moves(addr, port) {
			if err := r.close(); err != nil {
				return err
			}
			r.in.move(addr, port)
		}
		s := &r.service
		s.sent = true
		by, data := r.names.list[handshakes.at(row)], response.Value(row)
		was := handshake.Verdict{Label: r.names.list[labels.at(row)], Evidence: handshake.Evidence(rows.evidence.at(row))}
		is := was
		if was.Label != handshake.Echo && len(data) > 0 {
			handshake.Classify(&verdict, nil, data)
			is.Label, is.Evidence = verdict.Without(r.without)
		}
		if was.Outranks(&s.was) {
			s.was, s.wasBy = was, by
			s.said = append(s.said[:0], data[:min(Look, len(data))]...)
		}
		if is.Outranks(&s.is) {
			s.is, s.isBy = is, by
			s.saysIs = append(s.saysIs[:0], data[:min(Look, len(data))]...)
		}
	}
	return b.err
}

// close counts the service that the fold is in.
func (r *Relabel) close() error {
	s := &r.service
	if !s.sent {
		return nil
	}
	r.services++
	if s.was.Label != s.is.Label || s.was.Evidence != s.is.Evidence {
		host, err := netip.ParseAddr(string(r.in.addr))
		if err != nil {
			return fmt.Errorf("analysis: column \"addr\": %w", err)
		}
		// What shows the change is the response that is recognised.
		e := Example{netip.AddrPortFrom(host, r.in.port), s.isBy, slices.Clone(s.saysIs)}
		if s.is.Evidence < s.was.Evidence {
			e.Handshake, e.Response = s.wasBy, slices.Clone(s.said)
		}
		r.count(Move{From: s.was, To: s.is, Services: 1, Examples: []Example{e}})
	}
	*s = relabelled{said: s.said, saysIs: s.saysIs}
	return nil
}

func (r *Relabel) count(more Move) {
	k := move{more.From.Label, more.To.Label, more.From.Evidence, more.To.Evidence}
	m := r.moves[k]
	if m == nil {
		m = &Move{From: more.From, To: more.To}
		r.moves[k] = m
	}
	m.Services += more.Services
	m.Examples = append(m.Examples, more.Examples...)
	slices.SortFunc(m.Examples, func(a, b Example) int { return a.Service.Compare(b.Service) })
	m.Examples = m.Examples[:min(MostExamples, len(m.Examples))]
}

// Merge adds what another Relabel has counted.
func (r *Relabel) Merge(fold Fold) error {
	other, ok := fold.(*Relabel)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, r)
	}
	if err := cmp.Or(r.close(), other.close()); err != nil {
		return err
	}
	r.in = place{}
	r.services += other.services
	for _, m := range other.moves {
		r.count(*m)
	}
	return nil
}

// Moves gives the changes, those of the most services first, and how many services sent data.
func (r *Relabel) Moves() (moves []Move, services int, err error) {
	if err := r.close(); err != nil {
		return nil, 0, err
	}
	r.in = place{}
	for _, m := range r.moves {
		moves = append(moves, *m)
	}
	slices.SortFunc(moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), cmp.Compare(a.From.Label, b.From.Label), cmp.Compare(a.To.Label, b.To.Label),
			cmp.Compare(a.From.Evidence, b.From.Evidence), cmp.Compare(a.To.Evidence, b.To.Evidence))
	})
	return moves, r.services, nil
}
