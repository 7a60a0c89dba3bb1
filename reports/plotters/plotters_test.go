package plotters

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

func labels(ticks []plot.Tick) string {
	var list []string
	for _, t := range ticks {
		if !t.IsMinor() {
			list = append(list, t.Label)
		}
	}
	return strings.Join(list, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticker plot.Ticker
		max    float64
		want   string
	}{
		{Counts{}, 0, "0 1"}, {Counts{}, 3, "0 1 2 3"}, {Counts{}, 9, "0 2 4 6 8 10"}, {Counts{}, 110, "0 25 50 75 100 125"},
		{Counts{}, 450, "0 100 200 300 400 500"}, {Counts{}, 62e6, "0 20M 40M 60M 80M"}, {Counts{}, 45_000, "0 10k 20k 30k 40k 50k"},
		{Counts{}, 2506, "0 1,000 2,000 3,000"},
		{Decades{}, 65535, "1 10 100 1,000 10,000"}, {Decades{}, 55, "1 2 5 10 20 50"}, {Decades{}, 1, "1"},
		{Percents(25), 1, "0 25 50 75 100"},
	} {
		if got := labels(c.ticker.Ticks(0, c.max)); got != c.want {
			t.Errorf("%T to %v: %s, want %s", c.ticker, c.max, got, c.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for want, c := range map[string][2]int{"<1": {1, 1000}, ">99": {999, 1000}, "100": {5, 5}, "50": {1, 2}, "0": {0, 7}} {
		if got := Percent(c[0], c[1]); got != want {
			t.Errorf("%v: %s, want %s", c, got, want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct{ at, want []vg.Length }{
		{[]vg.Length{0, 50, 20}, []vg.Length{0, 50, 20}},
		{[]vg.Length{10, 10, 10}, []vg.Length{0, 10, 20}},
		{[]vg.Length{12, 8}, []vg.Length{15, 5}},
		{[]vg.Length{0, 8, 100, 16}, []vg.Length{-2, 8, 100, 18}},
		{nil, nil},
	} {
		heights := slices.Repeat([]vg.Length{10}, len(c.at))
		if got := spread(c.at, heights); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.at, got, c.want)
		}
	}
}

func TestWrongLengths(t *testing.T) {
	if _, err := NewStackedBars([]float64{1, 2}, Layer{Heights: []float64{1}}); fmt.Sprint(err) != "plotters: layer 0 has 1 heights for 2 bars" {
		t.Error(err)
	}
	if _, err := NewMatrix([][]Cell{{{}}, {}}, nil, text.Style{}); fmt.Sprint(err) != "plotters: row 1 has 0 cells, the first has 1" {
		t.Error(err)
	}
}
