package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// openTo opens a table to a mode.
func (p place) openTo(s *Sink, t *schema.Table, mode writer.Mode) *Writer {
	p.t.Helper()
	w, err := s.Open(p.t.Context(), t, mode)
	if err != nil {
		p.t.Fatal(err)
	}
	return w.(*Writer)
}

// stock stages rows of stock of an origin, and says so if they are all.
func (p place) stock(w *Writer, origin int, whole bool, keys ...int) {
	p.t.Helper()
	var rows []batchtest.Row
	for _, k := range keys {
		rows = append(rows, batchtest.Row{int64(k), "r", nil, nil, nil})
	}
	b := batchtest.Build(memory.DefaultAllocator, w.table, rows)
	defer b.Release()
	b.Origin = origin
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel() // behind the call it is of no account
	if err := w.Write(ctx, b); err != nil {
		p.t.Fatal(err)
	}
	if whole {
		if err := w.Whole(p.t.Context(), origin); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p place) keep(w *Writer, note string) {
	p.t.Helper()
	if err := w.Keep(p.t.Context(), note); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) kept(w *Writer, want string) {
	p.t.Helper()
	k := w.Kept()
	if got := fmt.Sprint(k.Note, k.Origins, k.Rows); got != want {
		p.t.Errorf("kept is %s, want %s", got, want)
	}
}

// commitNow ends the transaction of stock as its age does.
func (p place) commitNow(s *Sink) {
	p.t.Helper()
	if err := s.session.commitStock(p.t.Context(), nil); err != nil {
		p.t.Fatal(err)
	}
}

// TestStock has runs end in the midst of stock: the next goes on with what is whole.
func TestStock(t *testing.T) {
	p := newPlace(t, "&partitions=3")
	a := logOf(t, "a")
	s := p.sink()
	w := p.openTo(s, a, writer.Create)
	p.kept(w, "[] 0")
	p.keep(w, "plan")
	p.stock(w, 0, true, 1, 2)
	p.commitNow(s)
	p.stock(w, 1, true, 3) // is lost with the run
	p.stock(w, 2, false, 5)

	s = p.sink()
	w = p.openTo(s, a, writer.Follow)
	p.kept(w, "plan[0] 2")
	w = p.openTo(s, a, writer.Create)
	p.kept(w, "plan[0] 2")
	p.keep(w, "plan")
	p.stock(w, 2, true, 5, 6)
	p.stock(w, 1, true, 3, 4)
	w.Tag("run")
	p.commit(s, "one", w)
	p.want("a1 a2 a3 a4 a5 a6")

	s = p.sink()
	w = p.openTo(s, a, writer.Create)
	if pos, _ := w.Position(t.Context()); pos != "one" || w.Tagged() != "run" {
		t.Errorf("got position %q of %q, want one of run", pos, w.Tagged())
	}
	p.kept(w, "[] 0")
}

// TestStockOpen has a split be too slow for a transaction: what it has sent is visible,
// and a run that does not see its end leaves a copy that is begun again.
func TestStockOpen(t *testing.T) {
	p := newPlace(t, "&partitions=2&transaction-timeout=1s")
	a, b := logOf(t, "a"), logOf(t, "b")
	s := p.sink()
	w := p.openTo(s, a, writer.Create)
	p.keep(w, "plan")
	p.stock(w, 0, false, 1)
	p.commitNow(s) // waits in vain
	p.stock(w, 0, true, 2)
	p.commitNow(s)
	other := p.openTo(s, b, writer.Create) // keeps nothing
	p.stock(other, 0, false, 1)
	p.commitNow(s)
	p.stock(other, 0, false, 2)
	p.stock(w, 1, false, 3)
	p.commitNow(s)
	p.want("a1 a2 a3 b1 b2")

	s = p.sink()
	w, other = p.openTo(s, a, writer.Create), p.openTo(s, b, writer.Create)
	p.kept(w, "[] 0")
	p.kept(other, "[] 0")
	p.keep(w, "plan")
	p.stock(w, 0, true, 1, 2)
	p.stock(other, 0, false, 1, 2)
	p.stock(w, 1, true, 3)
	p.commit(s, "one", w)
	p.commit(s, "one", other)
	// Emptied in each of the partitions.
	p.want("a1 a1 a2 a2 a3 a3 a∅ a∅ b1 b1 b2 b2 b∅ b∅")
}

// TestStockTogether has several workers copy several tables.
func TestStockTogether(t *testing.T) {
	p := newPlace(t, "")
	s := p.sink()
	s.opts.KeepEvery = time.Millisecond
	var all sync.WaitGroup
	want := ""
	for i := range 6 {
		w := p.openTo(s, logOf(t, fmt.Sprint("t", i, "_")), writer.Create)
		for k := range 20 {
			want += fmt.Sprintf("t%d_%d ", i, 10+k)
		}
		p.keep(w, "plan")
		all.Go(func() {
			for o := range 10 {
				p.stock(w, o, true, 10+2*o, 11+2*o)
			}
			if err := w.Commit(t.Context(), "one"); err != nil {
				t.Error(err)
			}
			w.Close()
		})
	}
	all.Wait()
	p.want(want[:len(want)-1])
}

// TestStockModes has tables copied anew, and added to.
func TestStockModes(t *testing.T) {
	p := newPlace(t, "")
	a := logOf(t, "a")
	s := p.sink()
	w := p.openTo(s, a, writer.Replace)
	p.stock(w, 0, false, 1)
	p.commit(s, "one", w)
	p.want("a1")
	w = p.openTo(s, a, writer.Append)
	p.stock(w, 0, false, 2)
	p.commit(s, "two", w)
	p.want("a1 a2")
	w = p.openTo(s, a, writer.Replace)
	p.commit(s, "three", w)
	p.want("a1 a2 a∅")
	w = p.openTo(s, a, writer.Replace)
	p.keep(w, "plan")
	p.stock(w, 0, true, 3)
	p.stock(w, 1, false, 4)
	w.Close()
	p.commitNow(s)
	w = p.openTo(s, a, writer.Follow)
	if pos, _ := w.Position(t.Context()); pos != "" {
		t.Errorf("got position %q of a table that is being replaced", pos)
	}
	w = p.openTo(s, a, writer.Create) // in the same run
	p.stock(w, 0, false, 5)
	p.commit(s, "four", w)
	p.write(w, a, 6)
	p.commit(s, "five", w)
	p.want("a1 a2 a3 a4 a5 a6 a∅ a∅ a∅")
	if _, err := s.Open(t.Context(), a, writer.Evolve); err == nil {
		t.Error("evolve: got no error")
	}
}

// TestStockDiscarded gives up what was kept, for good.
func TestStockDiscarded(t *testing.T) {
	p := newPlace(t, "")
	a := logOf(t, "a")
	s := p.sink()
	w := p.openTo(s, a, writer.Create)
	p.keep(w, "plan")
	p.stock(w, 0, true, 1)
	p.commitNow(s)
	p.stock(w, 1, false, 2)
	p.keep(w, "")
	w.Close()

	s = p.sink()
	w = p.openTo(s, a, writer.Create)
	p.kept(w, "[] 0")
	p.stock(w, 0, false, 1)
	p.commit(s, "one", w)
	p.want("a1 a1 a2 a∅")
}

// TestStockDue ends a transaction while nothing comes: a source that is paused.
func TestStockDue(t *testing.T) {
	p := newPlace(t, "&transaction-timeout=2s")
	a := logOf(t, "a")
	s := p.sink()
	w := p.openTo(s, a, writer.Create)
	p.keep(w, "plan")
	p.stock(w, 0, true, 1)
	time.Sleep(4 * time.Second) // until the brokers would have given it up
	p.stock(w, 1, true, 2)
	p.commit(s, "one", w)
	p.want("a1 a2")
}
