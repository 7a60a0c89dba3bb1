package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/datasets"
)

// matrix is Figure 10: what share of a protocol's services sends data back to a handshake.
type matrix struct {
	handshakes []string
	rows       []matrixRow
}

type matrixRow struct {
	protocol string
	services int
	cells    []matrixCell // one per handshake
}

// matrixCell counts the services of a protocol that a handshake was tried on, and those of them
// that sent data back, whatever it was.
type matrixCell struct{ tried, sentData int }

func (c matrixCell) share() float64 { return float64(c.sentData) / float64(c.tried) }

// fillMatrix counts over the services that were identified. The protocols that the paper's figure
// has come first, in its order, and then the others by name.
func fillMatrix(trials *analysis.Trials) matrix {
	m := matrix{handshakes: trials.Handshakes()}
	at := make(map[string]int)
	for _, trial := range trials.Services() {
		if trial.Label == "" {
			continue
		}
		i, ok := at[trial.Label]
		if !ok {
			i = len(m.rows)
			at[trial.Label] = i
			m.rows = append(m.rows, matrixRow{protocol: trial.Label, cells: make([]matrixCell, len(m.handshakes))})
		}
		m.rows[i].services++
		for h := range m.handshakes {
			if trial.Tried.Has(h) {
				m.rows[i].cells[h].tried++
			}
			if trial.SentData.Has(h) {
				m.rows[i].cells[h].sentData++
			}
		}
	}
	published := datasets.Matrix().Rows
	rank := func(protocol string) int {
		i := slices.IndexFunc(published, func(r datasets.MatrixRow) bool { return r.Protocol == protocol })
		if i < 0 {
			return len(published)
		}
		return i
	}
	slices.SortFunc(m.rows, func(a, b matrixRow) int {
		return cmp.Or(cmp.Compare(rank(a.protocol), rank(b.protocol)), cmp.Compare(a.protocol, b.protocol))
	})
	return m
}

// figure10 is the paper's Figure 10 (section 4.1).
func figure10(m matrix, note string) figure {
	f := figure{
		Name: "figure10", Title: "Figure 10", Note: note,
		header: []string{"protocol", "handshake", "tried", "sent_data", "share", "published_share"},
	}
	published := datasets.Matrix()
	n := 0
	for _, row := range m.rows {
		n += row.services
		for h, c := range row.cells {
			record := []string{row.protocol, m.handshakes[h], strconv.Itoa(c.tried), strconv.Itoa(c.sentData), "", ""}
			if c.tried > 0 {
				record[4] = share(c.share())
			}
			if p, ok := published.Share(row.protocol, m.handshakes[h]); ok {
				record[5] = share(p)
			}
			f.rows = append(f.rows, record)
		}
	}
	f.Caption = fmt.Sprintf("Share of a protocol's services that send data back to each handshake, in percent, whatever the data are; blank is none. "+
		"n = %s identified services of %s; in brackets, the services of each.", thousands(n), plural(len(m.rows), "protocol"))
	l := layoutMatrix(m)
	f.Width, f.Height = l.width, l.height
	f.draw = func(s sheet) { drawMatrix(s, m, l, n) }
	return f
}

// matrixLayout fits the matrix to one column of the page, or to two if it has many handshakes.
type matrixLayout struct {
	width, height         vg.Length
	left, top             vg.Length // room for the names
	cellWidth, cellHeight vg.Length
	nameSize              float64
}

func layoutMatrix(m matrix) matrixLayout {
	l := matrixLayout{width: oneColumn, nameSize: 6.5, cellHeight: 9.5}
	name := label{size: l.nameSize}
	for _, row := range m.rows {
		l.left = max(l.left, name.width(rowName(row))+10)
	}
	for _, h := range m.handshakes {
		l.top = max(l.top, name.width(h)+8)
	}
	if l.cellWidth = (l.width - l.left - 4) / vg.Length(max(1, len(m.handshakes))); l.cellWidth < 11 {
		l.width = twoColumns
		l.cellWidth = (l.width - l.left - 4) / vg.Length(len(m.handshakes))
	}
	l.cellWidth = min(l.cellWidth, 34)
	l.top += 8 // for the title
	l.height = l.top + l.cellHeight*vg.Length(len(m.rows)) + 14 + noteHeight
	return l
}

