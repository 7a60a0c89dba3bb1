package analysis

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// An entry is a row on its way to the table: its key, whether it is refused, the part of the scan that it is from, the
// length of the row, and the row's canonical bytes.
type entry []byte

const (
	entryRefused = keySize
	entryPart    = keySize + 1
	entryLength  = keySize + 2
	entryHeader  = keySize + 6
)

func (e entry) key() []byte { return e[:keySize] }
func (e entry) row() []byte { return e[entryHeader:] }
func (e entry) part() byte  { return e[entryPart] }

func (e entry) refused() bool { return e[entryRefused] != 0 }

// prefix is that of the entry's key.
func (e entry) prefix() uint64 { return (*key)(e[:keySize]).prefix() }

// arenaBlock is how much memory a sorter takes at a time, in bytes.
const arenaBlock = 1 << 20

// sorter gathers entries in memory, in any order, and writes them to a file as a sorted run when they have grown beyond
// a limit in bytes. It is for one goroutine.
type sorter struct {
	limit  int
	create func() (*os.File, error) // a temporary file without a name
	blocks [][]byte
	refs   []ref
	used   int // blocks that hold entries
	size   int // bytes in memory, those of the references included
	runs   []*os.File
	spills int
}

// runFan is how many runs of about one length become one: a sorter has a few times as many files open, however many rows
// it was given.
const runFan = 64

// ref is where an entry is in a sorter's memory.
type ref struct {
	prefix        uint64
	block, offset uint32
}

const refSize = 16

// add keeps a copy of the entry.
func (s *sorter) add(e entry) error {
	if s.size > 0 && s.size+len(e)+refSize > s.limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if s.used == 0 || cap(s.blocks[s.used-1])-len(s.blocks[s.used-1]) < len(e) {
		s.grow(len(e))
	}
	b := &s.blocks[s.used-1]
	s.refs = append(s.refs, ref{e.prefix(), uint32(s.used - 1), uint32(len(*b))})
	*b = append(*b, e...)
	s.size += len(e) + refSize
	return nil
}

// grow makes room for an entry in another block.
func (s *sorter) grow(n int) {
	if s.used == len(s.blocks) {
		s.blocks = append(s.blocks, nil)
	}
	if cap(s.blocks[s.used]) < n {
		s.blocks[s.used] = make([]byte, 0, max(min(arenaBlock, s.limit), n))
	}
	s.blocks[s.used] = s.blocks[s.used][:0]
	s.used++
}

func (s *sorter) at(r ref) entry {
	b := s.blocks[r.block][r.offset:]
	return entry(b[:entryHeader+binary.LittleEndian.Uint32(b[entryLength:])])
}

// sort puts the references in order. Entries of equal keys stay in the order in which they came.
func (s *sorter) sort() {
	slices.SortFunc(s.refs, func(a, b ref) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(bytes.Compare(s.at(a).key(), s.at(b).key()), cmp.Compare(a.block, b.block), cmp.Compare(a.offset, b.offset))
	})
}

// spill writes what is in memory to a file of its own, sorted, and forgets it.
func (s *sorter) spill() error {
	s.sort()
	f, err := s.create()
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	w := bufio.NewWriterSize(f, 256<<10)
	for _, r := range s.refs {
		if _, err := w.Write(s.at(r)); err != nil {
			return err
		}
	}
	s.refs, s.used, s.size = s.refs[:0], 0, 0
	if err := w.Flush(); err != nil {
		return err
	}
	s.spills++
	for n := s.spills; n%runFan == 0; n /= runFan {
		if err := s.shorten(context.Background(), len(s.runs)-runFan, runFan); err != nil {
			return err
		}
	}
	return nil
}

// close gives up the files of the runs, which have no names.
func (s *sorter) close() {
	for _, f := range s.runs {
		_ = f.Close() // only read, and gone with it
	}
	s.runs, s.blocks, s.refs, s.used, s.size, s.spills = nil, nil, nil, 0, 0, 0
}

// A source gives entries in order.
type source interface {
	// next returns io.EOF at the end. The entry is valid until the next call.
	next() (entry, error)
}

// memorySource gives what a sorter holds in memory.
type memorySource struct {
	s *sorter
	i int
}

func (m *memorySource) next() (entry, error) {
	if m.i == len(m.s.refs) {
		return nil, io.EOF
	}
	m.i++
	return m.s.at(m.s.refs[m.i-1]), nil
}

