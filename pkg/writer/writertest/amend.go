package writertest

import (
	"errors"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// amended has a run in Amend mode commit beside one that follows the table, and has changes of the
// same rows: those that come last count, and the other one begins anew.
func (k *kit) amended() {
	t := notes("amended")
	first := k.restart(t, writer.Extend, "")
	k.send(first, t, insert(1, "a"), insert(2, "a"), insert(3, "a"), insert(4, "a"))
	k.commit(first, "p1")
	k.close(first)

	// Twice: files of it have come since, and files that it has written anew have gone.
	for _, now := range []struct{ pos, next, amended batch.Position }{{"p1", "p2", "p3"}, {"p3", "p4", "p5"}} {
		follower := k.restart(t, writer.Extend, now.pos)
		a := k.restart(t, writer.Amend, now.pos)
		k.share(a, func(_, _, next batch.Position) (batch.Position, error) { return next, nil })
		k.send(a, t, after(1, "amended"), after(5, "amended"), remove(2, nil), after(2, "amended"), remove(6, nil))
		k.send(follower, t, after(1, "b"), after(2, "b"), after(5, "b"), after(6, "b"), after(7, "b"))
		k.commit(follower, now.next)
		k.send(a, t, remove(7, nil))
		k.send(follower, t, after(3, "late"))
		k.commit(a, now.amended)
		k.visible(t, []batchtest.Row{{1, "amended"}, {2, "amended"}, {3, "a"}, {4, "a"}, {5, "amended"}})
		if err := follower.Commit(k.Context(), "late"); !errors.Is(err, writer.ErrFenced) || !hint.IsTransient(err) {
			k.Fatalf("a commit that an amendment has preceded: got %v", err)
		}
		k.visible(t, []batchtest.Row{{1, "amended"}, {2, "amended"}, {3, "a"}, {4, "a"}, {5, "amended"}})
		k.close(a)
		k.close(follower)
	}
	// Rows that are in no file yet, so that none is written anew.
	follower := k.restart(t, writer.Extend, "p5")
	a := k.restart(t, writer.Amend, "p5")
	k.share(a, func(_, _, next batch.Position) (batch.Position, error) { return next, nil })
	k.send(a, t, after(8, "amended"))
	k.send(follower, t, after(8, "b"), after(9, "b"))
	k.commit(follower, "p6")
	k.commit(a, "p7")
	k.visible(t, []batchtest.Row{{1, "amended"}, {2, "amended"}, {3, "a"}, {4, "a"}, {5, "amended"}, {8, "amended"}, {9, "b"}})
	k.close(a)
	k.close(follower)
	k.restart(t, writer.Extend, "p7")
}
