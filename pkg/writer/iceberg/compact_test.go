package iceberg

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// compact tends one table and returns what became of it.
func compact(t *testing.T, s *Sink, tbl *schema.Table, o writer.Upkeep) (out writer.Compacted) {
	t.Helper()
	n := 0
	must(t, s.Compact(t.Context(), func(h writer.Held) bool { return h.Source == tbl.String() }, o, func(c writer.Compacted) { out = c; n++ }))
	if n != 1 {
		t.Fatalf("%d tables were tended", n)
	}
	return out
}

// well is compact that has to do all there is to do.
func well(t *testing.T, s *Sink, tbl *schema.Table, o writer.Upkeep) writer.Compacted {
	t.Helper()
	out := compact(t, s, tbl, o)
	must(t, out.Err)
	if len(out.Left) > 0 {
		t.Errorf("left: %q", out.Left)
	}
	return out
}

// A table is compacted again and again while a tail follows it: it always holds what it is
// to hold, no deletes are left once the last one has come, and the position stays.
func TestCompactBesideTail(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		s.opts.Memory, s.opts.TargetFileSize, s.opts.SpillDir = 64<<10, 32<<10, t.TempDir()
		for _, kind := range keyKinds {
			for name, lay := range map[string]Layout{
				"plain": {}, "rows numbered": {FormatVersion: 3}, "in partitions": {Partition: "bucket(3, k)"},
				"in partitions of another column": {Partition: "truncate(4, id)"}, "sorted": {Sort: "id desc"},
				"all of it": {FormatVersion: 3, Partition: "truncate(6, id)", Sort: "k"},
			} {
				most := kind.name == "int" || kind.name == "several"
				ends := name == "plain" || name == "all of it"
				// Of what is in files a catalog knows nothing.
				if !most && (s.rest || !ends) || s.rest && !ends || testing.Short() && (kind.name != "int" || !ends) {
					continue
				}
				t.Run(kind.name+" "+name, func(t *testing.T) {
					s.opts.Layout = func(*schema.Table) Layout { return lay }
					tbl := batchtest.Shape("shop", fmt.Sprintf("%s %s", kind.name, name), append([]string{"id int"}, kind.columns...)...)
					w := openTable(t, s, tbl, writer.Follow)
					model := make(map[int]batchtest.Row)
					for n := range 4 {
						changeTable(t, w, kind.key, n*800, n*800+800, model)
						out := well(t, s, tbl, writer.Upkeep{})
						if n > 0 && (out.DeletesBefore == 0 || out.RowsDropped == 0) || out.DeletesAfter > 0 {
							t.Errorf("%d: %+v", n, out)
						}
						wantContent(t, s, tbl, asStored(t, tbl, model))
						it := loaded(t, s, tbl)
						if pos := it.Properties()[positionProperty]; pos != fmt.Sprint(n*800+800) {
							t.Errorf("position %q", pos)
						}
						fs, err := it.FS(t.Context())
						must(t, err)
						data, deletes, err := liveFiles(it, fs)
						must(t, err)
						if len(deletes) > 0 || len(data) != out.FilesAfter {
							t.Errorf("%d files and %d of deletes: %+v", len(data), len(deletes), out)
						}
					}
					must(t, w.Close())
				})
			}
		}
	})
}

// asStored returns rows as they come back: -0.00 is 0.00.
func asStored(t *testing.T, tbl *schema.Table, model map[int]batchtest.Row) map[int]batchtest.Row {
	t.Helper()
	rows, err := batchtest.Rows(batchtest.Build(memory.DefaultAllocator, tbl, slices.Collect(maps.Values(model))).Rows)
	must(t, err)
	out := make(map[int]batchtest.Row)
	for i, row := range rows {
		out[i] = row
	}
	return out
}

// A tail commits several times a second while upkeep comes one after the other:
// neither keeps the other from its end, and nothing is lost of either.
func TestCompactUnderLoad(t *testing.T) {
	lake := t.TempDir()
	tails, tends := openSink(t, "iceberg:"+lake, Options{}), openSink(t, "iceberg:"+lake, Options{})
	tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
	w, model := updated(t, tails, tbl, 3)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < 150; n++ { // where all is so slow that upkeep never gets its turn, it does then
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
				update(t, w, model, n)
			}
		}
	}()
	tended := 0
	for range 6 {
		out := compact(t, tends, tbl, writer.Upkeep{KeepFor: time.Second, KeepLast: 5})
		if out.Err != nil {
			t.Error(out.Err)
		}
		tended += out.Rewritten
		time.Sleep(500 * time.Millisecond)
	}
	close(stop)
	<-done
	must(t, w.Close())
	if tended == 0 {
		t.Error("nothing was tended")
	}
	wantContent(t, tends, tbl, model)
	well(t, tends, tbl, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: 1})
	wantContent(t, tends, tbl, model)
	wantNamed(t, tends, tbl)
}

// DuckDB and PyIceberg see in tables that were compacted what is left of the changes, and
// DuckDB what a snapshot from before held.
func TestReadersSeeCompacted(t *testing.T) {
	services.Need(t)
	lake, want := changedLake(t, 8000)
	s := openSink(t, "iceberg:"+lake, Options{TargetFileSize: 1 << 20, Memory: 16 << 20})
	must(t, s.Compact(t.Context(), func(writer.Held) bool { return true }, writer.Upkeep{}, func(c writer.Compacted) {
		if c.Err != nil || len(c.Left) > 0 || c.DeletesAfter > 0 || c.FilesAfter >= c.FilesBefore {
			t.Errorf("%+v", c)
		}
	}))
	for reader, script := range map[string]string{
		"DuckDB, as it was": `out(differing(as_of(duck(), -2)))`,
		"DuckDB":            `out(differing(duckdb_read(duck())))`,
		"PyIceberg": `
from pyiceberg.catalog.sql import SqlCatalog
cat = SqlCatalog('default', uri='sqlite:///%s/catalog.db' % sys.argv[1])
out(differing(lambda name: cat.load_table(('shop', name)).scan().to_arrow()))`,
	} {
		if got := python(t, differing+asOf+script, lake, want).([]any); len(got) > 0 {
			t.Errorf("%s: %v", reader, got)
		}
	}
}

// asOf is Python that reads tables as one of their snapshots had them.
const asOf = `
def as_of(c, n):
    def read(name):
        folder = '%s/shop/%s' % (sys.argv[1], name.replace(' ', '~20'))
        ids = c.execute("select snapshot_id from iceberg_snapshots('%s') order by sequence_number" % folder).fetchall()
        return c.execute("select * from iceberg_scan('%s', snapshot_from_id => %d::UBIGINT)" % (folder, ids[n][0])).to_arrow_table()
    return read
`
