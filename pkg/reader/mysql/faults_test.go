package mysql

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// wantError checks that err says something, and what to do.
func wantError(t *testing.T, err error, text, remedy string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want %q in it", err, text)
	}
	if !strings.Contains(hint.Of(err), remedy) {
		t.Errorf("%v: got hint %q, want %q in it", err, hint.Of(err), remedy)
	}
}

// as returns the server's URL with other credentials and another host.
func (s *testServer) as(t *testing.T, user, password, host string) string {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	if host != "" {
		u.Host = host
	}
	return u.String()
}

// user makes a user with the given grants on the test's database.
func (s *testServer) user(t *testing.T, name, grants string) {
	t.Helper()
	s.must(t, "DROP USER IF EXISTS "+name, "CREATE USER "+name+" IDENTIFIED BY 'hush-hush'")
	t.Cleanup(func() { _, _ = s.Execute("DROP USER IF EXISTS " + name) })
	if grants != "" {
		s.must(t, "GRANT "+grants+" ON "+ident(s.db)+".* TO "+name)
	}
}

func TestConnectErrors(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.user(t, "th_none", "")
		_, err := Open(t.Context(), s.as(t, "th_none", "wrong-secret", ""), Options{})
		wantError(t, err, "Access denied", "which is from the URL")
		if strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("the password is in the error: %v", err)
		}
		_, err = Open(t.Context(), s.as(t, "", "", "127.0.0.1:1"), Options{})
		wantError(t, err, "127.0.0.1:1", "host and port")

		s.must(t, "CREATE TABLE secret (a INT)")
		st, err := Open(t.Context(), s.as(t, "th_none", "hush-hush", ""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		_, err = st.Tables(t.Context(), reader.Selection{Include: []string{"secret"}})
		wantError(t, err, "no table matches secret", "SELECT")
	})
}

// TestLeastGrants reads with SELECT alone: neither way of locking is allowed, so
// there is one connection, and the operator is told.
func TestLeastGrants(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.user(t, "th_select", "SELECT")
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT n, n FROM "+sequence(1000))
		for _, w := range []way{lockTables, globalLock, oneReader} {
			var warned atomic.Int32
			st, err := Open(t.Context(), s.as(t, "th_select", "hush-hush", ""), Options{
				Parallel: 4, ways: []way{w, oneReader},
				Warn: func(string) { warned.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			tables, err := st.Tables(t.Context(), reader.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			snap, err := st.Pin(t.Context(), tables, 4)
			if err != nil {
				t.Fatalf("%s: %v", w.name, err)
			}
			if got, want := sumColumn(t, snap, tables[0]), int64(500500); got != want {
				t.Errorf("%s: the rows add up to %d, want %d", w.name, got, want)
			}
			if n := len(snap.(*snapshot).all); n != 1 || warned.Load() == 0 {
				t.Errorf("%s: %d connections and %d warnings, want 1 and some", w.name, n, warned.Load())
			}
			snap.Close()
		}
	})
}

// A cutter is a proxy that ends all connections once so many bytes have come
// from the server.
func cutter(t *testing.T, server string, after int64) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var passed atomic.Int64
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() {
				buf := make([]byte, 32<<10)
				for passed.Load() < after {
					n, err := out.Read(buf)
					if _, werr := in.Write(buf[:n]); err != nil || werr != nil {
						break
					}
					passed.Add(int64(n))
				}
				in.Close()
				out.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func TestServerGone(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200))", "INSERT INTO t SELECT n, REPEAT('x', 200) FROM "+sequence(30000))
		u, _ := url.Parse(s.url)
		for name, end := range map[string]func(snap *snapshot){
			"cut": nil, // by the proxy
			"killed": func(snap *snapshot) {
				for _, c := range snap.all {
					s.must(t, "KILL "+itoa(uint64(c.GetConnectionID())))
				}
			},
		} {
			host := u.Host
			if end == nil {
				host = cutter(t, u.Host, 1<<20)
			}
			st, err := Open(t.Context(), s.as(t, "", "", host), Options{Parallel: 2})
			if err != nil {
				t.Fatal(err)
			}
			tables, err := st.Tables(t.Context(), reader.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			snap, err := st.Pin(t.Context(), tables, 2)
			if err != nil {
				t.Fatal(err)
			}
			r, err := snap.Open(t.Context(), reader.Split{Table: tables[0]})
			for err == nil {
				if end != nil {
					end(snap.(*snapshot))
					end = func(*snapshot) {}
				}
				b, rerr := r.Read(t.Context())
				if err = rerr; err == nil {
					b.Release()
				}
			}
			var te *schema.TableError
			if err == io.EOF || errors.As(err, &te) {
				t.Errorf("%s: got %v, want an error that ends the run", name, err)
			}
			wantError(t, err, "", "run the same command again")
			r.Close()
			snap.Close()
			st.Close()
		}
	})
}

