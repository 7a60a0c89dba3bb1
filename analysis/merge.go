package analysis

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// ErrOtherScan says that some of the datasets are shards, and not all are shards of one scan.
var ErrOtherScan = errors.New("not shards of one scan")

// Merge makes one dataset in dir of several.
//
// If their runs are shards of one scan, it has one run, which is that scan; its manifest lists the shards, and
// record.Manifest.Missing those that are not there. Neither rows nor bytes depend on the order of the datasets. If no run
// is a shard, the dataset has all of them, numbered in the order of the datasets. What is between these is an ErrOtherScan
// that says what differs, unless apart is set: then shards too are kept apart, as runs.
//
// Rows are checked against the digests of their datasets. After an error, or when ctx is done, dir is as it was before.
func Merge(ctx context.Context, datasets []*Dataset, dir string, apart bool, o Options) (*Dataset, error) {
	if err := distinctDirs(datasets, dir); err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	m, err := planMerge(datasets, apart)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	o.Observed, o.ASes = false, nil // rows that are finished keep what they have
	b, err := Create(dir, o)
	if err != nil {
		return nil, err
	}
	b.finished = true
	p := b.Partition(1)
	for _, from := range m.from {
		if err := p.take(ctx, from); err != nil {
			return nil, errors.Join(err, b.Abort())
		}
	}
	d, err := b.Close(ctx, m.runs)
	var twice *twiceError
	if errors.As(err, &twice) && len(m.runs) == 1 {
		return nil, m.blame(ctx, twice.service)
	}
	return d, err
}

// distinctDirs refuses a dataset that is named twice, or that would be written over.
func distinctDirs(datasets []*Dataset, dir string) error {
	if len(datasets) == 0 {
		return errors.New("no dataset to merge")
	}
	out, _ := os.Stat(dir) // which may not be there
	infos := make([]os.FileInfo, len(datasets))
	for i, d := range datasets {
		var err error
		if infos[i], err = os.Stat(d.dir); err != nil {
			return err
		}
		if out != nil && os.SameFile(out, infos[i]) {
			return fmt.Errorf("%s is one of the datasets that are merged: name another directory for the result", dir)
		}
		for j := range i {
			if os.SameFile(infos[j], infos[i]) {
				return fmt.Errorf("%s and %s are the same dataset", datasets[j].dir, d.dir)
			}
		}
	}
	return nil
}

// merging is what goes where.
type merging struct {
	runs []*record.Manifest // of the merged dataset
	from []mergedFrom       // in the order in which their rows come
}

// mergedFrom is a dataset, and the numbers that its runs get.
type mergedFrom struct {
	*Dataset
	numbers []int
}

// origin is one run of one of the datasets.
type origin struct {
	*record.Manifest
	name string
}

// planMerge decides by the manifests whether runs become one scan.
func planMerge(datasets []*Dataset, apart bool) (*merging, error) {
	m := new(merging)
	var origins []origin
	shards := 0
	for _, d := range datasets {
		from := mergedFrom{Dataset: d}
		for i, run := range d.header.Runs {
			o := origin{run, d.dir}
			if len(d.header.Runs) > 1 {
				o.name = fmt.Sprintf("run %d of %s", i, d.dir)
			}
			if run.IsShard() {
				shards++
			}
			from.numbers = append(from.numbers, len(m.runs))
			m.runs = append(m.runs, run)
			origins = append(origins, o)
		}
		m.from = append(m.from, from)
	}
	if len(m.runs) > 1<<16 {
		return nil, fmt.Errorf("%d runs are more than a dataset has numbers for, %d", len(m.runs), 1<<16)
	}
	if err := nothingTwice(origins); err != nil {
		return nil, err
	}
	if shards == 0 || apart {
		return m, nil
	}
	if err := oneScan(origins); err != nil {
		return nil, err
	}
	whole, err := record.JoinShards(m.runs)
	if err != nil {
		return nil, err
	}
	m.runs = []*record.Manifest{whole}
	for _, from := range m.from {
		clear(from.numbers)
	}
	// Rows that are equal in all that they are sorted by stay in the order of the shards.
	slices.SortStableFunc(m.from, func(a, b mergedFrom) int { return cmp.Compare(a.firstShard(), b.firstShard()) })
	return m, nil
}

func (d *Dataset) firstShard() uint64 {
	first := d.header.Runs[0].Recorded()[0].Sample.Shard
	for _, run := range d.header.Runs {
		first = min(first, run.Recorded()[0].Sample.Shard)
	}
	return first
}

