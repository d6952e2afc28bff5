package iceberg

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A table that has the shape already is opened and committed to as by Follow.
func TestExtendOfTheSameShape(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	tbl := batchtest.Shape("shop", "t", "id int key", "note varchar(50)")
	insert := []batch.Op{batch.Insert}
	put(t, s, tbl, writer.Extend, "p1", insert, batchtest.Row{1, "a"})
	w := openTable(t, s, tbl, writer.Extend)
	if w.was != nil || w.casts != nil || w.src != tbl {
		t.Errorf("got a shape to change: %v, %v", w.was, w.casts)
	}
	must(t, w.Close())
	put(t, s, tbl, writer.Extend, "p2", insert, batchtest.Row{2, "a"})
	// Columns that are wider are in nobody's way, nor are those that the source has not.
	put(t, s, batchtest.Shape("shop", "t", "id bigint key", "note varchar(50)", "more int"), writer.Extend, "p3", insert, batchtest.Row{3, "a", 1})
	put(t, s, tbl, writer.Extend, "p4", insert, batchtest.Row{4, "a"})
	if n := len(loaded(t, s, tbl).Metadata().Schemas()); n != 2 {
		t.Errorf("the table has had %d schemas, want 2", n)
	}
}

// What cannot be done in place is told with both types, or both keys, and what to do.
func TestExtendTellsWhatCannotBe(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	put(t, s, batchtest.Shape("shop", "t", "id int key", "note varchar(50)"), writer.Extend, "p1", []batch.Op{batch.Insert}, batchtest.Row{1, "a"})
	for want, tbl := range map[string]*schema.Table{
		"note: string in the table, int in the source":    batchtest.Shape("shop", "t", "id int key", "note int"),
		"its primary key was (id) and is (id, note)":      batchtest.Shape("shop", "t", "id int key", "note varchar(50) key"),
		"its primary key was (id) and is (more)":          batchtest.Shape("shop", "t", "more int key", "note varchar(50)"),
		"holds the source's rows, and not a row for each": changelogOf(t, batchtest.Shape("shop", "t", "id int key", "note varchar(50)")),
	} {
		_, err := s.Open(t.Context(), tbl, writer.Extend)
		var te *schema.TableError
		if !errors.As(err, &te) || te.Table != "shop.t" || !strings.Contains(err.Error(), want) || hint.Of(err) == "" || hint.IsTransient(err) {
			t.Errorf("got %v (hint %q), want %q", err, hint.Of(err), want)
		}
	}
}

// A table that was emptied takes rows of any shape, and of another key.
func TestExtendOfAnEmptiedTable(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	was, now := batchtest.Shape("shop", "t", "id int key", "note int", "gone date"), batchtest.Shape("shop", "t", "id int", "note varchar(50) key")
	put(t, s, was, writer.Extend, "p1", []batch.Op{batch.Insert}, batchtest.Row{1, 7, nil})
	w := openTable(t, s, was, writer.Extend)
	must(t, w.Write(t.Context(), &batch.Batch{Table: was, Emptied: true}))
	must(t, w.Commit(t.Context(), "p2"))
	must(t, w.Close())
	put(t, s, now, writer.Extend, "p3", []batch.Op{batch.Insert, batch.Insert}, batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	put(t, s, now, writer.Extend, "p4", []batch.Op{batch.Delete}, batchtest.Row{2, "b"})
	tbl := loaded(t, s, now)
	if names := tbl.Schema().Fields(); len(names) != 2 || names[1].Name != "note" || names[1].Type.String() != "string" || !slices.Equal(tbl.Schema().IdentifierFieldIDs, []int{names[1].ID}) {
		t.Errorf("got the schema %s", tbl.Schema())
	}
}

func changelogOf(t *testing.T, tbl *schema.Table) *schema.Table {
	t.Helper()
	c, err := schema.Changelog(tbl)
	must(t, err)
	return c
}
