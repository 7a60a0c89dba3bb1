package session

import "net/netip"

// Summary makes a service of the attempts at it that were observed, in the order of their SYNs: first those from the first
// source, and then what others tell of it, whenever that came.
type Summary struct {
	source  netip.Addr // the first
	service Service
	again   State // what the last attempt from the first source came to
	number  int
	end     int64
	fresh   []*Attempt // from other sources, as long as they can count
	bytes   int        // what those hold
}

// freshBytes bounds what is kept of attempts from other sources than the first, in bytes. Those beyond do not count: there
// are so many only where a capture has a server's everyday clients.
const freshBytes = 1 << 20

// attemptBytes is about what an attempt takes, in bytes, but for its response.
const attemptBytes = 600

// Add takes the next attempt into account and gives it its Number and its Visit: Fresh, if another source than the first
// one's made it. It keeps nothing of a.
func (s *Summary) Add(a *Attempt) {
	if s.number == 0 {
		s.source = a.Source.Addr()
	}
	a.Number = s.number
	s.number++
	s.end = a.End
	if a.Source.Addr() == s.source {
		s.service.add(a)
		s.again = a.State
		return
	}
	a.Visit = Fresh
	if s.service.State >= AllPorts { // nothing that others met can change that
		s.fresh = nil
	} else if s.bytes += attemptBytes + len(a.Response); s.bytes <= freshBytes {
		s.fresh = append(s.fresh, a.Clone())
	}
}

// Service is what the attempts so far make. It is false if none of them connected: that is no service.
func (s *Summary) Service() (*Service, bool) {
	sum := s.service.Clone()
	again := s.again
	for _, a := range s.fresh {
		switch {
		case !sum.State.Connected() || sum.State == HalfOpen: // the first source asked nothing
			sum.add(a)
			again = a.State
		case sum.State < AllPorts:
			sum.revisited(again, a)
		}
	}
	sum.Attempts, sum.End = s.number, s.end
	return sum, sum.State.Connected()
}
