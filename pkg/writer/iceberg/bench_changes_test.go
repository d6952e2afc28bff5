//go:build unix

package iceberg

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// BenchmarkChanges folds and writes a million changes an iteration, fed by one
// goroutine, with a commit at the end. µs/row is CPU time of the process.
func BenchmarkChanges(b *testing.B) {
	const batchRows, batches = 8192, 1 << 20 / 8192
	for _, c := range []struct {
		name string
		t    *schema.Table
		rows func(*schema.Table, *rand.Rand, int, int) arrow.RecordBatch
	}{{"narrow", narrow(), narrowRows}, {"typed", typed(), typedRows}} {
		r := rand.New(rand.NewPCG(1, 2))
		var recs []arrow.RecordBatch
		for i := range 32 {
			recs = append(recs, c.rows(c.t, r, i*batchRows, batchRows))
		}
		for _, op := range []batch.Op{batch.Insert, batch.After} {
			b.Run(fmt.Sprintf("%s/%v", c.name, map[batch.Op]string{batch.Insert: "insert", batch.After: "update"}[op]), func(b *testing.B) {
				ops := make([]batch.Op, batchRows)
				for i := range ops {
					ops[i] = op
				}
				s, err := Open(b.Context(), "iceberg:"+b.TempDir(), Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				w, err := s.Open(b.Context(), c.t, writer.Follow)
				if err == nil {
					err = w.Commit(b.Context(), "p0")
				}
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				start := cpu()
				n := 0
				for b.Loop() {
					for i := range batches {
						rec := renumber(recs[i%len(recs)], n)
						err := w.Write(b.Context(), &batch.Batch{Table: c.t, Rows: rec, Ops: ops})
						rec.Release()
						if err != nil {
							b.Fatal(err)
						}
						n += batchRows
					}
				}
				if err := w.Commit(b.Context(), "p"); err != nil {
					b.Fatal(err)
				}
				used := cpu() - start
				b.StopTimer()
				b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(n), "cpu-µs/row")
				b.ReportMetric(float64(n)/1e6/b.Elapsed().Seconds(), "Mrows/s")
			})
		}
	}
}

// renumber gives the rows of a batch new keys.
func renumber(rec arrow.RecordBatch, from int) arrow.RecordBatch {
	var b array.Builder
	n := int(rec.NumRows())
	switch rec.Column(0).(type) {
	case *array.Int32:
		x := array.NewInt32Builder(memory.DefaultAllocator)
		x.Reserve(n)
		for i := range n {
			x.UnsafeAppend(int32(from + i))
		}
		b = x
	default:
		x := array.NewInt64Builder(memory.DefaultAllocator)
		x.Reserve(n)
		for i := range n {
			x.UnsafeAppend(int64(from + i))
		}
		b = x
	}
	key := b.NewArray()
	defer key.Release()
	return array.NewRecordBatch(rec.Schema(), append([]arrow.Array{key}, rec.Columns()[1:]...), int64(n))
}

// BenchmarkIndex puts a million new keys into the index of a commit.
func BenchmarkIndex(b *testing.B) {
	t := narrow()
	rec := narrowRows(t, rand.New(rand.NewPCG(1, 2)), 0, 8192)
	for b.Loop() {
		f := &fold{keys: newKeyHasher(t), w: &Writer{sink: &Sink{}}}
		for n := 0; n < 1<<20; n += 8192 {
			r := renumber(rec, n)
			if err := f.add(b.Context(), &batch.Batch{Rows: r}); err != nil {
				b.Fatal(err)
			}
			f.release(&f.chunks[len(f.chunks)-1])
			r.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<20), "ns/row")
}

// BenchmarkCommits makes small commits to one table, each of which finds the
// history of those before it: run it with -benchtime 1000x.
func BenchmarkCommits(b *testing.B) {
	rest := os.Getenv("TABLEHAUL_TEST_ICEBERG_REST")
	for name, target := range map[string]string{
		"embedded": "iceberg:" + b.TempDir(),
		"rest":     "iceberg+rest://" + strings.TrimPrefix(rest, "http://"),
	} {
		b.Run(name, func(b *testing.B) {
			if name == "rest" && rest == "" {
				b.Skip("no REST catalog")
			}
			s, err := Open(b.Context(), target, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			t := accounts(fmt.Sprintf("commits_%d", time.Now().UnixNano()))
			w, err := s.Open(b.Context(), t, writer.Follow)
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			ops := slices.Repeat([]batch.Op{batch.After}, 10)
			start := cpu()
			var times []time.Duration
			for n := 0; b.Loop(); n++ {
				r := rows(t, n, n+10)
				r.Ops = ops
				began := time.Now()
				if err := w.Write(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				if err := w.Commit(b.Context(), batch.Position(fmt.Sprint(n))); err != nil {
					b.Fatal(err)
				}
				r.Release()
				times = append(times, time.Since(began))
			}
			n := max(1, len(times)/10)
			first, last := times[:n], times[len(times)-n:]
			slices.Sort(first)
			slices.Sort(last)
			b.ReportMetric(float64(first[n/2].Microseconds())/1e3, "first-ms")
			b.ReportMetric(float64(last[n/2].Microseconds())/1e3, "last-ms")
			b.ReportMetric(float64((cpu()-start).Microseconds())/1e3/float64(len(times)), "cpu-ms/op")
			var size int64
			_ = filepath.Walk(strings.TrimPrefix(w.(*Writer).location, "file://")+"/metadata", func(_ string, info os.FileInfo, err error) error {
				if err == nil && !info.IsDir() {
					size += info.Size()
				}
				return nil
			})
			b.ReportMetric(float64(size)/1e6, "metadata-MB")
		})
	}
}
