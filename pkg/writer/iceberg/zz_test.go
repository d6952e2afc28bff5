package iceberg
import ("testing"
"github.com/apache/arrow-go/v18/arrow/array"
"github.com/apache/arrow-go/v18/arrow/memory"
"github.com/tablehaul/tablehaul/pkg/batch"
"github.com/tablehaul/tablehaul/pkg/schema"
"github.com/tablehaul/tablehaul/pkg/writer")
func TestZZ(t *testing.T){
 for _, codec := range []string{"zstd","none","snappy","gzip"} {
 tb := schema.New("shop","huge",cols("id int!","b longblob"),[]int{0})
 b := array.NewRecordBuilder(memory.DefaultAllocator, tb.Arrow)
 v := make([]byte, 9<<20); for i := range v { v[i]=byte(i*i>>8) ^ byte(i*2654435761>>13) }
 for i := range 3 { b.Field(0).(*array.Int32Builder).Append(int32(i)); b.Field(1).(*array.BinaryBuilder).Append(v[i:]) }
 w2 := make([]byte, 9<<20); for i := range w2 { w2[i]=byte('a'+i/1000%7) }
 b.Field(0).(*array.Int32Builder).Append(int32(3)); b.Field(1).(*array.BinaryBuilder).Append(w2)
 rec := b.NewRecordBatch()
 dir := t.TempDir()
 s := openSink(t,"iceberg:"+dir,Options{Codec:codec})
 w := openTable(t,s,tb,writer.Create)
 must(t, w.Write(t.Context(), &batch.Batch{Table:tb,Rows:rec})); must(t, w.Commit(t.Context(),"p"))
 t.Log(codec, python(t, `
import hashlib, pyarrow.parquet as pq, glob
d=[hashlib.md5(r[0]).hexdigest() for r in duck().execute("select b from iceberg_scan('%s/shop/huge') order by id" % sys.argv[1]).fetchall()]
p=[hashlib.md5(x).hexdigest() for x in pq.read_table(glob.glob(sys.argv[1]+'/shop/huge/data/*.parquet')[0], columns=['b'])['b'].to_pylist()]
out([d==p, d[0][:6], d[3][:6]])`, dir))
 }
}
