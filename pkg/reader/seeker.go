package reader

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Seeker is a Snapshot that finds rows by their keys.
type Seeker interface {
	// Seek reads those rows of t that have one of the keys, as Open reads a split, in whatever order:
	// keys has the columns of t's Key, in that order, of their Arrow types, and some thousand rows at
	// most. A key that is not there brings nothing. A row may come that nobody has asked for, where
	// the source takes its key for equal to one of them (texts in another case). Keys that the source
	// cannot have bring nothing either.
	Seek(ctx context.Context, t *schema.Table, keys arrow.RecordBatch) (Reader, error)
}
