package analysis

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// batch is the rows that a fold is given, with its columns by their names. The first column that is missing, or of
// another type than the fold reads, is kept as the error.
type batch struct {
	arrow.Record
	err error
}

// rows is the number of rows, 0 once there is an error: the columns are as long.
func (b *batch) rows() int {
	if b.err != nil {
		return 0
	}
	return int(b.NumRows())
}

// readColumn gives a column as an array of the type that the fold reads, and a nil one after an error.
func readColumn[A arrow.Array](b *batch, name string) A {
	var none A
	if b.err != nil {
		return none
	}
	at := b.Schema().FieldIndices(name)
	if len(at) != 1 {
		b.err = fmt.Errorf("analysis: the batch has %d columns %q", len(at), name)
		return none
	}
	column, ok := b.Column(at[0]).(A)
	if !ok {
		b.err = fmt.Errorf("analysis: column %q is %s, not what a fold reads as %T", name, b.Column(at[0]).DataType(), none)
	}
	return column
}

// codes is a column of names, as integers that do not change from batch to batch.
type codes struct {
	of      []int // the code of each name of the batch's dictionary
	indices []int32
}

// at is the code of a row.
func (c codes) at(row int) int { return c.of[c.indices[row]] }

// readCodes gives a column of names, asking for the code of each name once a batch, and not once a row.
func readCodes(b *batch, name string, code func(string) (int, error)) codes {
	var c codes
	column := readColumn[*array.Dictionary](b, name)
	if b.err != nil {
		return c
	}
	texts, areTexts := column.Dictionary().(*array.String)
	indices, areIndices := column.Indices().(*array.Int32)
	if !areTexts || !areIndices || column.NullN() > 0 {
		b.err = fmt.Errorf("analysis: column %q is %s with %d nulls, not dictionary<values=utf8, indices=int32> without",
			name, column.DataType(), column.NullN())
		return c
	}
	c.indices = indices.Int32Values()
	for i := range texts.Len() {
		n, err := code(texts.Value(i))
		if err != nil {
			b.err = fmt.Errorf("analysis: column %q: %w", name, err)
			return c
		}
		c.of = append(c.of, n)
	}
	return c
}

// names numbers the names that it is asked for, from 0.
type names struct {
	list  []string
	known map[string]int
}

// number is the number of a name, a new one if it has none. There is never an error: it is a code of readCodes.
func (n *names) number(name string) (int, error) {
	i, ok := n.known[name]
	if !ok {
		if n.known == nil {
			n.known = make(map[string]int)
		}
		i = len(n.list)
		n.list, n.known[name] = append(n.list, name), i
	}
	return i, nil
}

// numbers gives the number of each name that others have numbered.
func (n *names) numbers(others *names) []int {
	list := make([]int, len(others.list))
	for i, name := range others.list {
		list[i], _ = n.number(name)
	}
	return list
}

func stateCode(name string) (int, error) {
	var s session.State
	err := s.UnmarshalText([]byte(name))
	return int(s), err
}

func visitCode(name string) (int, error) {
	var v session.Visit
	err := v.UnmarshalText([]byte(name))
	return int(v), err
}

var evidenceNames = []string{
	handshake.None.String(), handshake.Weak.String(), handshake.Likely.String(), handshake.Certain.String(),
}

func evidenceCode(name string) (int, error) {
	i := slices.Index(evidenceNames, name)
	if i < 0 {
		return 0, fmt.Errorf("no evidence is called %q", name)
	}
	return i, nil
}
