package analysis

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/session"
)

// AllPorts is a Fold that counts hosts by how many ephemeral probes they acknowledged before one that they did not
// (--ephemeral-probes): how many it takes to tell a firewall that acknowledges data on every port. The zero AllPorts
// has counted none.
type AllPorts struct {
	hosts    []int // by the number of probes acknowledged
	services []int // of these hosts, that acknowledge data and say nothing
	others   int   // services likewise, of hosts that were not probed

	in      place
	host    probed // the host that the fold is in
	service reach  // the service that it is in
}

// probed is a host whose attempts are not all seen yet.
type probed struct {
	probes   int // how many were made
	refused  int // which was the first that was not acknowledged, from 1; 0 if all were
	services int // that acknowledge data and say nothing
}

// AllPortsStep is what a number of ephemeral probes shows.
type AllPortsStep struct {
	Probes   int // from 1
	Hosts    int // that acknowledged data on all of them
	Services int // of these hosts, that acknowledge data and say nothing
}

// Table is "attempts".
func (a *AllPorts) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (a *AllPorts) Columns() []string {
	return append([]string{"addr", "port", "attempt", "visit", "state"}, reachColumns...)
}

// Add takes the attempts of a batch into account. A service acknowledges data and says nothing if its attempts from the
// scan's source do.
func (a *AllPorts) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	number := readColumn[*array.Uint32](&b, "attempt")
	visits, states := readCodes(&b, "visit", visitCode), readCodes(&b, "state", stateCode)
	ends := readEndings(&b)
	for row := range b.rows() {
		if a.in.moves(addr.Value(row), port.Value(row)) {
			a.closeService()
			if string(a.in.addr) != addr.Value(row) {
				a.closeHost()
			}
			a.in.move(addr.Value(row), port.Value(row))
		}
		state := session.State(states.at(row))
		switch session.Visit(visits.at(row)) {
		case session.Ephemeral:
			n := int(number.Value(row)) + 1
			a.host.probes = max(a.host.probes, n) // a host may have been probed again, by another shard
			if state < session.AcksData && (a.host.refused == 0 || n < a.host.refused) {
				a.host.refused = n
			}
		case session.First, session.Again:
			a.service.add(state, &ends, row)
		}
	}
	return b.err
}

func (a *AllPorts) closeService() {
	if a.service.acked && !a.service.sent {
		a.host.services++
	}
	a.service = reach{}
}

func (a *AllPorts) closeHost() {
	switch h := &a.host; {
	case h.probes == 0:
		a.others += h.services
	case h.refused > 0:
		a.count(h.probes, 0, 0)
		a.count(min(h.refused-1, h.probes), 1, h.services)
	default:
		a.count(h.probes, 1, h.services)
	}
	a.host = probed{}
}

// close counts the host that the fold is in.
func (a *AllPorts) close() {
	a.closeService()
	a.closeHost()
	a.in = place{}
}

// count adds hosts, and services of theirs, by the number of probes that they acknowledged.
func (a *AllPorts) count(acked, hosts, services int) {
	for len(a.hosts) <= acked {
		a.hosts, a.services = append(a.hosts, 0), append(a.services, 0)
	}
	a.hosts[acked] += hosts
	a.services[acked] += services
}

// Merge adds what another AllPorts has counted.
func (a *AllPorts) Merge(fold Fold) error {
	other, ok := fold.(*AllPorts)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, a)
	}
	a.close()
	other.close()
	for acked := range other.hosts {
		a.count(acked, other.hosts[acked], other.services[acked])
	}
	a.others += other.others
	return nil
}

// Steps gives what 1, 2, ... ephemeral probes show, up to as many as were made, how many hosts were probed, and how many
// services acknowledge data and say nothing, on those hosts and others.
func (a *AllPorts) Steps() (steps []AllPortsStep, hosts, services int) {
	a.close()
	services = a.others
	for acked := len(a.hosts) - 1; acked >= 0; acked-- {
		hosts += a.hosts[acked]
		services += a.services[acked]
		if acked > 0 {
			steps = append(steps, AllPortsStep{Probes: acked, Hosts: hosts, Services: services - a.others})
		}
	}
	slices.Reverse(steps)
	return steps, hosts, services
}
