// Package readertest holds what every source of stock must show. A source's own
// test runs it in a few lines:
//
//	func TestStock(t *testing.T) {
//		readertest.Run(t, func(t *testing.T, tables []batchtest.Table) readertest.Harness {
//			db := connect(t)
//			db.Exec(readertest.SQL(tables)...)
//			return readertest.Harness{
//				BatchBytes: 64 << 10,
//				Open: func(t *testing.T, alloc memory.Allocator) reader.Stock { return mysql.Open(…) },
//				Empty: func(t *testing.T, table *schema.Table) { db.Exec("DELETE FROM " + readertest.Name(table)) },
//				Drop: func(t *testing.T, table *schema.Table) { db.Exec("DROP TABLE " + readertest.Name(table)) },
//			}
//		})
//	}
package readertest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Harness is a source under test that holds the tables of the suite.
type Harness struct {
	// Open opens the source. Batches come from alloc; a source that cannot take
	// one leaves its memory untested.
	Open func(t *testing.T, alloc memory.Allocator) reader.Stock
	// BatchBytes is the bound on a batch that Open gives the source. It should
	// be small: the suite's rows are few. 0 leaves it untested.
	BatchBytes int
	// Empty, if set, deletes the rows of a table behind the source's back.
	Empty func(t *testing.T, table *schema.Table)
	// Drop, if set, drops a table behind the source's back.
	Drop func(t *testing.T, table *schema.Table)
}

// Run runs the suite on one Harness, which start makes with the given tables.
func Run(t *testing.T, start func(t *testing.T, tables []batchtest.Table) Harness) {
	tables := content()
	h := start(t, tables)
	for _, part := range []struct {
		name string
		test func(k *kit)
	}{
		{"tables are listed", (*kit).listed},
		{"tables are selected", (*kit).selected},
		{"a pattern without a table", (*kit).unknownPattern},

		{"splits cover every row once", (*kit).everyRowOnce},
		{"splits are plain data", (*kit).plainSplits},
		{"every type", (*kit).everyType},
		{"batches are bounded", (*kit).bounded},
		{"rows are found by their keys", (*kit).sought},

		{"readers at once", (*kit).readersAtOnce},
		{"open waits for its turn", (*kit).openWaits},
		{"a reader closed early", (*kit).closedEarly},
		{"a cancelled context", (*kit).cancelled},
		{"close frees all", (*kit).closeFrees},

		// The last two change the source.
		{"one point for all tables", (*kit).onePoint},
		{"a table dropped meanwhile", (*kit).dropped},
	} {
		t.Run(strings.ReplaceAll(part.name, " ", "-"), func(t *testing.T) {
			alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
			k := &kit{T: t, h: h, alloc: alloc, tables: tables}
			k.stock = h.Open(t, alloc)
			part.test(k)
			if err := k.stock.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if !t.Failed() { // what follows from an early end is no news
				alloc.AssertSize(t, 0)
			}
		})
	}
}

// A kit is a test with an open source, and the words that the parts are told in.
// Any step that goes wrong ends the part.
type kit struct {
	*testing.T
	h      Harness
	alloc  *memory.CheckedAllocator
	tables []batchtest.Table
	stock  reader.Stock
}

// table returns a table of the suite with its content.
func (k *kit) table(name string) batchtest.Table {
	k.Helper()
	for _, t := range k.tables {
		if t.Name == name {
			return t
		}
	}
	k.Fatalf("the suite has no table %q", name)
	return batchtest.Table{}
}

// brief is the context of one call. It lives no longer than the call, as no
// source may keep it, and ends a call that hangs.
func (k *kit) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.Context(), late)
}

// list lists tables of the suite's database as the source sees them.
func (k *kit) list(include ...string) []*schema.Table {
	k.Helper()
	ctx, cancel := k.brief()
	defer cancel()
	tables, err := k.stock.Tables(ctx, reader.Selection{DB: DB, Include: include})
	if err != nil {
		k.Fatalf("list tables: %v", err)
	}
	return tables
}

func (k *kit) pin(tables []*schema.Table, parallel int) reader.Snapshot {
	k.Helper()
	ctx, cancel := k.brief()
	defer cancel()
	snap, err := k.stock.Pin(ctx, tables, parallel)
	if err != nil {
		k.Fatalf("pin: %v", err)
	}
	return snap
}

func (k *kit) splits(snap reader.Snapshot, t *schema.Table) []reader.Split {
	k.Helper()
	ctx, cancel := k.brief()
	defer cancel()
	splits, err := snap.Splits(ctx, t)
	if err != nil {
		k.Fatalf("split %s: %v", t, err)
	}
	return splits
}

// read reads a split to its end. It may run in any goroutine.
func (k *kit) read(snap reader.Snapshot, s reader.Split) (rows []batchtest.Row, err error) {
	r, err := k.open(snap, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		more, err := k.next(r, s)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
}

func (k *kit) open(snap reader.Snapshot, s reader.Split) (reader.Reader, error) {
	ctx, cancel := k.brief()
	defer cancel()
	return snap.Open(ctx, s)
}

// readAll reads a table split after split, in their order.
func (k *kit) readAll(snap reader.Snapshot, t *schema.Table) []batchtest.Row {
	k.Helper()
	var rows []batchtest.Row
	for _, s := range k.splits(snap, t) {
		more, err := k.read(snap, s)
		if err != nil {
			k.Fatalf("read %s %q: %v", t, s.Range, err)
		}
		rows = append(rows, more...)
	}
	return rows
}

func (k *kit) close(c io.Closer) {
	k.Helper()
	if err := c.Close(); err != nil {
		k.Fatalf("close: %v", err)
	}
}
