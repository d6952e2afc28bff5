package writertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

// parted is a table of several parts, which the beginning of the key tells apart.
func parted(name string) *schema.Table {
	return batchtest.Shape("shop", name, "_db varchar(64) key", "_table varchar(64) key", "id bigint key", "note varchar(50)")
}

func of(part string, id int, note any) batchtest.Row { return batchtest.Row{"db", part, id, note} }

// ofPart are rows of a part with ids from one to another.
func ofPart(part string, from, to int, note string) (rows []batchtest.Row) {
	for id := from; id <= to; id++ {
		rows = append(rows, of(part, id, note))
	}
	return rows
}

// clear has the rows of a part go.
func (k *kit) clear(w writer.Writer, key ...string) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	c, ok := w.(writer.Clearer)
	if !ok {
		k.Skip("the sink takes no rows out by the beginning of their key")
	}
	if err := c.Clear(ctx, key...); err != nil {
		k.Fatalf("clear: %v", err)
	}
}

// begun makes a table of parts a, b and ab.
func (k *kit) begun(t *schema.Table) {
	k.Helper()
	for _, part := range []string{"a", "b", "ab"} {
		w := k.open(k.sink(), t, writer.Extend)
		k.share(w, MergePart(part))
		k.write(w, t, ofPart(part, 1, 3, "old"))
		k.commit(w, batch.Position(part+":1"))
		k.close(w)
	}
}

var begunRows = slices.Concat(ofPart("b", 1, 3, "old"), ofPart("ab", 1, 3, "old"))

// cleared exchanges one part of a table, by some rows, by none, and with changes behind it.
func (k *kit) cleared() {
	others := begunRows
	for i, c := range []struct {
		rows    []batchtest.Row
		changes []change
		want    []batchtest.Row
	}{
		{rows: ofPart("a", 2, 4, "new"), want: ofPart("a", 2, 4, "new")},
		{rows: ofPart("a", 1, 3, "new"), want: ofPart("a", 1, 3, "new")},
		{rows: ofPart("a", 1, 3, "old"), want: ofPart("a", 1, 3, "old")},
		{rows: ofPart("a", 7, 9, "new"), want: ofPart("a", 7, 9, "new")},
		{},
		{
			rows: ofPart("a", 2, 5, "new"), changes: []change{remove(of("a", 5, nil)...), remove(of("a", 1, nil)...), after(of("a", 2, "newer")...), insert(of("a", 9, "newer")...)},
			want: []batchtest.Row{of("a", 2, "newer"), of("a", 3, "new"), of("a", 4, "new"), of("a", 9, "newer")},
		},
		{changes: []change{insert(of("a", 1, "new")...), remove(of("a", 2, nil)...)}, want: ofPart("a", 1, 1, "new")},
	} {
		t := parted(fmt.Sprint("cleared_", i))
		k.begun(t)
		w := k.sharing(t, "a", "a:1 ab:1 b:1")
		k.clear(w, "db", "a")
		if c.rows != nil {
			k.write(w, t, c.rows)
		}
		if c.changes != nil {
			k.send(w, t, c.changes...)
		}
		k.visible(t, slices.Concat(others, ofPart("a", 1, 3, "old")))
		k.commit(w, "a:2")
		k.visible(t, slices.Concat(others, c.want))
		k.write(w, t, ofPart("a", 100, 101, "more"))
		k.commit(w, "a:3")
		k.visible(t, slices.Concat(others, c.want, ofPart("a", 100, 101, "more")))
		k.close(w)
		k.sharing(t, "a", "a:3 ab:1 b:1")
	}
	// All parts of a database are one too.
	t := parted("cleared_all")
	k.begun(t)
	w := k.sharing(t, "a", "a:1 ab:1 b:1")
	k.clear(w, "db")
	k.write(w, t, ofPart("a", 3, 3, "new"))
	k.commit(w, "a:2")
	k.visible(t, ofPart("a", 3, 3, "new"))
	// What is not committed stays.
	w = k.sharing(t, "a", "a:2 ab:1 b:1")
	k.clear(w, "db", "a")
	k.close(w)
	w = k.sharing(t, "a", "a:2 ab:1 b:1")
	k.visible(t, ofPart("a", 3, 3, "new"))
	k.clear(w, "db", "none")
	k.commit(w, "a:3")
	k.visible(t, ofPart("a", 3, 3, "new"))
	// Nor are rows of a table without such a key taken out.
	keyless := batchtest.Shape("shop", "cleared_none", "_db varchar(64)", "note varchar(50)")
	w = k.open(k.sink(), keyless, writer.Follow)
	k.write(w, keyless, []batchtest.Row{{"db", "a"}})
	k.commit(w, "p1")
	if err := w.(writer.Clearer).Clear(k.Context(), "db"); err == nil {
		k.Errorf("rows of a table without a key: got no error")
	}
}

