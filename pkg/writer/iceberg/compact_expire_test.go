package iceberg

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Snapshots that are old go, but for the last ones and those that a tag or a branch names;
// what they alone named goes with them, and a reader of one that stays finds all it needs.
func TestCompactExpires(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
		w, _ := updated(t, s, tbl, 8)
		tagged := loaded(t, s, tbl).CurrentSnapshot().SnapshotID
		before := snapshotRows(t, s, tbl, tagged)
		_, _, err := s.cat.CommitTable(t.Context(), s.identifier(tbl), nil, []table.Update{table.NewSetSnapshotRefUpdate("audit", tagged, table.TagRef, 0, 0, 0)})
		must(t, err)
		model := make(map[int]batchtest.Row)
		for n := range 30 {
			update(t, w, model, n)
		}
		out := well(t, s, tbl, writer.Upkeep{})
		if out.Snapshots != 0 || out.Unnamed != 0 {
			t.Errorf("what is younger than five days went: %+v", out)
		}
		out = well(t, s, tbl, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: 3})
		it := loaded(t, s, tbl)
		if n := len(it.Metadata().Snapshots()); n != 4 || out.Snapshots == 0 || out.Unnamed < out.Snapshots {
			t.Errorf("%d snapshots are left: %+v", n, out)
		}
		if after := snapshotRows(t, s, tbl, tagged); !slices.Equal(before, after) {
			t.Errorf("the tag shows %v, and was %v", after, before)
		}
		if !s.rest {
			wantNamed(t, s, tbl)
		}
		update(t, w, model, 40)
		must(t, w.Close())
	})
}

// snapshotRows reads a snapshot, as sorted text.
func snapshotRows(t *testing.T, s *Sink, tbl *schema.Table, id int64) []string {
	t.Helper()
	_, recs, err := loaded(t, s, tbl).Scan(table.WithSnapshotID(id)).ToArrowRecords(context.Background())
	must(t, err)
	return sortedRows(t, recs)
}

// sortedRows writes rows as text, in order.
func sortedRows(t *testing.T, recs iter.Seq2[arrow.RecordBatch, error]) (out []string) {
	t.Helper()
	for rec, err := range recs {
		must(t, err)
		rows, err := batchtest.Rows(rec)
		must(t, err)
		for _, r := range rows {
			out = append(out, r.String())
		}
	}
	slices.Sort(out)
	return out
}

// Many commits leave many manifests, and few once they are merged; rows keep their numbers.
func TestCompactMergesManifests(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		for _, version := range []int{2, 3} {
			s.opts.Layout = func(*schema.Table) Layout { return Layout{FormatVersion: version} }
			tbl := batchtest.Shape("shop", map[int]string{2: "two", 3: "three"}[version], "id int key", "v varchar(20)")
			w := openTable(t, s, tbl, writer.Follow)
			model := make(map[int]batchtest.Row)
			s.opts.TargetFileSize = 1 << 20
			for n := range 15 { // each of them a file that is none to merge
				model[n] = batchtest.Row{n, "x"}
				b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{model[n]})
				b.Ops = []batch.Op{batch.Insert}
				write(t, w, b)
				must(t, w.Commit(t.Context(), batch.Position(rune('a'+n))))
			}
			before := rowNumbers(t, s, tbl)
			s.opts.TargetFileSize = 100
			out := well(t, s, tbl, writer.Upkeep{})
			if out.Manifests != 15 || out.Rewritten != 0 {
				t.Errorf("%+v", out)
			}
			wantContent(t, s, tbl, model)
			if version == 3 && !slices.Equal(before, rowNumbers(t, s, tbl)) {
				t.Errorf("rows had numbers %v, and have %v", before, rowNumbers(t, s, tbl))
			}
			s.opts.TargetFileSize = 1 << 20
			if out = well(t, s, tbl, writer.Upkeep{}); out.FilesAfter != 1 {
				t.Errorf("%+v", out)
			}
			wantContent(t, s, tbl, model)
			if version == 3 && !slices.Equal(before, rowNumbers(t, s, tbl)) {
				t.Errorf("rows had numbers %v, and have %v in one file", before, rowNumbers(t, s, tbl))
			}
			must(t, w.Close())
		}
	})
}

// rowNumbers reads the rows with the numbers that format version 3 gives them.
func rowNumbers(t *testing.T, s *Sink, tbl *schema.Table) []string {
	t.Helper()
	it := loaded(t, s, tbl)
	if it.Metadata().Version() < 3 {
		return nil
	}
	_, recs, err := it.Scan(table.WithRowLineage()).ToArrowRecords(context.Background())
	must(t, err)
	return sortedRows(t, recs)
}

// Files that nothing names go once they are old, but those of runs that are on record, and
// whatever is no file of a table's.
func TestCompactOrphans(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{})
	tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
	w, model := updated(t, s, tbl, 3)
	write(t, w, batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{99, "x"}})) // staged, and open
	dir := filepath.Join(lake, "shop", "t")
	make := func(name string, age time.Duration) string {
		t.Helper()
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, []byte("x"), 0o644))
		at := time.Now().Add(-age)
		must(t, os.Chtimes(file, at, at))
		return file
	}
	day := 24 * time.Hour
	gone := []string{make("data/old.parquet", 4*day), make("metadata/old-m0.avro", 4*day), make("metadata/00001-old.metadata.json", 4*day)}
	running := w.prefix
	if running == "" {
		must(t, w.begin(t.Context()))
		running = w.prefix
	}
	stay := []string{make("data/new.parquet", 2*day), make("data/notes.txt", 9*day), make("data/"+running+"-00077.parquet", 9*day), make("metadata/_other", 9*day)}
	out := well(t, s, tbl, writer.Upkeep{DryRun: true})
	if out.Orphans != len(gone) {
		t.Errorf("%+v", out)
	}
	if out = well(t, s, tbl, writer.Upkeep{}); out.Orphans != len(gone) || out.OrphanBytes != 3 {
		t.Errorf("%+v", out)
	}
	for _, f := range gone {
		if _, err := os.Stat(f); err == nil {
			t.Errorf("%s is there", f)
		}
	}
	for _, f := range stay {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
	must(t, w.Close())
	wantContent(t, s, tbl, model)

	// A table in the folder of another keeps all.
	make("data/old.parquet", 4*day)
	it := loaded(t, s, tbl)
	other := batchtest.Shape("shop", "u", "id int key", "v varchar(20)")
	foreignTable(t, s, other, it.Schema())
	_, _, err := s.cat.CommitTable(t.Context(), s.identifier(other), nil, []table.Update{table.NewSetLocationUpdate(it.Location() + "/data")})
	must(t, err)
	if out = compact(t, s, tbl, writer.Upkeep{}); out.Orphans != 0 || len(out.Left) != 1 || !strings.Contains(out.Left[0], "shop.u") {
		t.Errorf("%+v", out)
	}
}

// A key whose column has become wider is found in files from before and since.
func TestCompactWiderKeys(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		narrow := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
		w, model := updated(t, s, narrow, 6)
		must(t, w.Close())
		wide := batchtest.Shape("shop", "t", "id bigint key", "v varchar(20)", "more int")
		w = openTable(t, s, wide, writer.Extend)
		for id, row := range model {
			model[id] = append(row, nil)
		}
		b := batchtest.Build(memory.DefaultAllocator, wide, []batchtest.Row{{2, "wide", 5}, {3, "gone", 5}, {1 << 40, "new", 6}})
		b.Ops = []batch.Op{batch.After, batch.Delete, batch.Insert}
		model[2], model[1<<40] = batchtest.Row{2, "wide", 5}, batchtest.Row{1 << 40, "new", 6}
		delete(model, 3)
		write(t, w, b)
		must(t, w.Commit(t.Context(), "wide"))
		out := well(t, s, wide, writer.Upkeep{})
		if out.DeletesAfter != 0 || out.RowsDropped == 0 {
			t.Errorf("%+v", out)
		}
		wantContent(t, s, wide, model)
		must(t, w.Close())
	})
}
