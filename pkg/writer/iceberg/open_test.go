package iceberg

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

func TestParseURL(t *testing.T) {
	wd, err := os.Getwd()
	must(t, err)
	home, err := os.UserHomeDir()
	must(t, err)
	for url, want := range map[string]target{
		"iceberg:./lake":                       {kind: embedded, path: wd + "/lake", props: iceberg.Properties{}},
		"iceberg:lake?namespace=ns":            {kind: embedded, path: wd + "/lake", ns: []string{"ns"}, props: iceberg.Properties{}},
		"iceberg:/a/b%20c":                     {kind: embedded, path: "/a/b%20c", props: iceberg.Properties{}},
		"iceberg:~/lake":                       {kind: embedded, path: home + "/lake", props: iceberg.Properties{}},
		"iceberg:/a?catalog=prod":              {kind: embedded, path: "/a", name: "prod", props: iceberg.Properties{}},
		"iceberg://prod/ns":                    {kind: named, name: "prod", ns: []string{"ns"}, props: iceberg.Properties{}},
		"iceberg://prod":                       {kind: named, name: "prod", props: iceberg.Properties{}},
		"iceberg+rest://h:81/ns?warehouse=w":   {kind: rest, ns: []string{"ns"}, props: iceberg.Properties{"uri": "http://h:81", "warehouse": "w"}},
		"iceberg+rests://h/a/b?s3.endpoint=e":  {kind: rest, ns: []string{"a", "b"}, props: iceberg.Properties{"uri": "https://h", "s3.endpoint": "e"}},
		"iceberg+rest://h?uri=http://h/api":    {kind: rest, props: iceberg.Properties{"uri": "http://h/api"}},
		"iceberg+sql:/c.db?warehouse=s3://b/w": {kind: sqlite, path: "/c.db", props: iceberg.Properties{"warehouse": "s3://b/w"}},
		"iceberg+sql:sqlite:///c.db?warehouse=/w&namespace=n": {
			kind: sqlite, path: "/c.db", ns: []string{"n"},
			props: iceberg.Properties{"warehouse": "file:///w"},
		},
	} {
		got, err := parseURL(url)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", url, got, err, want)
		}
	}
	for _, url := range []string{
		"", "lake", "iceberg:", "iceberg://", "iceberg+rest:", "iceberg+rest:///ns", "iceberg+hive://h", "iceberg+sql:/c.db",
		"iceberg+sql:postgres://h/db?warehouse=/w", "iceberg:/lake?no=thing", "iceberg+rest://user:secret@h/ns", "iceberg+rest://h:secret/ns\x00",
	} {
		_, err := parseURL(url)
		if err == nil {
			t.Errorf("%q: no error", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the secret: %v", url, err)
		}
	}
}

