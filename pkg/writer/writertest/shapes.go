package writertest

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// stockOf is a table whose columns change from part to part.
func stockOf(columns ...string) *schema.Table { return batchtest.Shape("shop", "stock", columns...) }

// evolveMode adds rows that the table has no room for, or that lack some.
func (k *kit) evolveMode() {
	first := stockOf("id bigint key", "note varchar(50)", "size int", "price decimal(5,2)", "weight float")
	w := k.restart(first, writer.Evolve, "") // nothing to add to is no obstacle
	old := []batchtest.Row{{1, "a", 7, "1.50", float32(0.5)}, {2, "b", nil, nil, nil}}
	k.write(w, first, old)
	k.commit(w, "p1")
	k.close(w)

	k.refused(stockOf("id bigint key", "note varchar(50)", "size int", "price decimal(5,2)", "weight float", "extra date"), writer.Append)

	second := stockOf("id bigint key", "extra date", "size bigint", "price decimal(9,2)", "weight double", "tags vector(2)")
	row := batchtest.Row{3, "2024-02-29", int64(1) << 40, "1234567.89", 0.1, []float32{1, 2}}
	w = k.restart(second, writer.Evolve, "p1")
	k.write(w, second, []batchtest.Row{row})
	k.visible(first, old)
	k.close(w)
	k.visible(first, old)

	w = k.restart(second, writer.Evolve, "p1")
	k.write(w, second, []batchtest.Row{row})
	k.commit(w, "p2")
	both := stockOf("id bigint key", "note varchar(50)", "size bigint", "price decimal(9,2)", "weight double", "extra date", "tags vector(2)")
	rows := []batchtest.Row{
		{1, "a", 7, "1.50", 0.5, nil, nil},
		{2, "b", nil, nil, nil, nil, nil},
		{3, nil, int64(1) << 40, "1234567.89", 0.1, "2024-02-29", []float32{1, 2}},
	}
	k.visible(both, rows)
	k.write(w, second, []batchtest.Row{{4, nil, nil, nil, nil, nil}}) // a writer goes on as any other
	k.commit(w, "p3")
	k.close(w)
	rows = append(rows, batchtest.Row{4, nil, nil, nil, nil, nil, nil})
	k.visible(both, rows)

	// Who writes in the same shape again finds nothing to change, and what the table
	// has beside it is in nobody's way.
	for _, mode := range []writer.Mode{writer.Evolve, writer.Append, writer.Create} {
		k.close(k.restart(second, mode, "p3"))
	}
	k.refused(second, writer.Follow) // rows were added to others
	k.refused(first, writer.Follow)
}

// evolveFollowed follows a table that has got another shape: rows of before are changed
// and deleted.
func (k *kit) evolveFollowed() {
	first := stockOf("id bigint key", "note varchar(50)", "size int", "price decimal(5,2)", "weight float")
	k.holding(first, []batchtest.Row{{1, "a", 7, "1.50", float32(0.5)}, {2, "b", nil, nil, nil}, {3, "c", 9, nil, nil}}, "p1")
	second := stockOf("id bigint key", "extra date", "size bigint", "price decimal(9,2)", "weight double")
	w := k.restart(second, writer.Evolve, "p1")
	k.commit(w, "p2") // no row is added to others
	k.close(w)
	w = k.restart(second, writer.Follow, "p2")
	k.send(w, second, after(1, nil, 8, "9.00", 9.5), remove(2, nil, nil, nil, nil))
	k.commit(w, "p3")
	both := stockOf("id bigint key", "note varchar(50)", "size bigint", "price decimal(9,2)", "weight double", "extra date")
	k.visible(both, []batchtest.Row{{1, nil, 8, "9.00", 9.5, nil}, {3, "c", 9, nil, nil, nil}})
	k.refused(first, writer.Follow)
}

