package analysis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Fold runs folds over the dataset, in one pass over each table that they need. Of a service that is in several of its
// runs the rows of the first count.
func (d *Dataset) Fold(ctx context.Context, folds ...Fold) error {
	return FoldAll(ctx, []*Dataset{d}, folds...)
}

// FoldAll runs folds over several datasets, one after another. Of a service that is in several of them, or in several
// runs of one, the rows of the first count.
func FoldAll(ctx context.Context, datasets []*Dataset, folds ...Fold) error {
	for _, f := range folds {
		if f.Table() != attempts.name && f.Table() != services.name {
			return fmt.Errorf("analysis: no table is called %q", f.Table())
		}
	}
	err := foldTable(ctx, datasets, attempts.name, attempts.shape(), func(d *Dataset) tableHeader { return d.header.Attempts }, folds)
	if err != nil {
		return err
	}
	return foldTable(ctx, datasets, services.name, services.shape(), func(d *Dataset) tableHeader { return d.header.Services }, folds)
}

func foldTable(ctx context.Context, datasets []*Dataset, name string, shape []columnShape, table func(*Dataset) tableHeader, folds []Fold) error {
	var mine []Fold
	var wanted []string
	for _, f := range folds {
		if f.Table() == name {
			mine = append(mine, f)
			wanted = append(wanted, f.Columns()...)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	var parts []*partRows
	runs := 0
	for _, d := range datasets {
		runs += len(d.header.Runs)
		for _, p := range table(d).Parts {
			parts = append(parts, &partRows{path: filepath.Join(d.dir, p.Name), rows: p.Rows})
		}
	}
	if runs > 1 {
		if err := dropLater(ctx, parts, shape); err != nil {
			return err
		}
	}
	for _, p := range parts {
		rows := uint64(0)
		err := readPart(ctx, p.path, shape, wanted, true, func(batch arrow.Record) error {
			err := p.counted(rows, batch, func(batch arrow.Record) error {
				for _, f := range mine {
					if err := f.Add(batch); err != nil {
						return err
					}
				}
				return nil
			})
			rows += uint64(batch.NumRows())
			return err
		})
		if err == nil && rows != p.rows {
			err = fmt.Errorf("analysis: %s has %d rows, not the %d that %s tells of", p.path, rows, p.rows, headerFile)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// partRows is one file of a table, and which of its rows count.
type partRows struct {
	path    string
	rows    uint64
	dropped []uint64 // a bit for each row that does not, as far as the last one of them
}

func (p *partRows) drops(row uint64) bool {
	return row/64 < uint64(len(p.dropped)) && p.dropped[row/64]&(1<<(row%64)) != 0
}

// drop leaves out a row. It makes room as rows are found: the count in dataset.json may be anything.
func (p *partRows) drop(row uint64) {
	for row/64 >= uint64(len(p.dropped)) {
		p.dropped = append(p.dropped, 0)
	}
	p.dropped[row/64] |= 1 << (row % 64)
}

// counted passes on the rows of a batch that count, in stretches. The batch begins with the given row of the part.
func (p *partRows) counted(first uint64, batch arrow.Record, pass func(arrow.Record) error) error {
	if p.dropped == nil {
		return pass(batch)
	}
	n := uint64(batch.NumRows())
	for from := uint64(0); from < n; {
		to := from
		for to < n && !p.drops(first+to) {
			to++
		}
		if to > from {
			stretch := batch.NewSlice(int64(from), int64(to))
			err := pass(stretch)
			stretch.Release()
			if err != nil {
				return err
			}
		}
		for from = to; from < n && p.drops(first+from); {
			from++
		}
	}
	return nil
}

// dropLater finds the rows of services that an earlier part, or an earlier run, has too. It merges the parts by their
// services, and holds a bit for each row.
func dropLater(ctx context.Context, parts []*partRows, shape []columnShape) error {
	type stream struct {
		part *partRows
		next func() (stretch, bool)
		at   stretch
		ok   bool
	}
	var failed error
	var streams []*stream
	for _, p := range parts {
		next, stop := iter.Pull(p.services(ctx, shape, &failed))
		defer stop()
		s := &stream{part: p, next: next}
		s.at, s.ok = next()
		streams = append(streams, s)
	}
	for failed == nil {
		var first *stream // in the order of the parts, of those whose service is next
		for _, s := range streams {
			if s.ok && (first == nil || bytes.Compare(s.at.key[:], first.at.key[:]) < 0) {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		key := first.at.key
		var counts *stream
		run := 0
		for _, s := range streams {
			for ; s.ok && s.at.key == key; s.at, s.ok = s.next() {
				if counts == nil {
					counts, run = s, s.at.run
				}
				if s == counts && s.at.run == run {
					continue
				}
				for row := s.at.from; row < s.at.to; row++ {
					s.part.drop(row)
				}
			}
		}
	}
	return failed
}

// stretch is the rows of one service in one run.
type stretch struct {
	key      [19]byte // family, address, port
	run      int
	from, to uint64
}

// services gives the services of a part, in its order. What goes wrong is put into failed, and ends it.
func (p *partRows) services(ctx context.Context, shape []columnShape, failed *error) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		var s stretch
		row := uint64(0)
		var addr string
		err := readPart(ctx, p.path, shape, []string{"addr", "port", "run"}, false, func(batch arrow.Record) error {
			addrs := batch.Column(slices.Index(columnsOf(batch), "addr")).(*array.String)
			ports := batch.Column(slices.Index(columnsOf(batch), "port")).(*array.Uint16)
			runs := batch.Column(slices.Index(columnsOf(batch), "run")).(*array.Uint16)
			for i := range int(batch.NumRows()) {
				same := row > 0 && addrs.Value(i) == addr && s.key[17] == byte(ports.Value(i)>>8) && s.key[18] == byte(ports.Value(i)) && s.run == int(runs.Value(i))
				if !same {
					if row > 0 && !yield(s) {
						return stopped{errDone}
					}
					host, err := netip.ParseAddr(addrs.Value(i))
					if err != nil {
						return fmt.Errorf("row %d, column \"addr\": %w", row, err)
					}
					k := keyOf(netip.AddrPortFrom(host, ports.Value(i)), 0, 0, 0, 0)
					s = stretch{key: [19]byte(k[:19]), run: int(runs.Value(i)), from: row}
					addr = host.String()
				}
				row++
				s.to = row
			}
			return nil
		})
		if errors.Is(err, errDone) {
			return
		}
		if err == nil && row != p.rows {
			err = fmt.Errorf("analysis: %s has %d rows, not the %d that %s tells of", p.path, row, p.rows, headerFile)
		}
		if err != nil {
			*failed = err
			return
		}
		if row > 0 {
			yield(s)
		}
	}
}

var errDone = errors.New("done")

func columnsOf(batch arrow.Record) []string {
	var names []string
	for _, f := range batch.Schema().Fields() {
		names = append(names, f.Name)
	}
	return names
}
