package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var rival = batchtest.Shape("shop", "orders", "id bigint key", "note longtext")

// csvSink is a sink of its own run into a folder of this machine; CSV, if nothing else is said.
func csvSink(root string, o Options) *Sink {
	if o.Format == "" {
		o.Format = CSV
	}
	return newSink(folders{local{root}}, "", o)
}

func openOrders(t *testing.T, s *Sink, mode writer.Mode) *Writer {
	t.Helper()
	w, err := s.Open(t.Context(), rival, mode)
	storeMust(t, err)
	return w.(*Writer)
}

// writeOrders writes rows, as changes of one kind if op is one.
func writeOrders(t *testing.T, w *Writer, op int, rows ...batchtest.Row) {
	t.Helper()
	b := batchtest.Build(memory.DefaultAllocator, w.src, rows)
	if op >= 0 {
		for range rows {
			b.Ops = append(b.Ops, batch.Op(op))
		}
	}
	storeMust(t, w.Write(t.Context(), b))
	b.Release()
}

// readOrders reads what the manifest on disk names.
func readOrders(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(root, "shop", "orders")
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return "no manifest"
	}
	var m manifest
	storeMust(t, json.Unmarshal(text, &m))
	var lines []string
	for _, f := range m.Files {
		data, err := os.ReadFile(filepath.Join(dir, f.Path))
		if err != nil {
			lines = append(lines, "LOST "+f.Path)
			continue
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	slices.Sort(lines)
	return fmt.Sprintf("commit %d at %s: %s", m.Number, m.Position, strings.Join(lines, " | "))
}

// filesBelow are the files of a folder, by their names in it.
func filesBelow(root string) (all []string) {
	filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(p, root))
		}
		return nil
	})
	return all
}

// A Replace that is under way while two others replace the table.
func TestReplaceOvertakenTwice(t *testing.T) {
	root := t.TempDir()
	replace := func(id int) {
		w := openOrders(t, csvSink(root, Options{}), writer.Replace)
		writeOrders(t, w, -1, batchtest.Row{id, "x"})
		storeMust(t, w.Commit(t.Context(), batch.Position(fmt.Sprint("p", id))))
		storeMust(t, w.Close())
	}
	replace(1) // g1
	slow := openOrders(t, csvSink(root, Options{}), writer.Replace)
	writeOrders(t, slow, -1, batchtest.Row{100, "slow"})
	replace(2) // g2
	replace(3) // g3
	err := slow.Commit(t.Context(), "slow")
	t.Logf("commit: %v", err)
	t.Log(readOrders(t, root))
	if got := readOrders(t, root); !strings.Contains(got, `100,"slow"`) {
		t.Errorf("rows are lost: %s", got)
	}
	for _, f := range filesBelow(root) {
		t.Log(f)
	}
	replace(4)
	t.Log(readOrders(t, root))
	if got := readOrders(t, root); !strings.Contains(got, `4,"x"`) {
		t.Errorf("rows are lost by the next replace: %s", got)
	}
}

// A run sleeps once its commit has landed, and another goes on meanwhile.
func TestSleeperRollsManifestBack(t *testing.T) {
	root := t.TempDir()
	slept := false
	a := csvSink(root, Options{})
	a.opts.Step = func(name string) {
		if name != "commit landed" || slept {
			return
		}
		slept = true
		b := openOrders(t, csvSink(root, Options{}), writer.Follow)
		writeOrders(t, b, int(batch.Insert), batchtest.Row{2, "newer"})
		storeMust(t, b.Commit(t.Context(), "p2"))
		storeMust(t, b.Close())
		t.Log("while it sleeps: ", readOrders(t, root))
	}
	w := openOrders(t, a, writer.Follow)
	writeOrders(t, w, int(batch.Insert), batchtest.Row{1, "old"})
	t.Logf("commit: %v", w.Commit(t.Context(), "p1"))
	got := readOrders(t, root)
	if !strings.Contains(got, "commit 2") || strings.Contains(got, "LOST") {
		t.Errorf("after it woke: %s", got)
	}
}

// The context ends right after a file is finished.
type finishHook struct {
	fileSystem
	after func(abort <-chan struct{})
}
type finishOut struct {
	output
	h       *finishHook
	aborted chan struct{}
	once    sync.Once
}

func (h *finishHook) create(ctx context.Context, name string) (output, error) {
	out, err := h.fileSystem.create(ctx, name)
	if err != nil || !strings.Contains(name, "part-") {
		return out, err
	}
	return &finishOut{output: out, h: h, aborted: make(chan struct{})}, nil
}

func (o *finishOut) finish() (string, error) {
	token, err := o.output.finish()
	o.h.after(o.aborted)
	return token, err
}
func (o *finishOut) abort() { o.output.abort(); o.once.Do(func() { close(o.aborted) }) }

