package batch_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// TestCut appends rows and parts of rows, drops some, and goes on.
func TestCut(t *testing.T) {
	table := batchtest.Shape("d", "t", "a int", "b varchar(10)", "c bit(1)", "d vector(3)", "e decimal(20,2)")
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	for range 200 {
		b, err := batch.NewBuilder(table, alloc)
		if err != nil {
			t.Fatal(err)
		}
		var want []batchtest.Row
		add := func(column int) any {
			var v any
			null := rand.IntN(3) == 0
			switch c := b.Columns[column].(type) {
			case *batch.Fixed[int32]:
				if n := rand.Int32(); null {
					c.Null()
				} else {
					c.Append(n)
					v = int64(n)
				}
			case *batch.Bytes:
				if text := "abcdefghij"[:rand.IntN(10)]; null {
					c.Null()
				} else {
					c.Append([]byte(text))
					v = text
				}
			case *batch.Bools:
				if null {
					c.Null()
				} else {
					v = rand.IntN(2) == 0
					c.Append(v.(bool))
				}
			case *batch.FloatList:
				if null {
					c.Null()
				} else {
					list := []float32{rand.Float32(), rand.Float32()}
					for _, f := range list {
						c.AppendItem(f)
					}
					c.End()
					v = list
				}
			default:
				c.Null()
			}
			return v
		}
		for range rand.IntN(8) {
			for range rand.IntN(20) {
				row := batchtest.Row{}
				for i := range b.Columns {
					row = append(row, add(i))
				}
				b.EndRow(10)
				want = append(want, row)
			}
			for i := range rand.IntN(len(b.Columns)) {
				add(i) // a row that does not end
			}
			if l, ok := b.Columns[3].(*batch.FloatList); ok && rand.IntN(2) == 0 {
				l.AppendItem(1) // a list that does not end
			}
			keep := rand.IntN(len(want) + 1)
			b.Cut(keep, 10*keep)
			want = slices.Clone(want[:keep])
		}
		out := b.Batch()
		got, err := batchtest.Rows(out.Rows)
		out.Release()
		if err != nil {
			t.Fatal(err)
		}
		if diff := batchtest.DiffOrdered(got, want); diff != "" || out.Bytes != 10*len(want) {
			t.Fatalf("got %d bytes for %d rows: %s", out.Bytes, len(want), diff)
		}
	}
}
