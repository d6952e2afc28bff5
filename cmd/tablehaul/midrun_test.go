package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A midrun is a database of a test's own, a lake, and a run between them that is halted
// in its midst: of table a, the victim, all parts but one are kept, of table b some.
type midrun struct {
	t                *testing.T
	url, db          string
	client, lake     string
	host, port       string
	halt             string // folder
	alone            bool   // what halts goes on by signs of its own
	cmd              *exec.Cmd
	stdout, messages bytes.Buffer
}

// sql runs statements at the server.
func (m *midrun) sql(statements string) string {
	m.t.Helper()
	cmd := exec.Command(m.client, "-h", m.host, "-P", m.port, "-uroot", "-NB", "-e", strings.ReplaceAll(statements, "DB.", m.db+"."))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		m.t.Fatalf("%s: %v: %s", statements, err, &errs)
	}
	return strings.TrimSpace(out.String())
}

// newMidrun makes a database of three tables, which lasts as long as the test whole.
func newMidrun(t, whole *testing.T, url, lake string) *midrun {
	t.Helper()
	_, addr, _ := strings.Cut(url, "@")
	host, port, _ := strings.Cut(addr, ":")
	m := &midrun{
		t: t, url: url, lake: lake, host: host, port: port,
		db: fmt.Sprintf("midrun_%d", time.Now().UnixNano()), client: services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"),
	}
	m.sql("CREATE DATABASE " + m.db + "; SET SESSION cte_max_recursion_depth = 100000;" +
		"CREATE TABLE DB.a (id INT PRIMARY KEY, d DATE, n INT, pad CHAR(100));" +
		"INSERT INTO DB.a WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 6000) SELECT n, '2026-01-01', n, SHA2(n, 256) FROM s;" +
		"CREATE TABLE DB.b (id INT PRIMARY KEY, n INT, pad CHAR(64)); INSERT INTO DB.b SELECT id, n, SHA2(n, 256) FROM DB.a;" +
		"CREATE TABLE DB.c (id INT PRIMARY KEY); INSERT INTO DB.c VALUES (1), (2); ANALYZE TABLE DB.a, DB.b")
	whole.Cleanup(func() { m.t = whole; m.sql("DROP DATABASE " + m.db) })
	return m
}

// args are the command line of a run of that user.
func (m *midrun) args(user string, flags ...string) []string {
	source := strings.Replace(m.url, "root@", user+"@", 1) + "/" + m.db
	return append([]string{"snapshot", source, m.lake, "--parallel", "2", "--split-rows", "1000", "--checkpoint-interval", "1ns"}, flags...)
}

// again runs the same line once more, which must end well, and returns what it said.
func (m *midrun) again(env []string, user string, flags ...string) string {
	m.t.Helper()
	code, out := execute(m.t, env, m.args(user, flags...)...)
	if code != 0 {
		m.t.Errorf("again: exit code %d: %s", code, out)
	}
	return out
}

// start begins a run that halts as spec says, and waits until it has.
func (m *midrun) start(spec string, env []string, user string, flags ...string) {
	m.t.Helper()
	m.halt = m.t.TempDir()
	m.stdout.Reset()
	m.messages.Reset()
	m.cmd = exec.CommandContext(m.t.Context(), "tablehaul", m.args(user, flags...)...)
	m.cmd.Env = append(append(os.Environ(), "NO_COLOR=1", haltVar+"="+m.halt+" "+spec), env...)
	m.cmd.Stdout, m.cmd.Stderr = &m.stdout, &m.messages
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	words := strings.Fields(spec)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		there := 0
		for i := 1; i < len(words); i += 2 {
			table, _, _ := strings.Cut(words[i], ":")
			if _, err := os.Stat(filepath.Join(m.halt, table)); err == nil {
				there++
			}
		}
		if there == len(words)/2 {
			return
		}
		if time.Now().After(deadline) {
			m.goOn()
			_ = m.cmd.Wait()
			m.t.Fatalf("%s is not reached: %s%s", spec, &m.stdout, &m.messages)
		}
	}
}

func (m *midrun) goOn() {
	m.t.Helper()
	m.sign("go")
}

func (m *midrun) sign(name string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.halt, name), nil, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// ended has the run go on, which must end with the code and say, in one message, all of
// the texts.
func (m *midrun) ended(code int, texts ...string) {
	m.t.Helper()
	if !m.alone {
		m.goOn()
	}
	err := m.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	said := m.messages.String()
	if got := m.cmd.ProcessState.ExitCode(); got != code {
		m.t.Errorf("exit code %d, want %d: %s%s", got, code, &m.stdout, said)
	}
	for _, want := range texts {
		if want = strings.ReplaceAll(want, "DB.", m.db+"."); !strings.Contains(said+m.stdout.String(), want) {
			m.t.Errorf("%q is not in: %s%s", want, &m.stdout, said)
		}
	}
	if n := strings.Count(said, "tablehaul: "); code != 0 && n != 1 {
		m.t.Errorf("%d messages, want one: %s", n, said)
	}
}

// visible checks which of the tables can be seen in the lake.
func (m *midrun) visible(lake string, tables string) {
	m.t.Helper()
	got := ""
	for _, table := range []string{"a", "b", "c"} {
		if found, _ := filepath.Glob(filepath.Join(lake, m.db, table, "metadata", "snap-*")); len(found) > 0 {
			got += table
		}
	}
	if got != tables {
		m.t.Errorf("tables %q can be seen, want %q", got, tables)
	}
}

// wantEqual compares databases and lake by readers that are not ours, and wants no file
// there that no table names.
func wantEqual(t *testing.T, url, lake string, dbs []string) {
	t.Helper()
	compared(t, url, dbs, "--lake", lake)
	out, err := exec.Command(services.Env(t, "TABLEHAUL_TEST_PYTHON"), "-c", unnamedFiles, lake).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("no table names (%v): %s", err, out)
	}
}

// compared compares databases and a lake or catalog.
func compared(t *testing.T, url string, dbs []string, lake ...string) {
	t.Helper()
	args := append([]string{filepath.Join(mustRoot(t), "testdata", "compare", "compare.py"), "--source", url, "--databases", strings.Join(dbs, ",")}, lake...)
	if out, err := exec.Command(services.Env(t, "TABLEHAUL_TEST_PYTHON"), args...).CombinedOutput(); err != nil {
		t.Errorf("source and lake: %v: %s", err, out)
	}
}

// unnamedFiles prints the files of a lake that none of its tables names.
const unnamedFiles = `
import os, sys
from urllib.parse import unquote, urlparse
from pyiceberg.catalog import load_catalog
lake = os.path.abspath(sys.argv[1])
c = load_catalog("default", type="sql", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}")
named = {lake + "/catalog.db"}
def name(location):
    named.add(unquote(urlparse(location).path))
for ns in c.list_namespaces():
    for ident in c.list_tables(ns):
        t = c.load_table(ident)
        home = unquote(urlparse(t.location()).path)
        named |= {home + "/metadata/version-hint.text"} | {f"{home}/metadata/v{n}.metadata.json" for n in range(9)}
        name(t.metadata_location)
        for e in t.metadata.metadata_log:
            name(e.metadata_file)
        for s in t.metadata.snapshots:
            name(s.manifest_list)
            for m in s.manifests(t.io):
                name(m.manifest_path)
                for e in m.fetch_manifest_entry(t.io, discard_deleted=False):
                    name(e.data_file.file_path)
for folder, _, files in os.walk(lake):
    for f in files:
        if folder + "/" + f not in named and not f.startswith("catalog.db-"):
            print(folder + "/" + f)
`

// inTheMidst halts both readers: one before a part of a, whose others are kept by then or
// wait to be, one before a part of b.
const inTheMidst = "open a:3 open b:3"

// TestBadInputInMidRun has each bad input that concerns one table arrive in the midst of
// a run: the other tables are whole, the table is not to be seen, and once the input is
// mended the same command makes it whole.
func TestBadInputInMidRun(whole *testing.T) {
	url := services.Env(whole, "TABLEHAUL_TEST_MYSQL")
	lake := filepath.Join(whole.TempDir(), "lake")
	var dbs []string
	for _, c := range []struct {
		name         string
		before, then string // SQL
		flags        []string
		wants        []string
		mend         string
	}{
		{
			name: "dropped", before: "CREATE TABLE DB.copy LIKE DB.a", then: "DROP TABLE DB.a",
			wants: []string{"incomplete: 3 of 4 tables are whole: DB.a: ", "doesn't exist", "hint: the table was dropped or renamed while the run was under way"},
			mend:  "CREATE TABLE DB.a LIKE DB.copy; INSERT INTO DB.a VALUES (7, NULL, 7, 'seven')",
		},
		{
			name: "renamed", then: "RENAME TABLE DB.a TO DB.z",
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: ", "hint: the table was dropped or renamed while the run was under way"},
			mend:  "RENAME TABLE DB.z TO DB.a",
		},
		{
			name: "swapped for another", before: "DO SLEEP(1.1); CREATE TABLE DB.next LIKE DB.a", then: "INSERT INTO DB.next SELECT * FROM DB.a WHERE id < 4000; RENAME TABLE DB.a TO DB.old, DB.next TO DB.a",
			flags: []string{"--tables", "a,b,c"},
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: ", "another table has got its name", "hint: run the command again"},
			mend:  "DROP TABLE DB.old",
		},
		{
			name: "truncated", then: "TRUNCATE TABLE DB.a; INSERT INTO DB.a VALUES (1, NULL, 1, '')",
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: ", "hint: the table was altered or truncated while the run was under way; run the command again"},
		},
		{
			name: "altered", then: "ALTER TABLE DB.a ADD COLUMN more INT DEFAULT 5 FIRST, MODIFY n BIGINT",
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: ", "while the run was under way", "run the command again"},
		},
		{
			name: "a date of no calendar", before: "SET SESSION sql_mode=''; UPDATE DB.a SET d = '2021-00-10' WHERE id = 5432", flags: []string{"--zero-date", "fail"},
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: column d (date): no calendar holds the date 2021-00-10", "id = 5432", "hint: --zero-date"},
			mend:  "UPDATE DB.a SET d = NULL WHERE id = 5432",
		},
		{
			name: "grant revoked", then: "REVOKE SELECT ON DB.a FROM midrun",
			wants: []string{"incomplete: 2 of 3 tables are whole: DB.a: ", "denied", "hint: grant SELECT on it to the user"},
			mend:  "GRANT SELECT ON DB.a TO midrun",
		},
	} {
		whole.Run(c.name, func(t *testing.T) {
			m := newMidrun(t, whole, url, "iceberg:"+lake)
			dbs = append(dbs, m.db)
			if c.before != "" {
				m.sql(c.before)
			}
			m.sql("DROP USER IF EXISTS midrun; CREATE USER midrun; GRANT LOCK TABLES ON DB.* TO midrun; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO midrun")
			for _, table := range strings.Fields(m.sql("SHOW TABLES FROM " + m.db)) {
				m.sql("GRANT SELECT ON DB." + table + " TO midrun")
			}
			m.start(inTheMidst, nil, "midrun", c.flags...)
			m.sql(c.then + ";")
			m.ended(3, c.wants...)
			m.visible(lake, "bc")
			if c.mend != "" {
				m.sql(c.mend)
			}
			m.again(nil, "root", c.flags...)
			m.visible(lake, "abc")
		})
	}
	wantEqual(whole, url, lake, dbs)
}
