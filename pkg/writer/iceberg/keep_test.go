package iceberg

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// writeOrigin writes rows of an origin.
func writeOrigin(t *testing.T, w *Writer, origin int, rows ...batchtest.Row) {
	t.Helper()
	b := batchtest.Build(memory.DefaultAllocator, w.src, rows)
	b.Origin = origin
	write(t, w, b)
}

// keepTen keeps rows 0..9 as origin 0 of a plan.
func keepTen(t *testing.T, w *Writer) {
	t.Helper()
	must(t, w.Keep(t.Context(), "plan"))
	write(t, w, rows(w.src, 0, 10))
	must(t, w.Whole(t.Context(), 0))
	w.closing.Wait()
}

// wantKept compares what a dead run has kept with what it should have.
func wantKept(t *testing.T, w *Writer, rows int64, origins ...int) {
	t.Helper()
	if k := w.Kept(); k.Rows != rows || !slices.Equal(k.Origins, origins) {
		t.Fatalf("%d rows of the origins %v are kept, want %d of %v", k.Rows, k.Origins, rows, origins)
	}
}

// partitionsOf lists the table's files by what they say of their rows.
func partitionsOf(t *testing.T, w *Writer) []string {
	t.Helper()
	var out []string
	for _, f := range dataFiles(t, w) {
		out = append(out, fmt.Sprintf("%#v spec %d order %v rows %d", f.Partition(), f.SpecID(), *f.SortOrderID(), f.Count()))
	}
	slices.Sort(out)
	return out
}

// TestKeptPartitions takes files of partitions of every kind over, and has PyIceberg
// compare them with those of tables that were written in one go.
func TestKeptPartitions(t *testing.T) {
	services.Need(t)
	lake := t.TempDir()
	layout := Layout{Sort: "c"}
	s := openSink(t, "iceberg:"+lake, Options{KeepEvery: 1, Layout: func(*schema.Table) Layout { return layout }})
	var terms []string
	for i, c := range transformCases {
		for j, term := range c.transforms {
			layout.Partition, layout.FormatVersion = term+", void(id)", 2+j%2
			kept := batchtest.Shape("kept", fmt.Sprintf("t%d_%d", i, j), "id int key", "c "+c.native)
			whole := batchtest.Shape("whole", kept.Name, "id int key", "c "+c.native)
			rows := []batchtest.Row{{-1, nil}}
			for id, v := range c.values {
				rows = append(rows, batchtest.Row{id, v})
			}
			put(t, s, whole, writer.Create, "p", nil, rows...)

			w := openTable(t, s, kept, writer.Create)
			must(t, w.Keep(t.Context(), "plan"))
			writeOrigin(t, w, 3, rows...)
			must(t, w.Whole(t.Context(), 3))
			must(t, w.Close())
			w = openTable(t, s, kept, writer.Create)
			wantKept(t, w, int64(len(rows)), 3)
			must(t, w.Keep(t.Context(), "plan"))
			must(t, w.Commit(t.Context(), "p"))
			must(t, w.Close())

			got, want := partitionsOf(t, w), partitionsOf(t, openTable(t, s, whole, writer.Create))
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s:\n%s\nwant\n%s", term, c.native, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if c.native == "bigint unsigned" && !strings.HasPrefix(term, "bucket") {
				continue // PyIceberg wants a manifest to say that a decimal's scale is 0, which need not be said
			}
			terms = append(terms, kept.Name+" "+term+" of "+c.native)
		}
	}
	got := python(t, `
from pyiceberg.catalog.sql import SqlCatalog
cat = SqlCatalog('default', uri='sqlite:///%s/catalog.db' % sys.argv[1])
def files(name):
    t = cat.load_table(name)
    return sorted([repr(f.file.partition), f.file.record_count, f.file.sort_order_id] for f in t.scan().plan_files())
bad = []
for line in sys.argv[2].splitlines():
    name = line.split(' ')[0]
    got, want = files('kept.' + name), files('whole.' + name)
    if got != want or not got: bad.append([line, got, want])
out(bad)`, lake, strings.Join(terms, "\n"))
	if fmt.Sprint(got) != "[]" {
		t.Errorf("as PyIceberg sees them: %v", got)
	}
}

