package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	restcat "github.com/apache/iceberg-go/catalog/rest"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// updated follows a table for some commits, each of which changes rows of those before.
// It returns the writer, still open, and what the table holds.
func updated(t *testing.T, s *Sink, tbl *schema.Table, commits int) (*Writer, map[int]batchtest.Row) {
	t.Helper()
	w := openTable(t, s, tbl, writer.Follow)
	model := make(map[int]batchtest.Row)
	for n := range commits {
		update(t, w, model, n)
	}
	return w, model
}

// update is the n-th of these commits.
func update(t *testing.T, w *Writer, model map[int]batchtest.Row, n int) {
	t.Helper()
	var changes []batchtest.Row
	var ops []batch.Op
	for i := range 5 {
		id := (n*3 + i) % 40
		op := batch.After
		if i == 4 {
			op = batch.Delete
		}
		row := batchtest.Row{id, fmt.Sprintf("%d-%d", n, i)}
		if model[id] = row; op == batch.Delete {
			delete(model, id)
		}
		changes, ops = append(changes, row), append(ops, op)
	}
	b := batchtest.Build(memory.DefaultAllocator, w.src, changes)
	b.Ops = ops
	write(t, w, b)
	must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint(n))))
}

// Another's commit comes before each of upkeep's, an answer is lost, or tells of a
// conflict that was one with itself: the table holds what it is to hold, and no file is
// left that it does not name.
func TestCompactConflicts(t *testing.T) {
	for name, fault := range map[string]func(t *testing.T, h *hooked, w *Writer, model map[int]batchtest.Row){
		"a tail is quicker": func(t *testing.T, h *hooked, w *Writer, model map[int]batchtest.Row) {
			n := 100
			var again func() error
			again = func() error { // before the first five
				update(t, w, model, n)
				if n++; n < 105 {
					h.before = again
				}
				return nil
			}
			h.before = again
		},
		"the answer is lost": func(_ *testing.T, h *hooked, _ *Writer, _ map[int]batchtest.Row) {
			h.after = func() error { return errReplyLost }
		},
		"the commit is lost": func(_ *testing.T, h *hooked, _ *Writer, _ map[int]batchtest.Row) {
			h.before = func() error { return errReplyLost }
		},
		"a conflict with itself": func(_ *testing.T, h *hooked, _ *Writer, _ map[int]batchtest.Row) {
			h.after = func() error { return restcat.ErrCommitFailed }
		},
		"lost, and a tail is quicker": func(t *testing.T, h *hooked, w *Writer, model map[int]batchtest.Row) {
			h.after = func() error { update(t, w, model, 200); return errReplyLost }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := hookedSink(t)
			tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
			w, model := updated(t, s, tbl, 12)
			fault(t, h, w, model)
			out := well(t, s, tbl, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: 1})
			if out.Rewritten == 0 || out.Snapshots == 0 {
				t.Errorf("%+v", out)
			}
			wantContent(t, s, tbl, model)
			update(t, w, model, 300)
			wantContent(t, s, tbl, model)
			must(t, w.Close())
			wantNamed(t, s, tbl)
		})
	}
}

// wantNamed checks that the table names every file in its folder.
func wantNamed(t *testing.T, s *Sink, tbl *schema.Table) {
	t.Helper()
	it := loaded(t, s, tbl)
	fs, err := it.FS(t.Context())
	must(t, err)
	named, err := referenced(it, fs, 0)
	must(t, err)
	dir, err := localPath(it.Location())
	must(t, err)
	for _, f := range filesIn(t, dir) {
		name := filepath.Base(f)
		if !named[name] && name != "version-hint.text" && !strings.HasPrefix(name, "v") {
			t.Errorf("left behind: %s", f)
		}
	}
}

