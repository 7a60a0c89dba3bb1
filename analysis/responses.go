package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

// Responses is a Fold that counts services by what each handshake drew from them, for scans that try every handshake
// on every service (--all-handshakes): the order of handshakes, the matrix of Figure 10 and the options of Table 3 are
// made from it. The services of a port that responded alike are one count, and there are far fewer of these than
// services. The zero Responses has counted none.
type Responses struct {
	handshakes, labels names
	patterns           map[response]int32 // numbers what differs in responses, whatever the port
	numbered           []response
	counts             map[portPattern]int

	in      place
	service responding // the service that the fold is in
}

type response struct {
	label      int32
	tried      order.Set
	sentData   order.Set
	identified order.Set
}

type portPattern struct {
	port    uint16
	pattern int32
}

// attemptColumns are the columns that tell what the attempts at a service drew.
var attemptColumns = []string{"addr", "port", "visit", "handshake", "state", "label", "evidence"}

// attemptRows are these columns of a batch.
type attemptRows struct {
	addr                                         *array.String
	port                                         *array.Uint16
	visits, states, handshakes, labels, evidence codes
}

// readAttempts gives the columns, with the names of handshakes and labels as they are numbered there.
func readAttempts(b *batch, handshakes, labels *names) attemptRows {
	rows := attemptRows{
		addr: readColumn[*array.String](b, "addr"), port: readColumn[*array.Uint16](b, "port"),
		visits: readCodes(b, "visit", visitCode), states: readCodes(b, "state", stateCode),
		handshakes: readCodes(b, "handshake", handshakes.number),
		labels:     readCodes(b, "label", labels.number), evidence: readCodes(b, "evidence", evidenceCode),
	}
	if b.err == nil {
		b.err = fewEnough(handshakes)
	}
	return rows
}

// fewEnough reports handshakes that are more than a set can tell apart.
func fewEnough(handshakes *names) error {
	if len(handshakes.list) > order.MaxHandshakes {
		return fmt.Errorf("analysis: handshake %q is one more than %d", handshakes.list[order.MaxHandshakes], order.MaxHandshakes)
	}
	return nil
}

func (r *attemptRows) visit(row int) session.Visit { return session.Visit(r.visits.at(row)) }
func (r *attemptRows) state(row int) session.State { return session.State(r.states.at(row)) }

// identifies reports whether what an attempt drew is likely or certain to be some protocol's.
func (r *attemptRows) identifies(row int) bool {
	return r.state(row) == session.SendsData && handshake.Evidence(r.evidence.at(row)) >= handshake.Likely
}

// responding is a service whose attempts are not all seen yet. One that never connected is none.
type responding struct {
	response
	connected bool
	verdict   handshake.Verdict // the best label so far, and the number of it in response.label
}

// add takes the next attempt into account. A second look tells of the service's label, and not of what a handshake drew.
func (s *responding) add(rows *attemptRows, row int, labels *names) {
	state := rows.state(row)
	s.connected = s.connected || state.Connected()
	if !s.connected {
		return
	}
	if state == session.SendsData {
		label, evidence := rows.labels.at(row), handshake.Evidence(rows.evidence.at(row))
		// Most services say the same each time, which does not outrank itself.
		if int32(label) != s.label || evidence != s.verdict.Evidence || s.verdict.Label == "" {
			v := handshake.Verdict{Label: labels.list[label], Evidence: evidence}
			if v.Outranks(&s.verdict) {
				s.verdict, s.label = v, int32(label)
			}
		}
	}
	if rows.visit(row) != session.First {
		return
	}
	h := rows.handshakes.at(row)
	s.tried.Add(h)
	if state == session.SendsData {
		s.sentData.Add(h)
		if rows.identifies(row) {
			s.identified.Add(h)
		}
	}
}

// protocol is what the service speaks, by likely or certain evidence; "" is none.
func (s *responding) protocol() string {
	if s.verdict.Evidence < handshake.Likely {
		return ""
	}
	return s.verdict.Label
}

// Response is the services of a port that responded alike to every handshake. The sets are over the handshakes that
// Patterns gives beside it.
type Response struct {
	Port       uint16
	Label      string    // protocol, by likely or certain evidence; "" is none
	Tried      order.Set // what was tried since the service first connected
	SentData   order.Set // what made it send any data
	Identified order.Set // what made it send data that is likely or certain to be some protocol's
	Services   int       // how many, at least 1
}

// Table is "attempts".
func (r *Responses) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (r *Responses) Columns() []string { return attemptColumns }

