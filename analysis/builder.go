package analysis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"laserdisc/analysis/asn"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Options say what the making of a dataset may take, and how it is cut into files. They change no row and no digest, but for
// Observed and ASes.
type Options struct {
	Memory  int // bytes of rows that are held; what exceeds them waits on the disk. 0 is 512 MiB
	Workers int // that write Parquet; 0 is one for each core
	Parts   int // files of each table, to which hosts are given by their addresses' hash. 0 is 1

	// Observed says that the attempts are those that a session.Observer reports: Close gives them their numbers and makes
	// the services, and notes in the run's manifest which handshakes were said.
	Observed bool

	// ASes tells who announces the addresses of services. The runs' manifests name its file. Nil is nobody.
	ASes *asn.Table
}

// Builder makes a dataset from rows in any order. What it writes is in a temporary directory within the dataset's own,
// until Close puts it in place.
type Builder struct {
	dir, work string
	options   Options
	made      bool     // dir, by Create
	index     *os.File // or nil
	finished  bool     // the rows are those of datasets: all of them count, and a service has one in each run
	lock      *os.File
	partition struct {
		sync.Mutex
		list []*Partition
	}

	// Stale is the temporary directory of a run that was killed, which Create has removed; "" if there was none.
	Stale string
}

// workDir is the temporary directory's name.
const workDir = ".laserdisc-incomplete"

