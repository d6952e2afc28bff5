package reader

import (
	"context"
	"errors"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ErrPurged says that a log no longer holds what follows a position.
var ErrPurged = errors.New("the log no longer holds what follows the position")

// A Log is a source that tells what changes. A position of its Stock is one of
// its own, so that changes can be read on from where a Snapshot was pinned.
type Log interface {
	// Locate returns the position that an operator names: "now" (after the last
	// change in the log), "earliest", "time:" and an RFC 3339 time (before the
	// first transaction committed then or later), and what else the source knows.
	Locate(ctx context.Context, where string) (batch.Position, error)
	// Changes reads the changes of tables behind the position that each of them
	// has, in the order of the log; what a table has already is dropped. It ends
	// with io.EOF once all transactions before until are through, or never if
	// until is "". A table at a position that is loose has its Inserts as Afters.
	// A position that the log no longer holds is ErrPurged. An error that is
	// hint.Transient may be gone when Changes is called again.
	Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (Reader, error)
	// Loosen returns a position as that of a table of which some rows may show
	// later points, as after a Loose snapshot. One that is loose already comes back
	// as it is.
	Loosen(pos batch.Position) (batch.Position, error)
	// Unlogged tells of which of the tables the log may miss changes, and why: log and
	// rows that were read at another point than the log's do not add up to their
	// content.
	Unlogged(ctx context.Context, tables []*schema.Table) (map[*schema.Table]error, error)
	// Headroom tells how a position stands to the log's two ends.
	Headroom(ctx context.Context, pos batch.Position) (Headroom, error)
}

// An Ordered is a Log whose positions can be compared.
type Ordered interface {
	// Passed reports whether held is from, or a later position.
	Passed(held, from batch.Position) (bool, error)
}

// A Herald is a Log that tells of tables that come into being while it is read, and are not among
// those that are followed: by CREATE TABLE, or under another name.
type Herald interface {
	// Find returns a selected table as it is now, or nil where there is none that could be copied.
	Find(ctx context.Context, sel Selection, db, name string) (*schema.Table, error)
	// Dropped reports whether a position is one at which a table was dropped, that of the name.
	Dropped(pos batch.Position, name string) bool
	// Doomed reports whether it was, and the table's copy is to go: that a run that tells so of
	// tables that are dropped has come that far.
	Doomed(pos batch.Position, name string) bool
	// Herald has a function called for those that are selected, from any goroutine.
	Herald(sel Selection, tell func(db, table string)) error
}

// A Namer tells which tables there are, which takes much less than to list them with all that they are.
type Namer interface {
	// Names returns the selected tables as DB.NAME, sorted. That there are none, or that a pattern
	// selects none, is no error.
	Names(ctx context.Context, sel Selection) ([]string, error)
}

// The Reader of a Log differs from that of a split in this: a batch is of any of
// the tables; one with Pos ends a transaction, and everything since the last Pos
// belongs to it and to those before it; a batch without Table says that the log
// has come as far as Pos. While the log stands still such batches come now and
// then, at least every few seconds. Read does not hold back what the source has
// committed for longer than a fraction of a second.

// A Headroom is what lies before and behind a position in a log.
type Headroom struct {
	Gone   bool          // the log no longer holds what follows the position
	Why    error         // why that is so, with a remedy, if it is not that the log is kept no longer
	AtEnd  bool          // nothing follows the position
	Behind time.Duration // since the commit of what the position ends with; 0 if AtEnd or not known
	Ahead  int64         // bytes of log from the position to its end; -1 if not known
	// Messages is how many follow the position, in a log of messages; 0 if AtEnd or not known.
	// Offsets count: transactions' marks and what was compacted away are among them.
	Messages int64
	Before   int64         // bytes of log from its start to the position, which may be purged without harm; -1 if not known
	Keep     time.Duration // how long the source keeps its log; 0 without end or not known
}

// A Loose Snapshot pins no point: its splits show points of their own, none of
// them before Position. Its content is exact once the changes from Position to
// a point after the last split was read have been applied to it. Position itself
// is loose in the sense of Log.Changes.
type Loose interface {
	Loose() bool
}
