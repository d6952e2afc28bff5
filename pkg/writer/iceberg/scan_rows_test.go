package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// scanned returns what Scan gives, and checks that it keeps to its contract.
func scanned(t *testing.T, s *Sink, tbl *schema.Table, parallel int) (out []batchtest.Row, pos batch.Position, err error) {
	t.Helper()
	var mu sync.Mutex
	busy := make([]bool, parallel)
	pos, err = s.Scan(t.Context(), tbl, parallel, func(goroutine int, b arrow.RecordBatch) error {
		mu.Lock()
		defer mu.Unlock()
		if busy[goroutine] {
			t.Errorf("goroutine %d is two", goroutine)
		}
		busy[goroutine] = true
		mu.Unlock()
		rows, err := batchtest.Rows(b)
		mu.Lock()
		busy[goroutine] = false
		if !b.Schema().Equal(tbl.Arrow) {
			t.Errorf("batches of %s, want %s", b.Schema(), tbl.Arrow)
		}
		if b.NumRows() == 0 {
			t.Error("a batch without rows")
		}
		out = append(out, rows...)
		return err
	})
	return out, pos, err
}

// wantScanned checks that Scan gives the rows, as of the position.
func wantScanned(t *testing.T, s *Sink, tbl *schema.Table, want []batchtest.Row, at batch.Position) {
	t.Helper()
	got, pos, err := scanned(t, s, tbl, 3)
	must(t, err)
	if diff := batchtest.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if pos != at {
		t.Errorf("position %q, want %q", pos, at)
	}
}

// sameScanned checks that Scan gives the rows that iceberg-go does, if the table has the
// columns of tbl.
func sameScanned(t *testing.T, s *Sink, tbl *schema.Table, recs []arrow.RecordBatch) {
	t.Helper()
	var names []string
	for _, c := range tbl.Columns {
		names = append(names, c.Name)
	}
	var want []batchtest.Row
	for _, rec := range recs {
		rows, err := batchtest.Rows(rec, names...)
		if err != nil {
			return // it has others
		}
		want = append(want, rows...)
	}
	got, _, err := scanned(t, s, tbl, 2)
	must(t, err)
	if diff := batchtest.Diff(got, want); diff != "" {
		t.Errorf("Scan: %s", diff)
	}
}

// Rows of all types come back as they were written, from tables of all layouts.
func TestScanTypes(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		all := batchtest.AllTypes("shop", "all")
		for name, lay := range map[string]Layout{
			"plain": {}, "version 3": {FormatVersion: 3}, "in partitions, sorted": {Partition: "bucket(3, id)", Sort: "c00 desc"},
		} {
			t.Run(name, func(t *testing.T) {
				s.opts.Layout = func(*schema.Table) Layout { return lay }
				tbl := *all.Table
				tbl.Name = name
				wantScanned(t, s, &tbl, nil, "")
				w := openTable(t, s, &tbl, writer.Create)
				write(t, w, batchtest.Build(memory.DefaultAllocator, &tbl, all.Rows))
				must(t, w.Commit(t.Context(), "p1"))
				must(t, w.Close())
				rows, err := batchtest.Rows(batchtest.Build(memory.DefaultAllocator, &tbl, all.Rows).Rows) // as they come back
				must(t, err)
				wantScanned(t, s, &tbl, rows, "p1")
			})
		}
	})
}

// Deletes of all kinds, on keys of all kinds, are applied; also where not all deleted keys
// fit into memory.
func TestScanChanges(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		for i, kind := range keyKinds {
			s.leaseTerm = 1 // access to the store is renewed with each file
			if s.rest && kind.name != "several" {
				continue
			}
			t.Run(kind.name, func(t *testing.T) {
				s.opts.Memory, s.opts.TargetFileSize, s.opts.SpillDir = 16<<10, 32<<10, t.TempDir()
				s.opts.Layout = func(*schema.Table) Layout {
					return []Layout{{}, {FormatVersion: 3}, {Partition: "bucket(3, k)"}, {FormatVersion: 3, Partition: "truncate(500, id)"}}[i%4]
				}
				tbl := batchtest.Shape("shop", kind.name, append([]string{"id int"}, kind.columns...)...)
				w := openTable(t, s, tbl, writer.Follow)
				model := make(map[int]batchtest.Row)
				changeTable(t, w, kind.key, 0, 4000, model)
				must(t, w.Close())
				want := slices.Collect(maps.Values(asStored(t, tbl, model)))
				sc, err := s.openScan(t.Context(), tbl)
				must(t, err)
				if len(sc.reading.all.keys) == 0 || len(sc.reading.all.positions) == 0 {
					t.Errorf("%d files of keys and %d of positions", len(sc.reading.all.keys), len(sc.reading.all.positions))
				}
				s.opts.Memory = 1 << 20
				wantScanned(t, s, tbl, want, w.pos)
				s.opts.Memory = 16 << 10 // a half of which is less than entries of 24 bytes for 400 keys take
				sc.reading.most = s.opts.Memory / 2
				var many *errManyKeys
				if _, err := sc.reading.readKeys(t.Context(), sc.files, keyPart{}, 1); !errors.As(err, &many) {
					t.Errorf("all keys at once: %v", err)
				}
				wantScanned(t, s, tbl, want, w.pos)
			})
		}
	})
}

