package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestAlteredAtRandom has a table altered and its rows changed at random, between runs of tail of
// which some are killed: what DuckDB reads is what the source has, in the columns that it has.
func TestAlteredAtRandom(t *testing.T) {
	url := services.Env(t, "TABLEHAUL_TEST_MYSQL")
	for _, sink := range []string{"iceberg", "file"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(sink, " ", seed), func(t *testing.T) {
				a := newAltered(t, url, seed)
				args := []string{"tail", url + "/" + a.db, sink + ":" + a.dir, "--until", "now", "--commit-interval", "20ms"}
				if sink == "file" {
					args = append(args, "--latest")
				}
				for range 2 + a.rnd.IntN(4) {
					for range 1 + a.rnd.IntN(12) {
						a.step()
					}
					switch a.rnd.IntN(3) {
					case 0:
						a.killed(args)
					case 1:
						a.tail(args)
					}
				}
				a.tail(args)
				a.equal()
			})
		}
	}
}

// An altered table, and what is known of it.
type altered struct {
	*midrun
	rnd     *rand.Rand
	dir     string
	columns []alteredColumn
	made    int // columns, ever
	done    []string
}

type alteredColumn struct{ name, typ string }

// widerTypes are those that hold the values of another one.
var widerTypes = map[string]string{
	"int": "bigint", "smallint": "int", "varchar(10)": "varchar(40)", "varchar(40)": "text", "decimal(8,2)": "decimal(12,2)", "enum('a','b')": "enum('a','b','c')",
}

func newAltered(t *testing.T, url string, seed uint64) *altered {
	t.Helper()
	_, addr, _ := strings.Cut(url, "@")
	host, port, _ := strings.Cut(addr, ":")
	a := &altered{
		midrun: &midrun{t: t, url: url, host: host, port: port, db: fmt.Sprintf("altered_%d", time.Now().UnixNano()), client: services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT")},
		rnd:    rand.New(rand.NewPCG(seed, 9)), //nolint:gosec // to be had again
		dir:    filepath.Join(t.TempDir(), "sink"), columns: []alteredColumn{{"c0", "varchar(10)"}, {"c1", "int"}}, made: 2,
	}
	a.sql("CREATE DATABASE " + a.db + "; CREATE TABLE DB.t (id INT PRIMARY KEY, c0 VARCHAR(10), c1 INT)")
	t.Cleanup(func() {
		a.sql("DROP DATABASE " + a.db)
		if t.Failed() {
			t.Log(strings.Join(a.done, "\n"))
		}
	})
	return a
}

// step changes rows, more often than not, or the table.
func (a *altered) step() {
	n := len(a.columns)
	statement := fmt.Sprintf("DELETE FROM DB.t WHERE id = %d", a.rnd.IntN(60))
	switch x := a.rnd.IntN(100); {
	case x < 30:
		names, values := "id", strconv.Itoa(a.rnd.IntN(60))
		for _, c := range a.columns {
			names, values = names+","+c.name, values+","+a.value(c.typ)
		}
		statement = fmt.Sprintf("REPLACE INTO DB.t (%s) VALUES (%s)", names, values)
	case x < 45 && n > 0:
		c := a.columns[a.rnd.IntN(n)]
		statement = fmt.Sprintf("UPDATE DB.t SET %s = %s WHERE id %% 3 = %d", c.name, a.value(c.typ), a.rnd.IntN(3))
	case x < 55:
		statement = fmt.Sprintf("UPDATE IGNORE DB.t SET id = id + 60 WHERE id = %d", a.rnd.IntN(60))
	case x < 60:
	case x < 63:
		statement = "TRUNCATE TABLE DB.t"
	case x < 78:
		c := alteredColumn{fmt.Sprintf("c%d", a.made), []string{"int", "smallint", "bigint", "varchar(10)", "text", "decimal(8,2)", "enum('a','b')"}[a.rnd.IntN(7)]}
		a.made++
		a.columns = append(a.columns, c)
		statement = fmt.Sprintf("ALTER TABLE DB.t ADD COLUMN %s %s %s", c.name, c.typ, a.place())
	case x < 88 && n > 0:
		c := &a.columns[a.rnd.IntN(n)]
		if wider, ok := widerTypes[c.typ]; ok {
			c.typ = wider
		}
		statement = fmt.Sprintf("ALTER TABLE DB.t MODIFY %s %s %s", c.name, c.typ, a.place())
	case x < 96 && n > 0:
		i := a.rnd.IntN(n)
		statement = "ALTER TABLE DB.t DROP " + a.columns[i].name
		a.columns = slices.Delete(a.columns, i, i+1)
	default:
		statement = "ALTER TABLE DB.t ADD INDEX (id)"
	}
	a.done = append(a.done, statement)
	a.sql(statement)
}

func (a *altered) place() string { return []string{"", "FIRST", "AFTER id"}[a.rnd.IntN(3)] }

func (a *altered) value(typ string) string {
	switch {
	case a.rnd.IntN(5) == 0:
		return "NULL"
	case typ == "smallint":
		return strconv.Itoa(a.rnd.IntN(1 << 15))
	case typ == "int":
		return strconv.Itoa(-a.rnd.IntN(1 << 31))
	case typ == "bigint":
		return strconv.FormatInt(-a.rnd.Int64(), 10)
	case strings.HasPrefix(typ, "decimal"):
		return fmt.Sprintf("%d.%02d", a.rnd.IntN(900000), a.rnd.IntN(100))
	case strings.HasPrefix(typ, "enum"):
		return "'" + string(rune('a'+a.rnd.IntN(strings.Count(typ, ",")+1))) + "'"
	case typ == "varchar(10)":
		return "'" + strings.Repeat("v", 1+a.rnd.IntN(9)) + "'"
	}
	return "'" + strings.Repeat("w", 1+a.rnd.IntN(39)) + "'"
}

func (a *altered) tail(args []string) {
	a.t.Helper()
	if code, out := execute(a.t, nil, args...); code != 0 {
		a.t.Fatalf("exit code %d: %s", code, out)
	}
}

// killed ends a run at some moment.
func (a *altered) killed(args []string) {
	cmd := exec.Command("tablehaul", args...)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	time.Sleep(time.Duration(50+a.rnd.IntN(400)) * time.Millisecond)
	_ = cmd.Process.Kill() // or it has ended by itself
	_ = cmd.Wait()
}

// equal compares what DuckDB reads with the source.
func (a *altered) equal() {
	a.t.Helper()
	names, texts := []string{"id"}, []string{"id"}
	for _, c := range a.columns {
		names, texts = append(names, c.name), append(texts, "COALESCE("+c.name+", 'None')")
	}
	want := strings.Split(a.sql("SELECT CONCAT_WS(' ', "+strings.Join(texts, ", ")+") FROM DB.t"), "\n")
	reader, err := filepath.Abs("../../pkg/writer/files/testdata")
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command(services.Env(a.t, "TABLEHAUL_TEST_PYTHON"), "-c", readRows, filepath.Join(a.dir, a.db, "t"), strings.Join(names, ", "), reader)
	cmd.Env = os.Environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		a.t.Fatalf("read the sink: %v: %s", err, &errs)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		a.t.Errorf("the sink has\n%s\nthe source\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
