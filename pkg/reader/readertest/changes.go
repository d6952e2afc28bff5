package readertest

import (
	"errors"
	"io"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// onePoint changes tables after they were pinned, one of them half read.
func (k *kit) onePoint() {
	if k.h.Empty == nil {
		k.Skip("the harness cannot change tables")
	}
	tables := k.list("moving", "moving_too")
	snap := k.pin(tables, 2)
	s := k.splits(snap, tables[0])[0]
	r, err := k.open(snap, s)
	if err != nil {
		k.Fatalf("open: %v", err)
	}
	half, err := k.next(r, s)
	if err != nil {
		k.Fatalf("read: %v", err)
	}
	for _, t := range tables {
		k.h.Empty(k.T, t)
	}
	for err != io.EOF {
		var rows []batchtest.Row
		if rows, err = k.next(r, s); err != nil && err != io.EOF {
			k.Fatalf("read: %v", err)
		}
		half = append(half, rows...)
	}
	k.close(r)
	if d := batchtest.DiffOrdered(half, k.table(tables[0].Name).Rows[:len(half)]); d != "" || len(half) == 0 {
		k.Errorf("%s, emptied while it was read: %s", tables[0], d)
	}
	for _, t := range tables {
		if d := batchtest.DiffOrdered(k.readAll(snap, t), k.table(t.Name).Rows); d != "" {
			k.Errorf("%s, emptied after it was pinned: %s", t, d)
		}
		if seeker, ok := snap.(reader.Seeker); ok {
			rows := k.table(t.Name).Rows[:10]
			if got, err := k.seek(seeker, t, rows); err != nil || batchtest.Diff(got, rows) != "" {
				k.Errorf("%s, emptied after it was pinned, by keys: %v %s", t, err, batchtest.Diff(got, rows))
			}
		}
	}
	old := snap.Position()
	k.close(snap)

	snap = k.pin(tables, 2)
	defer k.close(snap)
	if snap.Position() == old {
		k.Errorf("got position %q before and after a change", old)
	}
	for _, t := range tables {
		if rows := k.readAll(snap, t); len(rows) != 0 {
			k.Errorf("%s: got %d rows at a new point, want none", t, len(rows))
		}
	}
}

// dropped drops one of the pinned tables before a row of it is read. It must
// fail by itself, and not pass for empty.
func (k *kit) dropped() {
	if k.h.Drop == nil {
		k.Skip("the harness cannot drop tables")
	}
	tables := k.list("doomed", "numbers")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	k.h.Drop(k.T, tables[0])

	for range 2 { // a failure must not take the only place with it
		_, err := k.read(snap, reader.Split{Table: tables[0]})
		k.isTableError(err, tables[0])
	}
	// Splits may well know nothing of it, if it looks at the key alone.
	if _, err := snap.Splits(k.Context(), tables[0]); err != nil {
		k.isTableError(err, tables[0])
	}
	if d := batchtest.DiffOrdered(k.readAll(snap, tables[1]), k.table(tables[1].Name).Rows); d != "" {
		k.Errorf("%s beside a dropped table: %s", tables[1], d)
	}
}

func (k *kit) isTableError(err error, t *schema.Table) {
	k.Helper()
	var te *schema.TableError
	if !errors.As(err, &te) || te.Table != t.String() {
		k.Errorf("got %v, want a %T of %s", err, te, t)
	}
}
