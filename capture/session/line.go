package session

import (
	"encoding/json"
	"net/netip"
	"time"

	"laserdisc/capture/handshake"
)

// line is a Service as JSON, in services.jsonl.
type line struct {
	Addr      netip.Addr        `json:"addr"`
	Port      uint16            `json:"port"`
	State     State             `json:"state"`
	Label     string            `json:"label"`
	Evidence  string            `json:"evidence"`
	Handshake string            `json:"handshake"`
	Attempts  int               `json:"attempts"`
	First     time.Time         `json:"first"`
	End       time.Time         `json:"end"`
	Window    uint16            `json:"window"`
	TTL       uint8             `json:"ttl"`
	Options   string            `json:"options"`
	Frame     uint64            `json:"frame"`
	Details   map[string]string `json:"details,omitempty"`
	Response  []byte            `json:"response,omitempty"` // base64: no byte is lost
}

// MarshalJSON writes the service as one object of a services.jsonl line.
func (s *Service) MarshalJSON() ([]byte, error) {
	l := line{
		Addr: s.Service.Addr(), Port: s.Service.Port(),
		State: s.State, Label: s.Label, Evidence: s.Evidence.String(), Handshake: s.Handshake,
		Attempts: s.Attempts, First: time.Unix(0, s.First).UTC(), End: time.Unix(0, s.End).UTC(),
		Window: s.Window, TTL: s.TTL, Options: s.Layout, Frame: s.Frame, Response: s.Response,
	}
	for _, d := range handshake.Details(s.Label, s.Response) {
		if l.Details == nil {
			l.Details = make(map[string]string)
		}
		l.Details[d.Key] = d.Value
	}
	return json.Marshal(l)
}
