package analysis

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/session"
)

// Connections is a Fold that counts the connections of a scan by how far they got, and the SYN-ACKs that came again although we
// had acknowledged them (paper, section 2). The zero Connections has counted none.
type Connections struct {
	counts [256]ConnectionsOf // by state
}

// ConnectionsOf is the connections that ended in a state.
type ConnectionsOf struct {
	State       session.State
	Connections int // attempts that a SYN-ACK came to
	Repeated    int // SYN-ACKs after the first, of all of them; not those that the network duplicated
}

// Table is "attempts".
func (c *Connections) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (c *Connections) Columns() []string { return []string{"visit", "state", "synacks"} }

// Add counts those attempts of a batch that tell what their service is. One that got no SYN-ACK is no connection.
func (c *Connections) Add(record arrow.Record) error {
	b := batch{Record: record}
	visits, states := readCodes(&b, "visit", visitCode), readCodes(&b, "state", stateCode)
	synacks := readColumn[*array.Uint32](&b, "synacks")
	for row := range b.rows() {
		state := session.State(states.at(row))
		if !state.Connected() || !session.Visit(visits.at(row)).Tells() {
			continue
		}
		of := &c.counts[state]
		of.Connections++
		of.Repeated += max(0, int(synacks.Value(row))-1)
	}
	return b.err
}

// Merge adds what another Connections has counted.
func (c *Connections) Merge(fold Fold) error {
	other, ok := fold.(*Connections)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, c)
	}
	for state := range other.counts {
		c.counts[state].Connections += other.counts[state].Connections
		c.counts[state].Repeated += other.counts[state].Repeated
	}
	return nil
}

// States gives the counts of the states that there are connections of, in their order.
func (c *Connections) States() []ConnectionsOf {
	var list []ConnectionsOf
	for state, of := range c.counts {
		if of.Connections > 0 {
			of.State = session.State(state)
			list = append(list, of)
		}
	}
	return list
}
