package writertest

import (
	"context"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// keep begins to keep with a note. A sink that keeps nothing leaves the part.
func (k *kit) keep(w writer.Writer, note string) writer.Keeper {
	k.Helper()
	kw, ok := w.(writer.Keeper)
	if !ok {
		k.Skip("the sink keeps nothing")
	}
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	if err := kw.Keep(ctx, note); err != nil {
		k.Fatalf("keep with the note %q: %v", note, err)
	}
	return kw
}

// origin writes rows of an origin, and says so if they are all.
func (k *kit) origin(w writer.Writer, table *schema.Table, origin int, whole bool, rows ...batchtest.Row) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	err := k.lend(table, rows, func(b *batch.Batch) error {
		b.Origin = origin
		return w.Write(ctx, b)
	})
	if err != nil {
		k.Fatalf("write: %v", err)
	}
	if !whole {
		return
	}
	if err := w.(writer.Keeper).Whole(ctx, origin); err != nil {
		k.Fatalf("origin %d is whole: %v", origin, err)
	}
}

// kept compares what a run has kept with what it should have.
func (k *kit) kept(w writer.Writer, note string, rows int64, origins ...int) {
	k.Helper()
	kw, ok := w.(writer.Keeper)
	if !ok {
		k.Skip("the sink keeps nothing")
	}
	got := kw.Kept()
	if got.Note != note || got.Rows != rows || !slices.Equal(got.Origins, origins) {
		k.Fatalf("got %d rows of the origins %v with the note %q, want %d of %v with %q", got.Rows, got.Origins, got.Note, rows, origins, note)
	}
}

// tagged compares what the table's last commit was of with what it should be.
func (k *kit) tagged(w writer.Writer, want string) {
	k.Helper()
	if got := w.(writer.Keeper).Tagged(); got != want {
		k.Fatalf("got a commit that is of %q, want %q", got, want)
	}
}

// keptStock ends runs in the midst of stock, again and again. Harnesses open sinks
// that keep an origin as soon as it is whole.
func (k *kit) keptStock() {
	t := notes("kept")
	w := k.restart(t, writer.Create, "")
	k.keep(w, "plan")
	k.origin(w, t, 0, true, batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	k.origin(w, t, 1, false, batchtest.Row{3, "lost"})
	k.close(w)
	k.visible(t, nil)

	// Whoever looks at the table for other purposes leaves it as it is.
	w = k.restart(t, writer.Follow, "")
	k.kept(w, "plan", 2, 0)
	k.close(w)
	w = k.restart(t, writer.Create, "")
	k.kept(w, "plan", 2, 0)
	k.close(w)

	w = k.restart(t, writer.Create, "")
	k.keep(w, "plan")
	k.origin(w, t, 3, true, batchtest.Row{7, "g"})
	k.origin(w, t, 1, false, batchtest.Row{3, "lost"})
	k.origin(w, t, 2, false)
	k.close(w)

	w = k.restart(t, writer.Create, "")
	k.kept(w, "plan", 3, 0, 3)
	k.keep(w, "plan")
	k.origin(w, t, 1, true, batchtest.Row{3, "c"}, batchtest.Row{4, "d"})
	k.origin(w, t, 2, true)
	k.visible(t, nil)
	k.send(w, t, after(2, "B"), insert(8, "h"), remove(3, nil), before(7, nil), after(9, "G"))
	w.(writer.Keeper).Tag("run")
	k.commit(w, "p")
	want := []batchtest.Row{{1, "a"}, {2, "B"}, {4, "d"}, {8, "h"}, {9, "G"}}
	k.visible(t, want)
	k.close(w)
	w = k.restart(t, writer.Create, "p")
	k.kept(w, "", 0)
	k.tagged(w, "run")
	k.close(w)
	w = k.restart(t, writer.Follow, "p")
	k.commit(w, "p")
	k.close(w)
	w = k.restart(t, writer.Create, "p")
	k.tagged(w, "")
	k.close(w)
	k.visible(t, want)
}

// keptForNothing keeps stock that is of no use to who comes next.
func (k *kit) keptForNothing() {
	t := notes("unused")
	begin := func(mode writer.Mode, at batch.Position) {
		k.Helper()
		w := k.restart(t, mode, at)
		k.keep(w, "plan")
		k.origin(w, t, 0, true, batchtest.Row{1, "kept"})
		k.origin(w, t, 1, false, batchtest.Row{2, "kept"})
		k.close(w)
	}
	begin(writer.Create, "")
	w := k.restart(t, writer.Create, "") // with a plan of its own
	k.kept(w, "plan", 1, 0)
	k.keep(w, "other")
	k.origin(w, t, 0, true, batchtest.Row{1, "other"})
	k.close(w)
	w = k.restart(t, writer.Create, "")
	k.kept(w, "other", 1, 0)
	k.keep(w, "other")
	k.origin(w, t, 1, true, batchtest.Row{2, "other"})
	k.keep(w, "") // that thinks better of it
	k.close(w)
	w = k.restart(t, writer.Create, "")
	k.kept(w, "", 0)
	k.close(w)

	begin(writer.Create, "")
	w = k.restart(t, writer.Create, "") // that does not ask
	k.write(w, t, []batchtest.Row{{1, "a"}})
	k.commit(w, "p")
	k.close(w)
	k.visible(t, []batchtest.Row{{1, "a"}})

	begin(writer.Replace, "p")
	k.visible(t, []batchtest.Row{{1, "a"}})
	w = k.restart(t, writer.Append, "p") // that adds to the table as it is
	k.write(w, t, []batchtest.Row{{2, "b"}})
	k.commit(w, "q")
	k.close(w)
	k.visible(t, []batchtest.Row{{1, "a"}, {2, "b"}})

	begin(writer.Replace, "q")
	w = k.restart(t, writer.Replace, "q")
	k.kept(w, "plan", 1, 0)
	k.keep(w, "plan")
	k.origin(w, t, 1, true, batchtest.Row{2, "new"})
	k.commit(w, "r")
	k.visible(t, []batchtest.Row{{1, "kept"}, {2, "new"}})
	k.close(w)
}
