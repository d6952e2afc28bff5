package doris

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// parted is a table of parts that the beginning of the key tells apart. With a time in the key
// Doris is not asked which rows come again.
func parted(key string) *schema.Table {
	return batchtest.Shape("shop", "parted", "_db varchar(64) key", "_table varchar(64) key", "id "+key+" key", "note varchar(200)")
}

func partedRows(part, note string, ids ...any) (rows []batchtest.Row) {
	for _, id := range ids {
		rows = append(rows, batchtest.Row{"db", part, id, note})
	}
	return rows
}

func partedJob() job {
	others := partedRows("b", "old", 1, 2)
	return job{
		table: parted("bigint"),
		steps: []step{
			{rows: slices.Concat(partedRows("a", "old", 1, 2, 3), others)},
			{clear: []string{"db", "a"}, rows: partedRows("a", "new", 3, 4)},
			{clear: []string{"db", "a"}, rows: partedRows("a", "newer", 3, 5, 4), ops: []batch.Op{batch.After, batch.Insert, batch.Delete}},
			{rows: partedRows("a", "more", 6)},
			{clear: []string{"db", "a"}},
		},
		after: [][]batchtest.Row{
			slices.Concat(partedRows("a", "old", 1, 2, 3), others), slices.Concat(partedRows("a", "new", 3, 4), others),
			slices.Concat(partedRows("a", "newer", 3, 5), others), slices.Concat(partedRows("a", "newer", 3, 5), partedRows("a", "more", 6), others), others,
		},
	}
}

// days are so many times.
func days(from, to int) (list []any) {
	for i := from; i < to; i++ {
		list = append(list, time.UnixMicro(int64(i)*86_400_000_000).UTC().Format("2006-01-02 15:04:05.000000"))
	}
	return list
}

// numbers are those from one to another.
func numbers(from, to int) (list []any) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// exchanged opens a table of two parts, of which one is exchanged and not yet committed, in loads so
// small that there are several.
func exchanged(t *testing.T, s *Sink, key string, was, is []any) writer.Writer {
	t.Helper()
	table := parted(key)
	w, err := s.Open(t.Context(), table, writer.Follow)
	must(t, err)
	must(t, put(t, w, table, slices.Concat(partedRows("a", "old", was...), partedRows("b", "old", was...)), nil))
	must(t, w.Commit(t.Context(), "p1"))
	must(t, w.(writer.Clearer).Clear(t.Context(), "db", "a"))
	note := strings.Repeat("n", 150)
	for some := range slices.Chunk(is, 100) {
		must(t, put(t, w, table, partedRows("a", note, some...), nil))
	}
	return w
}

// seenOf is what a client of MySQL sees of part a: old rows and new ones.
func seenOf(t *testing.T, c *doristest.Cluster, key string) (was, is map[string]bool) {
	t.Helper()
	was, is = map[string]bool{}, map[string]bool{}
	for _, rec := range rowsOf(t, c, parted(key)) {
		rows, err := batchtest.Rows(rec)
		must(t, err)
		for _, r := range rows {
			switch {
			case r[1] != "a":
			case r[3] == "old":
				was[fmt.Sprint(r[2])] = true
			default:
				is[fmt.Sprint(r[2])] = true
			}
		}
	}
	return was, is
}

// While the loads of a commit are shown, readers see each row that stays, as it was or as it is, and
// no row that goes is gone before all that come are there.
func TestExchangeIsSeen(t *testing.T) {
	c, s := started(t, doristest.Options{})
	s.loadSize.Store(20_000)
	w := exchanged(t, s, "bigint", numbers(0, 1000), numbers(500, 1500))
	commits := 0
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What != "commit" {
			return doristest.Fault{}
		}
		commits++
		was, is := seenOf(t, c, "bigint")
		for i := range 1000 {
			id := fmt.Sprint(i)
			if !was[id] && !is[id] {
				t.Errorf("load %d: row %s is missing", commits, id)
				break
			}
		}
		return doristest.Fault{}
	})
	must(t, w.Commit(t.Context(), "p2"))
	c.Inject(nil)
	was, is := seenOf(t, c, "bigint")
	if len(was) > 0 || len(is) != 1000 || commits < 4 {
		t.Errorf("%d old rows and %d new ones after %d loads", len(was), len(is), commits)
	}
	must(t, w.Close())
}

// What fits into one load is seen in one step.
func TestExchangeInOneLoad(t *testing.T) {
	c, s := started(t, doristest.Options{})
	var loads atomic.Int64
	w := exchanged(t, s, "bigint", numbers(0, 1000), numbers(500, 1500))
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "commit" {
			loads.Add(1)
		}
		return doristest.Fault{}
	})
	must(t, w.Commit(t.Context(), "p2"))
	c.Inject(nil)
	if was, is := seenOf(t, c, "bigint"); len(was) > 0 || len(is) != 1000 || loads.Load() != 1 {
		t.Errorf("%d old rows and %d new ones after %d loads", len(was), len(is), loads.Load())
	}
	must(t, w.Close())
}

// Rows that go, and are too many for the memory that there is, are taken out before others come.
func TestExchangeBeyondMemory(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	s := testSink(t, c, Options{Memory: 100_000})
	s.store.patience = 10 * time.Second
	w := exchanged(t, s, "bigint", numbers(0, 3000), numbers(1500, 4500))
	if !w.(*Writer).clearing.first {
		t.Error("there was memory for all")
	}
	must(t, w.Commit(t.Context(), "p2"))
	if was, is := seenOf(t, c, "bigint"); len(was) > 0 || len(is) != 3000 {
		t.Errorf("%d old rows and %d new ones", len(was), len(is))
	}
	must(t, w.Close())
	if n := s.clearing.Load() + s.buffered.Load(); n != 0 {
		t.Errorf("%d bytes are counted still", n)
	}
}

// Doris gives up some loads of an exchange before they are shown. Where rows that go went last, the
// commit is taken back and comes again; where they went first, rows may be missing, and that is said.
func TestExchangeExpired(t *testing.T) {
	for key, ids := range map[string]func(from, to int) []any{"bigint": numbers, "datetime(6)": days} {
		t.Run(key, func(t *testing.T) {
			c, s := started(t, doristest.Options{PrecommitTimeout: 2 * time.Second})
			s.loadSize.Store(20_000)
			w := exchanged(t, s, key, ids(0, 500), ids(250, 750))
			s.store.patience = 0
			commits := 0
			c.Inject(func(call doristest.Call) doristest.Fault {
				if call.What == "commit" {
					commits++
				}
				return doristest.Fault{Before: call.What == "commit" && commits > 1}
			})
			if err := w.Commit(t.Context(), "p2"); err == nil {
				t.Fatal("the commit worked")
			}
			c.Inject(nil)
			time.Sleep(2100 * time.Millisecond)
			var said string
			next, err := testSink(t, c, Options{Warn: func(m string) { said = m }}).Open(t.Context(), parted(key), writer.Follow)
			if key != "bigint" {
				if err == nil || !strings.Contains(hint.Of(err), "--mode replace") {
					t.Errorf("got %v (%s)", err, hint.Of(err))
				}
				return
			}
			must(t, err)
			was, is := seenOf(t, c, key)
			for i := range 500 {
				if id := fmt.Sprint(i); !was[id] && !is[id] {
					t.Fatalf("row %s is missing", id)
				}
			}
			if pos, err := next.Position(t.Context()); err != nil || pos != "p1" || !strings.Contains(said, "taken back") {
				t.Errorf("position %q, %v; it said %q", pos, err, said)
			}
			must(t, next.Close())
		})
	}
}

// Rows that are committed, and are seen only later, are waited for before it is asked which go.
func TestExchangeOfLateRows(t *testing.T) {
	c, s := started(t, doristest.Options{})
	table := parted("bigint")
	w, err := s.Open(t.Context(), table, writer.Follow)
	must(t, err)
	must(t, put(t, w, table, partedRows("a", "old", 1), nil))
	must(t, w.Commit(t.Context(), "p1"))
	c.Inject(func(call doristest.Call) doristest.Fault { return doristest.Fault{Late: call.What == "commit"} })
	must(t, put(t, w, table, partedRows("a", "old", 2), nil))
	must(t, w.Commit(t.Context(), "p2"))
	c.Inject(nil)
	time.AfterFunc(200*time.Millisecond, c.PublishLate)
	must(t, w.(writer.Clearer).Clear(t.Context(), "db", "a"))
	must(t, w.Commit(t.Context(), "p3"))
	if was, _ := seenOf(t, c, "bigint"); len(was) > 0 {
		t.Errorf("rows stay: %v", was)
	}
	must(t, w.Close())
}

// A run dies at each step of an exchange.
func TestExchangeKilled(t *testing.T) {
	j := partedJob()
	for _, step := range []string{"rows written", "commit sent", "commit landed", "published", "tidied"} {
		for n := 1; n <= len(j.steps); n++ {
			c, s := started(t, doristest.Options{})
			passed := 0
			s.opts.Step = func(name string) {
				if name == step {
					if passed++; passed == n {
						panic(step)
					}
				}
			}
			func() {
				defer func() { _ = recover() }()
				_ = j.run(t, s)
			}()
			s.opts.Step = func(string) {}
			if j.among(t, c) < n-1 {
				t.Fatalf("%s, %d: commits are missing", step, n)
			}
			kill(t, s, "shop", "parted")
			must(t, j.run(t, testSink(t, c, Options{})))
			if got := j.among(t, c); got != len(j.steps) {
				t.Errorf("%s, %d: %d of %d commits", step, n, got, len(j.steps))
			}
		}
	}
}
