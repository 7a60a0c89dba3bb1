package analysis

import (
	"fmt"
	"net/netip"

	"github.com/apache/arrow/go/v15/arrow"
)

// column is one column of a table whose rows are R. How a row's value is read and set depends on the kind: number for
// the numeric ones, address, text (text), bytes (octets) or list (texts).
type column[R any] struct {
	name string
	kind kind
	few  bool // only ever a few distinct values, whatever the network sends: Parquet keeps a dictionary
	doc  string

	number  func(*R) int64 // none is null
	address func(*R) netip.Addr
	text    func(*R) string
	bytes   func(*R) []byte
	list    func(*R, int) (string, bool) // element i; false if there are no more

	setNumber  func(*R, int64) error
	setAddress func(*R, netip.Addr)
	setText    func(*R, string) error // of texts: one more element
	setBytes   func(*R, []byte)
}

// table is one file format: its name and its columns, in order.
type table[R any] struct {
	name    string
	doc     string
	columns []column[R]
	key     func(*R) key
	sorter  func(*waiting) *sorter
	refused func(*R) bool // whether the row tells of a target that nothing is remembered of
}

// schema is the table as Arrow sees it.
func (t *table[R]) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.columns))
	for i, c := range t.columns {
		fields[i] = arrow.Field{Name: c.name, Type: kinds[c.kind].arrow, Nullable: kinds[c.kind].nullable}
	}
	return arrow.NewSchema(fields, nil)
}

// The functions below make columns from a pointer to the field that holds them.

type integer interface {
	~int | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// count is a number of 32 bits that is always there.
func count[R any, N integer](name, doc string, field func(*R) *N) column[R] {
	return column[R]{name: name, kind: unsigned32, doc: doc,
		number:    func(r *R) int64 { return int64(*field(r)) },
		setNumber: func(r *R, v int64) error { return setInteger(field(r), v) },
	}
}

// found is a number or a time that is not there if it is zero.
func found[R any, N integer](kind kind, name, doc string, field func(*R) *N) column[R] {
	return foundIf(kind, name, doc, field, func(r *R) bool { return *field(r) != 0 })
}

// foundIf is a number or a time that is there if a condition holds, and else zero.
func foundIf[R any, N integer](kind kind, name, doc string, field func(*R) *N, is func(*R) bool) column[R] {
	return column[R]{name: name, kind: kind, doc: doc,
		number: func(r *R) int64 {
			if !is(r) {
				return none
			}
			return int64(*field(r))
		},
		setNumber: func(r *R, v int64) error { return setInteger(field(r), v) },
	}
}

// setInteger takes null for zero.
func setInteger[N integer](field *N, v int64) error {
	if v == none {
		v = 0
	}
	*field = N(v)
	if int64(*field) != v || (*field < 0) != (v < 0) {
		return fmt.Errorf("%d does not fit %T", v, *field)
	}
	return nil
}

func yes[R any](name, doc string, field func(*R) *bool) column[R] {
	return column[R]{name: name, kind: boolean, doc: doc,
		number: func(r *R) int64 {
			if *field(r) {
				return 1
			}
			return 0
		},
		setNumber: func(r *R, v int64) error {
			*field(r) = v != 0
			return nil
		},
	}
}

func word[R any](name, doc string, field func(*R) *string) column[R] {
	return column[R]{name: name, kind: text, doc: doc,
		text: func(r *R) string { return *field(r) },
		setText: func(r *R, s string) error {
			*field(r) = s
			return nil
		},
	}
}

func raw[R any](name, doc string, field func(*R) *[]byte) column[R] {
	return column[R]{name: name, kind: octets, doc: doc,
		bytes:    func(r *R) []byte { return *field(r) },
		setBytes: func(r *R, b []byte) { *field(r) = b },
	}
}

// name is a value that has a few names.
func name[R any](name, doc string, get func(*R) string, set func(*R, string) error) column[R] {
	return column[R]{name: name, kind: text, few: true, doc: doc, text: get, setText: set}
}

// hostOf is the address of an endpoint.
func hostOf[R any](name, doc string, field func(*R) *netip.AddrPort) column[R] {
	return column[R]{name: name, kind: address, doc: doc,
		address:    func(r *R) netip.Addr { return field(r).Addr() },
		setAddress: func(r *R, a netip.Addr) { *field(r) = netip.AddrPortFrom(a, field(r).Port()) },
	}
}

// portOf is the port of an endpoint.
func portOf[R any](name, doc string, field func(*R) *netip.AddrPort) column[R] {
	return column[R]{name: name, kind: unsigned16, doc: doc,
		number: func(r *R) int64 { return int64(field(r).Port()) },
		setNumber: func(r *R, v int64) error {
			*field(r) = netip.AddrPortFrom(field(r).Addr(), uint16(v))
			return nil
		},
	}
}

// runOf is the number of the dataset's run that a row is of.
func runOf[R any](field func(*R) *int) column[R] {
	return column[R]{name: "run", kind: unsigned16, doc: "which of the dataset's runs it is of, from 0, in the order of dataset.json",
		number:    func(r *R) int64 { return int64(*field(r)) },
		setNumber: func(r *R, v int64) error { return setInteger(field(r), v) },
	}
}
