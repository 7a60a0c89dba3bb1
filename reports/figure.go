package reports

import (
	"bytes"
	"image/color"
	"image/png"
	"time"

	"laserdisc/analysis/estimate"

	"codeberg.org/go-pdf/fpdf"
	"github.com/apache/arrow/go/v15/arrow"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figure is a table or figure, ready to be written.
type figure struct {
	Caption string       // what it shows, with n
	table   arrow.Record // the numbers behind it
	note    string       // where they come from; drawn below it

	design estimate.Design // that its estimates are by; the zero one stands for that of the runs

	// behind tells what a row of the table counts, for an example; nil if that is no set of services.
	behind func(row int) servicesWhere

	columns int       // of the page that it takes: 1 or 2
	height  vg.Length // of the whole
	draw    func(draw.Canvas)
}

// formats are the files that are written of every figure, by extension.
var formats = map[string]func(shown, layout, *bytes.Buffer) error{
	"png": shown.png, "svg": shown.svg, "pdf": shown.pdf, "csv": shown.csv, "tex": shown.tex,
}

// encode makes the figure's files, in all formats.
func (s shown) encode(page layout, files map[string][]byte) error {
	for extension, encode := range formats {
		var b bytes.Buffer
		if err := encode(s, page, &b); err != nil {
			return err
		}
		files[s.Name+"."+extension] = b.Bytes()
	}
	return nil
}

// layout is the page that figures are made for.
type layout struct {
	text vg.Length // width of the text, of two columns
}

// width is that of a figure over one or two columns.
func (l layout) width(columns int) vg.Length {
	const gap = vg.Inch / 3 // between the columns of a USENIX page
	if columns == 1 {
		return (l.text - gap) / 2
	}
	return l.text
}

// paint draws the figure and its note onto a canvas of its size.
func (f figure) paint(canvas vg.CanvasSizer) {
	const margin, noteHeight = vg.Length(3), vg.Length(8)
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	if f.note != "" {
		style := sans(noteSize)
		style.Color = gray
		c.FillText(style, vg.Point{X: c.Min.X, Y: c.Min.Y + style.FontExtents().Descent}, f.note)
		c.Min.Y += noteHeight
	}
	f.draw(c)
}

// dotsPerInch is what journals ask of line art at least.
const dotsPerInch = 300

func (s shown) png(page layout, b *bytes.Buffer) error {
	c := vgimg.NewWith(vgimg.UseWH(page.width(s.columns), s.height), vgimg.UseDPI(dotsPerInch))
	s.paint(c)
	return png.Encode(b, c.Image())
}

func (s shown) svg(page layout, b *bytes.Buffer) error {
	c := vgsvg.New(page.width(s.columns), s.height)
	s.paint(c)
	var plain bytes.Buffer
	if _, err := c.WriteTo(&plain); err != nil {
		return err
	}
	// Arial and Helvetica have Liberation's widths, where that is not installed.
	_, err := b.Write(bytes.ReplaceAll(plain.Bytes(),
		[]byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	return err
}

// By default a PDF has the time of its making and its fonts in the order of a map.
func init() {
	fpdf.SetDefaultCatalogSort(true)
	fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
}

func (s shown) pdf(page layout, b *bytes.Buffer) error {
	c := vgpdf.New(page.width(s.columns), s.height)
	s.paint(c)
	_, err := c.WriteTo(b)
	return err
}

func (s shown) csv(_ layout, b *bytes.Buffer) error { return writeCSV(b, s.table) }
