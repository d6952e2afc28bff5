package writertest

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// extendMode follows a table through shapes. Rows that were written in an older one are
// changed and deleted in a newer one, by a key that has become wider.
func (k *kit) extendMode() {
	first := stockOf("id int key", "no decimal(5,0) key", "note varchar(50)", "size int", "weight float")
	w := k.restart(first, writer.Extend, "") // nothing to extend is no obstacle
	k.send(w, first, insert(1, "10", "a", 7, float32(0.5)), insert(2, "20", "b", nil, nil), insert(3, "30", "c", 9, nil), insert(4, "40", "d", nil, nil))
	k.visible(first, nil)
	k.commit(w, "p1")
	k.send(w, first, after(4, "40", "e", nil, nil), remove(2, "20", nil, nil, nil), insert(2, "21", "f", nil, nil))
	k.commit(w, "p2")
	rows := []batchtest.Row{{1, "10", "a", 7, float32(0.5)}, {2, "21", "f", nil, nil}, {3, "30", "c", 9, nil}, {4, "40", "e", nil, nil}}
	k.visible(first, rows)
	k.close(w)

	// Other columns, in another order, and wider ones, those of the key among them.
	second := stockOf("extra date", "no decimal(9,0) key", "weight double", "size bigint", "id bigint key", "tags vector(2)")
	row := func(id int64, no string, extra any) batchtest.Row {
		return batchtest.Row{extra, no, 9.5, int64(1) << 40, id, nil}
	}
	w = k.restart(second, writer.Extend, "p2")
	k.send(w, second, after(row(3, "30", nil)...))
	k.visible(first, rows)
	k.close(w)
	k.visible(first, rows) // given up

	w = k.restart(second, writer.Extend, "p2")
	k.send(w, second, after(row(3, "30", "2024-02-29")...), remove(row(2, "21", nil)...), insert(row(1<<40, "999999999", nil)...))
	k.send(w, second, before(row(4, "40", nil)...), after(row(5, "40", nil)...))
	k.visible(first, rows)
	k.commit(w, "p3")
	both := stockOf("id bigint key", "no decimal(9,0) key", "note varchar(50)", "size bigint", "weight double", "extra date", "tags vector(2)")
	now := func(id int64, no string, extra any) batchtest.Row {
		return batchtest.Row{id, no, nil, int64(1) << 40, 9.5, extra, nil}
	}
	old := batchtest.Row{1, "10", "a", 7, 0.5, nil, nil}
	k.visible(both, []batchtest.Row{old, now(3, "30", "2024-02-29"), now(5, "40", nil), now(1<<40, "999999999", nil)})
	k.send(w, second, after(row(5, "40", "2024-03-01")...), remove(row(1<<40, "999999999", nil)...)) // a writer goes on as any other
	k.commit(w, "p4")
	k.visible(both, []batchtest.Row{old, now(3, "30", "2024-02-29"), now(5, "40", "2024-03-01")})
	k.close(w)

	// Who is behind has columns that are narrower than the table's: they go in as they are.
	w = k.restart(first, writer.Extend, "p4")
	k.send(w, first, after(1, "10", "g", 1, float32(0.25)), remove(3, "30", nil, nil, nil), insert(6, "60", "h", nil, nil))
	k.commit(w, "p5")
	k.send(w, first, after(6, "60", "i", -1, nil))
	k.commit(w, "p6")
	k.visible(both, []batchtest.Row{
		{1, "10", "g", 1, 0.25, nil, nil}, now(5, "40", "2024-03-01"), {6, "60", "i", -1, nil, nil, nil},
	})
	k.close(w)
	k.close(k.restart(second, writer.Extend, "p6"))
	k.close(k.restart(both, writer.Extend, "p6"))
}

// extendByNothing brings a shape without a row.
func (k *kit) extendByNothing() {
	t, wider := stockOf("id int key"), stockOf("note varchar(50)", "id bigint key")
	k.holding(t, []batchtest.Row{{1}}, "p1")
	w := k.restart(wider, writer.Extend, "p1")
	k.commit(w, "p2")
	k.close(w)
	k.visible(wider, []batchtest.Row{{nil, 1}})
	w = k.restart(wider, writer.Extend, "p2")
	k.send(w, wider, after("a", 1), insert("b", 2))
	k.commit(w, "p3")
	k.visible(wider, []batchtest.Row{{"a", 1}, {"b", 2}})
}