func rowName(r matrixRow) string { return r.protocol + " (" + si(float64(r.services)) + ")" }

func drawMatrix(s sheet, m matrix, l matrixLayout, n int) {
	x0, y0 := s.Min.X+l.left, s.Max.Y-l.top
	number := label{size: min(5.5, float64(l.cellWidth)*0.52), x: text.XCenter, y: -0.4}
	for i, row := range m.rows {
		top := y0 - l.cellHeight*vg.Length(i)
		s.text(label{size: l.nameSize, x: text.XRight, y: -0.4}, x0-4, top-l.cellHeight/2, rowName(row))
		for h, c := range row.cells {
			x := x0 + l.cellWidth*vg.Length(h)
			r := rectangle(x, top-l.cellHeight, x+l.cellWidth, top)
			if c.tried == 0 {
				s.area(r, area{white, hatching{1, 3}})
				continue
			}
			s.fill(r, shade(c.share()))
			number.color = black
			if c.share() > 0.5 {
				number.color = white
			}
			if percent := math.Round(c.share() * 100); percent > 0 || c.sentData > 0 {
				s.text(number, x+l.cellWidth/2, top-l.cellHeight/2, percentText(c))
			}
		}
	}
	right, bottom := x0+l.cellWidth*vg.Length(len(m.handshakes)), y0-l.cellHeight*vg.Length(len(m.rows))
	for i := range len(m.rows) + 1 {
		y := y0 - l.cellHeight*vg.Length(i)
		s.line(lightGray, 0.25, x0, y, right, y)
	}
	for h := range len(m.handshakes) + 1 {
		x := x0 + l.cellWidth*vg.Length(h)
		s.line(lightGray, 0.25, x, bottom, x, y0)
	}
	s.frame(rectangle(x0, bottom, right, y0), black, axisLine)
	for h, name := range m.handshakes {
		s.text(label{size: l.nameSize, x: text.XLeft, y: -0.4, turn: math.Pi / 2}, x0+l.cellWidth*(vg.Length(h)+0.5), y0+3, name)
	}
	s.text(label{size: labelSize, x: text.XCenter}, (x0+right)/2, s.Max.Y-9, "Handshake")
	s.text(label{size: labelSize, x: text.XRight}, x0-4, y0+3, "Protocol (n)")
	s.shadeKey(x0, bottom-11, n)
}

// percentText writes a share in whole percent, and tells few from none and most from all.
func percentText(c matrixCell) string {
	switch percent := math.Round(c.share() * 100); {
	case percent == 0:
		return "<1"
	case percent == 100 && c.sentData < c.tried:
		return ">99"
	default:
		return strconv.Itoa(int(percent))
	}
}

// shadeKey explains the shades, to the right of x.
func (s sheet) shadeKey(x, y vg.Length, n int) {
	const steps, step = 20, vg.Length(2.5)
	l := label{size: 6}
	s.text(l, x, y, "0 %")
	x += l.width("0 %") + 3
	for i := range steps {
		s.fill(rectangle(x+step*vg.Length(i), y-1, x+step*vg.Length(i+1), y+5), shade(float64(i)/(steps-1)))
	}
	s.frame(rectangle(x, y-1, x+step*steps, y+5), black, 0.3)
	s.text(l, x+step*steps+3, y, "100 %      n = "+thousands(n))
}

// shade goes from white to the palette's blue made dark: it gets darker all the way, so that it
// reads in grey.
func shade(share float64) color.NRGBA {
	dark := color.NRGBA{0x00, 0x4c, 0x84, 0xff}
	mix := func(from, to uint8) uint8 {
		return uint8(math.Round(float64(from) + share*(float64(to)-float64(from))))
	}
	return color.NRGBA{mix(white.R, dark.R), mix(white.G, dark.G), mix(white.B, dark.B), 0xff}
}
