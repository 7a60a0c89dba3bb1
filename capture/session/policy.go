package session

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/handshake"
)

// Policy decides what a scan does next with a service. It is a function of the settings, of the service so far and of its
// last attempt, and of nothing else: whoever asks it of recorded attempts gets the decisions that a scan would have made.
// It looks at whether data came and was acknowledged, never at what the data was, so that another signature table sends
// the same packets.
type Policy struct {
	handshakes []*handshake.Protocol // in the order of the settings
	speaking   *handshake.Protocol   // the first of them with something to say; nil if there is none
	shuffled   []int                 // the places of those whose order is each service's own, ascending; nil is none
	chance     chance
	all        bool
	rest       time.Duration // of a service that sent data, before the next handshake
	ask        bool          // whether hosts are checked for an all-ports firewall
	revisit    time.Duration

	delays []time.Duration                               // of follow-ups; none: there are no follow-ups
	pause  time.Duration                                 // before one begins: the longest of the delays
	wrong  map[*handshake.Protocol][]*handshake.Protocol // by the right one; only where there is one. Valid only with delays
}

// NewPolicy returns the policy of the settings, of which it uses DrawKey, Handshakes, RandomOrder, Contact, AllHandshakes,
// Pause, EphemeralProbes, Revisit and Followup. The error says which of them cannot work.
func NewPolicy(s *Settings) (*Policy, error) {
	handshakes, err := s.protocols()
	if err != nil {
		return nil, err
	}
	if len(handshakes) == 0 {
		return nil, errors.New("no handshake")
	}
	p := &Policy{
		handshakes: handshakes, chance: newChance(s.drawKey()),
		all: s.AllHandshakes, rest: time.Duration(s.Pause), ask: s.EphemeralProbes > 0, revisit: time.Duration(s.Revisit),
	}
	for i, h := range handshakes {
		if h.Hello == nil {
			continue
		}
		if p.speaking == nil {
			p.speaking = h
		}
		if s.RandomOrder {
			p.shuffled = append(p.shuffled, i)
		}
	}
	for _, d := range s.Followup {
		p.delays = append(p.delays, time.Duration(d))
		p.pause = max(p.pause, time.Duration(d))
	}
	if len(p.delays) > 0 {
		p.wrong = wrongOnes(handshakes)
	}
	return p, nil
}

// Action is the kind of a Step.
type Action uint8

// The actions.
const (
	Finish  Action = iota // nothing more: the service is what it is
	Connect               // make one more connection
	AskHost               // find out whether its host acknowledges data on every port; then ask Judged
)

var actionNames = [...]string{"finish", "connect", "ask host"}

// String is the action in words.
func (a Action) String() string { return actionNames[a] }

// String is the step in words: "connect again http after 30s".
func (s Step) String() string {
	text := s.Action.String()
	if s.Action == Connect {
		text += " " + s.Visit.String() + " " + s.Handshake.Name
	}
	if s.After > 0 {
		text += " after " + s.After.String()
	}
	return text
}

// Step is what to do next with a service. All but Action is valid only with Connect.
type Step struct {
	Action    Action
	After     time.Duration       // to wait, before the connection is made
	Visit     Visit               // what it is for; a Fresh one comes from another source than those before
	Handshake *handshake.Protocol // what it says
}

// First is the handshake to try when a target has answered the scan's SYN, on that connection.
func (p *Policy) First(service netip.AddrPort) *handshake.Protocol { return p.handshake(service, 0) }

// handshake is the one that a service's attempt of this number tries. In a random order those that say something change
// places with each other (Fisher and Yates). What says nothing stays where it is: whether a service hangs up on a silent
// client too decides what its later states mean, and that is not for chance to say.
func (p *Policy) handshake(service netip.AddrPort, number int) *handshake.Protocol {
	place, shuffled := slices.BinarySearch(p.shuffled, number)
	if !shuffled {
		return p.handshakes[number]
	}
	left := slices.Clone(p.shuffled)
	draws := p.chance.about(service, chanceOfOrder)
	for i := range place + 1 {
		j := i + draws.below(len(left)-i)
		left[i], left[j] = left[j], left[i]
	}
	return p.handshakes[left[place]]
}

// Next is the step after the last attempt at a service, which the service already takes into account. Attempts are
// numbered from 0 in the service's order of handshakes. Ephemeral ones are no service's: there is no next step.
func (p *Policy) Next(s *Service, last *Attempt) Step {
	switch {
	case last.Visit == Fresh || last.Visit == Control || last.Visit == Followup:
		return Step{Action: Finish}
	case last.Visit == Wrong:
		return p.followUp(s, last)
	case last.Visit == Again && s.State >= AcksData: // what was met before was the network's doing
		return Step{Action: Finish}
	case last.Visit == Again:
		return Step{Action: Connect, Visit: Fresh, Handshake: p.speaking}
	case p.ask && last.State == AcksData && s.State == AcksData: // it may be a firewall that acknowledges, and says nothing
		return Step{Action: AskHost}
	}
	return p.proceed(s, last)
}

// Judged is the step after AskHost, once it is known whether the host acknowledges data on every port.
func (p *Policy) Judged(s *Service, last *Attempt, allPorts bool) Step {
	if allPorts {
		return Step{Action: Finish}
	}
	return p.proceed(s, last)
}

// proceed goes on to the next handshake, to a second look, or to the end.
func (p *Policy) proceed(s *Service, last *Attempt) Step {
	switch {
	case p.another(s, last):
		step := Step{Action: Connect, Visit: First, Handshake: p.handshake(last.Service, last.Number+1)}
		if last.State == SendsData { // what it answered may keep it from answering the next (paper, section 4.3)
			step.After = p.rest
		}
		return step
	case p.revisit > 0 && s.State < AllPorts:
		return Step{Action: Connect, After: p.revisit, Visit: Again, Handshake: p.speaking}
	case len(p.delays) > 0:
		return p.followUp(s, last)
	}
	return Step{Action: Finish}
}

// another reports whether a further handshake is worth a connection.
func (p *Policy) another(s *Service, last *Attempt) bool {
	switch {
	case last.Number+1 >= len(p.handshakes):
		return false
	case p.all && s.State >= AcksData:
		return true
	case last.State == AcksData:
		return s.State >= AcksData // and does not just hang up on everybody
	case last.Handshake.Hello == nil: // it said nothing, so that nothing could be acknowledged
		return last.State == Silent || last.State == ResetAfterHandshake || last.State == ClosedAfterHandshake ||
			last.State == DroppedHandshake // or only what carries no data was lost
	}
	return false // fail fast (paper, section 5)
}