// TestTableErrors makes what concerns one table alone; the connection must be as
// good as before.
func TestTableErrors(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "SET SESSION sql_mode=''", "CREATE TABLE altered (id INT PRIMARY KEY, v INT)", "INSERT INTO altered VALUES (1,1)",
			"CREATE TABLE dates (id INT PRIMARY KEY, d DATE, v INT)", "INSERT INTO dates SELECT n, IF(n=40000,'2021-00-10','2021-01-10'), n FROM "+sequence(50000),
			"CREATE TABLE fine (id INT PRIMARY KEY, v INT)", "INSERT INTO fine VALUES (1,7)")
		st := s.open(t, Options{ZeroDate: "fail"})
		tables, err := st.Tables(t.Context(), reader.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		s.must(t, "ALTER TABLE altered MODIFY v VARCHAR(20)")
		snap, err := st.Pin(t.Context(), tables, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		for i, want := range []struct{ text, remedy string }{
			{"it was altered since it was listed", "run the command again"},
			{"column d (date): no calendar holds the date 2021-00-10, in the row with id = 40000", "--zero-date"},
		} {
			err := readSplit(t.Context(), snap, reader.Split{Table: tables[i]}, func(*batch.Batch) {})
			var te *schema.TableError
			if !errors.As(err, &te) || te.Table != tables[i].String() {
				t.Errorf("got %v, want a TableError of %s", err, tables[i])
			}
			wantError(t, err, want.text, want.remedy)
		}
		if got := sumColumn(t, snap, tables[2]); got != 7 {
			t.Errorf("the table behind those that failed adds up to %d, want 7", got)
		}
	})
}

func TestCancelEndsARead(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", "CREATE VIEW slow AS SELECT IF(SLEEP(120), id, id) AS id FROM t")
		st := s.open(t, Options{})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		slow := schema.New(tables[0].DB, "slow", tables[0].Columns, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		start := time.Now()
		r, err := snap.Open(ctx, reader.Split{Table: slow})
		if err == nil {
			_, err = r.Read(ctx)
			r.Close()
		}
		if !errors.Is(err, context.Canceled) || time.Since(start) > time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// TestGiantRow reads a row of 64 MiB between small ones.
func TestGiantRow(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		const giant = 64<<20 + 5
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB, v INT)", "INSERT INTO t SELECT n, IF(n=2, NULL, 'small'), n FROM "+sequence(3),
			"UPDATE t SET b = REPEAT('0123456789abcdef', "+itoa(giant/16)+") WHERE id = 2")
		st := s.open(t, Options{})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		if got := sumColumn(t, snap, tables[0]); got != 6 {
			t.Errorf("the rows add up to %d, want 6", got)
		}
		var long int
		eachBatch(t, snap, tables[0], func(b *batch.Batch) {
			col := b.Rows.Column(1).(*array.Binary)
			for i := range col.Len() {
				if got := col.Value(i); len(got) > long {
					long = len(got)
					if end := string(got[max(0, long-16):]); long > 16 && end != "0123456789abcdef" {
						t.Errorf("the giant ends with %q", end)
					}
				}
			}
		})
		if long != giant/16*16 {
			t.Errorf("the giant has %d bytes, want %d", long, giant/16*16)
		}
	})
}

