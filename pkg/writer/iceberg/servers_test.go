package iceberg

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/front"
)

// s3Warehouse readies the environment for the S3 server and returns a warehouse there
// that is this test's own, and the query that leads to the server.
func s3Warehouse(t *testing.T) (warehouse, query string) {
	t.Helper()
	endpoint := service(t, "s3", "TABLEHAUL_TEST_S3")
	for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		if os.Getenv(v) == "" { // not by t.Setenv: all tests want the same, some at once
			must(t, os.Setenv(v, service(t, "s3", v)))
		}
	}
	bucket := service(t, "s3", "TABLEHAUL_TEST_S3_BUCKET")
	warehouse = fmt.Sprintf("s3://%s/%s-%d", bucket, t.Name(), time.Now().UnixNano())
	return warehouse, "s3.endpoint=" + url.QueryEscape(endpoint)
}

// wholeLife takes a table through all modes and reads it back after each.
func wholeLife(t *testing.T, s *Sink, name string) {
	t.Helper()
	tbl := accounts(name)
	load(t, s, tbl, writer.Create, 0, 1000, "p1")
	wantIDs(t, ids(t, s, name), 0, 1000)
	load(t, s, tbl, writer.Append, 1000, 1500, "p2")
	wantIDs(t, ids(t, s, name), 0, 1500)
	load(t, s, tbl, writer.Replace, 5000, 5100, "p3")
	got := ids(t, s, name)
	if len(got) != 100 || got[5000] != 1 {
		t.Fatalf("replace left %d ids", len(got))
	}
	w := openTable(t, s, tbl, writer.Create)
	if pos, err := w.Position(t.Context()); err != nil || pos != "p3" {
		t.Fatalf("position %q, %v; want p3", pos, err)
	}
	load(t, s, accounts(name+" empty"), writer.Create, 0, 0, "p4")
	wantIDs(t, ids(t, s, name+" empty"), 0, 0)
}

// oddNames are table names that MySQL allows.
var oddNames = []string{"plain", "with space", "a.b", "quote'\"`", "ünïcode表", "50%", "9lives", "../up", "a/b", "..", "#?&=+"}

func TestEmbeddedWholeLife(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	for _, name := range oddNames {
		wholeLife(t, s, name)
	}
}

func TestSQLOnS3(t *testing.T) {
	warehouse, query := s3Warehouse(t)
	s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&"+query, Options{})
	wholeLife(t, s, "accounts")
}

func TestREST(t *testing.T) {
	uri := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST")
	warehouse := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST_WAREHOUSE")
	u, err := url.Parse(uri)
	must(t, err)
	open := func(t *testing.T, query string) *Sink {
		s := openSink(t, "iceberg+rest://"+u.Host+query, Options{})
		s.ns = []string{fmt.Sprintf("t%d", time.Now().UnixNano())}
		return s
	}
	for name, query := range map[string]string{
		"we place tables":        "?warehouse=" + warehouse,
		"the namespace tells us": "",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, query)
			for _, name := range oddNames {
				wholeLife(t, s, name)
			}
		})
	}
	t.Run("only the catalog knows", func(t *testing.T) {
		s := open(t, "")
		s.cat = homeless{s.cat}
		wholeLife(t, s, "accounts")

		// What was made to learn the place stays when nothing is committed, without rows.
		w := openTable(t, s, accounts("abandoned"), writer.Create)
		write(t, w, rows(w.src, 0, 10))
		must(t, w.Close())
		if tbl := loaded(t, s, accounts("abandoned")); tbl.CurrentSnapshot() != nil {
			t.Fatal("the abandoned table has a snapshot")
		}
		load(t, s, accounts("abandoned"), writer.Create, 0, 20, "p1")
		wantIDs(t, ids(t, s, "abandoned"), 0, 20)
		// Left behind by a kill, it is taken over.
		w = openTable(t, s, accounts("killed"), writer.Create)
		write(t, w, rows(w.src, 0, 10))
		load(t, s, accounts("killed"), writer.Create, 0, 20, "p1")
		wantIDs(t, ids(t, s, "killed"), 0, 20)
	})
}

// homeless hides where namespaces lie.
type homeless struct{ tableCatalog }

func (h homeless) LoadNamespaceProperties(context.Context, table.Identifier) (iceberg.Properties, error) {
	return iceberg.Properties{}, nil
}

func TestRESTOnS3(t *testing.T) {
	warehouse, query := s3Warehouse(t)
	uri := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST", "--port", "28189",
		"--warehouse", "s3://lake/rest", "--s3-endpoint", service(t, "s3", "TABLEHAUL_TEST_S3"))
	u, err := url.Parse(uri)
	must(t, err)
	s := openSink(t, "iceberg+rest://"+u.Host+"/ns"+fmt.Sprint(time.Now().UnixNano())+"?warehouse="+warehouse+"&"+query, Options{})
	wholeLife(t, s, "accounts")
}

// TestVended writes to a store by keys that the catalog hands out with the table and
// that are soon no good any more. One kind of catalogs says when, the other does not;
// neither has a path of its own for them.
func TestVended(t *testing.T) {
	store := service(t, "s3", "TABLEHAUL_TEST_S3")
	uri := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST", "--port", "28189", "--warehouse", "s3://lake/rest", "--s3-endpoint", store)
	for _, listed := range []bool{false, true} {
		t.Run(fmt.Sprintf("listed=%t", listed), func(t *testing.T) {
			v := (&front.Vendor{ID: "test", Secret: "testsecret", Life: 2 * time.Second, Listed: listed}).Start(t, store)
			f := (&front.Front{Answer: v.Vend}).Start(t, uri)
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
				t.Setenv(name, "")
			}
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			_, host, _ := strings.Cut(f.URL, "://")
			s := openSink(t, fmt.Sprintf("iceberg+rest://%s/vended%d", host, time.Now().UnixNano()), Options{})
			s.leaseTerm = 500 * time.Millisecond
			tbl := accounts("t")
			w := openTable(t, s, tbl, writer.Create)
			for n := range 3 { // of stock
				write(t, w, rows(tbl, n*10, n*10+10))
				must(t, w.finishAll(t.Context())) // the next begins a file
				time.Sleep(1200 * time.Millisecond)
			}
			must(t, w.Commit(t.Context(), "p1"))
			time.Sleep(2500 * time.Millisecond)
			write(t, w, rows(tbl, 30, 40))
			must(t, w.Commit(t.Context(), "p2"))
			must(t, w.Close())
			wantIDs(t, ids(t, s, "t"), 0, 40)
			if keys, refused := v.Vended(); keys < 4 || refused > 0 {
				t.Errorf("got %d keys and %d requests refused", keys, refused)
			}
		})
	}
}
