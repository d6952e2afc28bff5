// Package batch holds the one unit of data that flows through the program, and
// the column builders that readers fill it with.
package batch

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An Op says what a row did.
type Op uint8

// The kinds of Op. A Before is sent only where the key changed or the sink asks for it.
const (
	Insert Op = iota
	Before    // old image of an update
	After     // new image of an update
	Delete
)

// A Position is a resume point. Only the source that made it can read it; it
// is short printable text, because sinks store it beside the data.
type Position string

// A Batch is a run of rows of one table, in order. Whoever receives a Batch
// must Release it.
type Batch struct {
	Table *schema.Table
	Rows  arrow.RecordBatch
	Ops   []Op     // one per row; nil means every row is an Insert
	Pos   Position // if set, everything up to and including this batch may be committed
	Bytes int      // what the rows weighed on the source's wire, for progress and limits
	// Origin numbers the split that the rows come from. Batches of one origin
	// arrive in key order, so a sink that keeps them together gets files with
	// narrow key ranges.
	Origin int
}

// Release gives the rows' memory back.
func (b *Batch) Release() { b.Rows.Release() }
