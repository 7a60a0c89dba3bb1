package analysis

import (
	"math"

	"github.com/apache/arrow/go/v15/arrow"
)

// kind is a column's type: in Arrow, in Parquet, and in a row's canonical bytes.
//
// The choice is around what arrow v15 gets wrong: unsigned columns are never null, for their statistics would be
// wrong, and what may be null is signed.
type kind uint8

const (
	boolean kind = iota
	unsigned16
	unsigned32
	small     // 0 to 255, or null; 32 bits in Arrow
	number32  // 0 to 2^31 - 1, or null
	number64  // 0 to 2^63 - 1, or null
	instant   // nanoseconds since the Unix epoch, or null
	address   // an IP address, as text; "" is none
	text      // UTF-8
	octets    // bytes as they came
	texts     // a list of text
	kindCount = iota
)

// none is a number, and a time, that is not there.
const none = math.MinInt64

// kinds says of each kind what Arrow and the documentation call it, and whether it may be null.
//
// DuckDB rounds Parquet timestamps that are marked as adjusted to UTC to microseconds, and shows them in the session's
// time zone. So ours are not marked, which arrow v15 does for zones that it does not know as UTC.
var kinds = [kindCount]struct {
	arrow    arrow.DataType
	doc      string
	nullable bool
}{
	boolean:    {arrow.FixedWidthTypes.Boolean, "bool", false},
	unsigned16: {arrow.PrimitiveTypes.Uint16, "uint16", false},
	unsigned32: {arrow.PrimitiveTypes.Uint32, "uint32", false},
	small:      {arrow.PrimitiveTypes.Int32, "int32, nullable", true},
	number32:   {arrow.PrimitiveTypes.Int32, "int32, nullable", true},
	number64:   {arrow.PrimitiveTypes.Int64, "int64, nullable", true},
	instant:    {&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "+00:00"}, "timestamp[ns] UTC, nullable", true},
	address:    {arrow.BinaryTypes.String, "utf8", false},
	text:       {arrow.BinaryTypes.String, "utf8", false},
	octets:     {arrow.BinaryTypes.Binary, "binary", false},
	texts:      {arrow.ListOfNonNullable(arrow.BinaryTypes.String), "list<utf8>", false},
}

// fits reports whether a column of the kind holds the number.
func (k kind) fits(v int64) bool {
	if v == none {
		return kinds[k].nullable
	}
	switch k {
	case boolean:
		return v>>1 == 0
	case unsigned16:
		return v>>16 == 0
	case small:
		return v>>8 == 0
	case unsigned32:
		return v>>32 == 0
	case number32:
		return v>>31 == 0
	case number64:
		return v >= 0
	}
	return true
}
