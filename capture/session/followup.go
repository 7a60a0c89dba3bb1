package session

import (
	"cmp"
	"time"

	"laserdisc/capture/handshake"
)

// A follow-up is an experiment: does a wrong handshake spoil a right one that comes later (paper, section 4.3)? A service that
// sent data is told the handshake that drew it once more. Chance decides whether alone, which is the control, or some time
// after a wrong one, and after how long; each arm is as likely as any other.
//
// The right handshake is the first that drew data, whatever the data was: nothing that is sent depends on a signature. It is
// for the analysis to leave out services whose label is not of that handshake's protocol. A wrong one is another of the scan's
// that says something, and is not known to be of the same protocol, whether or not it drew data.
//
// A follow-up begins when the longest of the delays has passed, so that what the scan's own attempts have left behind is over
// as much as in any arm, and alike in all of them.

// wrongOnes gives for each handshake those that are wrong where it is right.
func wrongOnes(handshakes []*handshake.Protocol) map[*handshake.Protocol][]*handshake.Protocol {
	var wrong map[*handshake.Protocol][]*handshake.Protocol
	for _, right := range handshakes {
		for _, other := range handshakes {
			if other.Hello == nil || cmp.Or(other.Answer, other.Name) == cmp.Or(right.Answer, right.Name) {
				continue
			}
			if wrong == nil {
				wrong = make(map[*handshake.Protocol][]*handshake.Protocol)
			}
			wrong[right] = append(wrong[right], other)
		}
	}
	return wrong
}

// followUp is the next step of a service's follow-up: its control or its wrong handshake, and after that its right one. It is
// the end if the service has sent no data, or the scan has no handshake that would be wrong.
func (p *Policy) followUp(s *Service, last *Attempt) Step {
	if s.answered == 0 {
		return Step{Action: Finish}
	}
	right := p.handshake(last.Service, int(s.answered)-1)
	wrong := p.wrong[right]
	if len(wrong) == 0 {
		return Step{Action: Finish}
	}
	draws := p.chance.about(last.Service, chanceOfFollowup)
	arm := draws.below(1 + len(p.delays))
	switch {
	case arm == 0:
		return Step{Action: Connect, After: p.pause, Visit: Control, Handshake: right}
	case last.Visit == Wrong:
		return Step{Action: Connect, After: p.delays[arm-1], Visit: Followup, Handshake: right}
	}
	return Step{Action: Connect, After: p.pause, Visit: Wrong, Handshake: wrong[draws.below(len(wrong))]}
}

// next makes the connection that the policy says is next.
func (m *Machine) next(ss *session, next Step) {
	m.connect(ss, next.Visit, ss.conn.Number+1, next.Handshake)
	if next.Visit == Followup {
		ss.conn.Delay = uint32(next.After / time.Millisecond)
	}
}

// await has the session wait for what is next. What its last attempt has brought is not needed for that.
func (m *Machine) await(ss *session, after time.Duration) {
	ss.waiting = true
	ss.conn.Response, ss.conn.ResetText, ss.conn.Verdict.Matches = nil, nil, nil
	m.schedule(ss, Never, m.now+int64(after))
}
