package reports

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis/estimate"
	"laserdisc/reports/plotters"
)

// infinite is how the high end of an interval is printed that has no bound.
const infinite = "∞"

// printedColumn is a column as people read it, in LaTeX or on the page. The columns of an estimate are two: its value with the
// interval, and n.
type printedColumn struct {
	name   string
	unit   string // "" has none
	number bool
	share  bool // printed in percent
	values arrow.Array
	of     *estimateColumns // nil if it is no estimate's value
}

// estimateColumns are those that an estimate has besides its value and n.
type estimateColumns struct {
	low, high, hosts arrow.Array
	method, warnings *array.String
}

// printedColumns gives the columns of a table as they are printed.
func printedColumns(table arrow.Record) []printedColumn {
	var list []printedColumn
	fields := table.Schema().Fields()
	for i, f := range fields {
		switch f.Name {
		case lowColumn, highColumn, hostsColumn, effectiveColumn, methodColumn, warnsColumn:
			continue
		}
		unit, _ := f.Metadata.GetValue("unit")
		c := printedColumn{
			name: strings.ReplaceAll(f.Name, "_", " "), unit: unit,
			number: f.Type.ID() != arrow.STRING, share: isShare(unit), values: table.Column(i),
		}
		if i+1 < len(fields) && fields[i+1].Name == lowColumn {
			c.of = &estimateColumns{
				low: table.Column(i + 1), high: table.Column(i + 2), hosts: table.Column(i + 4),
				method: table.Column(i + 6).(*array.String), warnings: table.Column(i + 7).(*array.String),
			}
		}
		list = append(list, c)
	}
	return list
}

// warning is what a reader of the value has to be told, "" if nothing.
func (c *printedColumn) warning(row int) string {
	if c.of == nil || c.values.IsNull(row) {
		return ""
	}
	return c.of.warnings.Value(row)
}

// cell is the value of a row, with its interval; "" for null.
func (c *printedColumn) cell(row int) string {
	text := c.print(c.values, row)
	if c.of != nil && text != "" {
		if low := c.print(c.of.low, row); low != "" {
			text += " (" + low + " to " + c.print(c.of.high, row) + ")"
		}
	}
	return text
}

func (c *printedColumn) print(values arrow.Array, row int) string {
	if values.IsNull(row) {
		return ""
	}
	switch values := values.(type) {
	case *array.Float64:
		return c.printFloat(values.Value(row))
	case *array.Int64:
		if c.unit != "" {
			return plotters.Thousands(int(values.Value(row)))
		}
	}
	return values.ValueStr(row)
}

// printFloat writes a number with three digits at least.
func (c *printedColumn) printFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return infinite
	case c.share:
		return percent(v)
	case math.Abs(v) >= 999.5:
		return wholeNumber(v)
	case v > 0 && v < 0.005:
		return "<0.01"
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(max(1, math.Abs(v))))), 64)
}

// percent writes a share in percent, to the digit that the paper's table has; "" for NaN.
func percent(share float64) string {
	digits := 1
	switch {
	case math.IsNaN(share):
		return ""
	case share > 0 && share < 0.00005:
		return "<0.01"
	case share < 0.01:
		digits = 2
	}
	return strconv.FormatFloat(share*100, 'f', digits, 64)
}

// wholePercent writes a share in whole percent, "<1" for what is not nothing; "" for NaN.
func wholePercent(share float64) string {
	if math.IsNaN(share) {
		return ""
	}
	return plotters.Percent(int(math.Round(share*1e6)), 1e6)
}

// wholeNumber writes a number without decimal places.
func wholeNumber(v float64) string { return plotters.Thousands(int(math.Round(v))) }

// interval writes the ends of an interval; "" if there is none.
func interval(e estimate.Estimate, write func(float64) string) string {
	if !e.HasInterval() {
		return ""
	}
	return write(e.Lo) + " to " + write(e.Hi)
}

// isShare reports whether a unit is one of shares, which are printed in percent.
func isShare(unit string) bool { return strings.HasPrefix(unit, "share") }