// evolveRefused wants tables refused that would have to be written anew, and left
// as they are.
func (k *kit) evolveRefused() {
	t := stockOf("id bigint key", "note varchar(50)", "price decimal(5,2)")
	rows := []batchtest.Row{{1, "a", "1.50"}}
	k.holding(t, rows, "p1")
	for _, columns := range [][]string{
		{"id varchar(20) key", "note varchar(50)", "price decimal(5,2)"},
		{"id int key", "note varchar(50)", "price decimal(5,2)"},
		{"id bigint key", "note blob", "price decimal(5,2)"},
		{"id bigint key", "note varchar(50)", "price decimal(6,3)"},
		{"id bigint key", "note varchar(50)", "price decimal(4,2)"},
		{"id bigint key", "note varchar(50)", "price double"},
		{"id bigint key", "note vector(3)", "price decimal(5,2)"},
	} {
		k.refused(stockOf(columns...), writer.Evolve)
	}
	k.visible(t, rows)
	k.restart(t, writer.Create, "p1")
}

// evolveByNothing changes a table without a row: the shape comes alone.
func (k *kit) evolveByNothing() {
	t, wider := stockOf("id int key"), stockOf("id bigint key", "note varchar(50)")
	k.holding(t, []batchtest.Row{{1}}, "p1")
	w := k.restart(wider, writer.Evolve, "p1")
	k.commit(w, "p2")
	k.visible(wider, []batchtest.Row{{1, nil}})
	k.restart(wider, writer.Create, "p2")
}

// replaceShape exchanges tables for others, of which some columns have the same
// names and none the same place.
func (k *kit) replaceShape() {
	first := stockOf("id int key", "note varchar(50)", "price decimal(5,2)", "weight float", "at datetime")
	rows := []batchtest.Row{{1, "a", "1.50", float32(0.5), "2024-02-29 01:02:03.000000"}}
	k.holding(first, rows, "p1")
	w := k.restart(first, writer.Follow, "p1") // so that there are deletes
	k.send(w, first, after(1, "b", "1.50", float32(0.5), nil), insert(2, "c", nil, nil, nil))
	k.commit(w, "p2")
	k.close(w)
	rows = []batchtest.Row{{1, "b", "1.50", float32(0.5), nil}, {2, "c", nil, nil, nil}}

	second := stockOf("weight double", "price varchar(20)", "key vector(2)", "note varchar(50) key", "at timestamp")
	now := []batchtest.Row{{0.1, "much", []float32{1, 2}, "x", "2024-02-29 01:02:03.000000Z"}, {nil, nil, nil, "y", nil}}
	k.refused(second, writer.Create)
	k.refused(second, writer.Append)
	k.refused(second, writer.Evolve)
	w = k.restart(second, writer.Replace, "p2")
	k.write(w, second, now)
	k.visible(first, rows)
	k.close(w)
	k.visible(first, rows)

	w = k.restart(second, writer.Replace, "p2")
	k.write(w, second, now)
	k.visible(first, rows)
	k.commit(w, "p3")
	k.visible(second, now)
	k.close(w)
	k.refused(first, writer.Follow)
	k.close(k.restart(second, writer.Create, "p3"))

	w = k.restart(second, writer.Follow, "p3")
	k.send(w, second, remove(nil, nil, nil, "y", nil), after(0.2, "more", nil, "x", nil))
	k.commit(w, "p4")
	k.visible(second, []batchtest.Row{{0.2, "more", nil, "x", nil}})
	k.close(w)

	w = k.restart(first, writer.Replace, "p4") // and back, to nothing
	k.commit(w, "p5")
	k.visible(first, nil)
	k.write(w, first, rows)
	k.commit(w, "p6")
	k.visible(first, rows)
	k.restart(first, writer.Create, "p6")
}

