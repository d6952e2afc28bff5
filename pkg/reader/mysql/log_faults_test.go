package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

func contextWithin(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// TestLogStatements has statements in the log that end a table, or the run, and
// others that must not. All before them must have been handed out.
func TestLogStatements(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		minimal := []string{"SET SESSION binlog_row_image=MINIMAL", "UPDATE a SET v=9 WHERE id=1", "SET SESSION binlog_row_image=FULL"}
		statement := []string{"SET SESSION binlog_format=STATEMENT", "INSERT INTO a (id,v) VALUES (100,100)", "SET SESSION binlog_format=ROW"}
		for _, c := range []struct {
			sql  []string
			want string // "" if it is harmless
			all  bool   // the error ends the run, not the table alone
		}{
			{[]string{"ALTER TABLE a ADD COLUMN x INT"}, "column x is new", false},
			{[]string{"ALTER TABLE a MODIFY v BIGINT"}, "column v was int", false},
			{[]string{"ALTER TABLE a DROP COLUMN v"}, "column v is gone", false},
			{[]string{"ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (id, v)"}, "primary key", false},
			{[]string{"ALTER TABLE a DROP COLUMN v, ADD COLUMN v INT"}, "values of column v may be others", false},
			{[]string{"ALTER TABLE a MODIFY v TINYINT", "ALTER TABLE a MODIFY v INT"}, "values of column v may be others", false},
			{[]string{"ALTER TABLE a MODIFY v INT NOT NULL", "ALTER TABLE a MODIFY v INT"}, "values of column v may be others", false},
			{[]string{"DROP INDEX `PRIMARY` ON a", "ALTER TABLE a ADD PRIMARY KEY (id)"}, "the key, may be others", false},
			{[]string{"ALTER TABLE a CONVERT TO CHARACTER SET latin1", "ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4"}, "may be others", false},
			{[]string{"CREATE TABLE n (id INT PRIMARY KEY, v INT)", "RENAME TABLE a TO old, n TO a"}, "another table took its name", false},
			{[]string{"DROP TABLE a", "CREATE TABLE a (x INT PRIMARY KEY)"}, "another shape", false},
			{[]string{"ALTER TABLE p TRUNCATE PARTITION p0"}, "replaced by a statement", false},
			{statement, "may have changed followed tables", true},
			{minimal, "binlog_row_image", false},
			{[]string{
				"ALTER TABLE a ADD INDEX (v)", "ALTER TABLE a MODIFY w VARCHAR(90)", "ALTER TABLE a COMMENT 'x'", "ALTER TABLE a MODIFY COLUMN v INTEGER NULL DEFAULT 3 COMMENT 'x'", "CREATE INDEX i ON a (v)", "DROP INDEX i ON a", "ANALYZE TABLE a", "OPTIMIZE TABLE a", "ALTER TABLE a ENGINE=InnoDB",
				"CREATE TABLE o (i INT)", "ALTER TABLE o ADD j INT", "RENAME TABLE o TO q", "DROP TABLE q", "CREATE VIEW w AS SELECT * FROM a", "DROP VIEW w",
				"CREATE TABLE IF NOT EXISTS a (x INT)", "DROP TABLE IF EXISTS nothing", "CREATE TEMPORARY TABLE a (z INT)", "INSERT INTO a VALUES (1)", "DROP TEMPORARY TABLE a",
			}, "", false},
		} {
			s.must(t, "DROP TABLE IF EXISTS a, p, old, n", "CREATE TABLE a (id INT PRIMARY KEY, w VARCHAR(9), v INT)",
				"CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN MAXVALUE)")
			st := s.open(t, Options{})
			tables := s.tables(t, st, "a", "p")
			from := locate(t, st, "now")
			s.must(t, "INSERT INTO a (id,v) VALUES (1,1)", "INSERT INTO p VALUES (1,1)")
			s.must(t, c.sql...)
			if c.want == "" {
				s.must(t, "INSERT INTO a (id,v) VALUES (2,2)")
			}
			rows := copied{}
			steps, err := drain(t, changes(t, st, all(tables, from), locate(t, st, "now")), rows, false)
			if c.want == "" {
				if err != nil || len(rows["a"]) != 2 {
					t.Errorf("%v: got %v, %d rows", c.sql, err, len(rows["a"]))
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error()+hint.Of(err), c.want) || hint.Of(err) == "" {
				t.Errorf("%v: got %v (%s), want %q", c.sql, err, hint.Of(err), c.want)
			}
			var te *schema.TableError
			if errors.As(err, &te) == c.all {
				t.Errorf("%v: got a %T", c.sql, err)
			}
			if len(steps) == 0 || len(steps[len(steps)-1].rows["p"]) != 1 {
				t.Errorf("%v: what came before was not handed out", c.sql)
			}
			if errors.As(err, &te) { // the other table can go on
				other := tables[0]
				if te.Table == other.String() {
					other = tables[1]
				}
				last := steps[len(steps)-1]
				if _, err := drain(t, changes(t, st, all([]*schema.Table{other}, last.pos), locate(t, st, "now")), last.rows, false); err != nil {
					t.Errorf("%v: the other table: %v", c.sql, err)
				}
			}
		}
	})
}

