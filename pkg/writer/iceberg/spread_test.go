package iceberg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// spread opens a table that is to be laid out so in a lake of its own.
func spreadTable(t *testing.T, l Layout, o Options) (w *Writer, lake string) {
	t.Helper()
	lake = t.TempDir()
	o.Layout = func(*schema.Table) Layout { return l }
	s := openSink(t, "iceberg:"+lake, o)
	return openTable(t, s, eventsTable("t"), writer.Create), lake
}

// fill writes rows 0..n-1 in batches, by some goroutines, and commits them.
func fill(t *testing.T, w *Writer, n int, row func(id int) batchtest.Row) map[int]batchtest.Row {
	t.Helper()
	const size, workers = 500, 4
	model := make(map[int]batchtest.Row)
	for id := range n {
		model[id] = row(id)
	}
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for at := k * size; at < n; at += workers * size {
				var rows []batchtest.Row
				for id := at; id < min(at+size, n); id++ {
					rows = append(rows, model[id])
				}
				b := batchtest.Build(memory.DefaultAllocator, w.src, rows)
				b.Origin = at
				if err := w.Write(t.Context(), b); err != nil {
					t.Error(err)
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	return model
}

// dataFiles lists the table's data files.
func dataFiles(t *testing.T, w *Writer) []iceberg.DataFile {
	t.Helper()
	it, err := w.sink.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	files, _, err := liveFiles(it, localFS{})
	must(t, err)
	return files
}

// TestManyPartitionsAtRandom writes far more partitions than there are files at
// once, in no order: there must be about one file for each, and the memory that
// was promised.
func TestManyPartitionsAtRandom(t *testing.T) {
	days, rows := 600, 12000
	if testing.Short() {
		days, rows = 60, 1200
	}
	for _, sort := range []string{"", "name, id"} {
		w, _ := spreadTable(t, Layout{Partition: "day(at)", Sort: sort}, Options{Memory: 8 << 20, Parallel: 4, SpillDir: t.TempDir()})
		r := rand.New(rand.NewPCG(1, 2))
		model := fill(t, w, rows, func(id int) batchtest.Row {
			row := event(r, id)
			row[1] = fmt.Sprintf("%d-%02d-%02d 12:00:00.000000", 1965+r.IntN(days)/60, 1+r.IntN(12), 1+r.IntN(5))
			return row
		})
		files := dataFiles(t, w)
		parts := make(map[string]bool)
		for _, f := range files {
			parts[fmt.Sprint(f.Partition())] = true
		}
		if len(parts) != days || len(files) > 2*days {
			t.Errorf("sort %q: %d files for %d partitions, want about one for each of %d", sort, len(files), len(parts), days)
		}
		if n := w.sink.buffered.Load(); n != 0 {
			t.Errorf("%d bytes are counted as held in the end", n)
		}
		wantContent(t, w.sink, w.src, model)
	}
}

// TestPartitionsByTime writes partitions that come one after the other: files of
// those that are over make room, and nothing goes to the disk in between.
func TestPartitionsByTime(t *testing.T) {
	dir := t.TempDir()
	w, _ := spreadTable(t, Layout{Partition: "day(at)"}, Options{Memory: 64 << 20, Parallel: 4, SpillDir: filepath.Join(dir, "is not there")})
	w.spreads.most = 8
	r := rand.New(rand.NewPCG(1, 2))
	n := 40000
	if testing.Short() {
		n = 5000
	}
	model := fill(t, w, n, func(id int) batchtest.Row {
		row := event(r, id)
		row[1] = fmt.Sprintf("20%02d-01-01 00:00:00.000000", id/(n/50))
		return row
	})
	if n := len(dataFiles(t, w)); n > 2*50 {
		t.Errorf("%d files for 50 partitions", n)
	}
	wantContent(t, w.sink, w.src, model)
}

// TestSortedFiles reads the files back with pyarrow, which knows nothing of our
// keys, and compares neighbours as the table's order wants.
func TestSortedFiles(t *testing.T) {
	services.Need(t)
	for _, c := range []struct {
		layout Layout
		memory int64
	}{
		{Layout{Sort: "name desc nulls first, price, id desc"}, 8 << 20},
		{Layout{Sort: "name, at desc"}, 1 << 20}, // runs, merged in several passes
		{Layout{Sort: "bin nulls last, big desc nulls last"}, 1 << 20},
		{Layout{Sort: "ts desc, d, flag"}, 64 << 20},
		{Layout{Sort: "price desc", Partition: "bucket(3,id)"}, 1 << 20},
		{Layout{Sort: "id"}, 8 << 20}, // as the rows come
	} {
		w, lake := spreadTable(t, c.layout, Options{Memory: c.memory, Parallel: 4, TargetFileSize: 1 << 20, SpillDir: t.TempDir()})
		r := rand.New(rand.NewPCG(1, 2))
		model := fill(t, w, 20000, func(id int) batchtest.Row { return event(r, id) })
		files := dataFiles(t, w)
		for _, f := range files {
			if id := f.SortOrderID(); id == nil || *id != 1 {
				t.Errorf("%s: a file that says to be in order %v", c.layout.Sort, id)
			}
		}
		wantContent(t, w.sink, w.src, model)
		got := python(t, `
import pyarrow.parquet as pq, functools, glob
order = [(t.split()[0], 'desc' in t, 'nulls last' in t or ('desc' in t and 'nulls first' not in t)) for t in sys.argv[2].split(', ')]
def cmp(a, b):
    for name, desc, last in order:
        x, y = a[name], b[name]
        if x == y: continue
        if x is None or y is None: return (1 if last else -1) if x is None else (-1 if last else 1)
        if isinstance(x, str): x, y = x.encode(), y.encode()
        return (-1 if x < y else 1) * (-1 if desc else 1)
    return 0
bad, n = [], 0
for f in glob.glob(sys.argv[1] + '/shop/t/data/*.parquet'):
    rows = pq.read_table(f).to_pylist()
    n += len(rows)
    bad += ['%s: row %d' % (os.path.basename(f), i) for i in range(1, len(rows)) if cmp(rows[i-1], rows[i]) > 0]
out([n, bad[:5]])`, lake, c.layout.Sort)
		if want := []any{20000.0, []any{}}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: %v", c.layout, got)
		}
	}
}

// TestSortedBackwards has splits come in the opposite order, more than files may be open:
// each begins one of its own.
func TestSortedBackwards(t *testing.T) {
	w, _ := spreadTable(t, Layout{Sort: "id"}, Options{Memory: 1 << 20, Parallel: 4})
	r := rand.New(rand.NewPCG(1, 2))
	model := make(map[int]batchtest.Row)
	const size, splits = 50, 200
	for at := splits - 1; at >= 0; at-- {
		var rows []batchtest.Row
		for id := at * size; id < (at+1)*size; id++ {
			model[id] = event(r, id)
			rows = append(rows, model[id])
		}
		b := batchtest.Build(memory.DefaultAllocator, w.src, rows)
		b.Origin = at
		must(t, w.Write(t.Context(), b))
		b.Release()
	}
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	wantContent(t, w.sink, w.src, model)
}

// TestUnsortedFilesDoNotClaimIt hands rows in the wrong order to a table whose
// rows are trusted to come in order.
func TestUnsortedFilesDoNotClaimIt(t *testing.T) {
	w, _ := spreadTable(t, Layout{Sort: "id"}, Options{})
	r := rand.New(rand.NewPCG(1, 2))
	b := batchtest.Build(memory.DefaultAllocator, w.src, []batchtest.Row{event(r, 2), event(r, 1)})
	write(t, w, b)
	must(t, w.Commit(t.Context(), "p"))
	if id := dataFiles(t, w)[0].SortOrderID(); id != nil && *id != 0 {
		t.Errorf("the file says to be in order %d", *id)
	}
}

// TestSpillDirFails has no folder for temporary files, as when its disk is full or
// gone: the error names the folder, and nothing is committed or left behind.
func TestSpillDirFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	w, lake := spreadTable(t, Layout{Sort: "name"}, Options{Memory: 1 << 20, SpillDir: dir})
	r := rand.New(rand.NewPCG(1, 2))
	var err error
	for at := 0; at < 100000 && err == nil; at += 1000 {
		var rows []batchtest.Row
		for id := range 1000 {
			rows = append(rows, event(r, at+id))
		}
		err = w.Write(t.Context(), batchtest.Build(memory.DefaultAllocator, w.src, rows))
	}
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(hint.Of(err), "TMPDIR") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	if err := w.Commit(t.Context(), "p"); err == nil {
		t.Error("a table that has lost rows was committed")
	}
	must(t, w.Close())
	if left := filesIn(t, filepath.Join(lake, "shop")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFullSpillDirIsNamed(t *testing.T) {
	err := advise(&spillError{"/big/tmp", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}})
	if h := hint.Of(err); !strings.Contains(h, "/big/tmp") || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, hint %q", err, h)
	}
}

