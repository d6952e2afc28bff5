package main

import (
	"bytes"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A grantCase is a command, what it needs, and what it says of each grant that is
// missing. docs/source-mysql.md lists the same.
type grantCase struct {
	name    string
	args    []string // %s is the source
	grants  []string // "SELECT ON db.*"; db is the test's own
	missing []string // what is said without the one
	warns   bool     // it goes on without those but the first, over one connection, and says so
}

func grantCases(server string) []grantCase {
	const rights, locks = "SELECT ON db.*", "LOCK TABLES ON db.*"
	replica := []string{"REPLICATION SLAVE", "REPLICATION CLIENT"}
	if server == "mariadb" {
		replica = []string{"REPLICATION SLAVE", "BINLOG MONITOR", "REPLICATION MASTER ADMIN"}
	}
	var log []string
	for _, g := range replica {
		log = append(log, g+" ON *.*")
	}
	cases := []grantCase{
		{"snapshot", []string{"snapshot", "%s", "iceberg:lake", "--parallel", "1"}, []string{rights}, []string{"SELECT"}, false},
		{"snapshot over several connections", []string{"snapshot", "%s", "iceberg:lake", "--parallel", "4"}, []string{rights, locks}, []string{"SELECT", "GRANT LOCK TABLES"}, true},
		{"tail", []string{"tail", "%s", "iceberg:lake", "--until", "now"}, append([]string{rights}, log...), append([]string{"SELECT"}, replica...), false},
		{"status", []string{"status", "iceberg:lake", "%s"}, log[1:2], replica[1:2], false},
	}
	if server == "mariadb" {
		monitors := []string{rights, "REPLICA MONITOR ON *.*", "BINLOG MONITOR ON *.*"}
		cases = append(cases, grantCase{"snapshot without a lock", cases[1].args, monitors, []string{"SELECT", "GRANT LOCK TABLES", "GRANT LOCK TABLES"}, true})
	} else {
		cases = append(cases, grantCase{"snapshot with the log", cases[1].args, append([]string{rights}, log...), []string{"SELECT", "GRANT LOCK TABLES", "GRANT LOCK TABLES"}, true})
	}
	return cases
}

// TestGrants runs each command with the least grants that the documentation names, and
// with one less.
func TestGrants(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"mysql", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			env := "TABLEHAUL_TEST_" + strings.ToUpper(server)
			u, err := url.Parse(services.Env(t, env))
			if err != nil {
				t.Fatal(err)
			}
			sql := func(statements ...string) {
				t.Helper()
				cmd := exec.Command(services.Env(t, env+"_CLIENT"), "-h", u.Hostname(), "-P", u.Port(), "-uroot", "-NBe", strings.Join(statements, ";"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			sql("DROP DATABASE IF EXISTS script_grants", "CREATE DATABASE script_grants", "CREATE TABLE script_grants.t (id INT PRIMARY KEY)", "INSERT INTO script_grants.t VALUES (1), (2)")
			user := func(grants []string) {
				statements := []string{"DROP USER IF EXISTS script_grants", "CREATE USER script_grants IDENTIFIED BY 'hush-hush'"}
				for _, g := range grants {
					statements = append(statements, "GRANT "+strings.ReplaceAll(g, "db.*", "script_grants.*")+" TO script_grants")
				}
				sql(statements...)
			}
			defer sql("DROP USER IF EXISTS script_grants", "DROP DATABASE script_grants")
			source := "mysql://script_grants@" + u.Host + "/script_grants"
			run := func(c grantCase, dir string) (code int, text string) {
				args := slices.Clone(c.args)
				args[slices.Index(args, "%s")] = source
				cmd := exec.Command("tablehaul", args...)
				cmd.Dir, cmd.Env = dir, append(cmd.Environ(), "TABLEHAUL_PASSWORD=hush-hush", "HOME="+dir)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				_ = cmd.Run()
				return cmd.ProcessState.ExitCode(), out.String()
			}
			lake := t.TempDir() // for status
			user([]string{"SELECT ON db.*"})
			if code, text := run(grantCases(server)[0], lake); code != 0 {
				t.Fatal(text)
			}
			for _, c := range grantCases(server) {
				t.Run(c.name, func(t *testing.T) {
					dir := func() string {
						if c.name == "status" {
							return lake
						}
						return t.TempDir()
					}
					user(c.grants)
					if code, text := run(c, dir()); code != 0 || strings.Contains(text, "warning") {
						t.Errorf("with %q: exit code %d\n%s", c.grants, code, text)
					}
					for i, g := range c.grants {
						user(slices.Delete(slices.Clone(c.grants), i, i+1))
						code, text := run(c, dir())
						goesOn := c.warns && i > 0
						if (code == 0) != goesOn || !strings.Contains(text, c.missing[i]) {
							t.Errorf("without %s: exit code %d, want %q in\n%s", g, code, c.missing[i], text)
						}
					}
				})
			}
		})
	}
}
