package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// scanned reads a table by Scan.
func scanned(t *testing.T, s *Sink, table *schema.Table) (batch.Position, []batchtest.Row) {
	t.Helper()
	var mu sync.Mutex
	var all []batchtest.Row
	var busy [3]atomic.Bool
	pos, err := s.Scan(t.Context(), table, len(busy), func(n int, b arrow.RecordBatch) error {
		if !busy[n].CompareAndSwap(false, true) {
			t.Errorf("two calls at a time are of goroutine %d", n)
		}
		defer busy[n].Store(false)
		if !b.Schema().Equal(table.Arrow) {
			t.Errorf("%s: batches are %s", table, b.Schema())
		}
		rows, err := batchtest.Rows(b)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, rows...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return pos, all
}

// scannedAlike compares what others read of a table with what Scan does.
func scannedAlike(t *testing.T, s *Sink, table *schema.Table, read []arrow.RecordBatch) {
	t.Helper()
	if table.IsChangelog() {
		return
	}
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	var want []batchtest.Row
	for _, b := range read {
		rows, err := batchtest.Rows(b, names...)
		if err != nil {
			t.Log(err) // a table of another shape, which is the test's own affair
			return
		}
		want = append(want, rows...)
	}
	if _, got := scanned(t, s, table); batchtest.Diff(got, want) != "" {
		t.Errorf("%s, by Scan: %s", table, batchtest.Diff(got, want))
	}
}

var scanForms = []Options{
	{Format: Parquet}, {Format: ParquetLegacy}, {Format: CSV}, {Format: CSV, Header: true, Compression: "zstd"}, {Format: TSV, Compression: "gzip"}, {Format: JSONL},
}

// TestScan reads every type, in every form, in folders and without.
func TestScan(t *testing.T) {
	for _, o := range scanForms {
		t.Run(string(o.Format)+o.Compression, func(t *testing.T) {
			t.Parallel()
			st := folders{local{t.TempDir()}}
			for _, r := range readables(t, "db") {
				if r.IsChangelog() {
					continue
				}
				writeReadable(t, st, o, r)
				for _, look := range []bool{false, true} {
					pos, got := scanned(t, newSink(st, "", Options{Look: look}), r.Table)
					if want := batch.Position(rune('a' + len(r.commits) - 1)); pos != want {
						t.Errorf("%s: got position %q, want %q", r, pos, want)
					}
					if diff := batchtest.Diff(got, r.rows()); diff != "" {
						t.Errorf("%s: %s", r, diff)
					}
				}
			}
		})
	}
}

// TestScanStores reads from stores that are not of this machine.
func TestScanStores(t *testing.T) {
	for name, fresh := range map[string]func(*testing.T) store{
		"hdfs": func(t *testing.T) store { return folders{testHDFS(t)} },
		"s3":   func(t *testing.T) store { return s3At(t, s3Place(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			st := unclosed{fresh(t)}
			for i, o := range []Options{{Format: Parquet}, {Format: CSV, Compression: "gzip"}} {
				all := batchtest.AllTypes(fmt.Sprint("db", i), "every")
				writeReadable(t, st, o, readable{Table: all.Table, commits: [][]batchtest.Row{all.Rows[:2], all.Rows[2:]}})
				if _, got := scanned(t, newSink(st, "", Options{}), all.Table); batchtest.Diff(got, all.Rows) != "" {
					t.Error(batchtest.Diff(got, all.Rows))
				}
			}
		})
	}
}

// TestScanChanged reads a table that is followed, is altered, and is not there.
func TestScanChanged(t *testing.T) {
	for _, o := range scanForms {
		if o.Format == ParquetLegacy {
			continue
		}
		s := csvSink(t.TempDir(), o)
		if pos, rows := scanned(t, s, rival); pos != "" || len(rows) > 0 {
			t.Errorf("%s: a table that is not there has %v at %q", o.Format, rows, pos)
		}
		w := openOrders(t, s, writer.Create)
		writeOrders(t, w, -1, batchtest.Row{1, "one"}, batchtest.Row{2, "two"}, batchtest.Row{3, nil}, batchtest.Row{4, ""})
		storeMust(t, w.Commit(t.Context(), "p1"))
		storeMust(t, w.Close())
		w = openOrders(t, s, writer.Follow)
		writeOrders(t, w, int(batch.After), batchtest.Row{1, "ünë"}, batchtest.Row{5, "five"})
		writeOrders(t, w, int(batch.Delete), batchtest.Row{2, nil})
		_, before := scanned(t, s, rival)
		if len(before) != 4 {
			t.Errorf("%s: got %v before the commit", o.Format, before)
		}
		storeMust(t, w.Commit(t.Context(), "p2"))
		storeMust(t, w.Close())
		want := []batchtest.Row{{int64(1), "ünë"}, {int64(3), nil}, {int64(4), ""}, {int64(5), "five"}}
		if pos, got := scanned(t, s, rival); pos != "p2" || batchtest.Diff(got, want) != "" {
			t.Errorf("%s at %s: %s", o.Format, pos, batchtest.Diff(got, want))
		}

		// Columns in another order, and fewer; older files lack one.
		grown := batchtest.Shape("shop", "orders", "id bigint key", "note longtext", "n int")
		g, err := s.Open(t.Context(), grown, writer.Extend)
		storeMust(t, err)
		row(t, g, grown, 6, "six", 6)
		storeMust(t, g.Commit(t.Context(), "p3"))
		storeMust(t, g.Close())
		part := batchtest.Shape("shop", "orders", "N int", "id bigint key")
		want = []batchtest.Row{{nil, int64(1)}, {nil, int64(3)}, {nil, int64(4)}, {nil, int64(5)}, {int64(6), int64(6)}}
		if pos, got := scanned(t, s, part); pos != "p3" || batchtest.Diff(got, want) != "" {
			t.Errorf("%s at %s: %s", o.Format, pos, batchtest.Diff(got, want))
		}
	}
}

// TestScanOtherTypes reads columns as they are at the source by now.
func TestScanOtherTypes(t *testing.T) {
	for _, c := range []struct {
		from, to  string
		value, as any // nil: it has no place
	}{
		{"int", "bigint", -7, int64(-7)},
		{"bigint", "int", math.MinInt32, int64(math.MinInt32)},
		{"bigint", "int", math.MaxInt32 + 1, nil},
		{"int", "bigint unsigned", 7, "7"},
		{"bigint unsigned", "int", "7", int64(7)},
		{"bigint unsigned", "bigint", "18446744073709551615", nil},
		{"float", "double", float32(1.5), 1.5},
		{"double", "float", 1.5, float32(1.5)},
		{"double", "float", 0.1, nil},
		{"double", "float", 1e300, nil},
		{"decimal(10,2)", "decimal(12,4)", "-1.25", "-1.2500"},
		{"decimal(12,4)", "decimal(10,2)", "1.2500", "1.25"},
		{"decimal(12,4)", "decimal(10,2)", "1.2501", nil},
		{"decimal(12,2)", "decimal(5,2)", "1000.00", nil},
		{"varchar(20)", "int", "7", nil},
		{"datetime", "timestamp", "2024-02-29 00:00:00.000000", nil},
	} {
		for _, format := range []Format{Parquet, CSV} {
			s := csvSink(t.TempDir(), Options{Format: format})
			table := batchtest.Shape("shop", "t", "id int key", "v "+c.from)
			w, err := s.Open(t.Context(), table, writer.Create)
			storeMust(t, err)
			row(t, w, table, 1, c.value)
			row(t, w, table, 2, nil)
			storeMust(t, w.Commit(t.Context(), "p"))
			storeMust(t, w.Close())
			now := batchtest.Shape("shop", "t", "id int key", "v "+c.to)
			if c.as != nil {
				if _, got := scanned(t, s, now); batchtest.Diff(got, []batchtest.Row{{int64(1), c.as}, {int64(2), nil}}) != "" {
					t.Errorf("%s as %s: got %v", c.from, c.to, got)
				}
				continue
			}
			_, err = s.Scan(t.Context(), now, 1, func(int, arrow.RecordBatch) error { return nil })
			var own *schema.TableError
			if !errors.As(err, &own) || !strings.Contains(err.Error(), "column v") {
				t.Errorf("%s as %s: got %v", c.from, c.to, err)
			}
		}
	}
}

// TestScanRefuses reads what cannot be.
func TestScanRefuses(t *testing.T) {
	s := csvSink(t.TempDir(), Options{})
	w := openOrders(t, s, writer.Create)
	writeOrders(t, w, -1, batchtest.Row{1, "one"})
	storeMust(t, w.Commit(t.Context(), "p1"))
	storeMust(t, w.Close())
	changes, err := schema.Changelog(rival)
	storeMust(t, err)
	for want, table := range map[string]*schema.Table{
		"no column gone":      batchtest.Shape("shop", "orders", "id bigint key", "gone int"),
		"row for each change": changes,
	} {
		_, err := s.Scan(t.Context(), table, 2, func(int, arrow.RecordBatch) error { return nil })
		var own *schema.TableError
		if !errors.As(err, &own) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	enough := errors.New("enough")
	if _, err := s.Scan(t.Context(), rival, 2, func(int, arrow.RecordBatch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the error of who is called", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Scan(ctx, rival, 2, func(int, arrow.RecordBatch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a context that has ended", err)
	}
}

// An beforeOpen calls back before a data file is opened.
type beforeOpen struct {
	store
	before func(name string)
}

func (s beforeOpen) open(ctx context.Context, name string) (input, error) {
	if !strings.Contains(name, hidden) {
		s.before(name)
	}
	return s.store.open(ctx, name)
}

// TestScanOvertaken has files vanish, by a later commit or by hand, before rows were handed on and behind that.
func TestScanOvertaken(t *testing.T) {
	for _, c := range []struct {
		name      string
		at        int  // the file at which it happens
		commits   bool // or removes the files by hand
		transient bool
	}{
		{"by a commit, at first", 0, true, false}, {"by a commit, later on", 1, true, true}, {"by hand, at first", 0, false, false}, {"by hand, later on", 1, false, false},
	} {
		for _, look := range []bool{false, true} {
			root := t.TempDir()
			s := csvSink(root, Options{})
			w := openOrders(t, s, writer.Create)
			writeOrders(t, w, -1, batchtest.Row{1, "one"})
			storeMust(t, w.Commit(t.Context(), "p1"))
			writeOrders(t, w, -1, batchtest.Row{2, "two"}, batchtest.Row{3, "three"})
			storeMust(t, w.Commit(t.Context(), "p2"))
			storeMust(t, w.Close())
			w = openOrders(t, s, writer.Extend)
			opened := 0
			reads := newSink(beforeOpen{folders{local{root}}, func(name string) {
				if opened++; opened != c.at+1 {
					return
				}
				if !c.commits {
					storeMust(t, os.Remove(filepath.Join(root, filepath.FromSlash(name))))
					return
				}
				writeOrders(t, w, int(batch.After), batchtest.Row{1, "1"}, batchtest.Row{2, "2"})
				storeMust(t, w.Commit(t.Context(), "p3"))
			}}, "", Options{Look: look})
			var got []batchtest.Row
			pos, err := reads.Scan(t.Context(), rival, 1, func(_ int, b arrow.RecordBatch) error {
				rows, err := batchtest.Rows(b)
				got = append(got, rows...)
				return err
			})
			switch want := []batchtest.Row{{int64(1), "1"}, {int64(2), "2"}, {int64(3), "three"}}; {
			case c.transient && !hint.IsTransient(err):
				t.Errorf("%s: got %v, want what may pass", c.name, err)
			case !c.commits && (err == nil || hint.IsTransient(err) || !strings.Contains(err.Error(), "is lost") || errors.Is(err, fs.ErrNotExist)):
				t.Errorf("%s: got %v, want that a file is lost", c.name, err)
			case c.commits && !c.transient && (err != nil || pos != "p3" || batchtest.Diff(got, want) != ""):
				t.Errorf("%s: got %v at %q, %v", c.name, got, pos, err)
			}
			storeMust(t, w.Close())
		}
	}
}

// TestScanLarge reads many batches of many files at once.
func TestScanLarge(t *testing.T) {
	table := batchtest.Shape("shop", "t", "id bigint key", "at datetime(6)", "note longtext")
	var want []batchtest.Row
	for i := range 40_000 {
		r := batchtest.Row{int64(i), fmt.Sprintf("%04d-01-02 03:04:05.000006", 1000+i%9000), strings.Repeat("x", i%40)}
		if i%7 == 0 {
			r[1] = nil
		}
		want = append(want, r)
	}
	for _, o := range scanForms {
		o.TargetFileSize = 100_000
		s := csvSink(t.TempDir(), o)
		w, err := s.Open(t.Context(), table, writer.Create)
		storeMust(t, err)
		for from := 0; from < len(want); from += 8000 {
			b := batchtest.Build(memory.DefaultAllocator, table, want[from:from+8000])
			storeMust(t, w.Write(t.Context(), b))
			b.Release()
		}
		storeMust(t, w.Commit(t.Context(), "p"))
		storeMust(t, w.Close())
		if _, got := scanned(t, s, table); batchtest.Diff(got, want) != "" {
			t.Errorf("%s: %.300s", o.Format, batchtest.Diff(got, want))
		}
	}
}
