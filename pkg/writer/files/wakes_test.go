package files

import (
	"bytes"
	"context"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// A pausing store does something before a manifest is put in place.
type pausing struct {
	store
	before func()
}

func (p *pausing) replace(ctx context.Context, via, name string, data []byte) error {
	if f := p.before; f != nil && strings.HasSuffix(name, manifestFile) {
		p.before = nil
		f()
	}
	return p.store.replace(ctx, via, name, data)
}

// A listing store does something before a table's folder is listed.
type listing struct {
	store
	before func()
}

func (l *listing) list(ctx context.Context, dir string) ([]info, error) {
	if f := l.before; f != nil && dir == "shop/orders" {
		l.before = nil
		f()
	}
	return l.store.list(ctx, dir)
}

// A run that finds no table finds another one's files a moment later.
func TestMadeMeanwhile(t *testing.T) {
	for _, mode := range []writer.Mode{writer.Create, writer.Follow, writer.Extend, writer.Replace} {
		root := t.TempDir()
		l := &listing{store: folders{local{root}}, before: func() {
			b := openOrders(t, csvSink(root, Options{}), writer.Follow)
			writeOrders(t, b, -1, batchtest.Row{1, "b"})
			storeMust(t, b.Commit(t.Context(), "b"))
			storeMust(t, b.Close())
		}}
		w := openOrders(t, newSink(l, "", Options{Format: CSV}), mode)
		if at, err := w.Position(t.Context()); l.before != nil || at != "b" || err != nil {
			t.Errorf("mode %v: the table is at %q, %v", mode, at, err)
		}
		storeMust(t, w.Close())
	}
}

func TestSharedManifestRolledBack(t *testing.T) {
	root := t.TempDir()
	p := &pausing{store: folders{local{root}}}
	a := openOrders(t, newSink(p, "", Options{Format: CSV}), writer.Follow)
	a.Share(writertest.MergePart("a"))
	b := openOrders(t, csvSink(root, Options{}), writer.Follow)
	b.Share(writertest.MergePart("b"))
	writeOrders(t, a, 0, batchtest.Row{1, "a"})
	writeOrders(t, b, 0, batchtest.Row{2, "b"})
	p.before = func() { storeMust(t, b.Commit(t.Context(), "b:1")); t.Log(readOrders(t, root)) }
	storeMust(t, a.Commit(t.Context(), "a:1"))
	if got := readOrders(t, root); !strings.Contains(got, "commit 2") {
		t.Errorf("both runs are through, readers see %s", got)
	}
}

func TestSharedManifestNamesLostFiles(t *testing.T) {
	root := t.TempDir()
	p := &pausing{store: folders{local{root}}}
	a := openOrders(t, newSink(p, "", Options{Format: CSV}), writer.Follow)
	writeOrders(t, a, 0, batchtest.Row{1, "a"}, batchtest.Row{2, "b"})
	storeMust(t, a.Commit(t.Context(), "a:0"))
	a = openOrders(t, newSink(p, "", Options{Format: CSV}), writer.Follow)
	a.Share(writertest.MergePart("a"))
	writeOrders(t, a, 0, batchtest.Row{3, "a"})
	p.before = func() {
		b := openOrders(t, csvSink(root, Options{}), writer.Follow)
		b.Share(writertest.MergePart("b"))
		writeOrders(t, b, int(batch.After), batchtest.Row{2, "b2"})
		storeMust(t, b.Commit(t.Context(), "b:1"))
		t.Log(readOrders(t, root))
	}
	storeMust(t, a.Commit(t.Context(), "a:1"))
	if got := readOrders(t, root); strings.Contains(got, "LOST") {
		t.Errorf("both runs are through, readers see %s", got)
	}
}

func TestConcurrentStockFollow(t *testing.T) {
	root := t.TempDir()
	w := openOrders(t, csvSink(root, Options{}), writer.Follow)
	storeMust(t, w.Commit(t.Context(), "p0"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { writeOrders(t, w, -1, batchtest.Row{i, "x"}) })
	}
	wg.Wait()
	storeMust(t, w.Commit(t.Context(), "p"))
	if n := strings.Count(readOrders(t, root), `"x"`); n != 8 {
		t.Errorf("%d rows of 8", n)
	}
}

// S3: reveal completes an upload, and the run gives up.
func TestS3Revealed(t *testing.T) {
	o := s3Place(t)
	st := s3At(t, o) // no room for copies
	ctx, cancel := context.WithCancel(t.Context())
	s := newSink(unclosed{st}, "", Options{Format: CSV, Step: func(n string) {
		if n == "rows written" {
			cancel()
		}
	}})
	w := openOrders(t, s, writer.Follow)
	writeOrders(t, w, -1, batchtest.Row{1, "a"}, batchtest.Row{3, "c"})
	writeOrders(t, w, int(batch.After), batchtest.Row{2, "b"})
	t.Logf("commit: %v", w.Commit(ctx, "p"))
	t.Logf("close: %v", w.Close())
	found, err := st.list(t.Context(), "shop/orders/g1")
	t.Logf("in g1: %v %v", found, err)
	s2 := newSink(unclosed{s3At(t, o)}, "", Options{Format: CSV})
	_, err = s2.Open(t.Context(), rival, writer.Follow)
	if err != nil || len(found) > 0 {
		t.Errorf("nothing was committed; %d files are seen; the next run: %v", len(found), err)
	}
}

// S3: a stage is discarded while its owner wakes.
func TestS3DiscardWhileOwnerWakes(t *testing.T) {
	o := s3Place(t)
	a := openOrders(t, newSink(unclosed{s3At(t, o)}, "", Options{Format: CSV}), writer.Create)
	writeOrders(t, a, -1, batchtest.Row{1, "x"})
	ob := o
	ob.step = func(n string) {
		if n == "uploads aborted" {
			t.Logf("the owner commits: %v", a.Commit(t.Context(), "p"))
		}
	}
	storeMust(t, a.finishAll(t.Context()))
	storeMust(t, s3At(t, ob).discard(t.Context(), stage{table: a.dir, name: a.at.name}))
	_, err := newSink(unclosed{s3At(t, o)}, "", Options{Format: CSV}).Open(t.Context(), rival, writer.Create)
	if err != nil {
		t.Errorf("the table cannot be opened any more: %v", err)
	}
}

// What is written as text is read as it was.
func TestTextRoundTrip(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id bigint key", "s longtext", "d date", "ts datetime(6)", "f double", "g float", "b longblob", "m decimal(38,10)", "z timestamp(6)")
	strs := []string{"", "\\", "\\\\", "a\\", "\"", "\\\"", "a\"b,c", "\n", "\r\n", "\r", "\t", "\x00", "\\N", "NULL", "null", "\\n", "a\\\nb", "\"\n\"", "\u2028", "é\\", ",", "\\,", "{\"a\":1}", "\u0085", "'", strings.Repeat("\\", 5)}
	dates := []int32{-719162, -719528, 0, 2932896, -354285, 365 * 20}
	floats := []float64{math.Copysign(0, -1), 0, 1e308, 5e-324, math.Pi, 1e21, -1e-7, 123456789012345680}
	for _, f := range []Format{CSV, TSV, JSONL} {
		for _, h := range []bool{false, true} {
			if f == JSONL && h {
				continue
			}
			rb := array.NewRecordBuilder(memory.DefaultAllocator, table.Arrow)
			for i := range 60 {
				rb.Field(0).(*array.Int64Builder).Append(int64(i))
				rb.Field(1).(*array.StringBuilder).Append(strs[i%len(strs)])
				rb.Field(2).(*array.Date32Builder).Append(arrow.Date32(dates[i%len(dates)]))
				rb.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(int64(dates[i%len(dates)])*86400e6 + int64(i)))
				rb.Field(4).(*array.Float64Builder).Append(floats[i%len(floats)])
				rb.Field(5).(*array.Float32Builder).Append(float32(floats[i%2*4]))
				rb.Field(6).(*array.BinaryBuilder).Append([]byte(strs[i%len(strs)]))
				rb.Field(7).AppendNull()
				rb.Field(8).(*array.TimestampBuilder).Append(arrow.Timestamp(int64(dates[i%len(dates)])*86400e6 + int64(i)))
			}
			rec := rb.NewRecordBatch()
			w := &Writer{src: table}
			columns, err := columnsOf(table)
			storeMust(t, err)
			storeMust(t, w.use(f, "none", h, "", columns))
			var buf bytes.Buffer
			e, err := newTextFile(&buf, f, columns, w.types, "none", h)
			storeMust(t, err)
			storeMust(t, e.rows(rec.Columns(), 0, 60))
			storeMust(t, e.end())
			at := 0
			err = w.scanText(t.Context(), s3Whole{bytes.NewReader(buf.Bytes())}, func(got []arrow.Array, rows int) error {
				for r := range rows {
					for c := range got {
						a, b := rec.Column(c).ValueStr(r+at), got[c].ValueStr(r)
						if a != b || rec.Column(c).IsNull(r+at) != got[c].IsNull(r) {
							t.Errorf("%s header %v row %d column %s: %q became %q", f, h, r+at, columns[c].Name, a, b)
						}
					}
				}
				at += rows
				return nil
			})
			if err != nil {
				t.Errorf("%s header %v: %v", f, h, err)
			}
			if at != 60 {
				t.Errorf("%s header %v: %d rows of 60", f, h, at)
			}
		}
	}
}