func TestCancelAfterFinish(t *testing.T) {
	root := t.TempDir()
	h := &finishHook{fileSystem: local{root}}
	s := newSink(folders{h}, "", Options{Format: CSV})
	w := openOrders(t, s, writer.Create)
	writeOrders(t, w, -1, batchtest.Row{1, "x"})
	ctx, cancel := context.WithCancel(t.Context())
	h.after = func(aborted <-chan struct{}) { cancel(); <-aborted }
	t.Logf("commit with the context that ends: %v", w.Commit(ctx, "p"))
	err := w.Commit(t.Context(), "p") // safe, says the contract
	t.Logf("commit once more: %v", err)
	if got := readOrders(t, root); err == nil || got != "no manifest" {
		t.Logf("manifest: %s", got)
	}
	o := csvSink(root, Options{})
	if _, err := o.Open(t.Context(), rival, writer.Create); err != nil {
		t.Errorf("the table cannot be opened any more: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(root, "shop/orders/_tablehaul/commits")); len(entries) > 0 {
		t.Errorf("%d commits are there, of a file that was removed", len(entries))
	}
}

// A stage is removed by another run, one file after the other, while its owner wakes.
type removeHook struct {
	fileSystem
	mid func()
}

func (h *removeHook) remove(ctx context.Context, name string) error {
	if strings.Contains(name, "/staging/") && !strings.Contains(name, "owner") && !strings.Contains(name, "entry") && h.mid != nil {
		// os.RemoveAll removes what is in a folder first: here one file has gone.
		filepath.WalkDir(h.fileSystem.(local).at(name), func(p string, d os.DirEntry, err error) error {
			if err == nil && strings.Contains(p, "part-") {
				os.Remove(p)
				return filepath.SkipAll
			}
			return nil
		})
		h.mid()
	}
	return h.fileSystem.remove(ctx, name)
}

func TestDiscardWhileOwnerWakes(t *testing.T) {
	root := t.TempDir()
	a := openOrders(t, csvSink(root, Options{}), writer.Create)
	writeOrders(t, a, -1, batchtest.Row{1, "x"})
	storeMust(t, a.finishAll(t.Context()))
	writeOrders(t, a, -1, batchtest.Row{2, "x"})
	storeMust(t, a.finishAll(t.Context()))
	// silent for 16 minutes (stopped, or another machine)
	owner := filepath.Join(root, "shop/orders/_tablehaul/staging", a.at.name, ownerFile)
	old := time.Now().Add(-16 * time.Minute)
	storeMust(t, os.Chtimes(owner, old, old))
	h := &removeHook{fileSystem: local{root}}
	h.mid = func() { h.mid = nil; t.Logf("the owner commits: %v", a.Commit(t.Context(), "p")) }
	b := newSink(folders{h}, "", Options{Format: CSV})
	_, err := b.Open(t.Context(), rival, writer.Create)
	t.Logf("open: %v", err)
	t.Log(readOrders(t, root))
	_, err = csvSink(root, Options{}).Open(t.Context(), rival, writer.Create)
	if err != nil {
		t.Errorf("the table is broken for good: %v", err)
	}
}

// A text of very many lines is read back, in as many steps: more would take minutes.
func TestManyLinesCSV(t *testing.T) {
	for _, kb := range []int{128, 4096} {
		root := t.TempDir()
		w := openOrders(t, csvSink(root, Options{}), writer.Follow)
		writeOrders(t, w, int(batch.Insert), batchtest.Row{1, strings.Repeat("line\n", kb<<10/5)})
		storeMust(t, w.Commit(t.Context(), "p"))
		writeOrders(t, w, int(batch.After), batchtest.Row{1, "y"})
		storeMust(t, w.Commit(t.Context(), "q"))
		if got := readOrders(t, root); !strings.Contains(got, `1,"y"`) || strings.Contains(got, "line") {
			t.Errorf("of a text of %d KiB there is still %.100q", kb, got)
		}
	}
}

// Changes of many tables.
func TestFoldMemory(t *testing.T) {
	root := t.TempDir()
	s := csvSink(root, Options{Memory: 16 << 20})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ws []*Writer
	for i := range 60 {
		table := batchtest.Shape("shop", fmt.Sprint("t", i), "id bigint key", "note longtext")
		w, err := s.Open(t.Context(), table, writer.Follow)
		storeMust(t, err)
		ws = append(ws, w.(*Writer))
		writeOrders(t, w.(*Writer), int(batch.After), batchtest.Row{1, strings.Repeat("x", 3<<20)})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc-before.HeapAlloc) >> 20
	t.Logf("Memory 16 MiB; 60 tables hold %d MiB; the sink knows of %d", held, s.buffered.Load()>>20)
	if held > 32 {
		t.Errorf("%d MiB are held of 16", held)
	}
	runtime.KeepAlive(ws)
}

// Extend of an empty table that is another source's.
func TestExtendTakesAnothersTable(t *testing.T) {
	root := t.TempDir()
	a := batchtest.Shape("a", "t", "id bigint key")
	b := batchtest.Shape("b", "t", "id bigint key")
	s := newSink(folders{local{root}}, "one", Options{})
	wa, err := s.Open(t.Context(), a, writer.Follow)
	storeMust(t, err)
	storeMust(t, wa.Commit(t.Context(), "mysql-a:100"))
	_, err = s.Open(t.Context(), b, writer.Follow)
	t.Logf("follow: %v", err)
	wb, err := s.Open(t.Context(), b, writer.Extend)
	if err == nil {
		pos, _ := wb.Position(t.Context())
		t.Errorf("Extend takes the table of a.t for b.t, at position %s", pos)
	}
}

// A file that has become shorter.
func TestShortFile(t *testing.T) {
	for _, f := range []Format{CSV, TSV, JSONL} {
		root := t.TempDir()
		w := openOrders(t, csvSink(root, Options{Format: f}), writer.Follow)
		writeOrders(t, w, int(batch.Insert), batchtest.Row{1, "a"}, batchtest.Row{2, "b"}, batchtest.Row{3, "c"})
		storeMust(t, w.Commit(t.Context(), "p"))
		p := filepath.Join(root, "shop/orders", w.known.Files[0].Path)
		data, err := os.ReadFile(p)
		storeMust(t, err)
		lines := strings.SplitAfter(string(data), "\n")
		storeMust(t, os.WriteFile(p, []byte(lines[0]+lines[1]), 0o666))
		writeOrders(t, w, int(batch.After), batchtest.Row{1, "z"})
		err = w.Commit(t.Context(), "q")
		if err == nil {
			t.Errorf("%s: no error, and %d rows: %s", f, w.known.Rows, readOrders(t, root))
		}
	}
}

// Writes at once behind a commit of which nothing is known.
type claimHook struct {
	store
	lose bool
}

func (c *claimHook) replace(ctx context.Context, via, name string, data []byte) error {
	if c.lose && strings.HasSuffix(name, manifestFile) {
		c.lose = false
		return errors.New("lost")
	}
	return c.store.replace(ctx, via, name, data)
}

func TestWritesAfterLostReply(t *testing.T) {
	lost := 0
	for range 60 {
		root := t.TempDir()
		c := &claimHook{store: folders{local{root}}, lose: true}
		w := openOrders(t, newSink(c, "", Options{Format: CSV, TargetFileSize: 1}), writer.Append)
		writeOrders(t, w, -1, batchtest.Row{0, "x"})
		if err := w.Commit(t.Context(), "p"); err == nil {
			t.Fatal("no error")
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { writeOrders(t, w, -1, batchtest.Row{i + 1, "x"}) })
		}
		wg.Wait()
		err := w.Commit(t.Context(), "q")
		if n := strings.Count(readOrders(t, root), `"x"`); n != 9 {
			lost++
			if lost < 4 {
				t.Logf("%d rows of 9; commit: %v", n, err)
			}
		}
	}
	if lost > 0 {
		t.Errorf("rows are lost in %d of 60 runs", lost)
	}
}

