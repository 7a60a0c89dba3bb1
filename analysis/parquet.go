package analysis

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

// Row groups end after so many rows or canonical bytes of them, whichever comes first: big enough to compress well, small
// enough to be held in memory.
const (
	groupRows  = 1 << 17
	groupBytes = 32 << 20
)

// Rows are cut into columns so many, or so many bytes, at a time: a block stays in a core's cache.
const (
	blockRows  = 2048
	blockBytes = 512 << 10
)

// properties are chosen around what arrow v15 gets wrong: a column whose dictionary overflows makes the footer's bytes
// differ from run to run, so only columns whose values are few by nature get one. Statistics keep views of the least and
// greatest byte string, and blocks are filled anew: of what has a length only addr has them, which a block makes the text
// of, and lists, whose elements are kept: without them a page's header counts no nulls, which readers find a list's elements
// by. Strict readers refuse the root's default repetition.
func (t *table[R]) properties() *parquet.WriterProperties {
	p := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),          // older ones round times to microseconds
		parquet.WithDataPageVersion(parquet.DataPageV2), // version 1 copies all levels at each of their runs: 5 times slower
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false),
		parquet.WithRootRepetition(parquet.Repetitions.Required),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithBatchSize(blockRows),
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
		if c.kind >= address && c.kind != texts && c.name != "addr" {
			p = append(p, parquet.WithStatsFor(path, false))
		}
		if c.kind == instant { // which never gets smaller
			p = append(p, parquet.WithCompressionFor(path, compress.Codecs.Uncompressed))
		}
	}
	return parquet.NewWriterProperties(p...)
}

// part is one finished file of a table.
type part struct {
	rows   uint64
	digest Digest
	sha256 string // of the file's bytes, hexadecimal
}

// write writes what src gives, in order, as one Parquet file, on so many cores as one goroutine each for the merging,
// the Parquet encoding, and parallel more for cutting rows into columns keep busy. The bytes depend on the rows alone.
func (t *table[R]) write(ctx context.Context, f *os.File, src source, parallel int) (p part, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	root, err := pqarrow.ToParquet(t.schema(), t.properties(), pqarrow.DefaultWriterProps())
	if err != nil {
		return p, err
	}
	// The Parquet writer closes what it can close.
	w := file.NewParquetWriter(struct{ io.Writer }{out}, root.Root(), file.WithWriterProps(t.properties()))

	inFlight := 2*parallel + 2
	spare := make(chan *block, inFlight)
	cutting, ordered := make(chan *block, inFlight), make(chan *block, inFlight)
	for range inFlight {
		spare <- t.newBlock()
	}
	var group sync.WaitGroup
	var merging error
	group.Go(func() {
		merging = fill(ctx, src, spare, cutting, ordered)
		close(cutting)
		close(ordered)
	})
	for range parallel {
		group.Go(func() {
			for b := range cutting {
				b.err = t.cut(b)
				b.ready <- struct{}{}
			}
		})
	}
	var rows *rowGroup
	for b := range ordered {
		<-b.ready
		if err == nil {
			err = b.err
		}
		if err == nil && b.opens {
			if rows != nil {
				err = rows.close(parallel)
			}
			rows = newRowGroup(w, b)
		}
		if err == nil {
			err = rows.write(b, parallel)
		}
		if err != nil {
			cancel()
		}
		p.rows += uint64(len(b.ends))
		p.digest.Add(b.digest)
		spare <- b
	}
	group.Wait()
	if err = errors.Join(err, merging); err != nil {
		return p, err
	}
	if rows != nil {
		err = rows.close(parallel)
	}
	err = errors.Join(err, w.Close(), out.Flush())
	p.sha256 = hex.EncodeToString(sum.Sum(nil))
	return p, err
}

