package move_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// TestSnapshotTableError fails one table in each way that one can fail alone.
func TestSnapshotTableError(t *testing.T) {
	cause := &schema.TableError{Table: "shop.orders", Err: errors.New("it was dropped")}
	faults := map[string]func(*rmem.Stock, *fault.Plan){
		"commit": func(_ *rmem.Stock, p *fault.Plan) { p.At = 1 },
	}
	for _, op := range []rmem.Op{rmem.Splits, rmem.Open, rmem.Read} {
		faults[string(op)] = func(s *rmem.Stock, _ *fault.Plan) {
			var mu sync.Mutex
			calls := 0
			s.Fault = func(got rmem.Op, table *schema.Table) error {
				mu.Lock()
				defer mu.Unlock()
				if got != op || table.Name != "orders" {
					return nil
				}
				if calls++; calls > 1 || op == rmem.Splits { // of several splits, in the middle
					return cause
				}
				return nil
			}
		}
	}
	for name, arm := range faults {
		t.Run(name, func(t *testing.T) {
			parallels(t, func(t *testing.T, opts move.SnapshotOptions) {
				dest, state := inMemory(t)
				w := newWorld(t, dest, shop()...)
				src, plan := w.stock(), &fault.Plan{Only: fault.Commit, Table: "shop.orders", Err: cause}
				arm(src, plan)
				opts.Progress = progress.NewRun()
				err := w.snapshot(src, fault.Wrap(dest.Open(t), plan), opts)
				var te *schema.TableError
				if !errors.Is(err, move.ErrIncomplete) || !errors.As(err, &te) || te != cause {
					t.Errorf("got %v, want %v for %v", err, move.ErrIncomplete, cause)
				}
				if err != nil && !strings.Contains(err.Error(), "4 of 5 tables are whole") {
					t.Errorf("got %q, want it to count the tables", err)
				}
				for i, table := range w.tables {
					rows, want := content(shop(), table), progress.Whole
					if table.Name == "orders" {
						rows, want = nil, progress.Failed
					}
					w.want(table, rows)
					if got := opts.Progress.View().Tables[i].State; got != want {
						t.Errorf("%s: got %s, want %s", table, got, want)
					}
				}
				if err := w.snapshot(w.stock(), dest.Open(t), opts); err != nil {
					t.Errorf("second run: %v", err)
				}
				for _, table := range w.tables {
					w.want(table, content(shop(), table))
					if got := state.Commits(table); got != 1 {
						t.Errorf("%s: got %d commits, want 1", table, got)
					}
				}
			})
		})
	}
}

// Only a bare io.EOF ends a split. A connection that breaks off within a packet
// may well report one too, within its own words: what came so far is not all.
func TestSnapshotBrokenOff(t *testing.T) {
	dest, _ := inMemory(t)
	w := newWorld(t, dest, shop()...)
	src := w.stock()
	src.Fault = func(op rmem.Op, table *schema.Table) error {
		if op == rmem.Read && table.Name == "orders" {
			return fmt.Errorf("read packet: %w", io.EOF)
		}
		return nil
	}
	if err := w.snapshot(src, dest.Open(t), move.SnapshotOptions{}); err == nil {
		t.Error("got no error")
	}
	for _, table := range w.tables {
		if table.Name == "orders" {
			w.want(table, nil)
		}
	}
}

// A table that the sink refuses leaves the others alone, be they new or whole from before.
func TestSnapshotOpenRefused(t *testing.T) {
	dest, state := inMemory(t)
	w := newWorld(t, dest, shop()...)
	foreign := w.tables[slices.IndexFunc(w.tables, func(t *schema.Table) bool { return t.Name == "orders" })]
	state.Put(foreign, []batchtest.Row{{1, "not ours"}})
	for _, when := range []string{"new", "whole from before"} {
		err := w.snapshot(w.stock(), dest.Open(t), move.SnapshotOptions{})
		if want := fmt.Sprintf("%d of %d tables are whole: shop.orders: ", len(w.tables)-1, len(w.tables)); !errors.Is(err, move.ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("others are %s: got %v, want %q", when, err, want)
		}
		for _, table := range w.tables {
			if table != foreign {
				w.want(table, content(shop(), table))
			}
		}
		w.want(foreign, []batchtest.Row{{1, "not ours"}})
		if got := state.InUse(); got != 0 {
			t.Errorf("others are %s: got %d writers still open", when, got)
		}
	}

	// Where all are refused, none is whole.
	w.tables = []*schema.Table{foreign}
	if err := w.snapshot(w.stock(), dest.Open(t), move.SnapshotOptions{}); err == nil || errors.Is(err, move.ErrIncomplete) {
		t.Errorf("got %v, want an error other than %v", err, move.ErrIncomplete)
	}
}