// Add takes the attempts of a batch into account. It is an error if there are more than order.MaxHandshakes handshakes.
func (r *Responses) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows := readAttempts(&b, &r.handshakes, &r.labels)
	for row := range b.rows() {
		if !rows.visit(row).Tells() {
			continue
		}
		if addr, port := rows.addr.Value(row), rows.port.Value(row); r.in.moves(addr, port) {
			r.close()
			r.in.move(addr, port)
		}
		r.service.add(&rows, row, &r.labels)
	}
	return b.err
}

// close counts the service that the fold is in.
func (r *Responses) close() {
	if s := &r.service; s.connected {
		label, _ := r.labels.number(s.protocol())
		s.label = int32(label)
		r.count(r.in.port, s.response, 1)
	}
	r.service, r.in = responding{}, place{addr: r.in.addr[:0]}
}

func (r *Responses) count(port uint16, p response, n int) {
	if r.counts == nil {
		r.patterns, r.counts = make(map[response]int32), make(map[portPattern]int)
	}
	number, ok := r.patterns[p]
	if !ok {
		number = int32(len(r.numbered))
		r.numbered = append(r.numbered, p)
		r.patterns[p] = number
	}
	r.counts[portPattern{port, number}] += n
}

// Merge adds what another Responses has counted.
func (r *Responses) Merge(fold Fold) error {
	other, ok := fold.(*Responses)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, r)
	}
	r.close()
	other.close()
	handshakes, labels := r.handshakes.numbers(&other.handshakes), r.labels.numbers(&other.labels)
	if err := fewEnough(&r.handshakes); err != nil {
		return err
	}
	for k, n := range other.counts {
		p := other.numbered[k.pattern]
		p.label = int32(labels[p.label])
		p.tried, p.sentData, p.identified = p.tried.Renumber(handshakes), p.sentData.Renumber(handshakes), p.identified.Renumber(handshakes)
		r.count(k.port, p, n)
	}
	return nil
}

// Patterns gives the handshakes that were tried, those of first in its order and then the others by name, and the
// counts, in the order of the port, the label and the sets.
func (r *Responses) Patterns(first []string) (handshakes []string, patterns []Response) {
	r.close()
	var tried order.Set
	for _, p := range r.numbered {
		tried = tried.Union(p.tried)
	}
	handshakes, to := arrange(&r.handshakes, tried, first)
	for k, n := range r.counts {
		p := r.numbered[k.pattern]
		patterns = append(patterns, Response{
			Port: k.port, Label: r.labels.list[p.label], Services: n,
			Tried: p.tried.Renumber(to), SentData: p.sentData.Renumber(to), Identified: p.identified.Renumber(to),
		})
	}
	slices.SortFunc(patterns, func(a, b Response) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Label, b.Label), a.Tried.Compare(b.Tried),
			a.SentData.Compare(b.SentData), a.Identified.Compare(b.Identified), cmp.Compare(a.Services, b.Services))
	})
	return handshakes, patterns
}

// arrange gives the handshakes that were tried, those of first in its order and then the others by name, and the place of each
// number there. That of a handshake that was never tried does not matter.
func arrange(numbered *names, tried order.Set, first []string) (handshakes []string, to []int) {
	for h, name := range numbered.list {
		if tried.Has(h) {
			handshakes = append(handshakes, name)
		}
	}
	rank := func(name string) int {
		if i := slices.Index(first, name); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortFunc(handshakes, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	to = make([]int, len(numbered.list))
	for h, name := range numbered.list {
		to[h] = max(0, slices.Index(handshakes, name))
	}
	return handshakes, to
}

// On leaves out the services on other ports than the ones given.
func On(patterns []Response, ports []uint16) []Response {
	return slices.DeleteFunc(slices.Clone(patterns), func(p Response) bool { return !slices.Contains(ports, p.Port) })
}

// Unexpected leaves out the services that speak what is expected on their port: the paper's Table 2 takes it that a
// service has been tried with that first.
func Unexpected(patterns []Response) []Response {
	return slices.DeleteFunc(slices.Clone(patterns), func(p Response) bool {
		expected := datasets.Expected(p.Port)
		return expected != "" && p.Label == expected
	})
}

// Identified gives what identifies the services, each of which counts alike, as replay/order takes it.
func Identified(patterns []Response) []order.Pattern {
	list := make([]order.Pattern, len(patterns))
	for i, p := range patterns {
		list[i] = order.Pattern{Identified: p.Identified, Services: p.Services, Weight: int64(p.Services)}
	}
	return list
}

// place is the service that a fold of attempts is in. The zero place is no service.
type place struct {
	addr []byte
	port uint16
}

// moves reports whether a row is another service's.
func (p *place) moves(addr string, port uint16) bool { return p.port != port || string(p.addr) != addr }

func (p *place) move(addr string, port uint16) { p.addr, p.port = append(p.addr[:0], addr...), port }
