package files

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

func row(t *testing.T, w writer.Writer, table *schema.Table, values ...any) {
	t.Helper()
	b := batchtest.Build(memory.DefaultAllocator, table, []batchtest.Row{values})
	storeMust(t, w.Write(t.Context(), b))
}

// A run that has slept until its number was forgotten commits nothing.
func TestStale(t *testing.T) {
	table := batchtest.Shape("shop", "t", "id int")
	root := t.TempDir()
	open := func() *Writer {
		w, err := newSink(folders{local{root}}, "", Options{}).open(t.Context(), table, writer.Follow)
		storeMust(t, err)
		return w
	}
	first := open()
	row(t, first, table, 1)
	storeMust(t, first.Commit(t.Context(), "p1"))
	row(t, first, table, 2)
	second := open()
	for i := range 2 * keptEntries {
		storeMust(t, second.Commit(t.Context(), batch.Position(fmt.Sprint("q", i))))
	}
	if err := first.Commit(t.Context(), "p2"); !errors.Is(err, writer.ErrFenced) || hint.Of(err) == "" {
		t.Errorf("got %v (hint %q), want %v", err, hint.Of(err), writer.ErrFenced)
	}
	third := open()
	if m := third.known; m.Rows != 1 || m.Position != batch.Position(fmt.Sprint("q", 2*keptEntries-1)) {
		t.Errorf("it holds %d rows at %s", m.Rows, m.Position)
	}
	row(t, third, table, 3)
	storeMust(t, third.Commit(t.Context(), "r"))
	if entries, _ := filepath.Glob(filepath.Join(root, "shop/t", hidden, "commits", "*")); len(entries) != keptEntries {
		t.Errorf("%d commits are kept, want %d", len(entries), keptEntries)
	}
}

// A mute store makes a commit, or not, and does not say which.
type mute struct {
	store
	made, silent bool
}

func (s *mute) claim(ctx context.Context, at stage, n int64, entry []byte) error {
	if !s.silent {
		return s.store.claim(ctx, at, n, entry)
	}
	s.silent = false
	if s.made {
		if err := s.store.claim(ctx, at, n, entry); err != nil {
			return err
		}
	}
	return errors.New("the line is cut")
}

// A lost reply to the claim is looked up at once.
func TestClaimUnheard(t *testing.T) {
	for _, made := range []bool{false, true} {
		table := batchtest.Shape("shop", "t", "id int")
		st := &mute{store: folders{local{t.TempDir()}}, made: made, silent: true}
		w, err := newSink(st, "", Options{}).open(t.Context(), table, writer.Follow)
		storeMust(t, err)
		row(t, w, table, 1)
		if err := w.Commit(t.Context(), "p1"); (err == nil) != made {
			t.Fatalf("made %v: got %v", made, err)
		}
		row(t, w, table, 2)
		storeMust(t, w.Commit(t.Context(), "p2"))
		if w.known.Rows != 2 {
			t.Errorf("made %v: it holds %d rows, want 2", made, w.known.Rows)
		}
		storeMust(t, w.Close())
		left, err := st.stages(t.Context(), "shop/t")
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
