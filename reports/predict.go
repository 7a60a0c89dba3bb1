package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/analysis/predict"
	"laserdisc/reports/plotters"
)

// predictedRow is what so many probes to each address find.
type predictedRow struct {
	probes                            float64
	exhaustive, popularity, predicted float64 // shares of the services
}

// drawnInventory is how many bytes of hosts a picture of the curves is made from: some 37,000 hosts of two services. To learn from more
// takes minutes, which laserdisc predict does.
const drawnInventory = 4 << 20

// predicted shows what probes find that are predicted, beside ports by popularity and in random order.
func predicted(v *analysis.Inventory, over sources) (figure, error) {
	s, _ := v.Sample(over[0].Manifests[0], over[0].ports)
	e, err := predict.Evaluate(s, nil)
	if err != nil {
		return figure{}, err
	}
	best, _ := e.Best()
	first := 0
	curve := []predict.Point{}
	decides := e.Plans[len(e.Plans)-1].OnFirst // of manyPorts there is a plan
	if best != nil {
		decides = best.OnFirst
		first, curve = best.First, append(e.Popularity[:best.First:best.First], best.Curve...)
	}
	share := func(curve []predict.Point, probes float64) float64 {
		return ratioOf(e.Found(curve, probes), e.Services)
	}
	var rows []predictedRow
	for decade := 1.0; decade < float64(e.Ports); decade *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if x := decade * step; x < float64(e.Ports) {
				rows = append(rows, predictedRow{probes: x})
			}
		}
	}
	rows = append(rows, predictedRow{probes: float64(e.Ports)})
	var lines [3]plotter.XYs
	for i := range rows {
		r := &rows[i]
		r.exhaustive, r.popularity, r.predicted = r.probes/float64(e.Ports), share(e.Popularity, r.probes), share(curve, r.probes)
		for k, y := range []float64{r.exhaustive, r.popularity, r.predicted} {
			if !math.IsNaN(y) {
				lines[k] = append(lines[k], plotter.XY{X: r.probes, Y: y})
			}
		}
	}
	n := fmt.Sprintf("%s that sent data, on %s", plural(e.Services, "service"), plural(e.Hosts, "host"))
	const of = "share of services, on hosts that nothing was learnt from"
	var warnings []string
	for _, w := range decides.Warnings {
		warnings = append(warnings, string(w))
	}
	f := figure{
		Caption: fmt.Sprintf("Services found by probes to each address, on hosts that nothing was learnt from: ports in random order, by popularity, "+
			"and as predicted from what a host is known to have, once the %d most popular ports were probed on every address (after GPS, Izhikevich et al., "+
			"SIGCOMM 2022). n = %s.", first, n),
		table: tabulate(n, rows,
			values("probes", "probes to each address", func(r *predictedRow) float64 { return r.probes }),
			values("random_order", of, func(r *predictedRow) float64 { return r.exhaustive }),
			values("popularity", of, func(r *predictedRow) float64 { return r.popularity }),
			values("predicted", of, func(r *predictedRow) float64 { return r.predicted }),
			values("effective_networks", "/24s or /48s", func(*predictedRow) float64 { return decides.EffectiveHosts }),
			texts("warning", func(*predictedRow) string { return strings.Join(warnings, "; ") })),
		columns: 1, height: 2.2 * vg.Inch,
	}
	if slices.Contains(decides.Warnings, estimate.TooFewHosts) {
		f.Caption += fmt.Sprintf(" Too few effective hosts: networks (/24s or /48s) as few as %.1f of one size decide what is found here, and of other hosts it says little.",
			decides.EffectiveHosts)
	}
	p := newPlot()
	err = addLines(p, []labelled{{name: "random order", points: lines[0]}, {name: "popularity", points: lines[1]}, {name: "predicted", points: lines[2]}})
	if err != nil {
		return f, err
	}
	p.X.Label.Text, p.X.Scale, p.X.Tick.Marker = "Probes to each address; n = "+plural(e.Services, "service"), plot.LogScale{}, plotters.Decades{}
	p.X.Min, p.X.Max = 1, float64(max(10, e.Ports))
	p.Y.Label.Text, p.Y.Tick.Marker, p.Y.Min, p.Y.Max = "Services found (%)", plotters.Percents(25), 0, 1.1 // room for the labels
	f.draw = p.Draw
	return f, nil
}

func ratioOf(part float64, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return part / float64(whole)
}
