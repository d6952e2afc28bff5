package writertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// Parts of a log and how far each has been read are positions of shared tables here:
// "a:3 b:5".
type reached map[string]int

func parseReached(pos batch.Position) (reached, error) {
	r := reached{}
	for _, f := range strings.Fields(string(pos)) {
		part, n, _ := strings.Cut(f, ":")
		at, err := strconv.Atoi(n)
		if err != nil {
			return nil, fmt.Errorf("position %q: %w", pos, err)
		}
		r[part] = at
	}
	return r, nil
}

func (r reached) position() batch.Position {
	var fields []string
	for _, part := range slices.Sorted(maps.Keys(r)) {
		fields = append(fields, fmt.Sprintf("%s:%d", part, r[part]))
	}
	return batch.Position(strings.Join(fields, " "))
}

// mergePart merges positions for the run that has a part.
func mergePart(part string) func(held, known, next batch.Position) (batch.Position, error) {
	return func(held, known, next batch.Position) (batch.Position, error) {
		h, err := parseReached(held)
		k, err2 := parseReached(known)
		n, err3 := parseReached(next)
		if err := errors.Join(err, err2, err3); err != nil {
			return "", err
		}
		if h[part] != k[part] {
			return "", fmt.Errorf("%w: part %s is at %d, not %d", writer.ErrFenced, part, h[part], k[part])
		}
		h[part] = n[part]
		return h.position(), nil
	}
}

// share has the writer share its table.
func (k *kit) share(w writer.Writer, merge func(held, known, next batch.Position) (batch.Position, error)) {
	k.Helper()
	s, ok := w.(writer.Sharer)
	if !ok {
		k.Skip("the sink shares no table")
	}
	s.Share(merge)
}

// sharing restarts a run that has a part of the table's log.
func (k *kit) sharing(t *schema.Table, part string, want batch.Position) writer.Writer {
	k.Helper()
	w := k.restart(t, writer.Extend, want)
	k.share(w, mergePart(part))
	return w
}

func (k *kit) position(w writer.Writer, want batch.Position) {
	k.Helper()
	if got, err := w.Position(k.Context()); err != nil || got != want {
		k.Fatalf("position: got %q, %v, want %q", got, err, want)
	}
}

// shared has two runs commit by turns, and looks at what merge is asked.
func (k *kit) shared() {
	t := notes("shared")
	var asked []string
	noting := func(part string) func(held, known, next batch.Position) (batch.Position, error) {
		merge := mergePart(part)
		return func(held, known, next batch.Position) (batch.Position, error) {
			asked = append(asked, fmt.Sprintf("%s, %s, %s", held, known, next))
			return merge(held, known, next)
		}
	}
	last := func(want string) {
		k.Helper()
		if len(asked) == 0 || asked[len(asked)-1] != want {
			k.Fatalf("merge was asked %q, want %q in the end", asked, want)
		}
	}
	a := k.restart(t, writer.Extend, "")
	k.share(a, noting("a"))
	k.send(a, t, insert(1, "a"), insert(2, "a"))
	k.commit(a, "a:1")
	last(", , a:1")
	b := k.restart(t, writer.Extend, "a:1")
	k.share(b, noting("b"))

	k.send(a, t, after(1, "b"), remove(2, nil))
	k.send(b, t, insert(101, "a"), insert(102, "a"))
	k.commit(a, "a:2")
	last("a:1, a:1, a:2")
	k.visible(t, []batchtest.Row{{1, "b"}})
	k.commit(b, "b:1")
	last("a:2, a:1, b:1")
	k.visible(t, []batchtest.Row{{1, "b"}, {101, "a"}, {102, "a"}})
	k.position(b, "a:2 b:1")
	k.position(a, "a:2") // as it has left it

	// Rows of both, of this commit and of earlier ones, go and come again.
	k.send(a, t, remove(1, nil), insert(1, "c"), insert(3, "a"), after(3, "b"))
	k.send(b, t, after(101, "b"), remove(102, nil), insert(103, "a"))
	k.commit(b, "b:2")
	last("a:2 b:1, a:2 b:1, b:2")
	k.commit(a, "a:3")
	last("a:2 b:2, a:2, a:3")
	k.visible(t, []batchtest.Row{{1, "c"}, {3, "b"}, {101, "b"}, {103, "a"}})
	k.send(a, t, insert(4, "a"))
	k.commit(b, "b:3") // positions alone
	k.commit(b, "b:4")
	k.commit(a, "a:4")
	k.commit(a, "a:5")
	k.position(a, "a:5 b:4")
	k.send(b, t, remove(101, nil), after(103, "b"))
	k.commit(b, "b:5")
	k.visible(t, []batchtest.Row{{1, "c"}, {3, "b"}, {4, "a"}, {103, "b"}})
	k.close(a)
	k.close(b)
	k.restart(t, writer.Extend, "a:5 b:5")
}

// sharedRefused has a run commit what another has committed already, and one whose merge
// fails for a reason of its own.
func (k *kit) sharedRefused() {
	t := notes("refused")
	late := k.sharing(t, "a", "")
	k.send(late, t, insert(1, "a"))
	k.commit(late, "a:1")
	k.send(late, t, insert(2, "a"), after(1, "b"))
	own := errors.New("a reason of its own")
	odd := k.restart(t, writer.Extend, "a:1")
	k.share(odd, func(batch.Position, batch.Position, batch.Position) (batch.Position, error) { return "", own })
	k.send(odd, t, insert(201, "a"))

	heir := k.sharing(t, "a", "a:1") // has got the part since
	k.send(heir, t, insert(2, "a"), after(1, "b"))
	k.commit(heir, "a:2")
	b := k.sharing(t, "b", "a:2")
	k.send(b, t, insert(101, "a"))
	k.commit(b, "b:1")
	rows := []batchtest.Row{{1, "b"}, {2, "a"}, {101, "a"}}
	k.visible(t, rows)
	for want, w := range map[error]writer.Writer{writer.ErrFenced: late, own: odd} {
		for range 2 { // for good
			if err := w.Commit(k.Context(), "a:2"); !errors.Is(err, want) {
				k.Fatalf("got %v, want %v", err, want)
			}
			k.position(w, "a:2 b:1")
			if err := k.trySend(w, t, false, []change{after(1, "x")}); err == nil {
				k.Fatal("write to a writer that was refused: got no error")
			}
		}
		k.visible(t, rows)
		k.close(w)
	}
	k.send(heir, t, remove(2, nil)) // whom that does not concern
	k.commit(heir, "a:3")
	k.send(b, t, after(101, "b"))
	k.commit(b, "b:2")
	k.visible(t, []batchtest.Row{{1, "b"}, {101, "b"}})
	k.restart(t, writer.Extend, "a:3 b:2")
}

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
			k.share(a, mergePart("a"))
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
			k.share(ws[i], mergePart("a"))
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
