package session

import (
	"encoding/binary"
	"net/netip"
)

// services are those that have answered: in flight, or finished and not yet forgotten, with nil for a session. Each target
// of a sweep is looked up here, so that IPv4 has a map of its own, whose keys are single numbers.
type services struct {
	four     map[uint64]*session // by number
	filter   []uint8             // how many of four have a hash; one that has reached 255 stays there
	six      map[netip.AddrPort]*session
	finished []finished                // the oldest first
	strays   map[netip.AddrPort]uint16 // how many segments of a finished one have been reset; none is absent
}

// finished remembers that a service is over until a time, so that what still comes from it does not begin it again.
type finished struct {
	service netip.AddrPort
	until   int64
}

func newServices() services {
	return services{four: make(map[uint64]*session), filter: make([]uint8, 1<<filterBits), six: make(map[netip.AddrPort]*session), strays: make(map[netip.AddrPort]uint16)}
}

// filterBits is such that the filter fits into a core's cache, and tells of most targets of a sweep that they are not known
// while up to some 100,000 services are.
const filterBits = 17

// counter is the filter's for a number.
func (s *services) counter(number uint64) *uint8 {
	return &s.filter[number*0x9e3779b97f4a7c15>>(64-filterBits)] // Fibonacci hashing (Knuth, volume 3, section 6.4)
}

// number is an IPv4 address and a port in one.
func number(service netip.AddrPort) uint64 {
	a := service.Addr().As4()
	return uint64(binary.BigEndian.Uint32(a[:]))<<16 | uint64(service.Port())
}

// get returns the session of a service in flight, or nil for one that is finished or not known.
func (s *services) get(service netip.AddrPort) (ss *session, known bool) {
	if service.Addr().Is4() {
		n := number(service)
		if *s.counter(n) == 0 {
			return nil, false
		}
		ss, known = s.four[n]
	} else {
		ss, known = s.six[service]
	}
	return ss, known
}

// set makes a service known.
func (s *services) set(service netip.AddrPort, ss *session) {
	if service.Addr().Is4() {
		n := number(service)
		if _, known := s.four[n]; !known {
			if c := s.counter(n); *c < 255 {
				*c++
			}
		}
		s.four[n] = ss
	} else {
		s.six[service] = ss
	}
}

// finish ends the session of a service, which is remembered until the time given.
func (s *services) finish(service netip.AddrPort, until int64) {
	s.set(service, nil)
	s.finished = append(s.finished, finished{service, until})
}

// forget forgets the services that are to be remembered until t or less.
func (s *services) forget(t int64) {
	for len(s.finished) > 0 && s.finished[0].until <= t {
		service := s.finished[0].service
		delete(s.strays, service)
		if service.Addr().Is4() {
			n := number(service)
			if _, known := s.four[n]; known {
				delete(s.four, n)
				if c := s.counter(n); *c < 255 {
					*c--
				}
			}
		} else {
			delete(s.six, service)
		}
		s.finished = s.finished[1:]
	}
}

// unfinished lists the services in flight, in no order.
func (s *services) unfinished() (list []netip.AddrPort) {
	for _, ss := range s.four {
		if ss != nil {
			list = append(list, ss.service.Service)
		}
	}
	for _, ss := range s.six {
		if ss != nil {
			list = append(list, ss.service.Service)
		}
	}
	return list
}
