package session

import (
	"fmt"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
)

// State is what an attempt, or a service over its attempts, was seen to do (paper, sections 2 and 5). The states are
// ordered by how far the client got.
type State uint8

// The states. Churned, Shunned, DynamicBlocking and AllPorts are a service's only: a single attempt cannot show them.
const (
	NoAnswer             State = iota // nothing came back to the SYN
	Unreachable                       // an ICMP error came back
	Closed                            // a reset answered the SYN
	Churned                           // it connected once; later neither the same source nor a fresh one did
	Shunned                           // it connected once, and refused or ignored a later connection
	ZeroWindow                        // the SYN-ACK allows no data
	DroppedHandshake                  // the SYN-ACK was repeated although it was acknowledged
	ResetAfterHandshake               // a reset came before any data was acknowledged
	ClosedAfterHandshake              // a FIN came before any data was acknowledged
	Silent                            // it connected; nothing was sent to it, and nothing came
	NoDataAck                         // what was sent to it was never acknowledged
	DynamicBlocking                   // the same, but what a fresh source sent was acknowledged
	AllPorts                          // it acknowledges data, as its host does on every port
	AcksData                          // it acknowledged at least one byte, and sent none
	SendsData                         // it sent data
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

// Connected reports whether the target answered with a SYN-ACK: whether it is a service in the paper's sense, of whatever
// worth.
func (s State) Connected() bool { return s >= Churned }

// Visit is what an attempt is for.
type Visit uint8

// The visits.
const (
	First     Visit = iota // it is the scan's own
	Again                  // it is a second look, from the same source
	Fresh                  // it is a second look, from another source
	Ephemeral              // it asks whether the host acknowledges data on a port where nothing should be
	Control                // the right handshake once more, alone
	Wrong                  // a wrong handshake, before the right one
	Followup               // the right handshake, some time after the wrong one
)

var visitNames = [...]string{"first", "again", "fresh", "ephemeral", "control", "wrong", "followup"}

// Tells reports whether an attempt tells what its service is. An ephemeral one asks about the host, and a follow-up, its
// wrong handshake and its control about what handshakes do to services (paper, section 4.3).
func (v Visit) Tells() bool { return v <= Fresh }

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

// Attempt is one connection to one service, or what should have become one: a row of the attempts table. Times are
// nanoseconds since the Unix epoch, and 0 for what did not happen.
//
// Each service in flight has one, so that the order of the fields is one that leaves few gaps.
type Attempt struct {
	Service   netip.AddrPort
	Number    int // of the service's attempts, from 0; with Ephemeral, of the host's ephemeral ones
	Visit     Visit
	State     State               // valid only after the attempt has ended
	FIN, RST  bool                // whether the server sent one
	Truncated bool                // whether the server sent more than Response holds: than its limit, than a capture has of a frame, or, if it is empty, before what came
	ICMP      packet.ICMP         // the error that came, or 0
	Handshake *handshake.Protocol // what was said, or was to be said
	Source    netip.AddrPort      // our end

	SYNTime    int64 // the SYN was sent; of a first attempt, from the echoed TCP timestamp, to 1 ms, and 0 without one
	SYNACKTime int64 // the first SYN-ACK came
	AckTime    int64 // the first byte of the hello was acknowledged
	DataTime   int64 // the first byte of the response came
	End        int64 // the attempt ended; valid only after that

	Window      uint16         // of the SYN-ACK, as in its header: not scaled
	Options     packet.Options // of the SYN-ACK
	Layout      string         // of the SYN-ACK's options, as packet.Layout writes it
	SYNACKTTL   uint8          // or IPv6's hop limit, as the other two
	DataTTL     uint8          // of the first segment with data
	ResetTTL    uint8          // of the reset; valid only with RST
	Delay       uint32         // milliseconds that the scan waited after the wrong handshake; valid only with Followup
	SYNACKs     int            // how many came, without those that the network duplicated
	Retransmits int            // how many segments we sent again
	SentBytes   int            // of the hello
	AckedBytes  int            // of these
	ResetText   []byte         // the payload of the reset, in which some middleboxes say why
	Reporter    netip.Addr     // who sent the ICMP error; valid only with ICMP

	Last       Last   // the last segment that came
	FirstFrame uint64 // number of the frame in which the first segment came, from 1; 0 if none did
	LastFrame  uint64 // number of that in which the last one came

	Response []byte            // what the server sent, reassembled from its first byte, up to Settings.ResponseLimit bytes
	Verdict  handshake.Verdict // on Response; valid only after the attempt has ended
}

// Last is the last segment that came to an attempt, as other scanners' formats show it.
type Last struct {
	Seq, Ack uint32
	Flags    packet.Flags
	Window   uint16
	TTL      uint8
}

// Service is an address and port that answered with a SYN-ACK: what the attempts at it come to. Times are nanoseconds since
// the Unix epoch.
type Service struct {
	Service   netip.AddrPort
	State     State
	Label     string             // a protocol, "unknown" if nothing identified it, "echo" or "all-ones", "" if it sent nothing
	Evidence  handshake.Evidence // for Label
	Handshake string             // of the attempt that State and Label come from
	Source    netip.AddrPort     // of the same attempt: our end
	Last      Last               // of the same attempt
	Attempts  int                // how many there were, without ephemeral ones
	First     int64              // when the first SYN-ACK came
	End       int64              // when the last attempt ended
	Window    uint16             // of the first SYN-ACK, as in its header
	TTL       uint8              // of the first SYN-ACK
	Acked     bool               // whether data that was sent from Source was acknowledged
	Layout    string             // of the first SYN-ACK's options, as packet.Layout writes it
	Frame     uint64             // number of the first frame that came from it
	Response  []byte             // of the attempt that Label comes from; valid until the machine's next event

	hangsUp  bool  // whether it does at once, on whoever connects and says nothing
	answered uint8 // the number of the first attempt that drew data, plus 1; 0 if none has
}

// add takes one more attempt into account, from the same source as those before it.
func (s *Service) add(a *Attempt) {
	s.Attempts, s.End = a.Number+1, a.End
	if s.State < AcksData && s.hangsUpOn(a) {
		return
	}
	s.hangsUp = s.hangsUp || a.SentBytes == 0 && a.hungUp()
	if a.State == SendsData && s.answered == 0 {
		s.answered = uint8(a.Number + 1)
	}
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
	case s.State >= AcksData: // it serves, whatever this attempt met
	case !first && !a.State.Connected():
		s.State, s.Handshake = Shunned, a.Handshake.Name
	case (s.State == Silent || s.State == NoDataAck) && a.State == DroppedHandshake:
		// The handshake is completed without data, so it is the data that is lost.
		s.State, s.Handshake = NoDataAck, a.Handshake.Name
	case s.State != Shunned:
		s.take(a)
	}
}

