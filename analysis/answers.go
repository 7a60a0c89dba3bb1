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
	ways               map[answered]*way
	cells              map[answerCell]*answerSums

	in      place
	service answering     // the service that the fold is in
	host    []*way        // the host's services before it
	touched []*answerSums // those that these are in
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

// answerSums are what a share is estimated from.
type answerSums struct {
	hosts          estimate.Hosts
	hits, services uint32 // of the host that is being counted
}

// way is the services that answered alike.
type way struct {
	alone uint64 // hosts that have such a service and no other, which are not in the sums yet
	in    []answerIn
}

// answerIn is one of the sums that a service is in.
type answerIn struct {
	sums *answerSums
	hit  bool
}

const (
	identifiable int32 = -1 - iota // services that some handshake identifies; of the kind are those that this one does
	acknowledges                   // services that acknowledged the first data; those that did only when it was sent again
)

// NewAnswers returns Answers that have counted nothing. Data is sent again, with PSH, when it has not been acknowledged for so long
// (Settings.RetransmitAfter).
func NewAnswers(sentAgain time.Duration) *Answers {
	return &Answers{sentAgain: sentAgain, ways: make(map[answered]*way), cells: make(map[answerCell]*answerSums)}
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
		a.host = append(a.host, a.wayOf(answered{s.response, s.first}))
	}
	a.service = answering{}
}

// wayOf finds the services that answered alike, and what they are in.
func (a *Answers) wayOf(s answered) *way {
	w := a.ways[s]
	if w != nil {
		return w
	}
	w = new(way)
	a.ways[s] = w
	in := func(c answerCell, hit bool) { w.in = append(w.in, answerIn{a.sumsOf(c), hit}) }
	for h := range s.tried.All() {
		if a.labels.list[s.label] != "" {
			in(answerCell{s.label, int32(h)}, s.sentData.Has(h))
		}
		if s.identified != (order.Set{}) {
			in(answerCell{identifiable, int32(h)}, s.identified.Has(h))
		}
	}
	if s.first != notAcked {
		in(answerCell{acknowledges, 0}, s.first == ackedAgain)
	}
	return w
}

func (a *Answers) sumsOf(c answerCell) *answerSums {
	if a.cells[c] == nil {
		a.cells[c] = new(answerSums)
	}
	return a.cells[c]
}

// closeHost counts the host that the fold is in. Most have one service, and those that answered alike are one count.
func (a *Answers) closeHost() {
	if len(a.host) == 1 {
		a.host[0].alone++
		a.host = a.host[:0]
		return
	}
	for _, w := range a.host {
		for _, in := range w.in {
			if in.sums.services == 0 {
				a.touched = append(a.touched, in.sums)
			}
			in.sums.services++
			in.sums.hits += bit(in.hit, 0)
		}
	}
	for _, s := range a.touched {
		s.hosts.Add(s.hits, s.services)
		s.hits, s.services = 0, 0
	}
	a.host, a.touched = a.host[:0], a.touched[:0]
}

// close counts what the fold is in, and puts the hosts with one service to the others.
func (a *Answers) close() {
	a.closeService()
	a.closeHost()
	a.in = place{addr: a.in.addr[:0]}
	for _, w := range a.ways {
		if w.alone == 0 {
			continue
		}
		for _, in := range w.in {
			in.sums.hosts.Merge(estimate.Alone(uint64(bit(in.hit, 0))*w.alone, w.alone))
		}
		w.alone = 0
	}
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
	for c, sums := range other.cells {
		if c.label >= 0 {
			c.label = int32(labels[c.label])
		}
		if c.label != acknowledges {
			c.handshake = int32(handshakes[c.handshake])
		}
		a.sumsOf(c).hosts.Merge(sums.hosts)
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
	return a.hosts(answerCell{int32(label), int32(h)})
}

// Identified are the services that some handshake identifies, by any answer, and which of them this one does.
func (a *Answers) Identified(handshake string) estimate.Hosts {
	a.close()
	h, tried := a.handshakes.known[handshake]
	if !tried {
		return estimate.Hosts{}
	}
	return a.hosts(answerCell{identifiable, int32(h)})
}

// SentAgain are the services that acknowledged the first data that was sent to them, and which of them did only after it had been
// sent again, with PSH (paper, section 5).
func (a *Answers) SentAgain() estimate.Hosts {
	a.close()
	return a.hosts(answerCell{acknowledges, 0})
}

func (a *Answers) hosts(c answerCell) estimate.Hosts {
	if sums := a.cells[c]; sums != nil {
		return sums.hosts
	}
	return estimate.Hosts{}
}
