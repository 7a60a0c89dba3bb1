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
	ackedData  bool
	tried      order.Set
	sentData   order.Set
	identified order.Set
}

type portPattern struct {
	port    uint16
	pattern int32
}

// responding is a service whose attempts are not all seen yet.
type responding struct {
	response
	reach
	connected bool
	verdict   handshake.Verdict // the best label so far, and the number of it in response.label
}

// Response is the services of a port that responded alike to every handshake. The sets are over the handshakes that
// Patterns gives beside it.
type Response struct {
	Port       uint16
	Label      string    // protocol, by likely or certain evidence; "" is none
	Tried      order.Set // what was tried since the service first connected
	SentData   order.Set // what made it send any data
	Identified order.Set // what made it send data that is likely or certain to be some protocol's
	AckedData  bool      // whether it acknowledged data, or sent any
	Services   int       // how many, at least 1
}

// Table is "attempts".
func (r *Responses) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (r *Responses) Columns() []string {
	return append([]string{"addr", "port", "visit", "handshake", "state", "label", "evidence"}, reachColumns...)
}

// Add takes the attempts of a batch into account. A service that never connected is none. A second look tells of its
// label, and not of what a handshake drew. It is an error if there are more than order.MaxHandshakes handshakes.
func (r *Responses) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	visits, states := readCodes(&b, "visit", visitCode), readCodes(&b, "state", stateCode)
	handshakes := readCodes(&b, "handshake", r.handshakes.number)
	labels, evidence := readCodes(&b, "label", r.labels.number), readCodes(&b, "evidence", evidenceCode)
	ends := readEndings(&b)
	if len(r.handshakes.list) > order.MaxHandshakes {
		return fmt.Errorf("analysis: handshake %q is one more than %d", r.handshakes.list[order.MaxHandshakes], order.MaxHandshakes)
	}
	for row := range b.rows() {
		visit, state := session.Visit(visits.at(row)), session.State(states.at(row))
		if visit == session.Ephemeral {
			continue
		}
		if r.in.moves(addr.Value(row), port.Value(row)) {
			r.close()
			r.in.move(addr.Value(row), port.Value(row))
		}
		s := &r.service
		s.connected = s.connected || state.Connected()
		if !s.connected {
			continue
		}
		s.reach.add(state, &ends, row)
		if state == session.SendsData {
			label := labels.at(row)
			v := handshake.Verdict{Label: r.labels.list[label], Evidence: handshake.Evidence(evidence.at(row))}
			if v.Outranks(&s.verdict) {
				s.verdict, s.label = v, int32(label)
			}
		}
		if visit != session.First {
			continue
		}
		h := handshakes.at(row)
		s.tried.Add(h)
		if state == session.SendsData {
			s.sentData.Add(h)
			if handshake.Evidence(evidence.at(row)) >= handshake.Likely {
				s.identified.Add(h)
			}
		}
	}
	return b.err
}

// close counts the service that the fold is in.
func (r *Responses) close() {
	if s := &r.service; s.connected {
		s.ackedData = s.acked
		if s.verdict.Evidence < handshake.Likely {
			none, _ := r.labels.number("")
			s.label = int32(none)
		}
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
	var handshakes, labels []int
	for _, name := range other.handshakes.list {
		h, _ := r.handshakes.number(name)
		handshakes = append(handshakes, h)
	}
	for _, name := range other.labels.list {
		label, _ := r.labels.number(name)
		labels = append(labels, label)
	}
	if len(r.handshakes.list) > order.MaxHandshakes {
		return fmt.Errorf("analysis: handshake %q is one more than %d", r.handshakes.list[order.MaxHandshakes], order.MaxHandshakes)
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
	for h, name := range r.handshakes.list {
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
	to := make([]int, len(r.handshakes.list))
	for h, name := range r.handshakes.list {
		to[h] = max(0, slices.Index(handshakes, name)) // that of one that was never tried does not matter
	}
	for k, n := range r.counts {
		p := r.numbered[k.pattern]
		patterns = append(patterns, Response{
			Port: k.port, Label: r.labels.list[p.label], AckedData: p.ackedData, Services: n,
			Tried: p.tried.Renumber(to), SentData: p.sentData.Renumber(to), Identified: p.identified.Renumber(to),
		})
	}
	slices.SortFunc(patterns, func(a, b Response) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Label, b.Label), a.Tried.Compare(b.Tried),
			a.SentData.Compare(b.SentData), a.Identified.Compare(b.Identified), cmp.Compare(a.Services, b.Services))
	})
	return handshakes, patterns
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
