package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"gonum.org/v1/plot/vg"

	"laserdisc/capture/record"
	"laserdisc/reports/plotters"
)

// The page is one file that asks for no other: these are in it.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// What of an exhibit is in the page. The files beside it have all.
const (
	pageRows = 300       // lines of its table
	pageCSV  = 128 << 10 // bytes of its CSV that a link in the page may hold
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"facts":     facts,
	"drops":     func(m *record.Manifest) uint64 { return m.Drops.Kernel + m.Drops.Interface },
	"join":      strings.Join,
	"thousands": func(n uint64) string { return plotters.Thousands(int(n)) },
	"rows":      func(n int) string { return plural(n, "row") },
	"next":      func(i int) int { return i + 1 },
}).Parse(pageText))

// writePage writes the page that shows the exhibits, and says of each that is missing what would give it. All that it shows is in
// it; it refers to nothing but their files, which may lie beside it.
func htmlPage(all sources, exhibits []shown, page layout) ([]byte, error) {
	var views []view
	for _, s := range exhibits {
		v, err := s.view(page)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		views = append(views, v)
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Sources   sources
		Exhibits  []view
		Protocols []string
		Synthetic []string
		Program   string
		Commands  []string
		Style     template.CSS
		Script    template.JS
		Policy    string
	}{all, views, protocolsOf(views), all.synthetic(), program(), all.commands(page),
		template.CSS(pageStyle), template.JS(pageScript), contentPolicy})
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// contentPolicy lets a browser run the page's own script and nothing else, and load nothing from anywhere. Styles are those of the
// figures' elements.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte("\n" + pageScript)) // the element's text begins on the line after its tag
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// view is an exhibit as the page shows it.
type view struct {
	shown
	Brief    string        // what it shows, in a few words
	Picture  template.HTML // the SVG
	CSV, TeX template.URL  // the whole files; the CSV's is empty if it is too long
	Table    pageTable
}

func (s shown) view(page layout) (view, error) {
	v := view{shown: s, Brief: s.Title}
	if s.Lacks != nil {
		return v, nil
	}
	v.Brief = brief(s.Caption)
	var picture, csv, tex bytes.Buffer
	if err := s.svg(page, &picture); err != nil {
		return v, err
	}
	if err := s.csv(page, &csv); err != nil {
		return v, err
	}
	if err := s.tex(page, &tex); err != nil {
		return v, err
	}
	v.Picture = inline(picture.Bytes(), s.columns, s.Name)
	if csv.Len() <= pageCSV {
		v.CSV = dataURL("text/csv", csv.Bytes())
	}
	v.TeX = dataURL("text/plain", tex.Bytes())
	v.Table = newPageTable(s)
	return v, nil
}

// brief is what a caption begins with.
func brief(caption string) string {
	if i := strings.IndexAny(caption, ":;.,("); i > 0 {
		return strings.TrimSpace(caption[:i])
	}
	return caption
}

// inline makes an SVG a part of the page, named by its caption. What gonum writes into one is numbers and escaped texts. Each text
// is as wide as in print, whatever font the reader has.
func inline(svg []byte, columns int, name string) template.HTML {
	_, svg, _ = bytes.Cut(svg, []byte("<svg "))
	svg = svgText.ReplaceAllFunc(svg, func(text []byte) []byte {
		parts := svgText.FindSubmatch(text)
		size, err := strconv.ParseFloat(string(parts[1]), 64)
		if err != nil {
			return text
		}
		width := sans(vg.Length(size)).Width(html.UnescapeString(string(parts[2])))
		return fmt.Appendf(nil, `<text textLength="%.5g" lengthAdjust="spacingAndGlyphs"%s`, width.Points(), text[len("<text"):])
	})
	return template.HTML(fmt.Sprintf(`<svg class="columns%d" role="img" aria-labelledby="%s-caption" %s`, columns, name, svg))
}

// svgText is a text as gonum writes it: its size in points, and what it says.
var svgText = regexp.MustCompile(`(?s)<text [^>]*font-size:([0-9.]+)px[^>]*>([^<]+)</text>`)

func dataURL(kind string, content []byte) template.URL {
	return template.URL("data:" + kind + ";charset=utf-8;base64," + base64.StdEncoding.EncodeToString(content))
}

// pageTable is the table of an exhibit as the page has it.
type pageTable struct {
	Head  []pageColumn
	Rows  []pageRow
	Of    int      // rows of the whole table
	Notes []string // warnings, numbered from 1
}

// Total is the number of rows of the whole table.
func (t pageTable) Total() uint64 { return uint64(t.Of) }

// FirstExample is the commands of the first row that has some, "" if none has.
func (t pageTable) FirstExample() string {
	for _, r := range t.Rows {
		if r.Example != "" {
			return r.Example
		}
	}
	return ""
}