// TestOwns tells positions of this server from others.
func TestOwns(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY)")
		st := s.open(t, Options{})
		_, snap := pinAll(t, st, 1)
		defer snap.Close()
		if err := st.Owns(snap.Position()); err != nil {
			t.Errorf("the server's own position: %v", err)
		}
		for _, pos := range []batch.Position{`{"server":"another"}`, "mem:1"} {
			if st.Owns(pos) == nil {
				t.Errorf("%s passes for this server's", pos)
			}
		}
	})
}

// TestColumnGrants refuses a table of which the user may see some columns only:
// the others would be lost without a word.
func TestColumnGrants(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
		s.user(t, "th_column", "")
		s.must(t, "GRANT SELECT (id) ON "+ident(s.db)+".t TO th_column")
		st, err := Open(t.Context(), s.as(t, "th_column", "hush-hush", ""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		_, err = snap.Splits(t.Context(), tables[0])
		wantError(t, err, "denied", "grant SELECT")
	})
}

// TestTLS reads over an encrypted connection, as a user who must.
func TestTLS(t *testing.T) {
	s := newTestServer(t, services.Env(t, "TABLEHAUL_TEST_MYSQL"))
	s.must(t, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT n FROM "+sequence(20000))
	s.user(t, "th_tls", "SELECT, LOCK TABLES")
	s.must(t, "ALTER USER th_tls REQUIRE SSL")
	url := s.as(t, "th_tls", "hush-hush", "")
	_, err := Open(t.Context(), url, Options{})
	wantError(t, err, "Access denied", "ssl-mode=REQUIRED")
	_, err = Open(t.Context(), url+"?ssl-mode=VERIFY_IDENTITY", Options{})
	wantError(t, err, "certificate", "")

	st, err := Open(t.Context(), url+"?ssl-mode=REQUIRED", Options{Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tables, snap := pinAll(t, st, 2)
	defer snap.Close()
	if got, want := sumColumn(t, snap, tables[0]), int64(200010000); got != want {
		t.Errorf("the rows add up to %d, want %d", got, want)
	}
}

// TestTableIsAnother gives the name of a table to a copy of it that was half full when
// the point was pinned: the server shows that half, and it is no table of the run.
func TestTableIsAnother(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT n, n FROM "+sequence(1000),
			"CREATE TABLE parts (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (1000))",
			"INSERT INTO parts SELECT n, n FROM "+sequence(100))
		time.Sleep(1100 * time.Millisecond) // times are in seconds
		s.must(t, "CREATE TABLE copy LIKE t", "INSERT INTO copy SELECT * FROM t WHERE id < 500", "CREATE TABLE fine (id INT PRIMARY KEY, v INT)", "INSERT INTO fine VALUES (1, 7)")
		st := s.open(t, Options{})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		s.must(t, "INSERT INTO copy SELECT * FROM t WHERE id >= 500", "RENAME TABLE t TO old, copy TO t", "ALTER TABLE parts DROP PARTITION p0")
		for _, table := range tables {
			err := readSplit(t.Context(), snap, reader.Split{Table: table}, func(*batch.Batch) {})
			switch table.Name {
			case "fine":
				if err != nil {
					t.Errorf("%s: %v", table, err)
				}
			case "t", "parts":
				var te *schema.TableError
				if !errors.As(err, &te) || te.Table != table.String() || !hint.IsTransient(err) {
					t.Errorf("%s: got %v, want a TableError that may pass", table, err)
				}
				wantError(t, err, "", "run the command again")
			}
		}
		for _, table := range tables {
			if table.Name != "t" {
				continue
			}
			again, err := st.Pin(t.Context(), []*schema.Table{table}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if got := sumColumn(t, again, table); got != 500500 {
				t.Errorf("pinned anew the rows add up to %d, want 500500", got)
			}
		}
	})
}
