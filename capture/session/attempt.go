package session

import (
	"fmt"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// State is what an attempt, or a service over its attempts, was seen to do
// (paper, sections 2 and 5). The order is that of how far the client got.
type State uint8

// The states. Churned, Shunned, DynamicBlocking and AllPorts are a service's only: a single
// attempt cannot show them.
const (
	NoAnswer             State = iota // nothing came back to the SYN
	Unreachable                       // an ICMP error
	Closed                            // a reset answered the SYN
	Churned                           // connected once; later neither the same source nor a fresh one did
	Shunned                           // connected once, refused or ignored afterwards
	ZeroWindow                        // the SYN-ACK allows no data
	DroppedHandshake                  // the SYN-ACK was repeated although it was acknowledged
	ResetAfterHandshake               // a reset before any data was acknowledged
	ClosedAfterHandshake              // a FIN before any data was acknowledged
	Silent                            // connected; nothing was sent, and nothing came
	NoDataAck                         // data was sent and never acknowledged
	DynamicBlocking                   // the same; but what a fresh source sent was acknowledged
	AllPorts                          // acknowledges data, as its host does on every port
	AcksData                          // acknowledged at least one byte, sent none
	SendsData                         // sent data back
	states
)

var stateNames = [states]string{
	"no_answer", "unreachable", "closed", "churned", "shunned", "zero_window", "dropped_handshake",
	"reset_after_handshake", "closed_after_handshake", "silent", "no_data_ack",
	"dynamic_blocking", "all_ports", "acks_data", "sends_data",
}

// String is the state's name in every table and file.
func (s State) String() string { return stateNames[s] }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("session: no state is called %q", text)
}

// Connected reports whether the target answered with a SYN-ACK: whether it is a service in the
// paper's sense, of whatever worth.
func (s State) Connected() bool { return s >= Churned }

// Visit is what an attempt is for.
type Visit uint8

// The visits.
const (
	First     Visit = iota // the scan's own
	Again                  // a second look, from the same source
	Fresh                  // a second look, from another source
	Ephemeral              // whether the host acknowledges data on a port where nothing should be
)

var visitNames = [...]string{"first", "again", "fresh", "ephemeral"}

// String is the visit's name in tables.
func (v Visit) String() string { return visitNames[v] }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Visit) UnmarshalText(text []byte) error {
	for i, name := range visitNames {
		if name == string(text) {
			*v = Visit(i)
			return nil
		}
	}
	return fmt.Errorf("session: no visit is called %q", text)
}

// Attempt is one connection attempt to one service: one row of the attempts table.
// Times are nanoseconds since the Unix epoch, 0 for what did not happen.
//
// There is one for each service in flight: the order of its fields is one that leaves few gaps.
type Attempt struct {
	Service   netip.AddrPort
	Number    int // from 0; of an ephemeral visit, which of the host's it is
	Visit     Visit
	State     State
	FIN, RST  bool // came
	Truncated bool // it sent more than Response holds
	ICMP      packet.ICMP
	Handshake *handshake.Protocol // what was said, or was to be said
	Source    netip.AddrPort

	SYNTime    int64 // of the first attempt: from the echoed TCP timestamp, so ±1 ms, and 0 without one
	SYNACKTime int64
	AckTime    int64 // the first byte that we sent was acknowledged
	DataTime   int64 // the first byte arrived
	End        int64

	Window      uint16 // of the SYN-ACK, as in the header
	Options     packet.Options
	Layout      string // of the SYN-ACK's options, see packet.Layout
	SYNACKTTL   uint8
	DataTTL     uint8 // of the first segment with data
	ResetTTL    uint8
	SYNACKs     int        // SYN-ACKs, the first included, network duplicates not
	Retransmits int        // segments that we sent again
	SentBytes   int        // length of the hello
	AckedBytes  int        // of the hello
	ResetText   []byte     // payload of the reset: some middleboxes say why
	Reporter    netip.Addr // of the ICMP error

	Last       Last
	FirstFrame uint64 // frame numbers of the first and last segment received
	LastFrame  uint64

	Response []byte // what the server sent, reassembled from its first byte, up to Settings.ResponseLimit
	Verdict  handshake.Verdict
}

// Last is the last segment that came to an attempt, as other scanners' formats show it.
type Last struct {
	Seq, Ack uint32
	Flags    packet.Flags
	Window   uint16
	TTL      uint8
}