// nothingTwice refuses two datasets, or runs of them, that are of the same record: their manifests are the same.
func nothingTwice(origins []origin) error {
	names := make(map[string]string)
	for _, o := range origins {
		for _, r := range o.Recorded() {
			text, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			if other, ok := names[string(text)]; ok {
				return fmt.Errorf("%s and %s are%s of the same record", other, o.name, shardName(r))
			}
			names[string(text)] = o.name
		}
	}
	return nil
}

// shardName is what to call a record that is a shard of a scan, with a blank before it.
func shardName(m *record.Manifest) string {
	if !m.IsShard() {
		return ""
	}
	return fmt.Sprintf(" shard %d/%d", m.Sample.Shard, m.Sample.Shards)
}

// oneScan refuses what are not distinct shards of one scan.
func oneScan(origins []origin) error {
	at := slices.IndexFunc(origins, func(o origin) bool { return o.IsShard() })
	first := origins[at]
	names := make(map[uint64]string)
	for _, o := range origins {
		if err := first.OneScan(o.Manifest); err != nil {
			return fmt.Errorf("%s and %s are %w: of %s, %w", first.name, o.name, ErrOtherScan, o.name, err)
		}
		for _, r := range o.Recorded() {
			number := r.Sample.Shard
			if other, ok := names[number]; ok {
				return fmt.Errorf("%s and %s are %w: both are%s", other, o.name, ErrOtherScan, shardName(r))
			}
			names[number] = o.name
		}
	}
	return nil
}

// take adds the rows of a finished dataset, with the numbers that their runs get.
func (p *Partition) take(ctx context.Context, from mergedFrom) error {
	number := func(run *int) error {
		if *run >= len(from.numbers) {
			return fmt.Errorf("analysis: %s: a row is of run %d; %s has %d", from.dir, *run, headerFile, len(from.numbers))
		}
		*run = from.numbers[*run]
		return nil
	}
	return p.takeChanged(ctx, from.Dataset, func(a *attempt) error { return number(&a.Run) }, func(s *service) error { return number(&s.Run) })
}

// takeChanged adds the rows of a finished dataset, each after a change.
func (p *Partition) takeChanged(ctx context.Context, from *Dataset, changeAttempt func(*attempt) error, changeService func(*service) error) error {
	err := take(ctx, p, from, attempts, from.header.Attempts, func() attempt { return attempt{Attempt: new(session.Attempt)} }, changeAttempt)
	if err != nil {
		return err
	}
	return take(ctx, p, from, services, from.header.Services, func() service { return service{Service: new(session.Service)} }, changeService)
}

// take adds the rows of one table, each after a change, and checks that they were those which the table's digest is of.
func take[R any](ctx context.Context, p *Partition, from *Dataset, t *table[R], h tableHeader, empty func() R, change func(*R) error) error {
	var sum Digest
	var canonical []byte
	err := eachRow(ctx, from, t, h, empty, func(row *R) (err error) {
		if canonical, err = t.appendRow(canonical[:0], row); err != nil {
			return err
		}
		sum.add(canonical)
		if err := change(row); err != nil {
			return err
		}
		return add(p, t, row)
	})
	if err == nil && sum != h.Digest {
		err = fmt.Errorf("analysis: %s: the rows of the table of %s are not those that %s has the digest of", from.dir, t.name, headerFile)
	}
	return err
}

// twiceError is about a service that has two rows in one run.
type twiceError struct{ service netip.AddrPort }

func (e *twiceError) Error() string { return fmt.Sprintf("service %v is there twice", e.service) }

// once passes on rows of which there may be one for each service and run.
type once struct {
	source
	last [21]byte // family, address, port, run
	some bool
}

// next implements source.
func (o *once) next() (entry, error) {
	e, err := o.source.next()
	if err != nil {
		return nil, err
	}
	k := e.key()[:len(o.last)]
	if o.some && bytes.Equal(k, o.last[:]) {
		return nil, &twiceError{serviceOf(e.key())}
	}
	o.some = true
	copy(o.last[:], k)
	return e, nil
}

// blame finds out which datasets have a service that only one of them may have.
func (m *merging) blame(ctx context.Context, service netip.AddrPort) error {
	var dirs []string
	for _, from := range m.from {
		err := from.EachService(ctx, func(s *session.Service, _ int) error {
			if s.Service == service {
				dirs = append(dirs, from.dir)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("analysis: the datasets are not disjoint: service %v is in %s", service, strings.Join(dirs, ", "))
}
