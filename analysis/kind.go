package analysis

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// kind is a column's type. There are few on purpose: signed numbers, for arrow v15 writes wrong
// statistics for nullable unsigned ones, and nothing that a Parquet reader could take for
// something else.
type kind uint8

const (
	boolean kind = iota // a boolean
	number              // int64, nullable
	instant             // nanoseconds since the Unix epoch, nullable
	text                // UTF-8
	octets              // bytes as they came
	texts               // a list of text
)

// DuckDB rounds Parquet timestamps that are marked as adjusted to UTC to microseconds, and shows
// them in the session's time zone. So ours are not marked, which arrow v15 does for zones that
// it does not know as UTC.
var arrowTypes = [...]arrow.DataType{
	boolean: arrow.FixedWidthTypes.Boolean,
	number:  arrow.PrimitiveTypes.Int64,
	instant: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "+00:00"},
	text:    arrow.BinaryTypes.String,
	octets:  arrow.BinaryTypes.Binary,
	texts:   arrow.ListOfNonNullable(arrow.BinaryTypes.String),
}

// String is the kind as the documentation has it.
func (k kind) String() string {
	return [...]string{"bool", "int64, nullable", "timestamp[ns] UTC, nullable", "utf8", "binary", "list<utf8>"}[k]
}

func (k kind) arrow() arrow.DataType { return arrowTypes[k] }
func (k kind) nullable() bool        { return k == number || k == instant }

// cell is the value of one column in one row. Its kind says which field counts.
type cell struct {
	null   bool
	number int64 // boolean (0 or 1), number, instant
	text   string
	octets []byte
	texts  []string
}

// appendCell appends the canonical encoding of c: 0 for null, or 1 and then the value; numbers
// as zigzag varints, texts and bytes after their length, lists after their count. It is what
// Digest is over, so it must never change.
func (k kind) appendCell(b []byte, c cell) []byte {
	if c.null {
		return append(b, 0)
	}
	b = append(b, 1)
	switch k {
	case text:
		b = binary.AppendUvarint(b, uint64(len(c.text)))
		return append(b, c.text...)
	case octets:
		b = binary.AppendUvarint(b, uint64(len(c.octets)))
		return append(b, c.octets...)
	case texts:
		b = binary.AppendUvarint(b, uint64(len(c.texts)))
		for _, t := range c.texts {
			b = binary.AppendUvarint(b, uint64(len(t)))
			b = append(b, t...)
		}
		return b
	}
	return binary.AppendVarint(b, c.number)
}

// build moves one cell from the canonical encoding at the start of b to an Arrow builder, and
// returns what follows it.
func (k kind) build(to array.Builder, b []byte) []byte {
	null := b[0] == 0
	b = b[1:]
	if null {
		to.AppendNull()
		return b
	}
	switch to := to.(type) {
	case *array.StringBuilder:
		var v []byte
		v, b = cutBytes(b)
		to.BinaryBuilder.Append(v)
		return b
	case *array.BinaryBuilder:
		var v []byte
		v, b = cutBytes(b)
		to.Append(v)
		return b
	case *array.ListBuilder:
		count, n := binary.Uvarint(b)
		b = b[n:]
		to.Append(true)
		elements := to.ValueBuilder().(*array.StringBuilder)
		for range count {
			var v []byte
			v, b = cutBytes(b)
			elements.BinaryBuilder.Append(v)
		}
		return b
	}
	v, n := binary.Varint(b)
	switch to := to.(type) {
	case *array.BooleanBuilder:
		to.Append(v != 0)
	case *array.Int64Builder:
		to.Append(v)
	case *array.TimestampBuilder:
		to.Append(arrow.Timestamp(v))
	}
	return b[n:]
}

func cutBytes(b []byte) (value, rest []byte) {
	length, n := binary.Uvarint(b)
	b = b[n:]
	return b[:length], b[length:]
}

// at reads the cell in row i of an Arrow array. Texts and bytes are views of the array.
func (k kind) at(a arrow.Array, i int) cell {
	if a.IsNull(i) {
		return cell{null: true}
	}
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return cell{number: 1}
		}
	case *array.Int64:
		return cell{number: a.Value(i)}
	case *array.Timestamp:
		return cell{number: int64(a.Value(i))}
	case *array.String:
		return cell{text: a.Value(i)}
	case *array.Binary:
		return cell{octets: a.Value(i)}
	case *array.List:
		elements := a.ListValues().(*array.String)
		from, to := a.ValueOffsets(i)
		var list []string
		for j := from; j < to; j++ {
			list = append(list, elements.Value(int(j)))
		}
		return cell{texts: list}
	}
	return cell{}
}
