package plotters

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Matrix draws a table of values as shaded cells with a text in each: a heat map that can be read off. Column c is at
// c on the x axis, and row r, from the top, at -r on the y axis.
type Matrix struct {
	Cells   [][]Cell         // by row and column; every row is as long
	Colors  palette.ColorMap // the shade of a value
	Text    text.Style       // of the cells; white is used on shades that are darker than middle grey
	Missing Fill             // of a cell that has no value
	Lines   draw.LineStyle   // between cells
	Outline draw.LineStyle   // around all
}

// Cell is one cell of a Matrix.
type Cell struct {
	Value  float64 // in the range of the colours; NaN is none
	Text   string  // "" for none
	Hollow bool    // no shade, and the text in grey: a value that is not to be relied on
	Mark   bool    // a dot in the upper right corner
}

// NewMatrix returns a matrix with thin lines. It is an error if the rows are not of the same length.
func NewMatrix(cells [][]Cell, colors palette.ColorMap, style text.Style) (*Matrix, error) {
	for i, row := range cells {
		if len(row) != len(cells[0]) {
			return nil, fmt.Errorf("plotters: row %d has %d cells, the first has %d", i, len(row), len(cells[0]))
		}
	}
	style.XAlign, style.YAlign = text.XCenter, middle
	return &Matrix{
		Cells: cells, Colors: colors, Text: style,
		Missing: Fill{Hatch: draw.LineStyle{Color: color.Black, Width: 0.3}, Slope: 1, Space: 3},
		Lines:   draw.LineStyle{Color: color.Gray{0xdd}, Width: 0.25},
		Outline: draw.LineStyle{Color: color.Black, Width: 0.5},
	}, nil
}

// Plot implements plot.Plotter.
func (m *Matrix) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	at := func(row, column float64) vg.Rectangle {
		return rectangle(toX(column-0.5), toY(-row-0.5), toX(column+0.5), toY(-row+0.5))
	}
	for r, row := range m.Cells {
		for i, cell := range row {
			m.draw(c, at(float64(r), float64(i)), cell)
		}
	}
	all := rectangle(toX(-0.5), toY(0.5), toX(float64(m.columns())-0.5), toY(0.5-float64(len(m.Cells))))
	for r := 1; r < len(m.Cells); r++ {
		y := toY(0.5 - float64(r))
		c.StrokeLine2(m.Lines, all.Min.X, y, all.Max.X, y)
	}
	for i := 1; i < m.columns(); i++ {
		x := toX(float64(i) - 0.5)
		c.StrokeLine2(m.Lines, x, all.Min.Y, x, all.Max.Y)
	}
	outline(c, all, m.Outline)
}

func (m *Matrix) draw(c draw.Canvas, r vg.Rectangle, cell Cell) {
	style := m.Text
	switch {
	case math.IsNaN(cell.Value):
		m.Missing.Paint(c, r)
	case cell.Hollow:
		Fill{Color: color.White}.Paint(c, r)
		style.Color = color.Gray{0x66}
	default:
		shade, err := m.Colors.At(cell.Value)
		if err != nil {
			panic(fmt.Errorf("plotters: value %g of a matrix: %w", cell.Value, err))
		}
		Fill{Color: shade}.Paint(c, r)
		if color.GrayModel.Convert(shade).(color.Gray).Y < 0x80 {
			style.Color = color.White
		}
	}
	if cell.Text != "" {
		c.FillText(style, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, cell.Text)
	}
	if cell.Mark {
		const radius = vg.Length(0.6)
		mark := style.Color
		if mark != color.White {
			mark = color.Gray{0x88}
		}
		c.DrawGlyph(draw.GlyphStyle{Color: mark, Radius: radius, Shape: draw.CircleGlyph{}}, vg.Point{X: r.Max.X - 2*radius, Y: r.Max.Y - 2*radius})
	}
}

func (m *Matrix) columns() int {
	if len(m.Cells) == 0 {
		return 0
	}
	return len(m.Cells[0])
}

// DataRange implements plot.DataRanger.
func (m *Matrix) DataRange() (xmin, xmax, ymin, ymax float64) {
	return -0.5, float64(max(1, m.columns())) - 0.5, 0.5 - float64(max(1, len(m.Cells))), 0.5
}

// Percent writes a share, 0 to 1, in whole percent, and tells few from none and most from all.
func Percent(part, of int) string {
	switch percent := math.Round(100 * float64(part) / float64(of)); {
	case percent == 0 && part > 0:
		return "<1"
	case percent == 100 && part < of:
		return ">99"
	default:
		return strconv.Itoa(int(percent))
	}
}

var (
	_ plot.Plotter    = (*Matrix)(nil)
	_ plot.DataRanger = (*Matrix)(nil)
)
