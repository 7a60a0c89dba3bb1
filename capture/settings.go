package capture

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// CookieKey is the key behind ports, sequence numbers and nonces of a scan with the given seed.
func CookieKey(seed uint64) record.Key {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("laserdisc cookie key "), seed))
	return record.Key(sum[:16])
}

// Settings returns the session's configuration that a manifest records. The live scan takes its
// own from here too, so that nothing that matters can be missing from a manifest.
func Settings(m *record.Manifest) (session.Config, error) {
	cfg := session.Config{
		Key:             m.CookieKey,
		Sources:         m.Sources,
		SourcePorts:     session.PortRange(m.SourcePorts),
		All:             m.AllHandshakes,
		Push:            m.Push,
		Adopt:           m.Adopt,
		Liveness:        m.Liveness,
		EphemeralProbes: m.EphemeralProbes,
		SkipAllPorts:    m.SkipAllPorts,
		Revisit:         time.Duration(m.Revisit),
		Timeout:         time.Duration(m.Timeout),
		Wait:            time.Duration(m.Wait),
		RetransmitAfter: time.Duration(m.RetransmitAfter),
		Retransmits:     m.Retransmits,
		Gather:          time.Duration(m.Gather),
		ResponseLimit:   m.ResponseLimit,
	}
	if err := handshake.CheckContact(m.Contact); err != nil {
		return cfg, fmt.Errorf("capture: the manifest's %w", err)
	}
	for _, name := range m.Handshakes {
		p, ok := handshake.Lookup(name)
		if !ok {
			return cfg, fmt.Errorf("capture: the manifest names handshake %q, which this laserdisc does not have", name)
		}
		cfg.Handshakes = append(cfg.Handshakes, p.WithContact(m.Contact))
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("capture: manifest: %w", err)
	}
	return cfg, nil
}

// Framer turns the segments of a scan into the frames that carry them.
type Framer struct {
	source, gateway packet.MAC
	buf             []byte
}

// NewFramer takes the two Ethernet addresses from a manifest.
func NewFramer(m *record.Manifest) (*Framer, error) {
	f := &Framer{}
	for _, a := range []struct {
		name, text string
		mac        *packet.MAC
	}{{"source_mac", m.Link.SourceMAC, &f.source}, {"gateway_mac", m.Link.GatewayMAC, &f.gateway}} {
		mac, err := packet.ParseMAC(a.text)
		if err != nil {
			return nil, fmt.Errorf("capture: manifest: link.%s: %w", a.name, err)
		}
		*a.mac = mac
	}
	return f, nil
}

// Frame encodes s. The frame is valid until the next call.
func (f *Framer) Frame(s *packet.Segment) []byte {
	f.buf = s.AppendFrame(f.buf[:0], f.source, f.gateway)
	return f.buf
}
