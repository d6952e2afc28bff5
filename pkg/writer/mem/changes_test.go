package mem_test

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/mem"
)

func TestHistory(t *testing.T) {
	table := batchtest.Shape("db", "t", "id bigint key", "v varchar(20)")
	state := &mem.State{}
	w, err := mem.Sink{State: state}.Open(t.Context(), table, writer.Follow)
	if err != nil {
		t.Fatal(err)
	}
	step := func(pos batch.Position, emptied bool, ops []batch.Op, rows ...batchtest.Row) {
		t.Helper()
		b := batchtest.Build(memory.DefaultAllocator, table, rows)
		defer b.Release()
		b.Ops, b.Emptied = ops, emptied
		if err := errors.Join(w.Write(t.Context(), b), w.Commit(t.Context(), pos)); err != nil {
			t.Fatal(err)
		}
	}
	step("p1", false, nil, batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	step("p2", false, []batch.Op{batch.After, batch.Delete}, batchtest.Row{1, "c"}, batchtest.Row{2, nil})
	step("p3", false, []batch.Op{batch.Before, batch.After}, batchtest.Row{1, nil}, batchtest.Row{3, "c"})
	step("p4", true, nil, batchtest.Row{4, "d"})
	want := []mem.Version{
		{Position: "p1", Rows: []batchtest.Row{{int64(1), "a"}, {int64(2), "b"}}},
		{Position: "p2", Rows: []batchtest.Row{{int64(1), "c"}}},
		{Position: "p3", Rows: []batchtest.Row{{int64(3), "c"}}},
		{Position: "p4", Rows: []batchtest.Row{{int64(4), "d"}}},
	}
	got := state.History(table)
	if len(got) != len(want) {
		t.Fatalf("got %d versions, want %d", len(got), len(want))
	}
	for i, v := range got {
		if diff := batchtest.Diff(v.Rows, want[i].Rows); v.Position != want[i].Position || diff != "" {
			t.Errorf("version %d: position %q, want %q: %s", i, v.Position, want[i].Position, diff)
		}
	}
}

func TestCommitAll(t *testing.T) {
	tables := []string{"a", "b"}
	state := &mem.State{}
	var ws []writer.Writer
	sink := mem.Sink{State: state, Together: true}
	for _, name := range tables {
		w, err := sink.Open(t.Context(), batchtest.Shape("db", name, "id bigint key"), writer.Follow)
		if err != nil {
			t.Fatal(err)
		}
		ws = append(ws, w)
	}
	if err := (mem.Sink{State: state}).CommitAll(t.Context(), ws, "p"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
	if err := ws[1].Close(); err != nil {
		t.Fatal(err)
	}
	if err := sink.CommitAll(t.Context(), ws, "p"); err == nil {
		t.Error("a closed writer: got no error")
	}
	if held, err := sink.List(t.Context()); len(held) != 0 || err != nil {
		t.Errorf("after a refusal: got %v, %v", held, err)
	}
	if err := sink.CommitAll(t.Context(), ws[:1], "p"); err != nil {
		t.Error(err)
	}
	held, err := sink.List(t.Context())
	if err != nil || len(held) != 1 || held[0].Name != "db.a" || held[0].Position != "p" || held[0].Committed.IsZero() {
		t.Errorf("got %v, %v", held, err)
	}
}
