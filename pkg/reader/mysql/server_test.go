package mysql

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A testServer is a real server and a database of the test's own on it.
type testServer struct {
	*conn
	url string // of the database
	db  string
	// script starts and stops a server of the test's own.
	script func(verb string)
}

// testServers are where MySQL and MariaDB are told of.
var testServers = map[string]string{"mysql": "TABLEHAUL_TEST_MYSQL", "mariadb": "TABLEHAUL_TEST_MARIADB"}

// servers runs the test on MySQL and MariaDB.
func servers(t *testing.T, f func(t *testing.T, s *testServer)) {
	for name, env := range testServers {
		t.Run(name, func(t *testing.T) { f(t, newTestServer(t, services.Env(t, env))) })
	}
}

// serversAtOnce runs a test on both at the same time that waits for most of its own.
func serversAtOnce(t *testing.T, f func(t *testing.T, s *testServer)) {
	for name, env := range testServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newTestServer(t, services.Env(t, env)))
		})
	}
}

func newTestServer(t testing.TB, url string) *testServer {
	s := &testServer{db: strings.ToLower(strings.NewReplacer("/", "_", "=", "_", "#", "_").Replace(t.Name()))}
	s.url = url + "/" + s.db
	cfg, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	if s.conn, err = dial(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	// Servers look for a GTID from the beginning of a file on: it is to be a short one.
	s.must(t, "FLUSH BINARY LOGS", "DROP DATABASE IF EXISTS "+ident(s.db), "CREATE DATABASE "+ident(s.db)+" CHARACTER SET utf8mb4", "USE "+ident(s.db))
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = s.Execute("DROP DATABASE IF EXISTS " + ident(s.db))
		s.Close()
	})
	return s
}

func (s *testServer) must(t testing.TB, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, err := s.Execute(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func (s *testServer) open(t testing.TB, opts Options) *Stock {
	t.Helper()
	st, err := Open(context.WithoutCancel(t.Context()), s.url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// sequence is a FROM clause with n rows whose column n counts from 1.
func sequence(n int) string {
	digit := "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	var tables, sum []string
	for i, f := 0, 1; f < n || i == 0; i, f = i+1, f*10 {
		tables = append(tables, fmt.Sprintf("%s t%d", digit, i))
		sum = append(sum, fmt.Sprintf("t%d.d*%d", i, f))
	}
	return fmt.Sprintf("(SELECT n FROM (SELECT 1+%s n FROM %s) counted WHERE n <= %d) seq", strings.Join(sum, "+"), strings.Join(tables, ", "), n)
}

// eachBatch reads a table, split after split. It may run in any goroutine.
func eachBatch(t *testing.T, snap reader.Snapshot, table *schema.Table, f func(*batch.Batch)) {
	splits, err := snap.Splits(t.Context(), table)
	if err != nil {
		t.Error(err)
	}
	for _, sp := range splits {
		if err := readSplit(t.Context(), snap, sp, f); err != nil {
			t.Error(err)
		}
	}
}

func readSplit(ctx context.Context, snap reader.Snapshot, sp reader.Split, f func(*batch.Batch)) error {
	r, err := snap.Open(ctx, sp)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(b)
		b.Release()
	}
}

// sumColumn adds up the last column, of whole numbers.
func sumColumn(t *testing.T, snap reader.Snapshot, table *schema.Table) (sum int64) {
	eachBatch(t, snap, table, func(b *batch.Batch) {
		col := b.Rows.Column(int(b.Rows.NumCols()) - 1)
		for i := range col.Len() {
			switch c := col.(type) {
			case *array.Int32:
				sum += int64(c.Value(i))
			case *array.Int64:
				sum += c.Value(i)
			}
		}
	})
	return sum
}

// pinAll pins all tables of the database.
func pinAll(t testing.TB, st *Stock, parallel int) ([]*schema.Table, reader.Snapshot) {
	t.Helper()
	tables, err := st.Tables(t.Context(), reader.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := st.Pin(t.Context(), tables, parallel)
	if err != nil {
		t.Fatal(err)
	}
	return tables, snap
}
