package plotters

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// Counts is a plot.Ticker for an axis of counts from 0: at most five steps of 1, 2, 2.5 or 5 times a power of ten, the
// last at or above the maximum, so that an axis with AutoRescale ends at a tick. No step is less than 1.
type Counts struct{}

// Ticks implements plot.Ticker.
func (Counts) Ticks(_, high float64) []plot.Tick {
	const steps = 5
	high = math.Max(high, 1)
	step := math.Pow(10, math.Floor(math.Log10(high/steps)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step*m*steps >= high {
			step *= m
			break
		}
	}
	step = math.Max(math.Ceil(step), 1)
	var ticks []plot.Tick
	for i := 0.0; i <= math.Ceil(high/step); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: SI(i * step)})
	}
	return ticks
}

// Decades is a plot.Ticker for a logarithmic axis from 1: a labelled tick at each power of ten, and minor ones between.
// Where there are less than two and a half decades, 2 and 5 are labelled too.
type Decades struct{}

// Ticks implements plot.Ticker.
func (Decades) Ticks(_, high float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := 1.0; decade <= high; decade *= 10 {
		for i := 1.0; i < 10 && i*decade <= high; i++ {
			t := plot.Tick{Value: i * decade}
			if i == 1 || high < 300 && (i == 2 || i == 5) {
				t.Label = Thousands(int(t.Value))
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// Percents is a plot.Ticker for an axis of shares, 0 to 1: a tick each so many percent.
type Percents int

// Ticks implements plot.Ticker.
func (step Percents) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for p := 0; p <= 100; p += int(step) {
		ticks = append(ticks, plot.Tick{Value: float64(p) / 100, Label: strconv.Itoa(p)})
	}
	return ticks
}

// SI shortens a count: 1,500, 20k, 1.5M.
func SI(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	}
	return Thousands(int(v))
}

// Thousands writes a count, not negative, with separators: 1,234,567.
func Thousands(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

var (
	_ plot.Ticker = Counts{}
	_ plot.Ticker = Decades{}
	_ plot.Ticker = Percents(20)
)
