package fault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
	"github.com/tablehaul/tablehaul/pkg/writer/mem"
)

// TestShare reaches the writer within, and a fault comes before its merge or after it.
func TestShare(t *testing.T) {
	for _, after := range []bool{false, true} {
		state := &mem.State{}
		plan := &fault.Plan{At: 1, Only: fault.Commit, After: after}
		w, err := fault.Wrap(mem.Sink{State: state}, plan).Open(t.Context(), shape, writer.Extend)
		if err != nil {
			t.Fatal(err)
		}
		w.(writer.Sharer).Share(func(held, _, next batch.Position) (batch.Position, error) { return held + next, nil })
		if err := w.Commit(t.Context(), "p"); !errors.Is(err, fault.Err) {
			t.Errorf("got %v, want %v", err, fault.Err)
		}
		if err := w.Commit(t.Context(), "p"); err != nil {
			t.Error(err)
		}
		want := batch.Position("p")
		if after {
			want = "pp"
		}
		if got := state.Position(shape); got != want {
			t.Errorf("got position %q, want %q", got, want)
		}
	}
}

// TestShareNot claims nothing of a writer that shares no table.
func TestShareNot(t *testing.T) {
	w, err := fault.Wrap(plain{mem.Sink{State: &mem.State{}}}, &fault.Plan{}).Open(t.Context(), shape, writer.Extend)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := w.(writer.Sharer); ok {
		t.Error("what is no Sharer has become one")
	}
}

// A plain sink has writers that can do what each can and no more.
type plain struct{ writer.Sink }

func (p plain) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := p.Sink.Open(ctx, t, mode)
	return struct{ writer.Writer }{w}, err
}