// extendChangelog gives a table in which each change is a row other columns.
func (k *kit) extendChangelog() {
	log := func(columns ...string) *schema.Table {
		t, err := schema.Changelog(batchtest.Shape("shop", "log", columns...))
		if err != nil {
			k.Fatal(err)
		}
		return t
	}
	first, second := log("id int key", "note varchar(50)"), log("more int", "id bigint")
	w := k.restart(first, writer.Extend, "")
	k.write(w, first, []batchtest.Row{{1, "a", "c", nil, nil, "x:1"}, {1, "a", "d", nil, nil, "x:2"}})
	k.commit(w, "p1")
	k.close(w)
	w = k.restart(second, writer.Extend, "p1") // even its key is another
	k.write(w, second, []batchtest.Row{{7, int64(1) << 40, "c", nil, nil, "x:3"}})
	k.commit(w, "p2")
	k.close(w)
	both := log("id bigint", "note varchar(50)", "more int")
	k.visible(both, []batchtest.Row{
		{1, "a", nil, "c", nil, nil, "x:1"}, {1, "a", nil, "d", nil, nil, "x:2"}, {int64(1) << 40, nil, 7, "c", nil, nil, "x:3"},
	})
	k.refused(batchtest.Shape("shop", "log", "id int key", "note varchar(50)"), writer.Extend)
	k.refused(log("id int key", "note int"), writer.Extend)
}

// extendRefused wants tables refused that would have to be written anew, and those that
// Follow would not follow either, and all of them left as they are.
func (k *kit) extendRefused() {
	t := stockOf("id bigint key", "note varchar(50)", "price decimal(5,2)")
	rows := []batchtest.Row{{1, "a", "1.50"}}
	k.holding(t, rows, "p1")
	for _, columns := range [][]string{
		{"id varchar(20) key", "note varchar(50)", "price decimal(5,2)"},
		{"id bigint key", "note blob", "price decimal(5,2)"},
		{"id bigint key", "note varchar(50)", "price decimal(6,3)"},
		{"id bigint key", "note varchar(50)", "price double"},
		{"id bigint key", "note vector(3)", "price decimal(5,2)"},
		{"id bigint", "note varchar(50) key", "price decimal(5,2)"},
		{"id bigint key", "no int key", "note varchar(50)", "price decimal(5,2)"},
		{"no bigint key", "note varchar(50)", "price decimal(5,2)"},
		{"id bigint", "note varchar(50)", "price decimal(5,2)"},
	} {
		k.refused(stockOf(columns...), writer.Extend)
	}
	k.visible(t, rows)
	w := k.restart(t, writer.Append, "p1")
	k.write(w, t, []batchtest.Row{{1, "b", nil}})
	k.commit(w, "p2")
	k.close(w)
	k.refused(t, writer.Extend) // rows were added to others
	if k.h.Foreign != nil {
		theirs := batchtest.Shape("shop", "theirs", "id bigint key", "note varchar(50)")
		k.h.Foreign(k.T, theirs, batchtest.Build(memory.DefaultAllocator, theirs, []batchtest.Row{{1, "a"}}).Rows)
		k.refused(theirs, writer.Extend)
	}
}

// extendAfterLostReply does not hear that the commit worked that brought another shape.
func (k *kit) extendAfterLostReply() {
	if k.h.LoseReply == nil {
		k.Skip("the harness cannot lose a reply")
	}
	for _, then := range []string{"again", "more", "restart"} {
		shape := func(columns ...string) *schema.Table { return batchtest.Shape("shop", "extended_"+then, columns...) }
		first, second := shape("id int key", "note varchar(50)"), shape("more int", "id bigint key")
		k.holding(first, []batchtest.Row{{1, "a"}, {2, "b"}}, "p1")
		w := k.restart(second, writer.Extend, "p1")
		k.send(w, second, after(7, 1), insert(8, 3))
		k.h.LoseReply(k.T)
		if err := w.Commit(k.Context(), "p2"); err == nil {
			k.Fatal("the reply was not lost")
		}
		both := shape("id bigint key", "note varchar(50)", "more int")
		want := []batchtest.Row{{1, nil, 7}, {2, "b", nil}, {3, nil, 8}}
		k.visible(both, want)
		switch then {
		case "again":
			k.commit(w, "p2")
			k.visible(both, want)
		case "restart":
			w = k.restart(second, writer.Extend, "p2")
		}
		k.send(w, second, remove(nil, 2), after(9, 3), insert(nil, int64(1)<<40))
		k.commit(w, "p3")
		k.visible(both, []batchtest.Row{{1, nil, 7}, {3, nil, 9}, {int64(1) << 40, nil, nil}})
		k.restart(second, writer.Extend, "p3")
	}
}

// extendSame finds a table of just the shape, commit after commit.
func (k *kit) extendSame() {
	t := notes("same")
	pos := batch.Position("")
	for i := range 4 {
		mode := writer.Extend
		if i == 2 {
			mode = writer.Follow
		}
		w := k.restart(t, mode, pos)
		k.send(w, t, insert(i, "a"))
		pos = batch.Position(fmt.Sprint("p", i))
		k.commit(w, pos)
		k.close(w)
	}
	k.visible(t, []batchtest.Row{{0, "a"}, {1, "a"}, {2, "a"}, {3, "a"}})
}
