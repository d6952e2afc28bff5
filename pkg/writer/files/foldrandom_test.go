package files

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// rivalFold has two runs change rows of their own in random order, with stock, emptied tables, folders, reopenings.
func rivalFold(t *testing.T, root string, o Options, seed int) {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	if seed%3 == 1 {
		o.Partition = func(*schema.Table) string { return "p=note" }
	} else if seed%3 == 2 {
		o.Partition = func(*schema.Table) string { return "dt=day(@commit), hour=hour(@commit)" }
	}
	open := func(part string) *Writer {
		w := openOrders(t, hSink2(root, o), writer.Follow)
		w.Share(writertest.MergePart(part))
		return w
	}
	model := []map[int]string{{}, {}} // staged+committed of each
	done := []map[int]string{{}, {}}
	z := open("z")
	var stock []batchtest.Row
	for k := range 60 {
		stock = append(stock, batchtest.Row{k, "s"})
		model[k%2][k], done[k%2][k] = "s", "s"
	}
	writeOrders(t, z, -1, stock...)
	storeMust(t, z.Commit(t.Context(), "z:1"))
	ws := map[string]*Writer{"a": open("a"), "b": open("b")}
	fenced, well := 0, 0
	defer func() { t.Logf("seed %d: %d commits, %d refused", seed, well, fenced) }()
	n := []int{0, 0}
	for range 120 {
		i := r.IntN(2)
		part := []string{"a", "b"}[i]
		w := ws[part]
		if r.IntN(6) == 0 {
			n[i]++
			err := w.Commit(t.Context(), batch.Position(fmt.Sprintf("%s:%d", part, n[i])))
			if err != nil {
				n[i]--
				fenced++
				w.Close()
				ws[part] = open(part)
				model[i] = clone2(done[i])
				continue
			}
			done[i] = clone2(model[i])
			well++
			continue
		}
		var rows []batchtest.Row
		var ops []batch.Op
		for range 1 + r.IntN(5) {
			k := r.IntN(30)*2 + i
			v := fmt.Sprint("v", r.IntN(4))
			_, there := model[i][k]
			switch x := r.IntN(5); {
			case !there:
				ops = append(ops, []batch.Op{batch.Insert, batch.After}[r.IntN(2)])
				model[i][k] = v
			case x == 0:
				ops = append(ops, batch.Delete)
				delete(model[i], k)
			case x == 1: // the key changes
				k2 := r.IntN(30)*2 + i
				if _, there := model[i][k2]; there {
					continue
				}
				rows, ops = append(rows, batchtest.Row{k, v}), append(ops, batch.Before)
				delete(model[i], k)
				k = k2
				ops = append(ops, batch.After)
				model[i][k] = v
			default:
				ops = append(ops, batch.After)
				model[i][k] = v
			}
			rows = append(rows, batchtest.Row{k, v})
		}
		if len(rows) == 0 {
			continue
		}
		b := batchtest.Build(memory.DefaultAllocator, rival, rows)
		b.Ops = ops
		if err := w.Write(t.Context(), b); err != nil {
			w.Close()
			ws[part] = open(part)
			model[i] = clone2(done[i])
		}
		b.Release()
	}
	w := open("c")
	got := rowsByKey(t, w, seed)
	for i := range 2 {
		for k, v := range done[i] {
			if got[k] != v {
				t.Errorf("seed %d: key %d is %q, want %q", seed, k, got[k], v)
			}
			delete(got, k)
		}
	}
	if len(got) > 0 {
		t.Errorf("seed %d: too many: %v", seed, got)
	}
}

func clone2(m map[int]string) map[int]string {
	n := map[int]string{}
	for k, v := range m {
		n[k] = v
	}
	return n
}

func hSink2(root string, o Options) *Sink { return newSink(folders{local{root}}, "", o) }

// One run, with emptied tables and commits that are cut off before they are made.
func TestFoldAlone(t *testing.T) {
	for seed := range seeds(60) {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		root := t.TempDir()
		o := Options{Memory: []int64{4000, 1 << 20}[seed%2], TargetFileSize: 300, Format: []Format{CSV, TSV, JSONL, Parquet}[seed%4]}
		if seed%3 == 1 {
			o.Partition = func(*schema.Table) string { return "p=note" }
		}
		var cut func()
		o.Step = func(n string) {
			if n == "rows written" && cut != nil {
				cut()
			}
		}
		w := openOrders(t, hSink2(root, o), writer.Follow)
		model := map[int]string{}
		for step := range 150 {
			switch r.IntN(9) {
			case 0:
				if err := w.Commit(t.Context(), batch.Position(fmt.Sprint("p", step))); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				continue
			case 1:
				ctx, cancel := context.WithCancel(t.Context())
				cut = cancel
				err := w.Commit(ctx, "cut")
				cancel()
				cut = nil
				if err == nil {
					t.Fatal("not cut")
				}
				continue
			}
			b := &batch.Batch{}
			var rows []batchtest.Row
			var ops []batch.Op
			emptied := r.IntN(15) == 0
			if emptied {
				clear(model)
			}
			for range r.IntN(6) {
				k, v := r.IntN(40), fmt.Sprint("v", r.IntN(4))
				op := batch.After
				if _, there := model[k]; !there {
					op = []batch.Op{batch.Insert, batch.After}[r.IntN(2)]
					model[k] = v
				} else if r.IntN(3) == 0 {
					op = batch.Delete
					delete(model, k)
				} else {
					model[k] = v
				}
				rows, ops = append(rows, batchtest.Row{k, v}), append(ops, op)
			}
			if len(rows) > 0 {
				b = batchtest.Build(memory.DefaultAllocator, rival, rows)
				b.Ops = ops
			}
			b.Emptied = emptied
			if err := w.Write(t.Context(), b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		storeMust(t, w.Commit(t.Context(), "end"))
		got := rowsByKey(t, w, seed)
		if len(got) != len(model) {
			t.Errorf("seed %d: %d rows, want %d", seed, len(got), len(model))
		}
		for k, v := range model {
			if got[k] != v {
				t.Errorf("seed %d: key %d is %q, want %q", seed, k, got[k], v)
			}
		}
	}
}

// rowsByKey reads all that the table holds; a key that comes twice is an error.
func rowsByKey(t *testing.T, w *Writer, seed int) map[int]string {
	t.Helper()
	got := map[int]string{}
	for _, f := range w.known.Files {
		in, err := w.sink.store.open(t.Context(), path.Join(w.dir, f.Path))
		storeMust(t, err)
		storeMust(t, w.scan(t.Context(), in, nil, func(c []arrow.Array, rows int) error {
			for j := range rows {
				k := int(c[0].(*array.Int64).Value(j))
				if _, ok := got[k]; ok {
					t.Errorf("seed %d: key %d twice", seed, k)
				}
				got[k] = c[1].(*array.String).Value(j)
			}
			return nil
		}))
		in.Close()
	}
	return got
}
