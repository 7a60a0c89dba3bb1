package capture

import (
	"net/netip"

	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// asked tells which targets the scan has asked: those that were begun, and not so long ago that a session may have forgotten what
// it knew of them. So nothing is sent to what is no target, whatever arrives from there, and no service is found twice.
type asked struct {
	targets Targets
	latest  netip.AddrPort // the target that was begun last; invalid is none
	begun   int64          // when it was, in ns since the Unix epoch
	marks   []mark         // the earliest first, about one a second
	first   uint64         // the place of the first target that may still answer
}

// mark says that all targets before a place had been begun at a time.
type mark struct {
	at     int64
	before uint64
}

// markEvery is the time between two marks, by which a target's time to answer is short of session.Linger at most.
const markEvery = 1e9

// mark makes a mark, if one is due, and looks at the old ones.
func (a *asked) mark(now int64) {
	if n := len(a.marks); a.latest.IsValid() && (n == 0 || a.begun > a.marks[n-1].at) && now >= a.begun+markEvery {
		a.add()
	}
	for len(a.marks) > 0 && a.marks[0].at <= now-(session.Linger-markEvery) {
		a.first = a.marks[0].before
		a.marks = a.marks[1:]
	}
}

func (a *asked) add() {
	if place, ok := a.targets.Place(a.latest); ok {
		a.marks = append(a.marks, mark{a.begun, place + 1})
	}
}

// begin notes that a target is begun. Those before it get a mark, if the last one is old.
func (a *asked) begin(target netip.AddrPort, now int64) {
	if n := len(a.marks); a.latest.IsValid() && (n == 0 || now >= a.marks[n-1].at+markEvery) {
		a.add()
	}
	a.latest, a.begun = target, now
}

// has reports whether a service was asked, and may still answer.
func (a *asked) has(service netip.AddrPort, now int64) bool {
	if !a.latest.IsValid() {
		return false
	}
	a.mark(now)
	place, ok := a.targets.Place(service)
	latest, known := a.targets.Place(a.latest)
	return ok && known && a.first <= place && place <= latest
}

// unreported are SYN-ACKs that the wire has shown and the other scanner has not reported yet. They have options, of which its
// report says nothing. The older half is given up when there are too many.
type unreported struct{ newer, older map[netip.AddrPort][]byte }

// mostUnreported is half of how many are kept, of some 200 bytes each.
const mostUnreported = 1 << 15

func (u *unreported) keep(service netip.AddrPort, frame []byte) {
	if len(u.newer) >= mostUnreported {
		u.older, u.newer = u.newer, nil
	}
	if u.newer == nil {
		u.newer = make(map[netip.AddrPort][]byte)
	}
	u.newer[service] = append(u.newer[service][:0], frame...)
}

// take returns the frame of a SYN-ACK that was reported, or nil.
func (u *unreported) take(s *packet.Segment) []byte {
	for _, frames := range []map[netip.AddrPort][]byte{u.newer, u.older} {
		var seen packet.Segment
		frame := frames[s.Src]
		delete(frames, s.Src)
		if frame != nil && seen.Decode(packet.LinkEthernet, frame) == nil && seen.Dst == s.Dst && seen.Seq == s.Seq && seen.Ack == s.Ack {
			return frame
		}
	}
	return nil
}
