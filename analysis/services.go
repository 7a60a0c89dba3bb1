package analysis

import (
	"net/netip"

	"laserdisc/capture/session"
)

// services is services.parquet.
var services = table[session.Service]{
	name: "services",
	doc:  "One row for each service: the sum of the attempts at it.",
	key:  func(s *session.Service) key { return keyOf(s.Service, 0, s.Frame) },
	columns: []column[session.Service]{
		address("addr", "address of the service", func(s *session.Service) *netip.AddrPort { return &s.Service }),
		port("port", "TCP port of the service", func(s *session.Service) *netip.AddrPort { return &s.Service }),
		name("state", "as in attempts.parquet: how far the best attempt got that data was acknowledged in, or else the last from the same source; or what only several attempts show: `shunned`, `dynamic_blocking`, `churned`, `all_ports`",
			func(s *session.Service) string { return s.State.String() },
			func(s *session.Service, v string) error { return s.State.UnmarshalText([]byte(v)) }),
		name("label", "protocol that it was identified as; `unknown` if it sent data that identifies none, empty if it sent none",
			func(s *session.Service) string { return s.Label },
			func(s *session.Service, v string) error { s.Label = v; return nil }),
		name("evidence", "how sure the label is: `certain`, `likely`, `weak`, `none`",
			func(s *session.Service) string { return s.Evidence.String() },
			func(s *session.Service, v string) (err error) { s.Evidence, err = evidenceNamed(v); return err }),
		name("handshake", "of the attempt that state and label come from",
			func(s *session.Service) string { return s.Handshake },
			func(s *session.Service, v string) error { s.Handshake = v; return nil }),
		count("attempts", "connection attempts made", func(s *session.Service) *int { return &s.Attempts }),
		found(instant, "first_time", "when the first SYN-ACK came, or else the answer", func(s *session.Service) *int64 { return &s.First }),
		found(instant, "end_time", "when the last attempt was over", func(s *session.Service) *int64 { return &s.End }),
		foundIf(number, "window_size", "receive window of the first SYN-ACK in bytes, as in the header, not scaled; null without a SYN-ACK",
			func(s *session.Service) *uint16 { return &s.Window },
			func(s *session.Service) bool { return s.Window != 0 || s.State.Connected() }),
		found(number, "ttl", "TTL or hop limit of the first SYN-ACK", func(s *session.Service) *uint8 { return &s.TTL }),
		word("options", "order of the first SYN-ACK's options, as in attempts.parquet", func(s *session.Service) *string { return &s.Layout }),
		found(number, "first_frame", "number of the first frame received from it, from 1, as Wireshark counts", func(s *session.Service) *uint64 { return &s.Frame }),
		raw("response", "what the server sent in the attempt that the label comes from", func(s *session.Service) *[]byte { return &s.Response }),
	},
}
