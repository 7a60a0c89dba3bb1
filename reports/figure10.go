package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// matrixRow is one protocol of Figure 10: its services, and what the handshakes drew from them.
type matrixRow struct {
	protocol string
	services int          // the most that a handshake was tried on
	cells    []matrixCell // one per handshake
}

// matrixCell is the services of a protocol that a handshake was tried on, and those of them that sent data back, whatever it was.
type matrixCell struct {
	hosts     estimate.Hosts
	share     estimate.Estimate
	published float64 // NaN if the paper's figure has no such cell
}

func (c *matrixCell) sentData() int {
	hits, _ := c.hosts.Services()
	return int(hits)
}

func (c *matrixCell) tried() int { return int(c.share.N) }

// fillMatrix estimates the shares. The protocols that the paper's figure has come first, in its order, and then the others by name.
func fillMatrix(a *analysis.Answers, handshakes []string, design estimate.Design) ([]matrixRow, error) {
	published := datasets.Matrix()
	var rows []matrixRow
	for _, protocol := range a.Protocols() {
		row := matrixRow{protocol: protocol}
		for _, h := range handshakes {
			c := matrixCell{hosts: a.Drew(protocol, h), published: math.NaN()}
			var err error
			if c.share, err = c.hosts.Share(design); err != nil {
				return nil, err
			}
			if p, ok := published.Share(protocol, h); ok {
				c.published = p
			}
			row.services = max(row.services, c.tried())
			row.cells = append(row.cells, c)
		}
		rows = append(rows, row)
	}
	rank := func(protocol string) int {
		i := slices.IndexFunc(published.Rows, func(r datasets.MatrixRow) bool { return r.Protocol == protocol })
		if i < 0 {
			return len(published.Rows)
		}
		return i
	}
	slices.SortFunc(rows, func(a, b matrixRow) int {
		return cmp.Or(cmp.Compare(rank(a.protocol), rank(b.protocol)), cmp.Compare(a.protocol, b.protocol))
	})
	return rows, nil
}

// matrixLine is a line of the table: one cell.
type matrixLine struct {
	*matrixRow
	*matrixCell
	handshake string
	guessed   bool // by the lab, whose population has a share here that the paper does not give
}

// figure10 is the paper's Figure 10 (section 4.1): what share of a protocol's services sends data back to a handshake.
func figure10(a *analysis.Answers, over sources) (figure, error) {
	handshakes := a.Handshakes(over.handshakes())
	rows, err := fillMatrix(a, handshakes, over.design())
	if err != nil {
		return figure{}, err
	}
	synthetic := len(over.synthetic()) > 0
	services := 0
	var lines []matrixLine
	for i := range rows {
		services += rows[i].services
		for h := range rows[i].cells {
			c := &rows[i].cells[h]
			lines = append(lines, matrixLine{&rows[i], c, handshakes[h], synthetic && math.IsNaN(c.published)})
		}
	}
	n := fmt.Sprintf("%s of %s", plural(services, "identified service"), plural(len(rows), "protocol"))
	f := figure{
		Caption: "Share of a protocol's services that send data back to each handshake, in percent, whatever the data are; blank is none, " +
			fmt.Sprintf("hatched was not tried, and grey without a shade are shares of fewer than %d services. ", fewServices) +
			"n = " + n + "; in brackets, the services of each.",
		table: tabulate(n, lines,
			texts("protocol", func(l *matrixLine) string { return l.protocol }),
			texts("handshake", func(l *matrixLine) string { return l.handshake }),
			numbers("services", "services", func(l *matrixLine) int { return l.services }),
			numbers("sent_data", "services", func(l *matrixLine) int { return l.sentData() }),
			estimates("share", "share of the services that it was tried on", func(l *matrixLine) estimate.Estimate { return l.share }),
			paper("share of the services that it was tried on", func(l *matrixLine) float64 { return l.published }),
			texts("guessed", func(l *matrixLine) string { return only(l.guessed, "yes") })),
		behind: func(row int) servicesWhere { return speaking(lines[row].protocol) },
	}
	if synthetic {
		f.Caption += " A dot marks what the simulated population has of its own: the paper gives no share for it."
	}
	err = f.drawMatrix(rows, handshakes, services, synthetic)
	return f, err
}

