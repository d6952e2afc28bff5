package iceberg

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Sharer = (*Writer)(nil)

// A merge is what Share is given.
type merge = func(held, known, next batch.Position) (batch.Position, error)

// Share lets other runs commit to the table meanwhile, see writer.Sharer.
//
// A commit asserts the snapshot that it is built on, as any other. One that another run
// has preceded is built again, of the same data files, onto what the other has left. Its
// snapshot then has a sequence number above those of all files that are there, so that its
// deletes still reach this run's older rows; they reach none of another's, for those have
// other keys, and none of its own snapshot. Whether an attempt of unknown outcome has
// landed is told by the snapshots that the table has had since, whoever committed last.
func (w *Writer) Share(merge func(held, known, next batch.Position) (batch.Position, error)) {
	w.merge = merge
}

// maxTurns is how often a commit lets those of other runs go first before it gives up.
const maxTurns = 100

// yield counts the n-th attempt, which was a conflict: where a table is shared it was
// another run's turn, and no failure.
func yield(n int, turns *int, shared bool) int {
	if !shared || *turns == maxTurns {
		return n
	}
	*turns++
	return min(n, 3)
}

// byAnother is what is wrong with a table that was another when it was opened. Where it is
// shared, a run that has come to a later shape, or was quicker to make the table, is no
// failure: who begins anew finds out whether its rows fit.
func (w *Writer) byAnother(err error) error {
	var te *schema.TableError
	if w.merge == nil || !errors.As(err, &te) {
		return err
	}
	return hint.Transient(hint.Wrap(fmt.Errorf("another run was quicker: %w", te.Err), "run the same command again"))
}

// joinBare takes over a table that another run has made just before this one wanted to,
// if nobody has committed to it yet: who does so first decides.
func (w *Writer) joinBare(ctx context.Context, cause error) error {
	tbl, err := w.sink.cat.LoadTable(ctx, w.ident)
	if err != nil {
		return errors.Join(cause, err)
	}
	if !w.isBare(tbl) || !sameIDs(w.schema, tbl.Schema()) {
		return hint.Transient(hint.Wrap(fmt.Errorf("another run was quicker: %w", cause), "run the same command again"))
	}
	asked := w.layout
	w.note(tbl)
	if err := w.layout.same(asked, w.schema); err != nil {
		return fmt.Errorf("another run has made another table than was asked for: %w", err)
	}
	return w.storeOf(ctx, tbl)
}