// Keys that do not even fit by parts are an error.
func TestScanNeedsMemory(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	tbl := accounts("t")
	load(t, s, tbl, writer.Follow, 0, 10, "p1")
	w := openTable(t, s, tbl, writer.Follow)
	b := rows(tbl, 0, 5)
	b.Ops = slices.Repeat([]batch.Op{batch.Delete}, 5)
	write(t, w, b)
	must(t, w.Commit(t.Context(), "p2"))
	must(t, w.Close())
	s.opts.Memory = 2
	if _, _, err := scanned(t, s, tbl, 1); err == nil || !strings.Contains(err.Error(), "the deleted keys take more than") {
		t.Errorf("got %v", err)
	}
	s.opts.Memory = 64 << 10
	got, _, err := scanned(t, s, tbl, 1)
	if must(t, err); len(got) != 5 {
		t.Errorf("%d rows are left, want 5", len(got))
	}
}

// A Scan reads one snapshot, whatever is committed meanwhile, and an error of whom it calls
// ends it.
func TestScanOneSnapshot(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{TargetFileSize: 8 << 10})
	tbl := eventsTable("t")
	r := rand.New(rand.NewPCG(1, 2))
	model := make(map[int]batchtest.Row)
	w := openTable(t, s, tbl, writer.Follow)
	changeEvents(t, w, tbl, r, model, 4, "a")
	want := slices.Collect(maps.Values(asStored(t, tbl, model)))
	var got []batchtest.Row
	pos, err := s.Scan(t.Context(), tbl, 1, func(_ int, b arrow.RecordBatch) error {
		if len(got) == 0 {
			changeEvents(t, w, tbl, r, model, 3, "b")
		}
		rows, err := batchtest.Rows(b)
		got = append(got, rows...)
		return err
	})
	must(t, err)
	if diff := batchtest.Diff(got, want); diff != "" || pos != "a3" {
		t.Errorf("at %q: %s", pos, diff)
	}
	must(t, w.Close())
	wantScanned(t, s, tbl, slices.Collect(maps.Values(asStored(t, tbl, model))), "b2")
	enough := errors.New("enough")
	if pos, err := s.Scan(t.Context(), tbl, 2, func(int, arrow.RecordBatch) error { return enough }); !errors.Is(err, enough) || pos != "" {
		t.Errorf("got %q, %v", pos, err)
	}
}

// Only one who looks can scan, and nothing is made or changed.
func TestScanLooks(t *testing.T) {
	dir := t.TempDir()
	lake := dir + "/lake"
	s := openSink(t, "iceberg:"+lake, Options{Look: true})
	wantScanned(t, s, accounts("t"), nil, "")
	if files := filesIn(t, dir); len(files) > 0 {
		t.Errorf("made %v", files)
	}
	load(t, openSink(t, "iceberg:"+lake, Options{}), accounts("t"), writer.Create, 0, 1000, "p1")
	load(t, openSink(t, "iceberg:"+lake, Options{}), accounts("none"), writer.Create, 0, 0, "p0")
	before := filesIn(t, dir)
	s = openSink(t, "iceberg:"+lake, Options{Look: true})
	want, err := batchtest.Rows(rows(accounts("t"), 0, 1000).Rows)
	must(t, err)
	wantScanned(t, s, accounts("t"), want, "p1")
	wantScanned(t, s, accounts("none"), nil, "p0")
	if after := filesIn(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("made %v of %v", after, before)
	}
}

// A file that is not there is an error, and so is a Scan that nobody waits for.
func TestScanFaults(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{})
	load(t, s, accounts("t"), writer.Create, 0, 1000, "p1")
	ctx, cancel := context.WithCancel(t.Context())
	none := func(int, arrow.RecordBatch) error { cancel(); return nil }
	if pos, err := s.Scan(ctx, accounts("t"), 1, none); !errors.Is(err, context.Canceled) || pos != "" {
		t.Errorf("cancelled: %q, %v", pos, err)
	}
	var data string
	for _, f := range filesIn(t, lake) {
		if strings.HasSuffix(f, ".parquet") {
			data = f
		}
	}
	must(t, os.Remove(filepath.Join(lake, data)))
	if pos, err := s.Scan(t.Context(), accounts("t"), 1, none); err == nil || pos != "" || !strings.Contains(err.Error(), data) {
		t.Errorf("without %s: %q, %v", data, pos, err)
	}
	gone := newBitmap(65)
	if err := errors.Join(gone.add(0), gone.add(64)); err != nil {
		t.Error(err)
	}
	if err := gone.add(128); err == nil {
		t.Error("a row beyond the file's is noted")
	}
	if got := gone.from(63, 3); !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("got %v", got)
	}
}
