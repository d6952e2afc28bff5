package files

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// What a commit has taken out of a table goes, even if the run that made it dies before
// that: with the old files beside the new ones, whoever lists the folder has rows twice.
func TestRemovedFilesGoThoughTheRunDies(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id bigint key", "note varchar(50)")
	root := t.TempDir()
	commit := func(id, op string, o Options) {
		t.Helper()
		s := newSink(folders{local{root}}, "", o)
		w, err := s.Open(t.Context(), table, writer.Follow)
		storeMust(t, err)
		b := batchtest.Build(memory.DefaultAllocator, table, []batchtest.Row{{1, id}})
		b.Ops = []batch.Op{batch.After}
		storeMust(t, w.Write(t.Context(), b))
		func() {
			defer func() { _ = recover() }()
			storeMust(t, w.Commit(t.Context(), batch.Position(op)))
		}()
	}
	commit("a", "p1", Options{})
	commit("b", "p2", Options{Step: func(name string) {
		if name == "published" {
			panic(name)
		}
	}})
	s := newSink(folders{local{root}}, "", Options{})
	found := func() int {
		t.Helper()
		list, err := s.store.list(t.Context(), "shop/orders/g1")
		storeMust(t, err)
		n := 0
		for _, f := range list {
			if f.name != successFile {
				n++
			}
		}
		return n
	}
	if n := found(); n != 2 {
		t.Fatalf("%d files when the run has died; want the old one and the new one", n)
	}
	_, err := s.Open(t.Context(), table, writer.Follow)
	storeMust(t, err)
	if n := found(); n != 1 {
		t.Errorf("%d files once another run has opened the table, want 1", n)
	}
}
