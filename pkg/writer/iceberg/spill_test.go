package iceberg

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A commit holds few files open, be it as large as it may.
func TestSpilledFilesAreMerged(t *testing.T) {
	tbl := batchtest.Shape("shop", "large", "k bigint key", "v bigint")
	spill := t.TempDir()
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Memory: 48 << 10, SpillDir: spill})
	w := openTable(t, s, tbl, writer.Follow)
	r := rand.New(rand.NewPCG(3, 4))
	model := make(map[int64]int64)
	merged := 0
	for n := range 400 {
		var rows []batchtest.Row
		var ops []batch.Op
		for i := range 100 {
			k, v := r.Int64N(1<<12), int64(n*100+i)
			rows, ops = append(rows, batchtest.Row{k, v}), append(ops, batch.After)
			if model[k] = v; r.IntN(3) == 0 {
				ops[i] = batch.Delete
				delete(model, k)
			}
		}
		b := batchtest.Build(memory.DefaultAllocator, tbl, rows)
		b.Ops = ops
		write(t, w, b)
		if n := len(w.fold.spilled); n >= 2*mergeFan {
			t.Fatalf("%d files are open", n)
		}
		if len(w.fold.spilled) > 0 {
			merged = max(merged, w.fold.spilled[0].level)
		}
	}
	if merged == 0 {
		t.Error("nothing was merged")
	}
	must(t, w.Commit(t.Context(), "p1"))
	var want []batchtest.Row
	for k, v := range model {
		want = append(want, batchtest.Row{k, v})
	}
	var got []batchtest.Row
	for _, rec := range scan(t, s, tbl) {
		rows, err := batchtest.Rows(rec)
		must(t, err)
		got = append(got, rows...)
	}
	if diff := batchtest.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if left, err := os.ReadDir(spill); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	must(t, w.Close())
}