// TestKeptTogether has two origins meet in the files of a spread: neither is kept
// without the other, and who comes later does not keep them from being.
func TestKeptTogether(t *testing.T) {
	for _, l := range []Layout{{Partition: "bucket(2,id)"}, {Sort: "name"}, {Partition: "d", Sort: "id"}} {
		w, lake := spreadTable(t, l, Options{KeepEvery: 1, Parallel: 2, SpillDir: t.TempDir()})
		row := func(id int) batchtest.Row {
			return batchtest.Row{id, nil, nil, "2024-02-29", fmt.Sprint(id), nil, nil, nil, nil}
		}
		s, tbl := w.sink, w.src
		notes := func() (n int) {
			w.closing.Wait()
			for _, name := range filesIn(t, lake) {
				if strings.Contains(name, "_staging") && strings.HasSuffix(name, fmt.Sprintf(".%05d", n)) {
					n++
				}
			}
			return n
		}
		must(t, w.Keep(t.Context(), "plan"))
		writeOrigin(t, w, 0, row(0))
		writeOrigin(t, w, 1, row(1))
		must(t, w.Whole(t.Context(), 0))
		writeOrigin(t, w, 2, row(2))
		if n := len(w.spreads.all); n != 2 {
			t.Fatalf("%+v: there are %d spreads, want that of the origin 1 and that of 2", l, n)
		}
		writeOrigin(t, w, 1, row(11))
		if n := notes(); n != 0 {
			t.Fatalf("%+v: %d notes while an origin was being written", l, n)
		}
		must(t, w.Whole(t.Context(), 1))
		if n := notes(); n != 1 {
			t.Fatalf("%+v: %d notes once both were whole", l, n)
		}
		must(t, w.Close())

		w = openTable(t, s, tbl, writer.Create)
		wantKept(t, w, 3, 0, 1)
		must(t, w.Keep(t.Context(), "plan"))
		writeOrigin(t, w, 2, row(2))
		must(t, w.Whole(t.Context(), 2))
		writeOrigin(t, w, 3, row(3)) // is not, when all is committed
		must(t, w.Commit(t.Context(), "p"))
		must(t, w.Close())
		wantContent(t, s, tbl, map[int]batchtest.Row{0: row(0), 1: row(1), 11: row(11), 2: row(2), 3: row(3)})
		wantNoLeftovers(t, w, lake)
		if n := s.buffered.Load(); n != 0 {
			t.Errorf("%d bytes are counted as held in the end", n)
		}
	}
}

// wantNoLeftovers checks that the table names all Parquet files, and that nothing is
// staged.
func wantNoLeftovers(t *testing.T, w *Writer, lake string) {
	t.Helper()
	named := make(map[string]bool)
	for _, f := range dataFiles(t, w) {
		named[f.FilePath()[strings.Index(f.FilePath(), "/data/"):]] = true
	}
	for _, name := range filesIn(t, lake) {
		i := strings.Index(name, "/data/")
		if strings.Contains(name, "_staging") || i >= 0 && !named[name[i:]] {
			t.Errorf("left behind: %s", name)
		}
	}
}

// TestManyKeptFilesAreDiscarded discards some hundred files, and is cut short in the
// midst of it once.
func TestManyKeptFilesAreDiscarded(t *testing.T) {
	w, lake := spreadTable(t, Layout{Partition: "id"}, Options{KeepEvery: 1, SpillDir: t.TempDir()})
	s, tbl := w.sink, w.src
	row := func(id int) batchtest.Row { return batchtest.Row{id, nil, nil, nil, nil, nil, nil, nil, nil} }
	fill := func(origin int) {
		t.Helper()
		for id := range 300 {
			writeOrigin(t, w, origin, row(id))
		}
	}
	must(t, w.Keep(t.Context(), "plan"))
	fill(0)
	must(t, w.Whole(t.Context(), 0))
	fill(1)
	must(t, w.spreads.endAll(t.Context())) // as if the process had died in the midst of it
	w.closing.Wait()
	run, err := localPath(w.record.location)
	must(t, err)
	must(t, w.record.giveUp())

	// What cannot be deleted ends the next run.
	must(t, os.MkdirAll(run+".odd/x", 0o755))
	w = openTable(t, s, tbl, writer.Create)
	wantKept(t, w, 300, 0)
	if err := w.Keep(t.Context(), "another"); err == nil {
		t.Fatal("a file that cannot be deleted was deleted")
	}
	must(t, w.Close())
	must(t, os.RemoveAll(run+".odd"))

	w = openTable(t, s, tbl, writer.Create)
	must(t, w.Keep(t.Context(), "another"))
	must(t, w.Close())
	if got := filesIn(t, lake); len(got) != 1 || got[0] != "catalog.db" {
		t.Errorf("%d files are left behind: %v …", len(got)-1, got[:min(len(got), 4)])
	}
}

