package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// Names and texts that end a statement, leave a folder or mean something to a parser.
var (
	hostileDatabases = []string{
		"..", "../../hostile", ".hidden", `it's "db"; DROP DATABASE hostile_canary; -- x`, "a\nb\tc", "žluť 日本", `a\..\b`,
	}
	hostileTables = []string{
		"..", "../up", "/abs", "%2e%2e", "'; DROP TABLE hostile_canary.t; -- x", "`; DROP TABLE hostile_canary.t; -- x", `" ; DROP "`, "line\nbreak", `back\slash`, "%s%n%d", "* ?", "metadata", "$(touch pwned)", "x`touch pwned`",
	}
	hostileTexts = []string{
		"'", `"`, "`", `\`, `\'; DROP TABLE hostile_canary.t; -- `, "x'); DROP TABLE hostile_canary.t; -- ", "*/ DROP TABLE hostile_canary.t /*", "../../etc", "a\nb\rc\td", "%s%00", "日本 žluť", "\x01\x1b[31m", "", " ",
	}
)

func quotedName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func quotedText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

// hostileSQL makes a database whose names, labels, comments and values are all hostile,
// the values also in keys that tables are cut at.
func hostileSQL(db string) (make, change []string) {
	make = []string{"DROP DATABASE IF EXISTS " + quotedName(db), "CREATE DATABASE " + quotedName(db) + " CHARACTER SET utf8mb4"}
	var labels []string
	for i, text := range hostileTexts {
		if strings.TrimSpace(text) == text { // labels lose their last blanks
			labels = append(labels, quotedText(fmt.Sprint(i, text)))
		}
	}
	for _, table := range hostileTables {
		name := quotedName(db) + "." + quotedName(table)
		column := quotedName("c " + table)
		make = append(make, fmt.Sprintf("CREATE TABLE %s (%s VARCHAR(100) COLLATE utf8mb4_bin, n INT, %s ENUM(%s) COMMENT %s, PRIMARY KEY (%s, n)) COMMENT %s", name,
			quotedName("k'`\"\\ "+table), column, strings.Join(labels, ","), quotedText(strings.Join(hostileTexts, "")), quotedName("k'`\"\\ "+table), quotedText(table)))
		for i, text := range hostileTexts {
			make = append(make, fmt.Sprintf("INSERT INTO %s VALUES (%s, %d, %d)", name, quotedText(text), i, 1+i%len(labels)))
			if i%3 == 0 {
				change = append(change, fmt.Sprintf("UPDATE %s SET %s = %d WHERE n = %d", name, column, 1+(i+1)%len(labels), i), fmt.Sprintf("DELETE FROM %s WHERE n = %d", name, i+1))
			}
		}
		change = append(change, fmt.Sprintf("INSERT INTO %s VALUES (%s, 99, 1)", name, quotedText(table)))
	}
	return make, change
}

// TestHostileSource moves what is named and filled with hostile texts, copies it and follows
// it, into a folder and, from one of the servers, a catalog: DuckDB reads what the source has, nothing else has
// happened at the source, and no file lies outside of the lake.
func TestHostileSource(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"mysql", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			env := "TABLEHAUL_TEST_" + strings.ToUpper(server)
			base := services.Env(t, env)
			u, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			sql := func(statements ...string) string {
				t.Helper()
				cmd := exec.Command(services.Env(t, env+"_CLIENT"), "-h", u.Hostname(), "-P", u.Port(), "-uroot", "-NB")
				cmd.Stdin = strings.NewReader("SET sql_mode='';\n" + strings.Join(statements, ";\n") + ";\n")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				return string(out)
			}
			sql("CREATE DATABASE IF NOT EXISTS hostile_canary", "CREATE TABLE IF NOT EXISTS hostile_canary.t (id INT PRIMARY KEY)", "REPLACE INTO hostile_canary.t VALUES (7)")
			t.Cleanup(func() { sql("DROP DATABASE hostile_canary") })
			dir := filepath.Join(t.TempDir(), "1", "2", "3", "4") // room to climb in
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%q: %v\n%s", args, err, out)
				}
			}
			compare := filepath.Join(mustRoot(t), "testdata", "compare", "compare.py")
			for i, db := range hostileDatabases {
				make, change := hostileSQL(db)
				sql(make...)
				t.Cleanup(func() { sql("DROP DATABASE " + quotedName(db)) })
				source := base + "/" + url.PathEscape(db)
				sinks := map[string][]string{"iceberg:lake": {"--lake", "lake"}}
				if i < 3 && server == "mysql" { // one catalog, in which they would have the same tables
					rest := services.Env(t, "TABLEHAUL_TEST_ICEBERG_REST")
					sinks["iceberg+rest://"+strings.TrimPrefix(rest, "http://")] = []string{"--catalog-rest", rest}
				}
				for sink := range sinks {
					run("tablehaul", "snapshot", source, sink, "-q", "--mode", "replace") // a catalog keeps them
				}
				sql(change...)
				for sink, place := range sinks {
					run("tablehaul", "tail", source, sink, "--until", "now", "-q")
					run(append([]string{services.Env(t, "TABLEHAUL_TEST_PYTHON"), compare, "--source", base, "--databases", db}, place...)...)
				}
			}
			if got := strings.TrimSpace(sql("SELECT id FROM hostile_canary.t")); got != "7" {
				t.Errorf("the bystander holds %q", got)
			}
			for at := dir; filepath.Base(at) != "1"; at = filepath.Dir(at) {
				files, err := os.ReadDir(at)
				if err != nil {
					t.Fatal(err)
				}
				if len(files) != 1 {
					t.Errorf("in %s there is more than the lake: %v", at, files)
				}
			}
		})
	}
}

func mustRoot(t *testing.T) string {
	t.Helper()
	root, err := services.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}
