package mysql

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// both is a check of everything.
var both = finding.Purpose{Snapshot: true, Tail: true, Parallel: 4}

// check looks at the server's database as some user.
func (s *testServer) check(t *testing.T, user string, opts Options, p finding.Purpose, more int) []finding.Finding {
	t.Helper()
	url := s.url
	if user != "" {
		url = strings.Replace(url, "root@", user+"@", 1)
	}
	st, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tables, err := st.Tables(t.Context(), reader.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	for range more {
		tables = append(tables, tables[0])
	}
	found, err := st.Check(t.Context(), tables, p)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// find returns the finding of that name, or nil.
func find(found []finding.Finding, check string) *finding.Finding {
	if i := slices.IndexFunc(found, func(f finding.Finding) bool { return f.Check == check }); i >= 0 {
		return &found[i]
	}
	return nil
}

// A checkCase provokes a finding. What stands before ? in its name is its number
// where there are several of one finding.
type checkCase struct {
	check   string
	provoke []string
	level   finding.Level
	thing   string // part of it
	user    string
	opts    Options
	more    int  // tables are listed so many times more
	words   bool // the remedy is no SQL
	p       finding.Purpose
}

const reader1 = "CREATE USER 'check''1'@'%'"

func checkCases(maria bool) []checkCase {
	cases := []checkCase{
		{check: "binlog-format", provoke: []string{"SET GLOBAL binlog_format=STATEMENT"}, level: finding.Error, thing: "binlog_format is STATEMENT"},
		{check: "binlog-format", provoke: []string{"SET GLOBAL binlog_format=MIXED"}, level: finding.Error, thing: "binlog_format is MIXED"},
		{check: "binlog-row-image", provoke: []string{"SET GLOBAL binlog_row_image=MINIMAL"}, level: finding.Error, thing: "binlog_row_image is MINIMAL"},
		{check: "binlog-row-metadata", provoke: []string{"SET GLOBAL binlog_row_metadata=MINIMAL"}, level: finding.Note, thing: "MINIMAL"},
		{check: "log-durability", provoke: []string{"SET GLOBAL sync_binlog=0"}, level: finding.Note, thing: "sync_binlog"},
		{check: "log-expiry", provoke: []string{"SET GLOBAL binlog_expire_logs_seconds=600"}, level: finding.Warning, thing: "kept for 10m0s"},
		{check: "zero-dates", provoke: []string{"SET GLOBAL sql_mode=''"}, level: finding.Note, thing: "0000-00-00"},
		{check: "max-allowed-packet", provoke: []string{"SET GLOBAL max_allowed_packet=1048576"}, level: finding.Warning, thing: "1 MiB"},
		{check: "connections", provoke: []string{"SET GLOBAL max_connections=20"}, level: finding.Warning, thing: "a run opens 23 connections, and 18 are free", p: finding.Purpose{Snapshot: true, Parallel: 20}},
		{check: "engine", provoke: []string{"CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM"}, level: finding.Warning, thing: "no snapshots"},
		{check: "no-key", provoke: []string{"CREATE TABLE k (v INT)"}, level: finding.Note, thing: "no primary key"},
		{check: "time-zone", provoke: []string{"SET GLOBAL time_zone='+02:00'"}, level: finding.Note, thing: "+02:00", words: true},
		{check: "views", provoke: []string{"CREATE VIEW v AS SELECT * FROM a"}, level: finding.Note, thing: "1 views", words: true},
		{check: "types", provoke: []string{"CREATE TABLE d (id BIGINT UNSIGNED PRIMARY KEY, d DECIMAL(65,3))"}, level: finding.Note, thing: "more than 38", words: true},
		{check: "server-id", provoke: nil, level: finding.Error, thing: "taken by the server itself", opts: Options{ServerID: 1}, words: true},
		{check: "grant-select", user: "check'1", provoke: []string{reader1, "GRANT SELECT (id) ON %DB%.a TO 'check''1'", "GRANT SELECT ON %DB%.b TO 'check''1'"}, level: finding.Error, thing: "may not read"},
		{check: "grant-lock", user: "check'1", provoke: []string{reader1, "GRANT SELECT ON %DB%.* TO 'check''1'"}, level: finding.Warning, thing: "neither LOCK TABLES nor RELOAD"},
		{check: "grant-reload", user: "check'1", provoke: []string{reader1, "GRANT SELECT, LOCK TABLES ON %DB%.* TO 'check''1'"}, level: finding.Warning, thing: "locked one by one", more: lockedTables},
		{check: "grant-log", user: "check'1", provoke: []string{reader1, "GRANT SELECT ON %DB%.* TO 'check''1'"}, level: finding.Error, thing: "may not read the log"},
		{check: "grant-process", user: "check'1", provoke: []string{reader1, "GRANT SELECT ON %DB%.* TO 'check''1'"}, level: finding.Note, thing: "cannot be seen"},
		{check: "clock", user: "check'1", provoke: []string{reader1, "GRANT SELECT ON %DB%.* TO 'check''1'", "SET GLOBAL init_connect='SET timestamp=1700000000'"}, level: finding.Warning, thing: "clock", words: true},
	}
	if maria {
		return append(cases, checkCase{
			check: "fk-cascade", words: true, level: finding.Warning, thing: "CASCADE",
			provoke: []string{"CREATE TABLE f (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)"},
		})
	}
	return append(cases,
		checkCase{check: "partial-json", provoke: []string{"SET GLOBAL binlog_row_value_options=PARTIAL_JSON"}, level: finding.Error, thing: "PARTIAL_JSON"},
		checkCase{check: "server-id", provoke: []string{"SET GLOBAL server_id=0"}, level: finding.Error, thing: "server_id is 0"},
		checkCase{
			check: "gtid-mode", level: finding.Note, thing: "gtid_mode is OFF",
			provoke: []string{"SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE", "SET GLOBAL gtid_mode=OFF", "SET GLOBAL enforce_gtid_consistency=OFF"},
		},
	)
}

// TestCheck provokes each finding on a server of its own, and follows its remedy.
func TestCheck(t *testing.T) {
	privatelyAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, d DATETIME, l LONGTEXT)", "CREATE TABLE b (id INT PRIMARY KEY)",
			"SET GLOBAL sync_binlog=1", "SET GLOBAL innodb_flush_log_at_trx_commit=1", "SET GLOBAL binlog_expire_logs_seconds=604800", "SET GLOBAL server_id=1")
		s.must(t, "SET GLOBAL time_zone='+00:00'", "SET GLOBAL sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'")
		for _, f := range s.check(t, "", Options{}, both, 0) {
			t.Errorf("on a good server: %s: %s", f.Check, f.Text())
		}
		for _, c := range checkCases(s.maria) {
			t.Run(c.check, func(t *testing.T) { s.provoke(t, c) })
		}
	})
}

// provoke runs a case, and leaves the server as good as it was.
func (s *testServer) provoke(t *testing.T, c checkCase) {
	p := c.p
	if p == (finding.Purpose{}) {
		p = both
	}
	// Statements of this connection must not become entries of a log that takes none.
	s.must(t, "SET SESSION sql_log_bin=0")
	for _, q := range c.provoke {
		s.must(t, strings.ReplaceAll(q, "%DB%", ident(s.db)))
	}
	defer func() {
		for _, q := range []string{
			"DROP VIEW IF EXISTS v", "DROP TABLE IF EXISTS d, f, k, m", "DROP USER IF EXISTS 'check''1'", "SET GLOBAL init_connect=''",
			"SET GLOBAL time_zone='+00:00'",
		} {
			s.must(t, q)
		}
	}()
	f := find(s.check(t, c.user, c.opts, p, c.more), c.check)
	if f == nil || f.Level != c.level || !strings.Contains(f.Thing, c.thing) || f.Why == "" || f.Remedy == "" {
		t.Fatalf("got %+v, want %s with %q", f, c.level, c.thing)
	}
	if quick := p; c.level > finding.Note {
		quick.Before = true
		q := find(s.check(t, c.user, c.opts, quick, c.more), c.check)
		if c.level == finding.Error && q == nil {
			t.Error("not told before a run")
		}
	}
	if c.words {
		return
	}
	for _, q := range strings.Split(f.Remedy, "; ") {
		s.must(t, q)
	}
	if f := find(s.check(t, c.user, c.opts, p, c.more), c.check); f != nil {
		t.Errorf("still there after %q: %s", f.Remedy, f.Text())
	}
}

// TestCheckBusy has a lock wait for others.
func TestCheckBusy(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
		holder, waiter := s.another(t), s.another(t)
		holder.must(t, "BEGIN", "UPDATE a SET v=2")
		waiter.must(t, "SET SESSION lock_wait_timeout=300")
		waits := make(chan error, 1)
		go func() {
			_, err := waiter.Execute("ALTER TABLE a ADD COLUMN w INT COMMENT '🚀'")
			waits <- err
		}()
		for _, check := range []string{"long-transaction", "waiting-ddl"} {
			var f *finding.Finding
			id := map[string]uint32{"long-transaction": holder.GetConnectionID(), "waiting-ddl": waiter.GetConnectionID()}[check]
			mine := func() bool {
				for _, g := range s.check(t, "", Options{}, both, 0) {
					if g.Check == check && g.Remedy == fmt.Sprintf("KILL %d", id) {
						f = &g
						return true
					}
				}
				return false
			}
			for end := time.Now().Add(3 * time.Minute); !mine() && time.Now().Before(end); {
				time.Sleep(500 * time.Millisecond)
			}
			if f == nil {
				t.Fatalf("%s is not found", check)
			}
			if check == "waiting-ddl" {
				s.must(t, f.Remedy)
				if err := <-waits; err == nil {
					t.Error("the waiting ALTER was not ended by the remedy")
				}
			}
		}
	})
}

// TestStatementsOfEmoji has a statement run whose text MySQL's own tables of threads
// and transactions cannot show: nobody else may fail for it.
func TestStatementsOfEmoji(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
		holder := s.another(t)
		holder.must(t, "BEGIN", "UPDATE a SET v=2")
		ended := make(chan error, 1)
		go func() {
			_, err := holder.Execute("SELECT '🚀', SLEEP(120)")
			ended <- err
		}()
		shown := func(p process) bool {
			return p.id == uint64(holder.GetConnectionID()) && strings.Contains(p.info, "🚀")
		}
		for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			all, err := s.processes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(all, shown); i >= 0 && s.isLong(all[i]) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the statement is not among %v", all)
			}
		}
		if err := s.atRest(t.Context()); !errors.Is(err, errNotPinned) {
			t.Errorf("beside a long query: got %v, want %v", err, errNotPinned)
		}
		s.check(t, "", Options{}, both, 0) // fails the test by itself
		s.must(t, fmt.Sprintf("KILL %d", holder.GetConnectionID()))
		<-ended
	})
}

