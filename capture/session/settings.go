package session

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/handshake"
)

// Settings are all that decides what a Machine sends and how it judges what comes back, besides its events. They are part
// of every run's manifest, in these JSON keys: the live scan, playback and a resumed scan read them there, so that a
// default that changes later does not change an old run.
type Settings struct {
	// CookieKey is of source ports, sequence numbers and nonces. Who knows it while the scan runs can make answers to it.
	CookieKey Key `json:"cookie_key"`
	// DrawKey is of what is drawn for each service: the order of handshakes, and the arm of a follow-up. It is no secret: it follows
	// from the seed. Records of older versions have none, and drew by CookieKey.
	DrawKey Key `json:"draw_key,omitzero"`

	Sources     []netip.Addr `json:"sources"`      // addresses to scan from, at least one of each family that is scanned
	SourcePorts PortRange    `json:"source_ports"` // at least as many as a service may get attempts

	Handshakes    []string `json:"handshakes"`     // names of protocols, in the order in which they are tried
	RandomOrder   bool     `json:"random_order"`   // whether those that say something are tried in an order that is drawn for each service
	AllHandshakes bool     `json:"all_handshakes"` // whether each is tried, whatever comes back to those before it
	Pause         Duration `json:"pause"`          // between the end of an attempt that drew data and the next handshake
	Contact       string   `json:"contact"`        // how to reach whoever scans; it stands in the User-Agent
	Push          bool     `json:"push"`           // whether PSH is set on a hello at once, and not only when it is sent again
	Adopt         bool     `json:"adopt"`          // whether SYN-ACKs that another scanner's SYNs drew are taken as answers to ours
	Liveness      bool     `json:"liveness"`       // whether a zero window is given time to open (paper, Algorithm 1)

	EphemeralProbes int      `json:"ephemeral_probes"` // random ports tried on a host that acknowledges data and is silent; 0 is none
	SkipAllPorts    bool     `json:"skip_all_ports"`   // whether a host that acknowledges data on all of them is probed no further
	Revisit         Duration `json:"revisit"`          // until the second look at a service that acknowledged nothing; 0 is none

	// Followup are the times after which a service that sent data is told the right handshake once more, after a wrong one,
	// in whole milliseconds; none: it is not. Which of them, or none and no wrong one, is drawn for each service.
	Followup []Duration `json:"followup,omitempty"`

	Timeout         Duration `json:"timeout"`          // without an answer to a SYN or to a hello
	Wait            Duration `json:"wait"`             // for a server to speak first, after a handshake without a hello
	RetransmitAfter Duration `json:"retransmit_after"` // without an acknowledgement; each further time takes twice as long
	Retransmits     int      `json:"retransmits"`      // of a SYN or of a hello, at most
	Gather          Duration `json:"gather"`           // for the next segment of a response that has begun
	ResponseLimit   int      `json:"response_limit"`   // bytes of a response that are kept

	// Answers is how many of a service's segments are answered at most, in one attempt, and again as many that come when their
	// attempt is over. 0, in records of older versions, is no limit.
	Answers int `json:"answers,omitempty"`
}

// Attempts are numbered within a part, and parts within the 16 bits that identity has for both.
const (
	partAttempts = 256
	maxParts     = 100
)

// defaultTimeout is how long a scan waits for an answer.
const defaultTimeout = 5 * time.Second

// Defaults are the paper's and LZR's values where they give one. Key and sources are the scan's own.
func Defaults() Settings {
	return Settings{
		SourcePorts:     PortRange{First: 61000, Last: 65535},
		Handshakes:      []string{"wait", "tls", "http", "dns", "redis"},
		Timeout:         Duration(defaultTimeout),
		Wait:            Duration(5 * time.Second),
		RetransmitAfter: Duration(time.Second),
		Retransmits:     1,
		Gather:          Duration(time.Second),
		ResponseLimit:   16384,
		Answers:         64, // twice as many as a response has segments of 536 bytes, the least that all take (RFC 9293, section 3.7.1)
	}
}

