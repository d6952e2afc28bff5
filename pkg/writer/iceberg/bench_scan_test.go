//go:build unix

package iceberg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// BenchmarkScan scans a million rows of ten columns an iteration: as they were copied, and
// after a tenth of them was updated in ten commits. ns/row is the clock's, cpu-ns/row the
// CPU time of the process.
func BenchmarkScan(b *testing.B) {
	const batchRows, batches = 8192, 1 << 20 / 8192
	whole := typed()
	t := schema.New(whole.DB, whole.Name, whole.Columns[:10], whole.Key)
	r := rand.New(rand.NewPCG(1, 2))
	make10 := func(from int) arrow.RecordBatch {
		rec := typedRows(whole, r, from, batchRows)
		return array.NewRecordBatch(t.Arrow, rec.Columns()[:10], rec.NumRows())
	}
	s, err := Open(b.Context(), "iceberg:"+b.TempDir(), Options{TargetFileSize: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w, err := s.Open(b.Context(), t, writer.Follow)
	for i := range batches {
		if err == nil {
			err = w.Write(b.Context(), &batch.Batch{Table: t, Rows: make10(i * batchRows)})
		}
	}
	if err == nil {
		err = w.Commit(b.Context(), "p0")
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, state := range []string{"copied", "updated"} {
		for i := range 10 {
			if state == "copied" {
				break
			}
			err := w.Write(b.Context(), &batch.Batch{Table: t, Rows: make10(i * 10 * batchRows), Ops: slices.Repeat([]batch.Op{batch.After}, batchRows)})
			if err == nil {
				err = w.Commit(b.Context(), batch.Position(fmt.Sprint("p", i+1)))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		for _, parallel := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", state, parallel), func(b *testing.B) {
				var n atomic.Int64
				start := cpu()
				for b.Loop() {
					_, err := s.Scan(b.Context(), t, parallel, func(_ int, rec arrow.RecordBatch) error { n.Add(rec.NumRows()); return nil })
					if err != nil {
						b.Fatal(err)
					}
				}
				if n.Load() != int64(b.N*batches*batchRows) {
					b.Errorf("%d rows", n.Load())
				}
				b.ReportMetric(float64(cpu()-start)/float64(n.Load()), "cpu-ns/row")
				b.ReportMetric(float64(b.Elapsed())/float64(n.Load()), "ns/row")
			})
		}
	}
}