// Folders of days before 1000 and after 9999.
func TestFolderYears(t *testing.T) {
	l := folderLevel{unit: "day"}
	for d, want := range map[int64]string{-719162: "0001-01-01", -354286: "0999-12-31", 2932896: "9999-12-31"} {
		if got := string(l.appendUnit(nil, d*86400e6)); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}

// TestReplaceOvertakenTwice in HDFS, whose renames are others.
func TestHDFSReplaceOvertakenTwice(t *testing.T) {
	st := folders{testHDFS(t)}
	replace := func(id int) {
		w := openOrders(t, newSink(unclosed{st}, "", Options{Format: CSV}), writer.Replace)
		writeOrders(t, w, -1, batchtest.Row{id, "x"})
		storeMust(t, w.Commit(t.Context(), "p"))
	}
	replace(1)
	slow := openOrders(t, newSink(unclosed{st}, "", Options{Format: CSV}), writer.Replace)
	writeOrders(t, slow, -1, batchtest.Row{100, "slow"})
	replace(2)
	replace(3)
	storeMust(t, slow.Commit(t.Context(), "slow"))
	found, err := st.list(t.Context(), "shop/orders/"+slow.known.Generation)
	t.Logf("g2: %v %v; manifest: %v", found, err, slow.known.Files)
	if len(found) == 0 {
		t.Error("rows are lost")
	}
}

// A run that is stopped for 16 minutes, and goes on: whoever else opens the table on the same machine knows that it lives.
func TestStoppedOnThisMachine(t *testing.T) {
	root := t.TempDir()
	a := openOrders(t, csvSink(root, Options{}), writer.Create)
	writeOrders(t, a, -1, batchtest.Row{1, "x"})
	at := a.at
	openOrders(t, csvSink(root, Options{}), writer.Create)
	if _, err := os.Stat(root + "/" + stageDir(at)); err != nil {
		t.Error(err)
	}
}

// A fold that is tried again keeps what it has staged: the staged stock of the same commit.
func TestFoldRandom(t *testing.T) {
	for seed := range seeds(40) {
		root := t.TempDir()
		o := Options{Memory: 4000, TargetFileSize: 300, Format: []Format{CSV, TSV, JSONL, Parquet}[seed%4]}
		rivalFold(t, root, o, seed)
	}
}

// seeds is how many of n random runs are made: fewer with -short, as the race detector runs them.
func seeds(n int) int {
	if testing.Short() {
		return n / 3
	}
	return n
}
