package plotters

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Table draws a table as papers have them: ruled above, below and under its head, without upright lines. It fills the
// width of the canvas, and knows nothing of the plot's axes, which one hides.
type Table struct {
	Groups []Group
	Text   text.Style // of cells and of the groups' titles
	Head   text.Style // of the columns' heads
	Gap    vg.Length  // between two groups
	Rules  []int      // a thin rule is drawn above these rows, counted from 0
}

// Group is columns that belong together.
type Group struct {
	Title   string // above the heads; if no group has one, there is no such line
	Columns []Column
}

// Column is one column of a Table.
type Column struct {
	Head  string
	Align text.XAlignment // XLeft or XRight
	Cells []string        // a column may be shorter than others
}

// NewTable returns a table with the heads in grey, in a size that is a little smaller than that of the cells.
func NewTable(style text.Style, groups ...Group) *Table {
	head := style
	head.Color, head.Font.Size = color.Gray{0x66}, style.Font.Size*0.9
	return &Table{Groups: groups, Text: style, Head: head, Gap: 14}
}

// The rules, in points.
var (
	heavyRule  = draw.LineStyle{Color: color.Black, Width: 0.8}
	headRule   = draw.LineStyle{Color: color.Black, Width: 0.5}
	middleRule = draw.LineStyle{Color: color.Black, Width: 0.3}
)

// line is the height of a line of the table.
func (t *Table) line() vg.Length { return t.Text.Font.Size * 1.4 }

func (t *Table) rows() int {
	rows := 0
	for _, g := range t.Groups {
		for _, c := range g.Columns {
			rows = max(rows, len(c.Cells))
		}
	}
	return rows
}

func (t *Table) titled() bool {
	for _, g := range t.Groups {
		if g.Title != "" {
			return true
		}
	}
	return false
}

// Height is what the table needs.
func (t *Table) Height() vg.Length {
	lines := 1 + t.rows()
	if t.titled() {
		lines++
	}
	return t.line()*vg.Length(lines) + 2*rulePad
}

const rulePad = vg.Length(3)

// Plot implements plot.Plotter.
func (t *Table) Plot(c draw.Canvas, _ *plot.Plot) {
	natural, columns := vg.Length(0), 0
	for _, g := range t.Groups {
		for _, col := range g.Columns {
			natural += t.width(col)
			columns++
		}
	}
	gaps := t.Gap * vg.Length(max(0, len(t.Groups)-1))
	// What is left over is shared out between the columns of a group.
	spare := max(0, c.Max.X-c.Min.X-natural-gaps) / vg.Length(max(1, columns-len(t.Groups)))

	y := c.Max.Y
	c.StrokeLine2(heavyRule, c.Min.X, y, c.Max.X, y)
	y -= rulePad
	heads := y
	if t.titled() {
		heads -= t.line()
	}
	x := c.Min.X
	for _, g := range t.Groups {
		left := x
		for i, col := range g.Columns {
			if i > 0 {
				x += spare
			}
			width := t.width(col)
			at := x
			if col.Align == text.XRight {
				at += width
			}
			t.write(c, t.Head, col.Align, at, heads, col.Head)
			for r, cell := range col.Cells {
				t.write(c, t.Text, col.Align, at, heads-rulePad-t.line()*vg.Length(r+1), cell)
			}
			x += width
		}
		if g.Title != "" {
			t.write(c, t.Text, text.XCenter, (left+x)/2, y, g.Title)
			c.StrokeLine2(middleRule, left, heads+0.5, x, heads+0.5)
		}
		x += t.Gap
	}
	under := heads - t.line() - rulePad/3
	c.StrokeLine2(headRule, c.Min.X, under, c.Max.X, under)
	top := heads - rulePad - t.line()
	for _, r := range t.Rules {
		at := top - t.line()*vg.Length(r)
		c.StrokeLine2(middleRule, c.Min.X, at, c.Max.X, at)
	}
	bottom := top - t.line()*vg.Length(t.rows())
	c.StrokeLine2(heavyRule, c.Min.X, bottom, c.Max.X, bottom)
}

// write sets a text into the line that begins at top.
func (t *Table) write(c draw.Canvas, style text.Style, align text.XAlignment, x, top vg.Length, txt string) {
	style.XAlign, style.YAlign = align, middle
	c.FillText(style, vg.Point{X: x, Y: top - t.line()/2}, txt)
}

func (t *Table) width(c Column) vg.Length {
	width := t.Head.Width(c.Head)
	for _, cell := range c.Cells {
		width = max(width, t.Text.Width(cell))
	}
	return width
}

var _ plot.Plotter = (*Table)(nil)
