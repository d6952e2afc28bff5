package doris

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// BenchmarkFormats writes rows of sysbench's shape as CSV, which loads are, and as a stream of
// Arrow, which newer versions take as well.
func BenchmarkFormats(b *testing.B) {
	const rows = 8000
	table := batchtest.Shape("shop", "sbtest", "id int key", "k int", "c char(120)", "pad char(60)")
	list := make([]batchtest.Row, rows)
	for i := range list {
		list[i] = batchtest.Row{i, i * 7919 % 100_000, strings.Repeat(fmt.Sprintf("%011d-", i*31), 10)[:119], strings.Repeat(fmt.Sprintf("%011d-", i*17), 5)[:59]}
	}
	in := batchtest.Build(memory.DefaultAllocator, table, list)
	columns, key, err := columnsOf(table)
	if err != nil {
		b.Fatal(err)
	}
	report := func(b *testing.B, bytes int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		b.ReportMetric(float64(bytes)/rows, "B/row")
	}
	b.Run("csv", func(b *testing.B) {
		w := &Writer{src: table}
		if err := w.use(nil, columns, []string{columns[key[0]].Name}); err != nil {
			b.Fatal(err)
		}
		e := encoder{columns: w.plan}
		var text []byte
		for b.Loop() {
			if err := e.bound(in.Rows.Columns(), nil); err != nil {
				b.Fatal(err)
			}
			text = text[:0]
			for row := range rows {
				text = e.row(text, row)
			}
		}
		report(b, len(text))
	})
	b.Run("arrow", func(b *testing.B) {
		var out bytes.Buffer
		for b.Loop() {
			out.Reset()
			w := ipc.NewWriter(&out, ipc.WithSchema(arrow.NewSchema(in.Rows.Schema().Fields(), nil)))
			if err := w.Write(in.Rows); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
		report(b, out.Len())
	})
}
