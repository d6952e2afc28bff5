package readertest

import (
	"errors"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// dropped drops one of the pinned tables before a row of it is read. It must
// fail by itself, and not pass for empty.
func (k *kit) dropped() {
	if k.h.Drop == nil {
		k.Skip("the harness cannot drop tables")
	}
	tables := k.list("doomed", "numbers")
	snap := k.pin(tables, 2)
	defer k.close(snap)
	k.h.Drop(k.T, tables[0])

	err := k.splitAndRead(snap, tables[0])
	var te *schema.TableError
	if !errors.As(err, &te) || te.Table != tables[0].String() {
		k.Errorf("read a dropped table: got %v, want a %T of %s", err, te, tables[0])
	}
	if d := batchtest.DiffOrdered(k.readAll(snap, tables[1]), k.table(tables[1].Name).Rows); d != "" {
		k.Errorf("%s beside a dropped table: %s", tables[1], d)
	}
}

// splitAndRead fails at whichever step notices that the table is gone.
func (k *kit) splitAndRead(snap reader.Snapshot, t *schema.Table) error {
	splits, err := snap.Splits(k.Context(), t)
	if err != nil {
		return err
	}
	for _, s := range splits {
		if _, err := k.read(snap, s); err != nil {
			return err
		}
	}
	return nil
}