// TestCheckConfigured has servers whose configuration stands in the way.
func TestCheckConfigured(t *testing.T) {
	for _, c := range []struct {
		service, set, check, thing string
		sql                        []string
		level                      finding.Level
	}{
		{service: "mysql", set: "skip_log_bin", check: "log-bin", thing: "keeps no binary log", level: finding.Error},
		{service: "mariadb", set: "skip_log_bin", check: "log-bin", thing: "keeps no binary log", level: finding.Error},
		{service: "mariadb", set: "binlog_ignore_db=testcheckconfigured_mariadb_log-filter", check: "log-filter", thing: "binlog-ignore-db", level: finding.Error},
		{service: "mysql", set: "binlog_do_db=other", check: "log-filter", thing: "binlog-do-db", level: finding.Error},
		{
			service: "mysql", set: "log_replica_updates=OFF", check: "replica-log", thing: "does not log what it replicates", level: finding.Error,
			sql: []string{"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='x'"},
		},
		{service: "mariadb", set: "version=10.4.30-MariaDB", check: "version", thing: "MariaDB 10.4.30", level: finding.Warning},
		{service: "mariadb", set: "version=10.11.99-MariaDB-maxscale", check: "proxy", thing: "maxscale", level: finding.Warning},
	} {
		t.Run(c.service+" "+c.check, func(t *testing.T) {
			t.Parallel()
			config := filepath.Join(t.TempDir(), "extra.cnf")
			if err := os.WriteFile(config, []byte("[mysqld]\n"+c.set+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			addr, _ := services.Private(t, c.service, "--config", config)
			s := newTestServer(t, "mysql://root@"+addr)
			s.must(t, "CREATE TABLE a (id INT PRIMARY KEY)")
			s.must(t, c.sql...)
			f := find(s.check(t, "", Options{}, both, 0), c.check)
			if f == nil || f.Level != c.level || !strings.Contains(f.Thing, c.thing) || f.Remedy == "" {
				t.Errorf("got %+v, want %s with %q", f, c.level, c.thing)
			}
			st := s.open(t, Options{})
			tables := s.tables(t, st)
			why, err := st.Unlogged(t.Context(), tables)
			if err != nil || (why[tables[0]] != nil) != (c.check == "log-filter") {
				t.Errorf("got %v (%v), want whether the log is filtered", why, err)
			}
		})
	}
}

func TestJudgeVersion(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		version string
		maria   bool
		want    string
	}{
		{"9.7.4", false, ""},
		{"8.4.7", false, "note"},
		{"8.0.36-28", false, "warning"},
		{"5.7.44-log", false, "warning"},
		{"5.6.51", false, "error"},
		{"9.9.0", false, "note"},
		{"nonsense", false, "error"},
		{"10.11.14-MariaDB-0+deb12u2", true, ""},
		{"5.5.5-10.5.29-MariaDB", true, "warning"},
		{"10.1.48-MariaDB", true, "error"},
		{"11.4.2-MariaDB", true, "note"},
	} {
		tested := map[bool]string{false: testedMySQL, true: testedMariaDB}[c.maria]
		got := ""
		for _, f := range judgeVersion("server", c.version, c.maria, tested, now) {
			got = f.Level.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.version, got, c.want)
		}
	}
}

func TestGrants(t *testing.T) {
	g := parseGrants([]string{
		"GRANT USAGE ON *.* TO `u`@`%`",
		"GRANT SELECT, LOCK TABLES ON `sho\\_p`.* TO `u`@`%`",
		"GRANT SELECT (`a`), INSERT ON `x`.`t` TO `u`@`%`",
		"GRANT SELECT ON `x`.`od``d.t` TO `u`@`%`",
		"GRANT ALL PRIVILEGES ON `all%`.* TO `u`@`%`",
		"GRANT `role`@`%` TO `u`@`%`",
		"GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION",
	})
	for _, c := range []struct {
		db, table string
		want      bool
	}{{"sho_p", "a", true}, {"shoxp", "a", false}, {"x", "t", false}, {"x", "od`d.t", true}, {"allowed", "z", true}, {"y", "t", false}} {
		if got := g.has("SELECT", &schema.Table{DB: c.db, Name: c.table}); got != c.want {
			t.Errorf("SELECT on %s.%s: got %v, want %v", c.db, c.table, got, c.want)
		}
	}
}

// TestWaysFor has many tables locked all at once.
func TestWaysFor(t *testing.T) {
	for n, want := range map[int]string{1: lockTables.name, lockedTables: lockTables.name, lockedTables + 1: globalLock.name, 5000: globalLock.name} {
		got := waysFor(allWays, n)
		if got[0].name != want || len(got) != len(allWays) || allWays[0].name != lockTables.name {
			t.Errorf("%d tables: got %s first, want %s", n, got[0].name, want)
		}
	}
}
