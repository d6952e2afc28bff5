package move_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
	wmem "github.com/tablehaul/tablehaul/pkg/writer/mem"
)

// A bank is a source whose money stays the same, in two tables with a key and
// one that never changes.
type bank struct {
	*world
	together bool // the sink commits several tables in one step
	state    *wmem.State
	rnd      *rand.Rand
	next     int
	states   map[batch.Position]map[string][]batchtest.Row // what each table held at each position
}

func newBank(t *testing.T, seed uint64) *bank {
	dest, state := inMemory(t)
	accounts := batchtest.Shape("bank", "accounts", "id bigint key", "balance bigint")
	notes := batchtest.Shape("bank", "notes", "who varchar(20) key", "id bigint key", "text varchar(50)")
	idle := batchtest.Shape("bank", "idle", "id bigint key")
	var rows []batchtest.Row
	for i := range 10 {
		rows = append(rows, batchtest.Row{int64(i), int64(100)})
	}
	b := &bank{state: state, rnd: rand.New(rand.NewPCG(seed, 1)), next: 10, states: map[batch.Position]map[string][]batchtest.Row{}}
	b.world = newWorld(t, dest, batchtest.Table{Table: accounts, Rows: rows}, batchtest.Table{Table: notes}, batchtest.Table{Table: idle, Rows: []batchtest.Row{{1}}})
	b.note()
	return b
}

func (b *bank) table(name string) *schema.Table {
	for _, t := range b.tables {
		if t.Name == name {
			return t
		}
	}
	panic(name)
}

// note remembers what the source holds now. Nobody else may change it.
func (b *bank) note() {
	pos, err := b.stock().Locate(context.Background(), "now")
	if err != nil {
		panic(err)
	}
	now := map[string][]batchtest.Row{}
	for _, t := range b.tables {
		now[t.Name] = b.db.Rows(t)
	}
	b.states[pos] = now
}

// transact makes some random transactions.
func (b *bank) transact(n int) {
	accounts, notes := b.table("accounts"), b.table("notes")
	for range n {
		rows := b.db.Rows(accounts)
		x, y := rows[b.rnd.IntN(len(rows))], rows[b.rnd.IntN(len(rows))]
		xid, xb, yid, yb := x[0], x[1].(int64), y[0], y[1].(int64)
		sum := int64(b.rnd.IntN(50))
		note := rmem.Change{Table: notes, Op: batch.Insert, Row: batchtest.Row{"w" + fmt.Sprint(b.next%3), int64(b.next), "note"}}
		var tx []rmem.Change
		switch kind := b.rnd.IntN(10); {
		case kind == 0: // a new account takes from another
			tx = []rmem.Change{
				{Table: accounts, Op: batch.Insert, Row: batchtest.Row{int64(b.next), sum}},
				{Table: accounts, Op: batch.After, Row: batchtest.Row{xid, xb - sum}},
				note,
			}
		case kind == 1 && xid != yid && len(rows) > 3: // one is closed
			tx = []rmem.Change{
				{Table: accounts, Op: batch.Delete, Row: batchtest.Row{xid, xb}},
				{Table: accounts, Op: batch.After, Row: batchtest.Row{yid, xb + yb}},
			}
		case kind == 2: // one gets another number
			tx = []rmem.Change{
				{Table: accounts, Op: batch.Before, Row: batchtest.Row{xid, xb}},
				{Table: accounts, Op: batch.After, Row: batchtest.Row{int64(b.next), xb}},
				note,
			}
		case kind == 3 && b.rnd.IntN(4) == 0:
			tx = []rmem.Change{note, {Table: notes, Emptied: true}, {Table: notes, Op: batch.Insert, Row: batchtest.Row{"x", int64(b.next), "after"}}}
		case xid != yid:
			tx = []rmem.Change{
				{Table: accounts, Op: batch.After, Row: batchtest.Row{xid, xb - sum}},
				{Table: accounts, Op: batch.After, Row: batchtest.Row{yid, yb + sum}},
				note,
			}
		default:
			tx = []rmem.Change{note}
		}
		b.next++
		b.db.Apply(tx...)
		b.note()
	}
}

func (b *bank) open() writer.Sink { return wmem.Sink{State: b.state, Together: b.together} }

// run follows until the log's end.
func (b *bank) run(src move.Source, sink writer.Sink, opts move.TailOptions) error {
	b.t.Helper()
	if opts.Until == "" && opts.IdleExit == 0 {
		opts.Until = "now"
	}
	if opts.CommitInterval == 0 {
		opts.CommitInterval = time.Nanosecond // at every boundary
	}
	opts.RetryPause = time.Millisecond
	err := move.Tail(b.t.Context(), src, sink, b.tables, opts)
	b.freed()
	return err
}

// check compares what every commit has published with what the source held at
// its position.
func (b *bank) check() {
	b.t.Helper()
	for _, t := range b.tables {
		for i, v := range b.state.History(t) {
			want, ok := b.states[rmem.Of(v.Position, t)]
			if !ok {
				b.t.Errorf("%s: commit %d has position %s, where no transaction ends", t, i, v.Position)
				continue
			}
			if d := batchtest.Diff(v.Rows, want[t.Name]); d != "" {
				b.t.Errorf("%s: commit %d, at %s: %s", t, i, v.Position, d)
			}
		}
	}
}

// whole checks that all tables have come to the end of the log.
func (b *bank) whole() {
	b.t.Helper()
	b.check()
	now, err := b.stock().Locate(b.t.Context(), "now")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range b.tables {
		if got := b.state.Position(t); got != now {
			b.t.Errorf("%s: got position %s, want %s", t, got, now)
		}
		b.want(t, b.db.Rows(t))
	}
}

func TestTail(t *testing.T) {
	b := newBank(t, 1)
	for i := range 6 {
		b.together = i%2 == 0
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.whole()
		b.transact(20)
	}
}

// An interval longer than the run folds all of it into one commit a table.
func TestTailInterval(t *testing.T) {
	for size, want := range map[int64]int{0: 1, 1: 21} {
		b := newBank(t, 2)
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		before := b.state.Commits(b.table("accounts"))
		for range 20 {
			b.transact(1)
			b.db.Apply(rmem.Change{Table: b.table("accounts"), Op: batch.After, Row: b.db.Rows(b.table("accounts"))[0]})
			b.note()
		}
		if err := b.run(b.stock(), b.open(), move.TailOptions{CommitInterval: time.Hour, CommitSize: size}); err != nil {
			t.Fatal(err)
		}
		b.whole()
		got := b.state.Commits(b.table("accounts")) - before
		if size == 0 && got != want || size > 0 && got < want {
			t.Errorf("commit size %d: got %d commits of accounts, want %d", size, got, want)
		}
	}
}

// TestTailLive follows while the source is written to, and is told to stop by
// the source standing still.
func TestTailLive(t *testing.T) {
	for _, loose := range []bool{false, true} {
		b := newBank(t, 3)
		b.transact(5)
		var mu sync.Mutex
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 100 {
				mu.Lock()
				b.transact(1)
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
		src := b.stock()
		src.Loose = loose
		err := b.run(src, b.open(), move.TailOptions{IdleExit: 200 * time.Millisecond, IdleCommit: 20 * time.Millisecond})
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		b.whole()
		if got := b.state.Commits(b.table("idle")); got < 2 {
			t.Errorf("got %d commits of the idle table, want its position to advance", got)
		}
	}
}

// TestTailEveryFault fails the n-th operation of the sink for every n, before and
// after it has taken effect. An error that may pass is met by the run itself; any
// other ends it, and the next run goes on.
func TestTailEveryFault(t *testing.T) {
	for _, transient := range []bool{true, false} {
		for _, after := range []bool{false, true} {
			for n := 1; !t.Failed(); n++ {
				b := newBank(t, uint64(n))
				b.together = n%2 == 0
				if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
					t.Fatal(err)
				}
				b.transact(12)
				plan := &fault.Plan{At: n, After: after}
				if transient {
					plan.Err = hint.Transient(fault.Err)
				}
				err := b.run(b.stock(), fault.Wrap(b.open(), plan), move.TailOptions{})
				if !plan.Fired() {
					if n < 20 {
						t.Errorf("only %d operations", n)
					}
					break
				}
				b.check()
				if err == nil {
					b.whole()
				} else if !errors.Is(err, fault.Err) {
					t.Errorf("fault %d: got %v", n, err)
				}
				if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
					t.Errorf("fault %d: next run: %v", n, err)
				}
				b.whole()
			}
		}
	}
}

// TestTailSourceFaults fails the source's n-th operation for every n, with an
// error that may pass. Once stock was copied the run must see to it itself.
func TestTailSourceFaults(t *testing.T) {
	for n := 1; !t.Failed(); n++ {
		b := newBank(t, uint64(n))
		b.transact(3)
		calls, reads, copied := 0, 0, false
		src := b.stock()
		var mu sync.Mutex
		src.Fault = func(op rmem.Op, _ *schema.Table) error {
			mu.Lock()
			defer mu.Unlock()
			if op == rmem.ReadLog {
				reads++
			}
			if calls++; calls == n {
				copied = !slices.ContainsFunc(b.tables, func(t *schema.Table) bool { return b.state.Position(t) == "" })
				return hint.Transient(errors.New("connection lost"))
			}
			if reads == 2 { // the run is under way
				b.transact(10)
				reads++
			}
			return nil
		}
		err := b.run(src, b.open(), move.TailOptions{IdleExit: 30 * time.Millisecond})
		if calls < n {
			break
		}
		if err != nil && copied {
			t.Errorf("fault %d: %v", n, err)
		}
		b.check()
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Errorf("fault %d: next run: %v", n, err)
		}
		b.whole()
	}
}

func TestTailGivesUp(t *testing.T) {
	b := newBank(t, 4)
	src := b.stock()
	down := false
	var mu sync.Mutex
	src.Fault = func(op rmem.Op, _ *schema.Table) error {
		mu.Lock()
		defer mu.Unlock()
		if down = down || op == rmem.ReadLog; down {
			return hint.Transient(errors.New("server gone"))
		}
		return nil
	}
	err := b.run(src, b.open(), move.TailOptions{RetryTime: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "server gone") || !strings.Contains(err.Error(), "nothing committed for") {
		t.Errorf("got %v", err)
	}
}

// A table that fails alone is left behind where it was.
func TestTailLeavesBehind(t *testing.T) {
	b := newBank(t, 5)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(10)
	notes := b.table("notes")
	before := b.state.Position(notes)
	cause := &schema.TableError{Table: "bank.notes", Err: errors.New("altered")}
	src := b.stock()
	src.Fault = func(op rmem.Op, t *schema.Table) error {
		if op == rmem.ReadLog && t == notes {
			return cause
		}
		return nil
	}
	var warned []string
	err := b.run(src, b.open(), move.TailOptions{Warn: func(s string) { warned = append(warned, s) }})
	if !errors.Is(err, move.ErrIncomplete) || !errors.Is(err, cause.Err) || len(warned) != 1 {
		t.Errorf("got %v, warnings %q", err, warned)
	}
	b.check()
	b.want(b.table("accounts"), b.db.Rows(b.table("accounts")))
	if got := b.state.Position(notes); got != before {
		t.Errorf("got position %s of the table that failed, want %s", got, before)
	}
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.whole()
}

func TestTailFenced(t *testing.T) {
	b := newBank(t, 6)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(10)
	plan := &fault.Plan{At: 2, Only: fault.Commit, Err: writer.ErrFenced}
	err := b.run(b.stock(), fault.Wrap(b.open(), plan), move.TailOptions{})
	if plan.Fired() && !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v", err)
	}
}

// What fails while the stock is copied, and may pass, is tried again for the
// tables that it is about.
func TestTailStockAgain(t *testing.T) {
	for name, cause := range map[string]error{
		"a table truncated meanwhile": &schema.TableError{Table: "bank.accounts", Err: hint.Transient(errors.New("definition has changed"))},
		"a connection cut":            hint.Transient(errors.New("connection lost")),
	} {
		b := newBank(t, 9)
		src := b.stock()
		var mu sync.Mutex
		failed := false
		src.Fault = func(op rmem.Op, t *schema.Table) error {
			mu.Lock()
			defer mu.Unlock()
			if op == rmem.Read && t.Name == "accounts" && !failed {
				failed = true
				return cause
			}
			return nil
		}
		prog := progress.NewStream()
		failing := false // when the log is opened last, to be followed
		if err := b.run(watched{src, func() { failing = prog.View().Retry.Now() }}, b.open(), move.TailOptions{Progress: prog}); err != nil || !failed {
			t.Errorf("%s: %v", name, err)
		}
		if failing {
			t.Errorf("%s: it is not known to have passed", name)
		}
		b.whole()
	}
}

func TestTailPurged(t *testing.T) {
	for _, again := range []bool{false, true} {
		b := newBank(t, 7)
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.transact(10)
		b.db.Purge()
		b.transact(5)
		err := b.run(b.stock(), b.open(), move.TailOptions{Resnapshot: again})
		if !again {
			if !errors.Is(err, reader.ErrPurged) {
				t.Errorf("got %v, want %v", err, reader.ErrPurged)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b.whole()
	}
}

// Started from now, a table shows what changes from then on, also if the first
// run ends before anything does.
func TestTailStartNow(t *testing.T) {
	b := newBank(t, 8)
	prog := progress.NewStream()
	if err := b.run(b.stock(), b.open(), move.TailOptions{Start: "now", Progress: prog}); err != nil {
		t.Fatal(err)
	}
	if got, want := batch.Position(prog.View().Started), b.state.Position(b.table("notes")); got != want {
		t.Errorf("got %s as the start, want %s", got, want)
	}
	b.db.Apply(rmem.Change{Table: b.table("notes"), Op: batch.Insert, Row: batchtest.Row{"a", int64(1), "x"}})
	if err := b.run(b.stock(), b.open(), move.TailOptions{Start: "now"}); err != nil {
		t.Fatal(err)
	}
	b.want(b.table("notes"), []batchtest.Row{{"a", int64(1), "x"}})
	b.want(b.table("accounts"), nil)
}

// A snapshot without a pinned point is made exact by the log, whatever happens
// between its splits.
func TestSnapshotLoose(t *testing.T) {
	for seed := range uint64(20) {
		b := newBank(t, seed)
		b.transact(5)
		src := b.stock()
		src.Loose = true
		var mu sync.Mutex
		src.Fault = func(op rmem.Op, _ *schema.Table) error {
			mu.Lock()
			defer mu.Unlock()
			if op == rmem.Read || op == rmem.Open {
				b.transact(2)
			}
			return nil
		}
		if err := b.snapshot(src, b.open(), move.SnapshotOptions{Parallel: 3}); err != nil {
			t.Fatal(err)
		}
		b.check()
		for _, table := range b.tables {
			if got := b.state.Commits(table); got != 1 {
				t.Errorf("%s: got %d commits, want 1", table, got)
			}
		}
	}
}

// What ends the run while stock is copied leaves no table behind, even if some
// are whole.
func TestTailStockDies(t *testing.T) {
	b := newBank(t, 10)
	full := errors.New("no space left on device")
	plan := &fault.Plan{At: 1, Only: fault.Commit, Table: "bank.notes", Err: full}
	err := b.run(b.stock(), fault.Wrap(b.open(), plan), move.TailOptions{Parallel: 1})
	if !errors.Is(err, full) || errors.Is(err, move.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
	if b.state.Commits(b.table("accounts")) == 0 {
		t.Error("no table was whole")
	}
}

// What ends the run later is no less of a failure for a table left behind.
func TestTailDiesIncomplete(t *testing.T) {
	b := newBank(t, 11)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(10)
	altered, gone := &schema.TableError{Table: "bank.notes", Err: errors.New("altered")}, errors.New("the log has a gap")
	src := b.stock()
	failed := false
	src.Fault = func(op rmem.Op, t *schema.Table) error {
		switch {
		case op == rmem.ReadLog && t != nil && t.Name == "notes":
			failed = true
			return altered
		case op == rmem.ReadLog && failed:
			return gone
		}
		return nil
	}
	err := b.run(src, b.open(), move.TailOptions{})
	if !errors.Is(err, gone) || !errors.Is(err, altered.Err) || errors.Is(err, move.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
	b.check()
}

// A table that cannot be opened stops the first run, while nothing is lost yet,
// and none of those that go on from it.
func TestTailOpenRefused(t *testing.T) {
	b := newBank(t, 12)
	refused := func() (writer.Sink, error) {
		cause := &schema.TableError{Table: "bank.notes", Err: errors.New("another shape")}
		return fault.Wrap(b.open(), &fault.Plan{At: 1, Only: fault.Open, Table: "bank.notes", Err: cause}), cause.Err
	}
	sink, cause := refused()
	if err := b.run(b.stock(), sink, move.TailOptions{}); !errors.Is(err, cause) || errors.Is(err, move.ErrIncomplete) {
		t.Errorf("first run: got %v", err)
	}
	if got := b.state.Commits(b.table("accounts")); got != 0 {
		t.Errorf("first run: got %d commits", got)
	}
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(10)
	before := b.state.Position(b.table("notes"))
	sink, cause = refused()
	var warned []string
	err := b.run(b.stock(), sink, move.TailOptions{Warn: func(s string) { warned = append(warned, s) }})
	if !errors.Is(err, move.ErrIncomplete) || !errors.Is(err, cause) || len(warned) != 1 {
		t.Errorf("got %v, warnings %q", err, warned)
	}
	b.check()
	b.want(b.table("accounts"), b.db.Rows(b.table("accounts")))
	if got := b.state.Position(b.table("notes")); got != before {
		t.Errorf("got position %s of the table that failed, want %s", got, before)
	}
}

// A stray source has a log that brings what nobody asked for.
type stray struct{ *rmem.Stock }

func (s stray) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	rd, err := s.Stock.Changes(ctx, from, until)
	return strayReader{rd}, err
}

type strayReader struct{ reader.Reader }

func (strayReader) Read(context.Context) (*batch.Batch, error) {
	return &batch.Batch{Table: batchtest.Shape("bank", "other", "id bigint key"), Emptied: true}, nil
}

func TestStrayChanges(t *testing.T) {
	b := newBank(t, 13)
	src := b.stock()
	src.Loose = true
	snapshot := b.snapshot(stray{src}, b.open(), move.SnapshotOptions{})
	tail := b.run(stray{b.stock()}, b.open(), move.TailOptions{})
	for _, err := range []error{snapshot, tail} {
		if err == nil || !strings.Contains(err.Error(), "changes of bank.other, which was not asked for") {
			t.Errorf("got %v", err)
		}
	}
}