// clearedAgain exchanges a part by another commit and another run each time, with many rows.
func (k *kit) clearedAgain() {
	t := parted("again")
	k.begun(t)
	for n := 2; n < 6; n++ {
		w := k.sharing(t, "a", batch.Position(fmt.Sprintf("a:%d ab:1 b:1", n-1)))
		k.clear(w, "db", "a")
		var rows []batchtest.Row
		for i := range 3 { // of which each is a load or a file, or several
			some := ofPart("a", n*1000+i*900, n*1000+i*900+899, strings.Repeat(fmt.Sprint(n), 50))
			k.write(w, t, some)
			rows = append(rows, some...)
		}
		k.commit(w, batch.Position(fmt.Sprint("a:", n)))
		k.visible(t, slices.Concat(begunRows, rows))
		k.close(w)
	}
}

// clearedBesideOthers has other parts be changed, and the files in which their rows are beside those
// of the one that goes be written anew.
func (k *kit) clearedBesideOthers() {
	t := parted("beside")
	mixed := k.open(k.sink(), t, writer.Extend)
	k.share(mixed, MergePart("b"))
	k.write(mixed, t, slices.Concat(ofPart("a", 1, 3, "old"), ofPart("b", 1, 3, "old")))
	k.commit(mixed, "b:1")
	k.write(mixed, t, slices.Concat(ofPart("a", 4, 5, "old"), ofPart("b", 4, 5, "old")))
	k.commit(mixed, "b:2")
	a := k.sharing(t, "a", "b:2")
	k.clear(a, "db", "a")
	k.send(mixed, t, after(of("b", 1, "changed")...))
	k.commit(mixed, "b:3")
	k.write(a, t, ofPart("a", 3, 4, "new"))
	k.send(mixed, t, remove(of("b", 4, nil)...))
	k.commit(a, "a:1")
	k.visible(t, slices.Concat(ofPart("a", 3, 4, "new"), []batchtest.Row{of("b", 1, "changed")}, ofPart("b", 2, 5, "old")))
	k.commit(mixed, "b:4")
	want := slices.Concat(ofPart("a", 3, 4, "new"), []batchtest.Row{of("b", 1, "changed")}, ofPart("b", 2, 3, "old"), ofPart("b", 5, 5, "old"))
	k.visible(t, want)
	k.send(mixed, t, insert(of("b", 6, "new")...))
	k.commit(mixed, "b:5")
	k.visible(t, append(want, of("b", 6, "new")))
	k.restart(t, writer.Extend, "a:1 b:5")
}

// clearedLostReply does not hear that an exchange worked.
func (k *kit) clearedLostReply() {
	for _, within := range []bool{false, true} {
		if within && k.h.LoseReply == nil {
			continue
		}
		for _, then := range []string{"again", "others", "restart"} {
			t := parted(fmt.Sprintf("lost_%v_%s", within, then))
			k.begun(t)
			s := k.sink()
			if !within {
				s = fault.Wrap(s, &fault.Plan{At: 1, Only: fault.Commit, After: true})
			}
			a := k.open(s, t, writer.Extend)
			k.share(a, MergePart("a"))
			k.clear(a, "db", "a")
			k.write(a, t, ofPart("a", 3, 4, "new"))
			if within {
				k.h.LoseReply(k.T)
			}
			if err := a.Commit(k.Context(), "a:2"); err == nil {
				k.Fatal("the reply was not lost")
			}
			want, pos := slices.Concat(begunRows, ofPart("a", 3, 4, "new")), "a:2 ab:1 b:1"
			if then == "others" {
				b := k.sharing(t, "b", "a:2 ab:1 b:1")
				k.send(b, t, insert(of("b", 9, "new")...), after(of("b", 9, "newer")...))
				k.commit(b, "b:2")
				want, pos = append(want, of("b", 9, "newer")), "a:2 ab:1 b:2"
			}
			if then != "restart" {
				k.commit(a, "a:2")
			}
			k.restart(t, writer.Extend, batch.Position(pos))
			k.visible(t, want)
		}
	}
}

// clearedFaults fails every step of an exchange once, before and after it has taken effect, starts
// anew, and wants the old rows or the new ones meanwhile and the new ones in the end.
func (k *kit) clearedFaults() {
	for _, late := range []bool{false, true} {
		for n := 1; ; n += Stride() {
			t := parted(fmt.Sprintf("fault_%v_%d", late, n))
			k.begun(t)
			plan := &fault.Plan{At: n, After: late}
			err := k.exchange(fault.Wrap(k.sink(), plan), t)
			if !plan.Fired() {
				break
			}
			if err != nil && !errors.Is(err, fault.Err) {
				k.Fatalf("fault %d: got %v, want %v", n, err, fault.Err)
			}
			was, is := slices.Concat(begunRows, ofPart("a", 1, 3, "old")), slices.Concat(begunRows, ofPart("a", 3, 5, "new"))
			if got := k.rows(t); batchtest.Diff(got, was) != "" && batchtest.Diff(got, is) != "" {
				k.Fatalf("fault %d: %v was never the content", n, got)
			}
			if err := k.exchange(k.sink(), t); err != nil {
				k.Fatalf("fault %d (%v): restart: %v", n, err, err)
			}
			k.visible(t, is)
		}
	}
}