// What others do to the very files that are written anew is not undone: upkeep gives way.
func TestCompactGivesWay(t *testing.T) {
	for name, other := range map[string]func(t *testing.T, s *Sink, tbl *schema.Table) map[int]batchtest.Row{
		"a row is deleted by its place": func(t *testing.T, s *Sink, tbl *schema.Table) map[int]batchtest.Row {
			_, err := loaded(t, s, tbl).Delete(context.Background(), iceberg.EqualTo(iceberg.Reference("id"), int32(7)), nil)
			must(t, err)
			return nil
		},
		"the content is exchanged": func(t *testing.T, s *Sink, tbl *schema.Table) map[int]batchtest.Row {
			w := openTable(t, s, tbl, writer.Replace)
			write(t, w, batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{{7, "x"}}))
			must(t, w.Commit(context.Background(), "new"))
			must(t, w.Close())
			return map[int]batchtest.Row{7: {int64(7), "x"}}
		},
		"another compacts": func(t *testing.T, s *Sink, tbl *schema.Table) map[int]batchtest.Row {
			must(t, compact(t, s, tbl, writer.Upkeep{}).Err)
			return map[int]batchtest.Row{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := hookedSink(t)
			tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
			w, model := updated(t, s, tbl, 12)
			must(t, w.Close())
			model[7] = batchtest.Row{7, "mine"}
			w = openTable(t, s, tbl, writer.Follow)
			b := batchtest.Build(memory.DefaultAllocator, tbl, []batchtest.Row{model[7]})
			b.Ops = []batch.Op{batch.After}
			write(t, w, b)
			must(t, w.Commit(t.Context(), "p"))
			must(t, w.Close())
			h.before = func() error {
				switch want := other(t, s, tbl); {
				case want == nil:
					delete(model, 7)
				case len(want) > 0:
					model = want
				}
				return nil
			}
			out := compact(t, s, tbl, writer.Upkeep{})
			must(t, out.Err)
			if len(out.Left) != 1 || out.Rewritten > 0 {
				t.Errorf("%+v", out)
			}
			wantContent(t, s, tbl, model)
			wantNamed(t, s, tbl)
			well(t, s, tbl, writer.Upkeep{})
			wantContent(t, s, tbl, model)
		})
	}
}

// compactAt compacts a table and dies at a step; ARG is "STEP|LAKE".
func compactAt(arg string) error {
	ctx := context.Background()
	step, lake, _ := strings.Cut(arg, "|")
	s, err := Open(ctx, "iceberg:"+lake, Options{Step: func(name string) {
		if self, err := os.FindProcess(os.Getpid()); name == step && err == nil {
			_ = self.Kill()
			select {}
		}
	}})
	if err != nil {
		return err
	}
	var failed error
	err = s.Compact(ctx, func(writer.Held) bool { return true }, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: 1, OrphanAge: time.Millisecond}, func(c writer.Compacted) { failed = c.Err })
	fmt.Println("was to die at " + step)
	return errors.Join(err, failed)
}

// Whatever step upkeep dies at, the table holds what it did, a tail goes on, and the next
// one leaves no file that the table does not name.
func TestKilledCompact(t *testing.T) {
	kills(t)
	steps := []string{
		"compact: planned", "rows written", "compact: files durable", "compact: manifests written", "compact: commit sent", "compact: commit landed",
		"compact: expired", "compact: orphans found",
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			lake := t.TempDir()
			s := openSink(t, "iceberg:"+lake, Options{})
			tbl := batchtest.Shape("shop", "t", "id int key", "v varchar(20)")
			w, model := updated(t, s, tbl, 12)
			orphan := filepath.Join(lake, "shop", "t", "data", "orphan.parquet")
			must(t, os.WriteFile(orphan, []byte("x"), 0o644))
			old := time.Now().Add(-time.Hour)
			must(t, os.Chtimes(orphan, old, old))
			cmd, out := child(t, "compact", step+"|"+lake)
			if line, _ := out.ReadString('\n'); line != "" {
				t.Fatalf("child said %q", line)
			}
			_ = cmd.Wait()
			wantContent(t, s, tbl, model)
			update(t, w, model, 50)
			wantContent(t, s, tbl, model)
			must(t, w.Close())
			well(t, s, tbl, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: 1, OrphanAge: 30 * time.Minute})
			wantContent(t, s, tbl, model)
			wantNamed(t, s, tbl)
		})
	}
}
