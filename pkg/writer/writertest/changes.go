package writertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A change is a row and what became of it.
type change struct {
	op  batch.Op
	row batchtest.Row
}

func insert(row ...any) change { return change{batch.Insert, row} }
func before(row ...any) change { return change{batch.Before, row} }
func after(row ...any) change  { return change{batch.After, row} }
func remove(row ...any) change { return change{batch.Delete, row} }

// send writes changes as one batch.
func (k *kit) send(w writer.Writer, t *schema.Table, changes ...change) {
	k.Helper()
	if err := k.trySend(w, t, false, changes); err != nil {
		k.Fatalf("write: %v", err)
	}
}

// empty writes a batch that empties the table before its changes.
func (k *kit) empty(w writer.Writer, t *schema.Table, changes ...change) {
	k.Helper()
	if err := k.trySend(w, t, true, changes); err != nil {
		k.Fatalf("write: %v", err)
	}
}

func (k *kit) trySend(w writer.Writer, t *schema.Table, emptied bool, changes []change) error {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	var rows []batchtest.Row
	var ops []batch.Op
	inserts := true
	for _, c := range changes {
		rows, ops = append(rows, c.row), append(ops, c.op)
		inserts = inserts && c.op == batch.Insert
	}
	if inserts && len(changes)%2 == 0 {
		ops = nil // means the same
	}
	if len(changes) == 0 {
		return w.Write(ctx, &batch.Batch{Table: t, Emptied: emptied})
	}
	return k.lend(t, rows, func(b *batch.Batch) error {
		b.Ops, b.Emptied = ops, emptied
		return w.Write(ctx, b)
	})
}

// notes is a table of ids and notes.
func notes(name string) *schema.Table {
	return batchtest.Shape("shop", name, "id bigint key", "note varchar(50)")
}

// changesOfAKey takes one key through every sequence of what can become of it, in
// one commit and over several.
func (k *kit) changesOfAKey() {
	type step struct {
		commit  []change
		visible []batchtest.Row
	}
	for i, steps := range [][]step{
		{
			{[]change{insert(1, "a")}, []batchtest.Row{{1, "a"}}},
			{[]change{after(1, "b")}, []batchtest.Row{{1, "b"}}},
			{[]change{remove(1, "x")}, nil},
			{[]change{insert(1, "c")}, []batchtest.Row{{1, "c"}}},
		},
		{
			{[]change{insert(1, "a"), after(1, "b"), after(1, "c")}, []batchtest.Row{{1, "c"}}},
			{[]change{after(1, "d"), after(1, "e")}, []batchtest.Row{{1, "e"}}},
			{[]change{remove(1, "x"), insert(1, "f"), remove(1, "x")}, nil},
			{[]change{insert(1, "g"), remove(1, "x"), insert(1, "h")}, []batchtest.Row{{1, "h"}}},
		},
		{
			{[]change{insert(1, "a"), insert(2, "b"), remove(1, nil)}, []batchtest.Row{{2, "b"}}},
			{[]change{insert(1, "a"), remove(1, nil)}, []batchtest.Row{{2, "b"}}},
			{[]change{remove(2, nil), remove(2, nil)}, nil},
			{[]change{remove(3, nil)}, nil}, // was never there
			{[]change{after(3, "c")}, []batchtest.Row{{3, "c"}}},
		},
		{ // keys that change, that change places and that change back
			{[]change{insert(1, "a"), insert(2, "b"), insert(3, "c")}, []batchtest.Row{{1, "a"}, {2, "b"}, {3, "c"}}},
			{[]change{before(1, nil), after(4, "a")}, []batchtest.Row{{4, "a"}, {2, "b"}, {3, "c"}}},
			{
				[]change{before(2, nil), after(9, "b"), before(3, nil), after(2, "c"), before(9, nil), after(3, "b")},
				[]batchtest.Row{{4, "a"}, {2, "c"}, {3, "b"}},
			},
			{
				[]change{before(4, nil), after(5, "a"), before(5, nil), after(4, "d"), insert(5, "e")},
				[]batchtest.Row{{4, "d"}, {2, "c"}, {3, "b"}, {5, "e"}},
			},
			{[]change{insert(7, "f"), before(7, nil), after(8, "g"), remove(8, nil), remove(2, nil), remove(3, nil), remove(4, nil)}, []batchtest.Row{{5, "e"}}},
		},
		{ // of rows that may be there already
			{[]change{after(1, "a"), after(1, "a"), after(2, "b")}, []batchtest.Row{{1, "a"}, {2, "b"}}},
			{[]change{after(1, "a"), after(2, "b"), after(3, "c"), remove(9, nil)}, []batchtest.Row{{1, "a"}, {2, "b"}, {3, "c"}}},
		},
	} {
		for _, alone := range []bool{false, true} { // each change in a batch of its own
			t := notes(fmt.Sprintf("key_%d_%v", i, alone))
			w := k.restart(t, writer.Follow, "")
			for n, s := range steps {
				if alone {
					for _, c := range s.commit {
						k.send(w, t, c)
					}
				} else {
					k.send(w, t, s.commit...)
				}
				k.commit(w, batch.Position(fmt.Sprint(n)))
				k.visible(t, s.visible)
			}
		}
	}
}