// runSource reads a run back.
type runSource struct {
	r    *bufio.Reader
	last int // bytes of the entry given out, which is still in the reader
	long []byte
}

func newRunSource(f *os.File, buffer int) (*runSource, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &runSource{r: bufio.NewReaderSize(f, buffer)}, nil
}

func (s *runSource) next() (entry, error) {
	if _, err := s.r.Discard(s.last); err != nil {
		return nil, err
	}
	s.last = 0
	head, err := s.r.Peek(entryHeader)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	n := entryHeader + int(binary.LittleEndian.Uint32(head[entryLength:]))
	if n > s.r.Size() {
		s.long = slices.Grow(s.long[:0], n)[:n]
		_, err = io.ReadFull(s.r, s.long)
		return s.long, err
	}
	s.last = n
	e, err := s.r.Peek(n)
	return e, err
}

// merger gives the entries of several sources as one, in order. Of equal keys the earlier source's come first.
type merger struct {
	heads []head // a heap
	moved bool   // the first has been given out
}

type head struct {
	prefix uint64
	entry  entry
	source source
	number int
}

// merge starts a merger of sources, each in order.
func merge(sources []source) (*merger, error) {
	m := &merger{}
	for i, s := range sources {
		e, err := s.next()
		if err == io.EOF {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.heads = append(m.heads, head{e.prefix(), e, s, i})
	}
	heap.Init(m)
	return m, nil
}

// next implements source.
func (m *merger) next() (entry, error) {
	if m.moved {
		h := &m.heads[0]
		e, err := h.source.next()
		switch {
		case err == io.EOF:
			heap.Pop(m)
		case err != nil:
			return nil, err
		default:
			h.entry, h.prefix = e, e.prefix()
			if len(m.heads) > 1 {
				heap.Fix(m, 0)
			}
		}
	}
	if m.moved = len(m.heads) > 0; !m.moved {
		return nil, io.EOF
	}
	return m.heads[0].entry, nil
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (m *merger) Len() int { return len(m.heads) }
func (m *merger) Less(i, j int) bool {
	a, b := &m.heads[i], &m.heads[j]
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return cmp.Or(bytes.Compare(a.entry.key(), b.entry.key()), cmp.Compare(a.number, b.number)) < 0
}
func (m *merger) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merger) Push(any)      {}
func (m *merger) Pop() any {
	m.heads = m.heads[:len(m.heads)-1]
	return nil
}

// runBuffer is what the reading of a run takes, in bytes.
const runBuffer = 64 << 10

// sorted gives all entries of the sorters in order. Where there are more runs than so much memory can read at once, some
// are merged into longer ones first.
func sorted(ctx context.Context, sorters []*sorter, memory int) (source, error) {
	fan := max(memory/runBuffer, 16)
	for {
		n := 0
		var longest *sorter
		for _, s := range sorters {
			n += len(s.runs)
			if longest == nil || len(s.runs) > len(longest.runs) {
				longest = s
			}
		}
		if n <= fan || len(longest.runs) < 2 {
			break
		}
		if err := longest.shorten(ctx, 0, max(2, min(len(longest.runs), fan/2))); err != nil {
			return nil, err
		}
	}
	var sources []source
	for _, s := range sorters {
		for _, f := range s.runs {
			r, err := newRunSource(f, runBuffer)
			if err != nil {
				return nil, err
			}
			sources = append(sources, r)
		}
		s.sort()
		sources = append(sources, &memorySource{s: s})
	}
	return merge(sources)
}

// shorten merges n runs, of which the first is that at from, into one.
func (s *sorter) shorten(ctx context.Context, from, n int) error {
	var sources []source
	for _, f := range s.runs[from : from+n] {
		r, err := newRunSource(f, runBuffer)
		if err != nil {
			return err
		}
		sources = append(sources, r)
	}
	f, err := s.create()
	if err != nil {
		return err
	}
	merged, err := merge(sources)
	w := bufio.NewWriterSize(f, 256<<10)
	for i := 0; err == nil; i++ {
		var e entry
		if e, err = merged.next(); err == nil {
			_, err = w.Write(e)
		}
		if i%(1<<16) == 0 && ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("merge runs: %w", err), f.Close())
	}
	for _, old := range s.runs[from : from+n] {
		_ = old.Close() // only read, and gone with it
	}
	s.runs = slices.Replace(s.runs, from, from+n, f)
	return w.Flush()
}
