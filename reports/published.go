package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/reports/plotters"
)

// comparison is an estimate of some exhibit for which the paper has a value.
type comparison struct {
	exhibit   string  // its title
	of        string  // what tells the row from the exhibit's others, column by column
	what      string  // what the value is: its column, and its unit
	value     float64 // never NaN
	low, high float64 // NaN without an interval
	n         int
	paper     float64
}

// share reports whether the values are shares.
func (c *comparison) share() bool { return isShare(c.what) }

// verdict says where the paper's value is; "" if there is no interval to be in.
func (c *comparison) verdict() string {
	switch {
	case math.IsNaN(c.low):
		return ""
	case c.paper < c.low:
		return "below"
	case c.paper > c.high:
		return "above"
	}
	return "inside"
}

// comparisons finds the rows of the exhibits' tables that have both.
func comparisons(exhibits []shown) []comparison {
	var list []comparison
	for _, s := range exhibits {
		if s.Lacks != nil {
			continue
		}
		fields := s.table.Schema().Fields()
		column := func(name string) int {
			return slices.IndexFunc(fields, func(f arrow.Field) bool { return f.Name == name })
		}
		low, published := column(lowColumn), column(publishedColumn)
		if low < 1 || published < 0 {
			continue
		}
		value, high, n := low-1, low+1, low+2
		unit, _ := fields[value].Metadata.GetValue("unit")
		for row := range int(s.table.NumRows()) {
			if s.table.Column(published).IsNull(row) || s.table.Column(value).IsNull(row) {
				continue
			}
			var of []string
			for k, f := range fields[:value] {
				if unit, counts := f.Metadata.GetValue("unit"); (!counts || unit == "") && !s.table.Column(k).IsNull(row) {
					if cell := s.table.Column(k).ValueStr(row); cell != "" {
						of = append(of, cell)
					}
				}
			}
			list = append(list, comparison{
				exhibit: s.Title, of: strings.Join(of, ", "), what: unit,
				value: float(s.table.Column(value), row), low: float(s.table.Column(low), row), high: float(s.table.Column(high), row),
				n: int(s.table.Column(n).(*array.Int64).Value(row)), paper: float(s.table.Column(published), row),
			})
		}
	}
	return list
}

// float is a number of a column, NaN for null.
func float(column arrow.Array, row int) float64 {
	if column.IsNull(row) {
		return math.NaN()
	}
	return column.(*array.Float64).Value(row)
}

// published shows every estimate of the other exhibits for which the paper has a value, against that.
func published(exhibits []shown) (figure, error) {
	list := comparisons(exhibits)
	inside, judged, services := 0, 0, 0
	for i := range list {
		if list[i].n < fewServices {
			services++
		}
		if v := list[i].verdict(); v != "" {
			judged++
			if v == "inside" {
				inside++
			}
		}
	}
	n := plural(len(list), "estimate")
	f := figure{
		Caption: fmt.Sprintf("Every estimate of the other exhibits for which the paper gives a value, against that value; bars are the estimates' "+
			"intervals. Circles: the paper's value is in the interval. Squares: it is not. Grey crosses: there is no interval, so that nothing is said. "+
			"Hollow are those of fewer than %d services, %d in all. Of %d with an interval, %d have the paper's value in it, wide ones among them; "+
			"%d have none. n = %s.", fewServices, services, judged, inside, len(list)-judged, n),
		table: tabulate(n, list,
			texts("exhibit", func(c *comparison) string { return c.exhibit }),
			texts("of", func(c *comparison) string { return c.of }),
			texts("what", func(c *comparison) string { return c.what }),
			values("value", "", func(c *comparison) float64 { return c.value }),
			values("interval_low", "", func(c *comparison) float64 { return c.low }),
			values("interval_high", "", func(c *comparison) float64 { return c.high }),
			numbers("n", "services", func(c *comparison) int { return c.n }),
			values("published", "", func(c *comparison) float64 { return c.paper }),
			texts("published_is", (*comparison).verdict)),
		columns: 1, height: 3 * vg.Inch,
	}
	p, err := plotComparisons(list)
	f.draw = p.Draw
	return f, err
}

// fewServices is how many services an estimate needs to be drawn as solid.
const fewServices = 10

// plotComparisons draws the shares.
func plotComparisons(list []comparison) (*plot.Plot, error) {
	p := newPlot()
	p.X.Label.Text, p.X.Tick.Marker, p.X.Min, p.X.Max = "In the paper (%)", plotters.Percents(25), 0, 1
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Here (%)", plotters.Percents(25), 0, 1
	if err := addLine(p, ruleLine, plotter.XY{X: 0, Y: 0}, plotter.XY{X: 1, Y: 1}); err != nil {
		return p, err
	}
	for _, c := range list {
		if !c.share() {
			continue
		}
		color, solid, hollow := blue, draw.GlyphDrawer(draw.CircleGlyph{}), draw.GlyphDrawer(draw.RingGlyph{})
		switch c.verdict() {
		case "below", "above":
			color, solid, hollow = vermilion, draw.BoxGlyph{}, draw.SquareGlyph{}
		case "":
			color, solid, hollow = gray, draw.CrossGlyph{}, draw.CrossGlyph{}
		}
		if !math.IsNaN(c.low) {
			if err := addLine(p, draw.LineStyle{Color: color, Width: axisLine}, plotter.XY{X: c.paper, Y: c.low}, plotter.XY{X: c.paper, Y: c.high}); err != nil {
				return p, err
			}
		}
		point, err := plotter.NewScatter(plotter.XYs{{X: c.paper, Y: c.value}})
		if err != nil {
			return p, err
		}
		point.GlyphStyle = draw.GlyphStyle{Color: color, Radius: 1.6, Shape: solid}
		if c.n < fewServices {
			point.Shape = hollow
		}
		p.Add(point)
	}
	return p, nil
}
