package move_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/move"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

func TestSnapshotEveryFault(t *testing.T) {
	sweep(t, []writer.Mode{writer.Create, writer.Append, writer.Replace}, []int{1, 4}, func(t *testing.T) writertest.Harness {
		dest, _ := inMemory(t)
		return dest
	})
}

// sweep fails every operation of the sink that start makes, once before and once
// after it took effect, and runs the same command again. The outcome must be
// that of a run that never failed, and at no time may a table be seen half done.
func sweep(t *testing.T, modes []writer.Mode, readers []int, start func(t *testing.T) writertest.Harness) {
	for _, mode := range modes {
		for _, parallel := range readers {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/parallel=%d/after=%v", mode, parallel, after), func(t *testing.T) {
					t.Parallel()
					n := 1
					for sweepOne(t, start(t), n, after, move.SnapshotOptions{Mode: mode, Parallel: parallel}) {
						n++
					}
					t.Logf("%d faults survived", n-1)
				})
			}
		}
	}
}

// sweepOne fails the n-th operation of a run. It returns false if there was none.
func sweepOne(t *testing.T, dest writertest.Harness, n int, after bool, opts move.SnapshotOptions) bool {
	tables := shop()
	w := newWorld(t, dest, tables...)
	defer w.close()
	old := map[*schema.Table][]batchtest.Row{}
	if opts.Mode != writer.Create { // there is something to add to, or to exchange
		for _, table := range w.tables {
			old[table] = content(tables, table)
			if len(old[table]) > 1 {
				old[table] = old[table][1:]
			}
			w.db.Set(table, old[table])
		}
		if err := w.snapshot(w.stock(), w.open(), move.SnapshotOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, table := range w.tables {
			w.db.Set(table, content(tables, table))
		}
	}
	// done is what a table shows once a run is through with it.
	done := func(table *schema.Table, before []batchtest.Row) []batchtest.Row {
		rows := content(tables, table)
		if opts.Mode == writer.Append {
			return append(rows[:len(rows):len(rows)], before...)
		}
		return rows
	}

	plan := &fault.Plan{At: n, After: after, Watch: func(op fault.Op, table *schema.Table, _ bool) {
		if table == nil {
			return
		}
		got := w.visible(table)
		notYet, whole := batchtest.Diff(got, old[table]), batchtest.Diff(got, done(table, old[table]))
		if notYet != "" && whole != "" {
			t.Errorf("fault %d: at %s %s is neither as before nor whole: %s", n, op, table, whole)
		}
	}}
	err := w.snapshot(w.stock(), fault.Wrap(w.open(), plan), opts)
	if !plan.Fired() {
		if err != nil {
			t.Errorf("a run without a fault: %v", err)
		}
		return false
	}
	// Closing is the one thing whose failure changes nothing.
	if err != nil && !errors.Is(err, fault.Err) {
		t.Errorf("fault %d: got %v, want the cause", n, err)
	}

	// Append cannot know what an earlier run has added: it adds once a run.
	if opts.Mode == writer.Append {
		for _, table := range w.tables {
			old[table] = w.visible(table)
		}
	}
	if err := w.snapshot(w.stock(), w.open(), opts); err != nil {
		t.Errorf("fault %d (%v): second run: %v", n, err, err)
	}
	for _, table := range w.tables {
		w.want(table, done(table, old[table]))
	}
	return !t.Failed()
}

// TestSnapshotEveryReaderFault does the same to every operation of the source.
func TestSnapshotEveryReaderFault(t *testing.T) {
	gone := errors.New("server has gone away")
	for _, parallel := range []int{1, 4} {
		for n, more := int64(1), true; more && !t.Failed(); n++ {
			dest, _ := inMemory(t)
			w := newWorld(t, dest, shop()...)
			src := w.stock()
			var calls atomic.Int64
			src.Fault = func(op rmem.Op, _ *schema.Table) error {
				if calls.Add(1) == n {
					return fmt.Errorf("%s: %w", op, gone)
				}
				return nil
			}
			opts := move.SnapshotOptions{Parallel: parallel}
			err := w.snapshot(src, dest.Open(t), opts)
			if more = calls.Load() >= n; more && !errors.Is(err, gone) {
				t.Errorf("fault %d: got %v, want the cause", n, err)
			}
			for _, table := range w.tables {
				if got, rows := w.visible(table), content(shop(), table); len(got) != 0 {
					w.want(table, rows)
				}
			}
			if err := w.snapshot(w.stock(), dest.Open(t), opts); err != nil {
				t.Errorf("fault %d: second run: %v", n, err)
			}
			for _, table := range w.tables {
				w.want(table, content(shop(), table))
			}
		}
	}
}
