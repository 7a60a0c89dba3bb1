package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/zeebo/xxh3"

	"laserdisc/analysis/unknowns"
	"laserdisc/capture/handshake"
)

// Unrecognised is a Fold that gathers what services sent that nobody recognises, for package unknowns: the services of each different
// response. Beyond a number of bytes it keeps one in 2, 4, 8, ... of the different responses, by a function of their bytes alone, so
// that parts merge to what one would have been over all.
type Unrecognised struct {
	without   []string
	names     names
	responses map[said]*unknowns.Response
	halved    uint
	held      int // about what the responses take, in bytes
	limit     int
}

// said is what tells responses apart.
type said struct{ data, handshake, label string }

// unrecognisedLimit bounds what Unrecognised holds, in bytes.
const unrecognisedLimit = 256 << 20

// NewUnrecognised returns one that has gathered nothing. What is labelled as one of the protocols of without counts as if the table of
// signatures did not have it.
func NewUnrecognised(without []string) *Unrecognised {
	return &Unrecognised{without: without, responses: make(map[said]*unknowns.Response), limit: unrecognisedLimit}
}

// Table is "services".
func (u *Unrecognised) Table() string { return services.name }

// Columns are the columns that it reads.
func (u *Unrecognised) Columns() []string {
	return []string{"addr", "port", "label", "handshake", "response"}
}

// Add gathers the responses of a batch.
func (u *Unrecognised) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	labels, handshakes := readCodes(&b, "label", u.names.number), readCodes(&b, "handshake", u.names.number)
	response := readColumn[*array.Binary](&b, "response")
	var verdict handshake.Verdict
	for row := range b.rows() {
		label := u.names.list[labels.at(row)]
		data := response.Value(row)
		if len(data) == 0 || !u.wants(&verdict, label, data) {
			continue
		}
		host, err := netip.ParseAddr(addr.Value(row))
		if err != nil {
			return fmt.Errorf("analysis: column \"addr\": %w", err)
		}
		at := netip.AddrPortFrom(host, port.Value(row))
		u.add(said{string(data[:min(unknowns.Look, len(data))]), u.names.list[handshakes.at(row)], label}, at)
	}
	u.shrink()
	return b.err
}

// wants reports whether nobody recognises a response that has this label.
func (u *Unrecognised) wants(v *handshake.Verdict, label string, data []byte) bool {
	if !slices.Contains(u.without, label) {
		return label == handshake.Unknown
	}
	handshake.Classify(v, nil, data)
	label, _ = v.Without(u.without)
	return label == handshake.Unknown
}

func (u *Unrecognised) add(s said, at ...netip.AddrPort) {
	r := u.responses[s]
	if r == nil {
		if !keeps(s, u.halved) {
			return
		}
		r = &unknowns.Response{Data: s.data, Handshake: s.handshake, Label: s.label}
		u.responses[s] = r
		u.held += responseBytes + len(s.data)
	}
	r.Services = append(r.Services, at...)
	u.held += len(at) * addressBytes
}

const (
	responseBytes = 256 // with the map's part
	addressBytes  = 32
)

// keeps reports whether a response is among those of one in 2^halved.
func keeps(s said, halved uint) bool { return xxh3.HashString(s.data)&(1<<halved-1) == 0 }

// shrink leaves responses out until the rest fits.
func (u *Unrecognised) shrink() {
	for u.held > u.limit {
		u.halve(u.halved + 1)
	}
}

func (u *Unrecognised) halve(n uint) {
	u.halved, u.held = n, 0
	maps.DeleteFunc(u.responses, func(s said, _ *unknowns.Response) bool { return !keeps(s, n) })
	for s, r := range u.responses {
		u.held += responseBytes + len(s.data) + len(r.Services)*addressBytes
	}
}

// Merge adds what another Unrecognised has gathered.
func (u *Unrecognised) Merge(fold Fold) error {
	other, ok := fold.(*Unrecognised)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, u)
	}
	if n := max(u.halved, other.halved); n > 0 {
		u.halve(n)
	}
	for s, r := range other.responses {
		u.add(s, r.Services...)
	}
	u.shrink()
	return nil
}

// Responses gives what was gathered, in an order of its own, and of how many different responses one was kept. The Unrecognised must
// not be used afterwards.
func (u *Unrecognised) Responses() (list []*unknowns.Response, kept uint64) {
	for _, r := range u.responses {
		slices.SortFunc(r.Services, netip.AddrPort.Compare)
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *unknowns.Response) int {
		return cmp.Or(cmp.Compare(a.Data, b.Data), cmp.Compare(a.Handshake, b.Handshake), cmp.Compare(a.Label, b.Label))
	})
	return list, 1 << u.halved
}

// Mistaken is a Fold that counts the services that somebody recognises whose responses proposed signatures match, too: they would
// be mistaken for what was proposed, if it came first in the table.
type Mistaken struct {
	signatures []unknowns.Signature
	by         *Unrecognised // which services are not to be counted
	services   []int
}

// NewMistaken returns one that has counted none. The services that NewUnrecognised would gather do not count.
func NewMistaken(signatures []unknowns.Signature, without []string) *Mistaken {
	return &Mistaken{signatures: signatures, by: NewUnrecognised(without), services: make([]int, len(signatures))}
}

// Table is "services".
func (m *Mistaken) Table() string { return services.name }

// Columns are the columns that it reads.
func (m *Mistaken) Columns() []string { return []string{"label", "response"} }

// Add counts the services of a batch.
func (m *Mistaken) Add(record arrow.Record) error {
	b := batch{Record: record}
	labels, response := readCodes(&b, "label", m.by.names.number), readColumn[*array.Binary](&b, "response")
	var verdict handshake.Verdict
	for row := range b.rows() {
		data := response.Value(row)
		if len(data) == 0 || m.by.wants(&verdict, m.by.names.list[labels.at(row)], data) {
			continue
		}
		for i := range m.signatures {
			if m.signatures[i].Match(data[:min(unknowns.Look, len(data))]) {
				m.services[i]++
			}
		}
	}
	return b.err
}

// Merge adds what another Mistaken has counted, of the same signatures.
func (m *Mistaken) Merge(fold Fold) error {
	other, ok := fold.(*Mistaken)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, m)
	}
	for i, n := range other.services {
		m.services[i] += n
	}
	return nil
}

// Services are how many there are for each signature.
func (m *Mistaken) Services() []int { return m.services }
