package mem

import (
	"context"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A kept is what survives of stock that was staged and not committed.
type kept struct {
	shape   *schema.Table
	note    string
	origins []int
	changes []change // rows of the origins
}

var _ writer.Keeper = (*tableWriter)(nil)

// Kept tells what an earlier writer has kept.
func (w *tableWriter) Kept() writer.Kept {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	k := w.tab.kept
	if k == nil || w.tab.pos != "" && !w.replace || !sameShape(k.shape, w.table) || w.table.Since(k.shape.Shape()) != "" {
		return writer.Kept{}
	}
	return writer.Kept{Note: k.note, Origins: slices.Sorted(slices.Values(k.origins)), Rows: int64(len(k.changes))}
}

// Keep begins to keep.
func (w *tableWriter) Keep(ctx context.Context, note string) error {
	known := w.Kept().Note
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if err := w.check(ctx); err != nil {
		return err
	}
	switch {
	case note == "":
		w.tab.kept, w.stage.changes = nil, nil
	case note == known:
		w.stage.changes = slices.Clone(w.tab.kept.changes)
	default:
		w.tab.kept = &kept{shape: w.table, note: note}
	}
	return nil
}

// Whole keeps the rows of an origin.
func (w *tableWriter) Whole(ctx context.Context, origin int) error {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	if err := w.check(ctx); err != nil || w.tab.kept == nil {
		return err
	}
	k := w.tab.kept
	k.origins = append(k.origins, origin)
	for _, c := range w.stage.changes {
		if c.origin == origin {
			k.changes = append(k.changes, c)
		}
	}
	return nil
}

// Tag notes what the next commit is of.
func (w *tableWriter) Tag(tag string) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	w.tag = tag
}

// Tagged returns what the last commit was of.
func (w *tableWriter) Tagged() string {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	return w.tab.tagged
}
