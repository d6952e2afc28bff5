// Package reader defines what a source must offer.
package reader

import (
	"context"
	"errors"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ErrForeign says that a position is none of a source of this kind.
var ErrForeign = errors.New("of another kind of source")

// A Stock is a source whose tables have a current content. Contexts hold for
// their call only, here and in all other methods.
type Stock interface {
	// Tables lists the selected tables, sorted by name. A pattern that selects
	// nothing is an error.
	Tables(ctx context.Context, sel Selection) ([]*schema.Table, error)
	// Pin opens one point at which all the tables can be read by as many as
	// parallel Readers at once. It may offer fewer where the source does not
	// let it do better.
	Pin(ctx context.Context, tables []*schema.Table, parallel int) (Snapshot, error)
	// Owns returns nil if a position that a sink holds was made by this source,
	// else why not: the table there came from somewhere else.
	Owns(pos batch.Position) error
	// Close ends every connection to the source.
	Close() error
}

// A Snapshot is the content of some tables at one point.
type Snapshot interface {
	// Position is where a log takes over once every split is committed. It is
	// never "".
	Position() batch.Position
	// Splits cuts a table into parts that together hold every row once.
	Splits(ctx context.Context, t *schema.Table) ([]Split, error)
	// Open starts reading a split. It waits while all of the pinned readers are
	// busy; the Reader's Close frees its place, as a failed Open does itself.
	Open(ctx context.Context, s Split) (Reader, error)
	// Close gives the point up.
	Close() error
}

// A Split is an independently readable part of a table's stock. It is plain
// data, so that it can be written down and read elsewhere.
type Split struct {
	Table *schema.Table
	Range string // for the source alone; "" is the whole table
	Rows  int64  // estimate, for progress
	Seq   int    // number within the table's splits, in key order
}

// A Reader yields batches in order.
type Reader interface {
	// Read returns the next batch, which is never empty, or a bare io.EOF: one
	// within another error is a connection that broke off.
	Read(ctx context.Context) (*batch.Batch, error)
	Close() error
}
