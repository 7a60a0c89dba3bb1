package analysis

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"

	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/session"
)

// AttemptsAt returns the attempts at a service, in their order. It reads few row groups, however many the table has.
func (d *Dataset) AttemptsAt(ctx context.Context, at netip.AddrPort) (list []*session.Attempt, err error) {
	err = rowsAt(ctx, d, attempts, d.header.Attempts, at, func() attempt { return attempt{Attempt: new(session.Attempt)} }, func(a *attempt) error {
		list = append(list, a.Clone())
		return nil
	})
	return list, err
}

// ServicesAt returns the rows of a service: one for each run that found it. It reads few row groups, however many the table has.
func (d *Dataset) ServicesAt(ctx context.Context, at netip.AddrPort) (list []*session.Service, err error) {
	err = rowsAt(ctx, d, services, d.header.Services, at, func() service { return service{Service: new(session.Service)} }, func(s *service) error {
		list = append(list, s.Clone())
		return nil
	})
	return list, err
}

// rowsAt calls row for those of a table that are of a service.
func rowsAt[R any](ctx context.Context, d *Dataset, t *table[R], h tableHeader, at netip.AddrPort, empty func() R, row func(*R) error) error {
	for _, p := range h.Parts {
		path := filepath.Join(d.dir, p.Name)
		rows := rowReader[R]{table: t, empty: empty, row: row, names: make(map[string]string)}
		if err := rows.partAt(ctx, path, at); err != nil {
			return fmt.Errorf("analysis: %s: %w", path, err)
		}
	}
	return nil
}

// partAt goes through the row groups that may have rows of a service. A part's rows are in the order of services.
func (r *rowReader[R]) partAt(ctx context.Context, path string, at netip.AddrPort) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var keys, all partReader
	err = guard(func() error { return keys.open(f, r.table.shape(), []string{"addr", "port"}, false) })
	if err == nil {
		err = guard(func() error { return all.open(f, r.table.shape(), nil, false) })
	}
	if err != nil {
		return fmt.Errorf("not such a table: %w", err)
	}
	groups := keys.file.ParquetReader().NumRowGroups()
	first := max(0, sort.Search(groups, func(group int) bool {
		if err != nil || ctx.Err() != nil {
			return true
		}
		var order int
		_, _, order, err = keys.rowsAt(group, at)
		return order >= 0
	})-1)
	for group := first; group < groups && err == nil; group++ {
		if err = ctx.Err(); err != nil {
			break
		}
		var from, to, order int
		if from, to, order, err = keys.rowsAt(group, at); err != nil || order > 0 {
			break
		}
		if from == to {
			continue
		}
		rec, problem := all.group(group)
		if err = problem; err == nil {
			err = r.add(rec.NewSlice(int64(from), int64(to)))
		}
	}
	return err
}

// rowsAt returns which rows of a row group are of a service, and how its first row's service compares with that.
func (r *partReader) rowsAt(group int, at netip.AddrPort) (from, to, order int, err error) {
	rec, err := r.group(group)
	if err != nil {
		return 0, 0, 0, err
	}
	addrs, ports := rec.Column(0).(*array.String), rec.Column(1).(*array.Uint16)
	compare := func(row int) int {
		addr, problem := netip.ParseAddr(addrs.Value(row))
		if problem != nil {
			err = fmt.Errorf("column %q: %w", "addr", problem)
		}
		return cmp.Or(addr.Compare(at.Addr()), cmp.Compare(ports.Value(row), at.Port()))
	}
	n := int(rec.NumRows())
	if n == 0 {
		return 0, 0, 0, nil
	}
	from = sort.Search(n, func(row int) bool { return compare(row) >= 0 })
	to = sort.Search(n, func(row int) bool { return compare(row) > 0 })
	return from, to, compare(0), err
}
