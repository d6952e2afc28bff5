package iceberg

import (
	"os"
	"reflect"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestSparkSeesEveryType reads with Spark, by its catalog and by the table's
// folder.
func TestSparkSeesEveryType(t *testing.T) {
	services.Need(t)
	if os.Getenv("TABLEHAUL_TEST_SPARK_JARS") == "" {
		t.Setenv("TABLEHAUL_TEST_SPARK_JARS", service(t, "readers", "TABLEHAUL_TEST_SPARK_JARS", "--spark"))
	}
	lake, want := writeEveryType(t, "zstd")
	got := python(t, compare+`
from pyspark.sql import SparkSession
d = sys.argv[1]
s = (SparkSession.builder.master('local[1]').config('spark.jars', os.environ['TABLEHAUL_TEST_SPARK_JARS'])
    .config('spark.ui.enabled', 'false').config('spark.sql.session.timeZone', 'UTC').config('spark.driver.host', '127.0.0.1').config('spark.driver.bindAddress', '127.0.0.1')
    .config('spark.sql.catalog.default', 'org.apache.iceberg.spark.SparkCatalog')
    .config('spark.sql.catalog.default.catalog-impl', 'org.apache.iceberg.jdbc.JdbcCatalog')
    .config('spark.sql.catalog.default.uri', 'jdbc:sqlite:' + d + '/catalog.db')
    .config('spark.sql.catalog.default.warehouse', 'file://' + d)
    .config('spark.sql.catalog.default.jdbc.schema-version', 'V1')
    .getOrCreate())
s.sparkContext.setLogLevel('ERROR')
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
