package analysis

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Examples is a Fold that keeps a service of each kind, and of each AS that announces such: the one with the lowest address. The zero
// Examples has none. It takes some 70 bytes for each.
type Examples struct {
	labels names
	first  map[exampleKey]netip.Addr
}

// exampleKey is what Examples tell apart, with the number of the label in their names.
type exampleKey struct {
	port  uint16
	state session.State
	label int32
	asn   uint32
}

// KindExample is a service of a kind.
type KindExample struct {
	Addr  netip.Addr
	Port  uint16
	State session.State
	Label string // protocol, by likely or certain evidence; "" is none
	ASN   uint32 // of the AS that announces Addr; 0 if that is not known
}

// Table is "services".
func (e *Examples) Table() string { return "services" }

// Columns are the columns that it reads.
func (e *Examples) Columns() []string {
	return []string{"addr", "port", "state", "label", "evidence", "asn"}
}

// Add takes the services of a batch. A target that never connected is none.
func (e *Examples) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	asn := readColumn[*array.Int64](&b, "asn")
	state := readCodes(&b, "state", stateCode)
	label := readCodes(&b, "label", e.labels.number)
	evidence := readCodes(&b, "evidence", evidenceCode)
	none, _ := e.labels.number("")
	if e.first == nil {
		e.first = make(map[exampleKey]netip.Addr)
	}
	for row := range b.rows() {
		k := exampleKey{port: port.Value(row), state: session.State(state.at(row)), label: int32(none)}
		if !k.state.Connected() {
			continue
		}
		if handshake.Evidence(evidence.at(row)) >= handshake.Likely {
			k.label = int32(label.at(row))
		}
		if asn.IsValid(row) {
			k.asn = uint32(asn.Value(row))
		}
		at, err := netip.ParseAddr(addr.Value(row))
		if err != nil {
			return fmt.Errorf("analysis: column %q: %w", "addr", err)
		}
		e.keep(k, at)
	}
	return b.err
}

func (e *Examples) keep(k exampleKey, at netip.Addr) {
	if old, ok := e.first[k]; !ok || at.Less(old) {
		e.first[k] = at
	}
}

// Merge takes those of other Examples.
func (e *Examples) Merge(fold Fold) error {
	other, ok := fold.(*Examples)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, e)
	}
	if e.first == nil {
		e.first = make(map[exampleKey]netip.Addr)
	}
	labels := e.labels.numbers(&other.labels)
	for k, at := range other.first {
		k.label = int32(labels[k.label])
		e.keep(k, at)
	}
	return nil
}

// List has all examples, in the order of their addresses and ports.
func (e *Examples) List() []KindExample {
	list := make([]KindExample, 0, len(e.first))
	for k, at := range e.first {
		list = append(list, KindExample{Addr: at, Port: k.port, State: k.state, Label: e.labels.list[k.label], ASN: k.asn})
	}
	slices.SortFunc(list, func(a, b KindExample) int { return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port)) })
	return list
}
