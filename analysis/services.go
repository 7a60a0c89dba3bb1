package analysis

import (
	"net/netip"

	"laserdisc/analysis/asn"
	"laserdisc/capture/session"
)

// service is a row of the table of services.
type service struct {
	*session.Service
	Run    int        // which of the dataset's runs it is of
	Origin asn.Origin // who announces its address, if the dataset was made with a file that tells
}

// services is the table of services.
var services = &table[service]{
	name:    "services",
	doc:     "One row for each service: the sum of the attempts at it.",
	key:     func(s *service) key { return keyOf(s.Service.Service, s.Run, 0, 0, s.Frame) },
	sorter:  func(w *waiting) *sorter { return &w.services },
	refused: func(*service) bool { return false },
	columns: []column[service]{
		hostOf("addr", "address of the service", func(s *service) *netip.AddrPort { return &s.Service.Service }),
		portOf("port", "TCP port of the service", func(s *service) *netip.AddrPort { return &s.Service.Service }),
		runOf(func(s *service) *int { return &s.Run }),
		name("state", "as in attempts.parquet: how far the best attempt got that data was acknowledged in, or else the last from the same source; or what only several attempts show: `shunned`, `dynamic_blocking`, `churned`, `all_ports`",
			func(s *service) string { return s.State.String() },
			func(s *service, v string) error { return s.State.UnmarshalText([]byte(v)) }),
		name("label", "protocol that it was identified as; `unknown` if it sent data that identifies none, empty if it sent none",
			func(s *service) string { return s.Label },
			func(s *service, v string) error { s.Label = v; return nil }),
		name("evidence", "how sure the label is: `certain`, `likely`, `weak`, `none`",
			func(s *service) string { return s.Evidence.String() },
			func(s *service, v string) (err error) { s.Evidence, err = evidenceNamed(v); return err }),
		name("handshake", "of the attempt that state and label come from",
			func(s *service) string { return s.Handshake },
			func(s *service, v string) error { s.Handshake = v; return nil }),
		count("attempts", "connection attempts made", func(s *service) *int { return &s.Attempts }),
		found(instant, "first_time", "when the first SYN-ACK came", func(s *service) *int64 { return &s.First }),
		found(instant, "end_time", "when the last attempt was over", func(s *service) *int64 { return &s.End }),
		foundIf(number32, "window_size", "receive window of the first SYN-ACK in bytes, as in the header, not scaled; null without a SYN-ACK",
			func(s *service) *uint16 { return &s.Window },
			func(s *service) bool { return s.Window != 0 || s.TTL != 0 }),
		found(small, "ttl", "TTL or hop limit of the first SYN-ACK", func(s *service) *uint8 { return &s.TTL }),
		word("options", "order of the first SYN-ACK's options, as in attempts.parquet", func(s *service) *string { return &s.Layout }),
		found(number64, "first_frame", "number of the first frame received from it, from 1, as Wireshark counts", func(s *service) *uint64 { return &s.Frame }),
		raw("response", "what the server sent in the attempt that the label comes from", func(s *service) *[]byte { return &s.Response }),
		found(number64, "asn", "number of the AS that announces the address, by the file under `prefix_to_as` in dataset.json (`replay --asn`); of several that do, the first in it; null if none does, or without a file",
			func(s *service) *uint32 { return &s.Origin.ASN }),
		word("as_name", "name of that AS, as the file has it; empty without one", func(s *service) *string { return &s.Origin.Name }),
		{name: "prefix", kind: text, doc: "longest prefix in the file that has the address, as in 192.0.2.0/24; empty if none has",
			text: prefixText, setText: setPrefix},
	},
}

func prefixText(s *service) string {
	if !s.Origin.Prefix.IsValid() {
		return ""
	}
	return s.Origin.Prefix.String()
}

func setPrefix(s *service, text string) (err error) {
	s.Origin.Prefix = netip.Prefix{}
	if text != "" {
		s.Origin.Prefix, err = netip.ParsePrefix(text)
	}
	return err
}
