package writertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// repeat loses the reply of a commit between the sink and its caller.
func (k *kit) repeat() {
	k.afterLostReply(func(s writer.Sink) writer.Sink {
		return fault.Wrap(s, &fault.Plan{At: 1, Only: fault.Commit, After: true})
	}, func() {})
}

// repeatWithin loses it between the sink and its store.
func (k *kit) repeatWithin() {
	if k.h.LoseReply == nil {
		k.Skip("the harness cannot lose a reply")
	}
	k.afterLostReply(func(s writer.Sink) writer.Sink { return s }, func() { k.h.LoseReply(k.T) })
}

// afterLostReply commits in each mode, does not hear that it worked, and then
// either commits again or restarts. The reply is lost by the sink that wrap
// returns or by what arm does just before.
func (k *kit) afterLostReply(wrap func(writer.Sink) writer.Sink, arm func()) {
	for _, mode := range []writer.Mode{writer.Create, writer.Append, writer.Evolve, writer.Replace} {
		for _, again := range []bool{true, false} {
			t := batchtest.Shape("shop", fmt.Sprintf("%s_%v", mode, again), "id bigint key", "note varchar(50)", "price decimal(5,2)")
			want := ids(1, 3)
			if mode != writer.Create { // there is something to add to, or to exchange
				was, rows := t, ids(8, 9)
				if mode != writer.Append { // in another shape
					was, rows = batchtest.Shape(t.DB, t.Name, "id int key", "note varchar(50)"), []batchtest.Row{{8, "note"}, {9, "note"}}
				}
				w := k.restart(was, writer.Create, "")
				k.write(w, was, rows)
				k.commit(w, "p0")
				k.close(w)
			}
			if mode == writer.Append || mode == writer.Evolve {
				want = append(want, ids(8, 9)...)
			}
			w := k.open(wrap(k.sink()), t, mode)
			k.write(w, t, ids(1, 3))
			arm()
			if err := w.Commit(k.Context(), "p1"); err == nil {
				k.Fatalf("%s: the reply was not lost", mode)
			}
			k.visible(t, want)
			if again {
				k.commit(w, "p1")
				k.visible(t, want)
				k.write(w, t, ids(4, 4)) // the writer is as good as new
				k.commit(w, "p2")
				k.visible(t, append(want, ids(4, 4)...))
				k.restart(t, writer.Append, "p2")
			} else {
				k.restart(t, writer.Append, "p1")
				k.visible(t, want)
			}
		}
	}
}

// Stride is how far apart the faults of a sweep are: with -short, as the race detector runs them, not
// every one is made.
func Stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// everyFault copies two tables the way package move does, fails every operation
// once before and once after it has taken effect, restarts, and wants the
// outcome of a run that never failed.
func (k *kit) everyFault() {
	for _, after := range []bool{false, true} {
		for n := 1; ; n += Stride() {
			tables := []*schema.Table{orders(), orders()}
			for i, t := range tables {
				t.DB, t.Name = fmt.Sprintf("after_%v_%d", after, n), fmt.Sprintf("t%d", i)
			}
			plan := &fault.Plan{At: n, After: after}
			err := k.copyTables(fault.Wrap(k.sink(), plan), tables)
			if !plan.Fired() {
				break
			}
			if err != nil && !errors.Is(err, fault.Err) {
				k.Fatalf("fault %d: got %v, want %v", n, err, fault.Err)
			}
			for _, t := range tables {
				if got := k.rows(t); len(got) != 0 {
					k.visible(t, ids(1, 6)) // half a table is worse than none
				}
			}
			if err := k.copyTables(k.sink(), tables); err != nil {
				k.Fatalf("fault %d (%v): restart: %v", n, err, err)
			}
			for _, t := range tables {
				k.visible(t, ids(1, 6))
				k.restart(t, writer.Create, "p1")
			}
		}
	}
}

func (k *kit) copyTables(s writer.Sink, tables []*schema.Table) error {
	ctx := k.Context()
	for _, t := range tables {
		w, err := s.Open(ctx, t, writer.Create)
		if err != nil {
			return err
		}
		pos, err := w.Position(ctx)
		if err == nil && pos == "" {
			err = k.copyTable(ctx, w, t)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
	}
	return s.Close()
}

func (k *kit) copyTable(ctx context.Context, w writer.Writer, t *schema.Table) error {
	for first := 1; first <= 6; first += 3 {
		err := k.lend(t, ids(first, first+2), func(b *batch.Batch) error { return w.Write(ctx, b) })
		if err != nil {
			return err
		}
	}
	return w.Commit(ctx, "p1")
}

// twoWriters runs two programs on one table. One of them must be refused, be it
// by the position having moved on: rows of both would be rows twice.
func (k *kit) twoWriters() {
	t := orders()
	a := k.restart(t, writer.Create, "")
	k.write(a, t, ids(1, 3))
	b := k.restart(t, writer.Create, "")
	k.write(b, t, ids(4, 6))
	errA, errB := a.Commit(k.Context(), "pa"), b.Commit(k.Context(), "pb")
	switch {
	case errA == nil && errB != nil:
		k.visible(t, ids(1, 3))
		k.restart(t, writer.Create, "pa")
	case errA != nil && errB == nil:
		k.visible(t, ids(4, 6))
		k.restart(t, writer.Create, "pb")
	default:
		k.Errorf("commits of two writers: got %v and %v, want one to be refused", errA, errB)
	}
}
