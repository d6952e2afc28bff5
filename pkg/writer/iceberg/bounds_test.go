package iceberg

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A value so great that no short string is greater has no upper bound in the
// statistics. Readers must find it all the same, and deletes reach it, where other
// row groups of its file have bounds.
func TestUnboundedValues(t *testing.T) {
	highBytes, highText := bytes.Repeat([]byte{0xff}, 100), strings.Repeat("\U0010ffff", 30)
	for _, c := range []struct {
		native    string
		low, high any
		is        iceberg.BooleanExpression
	}{
		{"varbinary(200)", []byte("a"), highBytes, iceberg.EqualTo(iceberg.Reference("k"), highBytes)},
		{"varchar(200)", "a", highText, iceberg.EqualTo(iceberg.Reference("k"), highText)},
	} {
		s, _ := hookedSink(t)
		tbl := batchtest.Shape("shop", "t", "k "+c.native+" key")
		w := openTable(t, s, tbl, writer.Create)
		f, err := w.take(t.Context(), 0)
		must(t, err)
		for _, k := range []any{c.low, c.high} { // a row group each
			must(t, f.write(t.Context(), batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{k}})))
			must(t, f.pq.Flush())
		}
		w.give(t.Context(), f, nil)
		must(t, w.Commit(t.Context(), "p"))
		if n := found(t, w, c.is); n != 1 {
			t.Errorf("%s: %d rows have the high key, want 1", c.native, n)
		}
		b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{c.high}})
		b.Ops = []batch.Op{batch.Delete}
		write(t, w, b)
		must(t, w.Commit(t.Context(), "q"))
		if n := found(t, w, iceberg.AlwaysTrue{}); n != 1 {
			t.Errorf("%s: %d rows after the high key was deleted, want 1", c.native, n)
		}
		must(t, w.Close())
	}
}

// found counts the rows of the table that a filter lets through.
func found(t *testing.T, w *Writer, filter iceberg.BooleanExpression) (n int64) {
	t.Helper()
	it, err := w.sink.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	_, recs, err := it.Scan(table.WithRowFilter(filter)).ToArrowRecords(t.Context())
	must(t, err)
	for r, err := range recs {
		must(t, err)
		n += r.NumRows()
	}
	return n
}
