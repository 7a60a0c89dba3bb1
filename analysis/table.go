package analysis

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"

	"github.com/apache/arrow/go/v15/arrow"
)

// column is one column of a table whose rows are R.
type column[R any] struct {
	name string
	kind kind
	few  bool // only ever a few distinct values, whatever the network sends: Parquet keeps a dictionary
	doc  string
	get  func(*R) cell
	set  func(*R, cell) error
}

// table is a file format: its name and its columns, in order.
type table[R any] struct {
	name    string
	doc     string
	columns []column[R]
	key     func(*R) key
}

// schema is the table as Arrow sees it.
func (t *table[R]) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.columns))
	for i, c := range t.columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.kind.arrow(), Nullable: c.kind.nullable()}
	}
	return arrow.NewSchema(fields, nil)
}

// appendRow appends the canonical encoding of a row: its cells, in the order of the columns.
func (t *table[R]) appendRow(b []byte, row *R) []byte {
	for i := range t.columns {
		c := &t.columns[i]
		b = c.kind.appendCell(b, c.get(row))
	}
	return b
}

// key is what rows are sorted by.
type key struct {
	v6      bool
	addr    [16]byte
	port    uint16
	attempt int
	frame   uint64 // tells rows of a capture apart that show one service more than once
}

func keyOf(service netip.AddrPort, attempt int, frame uint64) key {
	addr := service.Addr()
	return key{!addr.Is4(), addr.As16(), service.Port(), attempt, frame}
}

func (k *key) compare(o *key) int {
	if k.v6 != o.v6 {
		if k.v6 {
			return 1
		}
		return -1
	}
	return cmp.Or(bytes.Compare(k.addr[:], o.addr[:]), cmp.Compare(k.port, o.port),
		cmp.Compare(k.attempt, o.attempt), cmp.Compare(k.frame, o.frame))
}

// The functions below make columns from a pointer to the field that holds them.

type integer interface {
	~int | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// count is a number that is always there.
func count[R any, N integer](name, doc string, field func(*R) *N) column[R] {
	return column[R]{name: name, kind: number, doc: doc,
		get: func(r *R) cell { return cell{number: int64(*field(r))} },
		set: func(r *R, c cell) error { return setNumber(field(r), c) },
	}
}

// found is a number or a time that is not there if it is zero.
func found[R any, N integer](kind kind, name, doc string, field func(*R) *N) column[R] {
	return foundIf(kind, name, doc, field, func(r *R) bool { return *field(r) != 0 })
}

// foundIf is a number or a time that is there if a condition holds, and else zero.
func foundIf[R any, N integer](kind kind, name, doc string, field func(*R) *N, is func(*R) bool) column[R] {
	return column[R]{name: name, kind: kind, doc: doc,
		get: func(r *R) cell {
			if !is(r) {
				return cell{null: true}
			}
			return cell{number: int64(*field(r))}
		},
		set: func(r *R, c cell) error { return setNumber(field(r), c) },
	}
}

// setNumber takes null for zero.
func setNumber[N integer](field *N, c cell) error {
	*field = N(c.number)
	if int64(*field) != c.number || (*field < 0) != (c.number < 0) {
		return fmt.Errorf("%d does not fit %T", c.number, *field)
	}
	return nil
}

func yes[R any](name, doc string, field func(*R) *bool) column[R] {
	return column[R]{name: name, kind: boolean, doc: doc,
		get: func(r *R) cell {
			if *field(r) {
				return cell{number: 1}
			}
			return cell{}
		},
		set: func(r *R, c cell) error {
			*field(r) = c.number != 0
			return nil
		},
	}
}

func word[R any](name, doc string, field func(*R) *string) column[R] {
	return column[R]{name: name, kind: text, doc: doc,
		get: func(r *R) cell { return cell{text: *field(r)} },
		set: func(r *R, c cell) error {
			*field(r) = c.text
			return nil
		},
	}
}

func raw[R any](name, doc string, field func(*R) *[]byte) column[R] {
	return column[R]{name: name, kind: octets, doc: doc,
		get: func(r *R) cell { return cell{octets: *field(r)} },
		set: func(r *R, c cell) error {
			*field(r) = c.octets
			return nil
		},
	}
}

// name is a value that has a few names.
func name[R any](name, doc string, get func(*R) string, set func(*R, string) error) column[R] {
	return column[R]{name: name, kind: text, few: true, doc: doc,
		get: func(r *R) cell { return cell{text: get(r)} },
		set: func(r *R, c cell) error { return set(r, c.text) },
	}
}

// address is the address of an endpoint, as text.
func address[R any](name, doc string, field func(*R) *netip.AddrPort) column[R] {
	return column[R]{name: name, kind: text, doc: doc,
		get: func(r *R) cell { return cell{text: addrText(field(r).Addr())} },
		set: func(r *R, c cell) error {
			addr, err := parseAddr(c.text)
			*field(r) = netip.AddrPortFrom(addr, field(r).Port())
			return err
		},
	}
}

// port is the port of an endpoint.
func port[R any](name, doc string, field func(*R) *netip.AddrPort) column[R] {
	return column[R]{name: name, kind: number, doc: doc,
		get: func(r *R) cell { return cell{number: int64(field(r).Port())} },
		set: func(r *R, c cell) error {
			var port uint16
			err := setNumber(&port, c)
			*field(r) = netip.AddrPortFrom(field(r).Addr(), port)
			return err
		},
	}
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func parseAddr(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(s)
}
