package doris

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// notes is a table with a key, and lines one without.
func notes() *schema.Table {
	return batchtest.Shape("shop", "notes", "id bigint key", "note varchar(50)")
}

func lines() *schema.Table { return batchtest.Shape("shop", "lines", "n bigint", "line varchar(50)") }

// A step writes rows, and what became of them, and commits.
type step struct {
	emptied bool
	clear   []string // as for writer.Clearer
	rows    []batchtest.Row
	ops     []batch.Op
}

// jobs are steps of which each is one commit, and what a table holds after each.
type job struct {
	table *schema.Table
	steps []step
	after [][]batchtest.Row
}

func keyedJob() job {
	return job{
		table: notes(),
		steps: []step{
			{rows: []batchtest.Row{{1, "a"}, {2, "b"}, {3, "c"}}},
			{rows: []batchtest.Row{{1, "A"}, {2, nil}, {4, "d"}, {3, nil}, {5, "c"}}, ops: []batch.Op{batch.After, batch.Delete, batch.Insert, batch.Before, batch.After}},
			{emptied: true, rows: []batchtest.Row{{7, "g"}, {7, "G"}}, ops: []batch.Op{batch.Insert, batch.After}},
			{rows: []batchtest.Row{{8, "h"}, {7, nil}}, ops: []batch.Op{batch.Insert, batch.Delete}},
		},
		after: [][]batchtest.Row{
			{{1, "a"}, {2, "b"}, {3, "c"}}, {{1, "A"}, {4, "d"}, {5, "c"}}, {{7, "G"}}, {{8, "h"}},
		},
	}
}

func keylessJob() job {
	return job{
		table: lines(),
		steps: []step{{rows: []batchtest.Row{{1, "a"}, {1, "a"}}}, {rows: []batchtest.Row{{1, "a"}, {nil, nil}}}, {emptied: true, rows: []batchtest.Row{{2, "b"}}}, {rows: []batchtest.Row{{2, "b"}}}},
		after: [][]batchtest.Row{{{1, "a"}, {1, "a"}}, {{1, "a"}, {1, "a"}, {1, "a"}, {nil, nil}}, {{2, "b"}}, {{2, "b"}, {2, "b"}}},
	}
}

// run does what is left of a job's steps, as a program that is started once.
func (j job) run(t *testing.T, s *Sink) (err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w, err := s.Open(ctx, j.table, writer.Follow)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	pos, err := w.Position(ctx)
	if err != nil {
		return err
	}
	for n := len(pos); n < len(j.steps); n++ {
		if clear := j.steps[n].clear; clear != nil {
			if err := w.(writer.Clearer).Clear(ctx, clear...); err != nil {
				return err
			}
		}
		b := batchtest.Build(memory.DefaultAllocator, j.table, j.steps[n].rows)
		b.Ops, b.Emptied = j.steps[n].ops, j.steps[n].emptied
		err := w.Write(ctx, b)
		b.Release()
		if err == nil {
			err = w.Commit(ctx, batch.Position(strings.Repeat("p", n+1)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// among wants the rows to be those after one of the job's commits, and returns which; 0 is
// before the first.
func (j job) among(t *testing.T, c *doristest.Cluster) int {
	t.Helper()
	var got []batchtest.Row
	for _, rec := range rowsOf(t, c, j.table) {
		rows, err := batchtest.Rows(rec)
		must(t, err)
		got = append(got, rows...)
	}
	for n, want := range append([][]batchtest.Row{nil}, j.after...) {
		if batchtest.Diff(got, want) == "" {
			return n
		}
	}
	t.Fatalf("%s holds what no commit has left: %v", j.table, got)
	return 0
}

func testSink(t *testing.T, c *doristest.Cluster, o Options) *Sink {
	s := hastySink(t, c, o)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// hastySink is one that is not patient, and is closed before the cluster: its address may be
// another one's then.
func hastySink(t *testing.T, c *doristest.Cluster, o Options) *Sink {
	s := newSink(locationOf(t, c), o)
	s.store.patience = 20 * time.Millisecond
	return s
}

// Everything that a sink asks of a cluster goes wrong once, before it is done or after, alone
// or with all that follows until the program is started anew.
func TestEveryCall(t *testing.T) {
	for _, j := range []job{keyedJob(), keylessJob(), partedJob()} {
		for _, f := range []struct {
			name  string
			fault doristest.Fault
			stays bool
		}{
			{"before", doristest.Fault{Before: true}, false},
			{"after", doristest.Fault{After: true}, false},
			{"before and stays", doristest.Fault{Before: true}, true},
			{"after and stays", doristest.Fault{After: true}, true},
		} {
			t.Run(j.table.Name+" "+f.name, func(t *testing.T) {
				t.Parallel()
				if testing.Short() && f.stays {
					t.Skip("the same calls as those that go wrong once: left out by -short")
				}
				n := 1
				for j.faulty(t, n, f.fault, f.stays) {
					n += writertest.Stride()
				}
				last := n - writertest.Stride()
				if last < 28 {
					t.Errorf("the last fault was that of call %d", last)
				}
				t.Logf("the last fault was that of call %d", last)
			})
		}
	}
}

// faulty runs the job with a fault at its n-th call, and again, and reports whether there was
// such a call.
func (j job) faulty(t *testing.T, n int, fault doristest.Fault, stays bool) bool {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	var calls atomic.Int64
	c.Inject(func(doristest.Call) doristest.Fault {
		at := calls.Add(1)
		switch {
		case at == int64(n):
			return fault
		case at > int64(n) && stays:
			return doristest.Fault{Before: true}
		}
		return doristest.Fault{}
	})
	s := hastySink(t, c, Options{})
	defer s.Close()
	err = j.run(t, s)
	fired := calls.Load() >= int64(n)
	c.Inject(nil)
	seen := j.among(t, c)
	if err == nil && seen != len(j.steps) {
		t.Fatalf("call %d: no error, and %d of %d commits are seen", n, seen, len(j.steps))
	}
	next := hastySink(t, c, Options{})
	defer next.Close()
	if err2 := j.run(t, next); err2 != nil {
		t.Fatalf("call %d, %v: a run after that: %v", n, err, err2)
	}
	if got := j.among(t, c); got != len(j.steps) {
		t.Fatalf("call %d, %v: %d of %d commits are seen in the end", n, err, got, len(j.steps))
	}
	return fired
}

// started is a cluster with a sink.
func started(t *testing.T, o doristest.Options) (*doristest.Cluster, *Sink) {
	t.Helper()
	c, err := doristest.Start(o)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	s := testSink(t, c, Options{})
	s.store.patience = 10 * time.Second
	return c, s
}

// What passes is waited for: too many versions, a busy front end.
func TestPasses(t *testing.T) {
	for _, message := range []string{"[INTERNAL_ERROR]tablet error: [E-235]failed to init rowset builder. version count: 2001", "get tableList write lock timeout, tableList=(notes)"} {
		c, s := started(t, doristest.Options{})
		var times atomic.Int64
		c.Inject(func(call doristest.Call) doristest.Fault {
			if call.What == "load" && call.Table != positions && times.Add(1) <= 3 {
				return doristest.Fault{Status: "Fail", Message: message}
			}
			return doristest.Fault{}
		})
		must(t, keyedJob().run(t, s))
		if got := keyedJob().among(t, c); got != 4 || times.Load() < 4 {
			t.Errorf("%s: %d commits, %d loads", message, got, times.Load())
		}
		s.store.patience = 0
		c.Inject(func(call doristest.Call) doristest.Fault {
			if call.What == "load" && call.Table != positions {
				return doristest.Fault{Status: "Fail", Message: message}
			}
			return doristest.Fault{}
		})
		j := keylessJob()
		if err := j.run(t, s); !hint.IsTransient(err) {
			t.Errorf("%s for good: %v", message, err)
		}
	}
}

// A load with too many segments is loaded in parts.
func TestSegments(t *testing.T) {
	c, s := started(t, doristest.Options{})
	var rows []batchtest.Row
	for i := range 40_000 {
		rows = append(rows, batchtest.Row{i, strings.Repeat("x", 40)})
	}
	j := job{table: notes(), steps: []step{{rows: rows}, {rows: rows[:20_000], ops: make([]batch.Op, 20_000)}}, after: [][]batchtest.Row{rows, rows}}
	for i := range j.steps[1].ops {
		j.steps[1].ops[i] = batch.After
	}
	var refusals atomic.Int64
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "load" && call.Table != positions && refusals.Add(1)%3 == 1 {
			return doristest.Fault{Status: "Fail", Message: "[INTERNAL_ERROR]tablet error: [E-238]too many segments in rowset"}
		}
		return doristest.Fault{}
	})
	must(t, j.run(t, s))
	j.among(t, c)
	if n := refusals.Load(); n < 4 {
		t.Errorf("%d loads", n)
	}
}

// What is committed and seen only later is waited for where it matters, and never sent again.
func TestPublishTimeout(t *testing.T) {
	for _, j := range []job{keyedJob(), keylessJob(), partedJob()} {
		c, s := started(t, doristest.Options{})
		c.Inject(func(call doristest.Call) doristest.Fault {
			time.AfterFunc(100*time.Millisecond, c.PublishLate)
			return doristest.Fault{Late: call.What == "load" || call.What == "commit"}
		})
		must(t, j.run(t, s))
		time.Sleep(200 * time.Millisecond)
		c.PublishLate()
		if got := j.among(t, c); got != len(j.steps) {
			t.Errorf("%s: %d of %d commits", j.table, got, len(j.steps))
		}
	}
}

// Labels that Doris has forgotten let no commit be made twice.
func TestForgottenLabels(t *testing.T) {
	c, s := started(t, doristest.Options{MaxLabels: 1})
	j := keyedJob()
	ctx := t.Context()
	late, err := s.Open(ctx, j.table, writer.Follow)
	must(t, err)
	b := batchtest.Build(memory.DefaultAllocator, j.table, []batchtest.Row{{100, "late"}})
	must(t, late.Write(ctx, b))
	must(t, j.run(t, testSink(t, c, Options{})))
	if err := late.Commit(ctx, "late"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("a commit of a number that is forgotten: %v", err)
	}
	must(t, late.Close())
	if got := j.among(t, c); got != 4 {
		t.Errorf("%d commits", got)
	}
}

// A run dies between a commit and its loads', and comes again when Doris has given them up.
func TestExpired(t *testing.T) {
	for _, c := range []struct {
		job   job
		loads int // of the commit that is lost
		well  bool
	}{{keyedJob(), 1, true}, {keylessJob(), 1, true}} {
		t.Run(c.job.table.Name, func(t *testing.T) {
			cluster, s := started(t, doristest.Options{PrecommitTimeout: 300 * time.Millisecond})
			cut := job{c.job.table, c.job.steps[:1], c.job.after[:1]}
			must(t, cut.run(t, s))
			cluster.Inject(func(call doristest.Call) doristest.Fault { return doristest.Fault{Before: call.What == "commit"} })
			s.store.patience = 0
			if err := c.job.run(t, s); err == nil {
				t.Fatal("the commit worked")
			}
			cluster.Inject(nil)
			time.Sleep(400 * time.Millisecond)
			var said string
			next := testSink(t, cluster, Options{Warn: func(m string) { said = m }})
			must(t, c.job.run(t, next))
			if got := c.job.among(t, cluster); got != len(c.job.steps) || !strings.Contains(said, "taken back") {
				t.Errorf("%d commits; it said %q", got, said)
			}
		})
	}
}

// Where Doris keeps its data apart, a table with a key takes no load in two phases: that is
// said, and a run that was cut at any call is made good by the next one.
func TestCloud(t *testing.T) {
	cloudJob(t, keyedJob())
	cloudJob(t, partedJob())
	c, s := started(t, doristest.Options{Cloud: true})
	must(t, keylessJob().run(t, s))
	if got := keylessJob().among(t, c); got != 4 {
		t.Errorf("%d commits without a key", got)
	}
}

// cloudJob runs a job that is cut at each call, and then again.
func cloudJob(t *testing.T, j job) {
	t.Helper()
	said := 0
	for n, fired := 1, true; fired; n++ {
		c, err := doristest.Start(doristest.Options{Cloud: true})
		must(t, err)
		var calls atomic.Int64
		c.Inject(func(doristest.Call) doristest.Fault {
			at := calls.Add(1)
			return doristest.Fault{After: at == int64(n), Before: at > int64(n)}
		})
		o := Options{Warn: func(m string) { said++ }}
		_ = j.run(t, testSink(t, c, o))
		fired = calls.Load() >= int64(n)
		c.Inject(nil)
		must(t, j.run(t, testSink(t, c, o)))
		if got := j.among(t, c); got != len(j.steps) {
			t.Errorf("call %d: %d commits", n, got)
		}
		t.Cleanup(func() { must(t, c.Close()) })
	}
	if said == 0 {
		t.Error("nothing is said of it")
	}
}

// Rows that Doris does not take end the run, with its own word on them.
func TestBadRows(t *testing.T) {
	_, s := started(t, doristest.Options{MaxString: 100})
	table := batchtest.Shape("shop", "texts", "id bigint key", "t longtext")
	j := job{table: table, steps: []step{{rows: []batchtest.Row{{1, strings.Repeat("x", 101)}}}}}
	if err := j.run(t, s); err == nil || !strings.Contains(err.Error(), "1 rows are not taken") {
		t.Errorf("a text that is too long: %v", err)
	}
}

// Rights that are missing are named.
func TestDenied(t *testing.T) {
	for _, statement := range []string{"CREATE DATABASE", "CREATE TABLE", "ALTER TABLE"} {
		c, s := started(t, doristest.Options{})
		c.Inject(func(call doristest.Call) doristest.Fault {
			if strings.HasPrefix(call.SQL, statement) {
				return doristest.Fault{Message: fmt.Sprintf("Access denied; you need (at least one of) the (%s) privilege(s) for this operation", statement)}
			}
			return doristest.Fault{}
		})
		if err := keyedJob().run(t, s); err == nil || !strings.Contains(hint.Of(err), "GRANT") || hint.IsTransient(err) {
			t.Errorf("%s: %v (%s)", statement, err, hint.Of(err))
		}
	}
}
