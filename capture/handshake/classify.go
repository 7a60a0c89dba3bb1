package handshake

import "slices"

// Labels that are not the name of a protocol.
const (
	Unknown = "unknown"  // the server sent data that no signature explains
	Echo    = "echo"     // it sent our own bytes back: all of them, the first of them, or all of them over and over
	AllOnes = "all-ones" // every byte it sent was FFh
)

// Verdict is what the bytes of one answer say.
type Verdict struct {
	Label    string   // name of a protocol, Unknown, Echo, AllOnes; "" if there was no data
	Evidence Evidence // None unless the label is a protocol
	Bytes    int      // how much of the prefix it took to reach the label
	Matches  []Match  // every signature that matched, in table order; overwritten by the next Classify
}

// Classify judges the reassembled prefix of what a server sent. It looks at sent, what we had sent, only to recognise
// our own bytes coming back; sent may be nil. Of those the header of AMQP 1.0 alone is more than an echo, and weak. It allocates nothing once v.Matches has room.
//
// Of several matches the first in the table with likely or certain evidence gives the label, and if there is none the
// first weak one. The table has the special before the general (ipp, kubernetes and mongodb before the http that carries
// them), so this is the rule that the more specific wins. All of them stay in v.Matches.
func Classify(v *Verdict, sent, received []byte) {
	*v = Verdict{Matches: v.Matches[:0]}
	switch {
	case len(received) == 0:
	case isEcho(sent, received) && isMirrored(received):
		v.match(received)
		v.Evidence, v.Matches[0].Evidence = Weak, Weak
	case isEcho(sent, received):
		v.Label, v.Bytes = Echo, len(received)
	case allOnes(received):
		v.Label, v.Bytes = AllOnes, len(received)
	default:
		v.match(received)
	}
}

func (v *Verdict) match(received []byte) {
	best := Match{Bytes: len(received)}
	for _, p := range candidates[received[0]] {
		m := p.Match(received)
		if m.Evidence == None {
			continue
		}
		m.Protocol = p
		v.Matches = append(v.Matches, m)
		if outranks(m.Evidence, best.Evidence) {
			best = m
		}
	}
	v.Label, v.Evidence, v.Bytes = Unknown, best.Evidence, best.Bytes
	if best.Protocol != nil {
		v.Label = best.Protocol.Name
	}
}

// outranks tells whether evidence for a later line of the table takes the label from that for an earlier one.
func outranks(later, earlier Evidence) bool {
	return earlier == None || earlier == Weak && later > Weak
}

// Outranks reports whether v's label is to be preferred to that of o, an earlier attempt's at the same service. It is the
// rule that Classify has for several matches in one answer, over the answers of several attempts: of two protocols with
// likely or certain evidence the one that comes first in the table wins, for it is the more specific; otherwise the better
// evidence does, and o where both are equal. Our own bytes that came back are more than what is weakly consistent with a protocol,
// but some zeros are an echo of a handshake that begins with them: o stays unknown. It looks at Label and Evidence only. An o
// without a label, of an attempt that sent nothing, yields to every label.
func (v *Verdict) Outranks(o *Verdict) bool {
	switch {
	case o.Label == "":
		return v.Label != ""
	case v.Label == Echo:
		return o.Evidence == Weak
	case o.Label == Echo:
		return v.Evidence >= Likely
	case o.Evidence < Likely || v.Evidence < Likely:
		return v.Evidence > o.Evidence
	}
	return positions[v.Label] < positions[o.Label]
}

// Without gives the label and the evidence that a table without some of its protocols would have given the answer that v is of.
func (v *Verdict) Without(names []string) (label string, evidence Evidence) {
	if !slices.Contains(names, v.Label) {
		return v.Label, v.Evidence
	}
	label = Unknown
	for _, m := range v.Matches {
		if !slices.Contains(names, m.Protocol.Name) && outranks(m.Evidence, evidence) {
			label, evidence = m.Protocol.Name, m.Evidence
		}
	}
	return label, evidence
}

// isEcho tells whether received is all of sent, the beginning of it, or repeats of it of which the last may be cut.
func isEcho(sent, received []byte) bool {
	if len(sent) == 0 {
		return false
	}
	for i, c := range received {
		if c != sent[i%len(sent)] {
			return false
		}
	}
	return true
}

func allOnes(b []byte) bool {
	for _, c := range b {
		if c != 0xff {
			return false
		}
	}
	return true
}

// Details reads the sub-labels of an answer that has this label; there are none if the signature does not match. Text in them
// is cut to 256 bytes, with control and non-ASCII bytes as in a Go string literal.
func Details(label string, received []byte) []Detail {
	p, ok := Lookup(label)
	if !ok || p.Details == nil || p.Match(received).Evidence == None {
		return nil
	}
	return p.Details(received)
}
