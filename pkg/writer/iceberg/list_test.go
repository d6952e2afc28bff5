package iceberg

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/front"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// wantHeld compares the names of what a sink holds.
func wantHeld(t *testing.T, s *Sink, want string) {
	t.Helper()
	held, err := s.List(t.Context())
	must(t, err)
	var names []string
	for _, h := range held {
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// threeTables writes the tables a, b and c, each of one commit.
func threeTables(t *testing.T, s *Sink) {
	t.Helper()
	for _, name := range []string{"a", "b", "c"} {
		w := openTable(t, s, accounts(name), writer.Create)
		write(t, w, rows(w.src, 0, 10))
		must(t, w.Commit(t.Context(), "p1"))
		must(t, w.Close())
	}
}

// alone has a table that has lost its files be opened, looked at and read, which is nothing to others.
func alone(t *testing.T, s *Sink, of *schema.Table) {
	t.Helper()
	_, opened := s.Open(t.Context(), of, writer.Follow)
	_, read := s.Scan(t.Context(), of, 1, func(int, arrow.RecordBatch) error { return nil })
	for _, err := range []error{opened, read} {
		var te *schema.TableError
		if !errors.As(err, &te) || !strings.Contains(hint.Of(te), "--exclude leaves it out") || hint.IsTransient(te.Err) {
			t.Errorf("got %v (hint %q)", err, hint.Of(err))
		}
	}
	d, err := s.Describe(t.Context(), of, writer.Replace)
	if err != nil || d.Fate != writer.Refused || !strings.Contains(d.Remedy, "--exclude leaves it out") {
		t.Errorf("got %+v, %v", d, err)
	}
}

// A table that has lost its files does not keep runs from the others. A lake of which
// nothing is left is not taken for an empty one.
func TestListBrokenTables(t *testing.T) {
	lake := t.TempDir()
	var warned []string
	// What a process has read of the metadata it remembers, so each is another one here.
	open := func() *Sink {
		warned = nil
		return openSink(t, "iceberg:"+lake, Options{Warn: func(msg string) { warned = append(warned, msg) }})
	}
	threeTables(t, open())
	wantHeld(t, open(), "shop.a shop.b shop.c")
	lost, err := filepath.Glob(lake + "/shop/b*")
	must(t, err)
	if len(lost) != 1 {
		t.Fatalf("the folders of b are %q", lost)
	}
	must(t, os.RemoveAll(lost[0]))
	s := open()
	for range 2 {
		wantHeld(t, s, "shop.a shop.c")
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "1 of the 3 tables of the catalog cannot be read, and are taken for others': load shop.b: ") {
		t.Errorf("warned %q", warned)
	}
	alone(t, s, accounts("b"))
	must(t, os.RemoveAll(lake+"/shop"))
	if _, err := open().List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that files are gone", err)
	}
}

// Tables that are not for this user do not keep a run from the others.
func TestListForbiddenTables(t *testing.T) {
	services.Need(t)
	deny := ""
	f := (&front.Front{Deny: func(r *http.Request) bool { return deny != "" && strings.HasSuffix(r.URL.Path, deny) }}).
		Start(t, service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
	u, err := url.Parse(f.URL)
	must(t, err)
	var warned []string
	ns := fmt.Sprintf("t%d", time.Now().UnixNano())
	s := openSink(t, "iceberg+rest://"+u.Host+"/"+ns, Options{Warn: func(msg string) { warned = append(warned, msg) }})
	threeTables(t, s)
	deny = "/tables/b"
	wantHeld(t, s, ns+".a "+ns+".c")
	if len(warned) != 1 || !strings.Contains(warned[0], "1 of the 3 tables of the catalog cannot be read, and are taken for others': load "+ns+".b: ") || !strings.Contains(warned[0], "that is forbidden here") {
		t.Errorf("warned %q", warned)
	}
	if _, err := s.Open(t.Context(), accounts("b"), writer.Follow); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("got %v, want that b is forbidden", err)
	}
	deny = "/tables" // of all
	if _, err := s.List(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("got %v, want that nothing can be listed", err)
	}
}

// A REST catalog does not open a table that has lost its files, and lists it all the same.
func TestListBrokenTablesOfREST(t *testing.T) {
	// One of its own: others would be warned of the table too.
	u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST", "--port", "28187"))
	must(t, err)
	s := openSink(t, "iceberg+rest://"+u.Host+"/broken", Options{})
	threeTables(t, s)
	location, ok := strings.CutPrefix(loaded(t, s, accounts("b")).Location(), "file:")
	if !ok {
		t.Fatal("the catalog's warehouse is not on this disk")
	}
	must(t, os.RemoveAll(filepath.Join("/", location)))
	var warned []string
	s.opts.Warn = func(msg string) { warned = append(warned, msg) }
	wantHeld(t, s, "broken.a broken.c")
	if len(warned) != 1 || !strings.Contains(warned[0], "load broken.b: ") {
		t.Errorf("warned %q", warned)
	}
	alone(t, s, accounts("b"))
}