type pageColumn struct {
	Name, Unit string
	Number     bool
}

type pageRow struct {
	Port     string // what the filters ask; "" is none
	Protocol string
	Example  string // commands that show one of the services that the row counts, a line each; "" if it counts none
	Cells    []pageCell
}

type pageCell struct {
	Text   string
	Sort   string // by which rows are sorted: the number, without its interval; "" is last
	Note   int    // number of a warning, or 0
	Title  string // what the value rests on
	Number bool
}

// newPageTable gives the first rows of a table.
func newPageTable(s shown) pageTable {
	rows := int(s.table.NumRows())
	t := pageTable{Of: rows, Rows: make([]pageRow, min(rows, pageRows))}
	columns := printedColumns(s.table)
	for _, c := range columns {
		unit := c.unit
		if c.share {
			unit = "% of " + strings.TrimPrefix(strings.TrimPrefix(unit, "share"), " of ")
		}
		if unit == c.name {
			unit = ""
		}
		t.Head = append(t.Head, pageColumn{c.name, unit, c.number})
	}
	port, protocol := textColumn(s.table, "port"), textColumn(s.table, "protocol", "label", "expected")
	for i := range t.Rows {
		r := &t.Rows[i]
		r.Port, r.Protocol = port(i), protocol(i)
		if s.behind != nil {
			r.Example = s.commands(s.behind(i))
		}
		for k := range columns {
			r.Cells = append(r.Cells, t.cell(&columns[k], i))
		}
	}
	return t
}

func (t *pageTable) cell(c *printedColumn, row int) pageCell {
	cell := pageCell{Text: c.cell(row), Number: c.number}
	if !c.values.IsNull(row) {
		cell.Sort = c.values.ValueStr(row)
		if floats, ok := c.values.(*array.Float64); ok {
			cell.Sort = strconv.FormatFloat(floats.Value(row), 'g', -1, 64)
		}
	}
	if c.of != nil && cell.Text != "" {
		cell.Title = c.of.method.Value(row)
		if hosts := c.of.hosts.ValueStr(row); hosts != "0" {
			cell.Title = strings.TrimPrefix(cell.Title+", "+hosts+" hosts", ", ")
		}
	}
	if warning := c.warning(row); warning != "" {
		if !slices.Contains(t.Notes, warning) {
			t.Notes = append(t.Notes, warning)
		}
		cell.Note = slices.Index(t.Notes, warning) + 1
	}
	return cell
}

// textColumn gives the values of the first of the columns that a table has, as texts; "" if it has none.
func textColumn(table arrow.Record, names ...string) func(row int) string {
	for _, name := range names {
		if at := table.Schema().FieldIndices(name); len(at) > 0 {
			values := table.Column(at[0])
			return func(row int) string {
				if values.IsNull(row) {
					return ""
				}
				return values.ValueStr(row)
			}
		}
	}
	return func(int) string { return "" }
}

