package iceberg

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// TestCommitsAreForgotten has the metadata of commits be collected: a run that commits every few
// seconds for weeks would have no memory left otherwise.
func TestCommitsAreForgotten(t *testing.T) {
	ctx := context.Background()
	sink, err := Open(ctx, "iceberg:"+t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	tbl := batchtest.Shape("shop", "t", "id int key")
	w, err := sink.Open(ctx, tbl, writer.Follow)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	const commits = 20
	var freed atomic.Int64
	for n := range commits {
		if err := w.Commit(ctx, batch.Position(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		at, err := sink.cat.LoadTable(ctx, w.(*Writer).ident)
		if err != nil {
			t.Fatal(err)
		}
		runtime.SetFinalizer(at.Metadata(), func(table.Metadata) { freed.Add(1) })
	}
	for range 100 {
		runtime.GC() // one after the other: each finalizer lets go of what its metadata held
		if freed.Load() >= commits-2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("of %d commits' metadata %d were collected", commits, freed.Load())
}
