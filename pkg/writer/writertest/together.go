package writertest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// changesAfterLostReply commits changes, does not hear that it worked, and then
// commits again, goes on without, or restarts.
func (k *kit) changesAfterLostReply() {
	for _, within := range []bool{false, true} {
		if within && k.h.LoseReply == nil {
			continue
		}
		for _, then := range []string{"again", "more", "restart"} {
			t := notes(fmt.Sprintf("lost_%v_%s", within, then))
			s := k.sink()
			if !within {
				s = fault.Wrap(s, &fault.Plan{At: 2, Only: fault.Commit, After: true})
			}
			w := k.open(s, t, writer.Follow)
			k.send(w, t, insert(1, "a"), insert(2, "b"), insert(3, "c"))
			k.commit(w, "p1")
			k.send(w, t, after(1, "d"), remove(2, nil), insert(4, "e"))
			if within {
				k.h.LoseReply(k.T)
			}
			if err := w.Commit(k.Context(), "p2"); err == nil {
				k.Fatal("the reply was not lost")
			}
			want := []batchtest.Row{{1, "d"}, {3, "c"}, {4, "e"}}
			k.visible(t, want)
			switch then {
			case "again":
				k.commit(w, "p2")
				k.visible(t, want)
			case "restart":
				w = k.restart(t, writer.Follow, "p2")
			}
			k.send(w, t, after(4, "f"), remove(1, nil), insert(2, "g"))
			k.commit(w, "p3")
			k.visible(t, []batchtest.Row{{3, "c"}, {4, "f"}, {2, "g"}})
			k.restart(t, writer.Follow, "p3")
		}
	}
}

// A feed is changes in commits, which can be taken up behind any of them, and
// what the table holds then.
var feed = []struct {
	changes []change
	rows    []batchtest.Row
}{
	{[]change{insert(1, "a"), insert(2, "b")}, []batchtest.Row{{1, "a"}, {2, "b"}}},
	{[]change{after(1, "c"), remove(2, nil), insert(3, "d")}, []batchtest.Row{{1, "c"}, {3, "d"}}},
	{[]change{before(3, nil), after(2, "d"), after(1, "e")}, []batchtest.Row{{1, "e"}, {2, "d"}}},
}

// followFeed takes up the feed where the table is.
func (k *kit) followFeed(s writer.Sink, t *schema.Table) error {
	w, err := s.Open(k.Context(), t, writer.Follow)
	if err != nil {
		return err
	}
	pos, err := w.Position(k.Context())
	from := len(pos) // the position is as long as there were commits
	for i := from; err == nil && i < len(feed); i++ {
		for _, c := range feed[i].changes {
			err = errors.Join(err, k.trySend(w, t, false, []change{c}))
		}
		if err == nil {
			err = w.Commit(k.Context(), pos+batch.Position(fmt.Sprint(i)))
			pos += batch.Position(fmt.Sprint(i))
		}
	}
	return errors.Join(err, w.Close(), s.Close())
}

// changesAfterFaults fails every operation of a feed once, before and after it
// has taken effect, restarts, and wants the outcome of a run that never failed.
func (k *kit) changesAfterFaults() {
	for _, late := range []bool{false, true} {
		for n := 1; ; n += Stride() {
			t := notes(fmt.Sprintf("fault_%v_%d", late, n))
			plan := &fault.Plan{At: n, After: late}
			err := k.followFeed(fault.Wrap(k.sink(), plan), t)
			if !plan.Fired() {
				break
			}
			if err != nil && !errors.Is(err, fault.Err) {
				k.Fatalf("fault %d: got %v, want %v", n, err, fault.Err)
			}
			got := k.rows(t)
			if !slices.ContainsFunc(feed, func(f struct {
				changes []change
				rows    []batchtest.Row
			},
			) bool {
				return batchtest.Diff(got, f.rows) == ""
			}) && len(got) > 0 {
				k.Fatalf("fault %d: %v was never the content", n, got)
			}
			if err := k.followFeed(k.sink(), t); err != nil {
				k.Fatalf("fault %d (%v): restart: %v", n, err, err)
			}
			k.visible(t, feed[len(feed)-1].rows)
		}
	}
}

