package iceberg

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	restcat "github.com/apache/iceberg-go/catalog/rest"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

func TestKeyIndex(t *testing.T) {
	for _, c := range []struct {
		name string
		hash func(n int) keyHash
	}{
		{"spread", func(n int) keyHash { h := keyHash{uint64(n), 0}; h.shuffle(); return h }},
		{"one slot", func(n int) keyHash { return keyHash{7, uint64(n)} }},
		{"the last slot", func(n int) keyHash { return keyHash{^uint64(0) - uint64(n%3), uint64(n)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := 20000
			if c.name != "spread" {
				keys = 150 // the tail holds a few
			}
			if c.name == "the last slot" {
				keys = 60
			}
			var x keyIndex
			for round := range 3 {
				for n := range keys {
					e := x.find(c.hash(n))
					if (e.ref == 0) != (round == 0) || e.ref != 0 && e.ref.row() != n {
						t.Fatalf("key %d, round %d: got %v", n, round, e.ref)
					}
					e.ref = refTo(round, n)
				}
			}
			if x.n != keys {
				t.Errorf("got %d entries, want %d", x.n, keys)
			}
			var got []indexEntry
			_ = x.sorted(func(e indexEntry) error { got = append(got, e); return nil })
			if len(got) != keys || !slices.IsSortedFunc(got, func(a, b indexEntry) int { return a.hash.compare(b.hash) }) {
				t.Errorf("%d entries, or not sorted", len(got))
			}
			x.reset()
			if e := x.find(c.hash(1)); e.ref != 0 {
				t.Error("an entry has survived")
			}
		})
	}
}

// Different keys have different hashes, whatever the columns are.
func TestKeyHashes(t *testing.T) {
	for _, kind := range keyKinds {
		tbl := batchtest.Shape("db", kind.name, append([]string{"id int"}, kind.columns...)...)
		var rows []batchtest.Row
		for n := range 400 {
			rows = append(rows, append(batchtest.Row{0}, kind.key(n)...))
		}
		b := batchtest.Build(memory.DefaultAllocator, tbl, append(rows, rows...))
		hashes, err := newKeyHasher(tbl).hash(b.Rows)
		must(t, err)
		seen := make(map[keyHash]bool)
		for i, h := range hashes[:400] {
			if hashes[400+i] != h {
				t.Errorf("%s: equal keys differ", kind.name)
			}
			seen[h] = true
		}
		if len(seen) != 400 {
			t.Errorf("%s: %d hashes of 400 keys", kind.name, len(seen))
		}
		// A slice of a batch has offsets of its own.
		part, err := newKeyHasher(tbl).hash(b.Rows.NewSlice(390, 410))
		must(t, err)
		if !slices.Equal(part, slices.Concat(hashes[390:400], hashes[:10])) {
			t.Errorf("%s: the hashes of a slice differ", kind.name)
		}
	}
}

func TestChunkRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := chunk{rows: 1 + r.IntN(300)}
		dead := make([]bool, c.rows)
		for range r.IntN(c.rows + 1) {
			n := r.IntN(c.rows)
			c.kill(n)
			dead[n] = true
		}
		var got []int
		for s, ok := c.next(0); ok; s, ok = c.next(s.to) {
			for i := s.from; i < s.to; i++ {
				if before := i - c.deadBefore(i); before != len(got) {
					t.Fatalf("row %d is number %d, want %d", i, before, len(got))
				}
				got = append(got, i)
			}
		}
		var want []int
		for i, d := range dead {
			if !d {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// Tables whose key the format cannot delete by are refused while nothing is lost.
func TestFollowRefuses(t *testing.T) {
	s, _ := hookedSink(t)
	for _, column := range []string{"k float key", "k double key"} {
		tbl := batchtest.Shape("shop", "t", column)
		_, err := s.Open(t.Context(), tbl, writer.Follow)
		if err == nil || !strings.Contains(hint.Of(err), "--changelog") || hint.IsTransient(err) {
			t.Errorf("%s: got %v, hint %q", column, err, hint.Of(err))
		}
	}
	nullable := schema.New("shop", "t", cols("k int", "v int"), []int{0})
	if _, err := s.Open(t.Context(), nullable, writer.Follow); err == nil {
		t.Error("a nullable key: got no error")
	}
	w := openTable(t, s, batchtest.Shape("shop", "f", "k float key"), writer.Create)
	b := batchtest.Build(memory.DefaultAllocator, w.src, []batchtest.Row{{float32(1)}})
	b.Ops = []batch.Op{batch.After}
	if err := w.Write(t.Context(), b); err == nil {
		t.Error("changes by a floating-point key: got no error")
	}
	must(t, w.Close())
}

// What a row that is deleted holds besides its key does not matter, not even that
// a column has no value where it must have one.
func TestOldImagesMayBeHollow(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := batchtest.Shape("shop", "t", "k int key", "v varchar(20) not null", "n decimal(30,2) not null")
	w := openTable(t, s, tbl, writer.Follow)
	b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{1, "a", "1.00"}, {2, nil, nil}, {3, "c", "3.00"}, {1, nil, nil}, {4, "d", "4.00"}})
	b.Ops = []batch.Op{batch.Insert, batch.Delete, batch.Insert, batch.Before, batch.After}
	write(t, w, b)
	must(t, w.Commit(t.Context(), "p"))
	wantContent(t, s, tbl, map[int]batchtest.Row{3: {int64(3), "c", "3.00"}, 4: {int64(4), "d", "4.00"}})
	b = batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{1, nil, "1.00"}})
	b.Ops = []batch.Op{batch.Insert}
	write(t, w, b)
	if err := w.Commit(t.Context(), "q"); err == nil {
		t.Error("a row without a value that it must have: got no error")
	}
	b.Release()
	must(t, w.Close())
}