// protocolsOf are those that the tables of the page can be filtered by.
func protocolsOf(views []view) []string {
	var list []string
	for _, v := range views {
		for _, r := range v.Table.Rows {
			if r.Protocol != "" {
				list = append(list, r.Protocol)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// quoteSQL writes a text in SQL.
func quoteSQL(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// quoteShell writes an argument so that a shell takes it as it is.
func quoteShell(text string) string {
	if text != "" && strings.IndexFunc(text, func(r rune) bool {
		return !strings.ContainsRune("+,-./:=@_%", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0 {
		return text
	}
	if strings.ContainsRune(text, '!') { // which a shell that somebody types into takes for its history's
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`).Replace(text) + `"`
}

// program is the laserdisc that makes the report, as it was built.
func program() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "laserdisc " + info.Main.Version + ", " + info.GoVersion
	}
	return "laserdisc"
}

// further are the other files of a capture, on a command line; of very many, how many they are.
func further(o *record.Observed) string {
	const most = 10
	if n := len(o.Further); n > most {
		return fmt.Sprintf(" ... # and %d files more", n)
	}
	list := ""
	for _, f := range o.Further {
		list += " " + quoteShell(f.Path)
	}
	return list
}

// commands are what makes the report again, from the scans on. A dataset that was merged or read from a capture begins with what
// is known of it.
func (all sources) commands(page layout) []string {
	var list []string
	report := "laserdisc report"
	for _, s := range all {
		for _, m := range s.Manifests {
			for _, r := range m.Recorded() {
				switch run := outOf(r.Arguments); {
				case r.Observed != nil:
					list = append(list, "laserdisc replay "+quoteShell(r.Observed.Path)+further(r.Observed)+asnOf(m)+" --out "+quoteShell(s.Dir))
				case len(r.Arguments) > 0:
					if r.Synthetic != "" && r.Link.Kind == "packet" {
						list = append(list, "# Only where the wire leads to a lab, as in make demo's network namespaces:")
					}
					list = append(list, quoteAll(r.Arguments))
					if run != "" && len(s.Manifests) == 1 && len(m.Shards) == 0 {
						list = append(list, "laserdisc replay "+quoteShell(run)+asnOf(m)+" --out "+quoteShell(s.Dir))
					}
				}
			}
		}
		report += " " + quoteShell(s.Dir)
	}
	if inches := float64(page.text / vg.Inch); inches != DefaultWidth {
		report += " --width " + strconv.FormatFloat(inches, 'g', -1, 64)
	}
	return append(list, report+" --out report")
}

// asnOf is the option of replay that gave a run's services their ASes. The manifest has the file's name, and not where it is.
func asnOf(m *record.Manifest) string {
	if m.PrefixToAS == nil {
		return ""
	}
	return " --asn " + quoteShell(m.PrefixToAS.File)
}

func quoteAll(arguments []string) string {
	var list []string
	for _, a := range arguments {
		list = append(list, quoteShell(a))
	}
	return strings.Join(list, " ")
}

// outOf is the directory that a scan's command line names for its record, "" if it names none.
func outOf(arguments []string) string {
	for i, a := range arguments {
		if value, ok := strings.CutPrefix(a, "--out="); ok {
			return value
		}
		if (a == "--out" || a == "-o") && i+1 < len(arguments) {
			return arguments[i+1]
		}
	}
	return ""
}

// fact is one line about a run.
type fact struct{ Name, Value string }

// facts are what a reader of the figures needs to know of a run; all the rest is in its manifest.
func facts(m *record.Manifest) []fact {
	handshakes := strings.Join(m.Handshakes, ", ")
	if m.RandomOrder {
		handshakes += " (in an order drawn for each service)"
	}
	if m.AllHandshakes {
		handshakes += " (each tried on every service)"
	}
	count := func(n uint64) string { return plotters.Thousands(int(n)) }
	if m.Observed != nil {
		return []fact{
			{"Capture", m.Observed.Path + ", SHA-256 " + abbreviate(m.Observed.SHA256)},
			{"laserdisc", strings.TrimSpace(m.Laserdisc + " " + m.Revision)},
			{"First packet", m.Start.UTC().Format(time.RFC3339)},
			{"Spans", m.End.Sub(m.Start).Round(time.Millisecond).String()},
			{"Handshakes", handshakes},
			{"Services", count(m.Counters.Services)},
		}
	}
	list := []fact{
		{"Command", strings.Join(m.Arguments, " ")},
		{"laserdisc", strings.TrimSpace(m.Laserdisc + " " + m.Revision)},
		{"Started", m.Start.UTC().Format(time.RFC3339)},
	}
	add := func(name, value string) { list = append(list, fact{name, value}) }
	switch {
	case m.End.IsZero() && m.Partial == "": // as record's caveats
		add("Ended", "unknown: its manifest.json is missing or of its start")
	case m.End.IsZero():
		add("Ended", "unknown: the record was not closed")
	case m.Interrupted:
		add("Ended", "interrupted after "+m.End.Sub(m.Start).Round(time.Second).String())
	default:
		add("Took", m.End.Sub(m.Start).Round(time.Millisecond).String())
	}
	rate := "no limit"
	if m.Rate > 0 {
		rate = plotters.Thousands(int(m.Rate)) + " packets per second"
	}
	c := m.Counters
	if missing := m.Missing(); missing != "" {
		add("Shards", fmt.Sprintf("%d of %d; missing: %s", len(m.Recorded()), m.Sample.Shards, missing))
	} else if len(m.Shards) > 0 {
		add("Shards", fmt.Sprintf("all %d, merged; the command is the first one's", len(m.Shards)))
	}
	add("Targets", count(m.TargetCount)+" services, specification "+abbreviate(m.TargetDigest))
	add("Seed", strconv.FormatUint(m.Seed, 10))
	add("Rate", rate)
	add("Handshakes", handshakes)
	add("Launched", count(c.Launched)+" targets")
	add("Sent", count(c.Sent)+" frames: "+count(c.SentSYN)+" SYN, "+count(c.SentPayload)+" with data, "+count(c.SentRST)+" RST")
	add("Received", count(c.Received)+" frames: "+count(c.ReceivedSYNACK)+" SYN-ACK, "+count(c.ReceivedPayload)+" with data, "+
		count(c.ReceivedRST)+" RST, "+count(c.ReceivedICMP)+" ICMP")
	add("Services", count(c.Services))
	add("Dropped", count(m.Drops.Kernel)+" frames by the kernel, "+count(m.Drops.Interface)+" by the interface")
	add("Link", strings.TrimSpace(m.Link.Kind+" "+m.Link.Interface))
	return list
}

func abbreviate(digest string) string {
	if len(digest) > 16 {
		return digest[:16] + "…"
	}
	return digest
}
