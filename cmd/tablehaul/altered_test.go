package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestAlteredAtRandom has tables made, altered, renamed, swapped, emptied and dropped and their rows
// changed at random, before, between and during runs of tail, of which some are killed: what the
// sink's readers see is what the source has, in the columns that it has. TABLEHAUL_TEST_ALTERED is
// how many such workloads each sink gets, or FIRST-LAST.
func TestAlteredAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 3, func(t *testing.T, sink string, seed uint64) {
		a := newSeeded(t, sink, seed, 9)
		a.workload(a.step)
		a.equal()
	})
}

// atRandom runs so many workloads for each sink, or those that TABLEHAUL_TEST_ALTERED tells.
func atRandom(t *testing.T, n uint64, run func(t *testing.T, sink string, seed uint64)) {
	t.Helper()
	first, last := uint64(0), n-1
	if text := os.Getenv("TABLEHAUL_TEST_ALTERED"); text != "" {
		from, to, ok := strings.Cut(text, "-")
		first, last = number(t, from), number(t, cmp.Or(to, from))
		if !ok {
			first, last = 0, last-1
		}
	}
	for seed := first; seed <= last; seed++ {
		for _, sink := range []string{"iceberg", "file", "doris"} {
			t.Run(fmt.Sprint(sink, " ", seed), func(t *testing.T) {
				t.Parallel() // each has a database and a sink of its own
				run(t, sink, seed)
			})
		}
	}
}

// workload takes steps before, between and during runs of tail, and has the last one come to the end.
func (a *altered) workload(step func()) {
	a.t.Helper()
	for range 2 + a.rnd.IntN(4) {
		for range 1 + a.rnd.IntN(12) {
			step()
		}
		switch a.rnd.IntN(3) {
		case 0:
			a.during(step)
		case 1:
			a.tail()
		}
	}
	a.tail()
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A database that is altered, and where its tables go.
type altered struct {
	*midrun
	rnd    *rand.Rand
	sink   string
	dir    string
	doris  *doristest.Cluster
	args   []string
	tables []string
	bare   bool // there was no table at some moment of during
	made   int  // columns and tables, ever
	done   []string
}

// newSeeded is one that is altered at random, in a way of its own for each test, with more arguments.
func newSeeded(t *testing.T, sink string, seed, test uint64, args ...string) *altered {
	t.Helper()
	a := newAlteredAt(t, "MYSQL", sink)
	a.rnd = rand.New(rand.NewPCG(seed, test)) //nolint:gosec // to be had again
	a.args = append(a.args, args...)
	return a
}

func newAlteredAt(t *testing.T, server, sink string) *altered {
	t.Helper()
	url := services.Env(t, "TABLEHAUL_TEST_"+server)
	_, addr, _ := strings.Cut(url, "@")
	host, port, _ := strings.Cut(addr, ":")
	a := &altered{
		midrun: &midrun{t: t, url: url, host: host, port: port, db: fmt.Sprintf("altered_%d", time.Now().UnixNano()), client: services.Env(t, "TABLEHAUL_TEST_"+server+"_CLIENT")},
		sink:   sink, dir: filepath.Join(t.TempDir(), "sink"),
	}
	a.args = []string{"tail", url + "/" + a.db, sink + ":" + a.dir, "--commit-interval", "20ms"}
	switch sink {
	case "file":
		a.args = append(a.args, "--latest")
	case "doris":
		c, err := doristest.Start(doristest.Options{Backends: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		a.doris = c
		_, port, _ := net.SplitHostPort(c.SQL())
		a.args[2] = "doris://root@" + c.Frontends()[0] + "/" + a.db + "?query-port=" + port
	}
	a.sql("CREATE DATABASE " + a.db)
	for _, name := range []string{"t0", "t1"} {
		a.do("CREATE TABLE DB." + name + " (id INT PRIMARY KEY, c0 VARCHAR(10), c1 INT)")
	}
	t.Cleanup(func() {
		a.sql("DROP DATABASE " + a.db)
		if t.Failed() {
			t.Log(strings.Join(a.done, ";\n"))
		}
	})
	return a
}

// do runs a statement, which the server may refuse.
func (a *altered) do(statement string) {
	cmd := exec.Command(a.client, "-h", a.host, "-P", a.port, "-uroot", "-e", strings.ReplaceAll(statement, "DB.", a.db+"."))
	refused := ""
	if cmd.Run() != nil {
		refused = " -- refused"
	}
	a.done = append(a.done, statement+refused)
	a.tables = strings.Fields(a.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = '" + a.db + "' ORDER BY 1"))
	a.bare = a.bare || len(a.tables) == 0
}

// columns are a table's columns other than its id, and their types.
func (a *altered) columns(table string) [][2]string {
	var out [][2]string
	for _, line := range strings.Split(a.sql("SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = '"+a.db+"' AND table_name = '"+table+"' AND column_name <> 'id' ORDER BY ordinal_position"), "\n") {
		if name, typ, ok := strings.Cut(line, "\t"); ok {
			out = append(out, [2]string{name, typ})
		}
	}
	return out
}

func (a *altered) tail() {
	a.t.Helper()
	if len(a.tables) == 0 {
		a.do("CREATE TABLE DB.t0 (id INT PRIMARY KEY)")
	}
	a.done = append(a.done, "-- tail")
	succeed(a.t, nil, append(slices.Clone(a.args), "--until", "now")...)
}

// during has the tables altered while a run lasts, which is killed, or stopped, at some moment.
func (a *altered) during(step func()) {
	a.t.Helper()
	if len(a.tables) == 0 {
		return
	}
	a.done, a.bare = append(a.done, "-- tail, which lasts"), false
	cmd := exec.Command("tablehaul", a.args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	time.Sleep(time.Duration(a.rnd.IntN(400)) * time.Millisecond)
	for range a.rnd.IntN(16) {
		step()
		time.Sleep(time.Duration(a.rnd.IntN(40)) * time.Millisecond)
	}
	time.Sleep(time.Duration(a.rnd.IntN(400)) * time.Millisecond)
	how := os.Kill
	if a.rnd.IntN(3) == 0 {
		how = syscall.SIGTERM
	}
	_ = cmd.Process.Signal(how) // or it has ended by itself
	_ = cmd.Wait()
	a.done = append(a.done, fmt.Sprintf("-- ended, %v", how))
	// It may have listed the tables when there were none.
	none := a.bare && strings.Contains(out.String(), "tablehaul: list tables: there is no table in database")
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != -1 && !none {
		a.t.Errorf("exit code %d: %s", code, &out)
	}
}

// equal compares what readers of the sink see with the source.
func (a *altered) equal() {
	a.t.Helper()
	for _, table := range a.tables {
		names, texts := []string{"id"}, []string{"id"}
		for _, c := range a.columns(table) {
			names, texts = append(names, c[0]), append(texts, "COALESCE("+c[0]+", 'None')")
		}
		want := strings.Split(a.sql("SELECT CONCAT_WS(' ', "+strings.Join(texts, ", ")+") FROM DB."+table), "\n")
		var got []string
		if a.sink == "doris" {
			got = a.dorisRows(table, names)
		} else {
			got = a.fileRows(table, names)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			a.t.Errorf("of %s the sink has\n%s\nthe source\n%s", table, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func (a *altered) fileRows(table string, names []string) []string {
	a.t.Helper()
	out, err := readTableRows(a.t, a.dir, filepath.Join(a.dir, a.db, table), strings.Join(names, ", "))
	if err != nil {
		a.t.Errorf("read %s at the sink: %v", table, err)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

func (a *altered) dorisRows(table string, names []string) []string {
	a.t.Helper()
	conn, err := client.Connect(a.doris.SQL(), "root", "", a.db)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	res, err := conn.Execute("SELECT " + strings.Join(names, ", ") + " FROM " + table)
	if err != nil {
		a.t.Errorf("read %s at the sink: %v", table, err)
		return nil
	}
	out := make([]string, max(res.RowNumber(), 1)) // as of no lines there is one
	for i := range res.RowNumber() {
		values := make([]string, len(names))
		for j := range values {
			if values[j], _ = res.GetString(i, j); values[j] == "" {
				if null, _ := res.IsNull(i, j); null {
					values[j] = "None"
				}
			}
		}
		out[i] = strings.Join(values, " ")
	}
	return out
}