// fill cuts the rows of src into blocks and row groups.
func fill(ctx context.Context, src source, spare, cutting, ordered chan *block) error {
	groupLength, groupSize := 0, 0
	var b *block
	pass := func() {
		cutting <- b
		ordered <- b
		b = nil
	}
	for {
		e, err := src.next()
		if err == nil && b == nil {
			err = ctx.Err()
		}
		if err != nil {
			if b != nil {
				pass()
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		row := e.row()
		full := groupLength == groupRows || groupLength > 0 && groupSize+len(row) > groupBytes
		if b != nil && (full || len(b.ends) == blockRows || len(b.rows)+len(row) > blockBytes) {
			pass()
		}
		if full {
			groupLength, groupSize = 0, 0
		}
		if b == nil {
			b = <-spare
			b.reset(groupLength == 0)
		}
		b.rows = append(b.rows, row...)
		b.ends = append(b.ends, len(b.rows))
		groupLength++
		groupSize += len(row)
	}
}

// block is some rows of a row group, and then their columns.
type block struct {
	opens   bool // a row group
	rows    []byte
	ends    []int // of each row in rows
	columns []values
	digest  Digest
	err     error
	ready   chan struct{} // receives when columns are valid
}

// values are a column's in a block, as the Parquet writer takes them: those of its physical type, and the levels.
type values struct {
	kind  kind
	few   bool // distinct texts
	bools []bool
	int32 []int32
	int64 []int64
	bytes []parquet.ByteArray // views of the block's rows, and of text
	text  []byte              // addresses
	last  []byte              // the last one, as it is in its row
	def   []int16             // of what may be null, and of lists: 0 is an empty one, and 2 an element that is not null
	rep   []int16             // of lists

	kept map[string]parquet.ByteArray // elements of lists, which are few
}

func (t *table[R]) newBlock() *block {
	b := &block{columns: make([]values, len(t.columns)), ready: make(chan struct{}, 1)}
	for i := range t.columns {
		b.columns[i].kind = t.columns[i].kind
		b.columns[i].few = t.columns[i].few && t.columns[i].kind == text
	}
	return b
}

func (b *block) reset(opens bool) {
	b.opens, b.rows, b.ends, b.digest, b.err = opens, b.rows[:0], b.ends[:0], Digest{}, nil
	for i := range b.columns {
		v := &b.columns[i]
		v.bools, v.int32, v.int64, v.bytes = v.bools[:0], v.int32[:0], v.int64[:0], v.bytes[:0]
		v.text, v.last, v.def, v.rep = nil, nil, v.def[:0], v.rep[:0] // the column's statistics keep views of text
	}
}

// cut turns the rows of a block into columns, and sums their digests.
func (t *table[R]) cut(b *block) (err error) {
	start := 0
	for _, end := range b.ends {
		row := b.rows[start:end]
		start = end
		b.digest.add(row)
		for i := range b.columns {
			v := &b.columns[i]
			switch v.kind {
			case address, text, octets, texts:
				var value []byte
				if value, row, err = cutBytes(row); err == nil {
					err = v.append(value)
				}
			default:
				var n int64
				if n, row, err = v.kind.cutNumber(row); err == nil {
					v.appendNumber(n)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *values) appendNumber(n int64) {
	if kinds[v.kind].nullable {
		if n == none {
			v.def = append(v.def, 0)
			return
		}
		v.def = append(v.def, 1)
	}
	switch v.kind {
	case boolean:
		v.bools = append(v.bools, n != 0)
	case number64, instant:
		v.int64 = append(v.int64, n)
	default:
		v.int32 = append(v.int32, int32(n))
	}
}

// append appends a value that has a length.
func (v *values) append(value []byte) error {
	switch v.kind {
	case address:
		return v.address(value)
	case texts:
		return v.list(value)
	}
	v.bytes = append(v.bytes, value)
	return nil
}

// address appends an address as text. Rows next to each other often have the same.
func (v *values) address(value []byte) error {
	if n := len(v.bytes); n > 0 && bytes.Equal(value, v.last) {
		v.bytes = append(v.bytes, v.bytes[n-1])
		return nil
	}
	v.last = value
	start := len(v.text)
	addr, err := addressOf(value)
	if addr.IsValid() {
		v.text = addr.AppendTo(v.text)
	}
	v.bytes = append(v.bytes, v.text[start:len(v.text):len(v.text)])
	return err
}

// elementLevel is the definition level of a list's element: arrow v15 makes elements optional, whatever the schema says.
const elementLevel = 2

func (v *values) list(value []byte) error {
	if len(value) == 0 {
		v.def, v.rep = append(v.def, 0), append(v.rep, 0)
		return nil
	}
	for again := int16(0); len(value) > 0; again = 1 {
		element, rest, err := cutBytes(value)
		if err != nil {
			return err
		}
		v.def, v.rep, v.bytes = append(v.def, elementLevel), append(v.rep, again), append(v.bytes, v.keep(element))
		value = rest
	}
	return nil
}

// keep gives the same bytes for the same name: the column's statistics keep views of them.
func (v *values) keep(name []byte) parquet.ByteArray {
	kept, ok := v.kept[string(name)]
	if !ok {
		if v.kept == nil || len(v.kept) > 1<<16 {
			v.kept = make(map[string]parquet.ByteArray)
		}
		kept = bytes.Clone(name)
		v.kept[string(name)] = kept
	}
	return kept
}

// rowGroup is a row group that is being written. Its columns have buffers of their own, so that they can be written at
// once.
type rowGroup struct {
	writer file.BufferedRowGroupWriter
	names  []*nameColumn // by column; nil for one that is not written through its dictionary
}

// nameColumn is a column of few texts, as numbers of a dictionary: most rows have that of the row before, so that telling them
// apart here takes a tenth of the time that the library's encoder does.
type nameColumn struct {
	codes map[string]int32
	words *array.StringBuilder
	rows  *array.Int32Builder
	last  string
	code  int32
}

func newRowGroup(w *file.Writer, b *block) *rowGroup {
	g := &rowGroup{writer: w.AppendBufferedRowGroup(), names: make([]*nameColumn, len(b.columns))}
	for i := range b.columns {
		if b.columns[i].few {
			g.names[i] = &nameColumn{
				codes: make(map[string]int32), code: -1,
				words: array.NewStringBuilder(memory.DefaultAllocator), rows: array.NewInt32Builder(memory.DefaultAllocator),
			}
		}
	}
	return g
}

// write appends a block.
func (g *rowGroup) write(b *block, parallel int) error {
	return each(len(b.columns), parallel, func(c int) error {
		if n := g.names[c]; n != nil {
			n.add(b.columns[c].bytes)
			return nil
		}
		w, err := g.writer.Column(c)
		if err != nil {
			return err
		}
		return b.columns[c].writeTo(w)
	})
}

// close writes what is left. Pages are compressed at once, and then put into the file in the order of the columns.
// Statistics are off for the columns of few texts: arrow v15's would be wrong for what is written by numbers.
func (g *rowGroup) close(parallel int) error {
	err := each(len(g.names), parallel, func(c int) error {
		w, err := g.writer.Column(c)
		if err != nil {
			return err
		}
		n := g.names[c]
		if n != nil {
			if err := n.writeTo(w.(*file.ByteArrayColumnChunkWriter)); err != nil {
				return err
			}
		}
		page, ok := w.(interface {
			FlushCurrentPage() error       // which stays in memory before that of the dictionary,
			FlushBufferedDataPages() error // and which is of no use there
		})
		switch {
		case !ok || w.Properties().DictionaryEnabledPath(w.Descr().ColumnPath()) && n == nil:
			return nil
		case n != nil:
			return guard(page.FlushCurrentPage)
		}
		return guard(page.FlushBufferedDataPages)
	})
	if err != nil {
		return err
	}
	return guard(g.writer.Close)
}

func (n *nameColumn) add(texts []parquet.ByteArray) {
	n.rows.Reserve(len(texts))
	for _, t := range texts {
		if n.code < 0 || string(t) != n.last {
			code, ok := n.codes[string(t)]
			if !ok {
				code = int32(len(n.codes))
				n.codes[string(t)] = code
				n.words.Append(string(t))
			}
			n.last, n.code = string(t), code
		}
		n.rows.UnsafeAppend(n.code)
	}
}

func (n *nameColumn) writeTo(w *file.ByteArrayColumnChunkWriter) error {
	encoder, ok := w.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
	if !ok {
		return fmt.Errorf("column %q has no dictionary", w.Descr().Path())
	}
	words, rows := n.words.NewArray(), n.rows.NewArray()
	defer words.Release()
	defer rows.Release()
	if err := encoder.PutDictionary(words); err != nil {
		return err
	}
	return w.WriteDictIndices(rows, nil, nil)
}

// each calls do for 0 to n-1, on so many goroutines.
func each(n, parallel int, do func(int) error) error {
	var next atomic.Int64
	errs := make([]error, parallel)
	work := func(i int) {
		for errs[i] == nil {
			c := int(next.Add(1)) - 1
			if c >= n {
				return
			}
			errs[i] = do(c)
		}
	}
	var group sync.WaitGroup
	for i := range parallel - 1 {
		group.Go(func() { work(i) })
	}
	work(parallel - 1)
	group.Wait()
	return errors.Join(errs...)
}

// writeTo appends the values to a column.
func (v *values) writeTo(w file.ColumnChunkWriter) (err error) {
	switch w := w.(type) {
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(v.bools, nil, nil)
	case *file.Int32ColumnChunkWriter:
		_, err = w.WriteBatch(v.int32, v.levels(), nil)
	case *file.Int64ColumnChunkWriter:
		_, err = w.WriteBatch(v.int64, v.levels(), nil)
	case *file.ByteArrayColumnChunkWriter:
		if v.kind == texts {
			_, err = w.WriteBatch(v.bytes, v.def, v.rep)
		} else {
			_, err = w.WriteBatch(v.bytes, nil, nil)
		}
	default:
		err = fmt.Errorf("no column of %s is foreseen", w.Type())
	}
	return err
}

// levels are the definition levels, or nil where the column is never null.
func (v *values) levels() []int16 {
	if kinds[v.kind].nullable {
		return v.def
	}
	return nil
}

// guard turns a panic of the Parquet library into an error: when reading it trusts its input.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged Parquet: %v", p)
		}
	}()
	return f()
}