// A column whose name changes its case; one that has a slash.
func TestNames(t *testing.T) {
	g, err := fileTypes.Grown([]kept.Column{{Name: "id", Type: "int"}, {Name: "Name", Type: "string"}}, []kept.Column{{Name: "id", Type: "int"}, {Name: "name", Type: "string"}}, true)
	if err != nil || len(g) != 2 {
		t.Errorf("got %v, %v, want the columns id and Name", g, err)
	}
	root := t.TempDir()
	table := batchtest.Shape("shop", "orders", "id bigint key", "note longtext", "`../../../../x` varchar(20)")
	for _, p := range []string{"../../../../x", "a/../../y=note"} {
		s := newSink(folders{local{root + "/r"}}, "", Options{Partition: func(*schema.Table) string { return p }, Format: CSV})
		if _, err := s.Open(t.Context(), table, writer.Replace); err == nil || !strings.Contains(err.Error(), "the name has other letters") {
			t.Errorf("%s: got %v, want a refusal", p, err)
		}
	}
	if got := filesBelow(root); len(got) > 0 {
		t.Errorf("there is %v", got)
	}
}

// Rows are large, and read back.
func TestRewriteMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("600 MiB are compressed: left out by -short")
	}
	for _, f := range []Format{CSV, Parquet} {
		root := t.TempDir()
		w := openOrders(t, csvSink(root, Options{Memory: 16 << 20, Format: f, Compression: map[Format]string{CSV: "gzip", Parquet: "zstd"}[f]}), writer.Follow)
		for i := range 300 {
			writeOrders(t, w, -1, batchtest.Row{i, strings.Repeat("x", 1<<20)})
		}
		storeMust(t, w.Commit(t.Context(), "p"))
		runtime.GC()
		var peak uint64
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}
			}
		})
		writeOrders(t, w, int(batch.After), batchtest.Row{1, "z"})
		storeMust(t, w.Commit(t.Context(), "q"))
		close(stop)
		wg.Wait()
		t.Logf("%s: Memory 16 MiB, the file has %d KiB, the heap has at most %d MiB", f, w.known.Files[0].Bytes>>10, peak>>20)
		if peak > 150<<20 {
			t.Errorf("%s: %d MiB of 300 MiB were in memory", f, peak>>20)
		}
	}
}