// TestLogKeepsOthersOut ignores what other databases do.
func TestLogKeepsOthersOut(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		other := ident(s.db + "_other")
		s.must(t, "DROP DATABASE IF EXISTS "+other, "CREATE DATABASE "+other, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE "+other+".a (id INT PRIMARY KEY)")
		t.Cleanup(func() { _, _ = s.Execute("DROP DATABASE IF EXISTS " + other) })
		s.checkLog(t, func() {
			s.must(t, "INSERT INTO "+other+".a VALUES (1)", "INSERT INTO a VALUES (1,1)", "USE "+other, "SET SESSION binlog_format=STATEMENT", "INSERT INTO a VALUES (2)", "SET SESSION binlog_format=ROW",
				"TRUNCATE a", "ALTER TABLE a ADD v INT", "DROP DATABASE "+other, "USE "+ident(s.db), "INSERT INTO a VALUES (2,2)")
		})
	})
}

// TestLogCompressed reads transactions that MySQL compressed, and such with tags.
func TestLogCompressed(t *testing.T) {
	s := newTestServer(t, services.Env(t, "TABLEHAUL_TEST_MYSQL"))
	s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(100))", "CREATE TABLE b (id INT PRIMARY KEY, v INT)")
	s.checkLog(t, func() {
		s.must(t, "SET SESSION binlog_transaction_compression=ON", "INSERT INTO a SELECT n, REPEAT('x', 90) FROM "+sequence(30000),
			"BEGIN", "UPDATE a SET v='y' WHERE id < 500", "SAVEPOINT s", "INSERT INTO b VALUES (1,1)", "DELETE FROM a WHERE id BETWEEN 100 AND 200", "COMMIT",
			"SET SESSION binlog_transaction_compression=OFF", "INSERT INTO b VALUES (2,2)",
			"SET SESSION gtid_next='AUTOMATIC:tablehaul_tag'", "INSERT INTO b VALUES (3,3)", "UPDATE b SET v=4", "SET SESSION gtid_next='AUTOMATIC'", "INSERT INTO b VALUES (4,4)")
	})
}

// TestLogCut ends the connection after more and more bytes, and goes on from the
// last position each time.
func TestLogCut(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(200))")
		st := s.open(t, Options{})
		pos := locate(t, st, "now")
		for i := range 40 {
			s.must(t, fmt.Sprintf("INSERT INTO a SELECT %d+n, REPEAT('x', 150) FROM %s", i*1000, sequence(1000)))
		}
		s.must(t, "INSERT INTO a SELECT 1000000+n, REPEAT('y', 150) FROM "+sequence(20000), "UPDATE a SET v='z' WHERE id < 100")
		until := locate(t, st, "now")
		u, _ := url.Parse(s.url)
		rows, cuts := copied{}, 0
		tables := s.tables(t, st)
		for size := int64(100_000); ; size += 500_000 {
			proxied, err := Open(t.Context(), s.as(t, "", "", cutter(t, u.Host, size)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var steps []step
			rd, err := proxied.Changes(t.Context(), all(tables, pos), until)
			if err == nil {
				steps, err = drain(t, rd, rows.clone(), false)
			}
			proxied.Close()
			if n := len(steps); n > 0 {
				pos, rows = steps[n-1].pos, steps[n-1].rows
			}
			if err == nil {
				break
			}
			isTransient(t, err)
			if cuts++; cuts > 100 {
				t.Fatal("no end")
			}
		}
		want, _ := stockOf(t, st, tables)
		if d := rows.diff(want); d != "" {
			t.Errorf("after %d cuts the copy differs: %s", cuts, d)
		}
		if cuts < 3 {
			t.Errorf("only %d cuts", cuts)
		}
	})
}

