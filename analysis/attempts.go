package analysis

import (
	"net/netip"

	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

type attempt = session.Attempt

// attempts is attempts.parquet.
var attempts = table[attempt]{
	name: "attempts",
	doc:  "One row for each connection attempt.",
	key:  func(a *attempt) key { return keyOf(a.Service, a.Number, a.FirstFrame) },
	columns: []column[attempt]{
		address("addr", "address of the service", service),
		port("port", "TCP port of the service", service),
		count("attempt", "number of the attempt at this service, from 0", func(a *attempt) *int { return &a.Number }),
		name("visit", "what the attempt was for: `first` (the scan), `again` and `fresh` (a second look, from the same source and "+
			"from another), `ephemeral` (whether the host acknowledges data on a random port; `attempt` then counts those)",
			func(a *attempt) string { return a.Visit.String() },
			func(a *attempt, s string) error { return a.Visit.UnmarshalText([]byte(s)) }),
		name("handshake", "what was said, or was to be said; `other`: by a client that is not laserdisc, and none of its handshakes",
			func(a *attempt) string { return a.Handshake.Name },
			func(a *attempt, s string) error { a.Handshake = handshakeNamed(s); return nil }),
		address("source_addr", "address that the attempt came from", source),
		port("source_port", "TCP port that the attempt came from", source),
		name("state", "how far the attempt got: `no_answer`, `unreachable` (ICMP error), `closed` (RST to the SYN), "+
			"`zero_window`, `dropped_handshake`, `reset_after_handshake`, `closed_after_handshake`, "+
			"`silent` (nothing said by either side), `no_data_ack`, `acks_data`, `sends_data` (paper, sections 2 and 5)",
			func(a *attempt) string { return a.State.String() },
			func(a *attempt, s string) error { return a.State.UnmarshalText([]byte(s)) }),

		found(instant, "syn_time", "when the first SYN left; to a millisecond, from the echoed TCP timestamp", func(a *attempt) *int64 { return &a.SYNTime }),
		found(instant, "synack_time", "when the first SYN-ACK came", func(a *attempt) *int64 { return &a.SYNACKTime }),
		found(instant, "ack_time", "when the first byte that we sent was acknowledged", func(a *attempt) *int64 { return &a.AckTime }),
		found(instant, "data_time", "when the first byte of data came", func(a *attempt) *int64 { return &a.DataTime }),
		found(instant, "end_time", "when the attempt was over", func(a *attempt) *int64 { return &a.End }),

		foundIf(number, "window_size", "receive window of the SYN-ACK in bytes, as in the header, not scaled; null without a SYN-ACK",
			func(a *attempt) *uint16 { return &a.Window },
			func(a *attempt) bool { return a.Window != 0 || a.SYNACKs > 0 }),
		found(number, "mss", "maximum segment size option of the SYN-ACK, bytes", func(a *attempt) *uint16 { return &a.Options.MSS }),
		optional("window_scale", "window scale option of the SYN-ACK, bits",
			func(a *attempt) (*uint8, *bool) { return &a.Options.Scale, &a.Options.HasScale }),
		yes("sack", "whether the SYN-ACK permits selective acknowledgements", func(a *attempt) *bool { return &a.Options.SACK }),
		optional("tsval", "timestamp of the SYN-ACK",
			func(a *attempt) (*uint32, *bool) { return &a.Options.TSVal, &a.Options.Timestamps }),
		optional("tsecr", "our timestamp as the SYN-ACK echoes it",
			func(a *attempt) (*uint32, *bool) { return &a.Options.TSEcr, &a.Options.Timestamps }),
		word("options", "order of the SYN-ACK's options in p0f's letters: M(SS), S(ACK permitted), T(imestamp), N(op), W(indow scale), E(nd), ? for others",
			func(a *attempt) *string { return &a.Layout }),
		found(number, "synack_ttl", "TTL or hop limit of the SYN-ACK; one that differs from data_ttl or reset_ttl shows a middlebox", func(a *attempt) *uint8 { return &a.SYNACKTTL }),
		found(number, "data_ttl", "TTL or hop limit of the first segment with data", func(a *attempt) *uint8 { return &a.DataTTL }),
		found(number, "reset_ttl", "TTL or hop limit of the reset", func(a *attempt) *uint8 { return &a.ResetTTL }),
		count("synacks", "SYN-ACKs received, the first included, duplicates made by the network not", func(a *attempt) *int { return &a.SYNACKs }),
		count("retransmits", "segments that we sent again", func(a *attempt) *int { return &a.Retransmits }),
		count("sent_bytes", "length of the handshake's first message", func(a *attempt) *int { return &a.SentBytes }),
		count("acked_bytes", "bytes of it that were acknowledged", func(a *attempt) *int { return &a.AckedBytes }),
		yes("fin", "whether a FIN came", func(a *attempt) *bool { return &a.FIN }),
		yes("rst", "whether a reset came", func(a *attempt) *bool { return &a.RST }),
		raw("reset_text", "payload of the reset: some middleboxes say why", func(a *attempt) *[]byte { return &a.ResetText }),
		icmp("icmp_type", "type of the ICMP or ICMPv6 error", 8),
		icmp("icmp_code", "code of the ICMP or ICMPv6 error", 0),
		{name: "icmp_reporter", kind: text, doc: "address that the ICMP error came from",
			get: func(a *attempt) cell { return cell{text: addrText(a.Reporter)} },
			set: func(a *attempt, c cell) (err error) { a.Reporter, err = parseAddr(c.text); return err }},
		found(number, "first_frame", "number of the first frame received, from 1, as Wireshark counts", func(a *attempt) *uint64 { return &a.FirstFrame }),
		found(number, "last_frame", "number of the last frame received", func(a *attempt) *uint64 { return &a.LastFrame }),

		name("label", "protocol that the response identifies; `unknown` if none does, `echo` for our own bytes, `all-ones`, empty without a response",
			func(a *attempt) string { return a.Verdict.Label },
			func(a *attempt, s string) error { a.Verdict.Label = s; return nil }),
		name("evidence", "how sure the label is: `certain`, `likely`, `weak`, `none`",
			func(a *attempt) string { return a.Verdict.Evidence.String() },
			func(a *attempt, s string) (err error) { a.Verdict.Evidence, err = evidenceNamed(s); return err }),
		count("label_bytes", "bytes of the response that the label rests on", func(a *attempt) *int { return &a.Verdict.Bytes }),
		{name: "matches", kind: texts, few: true, doc: "every protocol whose signature matches, by precedence", get: matchNames, set: setMatchNames},
		{name: "matches_evidence", kind: texts, few: true, doc: "the evidence of each of them", get: matchEvidence, set: setMatchEvidence},
		raw("response", "what the server sent, reassembled from its first byte, up to the run's response limit", func(a *attempt) *[]byte { return &a.Response }),
		yes("truncated", "whether it sent more", func(a *attempt) *bool { return &a.Truncated }),
	},
}

func service(a *attempt) *netip.AddrPort { return &a.Service }
func source(a *attempt) *netip.AddrPort  { return &a.Source }

// optional is a TCP option's value, which may be zero, and whether the option was there.
func optional[N integer](name, doc string, field func(*attempt) (*N, *bool)) column[attempt] {
	return column[attempt]{name: name, kind: number, doc: doc,
		get: func(a *attempt) cell {
			value, is := field(a)
			return cell{null: !*is, number: int64(*value)}
		},
		set: func(a *attempt, c cell) error {
			value, is := field(a)
			*is = !c.null
			return setNumber(value, c)
		},
	}
}

// icmp is the byte of the ICMP error that starts at a bit.
func icmp(name, doc string, bit int) column[attempt] {
	return column[attempt]{name: name, kind: number, doc: doc,
		get: func(a *attempt) cell { return cell{null: a.ICMP == 0, number: int64(a.ICMP >> bit & 0xff)} },
		set: func(a *attempt, c cell) error {
			var value uint8
			err := setNumber(&value, c)
			a.ICMP |= packet.ICMP(value) << bit
			return err
		},
	}
}