// exchange has part a be exchanged, as a program that is started once, if it is not yet.
func (k *kit) exchange(s writer.Sink, t *schema.Table) (err error) {
	ctx := k.Context()
	w, err := s.Open(ctx, t, writer.Extend)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(), s.Close()) }()
	k.share(w, MergePart("a"))
	pos, err := w.Position(ctx)
	if err != nil {
		return err
	}
	if at, err := Reached(pos, "a"); err != nil || at == 2 {
		return err
	}
	c, ok := w.(writer.Clearer)
	if !ok {
		k.Skip("the sink takes no rows out by the beginning of their key")
	}
	if err := c.Clear(ctx, "db", "a"); err != nil {
		return err
	}
	for id := 3; id <= 5; id++ {
		if err := k.lend(t, ofPart("a", id, id, "new"), func(b *batch.Batch) error { return w.Write(ctx, b) }); err != nil {
			return err
		}
	}
	return w.Commit(ctx, "a:2")
}

// clearedByEveryKey exchanges rows with keys of each type, of which one goes, and two come again.
func (k *kit) clearedByEveryKey() {
	for i, c := range keyKinds {
		t := batchtest.Shape("keys", fmt.Sprint("cleared_", i), append([]string{"_db varchar(64) key", "v varchar(20)"}, c.columns...)...)
		row := func(part string, v any, n int) batchtest.Row { return append(batchtest.Row{part, v}, c.keys[n]...) }
		others := []batchtest.Row{row("o'ther", "old", 0), row("o'ther", "old", 1), row("o'ther", "old", 2)}
		w := k.restart(t, writer.Follow, "")
		k.write(w, t, append(slices.Clone(others), row("one", "old", 0), row("one", "old", 1), row("one", "old", 2)))
		k.commit(w, "p1")
		k.clear(w, "one")
		k.write(w, t, []batchtest.Row{row("one", "new", 1), row("one", "new", 2)})
		k.commit(w, "p2")
		k.visible(t, append(slices.Clone(others), row("one", "new", 1), row("one", "new", 2)))
		k.clear(w, "one")
		k.send(w, t, insert(row("one", "newer", 0)...), insert(row("one", "newer", 2)...), remove(row("one", nil, 2)...))
		k.commit(w, "p3")
		k.visible(t, append(others, row("one", "newer", 0)))
		k.close(w)
	}
}

// clearedAtRandom has three runs change and exchange their parts of a table by turns.
func (k *kit) clearedAtRandom() {
	t := parted("random")
	rnd := rand.New(rand.NewPCG(11, 12)) //nolint:gosec // to be had again
	parts := []string{"a", "b", "c"}
	held := reached{}
	want := map[string]map[int]string{}
	ws := map[string]writer.Writer{}
	for _, p := range parts {
		ws[p], want[p] = k.sharing(t, p, held.position()), map[int]string{}
		held[p]++
		k.commit(ws[p], batch.Position(fmt.Sprint(p, ":1")))
	}
	staged := map[string]map[int]string{}
	for n := range 120 {
		p := parts[rnd.IntN(len(parts))]
		rows := staged[p]
		switch {
		case rows != nil && rnd.IntN(2) == 0: // what is staged gets committed
			err := ws[p].Commit(k.Context(), batch.Position(fmt.Sprint(p, ":", held[p]+1)))
			if err == nil {
				held[p]++
				want[p] = rows
			} else if !errors.Is(err, writer.ErrFenced) { // others have written files anew
				k.Fatalf("commit: %v", err)
			} else {
				k.close(ws[p])
				ws[p] = k.sharing(t, p, held.position())
			}
			staged[p] = nil
			var all []batchtest.Row
			for _, p := range parts {
				for id, note := range want[p] {
					all = append(all, of(p, id, note))
				}
			}
			k.visible(t, all)
			continue
		case rows != nil:
		case rnd.IntN(3) == 0:
			k.clear(ws[p], "db", p)
			rows = map[int]string{}
		default:
			rows = maps.Clone(want[p])
		}
		var changes []change
		for range rnd.IntN(5) {
			id, note := rnd.IntN(12), fmt.Sprint("n", n)
			if rnd.IntN(3) == 0 {
				changes = append(changes, remove(of(p, id, nil)...))
				delete(rows, id)
			} else {
				changes = append(changes, after(of(p, id, note)...))
				rows[id] = note
			}
		}
		if len(changes) > 0 {
			k.send(ws[p], t, changes...)
		}
		staged[p] = rows
	}
}
