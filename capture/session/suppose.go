package session

import (
	"net/netip"

	"laserdisc/capture/handshake"
)

// Suppose tells which attempts a scan with this policy would have made at a service, had each attempt at it gone as a recorded one
// that was for the same and said the same: recorded gives that, or nil. It supposes that attempts at a service do not depend on
// those before them. allPorts says whether its host acknowledges data on every port.
//
// It gives the attempts that the scan would have made, in order. If one of those was never recorded, lacks is what it would have
// said, and nothing can be told.
func (p *Policy) Suppose(service netip.AddrPort, recorded func(Visit, *handshake.Protocol) *Attempt, allPorts bool) (made []*Attempt, lacks *handshake.Protocol) {
	var s Service
	var again State
	for step := (Step{Action: Connect, Visit: First, Handshake: p.First(service)}); step.Action == Connect; {
		was := recorded(step.Visit, step.Handshake)
		if was == nil {
			return nil, step.Handshake
		}
		a := *was
		a.Number = len(made)
		made = append(made, &a)
		switch a.Visit {
		case Fresh:
			s.revisited(again, &a)
		default:
			s.add(&a)
			again = a.State
		}
		if step = p.Next(&s, &a); step.Action == AskHost {
			if allPorts {
				s.State = AllPorts
			}
			step = p.Judged(&s, &a, allPorts)
		}
	}
	return made, nil
}

// Shortened is the attempt as it would have been if its scan had waited for less: for the answer to a handshake, and for a
// server that speaks first. What came later had not come. It gives a itself if that makes no difference.
func (a *Attempt) Shortened(timeout, wait int64) *Attempt {
	limit := timeout
	if a.Handshake.Hello == nil {
		limit = wait
	}
	until := a.SYNACKTime + limit
	if !a.State.Connected() || a.End <= until || a.DataTime != 0 && a.DataTime <= until {
		return a
	}
	s := *a
	s.End, s.DataTime, s.Response, s.Verdict, s.Truncated = until, 0, nil, handshake.Verdict{}, false
	s.FIN, s.RST = false, false
	acked := a.AckedBytes > 0 && a.AckTime <= until
	if !acked {
		s.AckTime, s.AckedBytes = 0, 0
	}
	switch {
	case acked:
		s.State = AcksData
	case a.State == SendsData || a.State == AcksData || a.State == ResetAfterHandshake || a.State == ClosedAfterHandshake:
		if s.State = NoDataAck; a.Handshake.Hello == nil {
			s.State = Silent
		}
	}
	return &s
}