// TestLogSilent has the connection stall.
func TestLogSilent(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		u, _ := url.Parse(s.url)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var stalled atomic.Bool
		go func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				out, err := net.Dial("tcp", u.Host)
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(out, in); out.Close() }()
				go func() {
					buf := make([]byte, 4096)
					for {
						n, err := out.Read(buf)
						for stalled.Load() {
							time.Sleep(10 * time.Millisecond)
						}
						if _, werr := in.Write(buf[:n]); err != nil || werr != nil {
							break
						}
					}
					in.Close()
				}()
			}
		}()
		st, err := Open(t.Context(), s.as(t, "", "", l.Addr().String()), Options{Heartbeat: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		rd := changes(t, st, all(s.tables(t, st), locate(t, st, "now")), "")
		defer rd.Close()
		time.Sleep(time.Second) // not reading is not the server's silence
		next(t, rd, time.Minute).Release()
		next(t, rd, time.Minute).Release()
		stalled.Store(true)
		start := time.Now()
		for err == nil && time.Since(start) < time.Minute {
			var b *batch.Batch
			if b, err = rd.Read(t.Context()); err == nil {
				b.Release()
			}
		}
		stalled.Store(false)
		isTransient(t, err)
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("the silence was noticed after %v", d)
		}
	})
}

// TestServerID has two readers of one id.
func TestServerID(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		st := s.open(t, Options{ServerID: 4711, Heartbeat: 300 * time.Millisecond})
		tables := s.tables(t, st)
		from := all(tables, locate(t, st, "now"))
		rd := changes(t, st, from, "")
		defer rd.Close()
		own := replicaName
		replicaName = "somebody else"
		_, err := st.Changes(t.Context(), from, "")
		replicaName = own
		wantError(t, err, "server id 4711 is taken", "--server-id")
		// The same process takes over from itself: the server ends the first.
		again := changes(t, st, from, "")
		next(t, again, time.Minute).Release()
		again.Close()
		for err = nil; err == nil; {
			var b *batch.Batch
			ctx, cancel := contextWithin(t, time.Minute)
			if b, err = rd.Read(ctx); err == nil {
				b.Release()
			}
			cancel()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("two readers have one id")
		}
		t.Log(err)
		own, err = s.queryOne(t.Context(), "SELECT @@server_id")
		if err != nil {
			t.Fatal(err)
		}
		self := s.open(t, Options{ServerID: uint32(number(own))})
		_, err = self.Changes(t.Context(), from, "")
		wantError(t, err, "the server itself", "--server-id")
	})
}

