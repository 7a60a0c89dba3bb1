package session

import (
	"encoding/binary"
	"net/netip"
)

// services are those that have answered: in flight, or finished and not yet forgotten. Each target of a sweep is looked
// up, so that IPv4 has a map of its own, whose keys are single numbers.
type services struct {
	four     map[uint64]*flight // by address and port; nil: finished
	six      map[netip.AddrPort]*flight
	finished []finished // oldest first
}

// finished remembers that a service is over until the time given, so that what still comes
// from it does not start it again.
type finished struct {
	service netip.AddrPort
	until   int64
}

func newServices() services {
	return services{four: make(map[uint64]*flight), six: make(map[netip.AddrPort]*flight)}
}

func number(service netip.AddrPort) uint64 {
	a := service.Addr().As4()
	return uint64(binary.BigEndian.Uint32(a[:]))<<16 | uint64(service.Port())
}

// get returns the service in flight, or nil for one that is finished or not known.
func (s *services) get(service netip.AddrPort) (v *flight, known bool) {
	if service.Addr().Is4() {
		v, known = s.four[number(service)]
	} else {
		v, known = s.six[service]
	}
	return v, known
}

func (s *services) set(service netip.AddrPort, v *flight) {
	if service.Addr().Is4() {
		s.four[number(service)] = v
	} else {
		s.six[service] = v
	}
}

// finish ends the flight of a service, which is remembered until the time given.
func (s *services) finish(service netip.AddrPort, until int64) {
	s.set(service, nil)
	s.finished = append(s.finished, finished{service, until})
}

// forget forgets what has been finished for long enough at the time t.
func (s *services) forget(t int64) {
	for len(s.finished) > 0 && s.finished[0].until <= t {
		if service := s.finished[0].service; service.Addr().Is4() {
			delete(s.four, number(service))
		} else {
			delete(s.six, service)
		}
		s.finished = s.finished[1:]
	}
}

// unfinished lists the services in flight, in no order.
func (s *services) unfinished() (list []netip.AddrPort) {
	for _, v := range s.four {
		if v != nil {
			list = append(list, v.sum.Service)
		}
	}
	for _, v := range s.six {
		if v != nil {
			list = append(list, v.sum.Service)
		}
	}
	return list
}
