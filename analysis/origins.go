package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Origins is a Fold that counts the services that were identified by protocol, port and the AS that announces their address. The zero
// Origins has counted none. It takes some 40 bytes for each of the combinations that there are.
type Origins struct {
	labels names
	ases   map[uint32]string // names
	counts map[originKey]uint32
}

type originKey struct {
	label int32 // its number
	port  uint16
	asn   uint32
}

// Origin is the services of a protocol on a port.
type Origin struct {
	Protocol string
	Port     uint16
	Services int

	// The AS that announces most of them, of several the one with the lowest number; 0 if none of their addresses has one.
	ASN   uint32
	AS    string // its name; "" if that is not known
	InTop int    // services in it
}

// Table is "services".
func (o *Origins) Table() string { return "services" }

// Columns are the columns that it reads.
func (o *Origins) Columns() []string {
	return []string{"port", "state", "label", "evidence", "asn", "as_name"}
}

// Add counts the services of a batch.
func (o *Origins) Add(record arrow.Record) error {
	b := batch{Record: record}
	port, asn := readColumn[*array.Uint16](&b, "port"), readColumn[*array.Int64](&b, "asn")
	name := readColumn[*array.String](&b, "as_name")
	state := readCodes(&b, "state", stateCode)
	label := readCodes(&b, "label", o.labels.number)
	evidence := readCodes(&b, "evidence", evidenceCode)
	if o.counts == nil {
		o.ases, o.counts = make(map[uint32]string), make(map[originKey]uint32)
	}
	for row := range b.rows() {
		if !session.State(state.at(row)).Connected() || handshake.Evidence(evidence.at(row)) < handshake.Likely {
			continue
		}
		k := originKey{label: int32(label.at(row)), port: port.Value(row)}
		if asn.IsValid(row) {
			k.asn = uint32(asn.Value(row))
			if _, known := o.ases[k.asn]; !known {
				o.ases[k.asn] = string([]byte(name.Value(row))) // not the batch's memory
			}
		}
		o.counts[k]++
	}
	return b.err
}

// Merge adds what another Origins has counted.
func (o *Origins) Merge(fold Fold) error {
	other, ok := fold.(*Origins)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, o)
	}
	if o.counts == nil {
		o.ases, o.counts = make(map[uint32]string), make(map[originKey]uint32)
	}
	labels := o.labels.numbers(&other.labels)
	for k, n := range other.counts {
		k.label = int32(labels[k.label])
		o.counts[k] += n
	}
	for asn, name := range other.ases {
		if _, known := o.ases[asn]; !known {
			o.ases[asn] = name
		}
	}
	return nil
}

// Ports gives the ports of each protocol, in the order of its name and of their services, most first.
func (o *Origins) Ports() []Origin {
	type place struct {
		label int32
		port  uint16
	}
	sums := make(map[place]*Origin)
	for k, n := range o.counts {
		at := place{k.label, k.port}
		s := sums[at]
		if s == nil {
			s = &Origin{Protocol: o.labels.list[k.label], Port: k.port}
			sums[at] = s
		}
		s.Services += int(n)
		if k.asn != 0 && (int(n) > s.InTop || int(n) == s.InTop && k.asn < s.ASN) {
			s.ASN, s.AS, s.InTop = k.asn, o.ases[k.asn], int(n)
		}
	}
	list := make([]Origin, 0, len(sums))
	for s := range maps.Values(sums) {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Origin) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(b.Services, a.Services), cmp.Compare(a.Port, b.Port))
	})
	return list
}
