package analysis

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
)

// Resets is a Fold that counts the services that reset a connection, and of these the ones whose reset says why: the payload of
// a reset is a text for whoever looks for the reason (RFC 9293, section 3.5.3), in which some middleboxes name themselves (paper,
// section 3.1). The zero Resets has counted none.
type Resets struct {
	Shares[string, string] // of ResetServices: WithText, and BigIP

	in   place
	here resetting // the service that the fold is in
}

// What Resets counts services into: the group, and its kinds.
const (
	ResetServices = "resets"    // a connection to the service was reset
	WithText      = "with_text" // and the reset has a payload
	BigIP         = "f5_big_ip" // which is that of F5's BIG-IP
	bigIPText     = "BIG-IP System"
)

// resetting is what the attempts at one service have shown.
type resetting struct{ reset, text, bigIP bool }

// Table is "attempts".
func (r *Resets) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (r *Resets) Columns() []string {
	return []string{"addr", "port", "visit", "state", "rst", "reset_text"}
}

// Add takes the attempts of a batch into account, without those at a host's ephemeral ports and those of follow-ups. A reset that answers a SYN closes no
// connection; but a service may do that to a later attempt, and that counts.
func (r *Resets) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	visits, states := readCodes(&b, "visit", visitCode), readCodes(&b, "state", stateCode)
	rst, text := readColumn[*array.Boolean](&b, "rst"), readColumn[*array.Binary](&b, "reset_text")
	for row := range b.rows() {
		if r.in.moves(addr.Value(row), port.Value(row)) {
			r.closeService()
			r.in.move(addr.Value(row), port.Value(row))
		}
		if !rst.Value(row) || !session.Visit(visits.at(row)).Tells() || !session.State(states.at(row)).Connected() {
			continue
		}
		r.here.reset = true
		r.here.text = r.here.text || len(text.Value(row)) > 0
		r.here.bigIP = r.here.bigIP || bytes.Contains(text.Value(row), []byte(bigIPText))
	}
	return b.err
}

func (r *Resets) closeService() {
	host := string(r.in.addr)
	if r.here.reset {
		r.Service(host, ResetServices)
		if r.here.text {
			r.Hit(host, ResetServices, WithText)
		}
		if r.here.bigIP {
			r.Hit(host, ResetServices, BigIP)
		}
	}
	r.here = resetting{}
}

// Of are the hosts that have services which reset a connection, and which of these are of the kind.
func (r *Resets) Of(kind string) estimate.Hosts {
	r.closeService()
	r.in = place{}
	return r.Shares.Of(ResetServices, kind)
}

// Merge adds what another Resets has counted.
func (r *Resets) Merge(fold Fold) error {
	other, ok := fold.(*Resets)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, r)
	}
	r.closeService()
	other.closeService()
	r.in, other.in = place{}, place{}
	r.merge(&other.Shares)
	return nil
}
