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
	s := openSink(t, "iceberg:"+lake, Options{})
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

// reshaped is Python that compares the tables of reshapedLake with what they should
// be. rows takes a table's name, the columns, and whether its first snapshot is meant.
const reshaped = `
D = decimal.Decimal
day, last = datetime.date(2024, 2, 29), datetime.date(1999, 12, 31)
first = [(1, 'a', D('1.50'), 0.5, day), (2, 'b', None, None, None), (3, 'c', D('9.99'), 1.0, last)]
want = {
    ('evolved', 'id,note,price,weight,gone', True): first,
    ('evolved', 'id,note,price,weight,gone,fresh', False): [r + (None,) for r in first] + [(1 << 40, 'd', D('123456789012345678.90'), 0.1, None, None)],
    ('deleted', 'id,note,price,weight,gone,fresh', False): [
        (1, 'A', None, 0.25, None, datetime.datetime(2024, 1, 1)), first[2] + (None,), (1 << 40, 'D', None, None, None, None)],
    ('replaced', 'id,note,price,weight,gone', True): first,
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
out(differing(rows))`, reshapedLake(t))
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
bad = differing(rows, but=['deleted'])  # it reads no equality deletes
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
def rows(name, columns, old):
    full = 'default.shop.' + name
    at = s.sql('select snapshot_id from %s.snapshots order by committed_at' % full).collect()[0][0]
    df = s.sql('select * from %s%s' % (full, ' version as of %d' % at if old else ''))
    return [tuple(r) for r in df.collect()] if df.columns == columns else [df.columns]
out(differing(rows))`, reshapedLake(t))
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
}
