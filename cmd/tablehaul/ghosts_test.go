package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestGhosts has tools alter a table that is written to, while it is followed: pt-online-schema-change
// itself, and gh-ost by its statements. It is followed through the swap, without a copy made anew,
// and what the tools make beside it never reaches the sink.
func TestGhosts(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"MYSQL", "MARIADB"} {
		for _, sink := range []string{"iceberg", "doris"} {
			t.Run(strings.ToLower(server)+" "+sink, func(t *testing.T) {
				a := newAlteredAt(t, server, sink)
				a.sql("INSERT INTO DB.t0 (id) WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 500) SELECT n FROM s")
				a.do("CREATE TABLE DB._t1_old (id INT PRIMARY KEY)") // of another day
				cmd := exec.CommandContext(t.Context(), "tablehaul", a.args...)
				var out told
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				out.await(t, a.db+".t0: ", a.db+".t1: ") // what a tool does while stock is read may have it read anew
				end := a.writer("t0")
				a.ptOSC("t0", "ADD COLUMN n INT, MODIFY c1 BIGINT")
				end()
				a.ghOST("t0", "ADD COLUMN m VARCHAR(20) FIRST")
				end = a.writer("t0")
				time.Sleep(time.Second)
				end()
				_ = cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					t.Fatalf("%v: %s", err, &out)
				}
				a.tail()
				if strings.Contains(out.String(), "anew") || !strings.Contains(out.String(), "_t1_old is left out") {
					t.Errorf("the run says %s", &out)
				}
				a.do("DROP TABLE DB._t1_old")
				if found, _ := filepath.Glob(filepath.Join(a.dir, a.db, "_t*")); len(found) > 0 {
					t.Errorf("the sink has %v", found)
				}
				a.equal()

				// Whoever puts an empty table in another's place without such a tool means it.
				a.do("CREATE TABLE DB._t0_new LIKE DB.t0")
				a.do("RENAME TABLE DB.t0 TO DB._t0_old, DB._t0_new TO DB.t0")
				a.do("DROP TABLE DB._t0_old")
				a.do("INSERT INTO DB.t0 (id) VALUES (7)")
				a.tail()
				a.equal()
			})
		}
	}
}

// A told is what a process has printed so far.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *told) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the process has said all of the texts.
func (o *told) await(t *testing.T, texts ...string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text := o.String()
		if !slices.ContainsFunc(texts, func(want string) bool { return !strings.Contains(text, want) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want that it says %q: %s", texts, text)
		}
	}
}

// writer changes rows until it is told to end.
func (a *altered) writer(table string) (end func()) {
	return meanwhile(func(n int) {
		a.sql(fmt.Sprintf("UPDATE DB.%s SET c1 = %d WHERE id %% 7 = %d; INSERT IGNORE INTO DB.%s (id, c0) VALUES (%d, 'new'); DELETE FROM DB.%s WHERE id = %d",
			table, n, n%7, table, 1000+n, table, 1000+n-3))
	})
}

// meanwhile does something again and again, until it is told to end.
func meanwhile(do func(n int)) (end func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
				do(n)
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

func (a *altered) ptOSC(table, how string) {
	a.t.Helper()
	cmd := exec.Command(services.Env(a.t, "TABLEHAUL_TEST_PT_OSC"), "--alter", how, "D="+a.db+",t="+table+",h="+a.host+",P="+a.port+",u=root",
		"--execute", "--no-version-check", "--recursion-method", "none", "--chunk-size", "50", "--chunk-time", "0", "--sleep", "0.05")
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("pt-online-schema-change: %v: %s", err, out)
	}
}

// ghOST runs the statements of gh-ost, but that it copies all rows in one.
func (a *altered) ghOST(table, how string) {
	ghost, log, old := "DB._"+table+"_gho", "DB._"+table+"_ghc", "DB._"+table+"_del"
	a.do("create /* gh-ost */ table " + log + " (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256")
	a.do("create /* gh-ost */ table " + ghost + " like DB." + table)
	a.do("alter /* gh-ost */ table " + ghost + " " + how)
	var names []string
	for _, c := range append([][2]string{{"id"}}, a.columns(table)...) {
		names = append(names, c[0])
	}
	list := strings.Join(names, ",")
	a.do("insert /* gh-ost */ ignore into " + ghost + " (" + list + ") (select " + list + " from DB." + table + " lock in share mode)")
	a.do("create /* gh-ost */ table " + old + " (id int auto_increment primary key) comment='ghost-cut-over-sentry'")
	a.do("drop table " + old)
	a.do("rename /* gh-ost */ table DB." + table + " to " + old + ", " + ghost + " to DB." + table)
	a.do("drop /* gh-ost */ table if exists " + old)
	a.do("drop /* gh-ost */ table if exists " + log)
}
