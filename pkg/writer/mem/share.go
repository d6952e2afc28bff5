package mem

import (
	"context"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Sharer = (*tableWriter)(nil)

// Share lets others commit to the table meanwhile.
func (w *tableWriter) Share(merge func(held, known, next batch.Position) (batch.Position, error)) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	w.merge = merge
}

// next returns the position that the table is to hold after a commit, if there may be one.
// It must run with the state locked.
func (w *tableWriter) next(ctx context.Context, pos batch.Position) (batch.Position, error) {
	if err := w.check(ctx); err != nil {
		return "", err
	}
	w.settle()
	if w.merge == nil {
		return pos, nil
	}
	merged, err := w.merge(w.tab.pos, w.known, pos)
	if err != nil {
		w.fenced = err
		return "", err
	}
	if w.tab.columns != nil && !w.replace { // which another may have given other columns
		if w.columns, err = evolve(w.tab.columns, w.table, true); err != nil {
			return "", hint.Transient(fmt.Errorf("another run has changed the table's shape: %w", err))
		}
	}
	return merged, nil
}
