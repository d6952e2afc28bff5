package writer

import (
	"context"
	"time"
)

// A Compactor is a Sink whose tables need upkeep: what commits leave behind grows with
// their number, and costs commits and readers ever more.
type Compactor interface {
	// Compact tends the tables that hold a position and that pick takes, one after
	// another, and tells done of each. It neither blocks other runs nor takes anything
	// from them: what it does is made on what the table was, and is given up, with a word
	// in Compacted.Left, where another's commit does not go together with it. An error of
	// one table is in its Compacted, and others go on. A repeat after whatever end is safe.
	Compact(ctx context.Context, pick func(Held) bool, o Upkeep, done func(Compacted)) error
}

// Upkeep says what Compact is to do. The zero value has the defaults of all.
type Upkeep struct {
	// DryRun tells what there is to do and does nothing.
	DryRun bool
	// Deletes is how many files of deletes have to apply to a data file so that it is
	// written anew without the rows; the default is 1. Small files are whatever applies.
	Deletes int
	// KeepFor is how long snapshots stay, from when they were made; the default is what the
	// table's own properties say, else 5 days. Negative is not at all.
	KeepFor time.Duration
	// KeepLast is how many snapshots stay however old they are; the default is what the
	// table's own properties say, else 10.
	KeepLast int
	// OrphanAge is how long ago a file has to have been written at least that is removed
	// because the table does not name it; the default is 3 days. Negative leaves all.
	OrphanAge time.Duration
}

// Compacted is what became of a table.
type Compacted struct {
	Name  string // as Held.Name
	Table string // as Held.Source
	Err   error  // why it is not as it should be
	Left  []string

	FilesBefore, FilesAfter     int // data files
	DeletesBefore, DeletesAfter int // files of deletes
	Rewritten                   int // data files that were written anew
	BytesRead, BytesWritten     int64
	RowsDropped                 int64 // deleted rows that data files no longer hold
	Manifests                   int   // that were merged into others
	Snapshots                   int   // that were expired
	Unnamed                     int   // files that nothing named any more once they were
	Orphans                     int   // files that the table did not name
	OrphanBytes                 int64
	Seconds                     float64
}
