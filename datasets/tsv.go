package datasets

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// table is a parsed TSV file: its column names and its lines.
type table struct {
	name    string
	columns []string
	lines   [][]string // without the header; line i of the file is lines[i-2]
}

// parseTable splits a file into cells. Every line must have a cell for every
// column; if columns are given, the header must be just these.
func parseTable(name string, text []byte, columns ...string) (*table, error) {
	var t *table
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		cells := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		switch {
		case t == nil && columns != nil && strings.Join(cells, "\t") != strings.Join(columns, "\t"):
			return nil, fmt.Errorf("%s:1: columns are %q, want %q", name, cells, columns)
		case t == nil:
			t = &table{name: name, columns: cells}
		case len(cells) != len(t.columns):
			return nil, fmt.Errorf("%s:%d: %d cells, want %d", name, i+1, len(cells), len(t.columns))
		default:
			t.lines = append(t.lines, cells)
		}
	}
	return t, nil
}

// parseRows makes one T of each line of a file with the given columns.
func parseRows[T any](name string, text []byte, columns []string, row func(*cells) T) ([]T, error) {
	t, err := parseTable(name, text, columns...)
	if err != nil {
		return nil, err
	}
	var rows []T
	for i, line := range t.lines {
		c := &cells{rest: line, columns: columns}
		rows = append(rows, row(c))
		if c.err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+2, c.err)
		}
	}
	return rows, nil
}

// cells reads one line from left to right and keeps the first error.
type cells struct {
	rest    []string
	columns []string
	err     error
}

func (c *cells) next() string {
	cell := c.rest[0]
	c.rest, c.columns = c.rest[1:], c.columns[1:]
	return cell
}

func (c *cells) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// cell reads the next cell with the given parser.
func cell[T any](c *cells, parse func(string) (T, error)) T {
	column := c.columns[0]
	value, err := parse(c.next())
	if err != nil {
		c.fail(fmt.Errorf("%s: %w", column, err))
	}
	return value
}

// text reads a cell that may be "-", for none.
func (c *cells) text() string {
	if s := c.next(); s != "-" {
		return s
	}
	return ""
}

func (c *cells) port() uint16   { return cell(c, parsePort) }
func (c *cells) count() uint64  { return cell(c, parseCount) }
func (c *cells) share() float64 { return cell(c, parseShare) }

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", s)
	}
	return uint16(n), nil
}

// parseCount reads a count as the paper prints it: 38K, 62.6M, 18.
func parseCount(s string) (uint64, error) {
	digits, unit := s, 1.0
	if number, ok := strings.CutSuffix(s, "K"); ok {
		digits, unit = number, 1e3
	} else if number, ok := strings.CutSuffix(s, "M"); ok {
		digits, unit = number, 1e6
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n >= 0 && n*unit < 1<<53) {
		return 0, fmt.Errorf("%q is not a count such as 38K or 62.6M", s)
	}
	return uint64(n*unit + 0.5), nil
}

func parseShare(s string) (float64, error) {
	share, err := strconv.ParseFloat(s, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("%q is not a share from 0 to 1", s)
	}
	return share, nil
}

func parseASN(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not an AS number", s)
	}
	return uint32(n), nil
}

func parseNumber(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

// parsePercent reads "-28%" as -0.28.
func parsePercent(s string) (float64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := parseNumber(digits)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a percentage", s)
	}
	return n / 100, nil
}

func parseYes(s string) (bool, error) {
	if s != "yes" && s != "no" {
		return false, fmt.Errorf("%q is neither yes nor no", s)
	}
	return s == "yes", nil
}
