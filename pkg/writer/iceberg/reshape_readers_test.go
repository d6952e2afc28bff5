package iceberg

import (
	"reflect"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// put writes rows and commits them.
func put(t *testing.T, s *Sink, tbl *schema.Table, mode writer.Mode, pos batch.Position, ops []batch.Op, rows ...batchtest.Row) {
	t.Helper()
	if mode == writer.Follow && loaded(t, s, tbl).Properties()[addedProperty] != "" {
		forgetAdded(t, s, tbl)
	}
	w := openTable(t, s, tbl, mode)
	if len(rows) > 0 {
		b := batchtest.Build(memory.DefaultAllocator, tbl, rows)
		b.Ops = ops
		write(t, w, b)
	}
	must(t, w.Commit(t.Context(), pos))
	must(t, w.Close())
}

// reshapedLake makes tables that have changed their shape in every way.
func reshapedLake(t *testing.T) (lake string) {
	t.Helper()
	lake = t.TempDir()
	layouts := map[string]Layout{
		"parted": {Partition: "region, bucket(4, id)", Sort: "gone, id"},
		"moved":  {Partition: "size, bucket(4, id), truncate(100, price)"},
		"spread": {Partition: "size, bucket(4, id)", Sort: "size"},
	}
	s := openSink(t, "iceberg:"+lake, Options{Layout: func(t *schema.Table) Layout { return layouts[t.Name] }})
	partedTables(t, s)
	layouts = map[string]Layout{"parted": {Partition: "day(seen), bucket(4, id)"}}
	partedTables(t, s)
	extendedTable(t, s, "extended", false)
	extendedTable(t, s, "spread", false)
	extendedTable(t, s, "early", true)
	for _, name := range []string{"evolved", "deleted", "replaced"} {
		was := batchtest.Shape("shop", name, "id int key", "note varchar(50)", "price decimal(5,2)", "weight float", "gone date")
		put(t, s, was, writer.Create, "p1", nil,
			batchtest.Row{1, "a", "1.50", float32(0.5), "2024-02-29"}, batchtest.Row{2, "b", nil, nil, nil}, batchtest.Row{3, "c", "9.99", float32(1), "1999-12-31"})
		now := batchtest.Shape("shop", name, "fresh datetime", "id bigint key", "note varchar(50)", "price decimal(20,2)", "weight double")
		late := batchtest.Row{nil, int64(1) << 40, "d", "123456789012345678.90", 0.1}
		if name == "replaced" {
			now = batchtest.Shape("shop", name, "gone varchar(20)", "weight double", "Note varchar(50)", "id bigint key")
			put(t, s, now, writer.Replace, "p2", nil, batchtest.Row{"now text", 0.1, "d", int64(1) << 40}, batchtest.Row{nil, nil, "e", 2})
			continue
		}
		put(t, s, now, writer.Evolve, "p2", nil, late)
		if name == "deleted" {
			put(t, s, now, writer.Follow, "p3", []batch.Op{batch.After, batch.Delete, batch.After},
				batchtest.Row{"2024-01-01 00:00:00.000000", 1, "A", nil, 0.25}, batchtest.Row{nil, 2, nil, nil, nil}, batchtest.Row{nil, int64(1) << 40, "D", nil, nil})
		}
	}
	return lake
}

// extendedTable makes a table that is followed through an older shape, a later one, and the
// older one again, with deletes that reach rows of all before: if early is set, there are
// some before the key becomes wider.
func extendedTable(t *testing.T, s *Sink, name string, early bool) {
	t.Helper()
	was := batchtest.Shape("shop", name, "id int key", "no decimal(5,0) key", "size int", "gone date")
	now := batchtest.Shape("shop", name, "note varchar(50)", "no decimal(12,0) key", "size bigint", "id bigint key")
	put(t, s, was, writer.Extend, "p1", []batch.Op{batch.Insert, batch.Insert, batch.Insert, batch.Insert},
		batchtest.Row{1, "10", 5, "2024-02-29"}, batchtest.Row{2, "20", 5, nil}, batchtest.Row{3, "30", 6, nil}, batchtest.Row{4, "40", 6, "1999-12-31"})
	if early {
		put(t, s, was, writer.Extend, "p2", []batch.Op{batch.After, batch.Delete}, batchtest.Row{1, "10", 7, "2024-02-29"}, batchtest.Row{2, "20", nil, nil})
	}
	put(t, s, now, writer.Extend, "p3", []batch.Op{batch.Delete, batch.After, batch.Insert, batch.After},
		batchtest.Row{nil, "30", nil, 3}, batchtest.Row{"a", "10", 6, 1}, batchtest.Row{"b", "99999999999", int64(1) << 40, int64(1) << 40}, batchtest.Row{"c", "20", 5, 2})
	put(t, s, was, writer.Extend, "p4", []batch.Op{batch.After, batch.Insert, batch.Insert},
		batchtest.Row{2, "20", 6, "2024-02-29"}, batchtest.Row{5, "50", 5, nil}, batchtest.Row{6, "60", 5, nil})
	put(t, s, was, writer.Extend, "p5", []batch.Op{batch.Delete}, batchtest.Row{6, "60", nil, nil})
}

// partedTables makes tables with partitions, if they are not there, or changes their
// columns.
func partedTables(t *testing.T, s *Sink) {
	t.Helper()
	was := batchtest.Shape("shop", "parted", "gone date", "id int key", "region varchar(9)", "seen datetime")
	now := batchtest.Shape("shop", "parted", "id bigint key", "seen datetime", "region varchar(9)")
	if !tableExists(t, s, "parted") {
		put(t, s, was, writer.Create, "p1", nil, batchtest.Row{"2024-02-29", 1, "eu", nil}, batchtest.Row{nil, 2, "us", nil}, batchtest.Row{nil, 3, nil, nil})
		put(t, s, was, writer.Follow, "p2", []batch.Op{batch.After}, batchtest.Row{nil, 2, "uk", nil})
	} else {
		put(t, s, now, writer.Replace, "p3", nil, batchtest.Row{int64(1) << 40, "2024-02-29 01:02:03.000000", "eu"}, batchtest.Row{2, nil, "us"})
		put(t, s, now, writer.Follow, "p4", []batch.Op{batch.After, batch.Insert}, batchtest.Row{2, "2024-02-29 00:00:00.000000", "uk"}, batchtest.Row{3, nil, nil})
	}
	was = batchtest.Shape("shop", "moved", "id int key", "size int", "price decimal(5,2)")
	now = batchtest.Shape("shop", "moved", "id bigint key", "size bigint", "price decimal(9,2)")
	if !tableExists(t, s, "moved") {
		put(t, s, was, writer.Create, "p1", nil, batchtest.Row{1, 10, "1.50"}, batchtest.Row{2, 20, "2.50"})
	} else {
		put(t, s, now, writer.Evolve, "p2", nil, batchtest.Row{int64(1) << 40, 10, "1234567.89"}, batchtest.Row{4, int64(1) << 40, "2.50"})
		put(t, s, now, writer.Follow, "p3", []batch.Op{batch.After, batch.Delete, batch.After},
			batchtest.Row{1, 20, "9.50"}, batchtest.Row{2, nil, nil}, batchtest.Row{4, 10, nil})
	}
}

// reshaped is Python that compares the tables of reshapedLake with what they should
// be. rows takes a table's name, the columns, and whether its first snapshot is meant.
const reshaped = `
D = decimal.Decimal
day, last = datetime.date(2024, 2, 29), datetime.date(1999, 12, 31)
first = [(1, 'a', D('1.50'), 0.5, day), (2, 'b', None, None, None), (3, 'c', D('9.99'), 1.0, last)]
extended = [(1, D(10), 6, None, 'a'), (2, D(20), 6, day, None), (4, D(40), 6, last, None), (5, D(50), 5, None, None), (1 << 40, D(99999999999), 1 << 40, None, 'b')]
want = {
    ('evolved', 'id,note,price,weight,gone', True): first,
    ('evolved', 'id,note,price,weight,gone,fresh', False): [r + (None,) for r in first] + [(1 << 40, 'd', D('123456789012345678.90'), 0.1, None, None)],
    ('deleted', 'id,note,price,weight,gone,fresh', False): [
        (1, 'A', None, 0.25, None, datetime.datetime(2024, 1, 1)), first[2] + (None,), (1 << 40, 'D', None, None, None, None)],
    ('replaced', 'id,note,price,weight,gone', True): first,
    ('parted', 'gone,id,region,seen', True): [(day, 1, 'eu', None), (None, 2, 'us', None), (None, 3, None, None)],
    ('parted', 'id,seen,region', False): [
        (1 << 40, datetime.datetime(2024, 2, 29, 1, 2, 3), 'eu'), (2, datetime.datetime(2024, 2, 29), 'uk'), (3, None, None)],
    ('extended', 'id,no,size,gone,note', False): extended,
    ('spread', 'id,no,size,gone,note', False): extended,
    ('early', 'id,no,size,gone,note', False): extended,
    ('moved', 'id,size,price', False): [(1, 20, D('9.50')), (1 << 40, 10, D('1234567.89')), (4, 10, None)],
    ('replaced', 'gone,weight,Note,id', False): [(None, None, 'e', 2), ('now text', 0.1, 'd', 1 << 40)],
}
def differing(rows, but=()):
    bad = []
    for (name, columns, old), w in want.items():
        if name in but: continue
        try:
            got = rows(name, columns.split(','), old)
        except Exception as e:
            got = [repr(e)]
        key = lambda r: str(r)
        if sorted(got, key=key) != sorted(w, key=key):
            bad.append('%s %s: got %s, want %s' % (name, 'first' if old else 'now', got, w))
    return bad
`

func TestDuckDBSeesNewShapes(t *testing.T) {
	services.Need(t)
	got := python(t, reshaped+`
c = duck()
def rows(name, columns, old):
    scan = "'%s/shop/%s'" % (sys.argv[1], name)
    if old:
        ids = c.execute('select snapshot_id from iceberg_snapshots(%s) order by sequence_number' % scan).fetchall()
        scan += ', snapshot_from_id => %d' % ids[0][0]
    r = c.execute('select * from iceberg_scan(%s)' % scan)
    names = [d[0] for d in r.description]
    return [tuple(x) for x in r.fetchall()] if names == columns else [names]
# DuckDB 1.5 dies of keys that were deleted before their column became wider: "Expected
# vector of type INT64, but found vector of type INT32".
bad = differing(rows, but=['early'])
# What partitions prune must not change what is found.
for name, where, n in (('parted', "seen = '2024-02-29 01:02:03'", 1), ('parted', "region = 'uk'", 1), ('parted', 'id = %d' % (1 << 40), 1), ('moved', 'size = 10', 2), ('spread', 'size = 6', 3), ('spread', 'size = 5', 1), ('spread', 'id = 1', 1), ('spread', 'id = 6', 0), ('spread', 'no = 99999999999', 1), ('extended', 'id = 2', 1), ('extended', 'no = 30', 0), ('moved', 'id = 1', 1), ('moved', 'id = 4', 1), ('moved', 'price = 9.50', 1)):
    got = c.execute("select count(*) from iceberg_scan('%s/shop/%s') where %s" % (sys.argv[1], name, where)).fetchone()[0]
    if got != n: bad.append('%s where %s: %d rows' % (name, where, got))
out(bad)`, reshapedLake(t))
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
}

func TestPyIcebergSeesNewShapes(t *testing.T) {
	services.Need(t)
	got := python(t, reshaped+`
from pyiceberg.catalog.sql import SqlCatalog
cat = SqlCatalog('default', uri='sqlite:///%s/catalog.db' % sys.argv[1])
def rows(name, columns, old):
    t = cat.load_table('shop.' + name)
    a = t.scan(snapshot_id=t.metadata.snapshots[0].snapshot_id if old else None).to_arrow()
    return [tuple(r.values()) for r in a.to_pylist()] if a.column_names == columns else [a.column_names]
bad = differing(rows, but=['deleted', 'moved', 'parted', 'extended', 'spread', 'early'])  # it reads no equality deletes
for name, key in (('evolved', {'id'}), ('replaced', {'id'})):
    t = cat.load_table('shop.' + name)
    if t.schema().identifier_field_names() != key: bad.append('%s: key %s' % (name, t.schema().identifier_field_names()))
t = cat.load_table('shop.replaced')
ids = {f.name: f.field_id for f in t.schema().fields}
if ids != {'id': 1, 'Note': 2, 'weight': 4, 'gone': 6} or t.metadata.last_column_id != 6:
    bad.append('%s, last %d' % (ids, t.metadata.last_column_id))
out(bad)`, reshapedLake(t))
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
}

func TestSparkSeesNewShapes(t *testing.T) {
	services.Need(t)
	needSpark(t)
	got := python(t, spark+reshaped+`
# With it, a second query that reads other columns takes the values of a key of two columns
# in the order in which the first one has read them.
s.conf.set('spark.sql.iceberg.executor-cache.enabled', 'false')
def rows(name, columns, old):
    full = 'default.shop.' + name
    at = s.sql('select snapshot_id from %s.snapshots order by committed_at' % full).collect()[0][0]
    df = s.sql('select * from %s%s' % (full, ' version as of %d' % at if old else ''))
    return [tuple(r) for r in df.collect()] if df.columns == columns else [df.columns]
bad = differing(rows)
for name, where, n in (('parted', "seen = '2024-02-29 01:02:03'", 1), ('parted', "region = 'uk'", 1), ('parted', 'id = %d' % (1 << 40), 1), ('moved', 'size = 10', 2), ('spread', 'size = 6', 3), ('spread', 'size = 5', 1), ('spread', 'id = 1', 1), ('spread', 'id = 6', 0), ('spread', 'no = 99999999999', 1), ('extended', 'id = 2', 1), ('extended', 'no = 30', 0), ('moved', 'id = 1', 1), ('moved', 'id = 4', 1), ('moved', 'price = 9.50', 1)):
    got = s.sql('select count(*) from default.shop.%s where %s' % (name, where)).collect()[0][0]
    if got != n: bad.append('%s where %s: %d rows' % (name, where, got))
for of in ('files', 'all_files', 'partitions', 'all_data_files'):
    if s.sql('select * from default.shop.parted.' + of).count() < 3: bad.append(of)
out(bad)`, reshapedLake(t))
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
}
