package iceberg

import (
	"reflect"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

func TestEmbeddedRoundTrip(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, "iceberg:"+dir, Options{})
	tbl := accounts("accounts")
	load(t, s, tbl, writer.Create, 0, 1000, "p1")
	wantIDs(t, ids(t, s, "accounts"), 0, 1000)
	w := openTable(t, s, tbl, writer.Create)
	if pos, err := w.Position(t.Context()); err != nil || pos != "p1" {
		t.Fatalf("position %q, %v; want p1", pos, err)
	}
}

func TestDuckDBReadsTheFolder(t *testing.T) {
	services.Need(t)
	dir := t.TempDir()
	s := openSink(t, "iceberg:"+dir, Options{})
	load(t, s, accounts("accounts"), writer.Create, 0, 1000, "p1")
	load(t, s, accounts("accounts"), writer.Append, 1000, 1500, "p2")
	got := python(t, `
c = duck()
out(c.execute("select count(*), sum(id), count(owner) from iceberg_scan('%s/shop/accounts')" % sys.argv[1]).fetchall())`, dir)
	want := []any{[]any{1500.0, 1124250.0, 1286.0}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestPyIcebergReadsTheCatalog(t *testing.T) {
	services.Need(t)
	dir := t.TempDir()
	s := openSink(t, "iceberg:"+dir, Options{})
	load(t, s, accounts("accounts"), writer.Create, 0, 1000, "p1")
	got := python(t, `
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable
d = sys.argv[1]
t = SqlCatalog('default', uri='sqlite:///%s/catalog.db' % d, warehouse='file://'+d).load_table('shop.accounts')
a = t.scan().to_arrow()
s = StaticTable.from_metadata(d + '/shop/accounts')
out([a.num_rows, sum(a['id'].to_pylist()), t.properties['tablehaul.position'], t.current_snapshot().summary['tablehaul.position'], s.scan().to_arrow().num_rows])`, dir)
	want := []any{1000.0, 499500.0, "p1", "p1", 1000.0}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
