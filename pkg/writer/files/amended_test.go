package files

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An amendment that is committed after a follower's commit has landed, and before that is shown, is
// none of what the follower has left: it finds out with its next commit.
func TestAmendedWhileLanding(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key", "v varchar(9)")
	root := t.TempDir()
	put := func(w writer.Writer, id int, v string) {
		b := batchtest.Build(memory.DefaultAllocator, shape, []batchtest.Row{{id, v}})
		defer b.Release()
		b.Ops = []batch.Op{batch.After}
		storeMust(t, w.Write(t.Context(), b))
	}
	next := func(held, known, next batch.Position) (batch.Position, error) {
		if held != known {
			return "", hint.Transient(writer.ErrFenced)
		}
		return next, nil
	}
	var amendment writer.Writer
	o := Options{Format: TSV, Step: func(step string) {
		if step == "commit landed" && amendment != nil {
			a := amendment
			amendment = nil
			storeMust(t, a.Commit(t.Context(), "amended"))
		}
	}}
	follower, err := newSink(folders{local{root}}, "", o).Open(t.Context(), shape, writer.Extend)
	storeMust(t, err)
	follower.(writer.Sharer).Share(next)
	put(follower, 1, "a")
	storeMust(t, follower.Commit(t.Context(), "p1"))
	a, err := newSink(folders{local{root}}, "", Options{Format: TSV}).Open(t.Context(), shape, writer.Amend)
	storeMust(t, err)
	a.(writer.Sharer).Share(func(_, _, next batch.Position) (batch.Position, error) { return next, nil })
	put(a, 1, "amended")
	amendment = a
	put(follower, 2, "b")
	storeMust(t, follower.Commit(t.Context(), "p2"))
	if pos, err := follower.Position(t.Context()); err != nil || pos != "p2" {
		t.Errorf("the follower has left %q, %v", pos, err)
	}
	put(follower, 3, "c")
	if err := follower.Commit(t.Context(), "p3"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("a commit that does not know of the amendment: %v", err)
	}
	storeMust(t, errors.Join(follower.Close(), a.Close()))
}
