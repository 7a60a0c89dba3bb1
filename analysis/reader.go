package analysis

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"laserdisc/capture/session"
)

// EachAttempt calls row for each attempt, in the order of (address, port, run, attempt) within each part, until that
// returns an error. The attempt and its bytes are valid until row returns. A file that is cut, damaged or not a table of
// attempts is an error that names the column and the row.
func (d *Dataset) EachAttempt(ctx context.Context, row func(a *session.Attempt, run int) error) error {
	return eachRow(ctx, d, attempts, d.header.Attempts, func() attempt { return attempt{Attempt: new(session.Attempt)} }, func(a *attempt) error { return row(a.Attempt, a.Run) })
}

// EachService does for services what EachAttempt does for attempts.
func (d *Dataset) EachService(ctx context.Context, row func(s *session.Service, run int) error) error {
	return d.eachService(ctx, func(s *service) error { return row(s.Service, s.Run) })
}

func (d *Dataset) eachService(ctx context.Context, row func(*service) error) error {
	return eachRow(ctx, d, services, d.header.Services, func() service { return service{Service: new(session.Service)} }, row)
}

func eachRow[R any](ctx context.Context, d *Dataset, t *table[R], h tableHeader, empty func() R, row func(*R) error) error {
	for _, p := range h.Parts {
		path := filepath.Join(d.dir, p.Name)
		r := rowReader[R]{table: t, empty: empty, row: row, names: make(map[string]string)}
		err := readPart(ctx, path, t.shape(), nil, false, r.add)
		if err == nil && r.rows != p.Rows {
			err = fmt.Errorf("analysis: %s has %d rows, not the %d that %s tells of", path, r.rows, p.Rows, headerFile)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// columnShape is a column as far as its reading needs it.
type columnShape struct {
	name string
	kind kind
	few  bool
}

func (t *table[R]) shape() []columnShape {
	var s []columnShape
	for _, c := range t.columns {
		s = append(s, columnShape{c.name, c.kind, c.few})
	}
	return s
}

// stopped is an error of the caller's own function, which is passed on as it is.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// readPart passes on the columns of one file, a row group at a time. Of shape it reads those whose names are wanted, or
// all; what has few values comes as a dictionary, if that is asked for.
func readPart(ctx context.Context, path string, shape []columnShape, wanted []string, dictionaries bool, batch func(arrow.Record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	defer f.Close()
	r := partReader{}
	if err = guard(func() error { return r.open(f, shape, wanted, dictionaries) }); err != nil {
		return fmt.Errorf("analysis: %s: not such a table: %w", path, err)
	}
	for group := range r.file.ParquetReader().NumRowGroups() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rec, err := r.group(group)
		if err == nil {
			r.rows += rec.NumRows()
			err = batch(rec)
			rec.Release()
		}
		if s, ok := err.(stopped); ok {
			return s.error
		}
		if err != nil {
			return fmt.Errorf("analysis: %s: %w", path, err)
		}
	}
	return nil
}

type partReader struct {
	file   *pqarrow.FileReader
	names  []string
	fields []int // of each of the columns in the file
	schema *arrow.Schema
	rows   int64 // read so far
}

// open reads the file's footer and looks up the columns in it. Columns that are not asked for are ignored.
func (r *partReader) open(f parquet.ReaderAtSeeker, shape []columnShape, wanted []string, dictionaries bool) error {
	raw, err := file.NewParquetReader(f)
	if err != nil {
		return err
	}
	props := pqarrow.ArrowReadProperties{}
	for i := range raw.MetaData().Schema.NumColumns() {
		path := raw.MetaData().Schema.Column(i).Path()
		at := slices.IndexFunc(shape, func(c columnShape) bool { return c.name == path })
		props.SetReadDict(i, dictionaries && at >= 0 && shape[at].few && shape[at].kind == text)
	}
	if r.file, err = pqarrow.NewFileReader(raw, props, memory.DefaultAllocator); err != nil {
		return err
	}
	schema, err := r.file.Schema()
	if err != nil {
		return err
	}
	var fields []arrow.Field
	for _, c := range shape {
		if wanted != nil && !slices.Contains(wanted, c.name) {
			continue
		}
		at := schema.FieldIndices(c.name)
		if len(at) != 1 {
			return fmt.Errorf("it has %d columns %q, not one; was it written by another version?", len(at), c.name)
		}
		got, want := schema.Field(at[0]).Type, kinds[c.kind].arrow
		if d, ok := got.(*arrow.DictionaryType); ok {
			got = d.ValueType
		}
		if !sameType(got, want) {
			return fmt.Errorf("column %q is %s, not %s", c.name, got, want)
		}
		r.names = append(r.names, c.name)
		r.fields = append(r.fields, at[0])
		fields = append(fields, schema.Field(at[0]))
	}
	r.schema = arrow.NewSchema(fields, nil)
	return nil
}

// sameType compares types, but not what writers differ in: the names of a list's elements, and whether a time is marked
// as UTC.
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

// group reads a row group. It goes column by column, for the readers of several at once do so in goroutines of their own,
// where a panic could not be caught.
func (r *partReader) group(group int) (arrow.Record, error) {
	columns := make([]arrow.Array, len(r.fields))
	for i, field := range r.fields {
		err := guard(func() error {
			chunks, err := r.file.RowGroup(group).Column(field).Read(context.Background())
			if err != nil {
				return err
			}
			if len(chunks.Chunks()) == 1 {
				columns[i] = chunks.Chunk(0)
				return nil
			}
			columns[i], err = array.Concatenate(chunks.Chunks(), memory.DefaultAllocator)
			return err
		})
		if err == nil && columns[i].Len() != columns[0].Len() {
			err = fmt.Errorf("damaged Parquet: %d rows, not %d", columns[i].Len(), columns[0].Len())
		}
		if err != nil {
			return nil, fmt.Errorf("column %q, in the rows from %d: %w", r.names[i], r.rows, err)
		}
	}
	fields := slices.Clone(r.schema.Fields())
	for i := range fields {
		fields[i].Type = columns[i].DataType()
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), columns, -1), nil
}

// rowReader turns the columns of a table into rows.
type rowReader[R any] struct {
	table *table[R]
	empty func() R
	row   func(*R) error
	names map[string]string // so that a name does not keep its whole column in memory
	rows  uint64            // so far
}

// add calls row for each row of a batch.
func (r *rowReader[R]) add(batch arrow.Record) error {
	for i := range int(batch.NumRows()) {
		row := r.empty()
		for j, a := range batch.Columns() {
			c := &r.table.columns[j]
			if err := r.load(c, &row, a, i); err != nil {
				return fmt.Errorf("row %d, column %q: %w", r.rows, c.name, err)
			}
		}
		if err := r.row(&row); err != nil {
			return stopped{err}
		}
		r.rows++
	}
	return nil
}

// load sets the value of one column in row i of a batch.
func (r *rowReader[R]) load(c *column[R], row *R, a arrow.Array, i int) error {
	if a.IsNull(i) {
		if !kinds[c.kind].nullable {
			return fmt.Errorf("it is null")
		}
		return c.setNumber(row, none)
	}
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return c.setNumber(row, 1)
		}
		return c.setNumber(row, 0)
	case *array.Uint16:
		return c.setNumber(row, int64(a.Value(i)))
	case *array.Uint32:
		return c.setNumber(row, int64(a.Value(i)))
	case *array.Int32:
		return c.setNumber(row, int64(a.Value(i)))
	case *array.Int64:
		return c.setNumber(row, a.Value(i))
	case *array.Timestamp:
		return c.setNumber(row, int64(a.Value(i)))
	case *array.Binary:
		c.setBytes(row, a.Value(i))
	case *array.String:
		if c.kind == address {
			return setAddress(c, row, a.Value(i))
		}
		return c.setText(row, r.keep(a.Value(i)))
	case *array.List:
		elements, ok := a.ListValues().(*array.String)
		if !ok {
			return fmt.Errorf("its elements are %s", a.ListValues().DataType())
		}
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			if elements.IsNull(int(j)) {
				return fmt.Errorf("an element is null")
			}
			if err := c.setText(row, r.keep(elements.Value(int(j)))); err != nil {
				return err
			}
		}
	}
	return nil
}

func setAddress[R any](c *column[R], row *R, s string) error {
	var addr netip.Addr
	if s != "" {
		var err error
		if addr, err = netip.ParseAddr(s); err != nil {
			return err
		}
	}
	c.setAddress(row, addr)
	return nil
}

func (r *rowReader[R]) keep(name string) string {
	kept, ok := r.names[name]
	if !ok {
		if len(r.names) > 1<<16 {
			clear(r.names)
		}
		kept = strings.Clone(name)
		r.names[kept] = kept
	}
	return kept
}
