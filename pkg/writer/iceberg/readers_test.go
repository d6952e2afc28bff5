package iceberg

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// everyType is a table with a column of each type there is, most of them
// nullable, and rows whose values repeat now and then so that every encoding
// and way of compressing comes up.
func everyType(rows int) (*schema.Table, arrow.RecordBatch) {
	specs := []string{"id int!"}
	for i, n := range []string{
		"bit(1)", "int", "bigint", "float", "double", "date", "datetime(6)", "timestamp(6)", "decimal(1,0)", "decimal(9,2)",
		"decimal(10,3)", "decimal(18,18)", "bigint unsigned", "decimal(38,10)", "varchar(100)", "varbinary(100)", "text", "vector(5)",
	} {
		specs = append(specs, fmt.Sprintf("c%d %s", i, n), fmt.Sprintf("r%d %s!", i, n))
	}
	t := schema.New("shop", "every type", cols(specs...), []int{0})
	t.Comment = "a table of every type"
	r := rand.New(rand.NewPCG(3, 4))
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	for id := range rows {
		b.Field(0).(*array.Int32Builder).Append(int32(id))
		for i, c := range t.Columns[1:] {
			if f := b.Field(i + 1); c.Nullable && r.IntN(5) == 0 {
				f.AppendNull()
			} else {
				v := r.Int64()
				if id > rows/2 { // few values in the second half
					v %= 30
				}
				if c.Native == "text" { // digits, which are coded without matches
					f.(*array.StringBuilder).Append(fmt.Sprintf("%020d-%020d", v, r.Int64()))
					continue
				}
				appendValue(f, v)
			}
		}
	}
	return t, b.NewRecordBatch()
}

func appendValue(b array.Builder, v int64) {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v%2 == 0)
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Int64Builder:
		b.Append(v)
	case *array.Float32Builder:
		b.Append(float32(v) / 3)
	case *array.Float64Builder:
		b.Append(float64(v) / -3)
	case *array.Date32Builder:
		b.Append(arrow.Date32(v%50000 - 20000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v % 4e15))
	case *array.Decimal128Builder:
		n := decimal128.FromI64(v)
		switch p := b.Type().(*arrow.Decimal128Type).Precision; {
		case p < 18:
			n = decimal128.FromI64(v % []int64{1, 10, 0, 0, 0, 0, 0, 0, 0, 1e9, 1e10}[p])
		case p == 18:
			n = decimal128.FromI64(v % 1e18 * (1 - v%2*2))
		case p == 38:
			n = decimal128.New(v%4e18*(1-v%2*2), uint64(v))
		}
		b.Append(n)
	case *array.StringBuilder:
		b.Append(strings.Repeat(fmt.Sprintf("wért-%d-表", v), int(v%7)))
	case *array.BinaryBuilder:
		b.Append([]byte(strings.Repeat(fmt.Sprintf("\xff\x00%d", v), int(v%5))))
	case *array.ListBuilder:
		b.Append(true)
		for i := range v % 5 {
			b.ValueBuilder().(*array.Float32Builder).Append(float32(v*i) / 2)
		}
	}
}

// writeEveryType puts the table into a lake and the same rows into an Arrow file.
func writeEveryType(t *testing.T, codec string) (lake, ipcFile string) {
	t.Helper()
	lake = t.TempDir()
	tbl, rec := everyType(20000)
	s := openSink(t, "iceberg:"+lake, Options{Codec: codec, Memory: 3 << 20, Parallel: 1, TargetFileSize: 4 << 20})
	w := openTable(t, s, tbl, writer.Create)
	for at := int64(0); at < rec.NumRows(); at += 3000 {
		part := rec.NewSlice(at, min(at+3000, rec.NumRows()))
		must(t, w.Write(t.Context(), &batch.Batch{Table: tbl, Rows: part}))
	}
	must(t, w.Commit(t.Context(), "p1"))
	must(t, w.Close())

	ipcFile = filepath.Join(t.TempDir(), "rows.arrow")
	f, err := os.Create(ipcFile)
	must(t, err)
	fw, err := ipc.NewFileWriter(f, ipc.WithSchema(tbl.Arrow))
	must(t, err)
	must(t, fw.Write(rec))
	must(t, fw.Close())
	must(t, f.Close())
	return lake, ipcFile
}

// compare is Python that tells where a table differs from the Arrow file.
const compare = `
import pyarrow as pa, pyarrow.compute as pc
want = pa.ipc.open_file(sys.argv[2]).read_all()
def differs(got):
    got = got.select(want.column_names).sort_by('id')
    if got.num_rows != want.num_rows:
        return ['%d rows' % got.num_rows]
    bad = []
    for f in want.schema:
        a, b = got[f.name].cast(f.type).combine_chunks(), want[f.name].combine_chunks()
        if not a.equals(b):
            bad.append('%s %s' % (f.name, f.type))
    return bad
`

func TestDuckDBSeesEveryType(t *testing.T) {
	services.Need(t)
	for _, codec := range []string{"zstd", "snappy", "gzip", "none"} {
		lake, want := writeEveryType(t, codec)
		got := python(t, compare+`
c = duck()
scan = "iceberg_scan('%s/shop/every~20type')" % sys.argv[1]
bad = differs(c.execute("select * from " + scan).to_arrow_table())
# What statistics prune must not change what is found.
for name in want.column_names[:-2]:
    v = next(x for x in want[name].to_pylist() if x is not None)
    n = c.execute('select count(*) from %s where "%s" = ?' % (scan, name), [v]).fetchone()[0]
    if n < 1:
        bad.append('%s = %r finds nothing' % (name, v))
    n, m = [c.execute('select count(*) from %s where "%s" %s ?' % (scan, name, op), [v]).fetchone()[0] for op in ('>=', '<')]
    if n + m != len(want) - want[name].null_count:
        bad.append('%s: %d + %d rows' % (name, n, m))
out(bad)`, lake, want)
		if len(got.([]any)) > 0 {
			t.Errorf("%s: %v", codec, got)
		}
	}
}

func TestPyIcebergSeesEveryType(t *testing.T) {
	services.Need(t)
	lake, want := writeEveryType(t, "zstd")
	got := python(t, compare+`
from pyiceberg.catalog.sql import SqlCatalog
t = SqlCatalog('default', uri='sqlite:///%s/catalog.db' % sys.argv[1]).load_table('shop.every type')
bad = differs(t.scan().to_arrow())
for name in want.column_names[:-2]:
    v = next(x for x in want[name].to_pylist() if x is not None)
    if isinstance(v, (bool, bytes)): continue
    from pyiceberg.expressions import EqualTo
    if isinstance(v, datetime.datetime) or isinstance(v, datetime.date): v = v.isoformat()
    try: n = t.scan(row_filter=EqualTo(name, v)).to_arrow().num_rows
    except Exception as e: n = 0; bad.append(repr(e))
    if n < 1:
        bad.append('%s = %r finds nothing' % (name, v))
if t.schema().identifier_field_names() != {'id'}: bad.append('identifier fields')
if t.properties['comment'] != 'a table of every type': bad.append('comment')
out(bad)`, lake, want)
	if len(got.([]any)) > 0 {
		t.Error(got)
	}
}
