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

// MergePart merges positions, as "a:3 b:5", for the run that has a part: "a".
func MergePart(part string) func(held, known, next batch.Position) (batch.Position, error) {
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

// Reached returns how far a position says that a part has been read.
func Reached(pos batch.Position, part string) (int, error) {
	r, err := parseReached(pos)
	return r[part], err
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
	k.share(w, MergePart(part))
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
		merge := MergePart(part)
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
