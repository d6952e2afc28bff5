package writertest

import (
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// holding makes a table by a run that went well.
func (k *kit) holding(t *schema.Table, rows []batchtest.Row, pos batch.Position) {
	k.Helper()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, rows)
	k.commit(w, pos)
	k.close(w)
}

func (k *kit) create() {
	t := orders()
	k.holding(t, ids(1, 3), "p1")
	// The table is ours: its position says so, and nothing is lost by opening it.
	w := k.restart(t, writer.Create, "p1")
	k.visible(t, ids(1, 3))
	k.close(w)
	k.visible(t, ids(1, 3))
}

func (k *kit) appendMode() {
	t := orders()
	w := k.restart(t, writer.Append, "") // nothing to add to is no obstacle
	k.write(w, t, ids(1, 3))
	k.visible(t, nil)
	k.commit(w, "p1")
	k.close(w)

	w = k.restart(t, writer.Append, "p1")
	k.write(w, t, ids(3, 5))
	k.visible(t, ids(1, 3))
	k.commit(w, "p2")
	want := append(ids(1, 3), ids(3, 5)...) // even a key that is there already
	if k.h.OneRowAKey {
		want = ids(1, 5)
	}
	k.visible(t, want)
	k.restart(t, writer.Append, "p2")
}

// appendEqual adds the same point twice, as from a source that stands still. A
// sink that takes an equal position for its own earlier commit loses the rows.
func (k *kit) appendEqual() {
	t := orders()
	k.holding(t, ids(1, 3), "p1")
	w := k.restart(t, writer.Append, "p1")
	k.write(w, t, ids(4, 5))
	k.commit(w, "p1")
	k.visible(t, ids(1, 5))
}

func (k *kit) replace() {
	t := orders()
	w := k.restart(t, writer.Replace, "") // nothing to exchange is no obstacle
	k.write(w, t, ids(1, 5))
	k.commit(w, "p1")
	k.visible(t, ids(1, 5))
	k.close(w)

	w = k.restart(t, writer.Replace, "p1")
	k.write(w, t, ids(4, 7))
	k.visible(t, ids(1, 5))
	k.close(w)
	k.visible(t, ids(1, 5))

	w = k.restart(t, writer.Replace, "p1")
	k.write(w, t, ids(4, 7))
	k.write(w, t, ids(8, 9))
	k.commit(w, "p2")
	k.visible(t, ids(4, 9))
	k.close(w)

	w = k.restart(t, writer.Replace, "p2")
	k.write(w, t, ids(1, 2))
	k.commit(w, "p2") // the source stands still, and yet the content is what was written
	k.visible(t, ids(1, 2))
	k.restart(t, writer.Create, "p2")
}

// replaceByNothing is a source table that has become empty. Its commit comes
// without a Write before it, and must not be taken for a position alone.
func (k *kit) replaceByNothing() {
	t := orders()
	k.holding(t, ids(1, 3), "p1")
	w := k.restart(t, writer.Replace, "p1")
	k.visible(t, ids(1, 3))
	k.commit(w, "p2")
	k.visible(t, nil)
	k.restart(t, writer.Create, "p2")
}

// foreign meets tables that somebody else has made.
func (k *kit) foreign() {
	if k.h.Foreign == nil {
		k.Skip("the harness makes no foreign tables")
	}
	made := func(name string) *schema.Table {
		t := orders()
		t.Name = name
		k.h.Foreign(k.T, t, batchtest.Build(memory.DefaultAllocator, t, ids(1, 3)).Rows)
		k.visible(t, ids(1, 3))
		return t
	}

	t := made("created")
	k.refused(t, writer.Create)
	k.visible(t, ids(1, 3))

	t = made("appended")
	w := k.restart(t, writer.Append, "")
	k.write(w, t, ids(4, 5))
	k.visible(t, ids(1, 3))
	k.commit(w, "p1")
	k.visible(t, ids(1, 5))
	k.restart(t, writer.Append, "p1")

	t = made("replaced")
	w = k.restart(t, writer.Replace, "")
	k.write(w, t, ids(4, 5))
	k.visible(t, ids(1, 3))
	k.commit(w, "p1")
	k.visible(t, ids(4, 5))
	k.restart(t, writer.Create, "p1")

	t = made("misfit")
	other := batchtest.Shape(t.DB, t.Name, "id varchar(50) key", "note varchar(50)", "price datetime")
	k.refused(other, writer.Append)
	k.visible(t, ids(1, 3))
}

// altered meets a table whose source was altered while nobody followed it, in a way
// that the columns of the sink do not show.
func (k *kit) altered() {
	as := func(native, charset string) *schema.Table {
		t := batchtest.Shape("shop", "altered", "id bigint key", "note "+native)
		t.Columns[1].Charset = charset
		return t
	}
	was, wider, other := as("varchar(50)", "latin1"), as("varchar(60)", "latin1"), as("varchar(60)", "utf8mb4")
	k.holding(was, []batchtest.Row{{1, "a"}}, "p1")
	k.close(k.restart(wider, writer.Create, "p1")) // what is there holds what is in the wider one
	w := k.restart(wider, writer.Follow, "p1")
	k.send(w, wider, insert(2, "b"))
	k.commit(w, "p2")
	k.close(w)

	for _, mode := range []writer.Mode{writer.Create, writer.Follow} {
		k.refused(other, mode)
		k.refused(was, mode) // it was wider meanwhile
	}
	k.close(k.restart(wider, writer.Create, "p2"))
	k.visible(wider, []batchtest.Row{{1, "a"}, {2, "b"}})

	w = k.restart(other, writer.Replace, "p2")
	k.write(w, other, []batchtest.Row{{3, "c"}})
	k.commit(w, "p3")
	k.close(w)
	k.refused(wider, writer.Follow)
	w = k.restart(other, writer.Follow, "p3")
	k.send(w, other, insert(4, "d"))
	k.commit(w, "p4")
	k.visible(other, []batchtest.Row{{3, "c"}, {4, "d"}})
}
