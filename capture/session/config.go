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

	Timeout         time.Duration // for the answer to a SYN or to a hello
	Wait            time.Duration // how long a handshake without a hello listens
	RetransmitAfter time.Duration // without an acknowledgement
	Retransmits     int           // of a SYN or of a hello, with PSH
	Gather          time.Duration // for the next segment of a response
	ResponseLimit   int           // bytes kept of a response
}

// Defaults are the paper's and LZR's values where they give one.
func Defaults() Config {
	return Config{
		SourcePorts:     PortRange{First: 61000, Last: 65535},
		Timeout:         5 * time.Second,
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
	case int(c.SourcePorts.len()) < len(c.Handshakes):
		return fmt.Errorf("source ports %s: %d handshakes need as many ports", c.SourcePorts, len(c.Handshakes))
	case c.Timeout <= 0 || c.Wait <= 0 || c.RetransmitAfter <= 0 || c.Gather <= 0:
		return fmt.Errorf("every time-out must be above zero")
	case c.Retransmits < 0:
		return fmt.Errorf("retransmits: %d is below zero", c.Retransmits)
	case c.ResponseLimit < 1:
		return fmt.Errorf("response limit: %d is below one byte", c.ResponseLimit)
	}
	return nil
}

// PortRange is an inclusive range of TCP ports.
type PortRange struct{ First, Last uint16 }

func (r PortRange) len() uint32 { return uint32(r.Last) - uint32(r.First) + 1 }

// String is "first-last".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }
