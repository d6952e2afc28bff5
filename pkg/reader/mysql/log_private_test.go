package mysql

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// private starts a server of the test's own, whose log it may reset and whose
// settings it may change.
func private(t *testing.T, service string) *testServer {
	t.Helper()
	addr, script := services.Private(t, service)
	s := newTestServer(t, "mysql://root@"+addr)
	s.script = script
	return s
}

// privatelyAtOnce runs a test on a server of its own of each kind, both at the same time.
func privatelyAtOnce(t *testing.T, f func(t *testing.T, s *testServer)) {
	for name := range testServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, private(t, name))
		})
	}
}

// TestLogRestart restarts the server between XA PREPARE and XA COMMIT, while the
// log is being read.
func TestLogRestart(t *testing.T) {
	privatelyAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
		st := s.open(t, Options{eager: true})
		tables := s.tables(t, st)
		rows, pos := stockOf(t, st, tables)
		rd := changes(t, st, all(tables, pos), "")
		defer rd.Close()
		s.must(t, "XA START 'r'", "INSERT INTO a VALUES (2,2)", "XA END 'r'", "XA PREPARE 'r'")
		s.another(t).must(t, "INSERT INTO a VALUES (3,3)")
		for len(rows["a"]) < 2 {
			b := next(t, rd, time.Minute)
			if err := rows.apply(b, true); err != nil {
				t.Error(err)
			}
			if b.Pos != "" {
				pos = b.Pos
			}
			b.Release()
		}
		s.script("stop")
		var err error
		for err == nil {
			var b *batch.Batch
			if b, err = rd.Read(t.Context()); err == nil {
				if b.Table != nil {
					t.Errorf("got rows of %s", b.Table)
				}
				b.Release()
			}
		}
		isTransient(t, err)
		_, err = st.Changes(t.Context(), all(tables, pos), "")
		isTransient(t, err)
		_, err = st.Tables(t.Context(), reader.Selection{})
		isTransient(t, err)
		_, err = Open(t.Context(), s.url, Options{})
		isTransient(t, err)
		s.script("start")
		s.another(t).must(t, "INSERT INTO a VALUES (4,4)", "XA COMMIT 'r'", "INSERT INTO a VALUES (5,5)")
		steps, err := drain(t, changes(t, st, all(tables, pos), locate(t, st, "now")), rows, false)
		if err != nil || len(rows["a"]) != 5 {
			t.Errorf("after the restart: got %d rows, want 5; %v", len(rows["a"]), err)
		}
		t.Logf("%d positions", len(steps))
	})
}

func (s *testServer) purge(t *testing.T) {
	t.Helper()
	s.must(t, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
	st := s.open(t, Options{})
	last := st.mustEnd(t)
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) { // MariaDB keeps a file for a moment longer
		s.must(t, "PURGE BINARY LOGS TO "+"'"+last+"'")
		if state, err := st.logState(t.Context()); err == nil && len(state.files) == 1 {
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatal("the logs are not purged")
		}
	}
}

func (s *testServer) reset(t *testing.T) {
	t.Helper()
	if s.maria {
		s.must(t, "RESET MASTER")
		return
	}
	s.must(t, "RESET BINARY LOGS AND GTIDS")
}

// TestLogLost purges and resets logs.
func TestLogLost(t *testing.T) {
	privatelyAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		if s.maria {
			s.logLost(t)
			s.must(t, "SET GLOBAL log_bin_compress=ON, GLOBAL log_bin_compress_min_len=10")
			s.must(t, "SET SESSION gtid_domain_id=5")
			t.Run("compressed", func(t *testing.T) {
				s.checkLog(t, func() {
					s.must(t, "INSERT INTO a SELECT 10000+n, n FROM "+sequence(10000), "UPDATE a SET v=v+1", "SET SESSION gtid_domain_id=6", "DELETE FROM a WHERE id > 15000", "TRUNCATE a", "INSERT INTO a VALUES (1,1)")
				})
			})
			s.must(t, "SET GLOBAL log_bin_compress=OFF", "SET GLOBAL binlog_checksum=NONE")
			t.Run("without-checksums", func(t *testing.T) { s.checkLog(t, func() { s.must(t, "INSERT INTO a VALUES (2,2),(3,3)") }) })
			return
		}
		s.logLost(t)
		s.must(t, "SET GLOBAL binlog_row_metadata=MINIMAL", "SET GLOBAL binlog_checksum=NONE")
		t.Run("minimal", func(t *testing.T) {
			s.checkLog(t, func() { s.must(t, "INSERT INTO a VALUES (2,2),(3,3)", "UPDATE a SET v=7") })
		})
		s.must(t, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE", "SET GLOBAL gtid_mode=OFF", "SET GLOBAL binlog_checksum=CRC32")
		t.Run("without-GTIDs", func(t *testing.T) {
			s.checkLog(t, func() {
				s.must(t, "INSERT INTO a VALUES (20,20)", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (21,21)", "DELETE FROM a WHERE id=2",
					"XA START 'x'", "INSERT INTO a VALUES (22,22)", "XA END 'x'", "XA PREPARE 'x'")
				other := s.another(t)
				other.must(t, "INSERT INTO a VALUES (23,23)", "XA COMMIT 'x'", "INSERT INTO a VALUES (24,24)", "TRUNCATE a", "INSERT INTO a VALUES (25,25)")
			})
			s.logLost(t)
		})
	})
}

// another is another session on the same server.
func (s *testServer) another(t *testing.T) *testServer {
	t.Helper()
	cfg, err := parseURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	o := &testServer{conn: c, url: s.url, db: s.db}
	o.must(t, "USE "+ident(s.db))
	return o
}

func (s *testServer) logLost(t *testing.T) {
	st := s.open(t, Options{})
	tables := s.tables(t, st)
	old := locate(t, st, "now")
	s.must(t, "REPLACE INTO a VALUES (-1,1)")
	kept := locate(t, st, "now")
	s.purge(t)
	_, err := st.Changes(t.Context(), all(tables, old), "")
	if err == nil && s.maria {
		// The server knows better, once it is asked.
		var rd reader.Reader
		if rd, err = st.Changes(t.Context(), all(tables, old), ""); err == nil {
			_, err = rd.Read(t.Context())
			rd.Close()
		}
	}
	if !errors.Is(err, reader.ErrPurged) || !strings.Contains(hint.Of(err), "--on-purged") {
		t.Errorf("behind a purge: got %v (%s)", err, hint.Of(err))
	}
	if h, err := st.Headroom(t.Context(), old); err != nil || !h.Gone {
		t.Errorf("behind a purge: got %+v, %v", h, err)
	}
	got := copied{}
	s.must(t, "INSERT INTO a VALUES (-2,1)")
	if s.maria || st.byGTID(t) { // the next file begins where the last one ended
		if _, err := drain(t, changes(t, st, all(tables, kept), locate(t, st, "now")), got, false); err != nil || len(got["a"]) != 1 {
			t.Errorf("from the end of what was purged: got %d rows, %v", len(got["a"]), err)
		}
	}
	if _, err := st.Locate(t.Context(), "time:2001-01-01T00:00:00Z"); !errors.Is(err, reader.ErrPurged) {
		t.Errorf("a time before the log: got %v", err)
	}
	now := locate(t, st, "now")
	s.reset(t)
	if s.maria {
		s.must(t, "INSERT INTO a VALUES (-3,1)")
	}
	_, err = st.Changes(t.Context(), all(tables, now), "")
	if err == nil || errors.Is(err, reader.ErrPurged) || !strings.Contains(err.Error(), "reset") {
		t.Errorf("behind a reset: got %v (%s)", err, hint.Of(err))
	}
	s.must(t, "DELETE FROM a WHERE id < 0")
}

func (s *Stock) byGTID(t *testing.T) bool {
	st, err := s.logState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.byGTID
}

