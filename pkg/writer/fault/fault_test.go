package fault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
	"github.com/tablehaul/tablehaul/pkg/writer/mem"
)

var shape = batchtest.Shape("db", "t", "id bigint key")

// run makes one operation of each kind, and goes on whatever happens, as long as
// there is a writer to go on with.
func run(ctx context.Context, s writer.Sink) (failed []string) {
	note := func(err error) {
		if err != nil {
			failed = append(failed, err.Error())
		}
	}
	w, err := s.Open(ctx, shape, writer.Create)
	note(err)
	if err == nil {
		_, err = w.Position(ctx)
		note(err)
		b := batchtest.Build(memory.DefaultAllocator, shape, []batchtest.Row{{1}})
		note(w.Write(ctx, b))
		b.Release()
		note(w.Commit(ctx, "p"))
		note(w.Close())
	}
	note(s.Close())
	return failed
}

func TestPlan(t *testing.T) {
	for n, test := range []struct {
		op            fault.Op
		before, after int // rows that are visible then
	}{
		{fault.Open, 0, 0},
		{fault.Position, 1, 1},
		{fault.Write, 0, 1},
		{fault.Commit, 0, 1},
		{fault.Close, 1, 1},
		{fault.End, 1, 1},
		{"", 1, 1}, // past the last operation
	} {
		for _, after := range []bool{false, true} {
			state := &mem.State{}
			plan := &fault.Plan{At: n + 1, After: after}
			failed := run(t.Context(), fault.Wrap(mem.Sink{State: state}, plan))
			var want []string
			if test.op != "" {
				want = []string{string(test.op) + ": injected fault"}
			}
			if !slices.Equal(failed, want) || plan.Fired() != (want != nil) {
				t.Errorf("At %d, After %v: got failures %q and Fired %v, want %q", n+1, after, failed, plan.Fired(), want)
			}
			rows := test.before
			if after {
				rows = test.after
			}
			if got := len(state.Rows(shape)); got != rows {
				t.Errorf("At %d, After %v: got %d rows, want %d", n+1, after, got, rows)
			}
		}
	}
}

func TestPlanOnly(t *testing.T) {
	cause := errors.New("disk full")
	var mu sync.Mutex
	var seen []string
	plan := &fault.Plan{At: 2, Only: fault.Commit, Err: cause, Watch: func(op fault.Op, _ *schema.Table, done bool) {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			seen = append(seen, string(op))
		}
	}}
	w, err := fault.Wrap(mem.Sink{State: &mem.State{}}, plan).Open(t.Context(), shape, writer.Create)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, cause, nil} {
		if got := w.Commit(t.Context(), batch.Position("p")); !errors.Is(got, want) {
			t.Errorf("commit %d: got %v, want %v", i+1, got, want)
		}
	}
	if got, want := strings.Join(seen, " "), "open commit commit commit"; got != want {
		t.Errorf("watched: got %s, want %s", got, want)
	}
}
