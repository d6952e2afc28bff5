package reader

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Feed is a log in parts, such as the partitions of topics, that any number of
// processes share among them. Its tables turn up as it is read. Each change of a row is
// in the same part, in order; between parts there is none.
type Feed interface {
	// Take returns the parts that this process is to read now, and waits until there
	// are any. There is one Share at a time.
	Take(ctx context.Context) (Share, error)
	Close() error
}

// A Share is some parts of a Feed. A position says, for each part, how far its changes
// are through; that of a Share's Reader is of its own parts alone.
type Share interface {
	// Owns returns nil if a position that a sink holds is one in this Feed, else why not.
	Owns(pos batch.Position) error
	// Begun reports whether a position says of each of the Share's parts how far it is through.
	Begun(pos batch.Position) bool
	// Changes reads what follows the positions that tables hold. Its Reader is that of a
	// Log. A Table that turns up, or is met in another shape, comes as a *schema.Table of
	// its own, in a batch without rows first, and the batch before that had a Pos.
	//
	// The Reader ends with ErrMoved once parts are to be given up or taken on: all that
	// came with a Pos may be committed, and then the Share has to be closed soon, for
	// others wait. It ends with io.EOF once all the parts have come to where the Feed was
	// to end, and has ErrPurged where a part no longer holds what follows.
	Changes(ctx context.Context, sink FeedSink) (Reader, error)
	// Merge returns what a table is to hold, as writer.Sharer asks: held with the
	// Share's own parts taken from next. It fails if another process has moved one of
	// them since known.
	Merge(held, known, next batch.Position) (batch.Position, error)
	// Headroom is that of a Log, of the Share's own parts.
	Headroom(ctx context.Context, pos batch.Position) (Headroom, error)
	// Showing returns a position as that of a table whose rows were read from a Stock at a point
	// that may lie behind it. Changes then drops those that the point has, where both tell their
	// transactions, and has Inserts as Afters as long as they may be there already.
	Showing(pos, stock batch.Position) batch.Position
	// Redone returns a position as that of a table some of whose rows were read from a Stock later,
	// as Showing does of one all of whose rows were; was is what the table held before.
	Redone(pos, was batch.Position) batch.Position
	// Passed reports whether held is a position that whoever follows the table from a position comes
	// to: nobody has redone the table meanwhile.
	Passed(held, from batch.Position) (bool, error)
	// End is where the Share's parts end now, but for what is not committed there yet.
	End(ctx context.Context) (batch.Position, error)
	// Committed says that all tables hold pos, for those who watch the Feed alone.
	Committed(pos batch.Position)
	// Close gives the parts up.
	Close() error
}

// A FeedSink is what a Share is to know of where its changes go.
type FeedSink struct {
	// Held has the tables that hold a position, by their names as schema.Table.String. One
	// that turns up and is not among them has none of its changes yet.
	Held map[string]Held
	// Want returns a table as it is to be in batches, or nil if its changes are not wanted.
	// The table takes all that messages have brought so far, Held.Shape included.
	Want func(*schema.Table) (*schema.Table, error)
	// Only says that no other tables than those of Held are wanted: nothing is read for others.
	Only bool
	// Until, if set, is where the parts end that it tells, as End has returned it, wherever the
	// Feed ends.
	Until batch.Position
}

// Held is what a sink holds of a table.
type Held struct {
	Position batch.Position
	Shape    string // schema.Table.Shape as of then; "" if not known
}

// ErrMoved says that a Share is no longer what it was.
var ErrMoved = errors.New("parts of the log change hands")

// ErrOvertaken says that another process has read what this one has.
var ErrOvertaken = errors.New("another process has committed what follows")

// ErrRedone is the ErrOvertaken of one that has made rows of the table anew, and does not go on.
var ErrRedone = fmt.Errorf("its rows were redone: %w", ErrOvertaken)
