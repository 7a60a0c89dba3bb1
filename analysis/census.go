package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Census is a Fold that counts services by port, state and label. The zero Census has counted none.
type Census struct {
	labels names
	counts map[censusKey]int
}

// censusKey is what a Census tells apart, with the number of the label in its names.
type censusKey struct {
	port  uint16
	state session.State
	label int32
}

// Kind is the services of a port that have the same state and the same label.
type Kind struct {
	Port     uint16
	State    session.State
	Label    string // protocol, by likely or certain evidence; "" is none
	Services int    // how many, at least 1
}

// Table is "services".
func (c *Census) Table() string { return "services" }

// Columns are the columns that it reads.
func (c *Census) Columns() []string { return []string{"port", "state", "label", "evidence"} }

// Add counts the services of a batch. A target that never connected is none.
func (c *Census) Add(record arrow.Record) error {
	b := batch{Record: record}
	port := readColumn[*array.Uint16](&b, "port")
	state := readCodes(&b, "state", stateCode)
	label := readCodes(&b, "label", c.labels.number)
	evidence := readCodes(&b, "evidence", evidenceCode)
	none, _ := c.labels.number("")
	if c.counts == nil {
		c.counts = make(map[censusKey]int)
	}
	for row := range b.rows() {
		k := censusKey{port: port.Value(row), state: session.State(state.at(row)), label: int32(none)}
		if !k.state.Connected() {
			continue
		}
		if handshake.Evidence(evidence.at(row)) >= handshake.Likely {
			k.label = int32(label.at(row))
		}
		c.counts[k]++
	}
	return b.err
}

// Merge adds what another Census has counted.
func (c *Census) Merge(fold Fold) error {
	other, ok := fold.(*Census)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, c)
	}
	if c.counts == nil {
		c.counts = make(map[censusKey]int)
	}
	for k, n := range other.counts {
		label, _ := c.labels.number(other.labels.list[k.label])
		k.label = int32(label)
		c.counts[k] += n
	}
	return nil
}

// Kinds gives the counts, in the order of port, state and label.
func (c *Census) Kinds() []Kind {
	list := make([]Kind, 0, len(c.counts))
	for k, n := range c.counts {
		list = append(list, Kind{Port: k.port, State: k.state, Label: c.labels.list[k.label], Services: n})
	}
	slices.SortFunc(list, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.State, b.State), cmp.Compare(a.Label, b.Label))
	})
	return list
}
