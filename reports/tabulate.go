package reports

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"laserdisc/analysis/estimate"
)

// column is how one column of an exhibit's table, or several that belong together, are made of its rows.
type column[T any] struct {
	fields []arrow.Field
	append func([]array.Builder, *T) // one builder for each field
}

// texts is a column of names.
func texts[T any](name string, value func(*T) string) column[T] {
	return column[T]{[]arrow.Field{{Name: name, Type: arrow.BinaryTypes.String}}, func(b []array.Builder, row *T) {
		b[0].(*array.StringBuilder).Append(value(row))
	}}
}

// numbers is a column of integers of a unit, "" for such as a port. What is negative is null.
func numbers[T any](name, unit string, value func(*T) int) column[T] {
	return column[T]{[]arrow.Field{in(unit, name, arrow.PrimitiveTypes.Int64)}, func(b []array.Builder, row *T) {
		if n := value(row); n >= 0 {
			b[0].(*array.Int64Builder).Append(int64(n))
		} else {
			b[0].AppendNull()
		}
	}}
}

// values is a column of numbers of a unit: shares, 0 to 1, of what the unit says, seconds. NaN is null.
func values[T any](name, unit string, value func(*T) float64) column[T] {
	return column[T]{[]arrow.Field{in(unit, name, arrow.PrimitiveTypes.Float64)}, func(b []array.Builder, row *T) {
		appendFloat(b[0], value(row))
	}}
}

// paper is the column of the paper's values for what an estimate is of, in its unit. NaN, which the paper does not have, is null.
func paper[T any](unit string, value func(*T) float64) column[T] {
	return values("published", unit, value)
}

// The columns of an estimate, after that of its value.
const (
	lowColumn, highColumn     = "low", "high"
	nColumn, hostsColumn      = "n", "hosts"
	effectiveColumn           = "effective_hosts"
	methodColumn, warnsColumn = "method", "warnings"
	publishedColumn           = "published"
)

// estimates are the columns of an estimate, of which a row has one: its value, under the name given; low and high, the ends of its
// interval, null without one; and what it rests on.
func estimates[T any](name, unit string, value func(*T) estimate.Estimate) column[T] {
	float, integer := arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Int64
	fields := []arrow.Field{
		in(unit, name, float), in(unit, lowColumn, float), in(unit, highColumn, float),
		in("services", nColumn, integer), in("hosts", hostsColumn, integer), in("hosts", effectiveColumn, float),
		{Name: methodColumn, Type: arrow.BinaryTypes.String}, {Name: warnsColumn, Type: arrow.BinaryTypes.String},
	}
	return column[T]{fields, func(b []array.Builder, row *T) {
		e := value(row)
		appendFloat(b[0], e.Value)
		low, high := math.NaN(), math.NaN()
		if e.HasInterval() {
			low, high = e.Lo, e.Hi
		}
		appendFloat(b[1], low)
		appendFloat(b[2], high)
		b[3].(*array.Int64Builder).Append(int64(e.N))
		b[4].(*array.Int64Builder).Append(int64(e.Hosts))
		appendFloat(b[5], e.EffectiveHosts)
		b[6].(*array.StringBuilder).Append(e.Method)
		var warnings []string
		for _, w := range e.Warnings {
			warnings = append(warnings, string(w))
		}
		b[7].(*array.StringBuilder).Append(strings.Join(warnings, "; "))
	}}
}

func appendFloat(b array.Builder, v float64) {
	if math.IsNaN(v) {
		b.AppendNull()
		return
	}
	b.(*array.Float64Builder).Append(v)
}

func in(unit, name string, of arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: of, Nullable: true, Metadata: arrow.NewMetadata([]string{"unit"}, []string{unit})}
}

// tabulate makes the table of an exhibit: its schema has the unit of each column, and n, what its numbers are of.
func tabulate[T any](n string, rows []T, columns ...column[T]) arrow.Record {
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, c.fields...)
	}
	about := arrow.NewMetadata([]string{"n"}, []string{n})
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, &about))
	for i := range rows {
		builders := b.Fields()
		for _, c := range columns {
			c.append(builders[:len(c.fields)], &rows[i])
			builders = builders[len(c.fields):]
		}
	}
	return b.NewRecord()
}

// writeCSV prints a table: a line of names, and then the rows. Numbers up to 10 have six decimal places; null is empty, and "inf" the
// high end of "more than". Texts are harmless.
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
	if floats, ok := column.(*array.Float64); ok {
		return decimal(floats.Value(row))
	}
	if texts, ok := column.(*array.String); ok {
		return harmless(texts.Value(row))
	}
	return column.ValueStr(row)
}

// harmless keeps a spreadsheet from taking a text, which may come from a server or from a file of ASes, for a formula: what begins as
// one does is written after an apostrophe, which spreadsheets take for "text follows" (OWASP, CSV Injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// decimal writes a number without an exponent, with fewer decimal places the larger it is.
func decimal(v float64) string {
	places := 6
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.Abs(v) >= 1e5:
		places = 0
	case math.Abs(v) > 10:
		places = 2
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// ratio is part of whole, NaN of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
