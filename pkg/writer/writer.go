// Package writer defines what a sink must offer.
package writer

import (
	"context"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Mode says what a run may find at the destination and what becomes of it.
type Mode string

// The modes of a snapshot.
const (
	// Create wants no table, or one that an earlier run of this program made:
	// it then holds a position, and what is whole is left alone.
	Create Mode = "create"
	// Append adds to a table of the same shape, or creates it. It cannot know
	// what an earlier run has added: a run repeated adds again.
	Append Mode = "append"
	// Replace exchanges the content for the new one in the commit; readers see
	// the old content until then.
	Replace Mode = "replace"
)

// A Sink is an opened destination system. Open may be called concurrently.
// Contexts hold for their call only, here and in all other methods.
type Sink interface {
	// Open readies the destination of t and discards what an earlier run staged
	// there but did not commit. Nothing becomes visible before the first Commit.
	Open(ctx context.Context, t *schema.Table, mode Mode) (Writer, error)
	Close() error
}

// A Writer stages batches of one table and publishes them atomically.
type Writer interface {
	// Position returns the position of the last commit, or "".
	Position(ctx context.Context) (batch.Position, error)
	// Write stages b without making it visible. It does not keep b: the caller
	// releases it. Batches without Ops may be written concurrently; batches
	// with Ops arrive one at a time, in order.
	Write(ctx context.Context, b *batch.Batch) error
	// Commit publishes everything staged together with pos, or nothing. With
	// nothing staged it records pos alone, but that a writer's first Commit in
	// Replace mode empties the table. A repeat after an unknown outcome, or after
	// a refusal because of its context, is safe. That the table holds pos proves
	// no earlier Commit: a source that stands still gives the same one again.
	// Commit is refused if the table has moved to another position meanwhile.
	// No Write runs at the same time.
	Commit(ctx context.Context, pos batch.Position) error
	// Close abandons what is staged.
	Close() error
}