// Service is the sum of the attempts at one service: at an address and port that answered with a
// SYN-ACK.
type Service struct {
	Service   netip.AddrPort
	State     State
	Label     string // protocol, "unknown" when nothing identified it, "" when it sent nothing
	Evidence  handshake.Evidence
	Handshake string         // of the attempt that State and Label come from
	Source    netip.AddrPort // of the attempt that State and Label come from
	Last      Last           // of the same
	Attempts  int
	First     int64  // time of the first SYN-ACK
	End       int64  // of the last attempt
	Window    uint16 // of the first SYN-ACK
	TTL       uint8  // of the first SYN-ACK
	Acked     bool   // data that was sent from Source was acknowledged
	Layout    string // of the first SYN-ACK's options
	Frame     uint64 // number of the first frame that came from it
	Response  []byte // of the attempt that Label comes from; valid until the next call of the machine

	hangsUp bool // at once, on whoever connects and says nothing
}

// add takes one more attempt into account, from the same source as those before. Of two labels the
// better wins, then the earlier attempt.
func (s *Service) add(a *Attempt) {
	s.Attempts, s.End = a.Number+1, a.End
	if s.State < AcksData && s.hangsUpOn(a) {
		return
	}
	s.hangsUp = s.hangsUp || a.SentBytes == 0 && a.hungUp()
	first := s.First == 0
	if first {
		s.Service, s.First, s.Frame = a.Service, a.SYNACKTime, a.FirstFrame
		s.Window, s.TTL, s.Layout = a.Window, a.SYNACKTTL, a.Layout
	}
	switch {
	case a.State == SendsData && s.State == SendsData:
		if a.Verdict.Outranks(&handshake.Verdict{Label: s.Label, Evidence: s.Evidence}) {
			s.take(a)
		}
	case a.State >= AcksData:
		if a.State > s.State {
			s.take(a)
		}
	case s.State >= AcksData: // it is a service, whatever this attempt met
	case !first && !a.State.Connected():
		s.State, s.Handshake = Shunned, a.Handshake.Name
	case (s.State == Silent || s.State == NoDataAck) && a.State == DroppedHandshake:
		// The handshake is completed without data, so it is the data that is lost.
		s.State, s.Handshake = NoDataAck, a.Handshake.Name
	case s.State != Shunned:
		s.take(a)
	}
}

// hangsUpOn reports whether an attempt's data was acknowledged only to be hung up on, as whoever
// says nothing is too: that is the doing of the service's TCP.
func (s *Service) hangsUpOn(a *Attempt) bool {
	return s.hangsUp && a.State == AcksData && a.hungUp()
}

// hungUp reports whether the server ended the connection right after the handshake, and sent
// nothing.
func (a *Attempt) hungUp() bool {
	return (a.RST || a.FIN) && a.DataTime == 0 && a.End-a.SYNACKTime < promptly
}

// promptly is less time than a server gives a client to say something, in nanoseconds.
const promptly = 1e9

// revisited decides why the service did not acknowledge data (paper, section 2), from what a
// second look from the same source came to, which did not either, and then one from a fresh
// source. The label is what the fresh one found.
func (s *Service) revisited(again State, fresh *Attempt) {
	s.Attempts, s.End = fresh.Number+1, fresh.End
	served := fresh.State >= AcksData && !s.hangsUpOn(fresh)
	if served {
		s.take(fresh)
	}
	switch {
	case !again.Connected() && fresh.State.Connected():
		s.State = Shunned
	case served && again == ZeroWindow && fresh.Window == 0: // for every source: who speaks nevertheless is heard
	case served:
		s.State = DynamicBlocking
	case !again.Connected():
		s.State = Churned
	}
}

func (s *Service) take(a *Attempt) {
	s.State, s.Handshake = a.State, a.Handshake.Name
	s.Label, s.Evidence = a.Verdict.Label, a.Verdict.Evidence
	s.Source, s.Last, s.Acked = a.Source, a.Last, a.AckedBytes > 0
	s.Response = append(s.Response[:0], a.Response...)
}

// Clone returns a copy that shares nothing with a. What is empty is nil in it.
func (a *Attempt) Clone() *Attempt {
	c := *a
	c.ResetText = append([]byte(nil), a.ResetText...)
	c.Response = append([]byte(nil), a.Response...)
	c.Verdict.Matches = append([]handshake.Match(nil), a.Verdict.Matches...)
	return &c
}

// Clone returns a copy that shares nothing with s. What is empty is nil in it.
func (s *Service) Clone() *Service {
	c := *s
	c.Response = append([]byte(nil), s.Response...)
	return &c
}