// TestTargetFileSize checks what docs/iceberg.md says of the size of files.
func TestTargetFileSize(t *testing.T) {
	measures(t)
	const target = 1 << 20
	for _, l := range []Layout{{}, {Partition: "bucket(2,id)"}, {Sort: "big"}} {
		w, _ := spreadTable(t, l, Options{TargetFileSize: target, Parallel: 1, Codec: "none"})
		r := rand.New(rand.NewPCG(1, 2))
		for at := 0; at < 120000; at += 2000 {
			var rows []batchtest.Row
			for id := range 2000 {
				row := event(r, at+id)
				row[4], row[7] = fmt.Sprintf("%x", r.Uint64()), r.Int64()
				rows = append(rows, row)
			}
			write(t, w, batchtest.Build(memory.DefaultAllocator, w.src, rows))
		}
		must(t, w.Commit(t.Context(), batch.Position("p")))
		must(t, w.Close())
		files := dataFiles(t, w)
		small := 0
		for _, f := range files {
			if f.FileSizeBytes() > target*5/4 {
				t.Errorf("%+v: a file of %d bytes", l, f.FileSizeBytes())
			}
			if f.FileSizeBytes() < target*3/4 {
				small++
			}
		}
		if len(files) < 4 || small > 2 { // the last of each partition
			t.Errorf("%+v: %d of %d files are small", l, small, len(files))
		}
	}
}
