package analysis

import (
	"cmp"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Tally is a Fold that counts services into the groups and kinds of its Shares, by what each is.
type Tally[Group, Kind cmp.Ordered] struct {
	Shares[Group, Kind]
	count func(*Seen, *Shares[Group, Kind])
	names names
}

// Seen is a service as a Tally sees it. It is valid until the function that it is given to returns.
type Seen struct {
	Addr  string
	Port  uint16
	State session.State // one that connected
	Label string        // protocol, by likely or certain evidence; "" is none

	label int // the number of Label, valid unless that is ""
}

// seenColumns are the columns of services that eachSeen reads.
var seenColumns = []string{"addr", "port", "state", "label", "evidence"}

// eachSeen gives the services of a batch, in their order, until there is an error. It numbers their labels in names.
func eachSeen(record arrow.Record, labels *names, do func(*Seen) error) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	state := readCodes(&b, "state", stateCode)
	label := readCodes(&b, "label", labels.number)
	evidence := readCodes(&b, "evidence", evidenceCode)
	var s Seen // one for all rows: the function may have it until it returns
	for row := range b.rows() {
		s = Seen{Addr: addr.Value(row), Port: port.Value(row), State: session.State(state.at(row))}
		if !s.State.Connected() {
			continue
		}
		if handshake.Evidence(evidence.at(row)) >= handshake.Likely {
			s.label = label.at(row)
			s.Label = labels.list[s.label]
		}
		if err := do(&s); err != nil {
			return err
		}
	}
	return b.err
}

// NewTally returns a Tally that counts what a function makes of each service: it calls Service and Hit with the service's own
// address. A target that never connected is no service.
func NewTally[Group, Kind cmp.Ordered](count func(*Seen, *Shares[Group, Kind])) *Tally[Group, Kind] {
	return &Tally[Group, Kind]{count: count}
}

// Table is "services".
func (t *Tally[G, K]) Table() string { return "services" }

// Columns are the columns that it reads.
func (t *Tally[G, K]) Columns() []string { return seenColumns }

// Add counts the services of a batch.
func (t *Tally[G, K]) Add(record arrow.Record) error {
	return eachSeen(record, &t.names, func(s *Seen) error {
		t.count(s, &t.Shares)
		return nil
	})
}

// Merge adds what another Tally has counted, which counts by the same function.
func (t *Tally[G, K]) Merge(fold Fold) error {
	other, ok := fold.(*Tally[G, K])
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, t)
	}
	t.merge(&other.Shares)
	return nil
}
