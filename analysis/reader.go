package analysis

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"laserdisc/capture/session"
)

// ReadAttempts calls row for each attempt in the table at path, in order, until that returns an
// error. The attempt and its bytes are valid until row returns; names (state, label, handshake,
// evidence, matches) stay valid. A file that is cut, damaged or not a table of attempts is an
// error that names the column and the row.
func ReadAttempts(path string, row func(*session.Attempt) error) error {
	return read(path, &attempts, row)
}

// ReadServices does for a table of services what ReadAttempts does for one of attempts.
func ReadServices(path string, row func(*session.Service) error) error {
	return read(path, &services, row)
}

func read[R any](path string, t *table[R], row func(*R) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	defer f.Close()
	r := reader[R]{table: t, row: row, names: make(map[string]string)}
	if err := r.read(f); err != nil {
		if err == r.stopped {
			return err
		}
		return fmt.Errorf("analysis: %s: %w", path, err)
	}
	return nil
}

type reader[R any] struct {
	table   *table[R]
	row     func(*R) error
	names   map[string]string // so that a name does not keep its whole column in memory
	file    *pqarrow.FileReader
	fields  []int // of each of the table's columns in the file
	rows    int64 // read so far
	stopped error // what row returned
}

func (r *reader[R]) read(f parquet.ReaderAtSeeker) error {
	if err := guard(func() error { return r.open(f) }); err != nil {
		return fmt.Errorf("not a table of %s: %w", r.table.name, err)
	}
	for group := range r.file.ParquetReader().NumRowGroups() {
		columns, err := r.columns(group)
		if err != nil {
			return err
		}
		if err := r.deliver(columns); err != nil {
			return err
		}
	}
	return nil
}

// guard turns a panic of the Parquet reader, which trusts its input, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged Parquet: %v", p)
		}
	}()
	return f()
}

// open reads the file's footer and looks up the table's columns in it. Columns that the table
// does not have are ignored.
func (r *reader[R]) open(f parquet.ReaderAtSeeker) error {
	raw, err := file.NewParquetReader(f)
	if err != nil {
		return err
	}
	r.file, err = pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	schema, err := r.file.Schema()
	if err != nil {
		return err
	}
	for _, c := range r.table.columns {
		at := schema.FieldIndices(c.name)
		if len(at) != 1 {
			return fmt.Errorf("it has %d columns %q, not one; was it written by another version?", len(at), c.name)
		}
		if got, want := schema.Field(at[0]).Type, c.kind.arrow(); !sameType(got, want) {
			return fmt.Errorf("column %q is %s, not %s", c.name, got, want)
		}
		r.fields = append(r.fields, at[0])
	}
	return nil
}

// sameType compares types, but not what writers differ in: the names of a list's elements, and
// whether a time is marked as UTC.
func sameType(a, b arrow.DataType) bool {
	switch a := a.(type) {
	case *arrow.ListType:
		b, ok := b.(*arrow.ListType)
		return ok && arrow.TypeEqual(a.Elem(), b.Elem())
	case *arrow.TimestampType:
		b, ok := b.(*arrow.TimestampType)
		return ok && a.Unit == b.Unit
	}
	return arrow.TypeEqual(a, b)
}

// columns reads a row group. It goes column by column for the readers of several at once do so
// in goroutines of their own, where a panic could not be caught.
func (r *reader[R]) columns(group int) ([]arrow.Array, error) {
	columns := make([]arrow.Array, len(r.fields))
	for i, field := range r.fields {
		err := guard(func() error {
			chunks, err := r.file.RowGroup(group).Column(field).Read(context.Background())
			if err != nil {
				return err
			}
			columns[i], err = array.Concatenate(chunks.Chunks(), memory.DefaultAllocator)
			return err
		})
		if err == nil && columns[i].Len() != columns[0].Len() {
			err = fmt.Errorf("damaged Parquet: %d rows, not %d", columns[i].Len(), columns[0].Len())
		}
		if err != nil {
			return nil, fmt.Errorf("column %q, in the rows from %d: %w", r.table.columns[i].name, r.rows, err)
		}
	}
	return columns, nil
}

// deliver calls row for each row of a group.
func (r *reader[R]) deliver(columns []arrow.Array) error {
	for i := range columns[0].Len() {
		var row R
		for j, a := range columns {
			c := &r.table.columns[j]
			if err := r.load(c, &row, a, i); err != nil {
				return fmt.Errorf("row %d, column %q: %w", r.rows, c.name, err)
			}
		}
		if err := r.row(&row); err != nil {
			r.stopped = err
			return err
		}
		r.rows++
	}
	return nil
}

func (r *reader[R]) load(c *column[R], row *R, a arrow.Array, i int) error {
	v := c.kind.at(a, i)
	if v.null && !c.kind.nullable() {
		return fmt.Errorf("it is null")
	}
	if c.few {
		v.text = r.keep(v.text)
		for i, t := range v.texts {
			v.texts[i] = r.keep(t)
		}
	}
	return c.set(row, v)
}

func (r *reader[R]) keep(name string) string {
	kept, ok := r.names[name]
	if !ok {
		kept = strings.Clone(name)
		r.names[kept] = kept
	}
	return kept
}
