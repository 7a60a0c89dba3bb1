// Package capture is the live engine. A [Scan] takes its settings from a manifest, its targets from an iterator, and a link.
// Its engine is both ends of a session.Machine: the source of its events (what has arrived, what is due, what to probe, in
// this order) and the sink of what it does. Every packet is recorded before it is acted on or sent, so that the record is
// the one log of what happened.
package capture

import (
	"net/netip"
	"time"

	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Targets yields what to probe, in order.
type Targets interface {
	Next() (target netip.AddrPort, ok bool) // ok is false at the end
	Left() uint64                           // how many Next has not looked at; 0 at the end

	// Place is a target's place in the order in which Next yields them, which grows from one to the next; ok is false for what it
	// never yields.
	Place(target netip.AddrPort) (place uint64, ok bool)
}

// SYNACKs yields SYN-ACKs that another scanner's SYNs drew, for the scan to go on from.
type SYNACKs interface {
	// Next does not wait: ok is false if there is none yet. An error ends them. It is io.EOF at their
	// end; any other is Run's too, once what is in flight is finished.
	Next() (s packet.Segment, ok bool, err error)
}

// Scan is one live run.
type Scan struct {
	Dir      string           // the run directory, which is made
	Manifest *record.Manifest // what to do; Run fills in Start, End, EndedBy, NotProbed, Link, Counters and Drops
	Targets  Targets          // what to probe
	Adopted  SYNACKs          // what takes the place of Targets, if not nil
	Link     link.Link        // which stays open
	Resume   []any            // the services of the record in Dir, if not nil, with which the scan goes on
	Stop     <-chan struct{}  // once it is closed, no more targets are probed, and what is in flight is finished

	Opened func() error                 // called when the link and the record are open and nothing has been sent; may be nil
	Status func(Status)                 // called each second, and at the end; may be nil
	Found  func(*session.Service) error // called with each service, which is valid during the call only; may be nil

	mostInFlight int // services with which no more targets are begun; 0 is the constant of that name
}

// Status is how far a scan is.
type Status struct {
	Time     int64         // ns since the Unix epoch
	Elapsed  time.Duration // since the scan, or its present part, began
	Counters record.Counters
	Drops    record.Drops
	InFlight int  // services that have answered and are not finished
	Probing  bool // whether targets are left
	Ended    bool // whether this is the last status
}
