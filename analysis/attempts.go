package analysis

import (
	"fmt"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// attempt is a row of the table of attempts.
type attempt struct {
	*session.Attempt
	Run int // which of the dataset's runs it is of
}

// attempts is the table of attempts.
var attempts = &table[attempt]{
	name:    "attempts",
	doc:     "One row for each connection attempt.",
	key:     func(a *attempt) key { return keyOf(a.Service, a.Run, a.Number, uint8(a.Visit), a.FirstFrame) },
	sorter:  func(w *waiting) *sorter { return &w.attempts },
	refused: func(a *attempt) bool { return !a.State.Connected() },
	columns: []column[attempt]{
		hostOf("addr", "address of the service", serviceAt),
		portOf("port", "TCP port of the service", serviceAt),
		runOf(func(a *attempt) *int { return &a.Run }),
		count("attempt", "number of the attempt at this service, from 0", func(a *attempt) *int { return &a.Number }),
		name("visit", "what the attempt was for: `first` (the scan), `again` and `fresh` (a second look, from the same source and "+
			"from another), `ephemeral` (whether the host acknowledges data on a random port; `attempt` then counts those); "+
			"`wrong` and `followup` (a wrong handshake, and after a delay the first that had drawn data), `control` (the latter alone)",
			func(a *attempt) string { return a.Visit.String() },
			func(a *attempt, s string) error { return a.Visit.UnmarshalText([]byte(s)) }),
		foundIf(number64, "delay_ms", "milliseconds that the scan waited between the attempt before, which is `wrong`, and this one; null but for a `followup`",
			func(a *attempt) *uint32 { return &a.Delay },
			func(a *attempt) bool { return a.Visit == session.Followup }),
		name("handshake", "what was said, or was to be said; `other`: by a client that is not laserdisc, and none of its handshakes",
			func(a *attempt) string { return a.Handshake.Name },
			func(a *attempt, s string) error { a.Handshake = handshakeNamed(s); return nil }),
		hostOf("source_addr", "address that the attempt came from", sourceAt),
		portOf("source_port", "TCP port that the attempt came from", sourceAt),
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

		foundIf(number32, "window_size", "receive window of the SYN-ACK in bytes, as in the header, not scaled; null without a SYN-ACK",
			func(a *attempt) *uint16 { return &a.Window },
			func(a *attempt) bool { return a.Window != 0 || a.SYNACKs > 0 }),
		found(number32, "mss", "maximum segment size option of the SYN-ACK, bytes", func(a *attempt) *uint16 { return &a.Options.MSS }),
		optional(small, "window_scale", "window scale option of the SYN-ACK, bits",
			func(a *attempt) (*uint8, *bool) { return &a.Options.Scale, &a.Options.HasScale }),
		yes("sack", "whether the SYN-ACK permits selective acknowledgements", func(a *attempt) *bool { return &a.Options.SACK }),
		optional(number64, "tsval", "timestamp of the SYN-ACK",
			func(a *attempt) (*uint32, *bool) { return &a.Options.TSVal, &a.Options.Timestamps }),
		optional(number64, "tsecr", "our timestamp as the SYN-ACK echoes it",
			func(a *attempt) (*uint32, *bool) { return &a.Options.TSEcr, &a.Options.Timestamps }),
		word("options", "order of the SYN-ACK's options in p0f's letters: M(SS), S(ACK permitted), T(imestamp), N(op), W(indow scale), E(nd), ? for others",
			func(a *attempt) *string { return &a.Layout }),
		found(small, "synack_ttl", "TTL or hop limit of the SYN-ACK; one that differs from data_ttl or reset_ttl shows a middlebox", func(a *attempt) *uint8 { return &a.SYNACKTTL }),
		found(small, "data_ttl", "TTL or hop limit of the first segment with data", func(a *attempt) *uint8 { return &a.DataTTL }),
		found(small, "reset_ttl", "TTL or hop limit of the reset", func(a *attempt) *uint8 { return &a.ResetTTL }),
		count("synacks", "SYN-ACKs received, the first included, duplicates made by the network not", func(a *attempt) *int { return &a.SYNACKs }),
		count("retransmits", "segments that we sent again", func(a *attempt) *int { return &a.Retransmits }),
		count("sent_bytes", "length of the handshake's first message", func(a *attempt) *int { return &a.SentBytes }),
		count("acked_bytes", "bytes of it that were acknowledged", func(a *attempt) *int { return &a.AckedBytes }),
		yes("fin", "whether a FIN came", func(a *attempt) *bool { return &a.FIN }),
		yes("rst", "whether a reset came", func(a *attempt) *bool { return &a.RST }),
		raw("reset_text", "payload of the reset: some middleboxes say why", func(a *attempt) *[]byte { return &a.ResetText }),
		icmp("icmp_type", "type of the ICMP or ICMPv6 error", 8),
		icmp("icmp_code", "code of the ICMP or ICMPv6 error", 0),
		{name: "icmp_reporter", kind: address, doc: "address that the ICMP error came from",
			address:    func(a *attempt) netip.Addr { return a.Reporter },
			setAddress: func(a *attempt, reporter netip.Addr) { a.Reporter = reporter }},
		found(number64, "first_frame", "number of the first frame received, from 1, as Wireshark counts", func(a *attempt) *uint64 { return &a.FirstFrame }),
		found(number64, "last_frame", "number of the last frame received", func(a *attempt) *uint64 { return &a.LastFrame }),

		name("label", "protocol that the response identifies; `unknown` if none does, or if data came but not the first of it, `echo` for our own bytes, `all-ones`, empty without a response",
			func(a *attempt) string { return a.Verdict.Label },
			func(a *attempt, s string) error { a.Verdict.Label = s; return nil }),
		name("evidence", "how sure the label is: `certain`, `likely`, `weak`, `none`",
			func(a *attempt) string { return a.Verdict.Evidence.String() },
			func(a *attempt, s string) (err error) { a.Verdict.Evidence, err = evidenceNamed(s); return err }),
		count("label_bytes", "bytes of the response that the label rests on", func(a *attempt) *int { return &a.Verdict.Bytes }),
		{name: "matches", kind: texts, few: true, doc: "every protocol whose signature matches, by precedence", list: matchName, setText: addMatch},
		{name: "matches_evidence", kind: texts, few: true, doc: "the evidence of each of them", list: matchEvidence, setText: setMatchEvidence},
		raw("response", "what the server sent, reassembled from its first byte, up to the run's response limit", func(a *attempt) *[]byte { return &a.Response }),
		yes("truncated", "whether it sent more; with an empty response, that its first bytes did not arrive, and later ones did", func(a *attempt) *bool { return &a.Truncated }),
	},
}

func serviceAt(a *attempt) *netip.AddrPort { return &a.Service }
func sourceAt(a *attempt) *netip.AddrPort  { return &a.Source }

// optional is a TCP option's value, which may be zero, and whether the option was there.
func optional[N integer](kind kind, name, doc string, field func(*attempt) (*N, *bool)) column[attempt] {
	return column[attempt]{name: name, kind: kind, doc: doc,
		number: func(a *attempt) int64 {
			value, is := field(a)
			if !*is {
				return none
			}
			return int64(*value)
		},
		setNumber: func(a *attempt, v int64) error {
			value, is := field(a)
			*is = v != none
			return setInteger(value, v)
		},
	}
}

// icmp is the byte of the ICMP error that starts at a bit.
func icmp(name, doc string, bit int) column[attempt] {
	return column[attempt]{name: name, kind: small, doc: doc,
		number: func(a *attempt) int64 {
			if a.ICMP == 0 {
				return none
			}
			return int64(a.ICMP >> bit & 0xff)
		},
		setNumber: func(a *attempt, v int64) error {
			var value uint8
			err := setInteger(&value, v)
			a.ICMP |= packet.ICMP(value) << bit
			return err
		},
	}
}

// handshakeNamed takes a name that the table does not have for one of another version's: what is read here is what a
// handshake was called and what came of it.
func handshakeNamed(name string) *handshake.Protocol {
	if p, ok := handshake.Lookup(name); ok {
		return p
	}
	return &handshake.Protocol{Name: name}
}

func evidenceNamed(name string) (handshake.Evidence, error) {
	for e := handshake.None; e <= handshake.Certain; e++ {
		if e.String() == name {
			return e, nil
		}
	}
	return 0, fmt.Errorf("no evidence is called %q", name)
}

// The matches of a verdict are two lists side by side, so that SQL can ask for a name in one.

func matchName(a *attempt, i int) (string, bool) {
	if i == len(a.Verdict.Matches) {
		return "", false
	}
	return a.Verdict.Matches[i].Protocol.Name, true
}

func matchEvidence(a *attempt, i int) (string, bool) {
	if i == len(a.Verdict.Matches) {
		return "", false
	}
	return a.Verdict.Matches[i].Evidence.String(), true
}

func addMatch(a *attempt, name string) error {
	a.Verdict.Matches = append(a.Verdict.Matches, handshake.Match{Protocol: handshakeNamed(name)})
	return nil
}

// setMatchEvidence completes what addMatch began: the columns are read in their order, and a match whose evidence is not
// set yet has none.
func setMatchEvidence(a *attempt, name string) (err error) {
	for i := range a.Verdict.Matches {
		if m := &a.Verdict.Matches[i]; m.Evidence == handshake.None {
			m.Evidence, err = evidenceNamed(name)
			if m.Evidence == handshake.None && err == nil {
				err = fmt.Errorf("a match has the evidence %q", name)
			}
			return err
		}
	}
	return fmt.Errorf("one more of them than matches")
}