// TestURLProperties has properties that are passed on, and others that would mean
// nothing, with what was probably meant.
func TestURLProperties(t *testing.T) {
	for _, url := range []string{
		"iceberg+rest://h?header.X-Tenant=a&rest.sigv4-enabled=true&ssl.cabundle=/ca&token-file=/t&prefix=p&scope=s",
		"iceberg+rest://h?s3.endpoint=e&adls.sas-token.acme.dfs.core.windows.net=s&gcs.no-auth=true&client.region=r",
		"iceberg+sql:/c.db?warehouse=/w&s3.region=r&adls.account-key=k&catalog=c",
		"iceberg://prod?warehouse=w&header.x=y&s3.compat-mode=true",
	} {
		if err := CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, c := range []struct{ url, property, near string }{
		{"iceberg+rest://h?warehous=x", "warehous", "warehouse"},
		{"iceberg+rests://h?rest.sigv4-enable=true", "rest.sigv4-enable", "rest.sigv4-enabled"},
		{"iceberg+rest://h?s3.path-style-access=true", "s3.path-style-access", ""},
		{"iceberg+rest://h?header.=x", "header.", ""},
		{"iceberg+rest://h?namespce=x", "namespce", "namespace"},
		{"iceberg+sql:/c.db?warehous=/w", "warehous", "warehouse"},
		{"iceberg+sql:/c.db?warehouse=/w&uri=x", "uri", ""},
		{"iceberg://prod?gcs.keypth=x", "gcs.keypth", "gcs.keypath"},
		{"iceberg:/lake?namespac=n", "namespac", "namespace"},
	} {
		err := CheckURL(c.url)
		if err == nil || !strings.Contains(err.Error(), "unknown property \""+c.property+"\"") {
			t.Errorf("%s: got %v, want a word about %s", c.url, err, c.property)
			continue
		}
		if got := hint.Of(err); c.near != "" && got != "did you mean "+c.near+"?" {
			t.Errorf("%s: got hint %q, want %s", c.url, got, c.near)
		}
	}
	if err := CheckURL("iceberg+rest://h/a?namespace=b"); err == nil {
		t.Error("two namespaces are taken")
	}
}

// failure opens a sink and a table in it, and returns the error with its hint.
func failure(t *testing.T, url string) string {
	t.Helper()
	s, err := Open(t.Context(), url, Options{})
	if err == nil {
		defer s.Close()
		_, err = s.Open(t.Context(), accounts("t"), writer.Create)
	}
	if err == nil {
		t.Fatalf("%s: no error", url)
	}
	return err.Error() + "\nhint: " + hint.Of(err)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	answer := func(status int, kind string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/config") && status != http.StatusUnauthorized {
				fmt.Fprint(w, `{"defaults":{},"overrides":{}}`)
				return
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":{"message":"no way","type":%q,"code":%d}}`, kind, status)
		}))
		t.Cleanup(srv.Close)
		return "iceberg+rest://" + strings.TrimPrefix(srv.URL, "http://") + "/ns"
	}
	t.Setenv("ICEBERG_REST_TOKEN", "topsecret")
	broken := t.TempDir()
	must(t, os.WriteFile(filepath.Join(broken, "catalog.db"), []byte(strings.Repeat("no database ", 100)), 0o644))
	file := filepath.Join(broken, "catalog.db")
	for _, c := range []struct {
		url  string
		want []string
	}{
		{"iceberg+rest://127.0.0.1:1/ns", []string{"open the Iceberg catalog", "connection refused", "hint: check that the catalog"}},
		{answer(401, "NotAuthorizedException"), []string{"no way", "hint: set ICEBERG_REST_TOKEN"}},
		{answer(403, "ForbiddenException"), []string{"no way", "hint: grant this user"}},
		{"iceberg://nowhere/ns", []string{`catalog "nowhere" is not in .iceberg-go.yaml`, "hint: add it"}},
		{"iceberg:" + t.TempDir() + "/a b", []string{"characters", "hint: choose a path"}},
		{"iceberg:" + broken, []string{"file is not a database"}},
		{"iceberg:" + file + "/lake", []string{"not a directory"}},
		{"iceberg+sql:" + t.TempDir() + "/c.db?warehouse=ftp://h/w", []string{"ftp", "hint: warehouses can lie"}},
		{
			"iceberg+sql:" + t.TempDir() + "/c.db?warehouse=s3://b/w&s3.endpoint=http://127.0.0.1:1&s3.access-key-id=k&s3.secret-access-key=topsecret",
			[]string{"write to s3://b/w", "connection refused", "hint: check that"},
		},
	} {
		got := failure(t, c.url)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is not in %s", c.url, w, got)
			}
		}
		if strings.Contains(got, "topsecret") {
			t.Errorf("%s: the secret is in %s", c.url, got)
		}
	}
	if _, err := Open(t.Context(), "iceberg:"+t.TempDir(), Options{Codec: "lzma"}); err == nil {
		t.Error("codec lzma: no error")
	}
}

