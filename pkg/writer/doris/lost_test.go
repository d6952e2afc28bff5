package doris

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
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
)

func put(t *testing.T, w writer.Writer, table *schema.Table, rows []batchtest.Row, ops []batch.Op) error {
	b := batchtest.Build(memory.DefaultAllocator, table, rows)
	b.Ops = ops
	defer b.Release()
	return w.Write(context.Background(), b)
}

// churn has other loads be finished, so that Doris forgets the older ones.
func churn(t *testing.T, s *Sink, n int) {
	for i := range n {
		must(t, s.store.put(context.Background(), "shop", s.label("shop", "other"), "other", fmt.Sprint("x", i), 1, "{}"))
		must(t, s.store.remove(context.Background(), "shop", s.label("shop", "other"), "other", fmt.Sprint("x", i)))
	}
}

func count(t *testing.T, c *doristest.Cluster, table *schema.Table) int {
	n := 0
	for _, r := range rowsOf(t, c, table) {
		n += int(r.NumRows())
	}
	return n
}

// The last commit's transactions are forgotten (2000 finished ones, or 3 days): the next
// open takes it for lost.
func TestForgottenTxns(t *testing.T) {
	for _, j := range []job{keylessJob(), keyedJob()} {
		t.Run(j.table.Name, func(t *testing.T) {
			c, s := started(t, doristest.Options{MaxLabels: 10})
			cut := job{j.table, j.steps[:2], j.after[:2]}
			must(t, cut.run(t, s))
			t.Logf("whole after the job: %d", j.among(t, c))
			s.mark(t.Context()) // as it does by itself soon after
			churn(t, s, 20)
			var said string
			next := testSink(t, c, Options{Warn: func(m string) { said = m }})
			w, err := next.Open(t.Context(), j.table, writer.Follow)
			t.Logf("open: %v\nremedy: %s\nwarned: %s", err, hint.Of(err), said)
			if err != nil {
				t.Fatal("a table that is whole cannot be opened any more")
			}
			pos, _ := w.Position(t.Context())
			must(t, w.Close())
			if pos != "pp" {
				t.Errorf("position went back to %q though all rows are visible", pos)
			}
		})
	}
}

// Stop (or kill -9) while the claim is committed and not yet visible.
func TestStagedDropped(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint("kill=", kill), func(t *testing.T) {
			c, s := started(t, doristest.Options{})
			j := keyedJob()
			w, err := s.Open(t.Context(), j.table, writer.Create)
			must(t, err)
			must(t, put(t, w, j.table, j.steps[0].rows, nil))
			ctx, cancel := context.WithCancel(t.Context())
			c.Inject(func(call doristest.Call) doristest.Fault {
				if call.What == "load" && call.Table == positions && strings.HasSuffix(call.Label, ":commit:1") {
					time.AfterFunc(100*time.Millisecond, cancel) // Ctrl-C
					return doristest.Fault{Late: true}
				}
				return doristest.Fault{}
			})
			err = w.Commit(ctx, "whole")
			t.Logf("commit: %v", err)
			c.Inject(nil)
			if kill {
				// The process is gone: what it had says so.
				s.mu.Lock()
				var at stage
				for at = range s.held {
				}
				s.mu.Unlock()
				n, _ := json.Marshal(note{Owner: "another machine\n1 1 pid:[1]\n", Table: at.part, Seen: time.Now().Add(-2 * time.Hour)})
				must(t, s.store.put(t.Context(), at.db, s.label("a", "b"), at.name, at.part, time.Now().UnixNano(), string(n)))
				n2 := testSink(t, c, Options{})
				n2.store.patience = 10 * time.Second
				time.AfterFunc(200*time.Millisecond, c.PublishLate)
				w2, err := n2.Open(t.Context(), j.table, writer.Create)
				must(t, err)
				must(t, w2.Close())
			} else {
				must(t, w.Close())
			}
			c.PublishLate()
			next := testSink(t, c, Options{})
			w3, err := next.Open(t.Context(), j.table, writer.Create)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			pos, err := w3.Position(t.Context())
			t.Logf("the next run: position %q, %v", pos, err)
			if n := count(t, c, j.table); pos == "whole" && n != 3 {
				t.Errorf("the table holds position %q and %d rows of 3", pos, n)
			}
			_ = w3.Close()
		})
	}
}

// The staged table is gone (dropped as that of a dead run, by a clock that is ahead, or
// after a suspension of an hour): the commit reports success.
func TestStagedGone(t *testing.T) {
	c, s := started(t, doristest.Options{})
	j := keyedJob()
	w, err := s.Open(t.Context(), j.table, writer.Create)
	must(t, err)
	must(t, put(t, w, j.table, j.steps[0].rows, nil))
	must(t, w.(*Writer).flushAll(t.Context()))
	must(t, s.drop(t.Context(), "shop", w.(*Writer).part)) // tidy of another run does that
	err = w.Commit(t.Context(), "whole")
	pos, _ := w.Position(t.Context())
	must(t, w.Close())
	if n := count(t, c, j.table); err == nil && n != 3 {
		t.Errorf("commit: %v, position %q, %d rows of 3", err, pos, n)
	}
}

// A commit of the same number as the row has, whose label is forgotten.
func TestSameNumber(t *testing.T) {
	c, s := started(t, doristest.Options{MaxLabels: 5})
	table := lines()
	first, err := s.Open(t.Context(), table, writer.Follow)
	must(t, err)
	must(t, put(t, first, table, []batchtest.Row{{0, "x"}}, nil))
	must(t, first.Commit(t.Context(), "p1"))
	must(t, first.Close())
	other := testSink(t, c, Options{})
	a, err := s.Open(t.Context(), table, writer.Follow)
	must(t, err)
	b, err := other.Open(t.Context(), table, writer.Follow)
	must(t, err)
	must(t, put(t, a, table, []batchtest.Row{{1, "one"}}, nil))
	must(t, put(t, b, table, []batchtest.Row{{1, "one"}}, nil)) // the same change
	must(t, b.Commit(t.Context(), "p2"))
	other.mark(t.Context())
	churn(t, other, 10)
	if err := a.Commit(t.Context(), "p2"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("the second commit of number 2: %v; rows: %d, want 2", err, count(t, c, table))
	}
	_, _ = a.Close(), b.Close()
}

// The row of positions was removed by hand, to begin anew.
func TestPositionsRemoved(t *testing.T) {
	c, s := started(t, doristest.Options{})
	j := keyedJob()
	cut := job{j.table, j.steps[:1], j.after[:1]}
	must(t, cut.run(t, s))
	query(t, c, doristest.Options{}, "DROP TABLE shop.notes FORCE")
	query(t, c, doristest.Options{}, "DROP TABLE shop."+positions+" FORCE")
	s2 := testSink(t, c, Options{})
	s2.store.patience = time.Second
	if err := cut.run(t, s2); err != nil {
		t.Errorf("after a patience of 1s (15m in truth): %v; transient %v, remedy %q", err, hint.IsTransient(err), hint.Of(err))
	}
}

// Two members of a group share a quiet table of a busy database.
func TestSharedNumber(t *testing.T) {
	c, s := started(t, doristest.Options{MaxLabels: 5})
	table := lines()
	// A position is "a=N,b=N"; each member owns one part.
	join := func(own string) func(held, known, next batch.Position) (batch.Position, error) {
		return func(held, known, next batch.Position) (batch.Position, error) {
			parts := map[string]string{}
			for p := range strings.SplitSeq(string(held), ",") {
				if k, v, ok := strings.Cut(p, "="); ok {
					parts[k] = v
				}
			}
			_, parts[own], _ = strings.Cut(string(next), "=")
			return batch.Position("a=" + parts["a"] + ",b=" + parts["b"]), nil
		}
	}
	first, err := s.Open(t.Context(), table, writer.Extend)
	must(t, err)
	must(t, first.Commit(t.Context(), "a=0,b=0"))
	must(t, first.Close())
	other := testSink(t, c, Options{})
	a, err := s.Open(t.Context(), table, writer.Extend)
	must(t, err)
	b, err := other.Open(t.Context(), table, writer.Extend)
	must(t, err)
	a.(writer.Sharer).Share(join("a"))
	b.(writer.Sharer).Share(join("b"))
	must(t, put(t, a, table, []batchtest.Row{{1, "of a"}}, nil))
	must(t, a.Commit(t.Context(), "a=7"))
	s.mark(t.Context())
	churn(t, other, 10)
	must(t, put(t, b, table, []batchtest.Row{{2, "of b"}}, nil))
	must(t, b.Commit(t.Context(), "b=9"))
	st, err := s.store.read(t.Context(), "shop", "lines")
	must(t, err)
	if st.Position != "a=7,b=9" {
		t.Errorf("after both have committed the table holds %q and %d rows: a's offset is lost, its row comes again", st.Position, count(t, c, table))
	}
	_, _ = a.Close(), b.Close()
}

// The reply of a load of stock without a key is lost, and the label is forgotten when it is
// asked for again.
func TestStockTwice(t *testing.T) {
	c, s := started(t, doristest.Options{MaxLabels: 5})
	table := lines()
	w, err := s.Open(t.Context(), table, writer.Create)
	must(t, err)
	must(t, put(t, w, table, []batchtest.Row{{1, "a"}}, nil))
	var once atomic.Bool
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "load" && call.Table != positions {
			if once.CompareAndSwap(false, true) {
				return doristest.Fault{After: true}
			}
			c.Inject(nil)
			churn(t, testSink(t, c, Options{}), 10) // others have been busy meanwhile
		}
		return doristest.Fault{}
	})
	s.store.forgetful = 0
	if err := w.Commit(t.Context(), "p"); !hint.IsTransient(err) {
		t.Errorf("a load of which nothing is known: %v", err)
	}
	must(t, w.Close())
	w, err = s.Open(t.Context(), table, writer.Create)
	must(t, err)
	must(t, put(t, w, table, []batchtest.Row{{1, "a"}}, nil))
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	if n := count(t, c, table); n != 1 {
		t.Errorf("%d rows of 1", n)
	}
}

// Replace of a table that is there, by a front end that is behind: the next commit goes to
// the old table, and what was staged is forgotten.
func TestStaleReplace(t *testing.T) {
	c, s := started(t, doristest.Options{})
	j := keyedJob()
	cut := job{j.table, j.steps[:1], j.after[:1]}
	must(t, cut.run(t, s))
	w, err := s.Open(t.Context(), j.table, writer.Follow)
	must(t, err)
	e := batchtest.Build(memory.DefaultAllocator, j.table, []batchtest.Row{{7, "g"}})
	e.Emptied, e.Ops = true, []batch.Op{batch.Insert}
	must(t, w.Write(t.Context(), e))
	must(t, w.(*Writer).stageAll(t.Context()))
	staged := w.(*Writer).part
	query(t, c, doristest.Options{}, "ALTER TABLE shop.`"+staged+"` RENAME hidden_meanwhile")
	if err := w.Commit(t.Context(), "pp"); !hint.IsTransient(err) {
		t.Errorf("a commit of a table that is not seen: %v", err)
	}
	query(t, c, doristest.Options{}, "ALTER TABLE shop.hidden_meanwhile RENAME `"+staged+"`")
	must(t, w.Close())
	must(t, j.run(t, testSink(t, c, Options{})))
	j.among(t, c)
	next := testSink(t, c, Options{})
	n, err := next.Open(t.Context(), j.table, writer.Follow)
	must(t, err)
	pos, _ := n.Position(t.Context())
	_ = n.Close()
	if got := count(t, c, j.table); got != 1 || pos != "pppp" {
		t.Errorf("position %q: %d rows", pos, got)
	}
}

// A run that has found no table, and then one that another run has made meanwhile, goes on with
// that, and what it has stays.
func TestMadeMeanwhile(t *testing.T) {
	for _, j := range []job{keyedJob(), keylessJob()} {
		first, second := job{j.table, j.steps[:1], j.after[:1]}, job{j.table, j.steps[:2], j.after[:2]}
		c, s := started(t, doristest.Options{})
		var once sync.Once
		c.Inject(func(call doristest.Call) doristest.Fault {
			if strings.Contains(call.SQL, "information_schema.columns") {
				once.Do(func() {
					c.Inject(nil)
					must(t, first.run(t, testSink(t, c, Options{})))
				})
			}
			return doristest.Fault{}
		})
		must(t, second.run(t, s))
		if got := second.among(t, c); got != 2 {
			t.Errorf("%s: %d commits", j.table, got)
		}
		must(t, j.run(t, s))
		if got := j.among(t, c); got != len(j.steps) {
			t.Errorf("%s: %d commits", j.table, got)
		}
	}
}