// together commits several tables in one step.
func (k *kit) together() {
	s := k.sink()
	c, ok := s.(writer.Committer)
	if !ok {
		k.Skip("the sink commits tables one by one")
	}
	tables := []*schema.Table{notes("all_1"), notes("all_2"), notes("all_3")}
	open := func(want batch.Position) []writer.Writer {
		var ws []writer.Writer
		for _, t := range tables {
			w := k.open(s, t, writer.Follow)
			if pos, err := w.Position(k.Context()); err != nil || pos != want {
				k.Fatalf("position of %s: got %q, %v, want %q", t, pos, err, want)
			}
			ws = append(ws, w)
		}
		return ws
	}
	visible := func(rows ...[]batchtest.Row) {
		k.Helper()
		for i, t := range tables {
			k.visible(t, rows[i])
		}
	}
	ws := open("")
	for i, t := range tables {
		k.send(ws[i], t, insert(1, "a"), insert(2+i, "b"))
	}
	err := c.CommitAll(k.Context(), ws, "p1")
	if errors.Is(err, errors.ErrUnsupported) {
		visible(nil, nil, nil)
		for i := range tables { // and nothing was done
			k.commit(ws[i], "p1")
		}
		visible([]batchtest.Row{{1, "a"}, {2, "b"}}, []batchtest.Row{{1, "a"}, {3, "b"}}, []batchtest.Row{{1, "a"}, {4, "b"}})
		return
	}
	if err != nil {
		k.Fatalf("commit all: %v", err)
	}
	first := [][]batchtest.Row{{{1, "a"}, {2, "b"}}, {{1, "a"}, {3, "b"}}, {{1, "a"}, {4, "b"}}}
	visible(first...)

	// One that is fenced keeps the others back.
	other := k.restart(tables[1], writer.Follow, "p1")
	for i, t := range tables {
		k.send(ws[i], t, after(1, "c"))
	}
	k.send(other, tables[1], after(1, "d"))
	k.commit(other, "px")
	if err := c.CommitAll(k.Context(), ws, "p2"); !errors.Is(err, writer.ErrFenced) {
		k.Fatalf("commit all: got %v, want %v", err, writer.ErrFenced)
	}
	visible(first[0], []batchtest.Row{{1, "d"}, {3, "b"}}, first[2])
	k.commit(other, "p1")
	for i := range ws {
		k.close(ws[i])
	}

	// A repeat, a position alone for one of them, and on.
	s = k.sink()
	c = s.(writer.Committer)
	ws = open("p1")
	k.send(ws[0], tables[0], after(1, "e"))
	k.empty(ws[2], tables[2])
	if k.h.LoseReply != nil {
		k.h.LoseReply(k.T)
		if err := c.CommitAll(k.Context(), ws, "p2"); err == nil {
			k.Fatal("the reply was not lost")
		}
	}
	for range 2 {
		if err := c.CommitAll(k.Context(), ws, "p2"); err != nil {
			k.Fatalf("commit all again: %v", err)
		}
		visible([]batchtest.Row{{1, "e"}, {2, "b"}}, []batchtest.Row{{1, "d"}, {3, "b"}}, nil)
	}
	k.send(ws[2], tables[2], insert(7, "f"))
	if err := c.CommitAll(k.Context(), ws[1:], "p3"); err != nil {
		k.Fatalf("commit some: %v", err)
	}
	k.commit(ws[0], "p3")
	visible([]batchtest.Row{{1, "e"}, {2, "b"}}, []batchtest.Row{{1, "d"}, {3, "b"}}, []batchtest.Row{{7, "f"}})
	s = k.sink()
	open("p3")
}

func (k *kit) list() {
	s := k.sink()
	l, ok := s.(writer.Lister)
	if !ok {
		k.Skip("the sink does not list its tables")
	}
	before, err := l.List(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		t := notes(name)
		w := k.open(s, t, writer.Follow)
		k.send(w, t, insert(1, "a"))
		if name != "three" { // what has no position is not listed
			k.commit(w, batch.Position("of "+name))
		}
	}
	held, err := l.List(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	got := map[string]batch.Position{}
	for _, h := range held {
		if h.Name == "" || h.Committed.IsZero() {
			k.Errorf("got %+v, want a name and a time", h)
		}
		if !slices.Contains(before, h) {
			got[h.Source] = h.Position
		}
	}
	if len(got) != 2 {
		k.Errorf("got %v, want two tables", got)
	}
	if !slices.IsSortedFunc(held, func(a, b writer.Held) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		k.Error("the tables are not sorted")
	}
}
