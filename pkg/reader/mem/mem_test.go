package mem_test

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/reader/readertest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestStock(t *testing.T) {
	for _, parts := range []int{1, 7} {
		readertest.Run(t, func(_ *testing.T, tables []batchtest.Table) readertest.Harness {
			db := mem.NewDB(tables...)
			return readertest.Harness{
				BatchBytes: 4 << 10,
				Open: func(_ *testing.T, alloc memory.Allocator) reader.Stock {
					return &mem.Stock{DB: db, Alloc: alloc, BatchBytes: 4 << 10, Parts: parts}
				},
				Empty: func(_ *testing.T, table *schema.Table) { db.Set(table, nil) },
				Drop:  func(_ *testing.T, table *schema.Table) { db.Drop(table) },
			}
		})
	}
}

func TestLog(t *testing.T) {
	readertest.RunLog(t, func(_ *testing.T, tables []batchtest.Table) readertest.LogHarness {
		db := mem.NewDB(tables...)
		return readertest.LogHarness{
			Open: func(_ *testing.T, alloc memory.Allocator) readertest.Source {
				return &mem.Stock{DB: db, Alloc: alloc}
			},
			Apply: func(_ *testing.T, changes ...readertest.Change) { db.Apply(memChanges(changes)...) },
		}
	})
}

// A position that was met while tables were at different points gives each its own.
func TestLogAhead(t *testing.T) {
	a, b := batchtest.Shape("db", "a", "id bigint key"), batchtest.Shape("db", "b", "id bigint key")
	db := mem.NewDB(batchtest.Table{Table: a}, batchtest.Table{Table: b})
	for i := range 3 {
		db.Apply(mem.Change{Table: a, Op: batch.Insert, Row: batchtest.Row{i}}, mem.Change{Table: b, Op: batch.Insert, Row: batchtest.Row{i}})
	}
	now, err := (&mem.Stock{DB: db}).Locate(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	from := map[*schema.Table]batch.Position{a: "mem:0", b: now}
	rd, err := (&mem.Stock{DB: db}).Changes(t.Context(), from, now)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	for _, want := range []batch.Position{"mem:3 db.b=" + now, "mem:4 db.b=" + now, now} {
		got, err := rd.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
		if got.Table != a || got.Pos != want || mem.Of(got.Pos, b) != now {
			t.Errorf("got %s of %s, want %s", got.Pos, got.Table, want)
		}
	}
	if got := mem.Of("mem:1 db.b=mem:3", a); got != "mem:1" {
		t.Errorf("got %s", got)
	}
	if got := mem.Of("mem:1 loose", a); got != "mem:1 loose" {
		t.Errorf("got %s", got)
	}
}

// memChanges puts changes as a reader of a log does.
func memChanges(changes []readertest.Change) []mem.Change {
	var out []mem.Change
	for _, c := range changes {
		add := func(op batch.Op, row batchtest.Row) {
			out = append(out, mem.Change{Table: c.Table, Op: op, Row: row, Emptied: c.Emptied})
		}
		switch {
		case c.Old == nil:
			add(batch.Insert, c.Row)
		case c.Row == nil:
			add(batch.Delete, c.Old)
		case slices.ContainsFunc(c.Table.Key, func(k int) bool { return c.Old[k] != c.Row[k] }):
			add(batch.Before, c.Old)
			add(batch.After, c.Row)
		default:
			add(batch.After, c.Row)
		}
	}
	return out
}
