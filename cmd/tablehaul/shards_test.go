package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// shards is how many databases hold the parts of each table.
const shards = 8

// TestShards follows the tables of eight databases into one table for eight of them. While they are written to,
// three more are made, one of them of a table that no database had, and pt-online-schema-change alters one. The lake
// has all rows, and the run keeps to its memory. TABLEHAUL_TEST_SHARDS is how many tables there are.
func TestShards(t *testing.T) {
	t.Parallel()
	n := uint64(40)
	if text := os.Getenv("TABLEHAUL_TEST_SHARDS"); text != "" {
		n = number(t, text)
	}
	each := int(n) / shards //nolint:gosec // some thousands at most
	s := newShards(t, each)
	run := exec.Command("tablehaul", append(s.args, "--commit-interval", "500ms", "--compact-every", "1s")...)
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	end := s.write(each)
	s.until(func() bool { return s.copied() == each*shards }, &out)
	s.sql("CREATE TABLE DB_0.late (id BIGINT PRIMARY KEY, note VARCHAR(40), n INT); INSERT INTO DB_0.late VALUES (1, 'late', 1);" +
		"CREATE TABLE DB_3.late LIKE DB_0.late; INSERT INTO DB_3.late VALUES (1, 'later', 2);" +
		fmt.Sprintf("CREATE TABLE DB_8.t0 LIKE DB_0.t0; INSERT INTO DB_8.t0 VALUES (1, 'shard %d', 3)", shards))
	alter := exec.Command(services.Env(t, "TABLEHAUL_TEST_PT_OSC"), "--alter", "ADD COLUMN extra INT DEFAULT 5, MODIFY n BIGINT", "D="+s.db+"_1,t=t0,h="+s.host+",P="+s.port+",u=root",
		"--execute", "--no-version-check", "--recursion-method", "none", "--chunk-size", "5", "--chunk-time", "0", "--sleep", "0.1")
	if text, err := alter.CombinedOutput(); err != nil {
		t.Fatalf("pt-online-schema-change: %v: %s", err, text)
	}
	time.Sleep(time.Second)
	end()
	_ = run.Process.Signal(syscall.SIGTERM)
	if err := run.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	last := exec.Command("tablehaul", append(s.args, "--until", "now")...)
	if text, err := last.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s.equal(each)
	for _, cmd := range []*exec.Cmd{run, last} {
		used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		t.Logf("%d tables: at most %d MiB, CPU %s", n, used.Maxrss>>10, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if used.Maxrss>>10 > 600 {
			t.Errorf("the run took %d MiB", used.Maxrss>>10)
		}
	}
}

// A sharded are databases of the same tables, and the lake where these are merged.
type sharded struct {
	*midrun
	args []string
}

func newShards(t *testing.T, each int) *sharded {
	t.Helper()
	url := services.Env(t, "TABLEHAUL_TEST_MYSQL")
	_, addr, _ := strings.Cut(url, "@")
	host, port, _ := strings.Cut(addr, ":")
	s := &sharded{midrun: &midrun{t: t, url: url, host: host, port: port, db: fmt.Sprintf("shards_%d", time.Now().UnixNano()), client: services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"), lake: filepath.Join(t.TempDir(), "lake")}}
	s.args = []string{"tail", url, "iceberg:" + s.lake, "--tables", s.db + "_*.*", "--route", s.db + `_([0-9]+)\.(.+) -> lake.$2`, "--shard-columns", "--memory", "512MiB", "--quiet"}
	for i := range shards + 1 {
		s.sql(fmt.Sprintf("CREATE DATABASE DB_%d", i))
		for j := range each {
			if i == shards {
				break // it gets its table later
			}
			at := fmt.Sprintf("DB_%d.t%d", i, j)
			s.sql("CREATE TABLE " + at + " (id BIGINT PRIMARY KEY, note VARCHAR(40), n INT); " +
				"INSERT INTO " + at + " WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 20) SELECT n, CONCAT('row ', n), n FROM s")
		}
	}
	t.Cleanup(func() {
		for i := range shards + 1 {
			s.sql(fmt.Sprintf("DROP DATABASE DB_%d", i))
		}
	})
	return s
}

func (s *sharded) sql(statements string) string {
	s.t.Helper()
	return s.midrun.sql(strings.ReplaceAll(statements, "DB_", s.db+"_"))
}

// write changes rows here and there, with keys that are the same in all of the databases.
func (s *sharded) write(each int) (end func()) {
	return meanwhile(func(n int) {
		at := fmt.Sprintf("DB_%d.t%d", n%shards, n*7%each)
		s.sql(fmt.Sprintf("UPDATE %s SET note = 'changed %d' WHERE id %% 5 = %d; REPLACE INTO %s (id, note, n) VALUES (%d, 'new', %d); DELETE FROM %s WHERE id = %d", at, n, n%5, at, 100+n%50, n, at, 1+n%20))
	})
}

// until waits.
func (s *sharded) until(met func() bool, out *bytes.Buffer) {
	s.t.Helper()
	for range 600 {
		if met() {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	s.t.Fatalf("nothing comes: %s", out)
}

// copied is how many of the source's tables the lake has a position of.
func (s *sharded) copied() int {
	text, err := exec.Command("tablehaul", "status", "iceberg:"+s.lake).Output()
	if err != nil {
		return 0 // there is no lake yet
	}
	return strings.Count(string(text), s.db+"_")
}

func (s *sharded) lakeTables() []string {
	found, err := filepath.Glob(filepath.Join(s.lake, "lake", "*", "metadata", "*.metadata.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	for i, f := range found {
		found[i] = filepath.Base(filepath.Dir(filepath.Dir(f)))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// equal compares all tables of the lake with what the databases hold.
func (s *sharded) equal(each int) {
	s.t.Helper()
	var want []string
	for i := range shards + 1 {
		var parts []string
		for _, table := range strings.Fields(s.sql(fmt.Sprintf("SELECT table_name FROM information_schema.tables WHERE table_schema = 'DB_%d'", i))) {
			parts = append(parts, fmt.Sprintf("SELECT CONCAT_WS(' ', '%s', 'DB_%d', id, note, n) FROM DB_%d.%s", table, i, i, table))
		}
		want = append(want, strings.Split(s.sql(strings.Join(parts, " UNION ALL ")), "\n")...)
	}
	tables := s.lakeTables()
	if len(tables) != each+1 {
		s.t.Errorf("the lake has %d tables", len(tables))
	}
	cmd := exec.Command(services.Env(s.t, "TABLEHAUL_TEST_PYTHON"), append([]string{"-c", readShards, filepath.Join(s.lake, "lake")}, tables...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("read the lake: %v: %s", err, &errs)
	}
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if len(got) != len(want) {
		s.t.Errorf("the lake has %d rows, the databases have %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			s.t.Fatalf("row %d is %q, want %q", i, got[i], want[i])
		}
	}
}

const readShards = `
import duckdb, os, sys
c = duckdb.connect()
for x in ("avro", "iceberg"):
    c.execute("LOAD '%s/%s.duckdb_extension'" % (os.environ["TABLEHAUL_TEST_DUCKDB_EXTENSIONS"], x))
c.execute("SET unsafe_enable_version_guessing = true")
for t in sys.argv[2:]:
    for row in c.execute(f"SELECT _db, id, note, n FROM iceberg_scan('{sys.argv[1]}/{t}')").fetchall():
        print(t, *row)
`
