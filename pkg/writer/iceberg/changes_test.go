package iceberg

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// keyKinds are keys of each type, made from numbers.
var keyKinds = []struct {
	name    string
	columns []string
	key     func(n int) batchtest.Row
}{
	{"int", []string{"k int key"}, func(n int) batchtest.Row { return batchtest.Row{n - 200} }},
	{"bigint", []string{"k bigint key"}, func(n int) batchtest.Row { return batchtest.Row{int64(n-200) << 40} }},
	{"unsigned", []string{"k bigint unsigned key"}, func(n int) batchtest.Row { return batchtest.Row{fmt.Sprint(uint64(n) << 55)} }},
	{"text", []string{"k varchar(60) key"}, func(n int) batchtest.Row {
		return batchtest.Row{strings.Repeat("ä long prefix ", n%5) + fmt.Sprint(n/2) + strings.Repeat(" ", n%2)}
	}},
	{"bytes", []string{"k varbinary(20) key"}, func(n int) batchtest.Row { return batchtest.Row{[]byte{byte(n), byte(n >> 8), 0xff}} }},
	{"small decimal", []string{"k decimal(7,2) key"}, func(n int) batchtest.Row { return batchtest.Row{fmt.Sprintf("-%d.%02d", n/100, n%100)} }},
	{"decimal", []string{"k decimal(17,2) key"}, func(n int) batchtest.Row { return batchtest.Row{fmt.Sprintf("9%012d.%02d", n/100, n%100)} }},
	{"large decimal", []string{"k decimal(38,10) key"}, func(n int) batchtest.Row {
		return batchtest.Row{fmt.Sprintf("-1234567890123456789%d.0000000000", 1000+n)}
	}},
	{"date", []string{"k date key"}, func(n int) batchtest.Row {
		return batchtest.Row{time.Date(1969, 7, n, 0, 0, 0, 0, time.UTC).Format("2006-01-02")}
	}},
	{"datetime", []string{"k datetime(6) key"}, func(n int) batchtest.Row {
		return batchtest.Row{time.Date(1969, 12, 31, 23, 59, 59, n*5000, time.UTC).Format("2006-01-02 15:04:05.000000")}
	}},
	{"timestamp", []string{"k timestamp(6) key"}, func(n int) batchtest.Row {
		return batchtest.Row{time.Date(2024, 3, 31, 1, 0, n, n*1000, time.UTC).Format("2006-01-02 15:04:05.000000") + "Z"}
	}},
	{"several", []string{"k int key", "l varchar(60) key", "m bit(1) key", "n date key"}, func(n int) batchtest.Row {
		return batchtest.Row{n % 3, fmt.Sprint(n / 6), n%2 == 0, "2024-02-29"}
	}},
}

// changedLake makes a lake whose tables have gone through changes of all kinds,
// by commits so large that each takes several files, position deletes among
// them. It returns the lake, and a folder of Arrow files with what is left.
func changedLake(t *testing.T, changes int) (lake, want string) {
	t.Helper()
	lake, want = t.TempDir(), t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{Memory: 16 << 10, TargetFileSize: 32 << 10, SpillDir: t.TempDir()})
	for _, kind := range keyKinds {
		tbl := batchtest.Shape("shop", kind.name, append([]string{"id int"}, kind.columns...)...)
		w := openTable(t, s, tbl, writer.Follow)
		model := make(map[int]batchtest.Row)
		changeTable(t, w, kind.key, 0, changes, model)
		must(t, w.Close())
		it, err := s.cat.LoadTable(t.Context(), w.ident)
		must(t, err)
		for _, total := range []string{"total-equality-deletes", "total-position-deletes"} {
			if it.CurrentSnapshot().Summary.Properties[total] == "0" {
				t.Errorf("%s: %s is 0", kind.name, total)
			}
		}
		f, err := os.Create(filepath.Join(want, kind.name))
		must(t, err)
		fw, err := ipc.NewFileWriter(f, ipc.WithSchema(tbl.Arrow))
		must(t, err)
		must(t, fw.Write(batchtest.Build(memory.DefaultAllocator, tbl, slices.Collect(maps.Values(model))).Rows))
		must(t, fw.Close())
		must(t, f.Close())
	}
	return lake, want
}

// changeTable makes changes first..last-1, in four commits, and keeps model up
// to date.
func changeTable(t *testing.T, w *Writer, key func(int) batchtest.Row, first, last int, model map[int]batchtest.Row) {
	t.Helper()
	const keys = 400
	r := rand.New(rand.NewPCG(7, uint64(first)))
	for n := first; n < last; {
		var rows []batchtest.Row
		var ops []batch.Op
		for range 100 {
			id := r.IntN(keys)
			row := append(batchtest.Row{n}, key(id)...)
			n++
			op := batch.After
			switch _, there := model[id]; {
			case !there:
				op = batch.Insert
			case r.IntN(4) == 0:
				op = batch.Delete
			}
			rows, ops = append(rows, row), append(ops, op)
			if model[id] = row; op == batch.Delete {
				delete(model, id)
			}
		}
		b := batchtest.Build(memory.DefaultAllocator, w.src, rows)
		b.Ops = ops
		write(t, w, b)
		if (n-first)%((last-first)/4) == 0 {
			must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint(n))))
		}
	}
}

// differing is Python that compares tables with the Arrow files of a folder.
const differing = `
import pyarrow as pa
def differing(read):
    bad = []
    for name in sorted(os.listdir(sys.argv[2])):
        want = pa.ipc.open_file(os.path.join(sys.argv[2], name)).read_all().sort_by('id')
        got = read(name).select(want.column_names).cast(want.schema).sort_by('id')
        if not got.combine_chunks().equals(want.combine_chunks()):
            bad.append('%s: %d rows, want %d' % (name, len(got), len(want)))
    return bad
def duckdb_read(c):
    return lambda name: c.execute("select * from iceberg_scan('%s/shop/%s')" % (sys.argv[1], name.replace(' ', '~20'))).to_arrow_table()
`

func TestDuckDBSeesChanges(t *testing.T) {
	services.Need(t)
	lake, want := changedLake(t, 8000)
	got := python(t, differing+`out(differing(duckdb_read(duck())))`, lake, want)
	if len(got.([]any)) > 0 {
		t.Error(got)
	}
}
