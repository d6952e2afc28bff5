package iceberg

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// everyCatalog runs a test on a lake in a folder and on a REST catalog.
func everyCatalog(t *testing.T, test func(t *testing.T, s *Sink)) {
	t.Run("folder", func(t *testing.T) { test(t, openSink(t, "iceberg:"+t.TempDir(), Options{})) })
	t.Run("REST", func(t *testing.T) { test(t, restSink(t)) })
}

// restSink is a sink on a REST catalog, in a namespace of the test's own.
func restSink(t *testing.T) *Sink {
	t.Helper()
	services.Need(t)
	u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
	must(t, err)
	return openSink(t, fmt.Sprintf("iceberg+rest://%s/t%d", u.Host, time.Now().UnixNano()), Options{})
}

// foreignTable makes a table as another program would.
func foreignTable(t *testing.T, s *Sink, tbl *schema.Table, sc *iceberg.Schema, options ...catalog.CreateTableOpt) *table.Table {
	t.Helper()
	ident := s.identifier(tbl)
	must(t, s.ensureNamespace(t.Context(), catalog.NamespaceFromIdent(ident)))
	it, err := s.cat.CreateTable(t.Context(), ident, sc, options...)
	must(t, err)
	return it
}

func loaded(t *testing.T, s *Sink, tbl *schema.Table) *table.Table {
	t.Helper()
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	return it
}

// A table of format version 1, sorted by a column that goes, becomes one that can
// be followed.
func TestReplaceUpgrades(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		was, now := batchtest.Shape("shop", "t", "gone int", "id int", "note text"), batchtest.Shape("shop", "t", "id bigint key", "extra date")
		now.Comment = "the source's"
		sc, err := icebergSchema(was)
		must(t, err)
		order, err := table.NewSortOrder(1, []table.SortField{{SourceIDs: []int{1}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst}})
		must(t, err)
		foreignTable(t, s, was, sc, catalog.WithSortOrder(order), catalog.WithProperties(iceberg.Properties{
			"format-version": "1", "write.delete.mode": "theirs", "comment": "theirs",
		}))
		put(t, s, was, writer.Append, "p1", nil, batchtest.Row{1, 2, "x"})
		put(t, s, now, writer.Replace, "p2", nil, batchtest.Row{3, nil})
		put(t, s, now, writer.Follow, "p3", nil, batchtest.Row{4, "2026-02-28"})
		it := loaded(t, s, now)
		if order := it.SortOrder(); it.Metadata().Version() != 2 || !order.IsUnsorted() {
			t.Errorf("version %d, sorted %s", it.Metadata().Version(), order)
		}
		if got := describeSchema(it.Schema()); got != "2: id: required long\n4: extra: optional date\nkey id" {
			t.Errorf("got %s", got)
		}
		p := it.Properties()
		if p["comment"] != "the source's" || p["write.delete.mode"] != "theirs" || p["write.delete.isolation-level"] != "snapshot" || p[sourceProperty] != "shop.t" {
			t.Errorf("properties %v", p)
		}
		wantContent(t, s, now, map[int]batchtest.Row{3: {3, nil}, 4: {4, "2026-02-28"}})
	})
}

// A shape that the table has had before is the one in its history.
func TestShapeOfBefore(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		was, now := batchtest.Shape("shop", "t", "id int key"), batchtest.Shape("shop", "t", "id int key")
		now.Columns[0].Comment = "new"
		was.Columns[0].Comment = "old"
		for i, tbl := range []*schema.Table{was, now, was, now} {
			mode := writer.Replace
			if i == 2 {
				mode = writer.Evolve
			}
			put(t, s, tbl, mode, "p", nil, batchtest.Row{i})
			it := loaded(t, s, tbl)
			if got := it.Schema().Fields()[0].Doc; got != tbl.Columns[0].Comment {
				t.Errorf("comment %q, want %q", got, tbl.Columns[0].Comment)
			}
			if n, want := len(it.Metadata().Schemas()), min(i+1, 2); n != want {
				t.Errorf("%d schemas, want %d", n, want)
			}
			if id := it.CurrentSnapshot().SchemaID; id == nil || *id != it.Schema().ID {
				t.Errorf("the snapshot's schema is %v, the table's %d", id, it.Schema().ID)
			}
		}
	})
}

// longer is accounts with a column more.
func longer() *schema.Table {
	return schema.New("shop", "t", cols("id int!", "owner varchar(20)", "more date"), []int{0})
}

func longerRows(from, to int) *batch.Batch {
	var rows []batchtest.Row
	for i := from; i < to; i++ {
		rows = append(rows, batchtest.Row{i, nil, nil})
	}
	return batchtest.Build(memory.DefaultAllocator, longer(), rows)
}