func TestS3Errors(t *testing.T) {
	warehouse, query := s3Warehouse(t)
	got := failure(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse=s3://no-such-bucket/w&"+query)
	if !strings.Contains(got, "hint: create the bucket") {
		t.Error(got)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	got = failure(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&"+query)
	if !strings.Contains(got, "hint: check AWS_ACCESS_KEY_ID") {
		t.Error(got)
	}
}

func TestNamedCatalog(t *testing.T) {
	home, lake := t.TempDir(), t.TempDir()
	t.Setenv("GOICEBERG_HOME", home)
	must(t, os.WriteFile(filepath.Join(home, ".iceberg-go.yaml"), []byte(`
catalog:
  prod:
    type: sql
    uri: file:`+lake+`/cat.db
    sql-driver: sqliteshim
    sql-dialect: sqlite
    warehouse: file://`+lake+`/wh
  odd:
    type: glue
`), 0o644))
	s := openSink(t, "iceberg://prod", Options{})
	wholeLife(t, s, "accounts")
	if got := failure(t, "iceberg://odd"); !strings.Contains(got, "glue") {
		t.Error(got)
	}
}

// A lake that others made keeps the catalog name that they gave it.
func TestCatalogNameOfOthers(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake+"?catalog=theirs", Options{})
	load(t, s, accounts("t"), writer.Create, 0, 10, "p0")
	again := openSink(t, "iceberg:"+lake, Options{})
	wantIDs(t, ids(t, again, "t"), 0, 10)
	s2 := openSink(t, "iceberg:"+lake+"?catalog=more", Options{})
	load(t, s2, accounts("u"), writer.Create, 0, 1, "p0")
	if _, err := Open(t.Context(), "iceberg:"+lake, Options{}); err == nil || hint.Of(err) != "name one with ?catalog=" {
		t.Fatal(err)
	}
}

func TestThousandsOfTables(t *testing.T) {
	measures(t)
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Parallel: 8})
	start, routines := time.Now(), runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 3000
	ws := make([]*Writer, n)
	for i := range ws {
		ws[i] = openTable(t, s, accounts(fmt.Sprintf("t%04d", i)), writer.Create)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("opening took %v", d)
	}
	if got := runtime.NumGoroutine(); got > routines+20 {
		t.Errorf("%d goroutines, %d before", got, routines)
	}
	if per := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; per > 8<<10 {
		t.Errorf("%d bytes a table", per)
	}
	runtime.KeepAlive(ws)
	t.Logf("%v, %d bytes a table", time.Since(start)/n, (int64(after.HeapAlloc)-int64(before.HeapAlloc))/n)
}

// The budget holds for very wide tables and for huge rows too.
func TestMemoryIsBounded(t *testing.T) {
	measures(t)
	specs := []string{"id int!"}
	for i := range 1000 {
		specs = append(specs, fmt.Sprintf("c%d varchar(20)", i))
	}
	wide := schema.New("shop", "wide", cols(specs...), []int{0})
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Memory: 8 << 20, Parallel: 2})
	w := openTable(t, s, wide, writer.Create)
	var peak uint64
	var m runtime.MemStats
	b := wideRows(wide, 0, 500)
	defer b.Release()
	for range 8 {
		must(t, w.Write(t.Context(), b))
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	must(t, w.Commit(t.Context(), "p"))
	if peak > 120<<20 {
		t.Errorf("heap of %d MiB", peak>>20)
	}
	t.Logf("peak %d MiB", peak>>20)
}

// The shape of the source is kept as of the last commit, whichever made it.
func TestShapeIsKept(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	kept := func() string {
		it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
		must(t, err)
		return it.Properties()[shapeProperty]
	}
	load(t, s, tbl, writer.Create, 0, 5, "p")
	if got := kept(); got != tbl.Shape() {
		t.Errorf("of a new table: got %s, want %s", got, tbl.Shape())
	}
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	tx := it.NewTransaction()
	must(t, tx.RemoveProperties([]string{shapeProperty})) // as of a table that was made before it was kept
	_, err = tx.Commit(t.Context())
	must(t, err)
	load(t, s, tbl, writer.Follow, 5, 6, "q")
	if got := kept(); got != tbl.Shape() {
		t.Errorf("of a table without: got %s, want %s", got, tbl.Shape())
	}

	other := accounts("t")
	other.Columns[1].Charset = "latin1"
	_, err = s.Open(t.Context(), other, writer.Follow)
	wantTableError(t, err, "its shape at the source is not the one that the table was last copied or followed in: column owner was varchar(20) and is varchar(20) latin1")
	_, err = s.Open(t.Context(), other, writer.Create)
	wantTableError(t, err, "the source's has changed its shape: column owner was")
	for _, mode := range []writer.Mode{writer.Append, writer.Replace} {
		load(t, s, tbl, mode, 6, 7, "r")
		load(t, s, other, mode, 7, 8, "s")
		if got := kept(); got != other.Shape() {
			t.Errorf("after %s: got %s, want %s", mode, got, other.Shape())
		}
	}
}
