package session

import (
	"fmt"
	"net/netip"
	"time"

	"laserdisc/capture/handshake"
)

// Config is everything that a Machine's behaviour depends on besides its events. It is in
// every run's manifest.
type Config struct {
	Key         [16]byte     // of ports, sequence numbers and nonces
	Sources     []netip.Addr // addresses to scan from, at least one per scanned family
	SourcePorts PortRange
	Handshakes  []*handshake.Protocol // in the order of trying
	All         bool                  // try every handshake, whatever comes back
	Push        bool                  // set PSH on the hello at once, not only when it is sent again
	Part        int                   // of a scan that was resumed: each has ports and numbers of its own
	Adopt       bool                  // take SYN-ACKs that another scanner's SYNs drew as answers to ours
	Liveness    bool                  // wait for a zero window to open (paper, Algorithm 1)

	EphemeralProbes int           // random ports tried on a host that acknowledges and is silent; 0: none
	SkipAllPorts    bool          // probe no further a host that acknowledges data on all of them
	Revisit         time.Duration // after which a service that acknowledged nothing is looked at again; 0: not

	Timeout         time.Duration // for the answer to a SYN or to a hello
	Wait            time.Duration // how long a handshake without a hello listens
	RetransmitAfter time.Duration // without an acknowledgement; twice as long for each further time
	Retransmits     int           // of a SYN or of a hello, with PSH
	Gather          time.Duration // for the next segment of a response
	ResponseLimit   int           // bytes kept of a response
}

// Attempts are numbered within a part, and parts within the 16 bits that identity has for both.
const (
	partAttempts = 256
	maxParts     = 100
)

// defaultTimeout is how long a scan waits for an answer.
const defaultTimeout = 5 * time.Second

// Defaults are the paper's and LZR's values where they give one.
func Defaults() Config {
	return Config{
		SourcePorts:     PortRange{First: 61000, Last: 65535},
		Timeout:         defaultTimeout,
		Wait:            5 * time.Second,
		RetransmitAfter: time.Second,
		Retransmits:     1,
		Gather:          time.Second,
		ResponseLimit:   16384,
	}
}

// Check reports what cannot work.
func (c *Config) Check() error {
	switch {
	case len(c.Sources) == 0:
		return fmt.Errorf("no source address")
	case len(c.Handshakes) == 0:
		return fmt.Errorf("no handshake")
	case c.SourcePorts.First == 0 || c.SourcePorts.Last < c.SourcePorts.First:
		return fmt.Errorf("source ports %s: not a range", c.SourcePorts)
	case int(c.SourcePorts.len()) < c.attempts():
		return fmt.Errorf("source ports %s: %d attempts at a service need as many ports", c.SourcePorts, c.attempts())
	case c.Part < 0 || c.Part > maxParts:
		return fmt.Errorf("part %d: a scan can be resumed %d times", c.Part, maxParts)
	case c.Timeout <= 0 || c.Wait <= 0 || c.RetransmitAfter <= 0 || c.Gather <= 0:
		return fmt.Errorf("every time-out must be above zero")
	case c.Retransmits < 0:
		return fmt.Errorf("retransmits: %d is below zero", c.Retransmits)
	case c.EphemeralProbes < 0 || c.EphemeralProbes > maxEphemeralProbes:
		return fmt.Errorf("ephemeral probes: %d is not 0 to %d", c.EphemeralProbes, maxEphemeralProbes)
	case (c.EphemeralProbes > 0 || c.Revisit > 0) && c.speaking() == nil:
		return fmt.Errorf("ephemeral probes and revisits send data, and no handshake has any")
	case c.Revisit < 0:
		return fmt.Errorf("revisit: %v is below zero", c.Revisit)
	case c.Revisit > 0 && !c.freshSources():
		return fmt.Errorf("revisit: a second source address of each family is needed, to tell a block of the first from a host that is gone")
	case c.ResponseLimit < 1:
		return fmt.Errorf("response limit: %d is below one byte", c.ResponseLimit)
	}
	return nil
}

// attempts is how many connections a service may get from one source.
func (c *Config) attempts() int {
	if c.Revisit > 0 {
		return len(c.Handshakes) + 1
	}
	return len(c.Handshakes)
}

// speaking is the first handshake with something to say, nil if there is none.
func (c *Config) speaking() *handshake.Protocol {
	for _, h := range c.Handshakes {
		if h.Hello != nil {
			return h
		}
	}
	return nil
}

// freshSources reports whether each family that has a source has another.
func (c *Config) freshSources() bool {
	var n [2]int
	for _, a := range c.Sources {
		n[family(a)]++
	}
	return n[0] != 1 && n[1] != 1
}

// PortRange is an inclusive range of TCP ports.
type PortRange struct{ First, Last uint16 }

func (r PortRange) len() uint32 { return uint32(r.Last) - uint32(r.First) + 1 }

// String is "first-last".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }
