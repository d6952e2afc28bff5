package move_test

import (
	"fmt"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// parallels runs a test with one reader and with several.
func parallels(t *testing.T, f func(t *testing.T, opts move.SnapshotOptions)) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprintf("parallel=%d", n), func(t *testing.T) { f(t, move.SnapshotOptions{Parallel: n}) })
	}
}

func TestSnapshot(t *testing.T) {
	parallels(t, func(t *testing.T, opts move.SnapshotOptions) {
		tables := append(shop(), batchtest.AllTypes("all", "types"))
		for i := range 50 {
			shape := batchtest.Shape("many", fmt.Sprintf("t%d", i), "id bigint key", "note varchar(50)")
			tables = append(tables, batchtest.Table{Table: shape, Rows: batchtest.Fill(shape, i)})
		}
		dest, state := inMemory(t)
		w := newWorld(t, dest, tables...)
		src := w.stock()
		src.Readers = 3 // fewer than asked for
		opts.Progress = progress.NewRun()
		if err := w.snapshot(src, dest.Open(t), opts); err != nil {
			t.Fatal(err)
		}
		view := opts.Progress.View()
		for i, table := range w.tables {
			rows := content(tables, table)
			w.want(table, rows)
			if got := state.Position(table); got != "mem:56" {
				t.Errorf("%s: got position %q, want that of the point", table, got)
			}
			if v := view.Tables[i]; v.Name != table.String() || v.State != progress.Whole || v.Rows != int64(len(rows)) || v.Estimate != v.Rows {
				t.Errorf("%s: got progress %+v, want %d rows, whole", table, v, len(rows))
			}
		}
		if got := state.InUse(); got != 0 {
			t.Errorf("got %d writers still open", got)
		}
	})
}

// A second run finds all tables whole and does not even ask the source.
func TestSnapshotAgain(t *testing.T) {
	dest, state := inMemory(t)
	w := newWorld(t, dest, shop()...)
	if err := w.snapshot(w.stock(), dest.Open(t), move.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	src := w.stock()
	src.Fault = func(op rmem.Op, _ *schema.Table) error { return fmt.Errorf("%s was called", op) }
	opts := move.SnapshotOptions{Progress: progress.NewRun()}
	if err := w.snapshot(src, dest.Open(t), opts); err != nil {
		t.Errorf("second run: %v", err)
	}
	for i, table := range w.tables {
		if got := opts.Progress.View().Tables[i].State; got != progress.Skipped || state.Commits(table) != 1 {
			t.Errorf("%s: got %s and %d commits, want it skipped", table, got, state.Commits(table))
		}
	}
	w.tables = nil
	if err := w.snapshot(src, dest.Open(t), move.SnapshotOptions{}); err != nil {
		t.Errorf("no tables: %v", err)
	}
}

// What a table holds at the sink goes with the table: a run over thousands would
// else keep the files and buffers of all.
func TestSnapshotClosesTables(t *testing.T) {
	dest, state := inMemory(t)
	w := newWorld(t, dest, shop()...)
	var open []int
	plan := &fault.Plan{Watch: func(op fault.Op, table *schema.Table, done bool) {
		if op == fault.Commit && !done && table.Name != "empty" { // which the planner commits, at any time
			open = append(open, state.InUse())
		}
	}}
	if err := w.snapshot(w.stock(), fault.Wrap(dest.Open(t), plan), move.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, got := range open {
		if most := 5 - i; got > most {
			t.Errorf("commit %d: got %d writers open, want at most %d", i+1, got, most)
		}
	}
}
