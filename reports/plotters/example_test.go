package plotters_test

import (
	"image/color"
	"log"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/reports/plotters"
)

// sans is the style of the examples' texts.
func sans(size vg.Length) text.Style {
	return text.Style{
		Color: color.Black, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, Handler: plot.DefaultTextHandler,
	}
}

func ExampleStackedBars() {
	lines := draw.LineStyle{Color: color.Black, Width: 0.3}
	expected := plotters.Fill{Color: color.NRGBA{0x00, 0x72, 0xb2, 0xff}}
	other := plotters.Fill{Color: color.NRGBA{0x56, 0xb4, 0xe9, 0xff}, Hatch: lines, Slope: 1, Space: 3}
	silent := plotters.Fill{Color: color.NRGBA{0xf0, 0xe4, 0x42, 0xff}, Hatch: lines, Slope: -1, Space: 3}
	bars, err := plotters.NewStackedBars([]float64{0, 1, 2, 4},
		plotters.Layer{Fill: expected, Heights: []float64{120, 80, 12, 0}},
		plotters.Layer{Fill: other, Heights: []float64{10, 25, 30, 4}},
		plotters.Layer{Fill: silent, Heights: []float64{30, 5, 0, 20}})
	if err != nil {
		log.Panic(err)
	}
	p := plot.New()
	p.Y.Label.Text = "Services"
	p.Y.Tick.Marker, p.Y.AutoRescale = plotters.Counts{}, true
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "80"}, {Value: 1, Label: "443"}, {Value: 2, Label: "25"}, {Value: 4, Label: "8085"}}
	p.Add(plotter.NewGrid(), bars)
	p.Legend.Top, p.Legend.XOffs = true, -2
	p.Legend.Add("expected", expected)
	p.Legend.Add("another", other)
	p.Legend.Add("none", silent)
	if err := p.Save(250, 180, "testdata/stackedbars.png"); err != nil {
		log.Panic(err)
	}
}

func ExampleStackedBars_horizontal() {
	bars, err := plotters.NewStackedBars([]float64{0, -1},
		plotters.Layer{Fill: plotters.Fill{Color: color.NRGBA{0x00, 0x72, 0xb2, 0xff}}, Heights: []float64{0.6, 0.1}},
		plotters.Layer{Fill: plotters.Fill{Color: color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}}, Heights: []float64{0.3, 0.4}})
	if err != nil {
		log.Panic(err)
	}
	bars.Horizontal = true
	p := plot.New()
	p.X.Tick.Marker = plotters.Percents(25)
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "http"}, {Value: -1, Label: "ssh"}}
	p.Add(bars)
	if err := p.Save(200, 80, "testdata/horizontalbars.png"); err != nil {
		log.Panic(err)
	}
}

func ExampleMatrix() {
	shades, err := moreland.NewLuminance([]color.Color{color.NRGBA{0x00, 0x4c, 0x84, 0xff}, color.White})
	if err != nil {
		log.Panic(err)
	}
	shades.SetMax(1)
	matrix, err := plotters.NewMatrix([][]plotters.Cell{
		{{Value: 0.67, Text: "67"}, {Value: 1, Text: "100"}, {Value: math.NaN()}},
		{{Value: 0.98, Text: "98", Mark: true}, {Value: 0.004, Text: "<1", Mark: true}, {Value: 0.5, Text: "50", Hollow: true, Mark: true}},
	}, palette.Reverse(shades), sans(8))
	if err != nil {
		log.Panic(err)
	}
	p := plot.New()
	p.Add(matrix)
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "tls"}, {Value: 1, Label: "http"}, {Value: 2, Label: "dns"}}
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "http"}, {Value: -1, Label: "tls"}}
	if err := p.Save(160, 80, "testdata/matrix.png"); err != nil {
		log.Panic(err)
	}
}

func ExampleEndLabels() {
	p := plot.New()
	p.Y.Tick.Marker, p.Y.Min, p.Y.Max = plotters.Percents(25), 0, 1
	names := []string{"hosts", "services", "ports"}
	ends := plotter.XYs{{X: 3, Y: 0.52}, {X: 3, Y: 0.48}, {X: 3, Y: 0.9}}
	styles := []draw.LineStyle{
		{Color: color.NRGBA{0x00, 0x72, 0xb2, 0xff}, Width: 1},
		{Color: color.NRGBA{0xd5, 0x5e, 0x00, 0xff}, Width: 1},
		{Color: color.NRGBA{0x00, 0x9e, 0x73, 0xff}, Width: 1},
	}
	for i, end := range ends {
		line, err := plotter.NewLine(plotter.XYs{{X: 1, Y: 0.8 - 0.3*float64(i)}, end})
		if err != nil {
			log.Panic(err)
		}
		line.LineStyle = styles[i]
		p.Add(line)
	}
	p.Add(plotters.NewEndLabels(ends, names, sans(9), styles))
	if err := p.Save(200, 120, "testdata/endlabels.png"); err != nil {
		log.Panic(err)
	}
}

func ExampleTable() {
	table := plotters.NewTable(sans(8),
		plotters.Group{Columns: []plotters.Column{{Align: text.XRight, Cells: []string{"1", "2", "3"}}}},
		plotters.Group{Title: "Assigned ports, n = 205", Columns: []plotters.Column{
			{Head: "Handshake", Align: text.XLeft, Cells: []string{"wait", "tls", "http"}},
			{Head: "Gain (%)", Align: text.XRight, Cells: []string{"51.3", "29.0", "13.6"}},
		}},
		plotters.Group{Title: "Ephemeral ports, n = 30", Columns: []plotters.Column{
			{Head: "Handshake", Align: text.XLeft, Cells: []string{"wait", "http"}},
			{Head: "Gain (%)", Align: text.XRight, Cells: []string{"66.3", "17.1"}},
		}})
	table.Rules = []int{2}
	p := plot.New()
	p.HideAxes()
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(table)
	if err := p.Save(250, table.Height()+4, "testdata/table.png"); err != nil {
		log.Panic(err)
	}
}