// Inserts cost no deletes, and what comes and goes within a commit leaves nothing.
func TestDeletesOnlyWhereNeeded(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Follow)
	must(t, w.Commit(t.Context(), "p0"))
	step := func(ops []batch.Op, ids ...int) map[string]string {
		t.Helper()
		var rows []batchtest.Row
		for _, id := range ids {
			rows = append(rows, batchtest.Row{id, "x"})
		}
		b := batchtest.Build(memory.DefaultAllocator, tbl, rows)
		b.Ops = ops
		write(t, w, b)
		must(t, w.Commit(t.Context(), "p"))
		it, err := s.cat.LoadTable(t.Context(), w.ident)
		must(t, err)
		return it.CurrentSnapshot().Summary.Properties
	}
	const i, a, d, b = batch.Insert, batch.After, batch.Delete, batch.Before
	for n, c := range []struct {
		ops                 []batch.Op
		ids                 []int
		added, keys, places string
	}{
		{nil, []int{1, 2, 3}, "3", "", ""},
		{[]batch.Op{i, a, a}, []int{4, 4, 4}, "1", "", ""},
		{[]batch.Op{i, d}, []int{5, 5}, "", "", ""},
		{[]batch.Op{i, b, a}, []int{5, 5, 6}, "1", "1", ""}, // 6 may be there
		{[]batch.Op{a, a, d, i}, []int{1, 1, 1, 1}, "1", "1", ""},
		{[]batch.Op{d, d, a}, []int{2, 2, 3}, "1", "2", ""},
	} {
		got := step(c.ops, c.ids...)
		if got["added-records"] != c.added || got["added-equality-deletes"] != c.keys || got["added-position-deletes"] != c.places {
			t.Errorf("%d: got %v", n, got)
		}
	}
	must(t, w.Close())
}

// A transaction of any size fits into the memory there is, and leaves nothing
// behind where its keys were spilled.
func TestLargeTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const size, rounds = 8192, 300
	spill := t.TempDir()
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Memory: 8 << 20, SpillDir: spill, TargetFileSize: 4 << 20})
	tbl := batchtest.Shape("shop", "t", "k bigint key", "v bigint")
	w := openTable(t, s, tbl, writer.Follow)
	must(t, w.Commit(t.Context(), "p0"))
	ops := slices.Repeat([]batch.Op{batch.After}, size)
	r := rand.New(rand.NewPCG(1, 2))
	model := make(map[int64]int64)
	var most uint64
	for n := range rounds {
		rows := make([]batchtest.Row, size)
		for i := range rows {
			k, v := r.Int64N(1<<20), int64(n*size+i)
			rows[i] = batchtest.Row{k, v}
			model[k] = v
		}
		b := batchtest.Build(memory.DefaultAllocator, tbl, rows)
		b.Ops = ops
		write(t, w, b)
		if all := s.buffered.Load(); all > 12<<20 {
			t.Fatalf("%d bytes are held", all)
		}
		if n == rounds/2 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = m.HeapAlloc
		}
	}
	must(t, w.Commit(t.Context(), "p1"))
	if len(w.fold.spilled) != 0 || s.buffered.Load() > 2<<20 {
		t.Errorf("%d runs and %d bytes are left", len(w.fold.spilled), s.buffered.Load())
	}
	if left := filesIn(t, spill); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("heap in the middle: %d MiB", most>>20)
	n := 0
	for _, rec := range scan(t, s, tbl) {
		rows, err := batchtest.Rows(rec)
		must(t, err)
		for _, row := range rows {
			if v, ok := model[row[0].(int64)]; !ok || v != row[1] {
				t.Fatalf("got %v, want %d", row, v)
			}
			n++
		}
	}
	if n != len(model) {
		t.Errorf("got %d rows, want %d", n, len(model))
	}
	must(t, w.Close())
}

