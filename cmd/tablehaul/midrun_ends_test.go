package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/front"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// readers lists the connections of the run's user, as "KILL" takes them, of those whose
// statement is like a text.
func (m *midrun) readers(info string) []string {
	m.t.Helper()
	// information_schema's fails while anybody runs a statement with characters beyond utf8mb3.
	list := strings.Fields(m.sql("SELECT id FROM performance_schema.processlist WHERE user = 'midrun' AND COALESCE(info, '') LIKE '" + info + "' ORDER BY id"))
	if len(list) == 0 {
		m.t.Fatal("there is no such connection")
	}
	return list
}

// kill ends the reader of a table of pads, which alone goes on: the others have to end by that.
func (m *midrun) kill(statement, table string) {
	m.t.Helper()
	m.sql(statement + m.readers("SELECT `id`,`pad` FROM%`" + table + "`%")[0])
	m.alone = true
	m.sign("go-" + table)
}

// grant makes the user midrun, who may do what a run needs.
func (m *midrun) grant() {
	m.t.Helper()
	m.sql("DROP USER IF EXISTS midrun; CREATE USER midrun; GRANT SELECT, LOCK TABLES ON DB.* TO midrun; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO midrun")
}

// wide makes a table of which the server still sends when the first batches are read: far
// more than those and all the sockets hold.
const wide = "CREATE TABLE DB.w (id INT PRIMARY KEY, pad LONGTEXT); INSERT INTO DB.w SELECT id, REPEAT('x', 100000) FROM DB.a WHERE id <= 900; ANALYZE TABLE DB.w"

// TestRunEndsInItsMidst has what ends a whole run come in its midst: nothing is to be
// seen, and the same command goes on with what was kept.
func TestRunEndsInItsMidst(whole *testing.T) {
	url := services.Env(whole, "TABLEHAUL_TEST_MYSQL")
	lake := filepath.Join(whole.TempDir(), "lake")
	var dbs []string
	for _, c := range []struct {
		name, before, halt string
		then               func(m *midrun)
		whole              string // tables that are so by then
		wants              []string
	}{
		{
			name: "one reader's statement is killed in mid row", before: wide, halt: "read w:2 open b:3",
			then:  func(m *midrun) { m.kill("KILL QUERY ", "w") },
			whole: "a",
			wants: []string{"tablehaul: incomplete: 1 of 4 tables are whole: read DB.w: ", "interrupted", "hint: somebody ended the server or the connection; run the same command again"},
		},
		{
			name: "one reader's connection is killed in mid row", before: wide, halt: "read w:2 open b:3",
			then:  func(m *midrun) { m.kill("KILL ", "w") },
			whole: "a",
			wants: []string{"tablehaul: incomplete: 1 of 4 tables are whole: read DB.w: ", "run the same command again"},
		},
		{
			name: "the password is changed and one reader's connection killed", halt: inTheMidst,
			then: func(m *midrun) {
				list := m.readers("%")
				m.sql("ALTER USER midrun IDENTIFIED BY 'another'; KILL " + list[len(list)-1])
			},
			wants: []string{"tablehaul: read DB.", "run the same command again"},
		},
	} {
		whole.Run(c.name, func(t *testing.T) {
			m := newMidrun(t, whole, url, "iceberg:"+lake)
			dbs = append(dbs, m.db)
			if c.before != "" {
				m.sql(c.before)
			}
			m.grant()
			m.start(c.halt, nil, "midrun")
			c.then(m)
			code := 1
			if c.whole != "" {
				code = 3
			}
			m.ended(code, c.wants...)
			m.visible(lake, c.whole)
			var env []string
			if strings.Contains(c.name, "password") {
				complain(t, nil, "", []string{"Access denied", "hint: "}, m.args("midrun")...)
				env = []string{"TABLEHAUL_PASSWORD=another"}
			}
			if out := m.again(env, "midrun"); !strings.Contains(out, "taken over") {
				t.Errorf("nothing was taken over: %s", out)
			}
		})
	}
	wantEqual(whole, url, lake, dbs)
}

// TestServerRestartsInMidRun stops and starts the source in the midst of a run.
func TestServerRestartsInMidRun(t *testing.T) {
	t.Parallel()
	addr, script := services.Private(t, "mysql")
	lake := filepath.Join(t.TempDir(), "lake")
	m := newMidrun(t, t, "mysql://root@"+addr, "iceberg:"+lake)
	m.start(inTheMidst, nil, "root")
	script("stop")
	script("start")
	m.ended(1, "tablehaul: read DB.", "run the same command again")
	m.visible(lake, "")
	m.sql("UPDATE DB.a SET n = -n WHERE id % 3 = 0; DELETE FROM DB.b WHERE id > 5000")
	if out := m.again(nil, "root"); !strings.Contains(out, "taken over") {
		t.Errorf("nothing was taken over: %s", out)
	}
	wantEqual(t, m.url, lake, []string{m.db})
}

// TestDiskFullInMidRun fills the disk of the lake in the midst of a run, then makes room.
func TestDiskFullInMidRun(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a disk")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	lake := filepath.Join(disk, "lake")
	m := newMidrun(t, t, services.Env(t, "TABLEHAUL_TEST_MYSQL"), "iceberg:"+lake)
	m.start(inTheMidst, nil, "root")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want a full disk", err)
	}
	m.ended(1, "DB.", disk, "no space left on device", "hint: free some space, or name a lake elsewhere, and run the same command again")
	m.visible(lake, "")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	m.sql("UPDATE DB.a SET n = -n WHERE id % 3 = 0; DELETE FROM DB.b WHERE id > 5000")
	if out := m.again(nil, "root"); !strings.Contains(out, "taken over") {
		t.Errorf("nothing was taken over: %s", out)
	}
	wantEqual(t, m.url, lake, []string{m.db})
}

// TestCatalogFailsBehindCommitsInMidRun has a catalog make each commit of a run and
// answer that it has failed.
func TestCatalogFailsBehindCommitsInMidRun(t *testing.T) {
	var mu sync.Mutex
	struck := make(map[string]int)
	rest := fixture(t)
	f := (&front.Front{After: func(r *http.Request, status int) int {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost || status >= 300 || struck[r.URL.Path] > 0 {
			return 0
		}
		struck[r.URL.Path]++
		return http.StatusInternalServerError
	}}).Start(t, rest)
	m := newMidrun(t, t, services.Env(t, "TABLEHAUL_TEST_MYSQL"), sinkOf(f, ""))
	m.start(inTheMidst, nil, "root")
	m.ended(0)
	if out := m.again(nil, "root"); !strings.Contains(out, "3 tables are whole since an earlier run") {
		t.Errorf("again: %s", out)
	}
	if len(struck) < 4 { // the namespace's, and three tables'
		t.Errorf("not all answers were exchanged: %v", struck)
	}
	compared(t, m.url, []string{m.db}, "--catalog-rest", rest)
}