// hangsUpOn reports whether an attempt's data was acknowledged only to be hung up on, as whoever says nothing is too. Then
// it was the service's TCP that acknowledged.
func (s *Service) hangsUpOn(a *Attempt) bool {
	return s.hangsUp && a.State == AcksData && a.hungUp()
}

// hungUp reports whether the server ended the connection as soon as there was one, and sent nothing.
func (a *Attempt) hungUp() bool {
	return (a.RST || a.FIN) && a.DataTime == 0 && a.End-a.SYNACKTime < promptly
}

// promptly is less time than any server gives a client to say something, in nanoseconds.
const promptly = 1e9

// revisited decides why a service did not acknowledge data (paper, section 2), from what two more attempts came to: that
// from the same source again, which did not get any acknowledged either, and that from a fresh one. The label is what the
// fresh one found.
func (s *Service) revisited(again State, fresh *Attempt) {
	s.Attempts, s.End = fresh.Number+1, fresh.End
	served := fresh.State >= AcksData && !s.hangsUpOn(fresh)
	if served {
		s.take(fresh)
	}
	switch {
	case !again.Connected() && fresh.State.Connected():
		s.State = Shunned
	case served && again == ZeroWindow && fresh.Window == 0: // it closes its window to every source, and speaks nevertheless
	case served:
		s.State = DynamicBlocking
	case !again.Connected():
		s.State = Churned
	}
}

// followed takes an attempt into account that does not tell what the service is.
func (s *Service) followed(a *Attempt) { s.Attempts, s.End = a.Number+1, a.End }

// take has the service be what an attempt found.
func (s *Service) take(a *Attempt) {
	s.State, s.Handshake = a.State, a.Handshake.Name
	s.Label, s.Evidence = a.Verdict.Label, a.Verdict.Evidence
	s.Source, s.Last, s.Acked = a.Source, a.Last, a.AckedBytes > 0
	s.Response = append(s.Response[:0], a.Response...)
}

// classify labels the response to what was said. Data whose first bytes never came, as where a path's MTU is smaller than its ends
// believe, is unknown: what it would identify is not there.
func (a *Attempt) classify(said []byte) {
	switch {
	case len(a.Response) > 0:
		handshake.Classify(&a.Verdict, said, a.Response)
	case a.State == SendsData:
		a.Verdict.Label, a.Truncated = handshake.Unknown, true
	}
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
