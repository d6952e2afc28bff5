package iceberg

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

func needSpark(t *testing.T) {
	t.Helper()
	if os.Getenv("TABLEHAUL_TEST_SPARK_JARS") == "" {
		t.Setenv("TABLEHAUL_TEST_SPARK_JARS", service(t, "readers", "TABLEHAUL_TEST_SPARK_JARS", "--spark"))
	}
}

// spark is Python that opens a lake, in a session of its own. None of its scripts runs long
// enough for what the second compiler and more than one partition of a shuffle cost.
const spark = `
from pyspark.sql import SparkSession
d = sys.argv[1]
s = (SparkSession.builder.master('local[1]').config('spark.jars', os.environ['TABLEHAUL_TEST_SPARK_JARS'])
    .config('spark.driver.extraJavaOptions', '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC')
    .config('spark.sql.shuffle.partitions', '1').config('spark.sql.adaptive.enabled', 'false')
    .config('spark.ui.enabled', 'false').config('spark.ui.showConsoleProgress', 'false').config('spark.sql.session.timeZone', 'UTC').config('spark.driver.host', '127.0.0.1').config('spark.driver.bindAddress', '127.0.0.1')
    .config('spark.sql.extensions', 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions')
    .config('spark.sql.catalog.default', 'org.apache.iceberg.spark.SparkCatalog')
    .getOrCreate().newSession())
for k, v in {
    'catalog-impl': 'org.apache.iceberg.jdbc.JdbcCatalog', 'uri': 'jdbc:sqlite:' + d + '/catalog.db',
    'warehouse': 'file://' + d, 'jdbc.schema-version': 'V1', 'cache-enabled': 'false',
}.items(): s.conf.set('spark.sql.catalog.default.' + k, v)
def done(): # or its connection goes on locking the database
    s._jsparkSession.sessionState().catalogManager().catalog('default').icebergCatalog().close()
s.sparkContext.setLogLevel('ERROR')
`

// TestSparkSeesEveryType reads with Spark, by its catalog and by the table's
// folder.
func TestSparkSeesEveryType(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake, want := writeEveryType(t, "zstd")
	got := python(t, spark+compare+`
bad = []
for name, df in (('catalog', s.table('default.shop.`+"`every type`"+`')), ('folder', s.read.format('iceberg').load('file://' + d + '/shop/every~20type'))):
    rows = {r['id']: r for r in df.collect()}
    if len(rows) != want.num_rows: bad.append('%s: %d rows' % (name, len(rows)))
    for w in want.to_pylist():
        r = rows[w['id']]
        for k, v in w.items():
            x = r[k]
            if isinstance(x, bytearray): x = bytes(x)
            if isinstance(v, datetime.datetime): v = v.replace(tzinfo=None)
            if x != v and len(bad) < 10:
                bad.append('%s: %s of row %d: %r, want %r' % (name, k, w['id'], x, v))
out(bad)`, lake, want)
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
}

// TestSparkReadsHDFS reads with Spark, by Hadoop's own client, what was written to HDFS.
func TestSparkReadsHDFS(t *testing.T) {
	services.Need(t)
	needSpark(t)
	warehouse, _ := hdfsWarehouse(t)
	dir := t.TempDir()
	s := openSink(t, "iceberg+sql:"+dir+"/catalog.db?warehouse="+warehouse, Options{})
	load(t, s, accounts("t"), writer.Create, 0, 1000, "p1")
	load(t, s, accounts("t"), writer.Append, 1000, 1500, "p2")
	must(t, s.Close())
	got := python(t, spark+`
rows = s.table('default.shop.t').orderBy('id').collect()
out([len(rows), rows[0]['id'], rows[-1]['id'], s.table('default.shop.t.files').collect()[0]['file_path'].split('/shop/')[0]])`, dir)
	if want := []any{1500.0, 0.0, 1499.0, warehouse}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSparkSeesChanges reads tables with deletes of both kinds, and compacts them
// while a writer is at work: what it has staged before and what it writes later
// must apply to the files that Spark has written.
func TestSparkSeesChanges(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake, want := changedLake(t, 4000)
	s := openSink(t, "iceberg:"+lake, Options{Memory: 16 << 10, TargetFileSize: 32 << 10})
	kind := keyKinds[0]
	tbl := batchtest.Shape("shop", "compacted", append([]string{"id int"}, kind.columns...)...)
	w := openTable(t, s, tbl, writer.Follow)
	model := make(map[int]batchtest.Row)
	changeTable(t, w, kind.key, 0, 4000, model)
	staged := batchtest.Row{10000, model[slices.Min(slices.Collect(maps.Keys(model)))][1]}
	for id := range model {
		if model[id][1] == staged[1] {
			model[id] = staged
		}
	}
	b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{staged})
	b.Ops = []batch.Op{batch.After}
	write(t, w, b)
	got := python(t, spark+differing+`
bad = differing(lambda name: s.table('default.shop.`+"`%s`"+`' % name).toArrow())
r = s.sql("call default.system.rewrite_data_files(table => 'shop.compacted', options => map('rewrite-all', 'true'))").collect()[0]
if r['rewritten_data_files_count'] < 4: bad.append(str(r))
out(bad)`, lake, want)
	if !reflect.DeepEqual(got, []any{}) {
		t.Error(got)
	}
	must(t, w.Commit(t.Context(), "staged before"))
	changeTable(t, w, kind.key, 20000, 24000, model)
	must(t, w.Close())
	wantContent(t, s, tbl, model)
}

// wantContent compares a table with the rows of a model.
func wantContent(t *testing.T, s *Sink, tbl *schema.Table, model map[int]batchtest.Row) {
	t.Helper()
	var rows []batchtest.Row
	for _, rec := range scan(t, s, tbl) {
		r, err := batchtest.Rows(rec)
		must(t, err)
		rows = append(rows, r...)
	}
	if diff := batchtest.Diff(rows, slices.Collect(maps.Values(model))); diff != "" {
		t.Error(diff)
	}
}