// Check reports what cannot work.
func (s *Settings) Check() error {
	policy, err := NewPolicy(s)
	if err != nil {
		return err
	}
	switch {
	case len(s.Sources) == 0:
		return fmt.Errorf("no source address")
	case s.SourcePorts.First == 0 || s.SourcePorts.Last < s.SourcePorts.First:
		return fmt.Errorf("source ports %s: not a range", s.SourcePorts)
	case int(s.SourcePorts.len()) < s.attempts():
		return fmt.Errorf("source ports %s: %d attempts at a service need as many ports", s.SourcePorts, s.attempts())
	case s.Timeout <= 0 || s.Wait <= 0 || s.RetransmitAfter <= 0 || s.Gather <= 0:
		return fmt.Errorf("every time-out must be above zero")
	case s.Retransmits < 0:
		return fmt.Errorf("retransmits: %d is below zero", s.Retransmits)
	case s.EphemeralProbes < 0 || s.EphemeralProbes > maxEphemeralProbes:
		return fmt.Errorf("ephemeral probes: %d is not 0 to %d", s.EphemeralProbes, maxEphemeralProbes)
	case (s.EphemeralProbes > 0 || s.Revisit > 0) && policy.speaking == nil:
		return fmt.Errorf("ephemeral probes and revisits send data, and no handshake has any")
	case s.Pause < 0:
		return fmt.Errorf("pause: %v is below zero", s.Pause)
	case s.Revisit < 0:
		return fmt.Errorf("revisit: %v is below zero", s.Revisit)
	case s.Revisit > 0 && !s.freshSources():
		return fmt.Errorf("revisit: a second source address of each family is needed, to tell a block of the first from a host that is gone")
	case s.attempts() > partAttempts:
		return fmt.Errorf("%d attempts at a service: %d are possible", s.attempts(), partAttempts)
	case len(s.Followup) > 0 && policy.wrong == nil:
		return fmt.Errorf("follow-ups need two handshakes of different protocols, one of which sends data")
	case s.badFollowup():
		return fmt.Errorf("follow-ups after %v: a time is 0s to %v, in whole milliseconds, and stands there once", s.Followup, longestFollowup)
	case s.Answers < 0 || s.Answers > math.MaxUint16:
		return fmt.Errorf("answers: %d is not 0 to %d", s.Answers, math.MaxUint16)
	case s.ResponseLimit < 1:
		return fmt.Errorf("response limit: %d is below one byte", s.ResponseLimit)
	}
	return nil
}

// protocols looks the handshakes up by their names.
func (s *Settings) protocols() ([]*handshake.Protocol, error) {
	if err := handshake.CheckContact(s.Contact); err != nil {
		return nil, err
	}
	var handshakes []*handshake.Protocol
	for _, name := range s.Handshakes {
		p, ok := handshake.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("handshake %q is one that this laserdisc does not have", name)
		}
		handshakes = append(handshakes, p.WithContact(s.Contact))
	}
	return handshakes, nil
}

// attempts is how many connections a service may get from one source. One that is looked at again has sent no data, so that
// there is no follow-up.
func (s *Settings) attempts() int {
	switch {
	case len(s.Followup) > 0:
		return len(s.Handshakes) + 2
	case s.Revisit > 0:
		return len(s.Handshakes) + 1
	}
	return len(s.Handshakes)
}

// longestFollowup bounds how long a follow-up takes, in which the scan cannot end: it waits for this long twice.
const longestFollowup = Duration(time.Hour)

func (s *Settings) badFollowup() bool {
	for i, d := range s.Followup {
		if d < 0 || d > longestFollowup || time.Duration(d)%time.Millisecond != 0 || slices.Contains(s.Followup[:i], d) {
			return true
		}
	}
	return false
}

// freshSources reports whether each family that has a source has another.
func (s *Settings) freshSources() bool {
	var n [2]int
	for _, a := range s.Sources {
		n[family(a)]++
	}
	return n[0] != 1 && n[1] != 1
}

// PortRange is an inclusive range of TCP ports.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

func (r PortRange) len() uint32 { return uint32(r.Last) - uint32(r.First) + 1 }

// String is "first-last".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

// Key is the secret behind source ports, sequence numbers and nonces; 32 hexadecimal digits in JSON.
type Key [16]byte

// drawKey is DrawKey, or what was in its place.
func (s *Settings) drawKey() Key { return cmp.Or(s.DrawKey, s.CookieKey) }

// KeyOf is the key that follows from a seed.
func KeyOf(seed uint64) Key {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("laserdisc cookie key "), seed))
	return Key(sum[:16])
}

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(k)) {
		return fmt.Errorf("key has %d hexadecimal digits, not %d", len(text), hex.EncodedLen(len(k)))
	}
	_, err := hex.Decode(k[:], text)
	return err
}

// Duration is a time.Duration that is written like "1.5s" in JSON.
type Duration time.Duration

// String is as time.Duration's.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