// TestLogFailover goes on with another server that was a replica of the first.
func TestLogFailover(t *testing.T) {
	for _, service := range []string{"mysql", "mariadb"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			a, b := private(t, service), private(t, service)
			b.reset(t)
			write := a.replicated(t, b)
			write("CREATE DATABASE IF NOT EXISTS "+ident(a.db), "CREATE TABLE "+ident(a.db)+".a (id INT PRIMARY KEY, v INT)", "INSERT INTO "+ident(a.db)+".a VALUES (1,1)")
			first := a.open(t, Options{})
			tables := a.tables(t, first)
			rows, pos := stockOf(t, first, tables)
			write("INSERT INTO " + ident(a.db) + ".a VALUES (2,2)")
			steps, err := drain(t, changes(t, first, all(tables, pos), locate(t, first, "now")), rows, false)
			if err != nil {
				t.Fatal(err)
			}
			pos = steps[len(steps)-1].pos
			write("INSERT INTO " + ident(a.db) + ".a VALUES (3,3)")
			for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
				if n, err := b.queryOne(t.Context(), "SELECT COUNT(*) FROM "+ident(a.db)+".a"); err == nil && n == "3" {
					break
				}
				if time.Since(start) > 3*time.Minute {
					t.Fatal("the replica does not come")
				}
			}
			b.must(t, "INSERT INTO "+ident(a.db)+".a VALUES (4,4)")
			second := b.open(t, Options{})
			if err := second.Owns(pos); err != nil {
				t.Errorf("the replica disowns the position: %v", err)
			}
			if _, err := drain(t, changes(t, second, all(tables, pos), locate(t, second, "now")), rows, false); err != nil {
				t.Fatal(err)
			}
			if len(rows["a"]) != 4 {
				t.Errorf("got %v, want 4 rows", rows["a"])
			}
			// The first server has never had the fourth row.
			late := locate(t, second, "now")
			if err := first.Owns(late); err == nil {
				t.Error("the old server owns the new one's position")
			}
			_, err = first.Changes(t.Context(), all(tables, late), "")
			if err == nil || !strings.Contains(err.Error(), "reset") {
				t.Errorf("from the new server's position the old one gives %v", err)
			}
		})
	}
}

// replicated makes b a replica of a, and returns what writes to a. MariaDB's
// replicas log nothing unless they are started so: there the statements are
// repeated under the same GTIDs.
func (s *testServer) replicated(t *testing.T, b *testServer) (write func(sql ...string)) {
	if s.maria {
		by := b.another(t)
		b.must(t, "SET GLOBAL server_id=77", "SET SESSION server_id=77")
		return func(sql ...string) {
			for _, q := range sql {
				s.must(t, q)
				f := strings.Split(mustOne(t, s, "SELECT @@last_gtid"), "-")
				by.must(t, "SET SESSION gtid_domain_id="+f[0], "SET SESSION server_id="+f[1], "SET SESSION gtid_seq_no="+f[2], q)
			}
		}
	}
	cfg, err := parseURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(cfg.addr)
	b.must(t, "SET GLOBAL server_id=77",
		fmt.Sprintf("CHANGE REPLICATION SOURCE TO source_host='%s', source_port=%s, source_user='root', source_auto_position=1, get_source_public_key=1", host, port), "START REPLICA")
	return func(sql ...string) { s.must(t, sql...) }
}

func mustOne(t *testing.T, s *testServer, q string) string {
	t.Helper()
	v, err := s.queryOne(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestLogOfReplica refuses a replica that does not log what it replicates.
func TestLogOfReplica(t *testing.T) {
	s := private(t, "mariadb")
	s.must(t, "CREATE TABLE a (id INT PRIMARY KEY)")
	st := s.open(t, Options{})
	if _, err := st.logState(t.Context()); err != nil {
		t.Errorf("on its own: %v", err)
	}
	s.must(t, "CHANGE MASTER TO master_host='127.0.0.1', master_port=1, master_user='nobody'")
	_, err := st.logState(t.Context())
	wantError(t, err, "does not log what it replicates", "log-slave-updates")
	s.user(t, "th_blind", "SELECT")
	s.must(t, "GRANT BINLOG MONITOR ON *.* TO th_blind") // and not REPLICA MONITOR
	blind, err := Open(t.Context(), s.as(t, "th_blind", "hush-hush", ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	if _, err := blind.logState(t.Context()); err != nil {
		t.Errorf("as a user who may not see whether it is a replica: %v", err)
	}
}
