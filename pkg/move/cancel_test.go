package move_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// TestSnapshotCancel cancels the run at its n-th operation on the sink, for
// every n. Nothing may be committed from then on.
func TestSnapshotCancel(t *testing.T) {
	parallels(t, func(t *testing.T, opts move.SnapshotOptions) {
		for n, more := 1, true; more && !t.Failed(); n++ {
			dest, _ := inMemory(t)
			w := newWorld(t, dest, shop()...)
			more = cancelAt(w, n, opts)
			if err := w.snapshot(w.stock(), dest.Open(t), opts); err != nil {
				t.Errorf("cancelled at %d: second run: %v", n, err)
			}
			for _, table := range w.tables {
				w.want(table, content(shop(), table))
			}
		}
	})
}

func cancelAt(w *world, n int, opts move.SnapshotOptions) (more bool) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	before := map[*schema.Table]int{}
	plan := &fault.Plan{}
	calls := make(chan int, 1)
	calls <- 0
	plan.Watch = func(fault.Op, *schema.Table, bool) {
		i := <-calls + 1
		defer func() { calls <- i }()
		if i == n {
			cancel() // first: a commit that is under way is either seen below or refused
			more = true
			for _, table := range w.tables {
				before[table] = len(w.visible(table))
			}
		}
	}
	err := move.Snapshot(ctx, w.stock(), fault.Wrap(w.dest.Open(w.t), plan), w.tables, opts)
	w.freed()
	if !more {
		return false
	}
	whole := true
	for _, table := range w.tables {
		got, rows := len(w.visible(table)), len(content(shop(), table))
		if got != before[table] || got != 0 && got != rows {
			w.t.Errorf("cancelled at %d with %d rows in %s: got %d", n, before[table], table, got)
		}
		whole = whole && got == rows
	}
	if !errors.Is(err, context.Canceled) && !whole || errors.Is(err, move.ErrIncomplete) {
		w.t.Errorf("cancelled at %d: got %v, want %v", n, err, context.Canceled)
	}
	return true
}

// A deaf sink does not look at contexts.
type deaf struct{ writer.Sink }

type deafWriter struct{ writer.Writer }

func (s deaf) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := s.Sink.Open(context.WithoutCancel(ctx), t, mode)
	return deafWriter{w}, err
}

func (w deafWriter) Write(ctx context.Context, b *batch.Batch) error {
	return w.Writer.Write(context.WithoutCancel(ctx), b)
}

func (w deafWriter) Commit(ctx context.Context, pos batch.Position) error {
	return w.Writer.Commit(context.WithoutCancel(ctx), pos)
}

// TestSnapshotCancelDeaf cancels a run when its last row has arrived, with a
// sink that would commit all the same.
func TestSnapshotCancelDeaf(t *testing.T) {
	shape := batchtest.Shape("shop", "orders", "id bigint key")
	dest, _ := inMemory(t)
	w := newWorld(t, dest, batchtest.Table{Table: shape, Rows: batchtest.Fill(shape, 3)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	src := w.stock()
	src.Parts = 1
	reads := 0
	src.Fault = func(op rmem.Op, _ *schema.Table) error {
		if op == rmem.Read {
			if reads++; reads == 2 {
				cancel() // within the Read that finds the end
			}
		}
		return nil
	}
	err := move.Snapshot(ctx, src, deaf{dest.Open(t)}, w.tables, move.SnapshotOptions{})
	if !errors.Is(err, context.Canceled) || reads != 2 {
		t.Errorf("got %v after %d reads, want %v after 2", err, reads, context.Canceled)
	}
	w.want(w.tables[0], nil)
}

// A cutStock is a source whose connection is cut when the run is cancelled, and
// which then says whatever err makes of it. Until then its reads of the table
// hang.
type cutStock struct {
	reader.Stock
	table string
	err   func(ctx context.Context) error
}

type cutSnapshot struct {
	reader.Snapshot
	cut cutStock
}

type cutReader struct {
	reader.Reader
	cut cutStock
}

func (s cutStock) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	snap, err := s.Stock.Pin(ctx, tables, parallel)
	return cutSnapshot{snap, s}, err
}

func (s cutSnapshot) Open(ctx context.Context, split reader.Split) (reader.Reader, error) {
	r, err := s.Snapshot.Open(ctx, split)
	if err != nil || split.Table.Name != s.cut.table {
		return r, err
	}
	return cutReader{r, s.cut}, nil
}

func (r cutReader) Read(ctx context.Context) (*batch.Batch, error) {
	<-ctx.Done()
	return nil, r.cut.err(ctx)
}

// Whatever the source says when it is cut, the run was interrupted: the exit
// code depends on it.
func TestSnapshotCancelText(t *testing.T) {
	dest, _ := inMemory(t)
	w := newWorld(t, dest, shop()...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plan := &fault.Plan{Watch: func(op fault.Op, table *schema.Table, done bool) {
		if op == fault.Commit && table.Name == "lines" && done {
			cancel()
		}
	}}
	cut := errors.New("use of closed network connection")
	src := cutStock{w.stock(), "orders", func(context.Context) error { return cut }}
	err := move.Snapshot(ctx, src, fault.Wrap(dest.Open(t), plan), w.tables, move.SnapshotOptions{Parallel: 4})
	w.freed()
	if !errors.Is(err, context.Canceled) || errors.Is(err, move.ErrIncomplete) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// The first error ends the run and so cuts the other tables short. That is not
// their failure, even if their reader puts it so, and not an interruption.
func TestSnapshotFatalCutsOthers(t *testing.T) {
	dest, _ := inMemory(t)
	w := newWorld(t, dest, shop()...)
	full := errors.New("disk full")
	src := cutStock{w.stock(), "orders", func(ctx context.Context) error {
		return &schema.TableError{Table: "shop.orders", Err: fmt.Errorf("read: %w", ctx.Err())}
	}}
	plan := &fault.Plan{At: 3, Only: fault.Commit, Err: full}
	err := w.snapshot(src, fault.Wrap(dest.Open(t), plan), move.SnapshotOptions{Parallel: 4})
	var te *schema.TableError
	if !errors.Is(err, full) || !errors.Is(err, move.ErrIncomplete) || errors.Is(err, context.Canceled) || errors.As(err, &te) {
		t.Errorf("got %v, want %v as the only cause of %v", err, full, move.ErrIncomplete)
	}
}
