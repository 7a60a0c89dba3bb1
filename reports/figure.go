package reports

import (
	"bytes"
	"encoding/csv"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The widths of one and of two columns of a USENIX or ACM page.
const (
	oneColumn  = 3.33 * vg.Inch
	twoColumns = 7 * vg.Inch
)

// figure is one table or figure of the paper, ready to be written.
type figure struct {
	Name    string // of its files, without extension
	Title   string // as in the paper: "Figure 5"
	Caption string // what it shows, with n
	Note    string // where its numbers come from; drawn below it

	Width, Height vg.Length
	draw          func(sheet)

	header []string // of the CSV
	rows   [][]string
}

// Inches is the width that the figure is made for.
func (f figure) Inches() float64 { return float64(f.Width / vg.Inch) }

// write writes the figure in all formats.
func (f figure) write(dir string) error {
	return errors.Join(
		f.save(dir, "png", f.png),
		f.save(dir, "svg", f.svg),
		f.save(dir, "pdf", f.pdf),
		f.save(dir, "csv", f.csv),
	)
}

func (f figure) save(dir, extension string, encode func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, f.Name+"."+extension), b.Bytes(), 0o666)
}

// paint draws the figure and its note onto a canvas of its size.
func (f figure) paint(c vg.CanvasSizer) {
	s := sheet{draw.New(c)}
	s.fill(s.Rectangle, white)
	if f.Note != "" {
		s.text(label{size: 5.5, color: gray}, s.Min.X+2, s.Min.Y+2, f.Note)
		s.Min.Y += noteHeight
	}
	f.draw(s)
}

const noteHeight = vg.Length(10)

// dotsPerInch is what journals ask of line art at least.
const dotsPerInch = 300

func (f figure) png(b *bytes.Buffer) error {
	c := vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(dotsPerInch))
	f.paint(c)
	return png.Encode(b, c.Image())
}

func (f figure) svg(b *bytes.Buffer) error {
	c := vgsvg.New(f.Width, f.Height)
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
	c := vgpdf.New(f.Width, f.Height)
	f.paint(c)
	_, err := c.WriteTo(b)
	return err
}

func (f figure) csv(b *bytes.Buffer) error {
	w := csv.NewWriter(b)
	return errors.Join(w.Write(f.header), w.WriteAll(f.rows))
}

// share writes a share, 0 to 1, as in every CSV.
func share(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }
