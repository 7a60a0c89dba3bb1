package analysis

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"laserdisc/capture/session"
)

// Row groups end after so many rows or bytes of them, whichever comes first: big enough to
// compress well, small enough to be held in memory.
const (
	groupRows  = 1 << 17
	groupBytes = 32 << 20
)

// Writer writes one table. Rows may come in any order: they wait in a nameless file beside the
// table, with only their keys in memory (56 bytes a row), and are sorted by Close. A writer that
// is never closed leaves nothing behind.
type Writer[R any] struct {
	path   string
	table  *table[R]
	spill  *os.File
	buffer *bufio.Writer
	offset int64
	row    []byte
	rows   []spilled
	digest string
}

// spilled is where a row's canonical encoding is.
type spilled struct {
	key
	offset int64
	length int
}

// AttemptWriter writes attempts.parquet.
type AttemptWriter = Writer[session.Attempt]

// ServiceWriter writes services.parquet.
type ServiceWriter = Writer[session.Service]

// CreateAttempts starts a table of attempts, which is at path once Close has returned nil.
func CreateAttempts(path string) (*AttemptWriter, error) { return create(path, &attempts) }

// CreateServices starts a table of services, which is at path once Close has returned nil.
func CreateServices(path string) (*ServiceWriter, error) { return create(path, &services) }

func create[R any](path string, t *table[R]) (*Writer[R], error) {
	spill, err := os.CreateTemp(filepath.Dir(path), "."+t.name+"-*.rows")
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	if err := os.Remove(spill.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("analysis: %w", err), spill.Close())
	}
	return &Writer[R]{path: path, table: t, spill: spill, buffer: bufio.NewWriterSize(spill, 1<<16)}, nil
}

// Append adds a row. It keeps nothing of r.
func (w *Writer[R]) Append(r *R) error {
	w.row = w.table.appendRow(w.row[:0], r)
	if _, err := w.buffer.Write(w.row); err != nil {
		return fmt.Errorf("analysis: %s: %w", w.path, err)
	}
	w.rows = append(w.rows, spilled{w.table.key(r), w.offset, len(w.row)})
	w.offset += int64(len(w.row))
	return nil
}

// Rows is the number of rows so far.
func (w *Writer[R]) Rows() int { return len(w.rows) }

// Digest is the SHA-256, in hexadecimal, of the table's rows in order, in their canonical
// encoding, after the table's name and the names of its columns. It says whether two results
// are the same, whatever wrote their files. It is there once Close has returned nil.
func (w *Writer[R]) Digest() string { return w.digest }

// Close sorts the rows, writes the file and puts it in place in one step: at its path is the
// old file or the whole new one.
func (w *Writer[R]) Close() error {
	defer w.spill.Close()
	if err := w.close(); err != nil {
		return fmt.Errorf("analysis: %s: %w", w.path, err)
	}
	return nil
}

func (w *Writer[R]) close() error {
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	slices.SortFunc(w.rows, func(a, b spilled) int { return cmp.Or(a.compare(&b.key), cmp.Compare(a.offset, b.offset)) })
	temporary := w.path + ".new"
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	err = w.write(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return os.Rename(temporary, w.path)
}

// write writes the sorted rows as Parquet, a group at a time, and computes their digest.
func (w *Writer[R]) write(f *os.File) error {
	schema := w.table.schema()
	out := bufio.NewWriterSize(f, 1<<20)
	// The Parquet writer closes what it can close.
	file, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{out}, w.table.properties(), pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	digest := w.table.newDigest()
	for rows := w.rows; len(rows) > 0; {
		n := groupLength(rows)
		if err := w.build(builder, digest, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
		if err := writeGroup(file, builder.NewRecord()); err != nil {
			return err
		}
	}
	w.digest = hex.EncodeToString(digest.Sum(nil))
	return errors.Join(file.Close(), out.Flush())
}

func groupLength(rows []spilled) int {
	size := 0
	for i, r := range rows {
		size += r.length
		if i == groupRows || size > groupBytes && i > 0 {
			return i
		}
	}
	return len(rows)
}

func (w *Writer[R]) build(to *array.RecordBuilder, digest hash.Hash, rows []spilled) error {
	for _, r := range rows {
		w.row = slices.Grow(w.row[:0], r.length)[:r.length]
		if _, err := w.spill.ReadAt(w.row, r.offset); err != nil {
			return err
		}
		digest.Write(w.row)
		rest := w.row
		for i := range w.table.columns {
			rest = w.table.columns[i].kind.build(to.Field(i), rest)
		}
	}
	return nil
}

func writeGroup(file *pqarrow.FileWriter, group arrow.Record) error {
	defer group.Release()
	return file.Write(group)
}

func (t *table[R]) newDigest() hash.Hash {
	h := sha256.New()
	io.WriteString(h, t.name)
	for _, c := range t.columns {
		io.WriteString(h, " "+c.name)
	}
	io.WriteString(h, "\n")
	return h
}

// properties are chosen around what arrow v15 gets wrong: a column whose dictionary overflows
// makes the footer's bytes differ from run to run, so only columns whose values are few by
// nature get one. Statistics of responses would put whole responses into the footer.
func (t *table[R]) properties() *parquet.WriterProperties {
	p := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),          // older ones round times to microseconds
		parquet.WithDataPageVersion(parquet.DataPageV2), // version 1 copies all levels at each of their runs: 5 times slower
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithDictionaryDefault(false),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithCreatedBy("laserdisc"),
	}
	for _, c := range t.columns {
		path := c.name
		if c.kind == texts {
			path += ".list.element"
		}
		if c.few {
			p = append(p, parquet.WithDictionaryFor(path, true))
		}
		if c.kind == octets {
			p = append(p, parquet.WithStatsFor(path, false))
		}
	}
	return parquet.NewWriterProperties(p...)
}