// TestSpreadIsDue weighs the size of files against the work that would be lost.
func TestSpreadIsDue(t *testing.T) {
	for _, l := range []Layout{{Partition: "bucket(4,id)"}, {Sort: "name"}} {
		const size = 100_000 // bytes of names
		for _, c := range []struct {
			age    int   // in intervals
			target int64 // of files
			want   bool
		}{{0, 1 << 10, false}, {1, 1 << 10, true}, {1, 1 << 30, false}, {9, 1 << 30, false}, {10, 1 << 30, true}} {
			w, _ := spreadTable(t, l, Options{KeepEvery: time.Hour, TargetFileSize: c.target})
			w.sink.opts.TargetFileSize = c.target * 1000 // no file is full
			must(t, w.Keep(t.Context(), "plan"))
			for id := range 10 {
				writeOrigin(t, w, 0, batchtest.Row{id, nil, nil, nil, strings.Repeat(fmt.Sprint(id), size/10), nil, nil, nil, nil})
			}
			s := w.spreads.now
			s.began = s.began.Add(-time.Duration(c.age) * time.Hour)
			w.sink.opts.TargetFileSize = c.target
			if got := s.due(); got != c.want {
				files, bytes := s.weigh()
				t.Errorf("%+v after %d intervals, with %d files of %d bytes in all and a target of %d: due %v", l, c.age, files, bytes, c.target, got)
			}
			must(t, w.Close())
		}
	}
}

// TestKeptLayout asks for another layout than the kept files have, or finds that
// the table has got one: they are of no use then, and somebody should know.
func TestKeptLayout(t *testing.T) {
	var asked Layout
	var warned []string
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{
		KeepEvery: 1, Layout: func(*schema.Table) Layout { return asked }, Warn: func(msg string) { warned = append(warned, msg) },
	})
	tbl := batchtest.Shape("shop", "t", "id int key", "d date")
	begin := func(mode writer.Mode, l Layout) {
		t.Helper()
		asked, warned = l, nil
		w := openTable(t, s, tbl, mode)
		must(t, w.Keep(t.Context(), "plan"))
		writeOrigin(t, w, 0, batchtest.Row{1, "2024-02-29"}, batchtest.Row{2, nil})
		must(t, w.Whole(t.Context(), 0))
		must(t, w.Close())
	}
	for _, c := range []struct{ was, now Layout }{
		{Layout{}, Layout{Partition: "d"}},
		{Layout{Partition: "d"}, Layout{}},
		{Layout{Partition: "day(d)"}, Layout{Partition: "d"}},
		{Layout{Partition: "d", Sort: "id"}, Layout{Partition: "d", Sort: "id desc"}},
	} {
		begin(writer.Create, c.was)
		asked = c.now
		w := openTable(t, s, tbl, writer.Create)
		wantKept(t, w, 0)
		must(t, w.Close())
		if len(warned) != 1 || !strings.Contains(warned[0], "shop.t is copied from its beginning") {
			t.Errorf("%+v, then %+v: warned %q", c.was, c.now, warned)
		}
		if got := filesIn(t, lake); len(got) != 1 {
			t.Errorf("left behind: %v", got)
		}
	}

	// A table that is partitioned already, under a spec that is not its first.
	asked = Layout{Partition: "bucket(2,id)", Sort: "d"}
	put(t, s, tbl, writer.Create, "p", nil, batchtest.Row{7, nil})
	respec := func(column string, transform iceberg.Transform) {
		t.Helper()
		tx := loaded(t, s, tbl).NewTransaction()
		must(t, tx.UpdateSpec(true).AddField(column, transform, column+"_more").Commit())
		_, err := tx.Commit(t.Context())
		must(t, err)
	}
	respec("d", iceberg.MonthTransform{})
	for i, l := range []Layout{{}, {Partition: "d", Sort: "id desc"}, {Partition: "d", Sort: "id desc"}} {
		begin(writer.Replace, l)
		w := openTable(t, s, tbl, writer.Replace)
		wantKept(t, w, 2, 0)
		must(t, w.Keep(t.Context(), "plan"))
		writeOrigin(t, w, 1, batchtest.Row{3, "1969-12-31"})
		must(t, w.Commit(t.Context(), "q"))
		must(t, w.Close())
		wantContent(t, s, tbl, map[int]batchtest.Row{1: {1, "2024-02-29"}, 2: {2, nil}, 3: {3, "1969-12-31"}})
		lay := layoutOf(loaded(t, s, tbl).Metadata())
		for _, f := range dataFiles(t, w) {
			if int(f.SpecID()) != lay.spec.ID() || *f.SortOrderID() != lay.order.OrderID() || lay.spec.ID() == 0 {
				t.Errorf("%d: a file of spec %d and order %d, want %d and %d", i, f.SpecID(), *f.SortOrderID(), lay.spec.ID(), lay.order.OrderID())
			}
		}
		if len(warned) > 0 {
			t.Errorf("%d: warned %q", i, warned)
		}
	}

	// Somebody else partitions it otherwise, when it would keep what it has.
	begin(writer.Replace, Layout{})
	respec("id", iceberg.BucketTransform{NumBuckets: 5})
	w := openTable(t, s, tbl, writer.Replace)
	wantKept(t, w, 0)
	must(t, w.Close())
	if len(warned) != 1 {
		t.Errorf("warned %q", warned)
	}
}
