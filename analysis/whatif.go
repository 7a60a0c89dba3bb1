package analysis

import (
	"context"
	"fmt"
	"net/netip"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/replay/order"
)

// Supposition is another scan than the one that was recorded.
type Supposition struct {
	Settings session.Settings          // of which Timeout and Wait are at most those of the recorded scan
	Probes   func(netip.AddrPort) bool // whether it probes a service; nil: it does whatever the recorded one did
	Without  []string                  // protocols whose signatures count as missing
}

// WhatIf is what a recorded scan found, and what another would have found.
type WhatIf struct {
	Services uint64            // that answered the recorded scan
	Lacking  map[string]uint64 // services of which nobody can tell, by the handshake that was never said to them
	Levels   []WhatIfLevel

	Recorded, Supposed Expense // of the services of which it can be told
}

// Expense is what a scan spent on services that answered it.
type Expense struct {
	Attempts uint64
	order.Cost
}

// WhatIfLevel is how many services got so far.
type WhatIfLevel struct {
	Name               string
	Recorded, Supposed uint64         // Supposed without those of which nobody can tell
	Untold             uint64         // of the Recorded ones, those of which nobody can tell whether they would be found
	Kept               estimate.Hosts // of those that the recorded scan found, what the supposed one finds, too
}

// The levels of a WhatIf.
const (
	whatIfAcks = iota
	whatIfSends
	whatIfIdentified
)

// Suppose tells what another scan would have found of what the dataset's one run has found. All attempts at a service are held at
// a time, and the addresses of hosts that acknowledge data on every port.
func (d *Dataset) Suppose(ctx context.Context, other Supposition) (*WhatIf, error) {
	if len(d.Runs()) != 1 {
		return nil, fmt.Errorf("analysis: %s has %d runs: a scan that was otherwise is supposed of one", d.dir, len(d.Runs()))
	}
	policy, err := session.NewPolicy(&other.Settings)
	if err != nil {
		return nil, err
	}
	s := supposing{
		Supposition: other, policy: policy, allPorts: make(map[netip.Addr]bool),
		result: &WhatIf{Lacking: make(map[string]uint64), Levels: []WhatIfLevel{{Name: "acknowledged data"}, {Name: "sent data"}, {Name: "identified"}}},
	}
	err = d.EachService(ctx, func(row *session.Service, _ int) error {
		if row.State == session.AllPorts {
			s.allPorts[row.Service.Addr()] = true
		}
		return nil
	})
	if err == nil {
		err = d.EachAttempt(ctx, func(a *session.Attempt, _ int) error { return s.add(a) })
	}
	if err == nil {
		err = s.endHost()
	}
	return s.result, err
}

// supposing is a WhatIf that is being counted.
type supposing struct {
	Supposition
	policy   *session.Policy
	allPorts map[netip.Addr]bool
	result   *WhatIf

	attempts []*session.Attempt // at the service that rows are of now
	host     netip.Addr
	found    [3]struct{ kept, recorded uint32 } // of the host, by level
}

func (s *supposing) add(a *session.Attempt) error {
	if a.Visit == session.Ephemeral {
		return nil
	}
	if len(s.attempts) > 0 && s.attempts[0].Service != a.Service {
		if err := s.endService(); err != nil {
			return err
		}
	}
	if a.Service.Addr() != s.host {
		if err := s.endHost(); err != nil {
			return err
		}
		s.host = a.Service.Addr()
	}
	s.attempts = append(s.attempts, a.Clone())
	return nil
}

// endHost counts the host that rows were of.
func (s *supposing) endHost() error {
	err := s.endService()
	for i, f := range s.found {
		s.result.Levels[i].Kept.Add(f.kept, f.recorded)
	}
	clear(s.found[:])
	return err
}

// endService counts the service that rows were of.
func (s *supposing) endService() error {
	attempts := s.attempts
	s.attempts = nil
	var recorded [3]bool
	connected := false
	for _, a := range attempts {
		connected = connected || a.State.Connected()
		if a.Visit.Tells() {
			s.reached(&recorded, a, nil)
		}
	}
	if !connected {
		return nil
	}
	s.result.Services++
	service := attempts[0].Service
	var made []*session.Attempt
	if s.Probes == nil || s.Probes(service) {
		var lacks *handshake.Protocol
		made, lacks = s.policy.Suppose(service, func(visit session.Visit, say *handshake.Protocol) *session.Attempt {
			for _, a := range attempts {
				if a.Visit == visit && a.Handshake.Name == say.Name {
					return a.Shortened(int64(s.Settings.Timeout), int64(s.Settings.Wait))
				}
			}
			return nil
		}, s.allPorts[service.Addr()])
		if lacks != nil {
			s.result.Lacking[lacks.Name]++
			for i, reached := range recorded {
				if reached {
					s.result.Levels[i].Recorded++
					s.result.Levels[i].Untold++
				}
			}
			return nil
		}
	}
	var supposed [3]bool
	for _, a := range made {
		s.reached(&supposed, a, s.Without)
		s.result.Supposed.add(a)
	}
	for _, a := range attempts {
		s.result.Recorded.add(a)
	}
	for i := range s.found {
		level := &s.result.Levels[i]
		if supposed[i] {
			level.Supposed++
		}
		if recorded[i] {
			level.Recorded++
			s.found[i].recorded++
			if supposed[i] {
				s.found[i].kept++
			}
		}
	}
	return nil
}

// reached notes how far an attempt got.
func (s *supposing) reached(levels *[3]bool, a *session.Attempt, without []string) {
	evidence := a.Verdict.Evidence
	if len(without) > 0 {
		_, evidence = a.Verdict.Without(without)
	}
	levels[whatIfAcks] = levels[whatIfAcks] || a.State >= session.AcksData
	levels[whatIfSends] = levels[whatIfSends] || a.State == session.SendsData
	levels[whatIfIdentified] = levels[whatIfIdentified] || a.State == session.SendsData && evidence >= handshake.Likely
}

func (c *Expense) add(a *session.Attempt) {
	began := a.SYNTime
	if began == 0 {
		began = a.SYNACKTime
	}
	c.Attempts++
	c.Cost.Add(connectionCost{
		retransmits: uint64(a.Retransmits), synacks: uint64(a.SYNACKs), sent: uint64(a.SentBytes), v6: a.Service.Addr().Is6(),
		data: a.DataTime != 0, reset: a.RST, connected: a.SYNACKTime != 0, began: began, end: a.End,
	}.cost())
}
