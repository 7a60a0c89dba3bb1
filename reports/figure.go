package reports

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"time"

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

	width, height vg.Length
	draw          func(draw.Canvas)
}

// Inches is the width that the figure is made for.
func (f figure) Inches() float64 { return float64(f.width / vg.Inch) }

// formats are the files that are written of every figure, by extension.
var formats = map[string]func(figure, *bytes.Buffer) error{
	"png": figure.png, "svg": figure.svg, "pdf": figure.pdf, "csv": figure.csv,
}

// write writes the figure in all formats.
func (s shown) write(dir string) error {
	for extension, encode := range formats {
		var b bytes.Buffer
		if err := encode(s.figure, &b); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s.Name+"."+extension), b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
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

func (f figure) png(b *bytes.Buffer) error {
	c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dotsPerInch))
	f.paint(c)
	return png.Encode(b, c.Image())
}

func (f figure) svg(b *bytes.Buffer) error {
	c := vgsvg.New(f.width, f.height)
	f.paint(c)
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

func (f figure) pdf(b *bytes.Buffer) error {
	c := vgpdf.New(f.width, f.height)
	f.paint(c)
	_, err := c.WriteTo(b)
	return err
}

func (f figure) csv(b *bytes.Buffer) error { return writeCSV(b, f.table) }