// Create starts a dataset in dir, which is made with its parents if it does not exist. If dir holds a dataset, that stays
// until Close.
func Create(dir string, o Options) (*Builder, error) {
	if o.Memory <= 0 {
		o.Memory = 512 << 20
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.Parts = max(1, o.Parts)
	if _, err := readHeader(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // commit would not know what to replace
		return nil, fmt.Errorf("analysis: %w", err)
	}
	b := &Builder{dir: dir, work: filepath.Join(dir, workDir), options: o}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		b.made = true
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	if err := b.claim(); err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	if err := b.strangers(); err != nil {
		return nil, errors.Join(fmt.Errorf("analysis: %w", err), b.Abort())
	}
	return b, nil
}

// strangers refuses a directory in which files that are of no dataset have the names of the tables.
func (b *Builder) strangers() error {
	if IsDataset(b.dir) {
		return nil
	}
	for i := range b.options.Parts {
		for _, name := range []string{attempts.fileName(i, b.options.Parts), services.fileName(i, b.options.Parts)} {
			if path := filepath.Join(b.dir, name); exists(path) {
				return fmt.Errorf("%s is there, and %s has no %s: it is somebody else's, or an earlier laserdisc's; move it, or name another directory", path, b.dir, headerFile)
			}
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// claim makes the temporary directory. The lock in it is its process's: one that nobody holds was left by a process that
// was killed.
func (b *Builder) claim() error {
	path := filepath.Join(b.work, "lock")
	if _, err := os.Stat(b.work); err == nil {
		if held(path) {
			return fmt.Errorf("%s: another process is making tables there", b.dir)
		}
		if err := b.tidy(); err != nil {
			return err
		}
		b.Stale = b.work
	}
	if err := os.Mkdir(b.work, 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err == nil {
		err = flock(f)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(b.work))
	}
	b.lock = f
	return nil
}

// replacedDir is where the header of the dataset that is being replaced is, within the temporary directory.
const replacedDir = "replaced"

// tidy removes what a process that was killed has left. If that was putting its files in place, there is no dataset: the
// parts of the old one and of the new one that are there are nobody's.
func (b *Builder) tidy() error {
	if !IsDataset(b.dir) {
		for _, dir := range []string{b.work, filepath.Join(b.work, replacedDir)} {
			h, err := readHeader(dir)
			if err != nil {
				continue // it was not that far
			}
			for _, name := range h.files() {
				_ = os.Remove(filepath.Join(b.dir, name)) // which may not be there
			}
		}
	}
	return os.RemoveAll(b.work)
}

// held reports whether a process holds the lock.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(flock(f), syscall.EWOULDBLOCK)
}

// flock takes a lock that ends with the process, where the file system has such.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOLCK) {
		return nil
	}
	return err
}

// temporary makes a file that has no name, and is gone with its process.
func (b *Builder) temporary() (*os.File, error) {
	f, err := os.CreateTemp(b.work, "rows-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Index makes the file of an index of the record, which is in the dataset's directory after Close as record.IndexFile. It is no part
// of the dataset.
func (b *Builder) Index() (io.Writer, error) {
	f, err := os.Create(filepath.Join(b.work, record.IndexFile))
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	b.index = f
	return f, nil
}

// commitIndex puts the index in the place of another record's.
func (b *Builder) commitIndex() error {
	path := filepath.Join(b.dir, record.IndexFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if b.index == nil {
		return nil
	}
	err := errors.Join(b.index.Sync(), b.index.Close())
	if err == nil {
		err = os.Rename(b.index.Name(), path)
	}
	b.index = nil
	return err
}

// Abort gives up, and leaves nothing behind but what was in the directory before.
func (b *Builder) Abort() error {
	err := b.remove()
	if b.made {
		_ = os.Remove(b.dir) // which is empty, or not ours to remove
	}
	return err
}

func (b *Builder) remove() error {
	for _, p := range b.partition.list {
		for i := range p.parts {
			p.parts[i].attempts.close()
			p.parts[i].services.close()
		}
	}
	if b.index != nil {
		_ = b.index.Close() // which is removed
		b.index = nil
	}
	if b.lock == nil {
		return nil
	}
	err := errors.Join(b.lock.Close(), os.RemoveAll(b.work))
	b.lock = nil
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// Partition takes the rows of some of the hosts, or of all. It is for one goroutine; several partitions of a dataset may
// be filled at once.
type Partition struct {
	builder   *Builder
	parts     []waiting // by the part of the tables
	part      byte      // of the scan
	run       int
	forgotten map[netip.AddrPort]byte // the attempts at these up to that part do not count
	entry     entry
}

// waiting are the rows for one part of the tables, until they are written.
type waiting struct{ attempts, services sorter }

// Partition returns a new one, of so many that there will be: they share the memory.
func (b *Builder) Partition(of int) *Partition {
	share := b.options.Memory / max(1, of) / b.options.Parts
	p := &Partition{builder: b, parts: make([]waiting, b.options.Parts)}
	for i := range p.parts {
		p.parts[i] = waiting{
			attempts: sorter{limit: share / 4 * 3, create: b.temporary},
			services: sorter{limit: share / 4, create: b.temporary},
		}
	}
	b.partition.Lock()
	defer b.partition.Unlock()
	b.partition.list = append(b.partition.list, p)
	return p
}

// Attempt adds a row. It keeps nothing of a.
func (p *Partition) Attempt(a *session.Attempt) error {
	return add(p, attempts, &attempt{a, p.run})
}

// Service adds a row. It keeps nothing of s.
func (p *Partition) Service(s *session.Service) error {
	row := service{Service: s, Run: p.run}
	if ases := p.builder.options.ASes; ases != nil {
		var err error
		if row.Origin, err = ases.Lookup(s.Service.Addr()); err != nil {
			return err
		}
	}
	return add(p, services, &row)
}

// Resumed says that the scan was resumed here. These services were probed again: the attempts at them so far do not count,
// but for those at ephemeral ports.
func (p *Partition) Resumed(unfinished []netip.AddrPort) {
	if p.forgotten == nil {
		p.forgotten = make(map[netip.AddrPort]byte)
	}
	for _, s := range unfinished {
		p.forgotten[s] = p.part
	}
	p.part++
}

func add[R any](p *Partition, t *table[R], row *R) error {
	k := t.key(row)
	e := append(p.entry[:0], k[:]...)
	e = append(e, 0, p.part, 0, 0, 0, 0)
	if t.refused(row) {
		e[entryRefused] = 1
	}
	e, err := t.appendRow(e, row)
	if err != nil {
		return fmt.Errorf("analysis: %s: %w", t.name, err)
	}
	binary.LittleEndian.PutUint32(e[entryLength:], uint32(len(e)-entryHeader))
	p.entry = e
	if err := t.sorter(&p.parts[k.part(len(p.parts))]).add(e); err != nil {
		return fmt.Errorf("analysis: %s: %w", p.builder.dir, err)
	}
	return nil
}

// counted leaves out the rows that do not count: what Resumed has told, and all but the first of several answers that
// refuse one attempt, for nothing is remembered of a target that refused.
type counted struct {
	source
	forgotten map[netip.AddrPort]byte
	last      key
	first     bool
}

// next implements source.
func (c *counted) next() (entry, error) {
	for {
		e, err := c.source.next()
		if err != nil {
			return nil, err
		}
		if len(c.forgotten) > 0 && session.Visit(visitOf(e.key())) != session.Ephemeral {
			if part, ok := c.forgotten[serviceOf(e.key())]; ok && e.part() <= part {
				continue
			}
		}
		again := c.first && sameAttempt(e.key(), c.last[:])
		c.last, c.first = key(e.key()), true
		if again && e.refused() {
			continue
		}
		return e, nil
	}
}

// Close sorts the rows, writes the tables, and puts them in place with the manifests of the runs that they are of, in the
// order of the numbers in the column run. After an error, or when ctx is done, the directory is as it was before.
func (b *Builder) Close(ctx context.Context, runs []*record.Manifest) (*Dataset, error) {
	if ases := b.options.ASes; ases != nil {
		for _, m := range runs {
			m.PrefixToAS = &record.PrefixToAS{File: ases.File(), SHA256: ases.SHA256()}
		}
	}
	h := header{Format: Format, Runs: runs}
	var through func(source) source
	var o *observed
	if b.options.Observed {
		o = newObserved(b.Partition(1))
		through = func(src source) source { o.source = src; return o }
	}
	var throughServices func(source) source
	if b.finished {
		throughServices = func(src source) source { return &once{source: src} }
	}
	var err error
	if h.Attempts, err = b.writeTable(ctx, attempts, through); err == nil {
		h.Services, err = b.writeTable(ctx, services, throughServices)
	}
	if o != nil && err == nil {
		o.describe(runs[0])
		runs[0].Counters.Services = h.Services.Rows
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = b.commit(&h)
	}
	if err != nil {
		return nil, errors.Join(err, b.Abort())
	}
	if err := b.remove(); err != nil {
		return nil, err
	}
	return &Dataset{dir: b.dir, header: h}, nil
}

// writeTable writes one table of all partitions, part by part: each keeps all workers busy.
func (b *Builder) writeTable(ctx context.Context, t tableWriter, through func(source) source) (h tableHeader, err error) {
	forgotten := make(map[netip.AddrPort]byte)
	for _, p := range b.partition.list {
		for s, part := range p.forgotten {
			forgotten[s] = part
		}
	}
	for i := range b.options.Parts {
		name := t.fileName(i, b.options.Parts)
		var sorters []*sorter
		for _, p := range b.partition.list {
			sorters = append(sorters, t.sorterIn(&p.parts[i]))
		}
		src, err := sorted(ctx, sorters, b.options.Memory/4)
		var p part
		if err == nil {
			if !b.finished {
				src = &counted{source: src, forgotten: forgotten}
			}
			if through != nil {
				src = through(src)
			}
			p, err = b.writePart(ctx, t, name, src)
		}
		for _, s := range sorters {
			s.close()
		}
		if err != nil {
			return h, fmt.Errorf("analysis: %s: %w", filepath.Join(b.dir, name), err)
		}
		h.Rows += p.rows
		h.Digest.Add(p.digest)
		h.Parts = append(h.Parts, partHeader{Name: name, Rows: p.rows, Digest: p.digest, SHA256: p.sha256})
	}
	return h, nil
}

// tableWriter is a table of whatever rows.
type tableWriter interface {
	fileName(part, of int) string
	sorterIn(*waiting) *sorter
	write(ctx context.Context, f *os.File, src source, parallel int) (part, error)
}

func (t *table[R]) fileName(part, of int) string {
	if of == 1 {
		return t.name + ".parquet"
	}
	return fmt.Sprintf("%s-%05d.parquet", t.name, part)
}

func (t *table[R]) sorterIn(w *waiting) *sorter { return t.sorter(w) }

func (b *Builder) writePart(ctx context.Context, t tableWriter, name string, src source) (p part, err error) {
	f, err := os.Create(filepath.Join(b.work, name))
	if err != nil {
		return p, err
	}
	p, err = t.write(ctx, f, src, b.options.Workers)
	if err == nil {
		err = f.Sync()
	}
	return p, errors.Join(err, f.Close())
}

// commit moves the finished files into the directory. The header goes last: a directory without one is no dataset, so that
// whoever reads, at whatever moment, finds the old dataset whole, the new one whole, or none.
func (b *Builder) commit(h *header) error {
	if err := h.write(b.work); err != nil {
		return err
	}
	replaced := filepath.Join(b.work, replacedDir)
	old, err := readHeader(b.dir)
	if err == nil {
		if err = os.Mkdir(replaced, 0o777); err == nil {
			err = os.Rename(filepath.Join(b.dir, headerFile), filepath.Join(replaced, headerFile))
		}
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	if old != nil {
		for _, name := range old.files() {
			_ = os.Remove(filepath.Join(b.dir, name)) // which may have been removed by hand
		}
	}
	if err := b.commitIndex(); err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	for _, name := range append(h.files(), headerFile) {
		if err := os.Rename(filepath.Join(b.work, name), filepath.Join(b.dir, name)); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
	}
	return syncDir(b.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every file system can
	return d.Close()
}