// TestChangelog has every change as a row of its own.
func TestChangelog(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
		st := s.open(t, Options{})
		log, err := schema.Changelog(s.tables(t, st)[0])
		if err != nil {
			t.Fatal(err)
		}
		tables := []*schema.Table{log}
		snap, err := st.Pin(t.Context(), tables, 1)
		if err != nil {
			t.Fatal(err)
		}
		var ops []string
		var last string
		see := func(b *batch.Batch) {
			if b.Table == nil {
				return
			}
			n := len(log.Columns)
			for i := range int(b.Rows.NumRows()) {
				ops = append(ops, strings.Clone(b.Rows.Column(n-4).(*array.String).Value(i)))
				if pos := b.Rows.Column(n - 1).(*array.String); pos.IsNull(i) != (len(ops) == 1) || !pos.IsNull(i) && pos.Value(i) <= last {
					t.Errorf("row %d is at %q, the one before at %q", len(ops), pos.ValueStr(i), last)
				} else {
					last = strings.Clone(pos.Value(i))
				}
				if gtid := b.Rows.Column(n - 2); gtid.IsNull(i) != (len(ops) == 1) {
					t.Errorf("row %d has GTID %s", len(ops), gtid.ValueStr(i))
				}
			}
		}
		eachBatch(t, snap, log, see)
		snap.Close()
		s.must(t, "INSERT INTO a VALUES (2,2),(3,3)", "UPDATE a SET v=4 WHERE id=1", "DELETE FROM a WHERE id=2", "TRUNCATE a", "INSERT INTO a VALUES (1,1)",
			"XA START 'c'", "INSERT INTO a VALUES (5,5)", "UPDATE a SET v=6 WHERE id=5", "XA END 'c'", "XA PREPARE 'c'")
		s.another(t).must(t, "DELETE FROM a WHERE id=1")
		s.must(t, "XA COMMIT 'c'")
		want := "rccbudtcdcbu"
		if !s.maria {
			s.must(t, "SET SESSION binlog_transaction_compression=ON", "BEGIN", "INSERT INTO a VALUES (7,7)", "INSERT INTO a VALUES (8,8)", "UPDATE a SET v=9 WHERE id=8", "COMMIT", "DELETE FROM a WHERE id=8")
			want += "ccbud"
		}
		rd := changes(t, st, all(tables, snap.Position()), locate(t, st, "now"))
		defer rd.Close()
		for {
			b, err := rd.Read(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			see(b)
			b.Release()
		}
		if got := strings.Join(ops, ""); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestXAOverPin pins between XA PREPARE and XA COMMIT: neither the rows that
// were read nor the log from the position on hold the transaction.
func TestXAOverPin(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
		// The log is looked back into under another id than that of the operator.
		st := s.open(t, Options{ways: []way{oneReader}, ServerID: 4712})
		tables := s.tables(t, st)
		s.must(t, "XA START 'over'", "INSERT INTO a SELECT 10+n, n FROM "+sequence(1000), "XA END 'over'", "XA PREPARE 'over'")
		other := s.another(t)
		other.must(t, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (2,2)")
		rows, pos := stockOf(t, st, tables)
		if len(rows["a"]) != 2 {
			t.Errorf("pinned %d rows, want 2", len(rows["a"]))
		}
		// More than connections hold that the server has ended.
		s.must(t, "XA COMMIT 'over'", "INSERT INTO a SELECT 10000+n, n FROM "+sequence(300_000), "INSERT INTO a VALUES (3,3)")
		if _, err := drain(t, changes(t, st, all(tables, pos), locate(t, st, "now")), rows, true); err != nil {
			t.Fatal(err)
		}
		if len(rows["a"]) != 301_003 {
			t.Errorf("got %d rows, want 301,003", len(rows["a"]))
		}
	})
}

// TestLogBigTransaction reads 200 MB in one transaction with bounded memory.
func TestLogBigTransaction(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(2000))")
		st := s.open(t, Options{Memory: 16 << 20})
		tables := s.tables(t, st)
		from := locate(t, st, "now")
		s.must(t, "INSERT INTO a SELECT n, REPEAT('0123456789', 200) FROM "+sequence(100_000))
		rd := changes(t, st, all(tables, from), locate(t, st, "now"))
		defer rd.Close()
		var rows int64
		var most uint64
		for {
			b, err := rd.Read(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.Rows != nil {
				rows += b.Rows.NumRows()
			}
			if b.Pos != "" && rows != 100_000 {
				t.Errorf("a position after %d rows", rows)
			}
			b.Release()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		if rows != 100_000 || most > 64<<20 {
			t.Errorf("got %d rows with %d MB in use", rows, most>>20)
		}
		t.Logf("%d MB in use at most", most>>20)
	})
}

// TestLogGrants follows the log as a user who may not, and as one who may.
func TestLogGrants(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		s.user(t, "th_log", "SELECT")
		grants := []string{"REPLICATION CLIENT", "REPLICATION SLAVE"}
		if s.maria {
			grants = []string{"BINLOG MONITOR", "REPLICATION SLAVE", "REPLICATION MASTER ADMIN"}
		}
		var err error
		for i := 0; i <= len(grants); i++ {
			st, oerr := Open(t.Context(), s.as(t, "th_log", "hush-hush", ""), Options{Parallel: 2, ways: []way{ownPoints, oneReader}, Warn: func(string) {}})
			if oerr != nil {
				t.Fatal(oerr)
			}
			tables := s.tables(t, st)
			var pos batch.Position
			if pos, err = st.Locate(t.Context(), "now"); err == nil {
				var rd interface{ Close() error }
				if rd, err = st.Changes(t.Context(), all(tables, pos), ""); err == nil {
					rd.Close()
					_, snap := pinAll(t, st, 2)
					if !snap.(*snapshot).Loose() {
						t.Error("the log can be followed, and is not used for pinning")
					}
					snap.Close()
				}
			}
			st.Close()
			if err == nil {
				break
			}
			wantError(t, err, "the log cannot be followed", "GRANT")
			if i < len(grants) {
				s.must(t, "GRANT "+grants[i]+" ON *.* TO th_log")
			}
		}
		if err != nil {
			t.Errorf("with all grants: %v", err)
		}
	})
}