// keyKinds are keys of each type, and three of each that differ in little.
var keyKinds = []struct {
	columns []string
	keys    [3]batchtest.Row
}{
	{[]string{"a int key"}, [3]batchtest.Row{{0}, {-1}, {1 << 30}}},
	{[]string{"a bigint key"}, [3]batchtest.Row{{0}, {int64(-1) << 63}, {1 << 32}}},
	{[]string{"a bigint unsigned key"}, [3]batchtest.Row{{"0"}, {"18446744073709551615"}, {"9223372036854775808"}}},
	{[]string{"a varchar(50) key"}, [3]batchtest.Row{{"a"}, {"a "}, {"A"}}},
	{[]string{"a varchar(50) key"}, [3]batchtest.Row{{""}, {"ä"}, {"\x00"}}},
	{[]string{"a varbinary(20) key"}, [3]batchtest.Row{{[]byte{}}, {[]byte{0}}, {[]byte{0, 0}}}},
	{[]string{"a decimal(5,2) key"}, [3]batchtest.Row{{"0.00"}, {"-0.01"}, {"999.99"}}},
	{[]string{"a decimal(18,0) key"}, [3]batchtest.Row{{"0"}, {"-1"}, {"999999999999999999"}}},
	{[]string{"a decimal(38,10) key"}, [3]batchtest.Row{{"0.0000000000"}, {"-0.0000000001"}, {"9999999999999999999999999999.9999999999"}}},
	{[]string{"a date key"}, [3]batchtest.Row{{"1970-01-01"}, {"1969-12-31"}, {"9999-12-31"}}},
	{[]string{"a datetime(6) key"}, [3]batchtest.Row{{"1970-01-01 00:00:00.000000"}, {"1969-12-31 23:59:59.999999"}, {"9999-12-31 23:59:59.999999"}}},
	{[]string{"a timestamp(6) key"}, [3]batchtest.Row{{"1970-01-01 00:00:01.000001Z"}, {"1970-01-01 00:00:01.000002Z"}, {"2038-01-19 03:14:07.999999Z"}}},
	{[]string{"a time(6) key"}, [3]batchtest.Row{{0}, {-1}, {3600_000_000}}},
	{[]string{"a int key", "b int key"}, [3]batchtest.Row{{0, 1}, {1, 0}, {1, 1}}},
	{[]string{"a int key", "b bigint key", "c int key"}, [3]batchtest.Row{{0, 1, 0}, {1, 0, 0}, {0, 0, 1}}},
	{[]string{"a bigint key", "b decimal(20,0) key"}, [3]batchtest.Row{{0, "1"}, {1, "0"}, {1, "1"}}},
	{[]string{"a varchar(50) key", "b varchar(50) key"}, [3]batchtest.Row{{"a", "b"}, {"ab", ""}, {"", "ab"}}},
	{[]string{"a date key", "b varchar(50) key", "c bit(1) key"}, [3]batchtest.Row{{"1970-01-01", "x", true}, {"1970-01-01", "x", false}, {"1970-01-02", "x", true}}},
}

