// Package batch holds the one unit of data that flows through the program, and
// the column builders that readers fill it with.
package batch

import (
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An Op says what a row did.
type Op uint8

// The kinds of Op. They occur in tables with a key. Of Before and Delete the key
// alone counts: what the other columns hold is the reader's choice.
const (
	// Insert is a new row: none of its key is there.
	Insert Op = iota
	// Before is the old image of an update that changed the key, right before its
	// After. Other updates have none.
	Before
	// After is the new image of an update, or a row of which one may be there
	// already: it takes the place of any row of its key.
	After
	// Delete is the row that went, if it was there at all.
	Delete
)

// A Position is a resume point. Only the source that made it can read it; it
// is short printable text, because sinks store it beside the data.
type Position string

// MergedPrefix begins the position of a table at a sink that several of a source's are merged in.
// No source's own begins so.
const MergedPrefix = `{"merged":`

// Merged reports whether it is that of a table that several are merged in. No source can read it.
func (p Position) Merged() bool { return strings.HasPrefix(string(p), MergedPrefix) }

// Excerpt is what messages show of a position: its beginning, as it may be of thousands of bytes.
func (p Position) Excerpt() string {
	const most = 60
	if len(p) <= most {
		return string(p)
	}
	return strings.ToValidUTF8(string(p[:most]), "") + "…"
}

// A Batch is a run of rows of one table, in order. Whoever receives a Batch
// must Release it. A log's batch without a Table (and without Rows) carries Pos
// and Time alone.
type Batch struct {
	Table *schema.Table
	Rows  arrow.RecordBatch
	Ops   []Op     // one per row; nil means every row is an Insert
	Pos   Position // if set, everything up to and including this batch may be committed
	// Emptied says that the table was emptied, as by TRUNCATE, before the rows of
	// this batch, of which there may be none then.
	Emptied bool
	// Dropped says that the table was dropped at the source, and that its copy is to go. The batch
	// has no rows, and none of the table come behind it.
	Dropped bool
	// Time is when the source committed what Pos ends with, or, without Pos, the
	// last of the rows, by this machine's clock as far as the two can be compared;
	// zero if that is not known, as for stock.
	Time  time.Time
	Bytes int // what the rows weighed on the source's wire, for progress and limits
	// Origin numbers the split that the rows come from. Batches of one origin
	// arrive in key order, so a sink that keeps them together gets files with
	// narrow key ranges.
	Origin int
}

// Release gives the rows' memory back.
func (b *Batch) Release() {
	if b.Rows != nil {
		b.Rows.Release()
	}
}
