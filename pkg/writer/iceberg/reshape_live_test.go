package iceberg

import (
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestReadersDuringReplace reads a table in a loop while its content and its columns
// are exchanged time and again. Each read must give one of the contents, whole, with
// the columns that belong to it.
func TestReadersDuringReplace(t *testing.T) {
	services.Need(t)
	u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
	must(t, err)
	folder := t.TempDir()
	for name, c := range map[string]struct {
		s    *Sink
		read string
		arg  string
	}{
		"DuckDB of a folder": {openSink(t, "iceberg:"+folder, Options{}), `
c = duck()
def read():
    r = c.execute("select * from iceberg_scan('%s/shop/t')" % sys.argv[2])
    return [d[0] for d in r.description], r.fetchall()
`, folder},
		"PyIceberg of a REST catalog": {restSink(t), `
from pyiceberg.catalog.rest import RestCatalog
cat = RestCatalog('r', uri='http://` + u.Host + `')
def read():
    a = cat.load_table(sys.argv[2] + '.t').scan().to_arrow()
    return a.column_names, [tuple(r.values()) for r in a.to_pylist()]
`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := batchtest.Shape("shop", "t", "id int key", "n bigint"), batchtest.Shape("shop", "t", "n varchar(20)", "id bigint key", "more double")
			var a, b []batchtest.Row
			for i := range 3000 {
				a = append(a, batchtest.Row{i, 7})
				if i%2 == 0 {
					b = append(b, batchtest.Row{"seven", i, 0.5})
				}
			}
			put(t, c.s, first, writer.Replace, "p", nil, a...)
			arg, dir := c.arg, t.TempDir()
			if arg == "" {
				arg = c.s.ns[0]
			}
			done := make(chan any)
			go func() {
				defer close(done)
				done <- python(t, c.read+`
seen, bad, n = set(), [], 0
while not os.path.exists(sys.argv[1] + '/stop'):
    columns, rows = read()
    if columns == ['id', 'n']: ok = sorted(rows) == [(i, 7) for i in range(3000)]
    else: ok = columns == ['n', 'id', 'more'] and sorted(rows, key=lambda r: r[1]) == [('seven', i, 0.5) for i in range(0, 3000, 2)]
    seen.add(len(columns))
    n += 1
    if not ok: bad.append('%s, %d rows' % (columns, len(rows)))
    open('%s/%d_%d' % (sys.argv[1], len(columns), n), 'w')
out([sorted(seen), bad])`, dir, arg)
			}()
			// So long until each content has been read some times: the loop is slow.
			read := func(columns, times int) bool {
				files, _ := filepath.Glob(filepath.Join(dir, strconv.Itoa(columns)+"_*"))
				return len(files) >= times
			}
			for n := 0; n < 10 || !read(2, 5) || !read(3, 5); n++ {
				put(t, c.s, second, writer.Replace, "p", nil, b...)
				put(t, c.s, first, writer.Replace, "p", nil, a...)
				select {
				case got := <-done:
					t.Fatalf("the reader has ended: %v", got)
				case <-time.After(50 * time.Millisecond):
				}
			}
			must(t, os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600))
			if got := <-done; !reflect.DeepEqual(got, []any{[]any{2.0, 3.0}, []any{}}) {
				t.Errorf("got %v", got)
			}
		})
	}
}