// replaceForeign exchanges a table that somebody else has made.
func (k *kit) replaceForeign() {
	if k.h.Foreign == nil {
		k.Skip("the harness makes no foreign tables")
	}
	theirs, ours := stockOf("id bigint", "note varchar(50)"), stockOf("note bigint key", "id varchar(50)")
	k.h.Foreign(k.T, theirs, batchtest.Build(memory.DefaultAllocator, theirs, []batchtest.Row{{1, "a"}}).Rows)
	k.refused(ours, writer.Evolve)
	w := k.restart(ours, writer.Replace, "")
	k.write(w, ours, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.visible(theirs, []batchtest.Row{{1, "a"}})
	k.commit(w, "p1")
	k.visible(ours, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.close(w)
	w = k.restart(ours, writer.Follow, "p1")
	k.send(w, ours, after(1, "c"))
	k.commit(w, "p2")
	k.visible(ours, []batchtest.Row{{1, "c"}, {2, "b"}})
}

// keptShape ends a run that was about to exchange a table for one of another shape.
func (k *kit) keptShape() {
	was := stockOf("id int key", "note varchar(50)")
	now := stockOf("note date", "id bigint key", "more int")
	k.holding(was, []batchtest.Row{{1, "a"}}, "p1")
	begin := func(note string) {
		w := k.restart(now, writer.Replace, "p1")
		k.keep(w, note)
		k.origin(w, now, 0, true, batchtest.Row{"2024-02-29", 7, nil})
		k.close(w)
		k.visible(was, []batchtest.Row{{1, "a"}})
	}
	begin("plan")
	other := stockOf("note varchar(50)", "id bigint key", "more int")
	w := k.restart(other, writer.Replace, "p1")
	k.kept(w, "", 0) // its rows are not of that shape
	k.close(w)
	begin("another")
	w = k.restart(now, writer.Replace, "p1")
	k.kept(w, "another", 1, 0)
	k.keep(w, "another")
	k.origin(w, now, 1, true, batchtest.Row{nil, int64(1) << 40, 8})
	k.send(w, now, after("2024-03-01", 7, 9))
	k.commit(w, "p2")
	k.visible(now, []batchtest.Row{{"2024-03-01", 7, 9}, {nil, int64(1) << 40, 8}})
	k.close(w)
	k.restart(now, writer.Create, "p2")
}

// replaceFollowed exchanges the content of a table that another run follows and
// commits to. The other finds out, and goes on from there.
func (k *kit) replaceFollowed() {
	t := notes("followed")
	k.holding(t, []batchtest.Row{{1, "a"}}, "p1")
	s := k.sink()
	w := k.restart(t, writer.Replace, "p1")
	k.write(w, t, []batchtest.Row{{1, "new"}, {2, "new"}})
	tail := k.open(s, t, writer.Follow)
	k.send(tail, t, after(1, "b"), insert(3, "c"))
	k.commit(tail, "p2")
	k.visible(t, []batchtest.Row{{1, "b"}, {3, "c"}})
	k.send(tail, t, after(1, "d"))
	k.commit(w, "p1")
	k.visible(t, []batchtest.Row{{1, "new"}, {2, "new"}})
	if err := tail.Commit(k.Context(), "p3"); !errors.Is(err, writer.ErrFenced) {
		k.Fatalf("a commit after the content was exchanged: got %v, want ErrFenced", err)
	}
	k.close(tail)
	k.close(w)
	tail = k.open(s, t, writer.Follow)
	if pos, err := tail.Position(k.Context()); err != nil || pos != "p1" {
		k.Fatalf("got %q, %v, want the position that came with the content", pos, err)
	}
	k.send(tail, t, after(1, "b"), insert(3, "c"))
	k.commit(tail, "p2")
	k.visible(t, []batchtest.Row{{1, "b"}, {2, "new"}, {3, "c"}})
}

// refused wants Open to fail, with a remedy: later would be after the rows have
// been read.
func (k *kit) refused(t *schema.Table, mode writer.Mode) {
	k.Helper()
	w, err := k.sink().Open(k.Context(), t, mode)
	if err == nil {
		_ = w.Close()
		k.Fatalf("open %s to %s: got no error, want it refused", t, mode)
	}
	if hint.Of(err) == "" {
		k.Fatalf("open %s to %s: got %v, without a remedy", t, mode, err)
	}
}
