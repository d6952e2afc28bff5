package writertest

import (
	"context"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// orders is the table that most parts use.
func orders() *schema.Table {
	return batchtest.Shape("shop", "orders", "id bigint key", "note varchar(50)", "price decimal(5,2)")
}

// ids returns rows of orders with the ids from first to last.
func ids(first, last int) []batchtest.Row {
	var rows []batchtest.Row
	for id := first; id <= last; id++ {
		rows = append(rows, batchtest.Row{id, "note", nil})
	}
	return rows
}

func (k *kit) invisibleBefore() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.visible(t, nil)
	// Enough for a sink with small buffers to write files ahead of the commit.
	const n, size = 20, 1000
	for i := range n {
		k.write(w, t, ids(i*size+1, (i+1)*size))
		if i == 0 || i == n-1 {
			k.visible(t, nil)
		}
	}
	k.commit(w, "p1")
	k.visible(t, ids(1, n*size))
}

func (k *kit) commitPublishes() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, ids(1, 3))
	k.write(w, t, ids(4, 5))
	k.commit(w, "p1")
	k.visible(t, ids(1, 5))
	k.write(w, t, ids(6, 9))
	k.visible(t, ids(1, 5))
	k.commit(w, "p2")
	k.visible(t, ids(1, 9))
	k.close(w)
	k.restart(t, writer.Create, "p2")
	k.visible(t, ids(1, 9))
}

func (k *kit) positionAlone() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.commit(w, "p1")
	k.visible(t, nil)
	w = k.restart(t, writer.Create, "p1")
	k.write(w, t, ids(1, 2))
	k.commit(w, "p2")
	// As long and as odd as the set of a server with many ancestors.
	odd := batch.Position(`{"set":"` + strings.Repeat("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,\n", 100) + `'ü\"}`)
	k.commit(w, odd)
	k.visible(t, ids(1, 2))
	k.restart(t, writer.Create, odd)
}

func (k *kit) closeAbandons() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, ids(1, 3))
	k.close(w)
	k.visible(t, nil)
	w = k.restart(t, writer.Create, "")
	k.commit(w, "p1")
	k.visible(t, nil)
}

func (k *kit) crashDiscards() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, ids(1, 3))

	w = k.restart(t, writer.Create, "")
	k.visible(t, nil)
	k.write(w, t, ids(4, 5))
	k.commit(w, "p1")
	k.visible(t, ids(4, 5))
	k.write(w, t, ids(6, 7))

	w = k.restart(t, writer.Create, "p1")
	k.commit(w, "p2")
	k.visible(t, ids(4, 5))
}

func (k *kit) cancelled() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, ids(1, 3))
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	if err := w.Commit(ctx, "p1"); err == nil {
		k.Error("commit with a cancelled context: got no error")
	}
	k.visible(t, nil)
	k.commit(w, "p2")
	k.visible(t, ids(1, 3))

	k.write(w, t, ids(4, 5))
	if err := w.Commit(ctx, "p3"); err == nil {
		k.Error("second commit with a cancelled context: got no error")
	}
	k.visible(t, ids(1, 3))
	k.restart(t, writer.Create, "p2")
}
