package iceberg

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Clearer = (*Writer)(nil)

// Clear takes rows of earlier commits away, by an equality delete of the first columns of the key
// alone: it reaches all data files of a lower sequence number, and none of those that its own
// commit adds.
func (w *Writer) Clear(ctx context.Context, key ...string) error {
	ctx = w.sink.shared(ctx)
	if err := w.clear(ctx, key); err != nil {
		return advise(fmt.Errorf("clear %s: %w", w.name(), err))
	}
	return nil
}

func (w *Writer) clear(ctx context.Context, key []string) error {
	if err := w.settled(ctx); err != nil {
		return err
	}
	switch {
	case w.fold == nil || len(key) > len(w.src.Key):
		return w.tableError(w.noKey())
	case len(w.staged) > 0 || w.fold.active:
		return errors.New("rows are staged already")
	case w.pos == "":
		return nil // nothing is there
	}
	w.cleared = len(key)
	f, err := w.open(ctx, clearContent)
	if err != nil {
		return err
	}
	columns := make([]arrow.Array, len(key))
	for i, text := range key {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Append(text)
		columns[i] = b.NewArray()
		defer columns[i].Release()
	}
	if err := f.rows(columns, span{0, 1}); err != nil {
		f.abort()
		return err
	}
	return stageFile(ctx, f)
}