// A commit that changes columns is for the columns that it has seen, whenever
// somebody else changes them.
func TestColumnsChangedMeanwhile(t *testing.T) {
	was, now := accounts("t"), longer()
	for _, mode := range []writer.Mode{writer.Evolve, writer.Replace} {
		for _, late := range []bool{false, true} {
			s, h := hookedSink(t)
			load(t, s, was, writer.Create, 0, 5, "p")
			w := openTable(t, s, now, mode)
			write(t, w, longerRows(5, 9))
			add := func() error {
				tx := loaded(t, s, was).NewTransaction()
				must(t, tx.UpdateSchema(true, false).AddColumn([]string{"theirs"}, iceberg.PrimitiveTypes.Date, "", false, nil).Commit())
				_, err := tx.Commit(t.Context())
				must(t, err)
				return nil
			}
			if late {
				h.before = add
			} else {
				must(t, add())
			}
			wantTableError(t, w.Commit(t.Context(), "q"), "columns were changed")
			must(t, w.Close())
			if got := describeSchema(loaded(t, s, was).Schema()); got != "1: id: required int\n2: owner: optional string\n3: theirs: optional date\nkey id" {
				t.Errorf("got %s", got)
			}
			if _, err := s.Open(t.Context(), now, mode); err != nil {
				t.Error(err) // now it has seen them
			}
		}
	}
}

// What a row is for each change is no table of rows, and the other way round.
func TestModesKeepKinds(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	log, err := schema.Changelog(tbl)
	must(t, err)
	w := openTable(t, s, log, writer.Follow)
	must(t, w.Commit(t.Context(), "p"))
	for _, mode := range []writer.Mode{writer.Append, writer.Evolve, writer.Replace} {
		_, err := s.Open(t.Context(), tbl, mode)
		wantTableError(t, err, "holds a row for each change")
	}
	// But a table may have such a column of its own.
	own := schema.New("shop", "own", cols("id int!", "_op varchar(9)"), []int{0})
	load(t, s, own, writer.Create, 0, 3, "p")
	load(t, s, own, writer.Follow, 3, 5, "q")
}

// Rows that were read when there was no table take no other's place.
func TestReplaceOfATableThatAppears(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Replace)
	write(t, w, rows(tbl, 0, 10))
	load(t, s, tbl, writer.Create, 50, 60, "p")
	if err := w.Commit(t.Context(), "q"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want ErrFenced", err)
	}
	must(t, w.Close())
	wantIDs(t, ids(t, s, "t"), 50, 60)
}

// A replacement whose reply is lost, and that somebody else has added to since, has
// landed.
func TestReplacedAndGoneOn(t *testing.T) {
	s, h := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 5, "p")
	now := longer()
	w := openTable(t, s, now, writer.Replace)
	write(t, w, longerRows(5, 9))
	h.after = func() error {
		w := openTable(t, s, now, writer.Follow)
		write(t, w, longerRows(9, 12))
		must(t, w.Commit(t.Context(), "r"))
		must(t, w.Close())
		return errReplyLost
	}
	must(t, w.Commit(t.Context(), "q"))
	wantIDs(t, ids(t, s, "t"), 5, 12)
	if err := w.Commit(t.Context(), "q2"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want ErrFenced: the other goes on", err)
	}
}

// What was kept of a table carries ids of columns, which may be others' by now.
func TestKeptForOtherColumns(t *testing.T) {
	for _, changed := range []bool{false, true} {
		s, _ := hookedSink(t)
		load(t, s, accounts("t"), writer.Create, 0, 5, "p")
		w := openTable(t, s, longer(), writer.Replace)
		must(t, w.Keep(t.Context(), "plan"))
		write(t, w, longerRows(5, 9))
		s.opts.KeepEvery = 0
		must(t, w.Whole(t.Context(), 0))
		must(t, w.Close())
		if changed {
			tx := loaded(t, s, longer()).NewTransaction()
			must(t, tx.UpdateSchema(true, false).AddColumn([]string{"theirs"}, iceberg.PrimitiveTypes.Date, "", false, nil).Commit())
			_, err := tx.Commit(t.Context())
			must(t, err)
		}
		w = openTable(t, s, longer(), writer.Replace)
		want := int64(4)
		if changed {
			want = 0
		}
		if got := w.Kept().Rows; got != want {
			t.Errorf("changed meanwhile: %v: %d rows are kept, want %d", changed, got, want)
		}
		must(t, w.Keep(t.Context(), "plan"))
		must(t, w.Commit(t.Context(), "q"))
		wantRows(t, s, "t", int(want))
		must(t, w.Close())
	}
}
