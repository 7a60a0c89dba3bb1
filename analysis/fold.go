package analysis

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// A Fold is an analysis that sees each row of a dataset once, in the order of (address, port, attempt), and keeps a
// small summary of them: a table of the paper, the counts behind a figure. All folds of a report run in one pass.
//
// A fold declares the columns that it reads, and gets them as Arrow arrays. What has a few names (state, label,
// handshake, visit, evidence) comes as a dictionary: an integer a row, and the names once a batch.
type Fold interface {
	// Table is the table that it reads: "attempts" or "services".
	Table() string
	// Columns are the names of the columns that it reads.
	Columns() []string
	// Add takes the next rows into account. The batch is valid until Add returns. Rows of one service are next to each
	// other, but a batch may end between them.
	Add(batch arrow.Record) error
	// Merge takes into account what another fold of the same type has seen: services that this one has not. The other
	// is not used afterwards.
	Merge(other Fold) error
}

// Together is folds over one table, one at least, that see the same rows: Trials of several sets of ports.
type Together[F Fold] []F

// Table is that of the folds.
func (t Together[F]) Table() string { return t[0].Table() }

// Columns are those that any of the folds reads.
func (t Together[F]) Columns() []string {
	var all []string
	for _, f := range t {
		for _, name := range f.Columns() {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// Add has each of the folds take the rows into account.
func (t Together[F]) Add(batch arrow.Record) error {
	for _, f := range t {
		if err := f.Add(batch); err != nil {
			return err
		}
	}
	return nil
}

// Merge merges fold by fold.
func (t Together[F]) Merge(fold Fold) error {
	other, ok := fold.(Together[F])
	if !ok || len(other) != len(t) {
		return fmt.Errorf("analysis: a %T does not merge with %d of %T", fold, len(t), t)
	}
	for i, f := range t {
		if err := f.Merge(other[i]); err != nil {
			return err
		}
	}
	return nil
}
