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

// sharedLostReply does not hear that a commit worked, and another run commits before
// anybody asks.
func (k *kit) sharedLostReply() {
	for _, within := range []bool{false, true} {
		if within && k.h.LoseReply == nil {
			continue
		}
		for _, then := range []string{"again", "more", "restart"} {
			t := notes(fmt.Sprintf("share_%v_%s", within, then))
			s := k.sink()
			if !within {
				s = fault.Wrap(s, &fault.Plan{At: 2, Only: fault.Commit, After: true})
			}
			a := k.open(s, t, writer.Extend)
			k.share(a, MergePart("a"))
			k.send(a, t, insert(1, "a"), insert(2, "a"), insert(3, "a"))
			k.commit(a, "a:1")
			b := k.sharing(t, "b", "a:1")
			k.send(b, t, insert(101, "a"))
			k.commit(b, "b:1")
			k.send(a, t, after(1, "b"), remove(2, nil), insert(4, "a"))
			if within {
				k.h.LoseReply(k.T)
			}
			if err := a.Commit(k.Context(), "a:2"); err == nil {
				k.Fatal("the reply was not lost")
			}
			k.send(b, t, after(101, "b"), insert(102, "b"))
			k.commit(b, "b:2")
			want := []batchtest.Row{{1, "b"}, {3, "a"}, {4, "a"}, {101, "b"}, {102, "b"}}
			k.visible(t, want)
			switch then {
			case "again":
				k.commit(a, "a:2")
				k.visible(t, want)
				k.position(b, "a:2 b:2")
			case "restart":
				a = k.sharing(t, "a", "a:2 b:2")
			}
			k.send(a, t, after(4, "c"), remove(1, nil), insert(2, "c"))
			k.commit(a, "a:3")
			k.send(b, t, remove(101, nil))
			k.commit(b, "b:3")
			k.visible(t, []batchtest.Row{{2, "c"}, {3, "a"}, {4, "c"}, {102, "b"}})
			k.restart(t, writer.Extend, "a:3 b:3")
		}
	}
}

// sharedCrash has a run die while others live: what it had staged is gone, and theirs is
// not.
func (k *kit) sharedCrash() {
	t := notes("crash")
	k.close(k.sharing(t, "a", ""))
	a := k.sharing(t, "a", "")
	k.send(a, t, insert(1, "a"))
	k.commit(a, "a:1")
	b := k.sharing(t, "b", "a:1")
	k.send(b, t, insert(101, "a"), insert(102, "a"), after(101, "b"))
	k.send(a, t, after(1, "lost"), insert(2, "lost"))
	a = k.sharing(t, "a", "a:1")
	k.visible(t, []batchtest.Row{{1, "a"}})
	k.send(a, t, after(1, "b"))
	k.commit(b, "b:1")
	k.commit(a, "a:2")
	k.visible(t, []batchtest.Row{{1, "b"}, {101, "b"}, {102, "a"}})
}

// sharedEmptied has a run empty the table while the others stand still.
func (k *kit) sharedEmptied() {
	t := notes("share_emptied")
	a := k.sharing(t, "a", "")
	k.send(a, t, insert(1, "a"))
	k.commit(a, "a:1")
	b := k.sharing(t, "b", "a:1")
	k.send(b, t, insert(101, "a"), insert(102, "a"))
	k.commit(b, "b:1")
	k.send(a, t, after(1, "b"))
	k.empty(a, t, insert(2, "a"))
	k.commit(a, "a:2")
	k.visible(t, []batchtest.Row{{2, "a"}})
	k.send(b, t, insert(101, "b"))
	k.commit(b, "b:2")
	k.send(a, t, after(2, "b"))
	k.commit(a, "a:3")
	k.visible(t, []batchtest.Row{{2, "b"}, {101, "b"}})
}

// sharedTogether commits several tables in one step, to each of which another run has
// committed, or not.
func (k *kit) sharedTogether() {
	s := k.sink()
	c, ok := s.(writer.Committer)
	if !ok {
		k.Skip("the sink commits tables one by one")
	}
	tables := []*schema.Table{notes("share_1"), notes("share_2"), notes("share_3")}
	ws := make([]writer.Writer, len(tables))
	open := func() {
		for i, t := range tables {
			ws[i] = k.open(s, t, writer.Extend)
			k.share(ws[i], MergePart("a"))
		}
	}
	open()
	for i, t := range tables {
		k.send(ws[i], t, insert(1, "a"), insert(2, "a"))
	}
	err := c.CommitAll(k.Context(), ws, "a:1")
	if errors.Is(err, errors.ErrUnsupported) {
		k.Skip("the sink commits tables one by one")
	}
	if err != nil {
		k.Fatalf("commit all: %v", err)
	}
	b := k.sharing(tables[1], "b", "a:1")
	for n := 2; n < 5; n++ {
		for i, t := range tables {
			k.send(ws[i], t, after(1, fmt.Sprint(n)), insert(n+1, "a"))
		}
		k.send(b, tables[1], insert(100+n, "b"))
		k.commit(b, batch.Position(fmt.Sprint("b:", n)))
		if n == 4 && k.h.LoseReply != nil {
			k.h.LoseReply(k.T)
			if err := c.CommitAll(k.Context(), ws, "a:4"); err == nil {
				k.Fatal("the reply was not lost")
			}
			k.commit(b, "b:5")
		}
		if err := c.CommitAll(k.Context(), ws, batch.Position(fmt.Sprint("a:", n))); err != nil {
			k.Fatalf("commit all: %v", err)
		}
	}
	rows := []batchtest.Row{{1, "4"}, {2, "a"}, {3, "a"}, {4, "a"}, {5, "a"}}
	k.visible(tables[0], rows)
	k.visible(tables[1], append(slices.Clone(rows), batchtest.Row{102, "b"}, batchtest.Row{103, "b"}, batchtest.Row{104, "b"}))
	k.visible(tables[2], rows)

	// One that is refused keeps the others back.
	heir := k.sharing(tables[2], "a", "a:4")
	k.send(heir, tables[2], insert(9, "a"))
	k.commit(heir, "a:5")
	for i, t := range tables {
		k.send(ws[i], t, insert(9, "a"))
	}
	if err := c.CommitAll(k.Context(), ws, "a:5"); !errors.Is(err, writer.ErrFenced) {
		k.Fatalf("commit all: got %v, want %v", err, writer.ErrFenced)
	}
	k.visible(tables[0], rows)
	k.visible(tables[2], append(rows, batchtest.Row{9, "a"}))
}