// Tables share the memory: those that have most of it write to files first.
func TestTablesShareMemory(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Memory: 1 << 20})
	var ws []*Writer
	for n := range 30 {
		w := openTable(t, s, accounts(fmt.Sprint("t", n)), writer.Follow)
		must(t, w.Commit(t.Context(), "p0"))
		ws = append(ws, w)
	}
	for n := range 20 {
		for i, w := range ws {
			write(t, w, rows(w.src, n*200, n*200+50+5*i))
			if all := s.buffered.Load(); all > 2<<20 {
				t.Fatalf("%d bytes are held", all)
			}
		}
	}
	done := make(chan error)
	for _, w := range ws {
		go func() { done <- w.Commit(context.Background(), "p1") }()
	}
	for range ws {
		must(t, <-done)
	}
	for i, w := range ws {
		if got := ids(t, s, w.src.Name); len(got) != 20*(50+5*i) {
			t.Errorf("%s: %d rows, want %d", w.src, len(got), 20*(50+5*i))
		}
		must(t, w.Close())
	}
	if all := s.buffered.Load(); all != 0 {
		t.Errorf("%d bytes are counted in the end", all)
	}
}

// The steps of a commit come in the order that Options.Step promises.
func TestSteps(t *testing.T) {
	var got []string
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Step: func(name string) { got = append(got, name) }})
	w := openTable(t, s, accounts("t"), writer.Follow)
	for _, pos := range []batch.Position{"p1", "p2"} {
		got = nil
		write(t, w, rows(w.src, 0, 5))
		must(t, w.Commit(t.Context(), pos))
		want := []string{"rows written", "files durable", "manifests written", "commit sent", "commit landed", "tidied"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	must(t, w.Close())
}

// Old metadata files go, and the file that a reader has just been told of stays.
func TestMetadataFilesAreFew(t *testing.T) {
	s, _ := hookedSink(t)
	w := openTable(t, s, accounts("t"), writer.Follow)
	for n := range 40 {
		must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint(n))))
	}
	dir, err := localPath(w.location)
	must(t, err)
	entries, err := os.ReadDir(dir + "/metadata")
	must(t, err)
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".metadata.json") && !strings.HasPrefix(e.Name(), "v") {
			n++
		}
	}
	if n > 22 {
		t.Errorf("%d metadata files", n)
	}
	must(t, w.Close())
}

// What may pass is marked, what does not is not, and after either the same process
// can begin anew.
func TestTransientErrors(t *testing.T) {
	s, h := hookedSink(t)
	tbl := accounts("t")
	update := func(w *Writer) error {
		b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{1, "x"}})
		defer b.Release()
		b.Ops = []batch.Op{batch.After}
		return w.Write(t.Context(), b)
	}
	for n, c := range []struct {
		landed    bool
		err       error
		transient bool
	}{
		{false, errReplyLost, true},
		{true, errReplyLost, true},
		{false, restcat.ErrServiceUnavailable, true},
		{false, restcat.ErrForbidden, false},
	} {
		w := openTable(t, s, tbl, writer.Follow)
		must(t, update(w))
		gone := func() error { return c.err }
		var again func() error
		again = func() error { h.before = again; return c.err }
		if c.landed {
			h.after = func() error { h.loadErr = c.err; return gone() }
		} else {
			h.before = again
		}
		err := w.Commit(t.Context(), batch.Position(fmt.Sprint(n)))
		if err == nil || hint.IsTransient(err) != c.transient {
			t.Errorf("%v: got %v, transient %v", c.err, err, hint.IsTransient(err))
		}
		if c.landed {
			// Nothing can be said of the next change before this is settled.
			if err := update(w); !hint.IsTransient(err) {
				t.Errorf("a change then: got %v", err)
			}
		}
		h.before, h.loadErr = nil, nil
		must(t, w.Close())
		w = openTable(t, s, tbl, writer.Follow)
		must(t, update(w))
		must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint(n, " again"))))
		must(t, w.Close())
		wantContent(t, s, tbl, map[int]batchtest.Row{1: {int64(1), "x"}})
	}
}
