package iceberg

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// Rows that Spark has deleted by their places, in files of one partition or in deletion
// vectors, are gone, also beside such as are deleted by their keys before and afterwards.
func TestScanAfterSpark(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{Memory: 256 << 10, TargetFileSize: 8 << 10})
	layouts := []Layout{{}, {FormatVersion: 3}, {Partition: "bucket(3, k)"}, {FormatVersion: 3, Partition: "bucket(3, k)", Sort: "id"}}
	kind := keyKinds[0]
	var tables []*schema.Table
	var writers []*Writer
	models := make([]map[int]batchtest.Row, len(layouts))
	for i, lay := range layouts {
		s.opts.Layout = func(*schema.Table) Layout { return lay }
		tbl := batchtest.Shape("shop", fmt.Sprint("t", i), append([]string{"id int"}, kind.columns...)...)
		w := openTable(t, s, tbl, writer.Follow)
		models[i] = make(map[int]batchtest.Row)
		changeTable(t, w, kind.key, 0, 4000, models[i])
		tables, writers = append(tables, tbl), append(writers, w)
	}
	got := python(t, spark+`
bad = []
for i in range(4):
    name = 'default.shop.t%d' % i
    s.sql("ALTER TABLE %s SET TBLPROPERTIES ('write.delete.mode'='merge-on-read', 'write.delete.granularity'='partition')" % name)
    s.sql('DELETE FROM %s WHERE id %% 3 = 0' % name)
    s.sql('DELETE FROM %s WHERE id %% 5 = 0' % name)
    kinds = {r['file_format'] for r in s.sql('SELECT file_format FROM %s.delete_files WHERE content = 1' % name).collect()}
    if not ('PUFFIN' in kinds if i % 2 else kinds == {'PARQUET'}): bad.append('%s: %s' % (name, kinds))
out(bad)`, lake)
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
	for i, tbl := range tables {
		maps.DeleteFunc(models[i], func(_ int, row batchtest.Row) bool { return row[0].(int)%3 == 0 || row[0].(int)%5 == 0 })
		wantScanned(t, s, tbl, slices.Collect(maps.Values(asStored(t, tbl, models[i]))), writers[i].pos)
		changeTable(t, writers[i], kind.key, 20000, 24000, models[i])
		must(t, writers[i].Close())
		wantScanned(t, s, tbl, slices.Collect(maps.Values(asStored(t, tbl, models[i]))), writers[i].pos)
	}
}

// NULL is a key as well, in deletes that other programs write: it is the same as NULL, and as
// nothing else.
func TestScanNullKeys(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	tbl := batchtest.Shape("shop", "t", "id int key", "a int", "b varchar(9)")
	filled(t, s, tbl, writer.Create, batchtest.Row{1, nil, "x"}, batchtest.Row{2, 0, "x"}, batchtest.Row{3, nil, nil}, batchtest.Row{4, 5, nil}, batchtest.Row{5, nil, ""})
	for i, step := range []struct {
		columns []string
		key     batchtest.Row
		left    []int
	}{
		{[]string{"a", "b"}, batchtest.Row{nil, nil}, []int{1, 2, 4, 5}},
		{[]string{"a", "b"}, batchtest.Row{nil, ""}, []int{1, 2, 4}},
		{[]string{"b"}, batchtest.Row{nil}, []int{1, 2}},
		{[]string{"a"}, batchtest.Row{nil}, []int{2}},
	} {
		deleteByKey(t, s, tbl, tbl.Choose(step.columns), step.key)
		rows, pos, err := scanned(t, s, tbl, 1)
		must(t, err)
		var left []int
		for _, r := range rows {
			left = append(left, int(r[0].(int64)))
		}
		if slices.Sort(left); !slices.Equal(left, step.left) || pos != "p1" {
			t.Errorf("%d: %v are left, want %v", i, left, step.left)
		}
	}
	well(t, s, tbl, writer.Upkeep{Deletes: 1})
	wantScanned(t, s, tbl, []batchtest.Row{{int64(2), int64(0), "x"}}, "p1")
}

// deleteByKey deletes rows as another program would.
func deleteByKey(t *testing.T, s *Sink, tbl, by *schema.Table, key batchtest.Row) {
	t.Helper()
	it := loaded(t, s, tbl)
	var ids []int
	for _, c := range by.Columns {
		f, _ := fieldByName(it.Schema(), c.Name)
		ids = append(ids, f.ID)
	}
	rec := batchtest.Build(memory.DefaultAllocator, by, []batchtest.Row{key}).Rows
	rd, err := array.NewRecordReader(by.Arrow, []arrow.RecordBatch{rec})
	must(t, err)
	tx := it.NewTransaction()
	files, err := tx.WriteEqualityDeletes(t.Context(), ids, array.IterFromReader(rd))
	must(t, err)
	must(t, tx.NewRowDelta(iceberg.Properties{}).AddDeletes(files...).Commit(t.Context()))
	_, err = tx.Commit(t.Context())
	must(t, err)
}
