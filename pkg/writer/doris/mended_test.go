package doris

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// Benodes, because the addresses that front ends name are not reachable.
func TestBenodes(t *testing.T) {
	c, err := doristest.Start(doristest.Options{Redirect: func(string) string { return "127.0.0.1:1" }})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	l := locationOf(t, c)
	l.benodes = c.Backends()
	s := newSink(l, Options{})
	s.store.patience = 300 * time.Millisecond
	j := keylessJob()
	cut := job{j.table, j.steps[:2], j.after[:2]}
	if err := cut.run(t, s); err != nil {
		t.Errorf("%v\nremedy: %s", err, hint.Of(err))
	}
	// One of the back ends is down.
	l.benodes = []string{c.Backends()[0], "127.0.0.1:1"}
	s2 := newSink(l, Options{})
	s2.store.patience = 2 * time.Second
	for i := range 2 {
		err := s2.store.put(t.Context(), "shop", fmt.Sprint("l", i), "n", "p", 1, "{}")
		if err != nil {
			t.Errorf("one back end of two is down: %v; transient: %v, remedy %q", err, hint.IsTransient(err), hint.Of(err))
		}
	}
}

// The host of an ErrorURL is sent no password.
func TestErrorURL(t *testing.T) {
	var got string
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		got = u + ":" + p
	}))
	defer foreign.Close()
	fe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"Status": "Fail", "Message": "too many filtered rows", "NumberFilteredRows": 1, "ErrorURL": foreign.URL + "/bucket/log?X-Amz-Signature=1"})
	}))
	defer fe.Close()
	c := newClient("http", []string{strings.TrimPrefix(fe.URL, "http://")}, "root", "s3cret")
	_, err := c.load(t.Context(), "d", "t", "l", nil, func() (io.Reader, int64) { return strings.NewReader("1\n"), 2 })
	t.Log(err)
	if got != ":" {
		t.Errorf("the host of ErrorURL was sent %s", got)
	}
}

// A check while the first snapshot begins takes nothing away from it.
func TestCheckDrops(t *testing.T) {
	c, s := started(t, doristest.Options{})
	var once sync.Once
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "load" && strings.HasPrefix(call.Table, "tablehaul_check") {
			once.Do(func() {
				c.Inject(nil)
				j := keyedJob()
				cut := job{j.table, j.steps[:1], j.after[:1]}
				must(t, cut.run(t, testSink(t, c, Options{})))
			})
		}
		return doristest.Fault{}
	})
	_, err := s.Check(t.Context(), []*schema.Table{notes()}, writer.Create, finding.Purpose{})
	t.Log(err)
	if got := query(t, c, doristest.Options{}, "SELECT count(*) FROM information_schema.tables WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'notes'"); got != "1" {
		t.Errorf("the snapshot's table is gone: %s", got)
	}
}

// What a load had that failed counts no more.
func TestLeak(t *testing.T) {
	c, s := started(t, doristest.Options{})
	s.opts.Memory = 1 << 20
	s.loadSize.Store(64 << 10)
	s.store.patience = 10 * time.Millisecond
	table := batchtest.Shape("shop", "t", "id bigint key", "note varchar(8000)")
	var rows []batchtest.Row
	for i := range 100 {
		rows = append(rows, batchtest.Row{i, strings.Repeat("x", 5000)})
	}
	c.Inject(func(call doristest.Call) doristest.Fault {
		return doristest.Fault{Before: call.What == "load" && strings.HasPrefix(call.Table, "tablehaul_") && call.Table != positions}
	})
	for range 5 {
		w, err := s.Open(t.Context(), table, writer.Create)
		must(t, err)
		if err := put(t, w, table, rows, nil); err == nil {
			t.Fatal("no error")
		}
		must(t, w.Close())
	}
	if n := s.buffered.Load(); n != 0 {
		t.Errorf("%d bytes of %d count after all is closed", n, s.opts.Memory)
	}
}

// An empty text in a table of one column is an empty line, which Doris leaves out.
func TestEmptyLine(t *testing.T) {
	if got := appendText(nil, ""); len(got) == 0 {
		t.Errorf("a row of one empty text is an empty line")
	}
}

// What is for good is not tried again.
func TestWords(t *testing.T) {
	for _, m := range []string{"[DATA_QUALITY_ERROR]too many filtered rows", "errCode = 2, detailMessage = too many columns", "tablet 10-2350 does not exist, load id=1-235a"} {
		if err := classify(errors.New(m)); hint.IsTransient(err) {
			t.Errorf("%q is tried again for 15 minutes, and the run for ever", m)
		}
	}
}

// One bad row in one table.
func TestTableError(t *testing.T) {
	_, s := started(t, doristest.Options{MaxString: 2000})
	s.opts.LoadSize = 1
	s.loadSize.Store(1)
	table := batchtest.Shape("shop", "texts", "id bigint key", "t longtext")
	w, err := s.Open(t.Context(), table, writer.Create)
	must(t, err)
	err = put(t, w, table, []batchtest.Row{{1, strings.Repeat("x", 2001)}}, nil)
	var te *schema.TableError
	if !errors.As(err, &te) || hint.Of(err) == "" {
		t.Errorf("a bad row ends the run of all tables: %v; remedy %q", err, hint.Of(err))
	}
	_ = w.Close()
}

// A front end that is up and not well.
func TestSickFrontend(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	var asked atomic.Int64
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer sick.Close()
	l := locationOf(t, c)
	l.frontends = append([]string{strings.TrimPrefix(sick.URL, "http://")}, l.frontends...)
	s := newSink(l, Options{})
	s.store.patience = 2 * time.Second
	if err := keylessJob().run(t, s); err != nil {
		t.Errorf("the other front end was not asked: %v (asked %d times)", err, asked.Load())
	}
}

// A source's table that is called as the table of positions.
func TestNamedPositions(t *testing.T) {
	c, s := started(t, doristest.Options{})
	j := keyedJob()
	cut := job{j.table, j.steps[:1], j.after[:1]}
	must(t, cut.run(t, s))
	table := batchtest.Shape("shop", positions, "id bigint key", "note varchar(50)")
	w, err := s.Open(t.Context(), table, writer.Replace)
	must(t, err)
	must(t, put(t, w, table, []batchtest.Row{{1, "a"}}, nil))
	s.store.patience = time.Second
	err = w.Commit(t.Context(), "p")
	t.Log(err)
	_ = w.Close()
	next := testSink(t, c, Options{})
	_, err = next.Open(t.Context(), j.table, writer.Follow)
	if err != nil {
		t.Errorf("the positions of all tables are gone: %v", err)
	}
}

// TRUNCATE while followed by a run that was not given the flags of the one that made it.
func TestTruncateLayout(t *testing.T) {
	c, s := started(t, doristest.Options{})
	s.opts.Layout = func(*schema.Table) Layout {
		return Layout{Buckets: 7, Replication: 1, Properties: map[string]string{"store_row_column": "true"}}
	}
	j := keyedJob()
	cut := job{j.table, j.steps[:1], j.after[:1]}
	must(t, cut.run(t, s))
	show := func() string {
		ddl := queryAt(t, c, "SHOW CREATE TABLE shop.notes", 1)
		before, after, _ := strings.Cut(ddl, "COMMENT ")
		_, after, _ = strings.Cut(after, "\n")
		return before + after
	}
	before := show()
	must(t, j.run(t, testSink(t, c, Options{})))
	if after := show(); after != before {
		t.Errorf("before:\n%s\nafter a TRUNCATE at the source:\n%s", before, after)
	}
}

func queryAt(t *testing.T, c *doristest.Cluster, statement string, col int) string {
	l := locationOf(t, c)
	_, q := l.clients("")
	defer q.close()
	rows, err := q.run(t.Context(), statement)
	must(t, err)
	return rows[0][col]
}

// A statement that is not answered, and a run that is cancelled meanwhile.
func TestSlowSQL(t *testing.T) {
	c, s := started(t, doristest.Options{})
	must(t, s.ready(t.Context(), "shop"))
	c.Inject(func(call doristest.Call) doristest.Fault {
		if strings.Contains(call.SQL, "slow") {
			return doristest.Fault{Wait: time.Minute}
		}
		return doristest.Fault{}
	})
	go func() { _, _ = s.store.sql.run(t.Context(), "SELECT 'slow'") }()
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.store.sql.read(ctx, "SELECT 1")
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("a context of 200ms was honoured after %v: %v", d, err)
	}
}

// What a back end says while it, or another one, is restarted.
func TestPassing(t *testing.T) {
	for _, m := range []string{
		"[INTERNAL_ERROR]failed to send brpc when exec transmit_data, error=Host is down, error_text=[E112]Not connected to 10.0.0.2:8060 yet",
		"[CANCELLED]coordinator is down", "No backend load available.", "[MEM_LIMIT_EXCEEDED]process memory used exceed limit",
		"errCode = 2, detailMessage = tablet 10 alive replica num 1 < load required replica num 2",
	} {
		if !hint.IsTransient(classify(errors.New(m))) {
			t.Errorf("%q ends the run for good, without a remedy", m)
		}
	}
}

// A key's VARCHAR gets longer at the source. Doris: "Can not modify distribution column".
func TestKeyLonger(t *testing.T) {
	c, s := started(t, doristest.Options{})
	short := batchtest.Shape("shop", "w", "w varchar(10) key", "n int")
	long := batchtest.Shape("shop", "w", "w varchar(20) key", "n int")
	w, err := s.Open(t.Context(), short, writer.Create)
	must(t, err)
	must(t, put(t, w, short, []batchtest.Row{{"a", 1}}, nil))
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	c.Inject(func(call doristest.Call) doristest.Fault {
		if strings.Contains(call.SQL, "MODIFY COLUMN `w`") {
			t.Log(call.SQL)
			return doristest.Fault{Message: "errCode = 2, detailMessage = Can not modify distribution column[w]. index[w]"}
		}
		return doristest.Fault{}
	})
	w, err = s.Open(t.Context(), long, writer.Follow)
	must(t, err)
	if err := put(t, w, long, []batchtest.Row{{"b", 1}}, []batch.Op{batch.Insert}); err != nil {
		t.Errorf("%v; transient %v; remedy %q", err, hint.IsTransient(err), hint.Of(err))
	}
	_ = w.Close()
}

// Many tables at once gather no more than they may, by loads that are not small.
func TestMemory(t *testing.T) {
	c, err := doristest.Start(doristest.Options{Discard: true})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	s := testSink(t, c, Options{Memory: 64 << 20})
	var ws []writer.Writer
	var tables []*schema.Table
	for i := range 40 {
		table := batchtest.Shape("shop", fmt.Sprint("t", i), "id bigint key", "note varchar(8000)")
		w, err := s.Open(t.Context(), table, writer.Follow)
		must(t, err)
		ws, tables = append(ws, w), append(tables, table)
	}
	var rows []batchtest.Row
	for i := range 300 {
		rows = append(rows, batchtest.Row{i, strings.Repeat("x", 7900)})
	}
	for i, w := range ws {
		must(t, put(t, w, tables[i], rows, nil))
	}
	t.Logf("stock: %d MiB gathered, of 64", s.buffered.Load()>>20)
	if s.buffered.Load() > 64<<20+40<<20 {
		t.Errorf("stock: %d MiB gathered, of 64", s.buffered.Load()>>20)
	}
	for _, w := range ws {
		must(t, w.Close())
	}
	if n := s.buffered.Load(); n != 0 {
		t.Errorf("%d bytes count after all is closed", n)
	}
	// Changes.
	var most int64
	for i := range 40 {
		w, err := s.Open(t.Context(), tables[i], writer.Follow)
		must(t, err)
		ops := make([]batch.Op, len(rows))
		for k := range ops {
			ops[k] = batch.After
		}
		must(t, put(t, w, tables[i], rows, ops))
		most = max(most, s.buffered.Load())
	}
	t.Logf("changes: %d MiB gathered, of 64", most>>20)
	if most > 64<<20+40<<20 {
		t.Errorf("changes: %d MiB gathered, of 64", most>>20)
	}
}
