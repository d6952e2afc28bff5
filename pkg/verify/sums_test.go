package verify

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// BenchmarkSums is what a row of ten columns costs at each end, beside its reading.
func BenchmarkSums(b *testing.B) {
	shape := batchtest.Shape("d", "t", "id int key", "a int", "b bigint", "c varchar(40)", "d decimal(12,2)", "e datetime(6)", "f double", "g varchar(20)", "h date", "i int")
	var rows []batchtest.Row
	for i := range 8192 {
		rows = append(rows, batchtest.Row{i, i * 7, int64(i) * 123457, fmt.Sprint("text of row ", i), fmt.Sprintf("%d.%02d", i, i%100), "2026-01-02 03:04:05.000006", float64(i) / 3, fmt.Sprint("g", i%100), "2026-01-02", i})
	}
	batch := batchtest.Build(memory.DefaultAllocator, shape, rows)
	defer batch.Release()
	p := newSums(1 << 20).part()
	e := newEncoder(shape)
	for b.Loop() {
		err := e.take(shape, batch.Rows, func(arrow.RecordBatch) error {
			p.add(&e.hasher, false)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}

// Values that are near each other, or of the other sign, have other numbers.
func TestNumbers(t *testing.T) {
	shape := batchtest.Shape("d", "t", "d decimal(12,2)", "n int", "f double")
	var rows []batchtest.Row
	for i := -300; i <= 300; i++ {
		rows = append(rows, batchtest.Row{fmt.Sprintf("%.2f", float64(i)/100), i, float64(i)})
	}
	b := batchtest.Build(memory.DefaultAllocator, shape, rows)
	defer b.Release()
	for c := range shape.Columns {
		e := newEncoder(shape)
		e.hasher.number = make([]uint64, len(rows))
		if err := e.numbers(b.Rows.Column(c), shape.Columns[c]); err != nil {
			t.Fatal(err)
		}
		seen := map[uint64]int{}
		for i, x := range e.hasher.number {
			if j, ok := seen[x]; ok {
				t.Errorf("%s: %v and %v are one number", shape.Columns[c].Native, rows[j][c], rows[i][c])
			}
			seen[x] = i
		}
	}
}
