package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/replay/order"
)

// Answers is a Fold that counts, host by host, what each handshake drew from the services of each protocol, for scans that try
// every handshake on every service (--all-handshakes): shares of Figure 10 are estimated from it, and what a single handshake finds.
type Answers struct {
	sentAgain time.Duration

	handshakes, labels names
	alone              map[answered]uint64 // hosts that have one service
	cells              map[answerCell]estimate.Hosts

	in      place
	service answering  // the service that the fold is in
	host    []answered // the host's services before it
}

// answered is what differs in services.
type answered struct {
	response
	first firstData
}

// firstData is what came of the first attempt that had data to send.
type firstData uint8

const (
	notAcked   firstData = iota // or there was none
	acked                       // acknowledged at once
	ackedAgain                  // only after it had been sent again
)

// answering is a service whose attempts are not all seen yet.
type answering struct {
	responding
	first firstData
	tried bool // whether data was sent
}

// answerCell is what a share is of: the services of a protocol, by its number, that a handshake was tried on; or others, below 0.
type answerCell struct{ label, handshake int32 }

const (
	identifiable int32 = -1 - iota // services that some handshake identifies; of the kind are those that this one does
	acknowledges                   // services that acknowledged the first data; those that did only when it was sent again
)

// NewAnswers returns Answers that have counted nothing. Data is sent again, with PSH, when it has not been acknowledged for so long
// (Settings.RetransmitAfter).
func NewAnswers(sentAgain time.Duration) *Answers {
	return &Answers{sentAgain: sentAgain, alone: make(map[answered]uint64), cells: make(map[answerCell]estimate.Hosts)}
}

// Table is "attempts".
func (a *Answers) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (a *Answers) Columns() []string {
	return slices.Concat(attemptColumns, []string{"sent_bytes", "retransmits", "synack_time", "ack_time"})
}

// Add takes the attempts of a batch into account.
func (a *Answers) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows := readAttempts(&b, &a.handshakes, &a.labels)
	sent, again := readColumn[*array.Uint32](&b, "sent_bytes"), readColumn[*array.Uint32](&b, "retransmits")
	synack, ack := readColumn[*array.Timestamp](&b, "synack_time"), readColumn[*array.Timestamp](&b, "ack_time")
	for row := range b.rows() {
		visit := rows.visit(row)
		if !visit.Tells() {
			continue
		}
		if addr, port := rows.addr.Value(row), rows.port.Value(row); a.in.moves(addr, port) {
			a.closeService()
			if string(a.in.addr) != addr {
				a.closeHost()
			}
			a.in.move(addr, port)
		}
		s := &a.service
		s.add(&rows, row, &a.labels)
		if visit != session.First || s.tried || !s.connected || sent.Value(row) == 0 {
			continue
		}
		s.tried = true
		switch {
		case rows.state(row) < session.AcksData:
		case again.Value(row) > 0 && !ack.IsNull(row) && !synack.IsNull(row) &&
			time.Duration(ack.Value(row)-synack.Value(row)) >= a.sentAgain: // what was sent again may also be the SYN
			s.first = ackedAgain
		default:
			s.first = acked
		}
	}
	return b.err
}

func (a *Answers) closeService() {
	if s := &a.service; s.connected {
		label, _ := a.labels.number(s.protocol())
		s.label = int32(label)
		a.host = append(a.host, answered{s.response, s.first})
	}
	a.service = answering{}
}

// closeHost counts the host that the fold is in. Most have one service, and those that answered alike are one count.
func (a *Answers) closeHost() {
	switch len(a.host) {
	case 0:
		return
	case 1:
		a.alone[a.host[0]]++
	default:
		type sum struct{ hits, services uint32 }
		sums := make(map[answerCell]sum)
		for i := range a.host {
			a.host[i].count(a.labels.list, func(c answerCell, hit bool) {
				s := sums[c]
				s.services++
				if hit {
					s.hits++
				}
				sums[c] = s
			})
		}
		for c, s := range sums { // whose order does not matter: each has a cell of its own
			hosts := a.cells[c]
			hosts.Add(s.hits, s.services)
			a.cells[c] = hosts
		}
	}
	a.host = a.host[:0]
}

