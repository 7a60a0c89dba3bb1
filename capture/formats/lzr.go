package formats

import (
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// LZR is a service as a line of LZR's says it, with two fields that LZR does not have: Timestamp is in the packets' time, and
// Raw has every byte of the data.
type LZR struct {
	Source      netip.Addr `json:"saddr"` // the service
	Dest        netip.Addr `json:"daddr"` // the scanner
	Port        uint16     `json:"sport"`
	OwnPort     uint16     `json:"dport"`
	Seq         uint32     `json:"seqnum"`
	Ack         uint32     `json:"acknum"`
	Window      uint16     `json:"window"`
	TTL         uint8      `json:"ttl"`
	ACK         bool
	ACKed       bool
	SYN         bool
	RST         bool
	FIN         bool
	PUSH        bool
	Number      int       `json:"HandshakeNum"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Timestamp   time.Time // when the attempt ended, by the packets' clock
	Expected    string    `json:"expectedRToLZR"` // what was waited for when the attempt ended, or what came: ack, data
	Data        string    `json:"data,omitempty"` // as LZR's: bytes that are no UTF-8 become U+FFFD
	Raw         []byte    `json:"data_base64,omitempty"`
	Firewall    bool      `json:"ackingFirewall,omitempty"`
}

// WriteLZR writes a service, which was tried with the handshakes in their order, as a line of LZR's.
func WriteLZR(w io.Writer, s *session.Service, handshakes []string) error {
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false)
	return line.Encode(lzrOf(s, handshakes))
}

// lzrOf is what LZR would say of a service.
func lzrOf(s *session.Service, handshakes []string) *LZR {
	f := s.Last.Flags
	l := &LZR{
		Source: s.Service.Addr(), Port: s.Service.Port(), Dest: s.Source.Addr(), OwnPort: s.Source.Port(),
		Seq: s.Last.Seq, Ack: s.Last.Ack, Window: s.Last.Window, TTL: s.Last.TTL,
		ACK: f.Has(packet.ACK), SYN: f.Has(packet.SYN), RST: f.Has(packet.RST), FIN: f.Has(packet.FIN), PUSH: f.Has(packet.PSH),
		ACKed: s.Acked, Number: max(0, slices.Index(handshakes, s.Handshake)), Fingerprint: s.Label,
		Timestamp: time.Unix(0, s.End).UTC(), Data: string(s.Response), Raw: s.Response,
		Expected: "data", Firewall: s.State == session.AllPorts,
	}
	if s.State < session.DynamicBlocking && s.State != session.Silent {
		l.Expected = "ack"
	}
	return l
}
