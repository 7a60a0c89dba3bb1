package reports

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// column is how one column of an exhibit's table is made of its rows.
type column[T any] struct {
	field  arrow.Field
	append func(array.Builder, *T)
}

// texts is a column of names.
func texts[T any](name string, value func(*T) string) column[T] {
	return column[T]{arrow.Field{Name: name, Type: arrow.BinaryTypes.String}, func(b array.Builder, row *T) {
		b.(*array.StringBuilder).Append(value(row))
	}}
}

// numbers is a column of integers of a unit, "" for such as a port. What is negative is null.
func numbers[T any](name, unit string, value func(*T) int) column[T] {
	return column[T]{in(unit, name, arrow.PrimitiveTypes.Int64), func(b array.Builder, row *T) {
		if n := value(row); n >= 0 {
			b.(*array.Int64Builder).Append(int64(n))
		} else {
			b.AppendNull()
		}
	}}
}

// shares is a column of shares, 0 to 1, of what the unit says. NaN is null.
func shares[T any](name, unit string, value func(*T) float64) column[T] {
	return column[T]{in(unit, name, arrow.PrimitiveTypes.Float64), func(b array.Builder, row *T) {
		if v := value(row); !math.IsNaN(v) {
			b.(*array.Float64Builder).Append(v)
		} else {
			b.AppendNull()
		}
	}}
}

func in(unit, name string, of arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: of, Nullable: true, Metadata: arrow.NewMetadata([]string{"unit"}, []string{unit})}
}

// tabulate makes the table of an exhibit: its schema has the unit of each column, and n, what its numbers are of.
func tabulate[T any](n string, rows []T, columns ...column[T]) arrow.Record {
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, c.field)
	}
	about := arrow.NewMetadata([]string{"n"}, []string{n})
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, &about))
	for i := range rows {
		for k, c := range columns {
			c.append(b.Field(k), &rows[i])
		}
	}
	return b.NewRecord()
}

// writeCSV prints a table: a line of names, and then the rows. A share has six digits; null is empty.
func writeCSV(w io.Writer, table arrow.Record) error {
	lines := make([][]string, table.NumRows()+1)
	for _, f := range table.Schema().Fields() {
		lines[0] = append(lines[0], f.Name)
	}
	for _, column := range table.Columns() {
		for row := range column.Len() {
			lines[row+1] = append(lines[row+1], cell(column, row))
		}
	}
	return csv.NewWriter(w).WriteAll(lines)
}

func cell(column arrow.Array, row int) string {
	if column.IsNull(row) {
		return ""
	}
	if share, ok := column.(*array.Float64); ok {
		return strconv.FormatFloat(share.Value(row), 'f', 6, 64)
	}
	return column.ValueStr(row)
}

// ratio is part of whole, NaN of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