// count counts the service into each of its cells, and says whether it is a hit there.
func (s *answered) count(labels []string, in func(c answerCell, hit bool)) {
	for h := range s.tried.All() {
		if labels[s.label] != "" {
			in(answerCell{s.label, int32(h)}, s.sentData.Has(h))
		}
		if s.identified != (order.Set{}) {
			in(answerCell{identifiable, int32(h)}, s.identified.Has(h))
		}
	}
	if s.first != notAcked {
		in(answerCell{acknowledges, 0}, s.first == ackedAgain)
	}
}

// close counts what the fold is in, and puts the hosts with one service to the others.
func (a *Answers) close() {
	a.closeService()
	a.closeHost()
	a.in = place{addr: a.in.addr[:0]}
	for s, n := range a.alone {
		s.count(a.labels.list, func(c answerCell, hit bool) {
			hosts, hits := a.cells[c], uint64(0)
			if hit {
				hits = n
			}
			hosts.Merge(estimate.Alone(hits, n))
			a.cells[c] = hosts
		})
	}
	clear(a.alone)
}

// Merge adds what other Answers have counted, of other hosts.
func (a *Answers) Merge(fold Fold) error {
	other, ok := fold.(*Answers)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, a)
	}
	if a.sentAgain != other.sentAgain {
		return fmt.Errorf("analysis: answers do not merge where data was sent again after %v and after %v", a.sentAgain, other.sentAgain)
	}
	a.close()
	other.close()
	handshakes, labels := a.handshakes.numbers(&other.handshakes), a.labels.numbers(&other.labels)
	if err := fewEnough(&a.handshakes); err != nil {
		return err
	}
	for c, hosts := range other.cells {
		if c.label >= 0 {
			c.label = int32(labels[c.label])
		}
		if c.label != acknowledges {
			c.handshake = int32(handshakes[c.handshake])
		}
		mine := a.cells[c]
		mine.Merge(hosts)
		a.cells[c] = mine
	}
	return nil
}

// Handshakes are those that were tried on a service that was identified, those of first in its order and then the others by name.
func (a *Answers) Handshakes(first []string) []string {
	a.close()
	var tried order.Set
	for c := range a.cells {
		if c.label != acknowledges {
			tried.Add(int(c.handshake))
		}
	}
	list, _ := arrange(&a.handshakes, tried, first)
	return list
}

// Protocols are those that have a service, by name.
func (a *Answers) Protocols() []string {
	a.close()
	seen := make(map[string]bool)
	for c := range a.cells {
		if c.label >= 0 {
			seen[a.labels.list[c.label]] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), cmp.Compare[string])
}

// Drew are the services of a protocol that a handshake was tried on, and which of them sent data back, whatever it was.
func (a *Answers) Drew(protocol, handshake string) estimate.Hosts {
	a.close()
	label, known := a.labels.known[protocol]
	h, tried := a.handshakes.known[handshake]
	if !known || !tried {
		return estimate.Hosts{}
	}
	return a.cells[answerCell{int32(label), int32(h)}]
}

// Identified are the services that some handshake identifies, by any answer, and which of them this one does.
func (a *Answers) Identified(handshake string) estimate.Hosts {
	a.close()
	h, tried := a.handshakes.known[handshake]
	if !tried {
		return estimate.Hosts{}
	}
	return a.cells[answerCell{identifiable, int32(h)}]
}

// SentAgain are the services that acknowledged the first data that was sent to them, and which of them did only after it had been
// sent again, with PSH (paper, section 5).
func (a *Answers) SentAgain() estimate.Hosts {
	a.close()
	return a.cells[answerCell{acknowledges, 0}]
}
