package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/apache/arrow/go/v15/arrow"
)

// How much of a table goes where.
const (
	latexRows   = 56 // of a page, in the smaller type
	latexSmall  = 40 // rows from which the type is smaller
	latexColumn = 50 // characters in a line of one column of the page
)

// tex writes what a paper includes: a figure with the PDF and its caption, and a table of the numbers, each value with its interval,
// n, and the published value. It needs graphicx and booktabs. A table that is too long for a page is left to the CSV; one that is too
// wide is shrunk.
func (s shown) tex(_ layout, b *bytes.Buffer) error {
	star, width := "", `\columnwidth`
	if s.columns == 2 {
		star, width = "*", `\textwidth`
	}
	caption := latex(s.Caption)
	if s.note != "" {
		caption += " " + latex(s.note)
	}
	fmt.Fprintf(b, "%% %s, by laserdisc. It needs \\usepackage{graphicx,booktabs}.\n", s.Title)
	fmt.Fprintf(b, "\\begin{figure%s}[t]\n\\centering\n\\includegraphics[width=%s]{%s.pdf}\n\\caption{%s}\n\\label{fig:%s}\n\\end{figure%s}\n",
		star, width, s.Name, caption, s.Name, star)
	if s.table.NumRows() > latexRows {
		fmt.Fprintf(b, "%% The table has %d rows: see %s.csv.\n", s.table.NumRows(), s.Name)
		return nil
	}
	head, lines, notes := latexTable(s.table)
	aligned, names, characters := "", make([]string, len(head)), 0
	for i, c := range head {
		aligned, names[i] = aligned+c.align, c.name
		widest := len(c.name)
		for _, line := range lines {
			widest = max(widest, len(line[i]))
		}
		characters += widest + 1
	}
	if characters > latexColumn {
		star = "*"
	}
	size := `\small`
	if len(lines) >= latexSmall {
		size = `\footnotesize`
	}
	fmt.Fprintf(b, "\n\\begin{table%s}[t]\n\\centering\n%s\n\\sbox0{\\begin{tabular}{%s}\n\\toprule\n", star, size, aligned)
	b.WriteString(strings.Join(names, " & ") + " \\\\\n\\midrule\n")
	for _, line := range lines {
		b.WriteString(strings.Join(line, " & ") + " \\\\\n")
	}
	b.WriteString("\\bottomrule\n\\end{tabular}}%\n\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n")
	if len(notes) > 0 {
		b.WriteString("\\par\\smallskip\\footnotesize " + strings.Join(notes, "; ") + "\n")
	}
	fmt.Fprintf(b, "\\caption{%s}\n\\label{tab:%s}\n\\end{table%s}\n", caption, s.Name, star)
	return nil
}

// tabularColumn is a column as a tabular has it.
type tabularColumn struct{ name, align string }

// latexTable gives the columns and the cells of a table, and notes to be set under it.
func latexTable(table arrow.Record) (head []tabularColumn, lines [][]string, notes []string) {
	lines = make([][]string, table.NumRows())
	var warnings []string
	for _, c := range printedColumns(table) {
		column := tabularColumn{latex(c.name), "l"}
		if c.number {
			column.align = "r"
		}
		if c.share {
			column.name += ` (\%)`
		}
		head = append(head, column)
		for row := range lines {
			text := strings.ReplaceAll(latex(c.cell(row)), infinite, `$\infty$`)
			if warning := c.warning(row); warning != "" {
				at := slices.Index(warnings, warning)
				if at < 0 {
					at = len(warnings)
					warnings = append(warnings, warning)
					notes = append(notes, fmt.Sprintf("$^{%c}$ %s", 'a'+at, latex(warning)))
				}
				text += fmt.Sprintf("$^{%c}$", 'a'+at)
			}
			lines[row] = append(lines[row], text)
		}
	}
	return head, lines, notes
}

// latex writes a text so that LaTeX prints it: pdflatex, too, which has no letters but Latin ones.
func latex(text string) string {
	return latexEscapes.Replace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r > unicode.MaxLatin1 && string(r) != infinite {
			return '?'
		}
		return r
	}, text))
}

var latexEscapes = strings.NewReplacer(`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `%`, `\%`, `&`, `\&`, `#`, `\#`, `_`, `\_`, `$`, `\$`,
	`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `<`, `\textless{}`, `>`, `\textgreater{}`)
