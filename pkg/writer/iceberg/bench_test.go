//go:build unix

package iceberg

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// narrow is sysbench's table.
func narrow() *schema.Table {
	return schema.New("bench", "sbtest", cols("id int!", "k int!", "c char(120)!", "pad char(60)!"), []int{0})
}

// typed is a table of orders, 18 columns of most types.
func typed() *schema.Table {
	return schema.New("bench", "orders", cols("id bigint!", "customer_id int!", "status enum('new','paid','packed','sent','done')!",
		"total decimal(12,2)!", "tax decimal(12,2)!", "discount decimal(5,2)", "currency char(3)!", "created datetime(6)!", "updated timestamp!",
		"due date", "email varchar(100)!", "city varchar(50)", "qty smallint!", "flags tinyint unsigned!", "weight double",
		"note varchar(200)", "paid bit(1)!", "ref binary(16)!"), []int{0})
}

func narrowRows(t *schema.Table, r *rand.Rand, from, n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	digits := func(groups int) string {
		var s []byte
		for g := range groups {
			if g > 0 {
				s = append(s, '-')
			}
			for range 11 {
				s = append(s, byte('0'+r.IntN(10)))
			}
		}
		return string(s)
	}
	for i := range n {
		b.Field(0).(*array.Int32Builder).Append(int32(from + i))
		b.Field(1).(*array.Int32Builder).Append(int32(2500000 + r.NormFloat64()*50000))
		b.Field(2).(*array.StringBuilder).Append(digits(10))
		b.Field(3).(*array.StringBuilder).Append(digits(5))
	}
	return b.NewRecordBatch()
}

var cities = []string{"Berlin", "München", "Hamburg", "Köln", "Paris", "Lyon", "Wien", "Graz", "Zürich", "Basel", "Roma", "Milano"}

func typedRows(t *schema.Table, r *rand.Rand, from, n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	words := []string{"please", "leave", "at", "the", "door", "call", "before", "fragile", "gift", "wrap", "ring", "twice"}
	text := func(i int, s string) { b.Field(i).(*array.StringBuilder).Append(s) }
	dec := func(i int, v int64) { b.Field(i).(*array.Decimal128Builder).Append(decimal128.FromI64(v)) }
	i32 := func(i int, v int) { b.Field(i).(*array.Int32Builder).Append(int32(v)) }
	for i := range n {
		id := from + i
		b.Field(0).(*array.Int64Builder).Append(int64(id))
		i32(1, r.IntN(100000))
		text(2, []string{"new", "paid", "packed", "sent", "done"}[r.IntN(5)])
		dec(3, r.Int64N(1000000))
		dec(4, r.Int64N(100000))
		if r.IntN(3) == 0 {
			dec(5, r.Int64N(5000))
		} else {
			b.Field(5).AppendNull()
		}
		text(6, []string{"EUR", "USD", "CHF"}[r.IntN(3)])
		b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + float64(id)*1e6 + float64(r.IntN(1e6))))
		b.Field(8).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + float64(id+r.IntN(100000))*1e6))
		if r.IntN(10) == 0 {
			b.Field(9).AppendNull()
		} else {
			b.Field(9).(*array.Date32Builder).Append(arrow.Date32(19000 + r.IntN(365)))
		}
		text(10, fmt.Sprintf("user%d@example%d.com", r.IntN(100000), r.IntN(50)))
		text(11, cities[r.IntN(len(cities))])
		i32(12, r.IntN(20))
		i32(13, r.IntN(256))
		b.Field(14).(*array.Float64Builder).Append(float64(r.IntN(100000)) / 100)
		if r.IntN(2) == 0 {
			b.Field(15).AppendNull()
		} else {
			s := ""
			for range 3 + r.IntN(8) {
				s += words[r.IntN(len(words))] + " "
			}
			text(15, s)
		}
		b.Field(16).(*array.BooleanBuilder).Append(r.IntN(2) == 0)
		var ref [16]byte
		for k := range ref {
			ref[k] = byte(r.Uint32())
		}
		b.Field(17).(*array.BinaryBuilder).Append(ref[:])
	}
	return b.NewRecordBatch()
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWrite writes and commits tables of b.N times a million rows, by
// goroutines each with batches of its own. µs/row is CPU time of the process.
func BenchmarkWrite(b *testing.B) {
	const batchRows, batches = 8192, 1 << 20 / 8192
	for _, c := range []struct {
		name   string
		t      *schema.Table
		rows   func(*schema.Table, *rand.Rand, int, int) arrow.RecordBatch
		layout Layout
	}{
		{"narrow", narrow(), narrowRows, Layout{}},
		{"typed", typed(), typedRows, Layout{}},
		{"narrow in buckets", narrow(), narrowRows, Layout{Partition: "bucket(16,id)"}},
		{"narrow in 2000 buckets", narrow(), narrowRows, Layout{Partition: "bucket(2000,id)"}},
		{"narrow sorted", narrow(), narrowRows, Layout{Sort: "k"}},
		{"typed in buckets", typed(), typedRows, Layout{Partition: "bucket(16,id)"}},
		{"typed sorted", typed(), typedRows, Layout{Sort: "customer_id, created desc"}},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var recs []arrow.RecordBatch
		for i := range 32 {
			recs = append(recs, c.rows(c.t, r, i*batchRows, batchRows))
		}
		for _, codec := range []string{"zstd", "none"} {
			b.Run(c.name+"/"+codec, func(b *testing.B) {
				dir := b.TempDir()
				s, err := Open(b.Context(), "iceberg:"+dir, Options{Codec: codec, Parallel: 2, Layout: func(*schema.Table) Layout { return c.layout }})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				w, err := s.Open(b.Context(), c.t, writer.Create)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				start := cpu()
				n := 0
				for b.Loop() {
					done := make(chan error)
					for g := range 2 {
						go func() {
							var err error
							for i := g; i < batches && err == nil; i += 2 {
								err = w.Write(b.Context(), &batch.Batch{Table: c.t, Rows: recs[i%len(recs)], Origin: g})
							}
							done <- err
						}()
					}
					for range 2 {
						if err := <-done; err != nil {
							b.Fatal(err)
						}
					}
					n += batches * batchRows
				}
				if err := w.Commit(b.Context(), "p"); err != nil {
					b.Fatal(err)
				}
				used := cpu() - start
				b.StopTimer()
				var size int64
				_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
					if err == nil && !info.IsDir() {
						size += info.Size()
					}
					return nil
				})
				b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(n), "cpu-µs/row")
				b.ReportMetric(float64(size)/float64(n), "bytes/row")
				b.ReportMetric(float64(n)/1e6/b.Elapsed().Seconds(), "Mrows/s")
			})
		}
	}
}
