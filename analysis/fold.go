package analysis

import "github.com/apache/arrow/go/v15/arrow"

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