// drawMatrix fits the matrix to one column of the page, or to two if it has many handshakes.
func (f *figure) drawMatrix(rows []matrixRow, handshakes []string, services int, synthetic bool) error {
	const cellHeight, leastWidth = vg.Length(9.5), vg.Length(13)
	p, err := plotMatrix(rows, handshakes, synthetic)
	if err != nil {
		return err
	}
	key, err := plotShades("Services that send data (%), n = " + plural(services, "service"))
	if err != nil {
		return err
	}
	f.columns, f.height = 1, 3*vg.Inch
	if room := f.roomFor(p); room.X/vg.Length(max(1, len(handshakes))) < leastWidth {
		f.columns = 2
	}
	const keyHeight, gap, margins = vg.Length(26), vg.Length(6), vg.Length(16)
	f.height = f.height - f.roomFor(p).Y + cellHeight*vg.Length(max(1, len(rows))) + keyHeight + gap + margins
	f.draw = func(c draw.Canvas) {
		above := draw.Crop(c, 0, 0, keyHeight+gap, 0)
		p.Draw(above)
		data := p.DataCanvas(above)
		key.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: data.Min.X, Y: c.Min.Y}, Max: vg.Point{X: min(data.Max.X, data.Min.X+2*vg.Inch), Y: c.Min.Y + keyHeight},
		}})
	}
	return nil
}

// roomFor is how much of the figure's size the data of a plot would have, on a page of the usual width.
func (f *figure) roomFor(p *plot.Plot) vg.Point {
	whole := draw.Canvas{Rectangle: vg.Rectangle{Max: vg.Point{X: layout{DefaultWidth * vg.Inch}.width(f.columns), Y: f.height}}}
	return p.DataCanvas(whole).Size()
}

func plotMatrix(rows []matrixRow, handshakes []string, synthetic bool) (*plot.Plot, error) {
	p := newMatrixPlot()
	columns, names := make(plot.ConstantTicks, len(handshakes)), make(plot.ConstantTicks, len(rows))
	for h, name := range handshakes {
		columns[h] = plot.Tick{Value: float64(h), Label: name}
	}
	cells := make([][]plotters.Cell, len(rows))
	for i, row := range rows {
		names[i] = plot.Tick{Value: -float64(i), Label: row.protocol + " (" + plotters.SI(float64(row.services)) + ")"}
		for k := range row.cells {
			c := &row.cells[k]
			cell := plotters.Cell{Value: ratio(c.sentData(), c.tried()), Hollow: c.tried() < fewServices}
			if c.sentData() > 0 {
				cell.Text = plotters.Percent(c.sentData(), c.tried())
			}
			cell.Mark = synthetic && c.tried() > 0 && math.IsNaN(c.published)
			cells[i] = append(cells[i], cell)
		}
	}
	matrix, err := plotters.NewMatrix(cells, shade, sans(cellSize))
	if err != nil {
		return nil, err
	}
	p.Add(matrix)
	p.X.Label.Text, p.X.Tick.Marker = "Handshake", columns
	p.Y.Label.Text, p.Y.Tick.Marker = "Protocol (services)", names
	upright(p)
	return p, nil
}

const cellSize = vg.Length(6)

// newMatrixPlot gives a plot that leaves lines to what is in it.
func newMatrixPlot() *plot.Plot {
	p := newPlot()
	p.X.Width, p.Y.Width, p.X.Tick.Length, p.Y.Tick.Length = 0, 0, 0, 0
	return p
}

// plotShades draws what the shades mean, as a matrix of one row.
func plotShades(title string) (*plot.Plot, error) {
	const steps = 21
	p := newMatrixPlot()
	cells := make([]plotters.Cell, steps)
	var ticks plot.ConstantTicks
	for i := range cells {
		cells[i].Value = float64(i) / (steps - 1)
		if i%5 == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: fmt.Sprint(100 * i / (steps - 1))})
		}
	}
	matrix, err := plotters.NewMatrix([][]plotters.Cell{cells}, shade, sans(cellSize))
	if err != nil {
		return nil, err
	}
	matrix.Lines.Width = 0
	p.Add(matrix)
	p.X.Label.Text, p.X.Tick.Marker, p.Y.Tick.Marker = title, ticks, plot.ConstantTicks(nil)
	return p, nil
}

// shade goes from white, for 0, to the palette's blue made dark, for 1. It gets darker all the way, so that it reads in
// grey.
var shade = func() palette.ColorMap {
	dark, middle := color.NRGBA{0x00, 0x4c, 0x84, 0xff}, color.NRGBA{0x80, 0xa6, 0xc2, 0xff}
	shades, err := moreland.NewLuminance([]color.Color{dark, middle, color.White})
	if err != nil {
		panic(err)
	}
	shades.SetMax(1)
	return palette.Reverse(shades)
}()