// changesOfEveryKey changes rows by keys of each type. Keys that a source may
// hold to be equal are not: what differs in a byte is another row.
func (k *kit) changesOfEveryKey() {
	for i, c := range keyKinds {
		t := batchtest.Shape("keys", fmt.Sprintf("of_%d", i), append([]string{"v varchar(20)"}, c.columns...)...)
		row := func(v any, n int) batchtest.Row { return append(batchtest.Row{v}, c.keys[n]...) }
		w := k.restart(t, writer.Follow, "")
		for n, s := range []struct {
			commit  []change
			visible []batchtest.Row
		}{
			{
				[]change{insert(row("a", 0)...), insert(row("b", 1)...), insert(row("c", 2)...)},
				[]batchtest.Row{row("a", 0), row("b", 1), row("c", 2)},
			},
			{[]change{after(row("d", 1)...)}, []batchtest.Row{row("a", 0), row("d", 1), row("c", 2)}},
			{[]change{remove(row(nil, 2)...), after(row("e", 0)...), after(row("f", 0)...)}, []batchtest.Row{row("f", 0), row("d", 1)}},
			{[]change{before(row(nil, 0)...), after(row("f", 2)...)}, []batchtest.Row{row("f", 2), row("d", 1)}},
			{[]change{remove(row(nil, 2)...), remove(row(nil, 1)...), insert(row("g", 1)...)}, []batchtest.Row{row("g", 1)}},
		} {
			k.send(w, t, s.commit...)
			k.commit(w, batch.Position(fmt.Sprint(n)))
			k.visible(t, s.visible)
		}
		k.close(w)
	}
}

// randomChanges applies changes of all kinds to few and many keys, with commits
// in between, and compares with a map after each. The buffers of the sink should
// be so small that all it does about large transactions comes up.
func (k *kit) randomChanges() {
	for seed, size := range []struct{ keys, changes, batch int }{
		{10, 2000, 40}, {1000, 20000, 400}, {20000, 120000, 3000}, {100, 600, 1},
	} {
		if testing.Short() && size.changes > 100000 {
			continue // with the race detector it takes a minute, and does what fewer do
		}
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		t := batchtest.Shape("random", fmt.Sprintf("keys_%d", size.keys), "note varchar(50)", "id bigint key")
		model := map[int]batchtest.Row{}
		w := k.restart(t, writer.Follow, "")
		var pending []change
		for n := 0; n < size.changes; {
			for range 1 + r.IntN(size.batch) {
				pending = append(pending, randomChange(r, size.keys, n, model)...)
				n++
			}
			k.send(w, t, pending...)
			pending = nil
			if r.IntN(500) == 0 {
				k.empty(w, t)
				clear(model)
			}
			if r.IntN(25) == 0 || n >= size.changes {
				pos := batch.Position(fmt.Sprint("p", n))
				k.commit(w, pos)
				var want []batchtest.Row
				for _, row := range model {
					want = append(want, row)
				}
				k.visible(t, want)
				if r.IntN(3) == 0 {
					k.close(w)
					w = k.restart(t, writer.Follow, pos)
				}
			}
		}
	}
}

func randomChange(r *rand.Rand, keys, n int, model map[int]batchtest.Row) []change {
	id, other := r.IntN(keys), r.IntN(keys)
	row := batchtest.Row{fmt.Sprintf("change %d", n), id}
	_, there := model[id]
	_, otherThere := model[other]
	switch what := r.IntN(10); {
	case !there:
		model[id] = row
		if what == 0 {
			return []change{after(row...)}
		}
		return []change{insert(row...)}
	case what < 3:
		delete(model, id)
		return []change{remove(nil, id)}
	case what < 5 && !otherThere:
		delete(model, id)
		moved := batchtest.Row{row[0], other}
		model[other] = moved
		return []change{before(nil, id), after(moved...)}
	case what == 9:
		gone := id + keys // was never there
		return []change{remove(nil, gone)}
	}
	model[id] = row
	return []change{after(row...)}
}

func (k *kit) emptied() {
	t := notes("emptied")
	w := k.restart(t, writer.Follow, "")
	check := func(pos batch.Position, rows ...batchtest.Row) {
		k.Helper()
		k.commit(w, pos)
		k.visible(t, rows)
	}
	k.empty(w, t) // before there is anything
	check("p1")
	k.send(w, t, insert(1, "a"), insert(2, "b"))
	check("p2", batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	k.empty(w, t) // alone
	check("p3")
	k.send(w, t, insert(1, "a"), insert(2, "b"))
	check("p4", batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	k.send(w, t, after(1, "c"), insert(3, "c"))
	k.empty(w, t, insert(2, "d"), insert(4, "e")) // with rows, and changes on both sides
	k.visible(t, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.send(w, t, after(2, "f"), insert(1, "g"), remove(4, nil), remove(3, nil))
	check("p5", batchtest.Row{2, "f"}, batchtest.Row{1, "g"})
	k.empty(w, t)
	k.empty(w, t, insert(5, "h"))
	k.empty(w, t, insert(6, "i"), after(6, "j"), after(7, "k")) // more than once
	check("p6", batchtest.Row{6, "j"}, batchtest.Row{7, "k"})
	k.send(w, t, after(6, "l"), remove(7, nil))
	check("p7", batchtest.Row{6, "l"})
	k.send(w, t, insert(8, "m"))
	k.empty(w, t) // at the end
	check("p8")
	k.empty(w, t)
	k.close(w) // given up
	w = k.restart(t, writer.Follow, "p8")
	k.send(w, t, insert(9, "n"))
	check("p9", batchtest.Row{9, "n"})
}

func (k *kit) emptiedKeyless() {
	t := batchtest.Shape("shop", "keyless", "id bigint", "note varchar(50)")
	w := k.restart(t, writer.Follow, "")
	rows := []batchtest.Row{{1, "a"}, {1, "a"}}
	k.write(w, t, rows)
	k.commit(w, "p1")
	k.visible(t, rows)
	k.write(w, t, rows)
	k.empty(w, t)
	k.write(w, t, rows[:1])
	k.commit(w, "p2")
	k.visible(t, rows[:1])
	k.write(w, t, rows)
	k.commit(w, "p3")
	k.visible(t, append(rows, rows[0]))
	if err := k.trySend(w, t, false, []change{remove(1, "a")}); err == nil {
		k.Error("changes of a table without a key: got no error")
	}
}

// stockAndChanges is a catch-up: stock whose rows show different points, made
// exact by the changes of the same commit.
func (k *kit) stockAndChanges() {
	for _, mode := range []writer.Mode{writer.Create, writer.Follow} {
		t := notes("catch_up_" + string(mode))
		w := k.restart(t, mode, "")
		stock := make([]batchtest.Row, 5000)
		for i := range stock {
			stock[i] = batchtest.Row{i, "stock"}
		}
		k.write(w, t, stock[:2500])
		k.write(w, t, stock[2500:])
		k.send(w, t, after(1, "a"), remove(2, nil), after(6000, "b"), before(3, nil), after(6001, "c"), remove(7000, nil))
		k.send(w, t, after(1, "d"), insert(2, "e"))
		k.send(w, t, insert(8000, "f"), insert(8001, "f"))
		k.visible(t, nil)
		k.commit(w, "p1")
		want := append([]batchtest.Row{{0, "stock"}, {1, "d"}, {2, "e"}, {6000, "b"}, {6001, "c"}, {8000, "f"}, {8001, "f"}}, stock[4:]...)
		k.visible(t, want)
		// And on, as changes alone.
		k.send(w, t, after(1, "g"), remove(8000, nil), remove(4999, nil))
		k.commit(w, "p2")
		want = append([]batchtest.Row{{0, "stock"}, {1, "g"}, {2, "e"}, {6000, "b"}, {6001, "c"}, {8001, "f"}}, stock[4:4999]...)
		k.visible(t, want)
		k.restart(t, writer.Follow, "p2")
	}
}

func (k *kit) replacedAndChanges() {
	t := notes("again")
	w := k.restart(t, writer.Follow, "")
	k.send(w, t, insert(1, "old"), insert(2, "old"), insert(3, "old"))
	k.commit(w, "p1")
	k.send(w, t, after(1, "older"))
	k.commit(w, "p2")
	k.close(w)

	w = k.restart(t, writer.Replace, "p2")
	k.write(w, t, []batchtest.Row{{2, "new"}, {3, "new"}, {4, "new"}})
	k.send(w, t, after(2, "newer"), remove(3, nil), insert(5, "new"))
	k.visible(t, []batchtest.Row{{1, "older"}, {2, "old"}, {3, "old"}})
	k.commit(w, "p3")
	k.visible(t, []batchtest.Row{{2, "newer"}, {4, "new"}, {5, "new"}})
	k.send(w, t, after(4, "newest"), insert(1, "new"))
	k.commit(w, "p4")
	k.visible(t, []batchtest.Row{{2, "newer"}, {4, "newest"}, {5, "new"}, {1, "new"}})

	// Stock that was staged and that a TRUNCATE takes away again.
	w = k.restart(t, writer.Replace, "p4")
	k.write(w, t, []batchtest.Row{{7, "new"}})
	k.empty(w, t, insert(8, "new"))
	k.commit(w, "p5")
	k.visible(t, []batchtest.Row{{8, "new"}})
}

func (k *kit) follow() {
	t := notes("followed")
	w := k.restart(t, writer.Follow, "") // nothing to follow is no obstacle
	k.visible(t, nil)
	k.commit(w, "p0") // of an idle table
	k.visible(t, nil)
	k.close(w)
	w = k.restart(t, writer.Follow, "p0")
	k.send(w, t, insert(1, "a"), insert(2, "b"))
	k.commit(w, "p1")
	k.commit(w, "p2")
	k.close(w)

	w = k.restart(t, writer.Create, "p2") // whole, for a snapshot
	k.close(w)
	w = k.restart(t, writer.Follow, "p2")
	k.send(w, t, after(1, "c"))
	k.visible(t, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.commit(w, "p3")
	k.visible(t, []batchtest.Row{{1, "c"}, {2, "b"}})
	k.refused(batchtest.Shape("shop", "followed", "id bigint key", "note varchar(50)", "more int"), writer.Follow)

	// What a snapshot has made is followed like any other.
	s := notes("made")
	k.holding(s, []batchtest.Row{{1, "a"}, {2, "b"}}, "p1")
	w = k.restart(s, writer.Follow, "p1")
	k.send(w, s, after(1, "c"), remove(2, nil))
	k.commit(w, "p2")
	k.visible(s, []batchtest.Row{{1, "c"}})
}

func (k *kit) crashDiscardsChanges() {
	t := notes("crashed")
	w := k.restart(t, writer.Follow, "")
	k.send(w, t, insert(1, "a"), insert(2, "b"))
	k.commit(w, "p1")
	k.send(w, t, after(1, "c"), remove(2, nil), insert(3, "c"))

	w = k.restart(t, writer.Follow, "p1")
	k.visible(t, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.empty(w, t)

	w = k.restart(t, writer.Follow, "p1")
	k.send(w, t, remove(1, nil))
	k.close(w)
	w = k.restart(t, writer.Follow, "p1")
	k.commit(w, "p2")
	k.visible(t, []batchtest.Row{{1, "a"}, {2, "b"}})
	k.send(w, t, after(1, "d"))
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	if err := w.Commit(ctx, "p3"); err == nil {
		k.Error("commit with a cancelled context: got no error")
	}
	// The same commit goes on.
	k.send(w, t, after(1, "e"), remove(2, nil))
	k.commit(w, "p4")
	k.visible(t, []batchtest.Row{{1, "e"}})
}

// twoFollowers runs two programs on one log. The one that comes second to the
// commit must be told so.
func (k *kit) twoFollowers() {
	t := notes("two")
	w := k.restart(t, writer.Follow, "")
	k.send(w, t, insert(1, "a"))
	k.commit(w, "p1")
	a := k.restart(t, writer.Follow, "p1")
	k.send(a, t, after(1, "b"))
	b := k.restart(t, writer.Follow, "p1")
	k.send(b, t, after(1, "c"))
	k.commit(b, "p1") // not even a position that is the same tells them apart
	err := a.Commit(k.Context(), "p2")
	if !errors.Is(err, writer.ErrFenced) {
		k.Fatalf("commit of the other: got %v, want %v", err, writer.ErrFenced)
	}
	k.visible(t, []batchtest.Row{{1, "c"}})
	// It stays so, even once it has learned of the other's position.
	if _, err := a.Position(k.Context()); err != nil {
		k.Fatalf("position of the other: %v", err)
	}
	for range 2 {
		if err := a.Commit(k.Context(), "p2"); !errors.Is(err, writer.ErrFenced) {
			k.Fatalf("commit of the other again: got %v, want %v", err, writer.ErrFenced)
		}
		if err := k.trySend(a, t, false, []change{after(1, "e")}); err == nil {
			k.Fatal("write to a writer that is fenced: got no error")
		}
	}
	k.visible(t, []batchtest.Row{{1, "c"}})
	k.close(a)
	k.send(b, t, after(1, "d"))
	k.commit(b, "p2")
	k.visible(t, []batchtest.Row{{1, "d"}})
}
