package files

import (
	"context"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

type finishStore struct {
	store
	h *finishHook
}

func (s finishStore) create(ctx context.Context, at stage, name string) (output, error) {
	out, err := s.store.create(ctx, at, name)
	if err != nil {
		return nil, err
	}
	return &finishOut{output: out, h: s.h, aborted: make(chan struct{})}, nil
}

func TestCancelAfterFinishElsewhere(t *testing.T) {
	for name, mk := range map[string]func(t *testing.T) store{
		"s3":   func(t *testing.T) store { return s3At(t, s3Place(t)) },
		"hdfs": func(t *testing.T) store { return folders{testHDFS(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			st := unclosed{mk(t)}
			h := &finishHook{}
			w := openOrders(t, newSink(finishStore{st, h}, "", Options{Format: CSV}), writer.Create)
			writeOrders(t, w, -1, batchtest.Row{1, "x"})
			ctx, cancel := context.WithCancel(t.Context())
			h.after = func(aborted <-chan struct{}) { cancel(); <-aborted }
			t.Logf("first: %v", w.Commit(ctx, "p"))
			t.Logf("again: %v", w.Commit(t.Context(), "p"))
			_, err := newSink(st, "", Options{Format: CSV}).Open(t.Context(), rival, writer.Create)
			if err != nil {
				t.Errorf("broken: %v; hint %q, transient %v", err, hint.Of(err), hint.IsTransient(err))
			}
		})
	}
}

// Two replaces at once, of two formats: what lies in the generation's folder when the first is through and the second is.
func TestTwoReplacesOneGeneration(t *testing.T) {
	root := t.TempDir()
	w := openOrders(t, csvSink(root, Options{}), writer.Create)
	writeOrders(t, w, -1, batchtest.Row{0, "x"})
	storeMust(t, w.Commit(t.Context(), "p"))
	a := openOrders(t, csvSink(root, Options{Format: CSV}), writer.Replace)
	b := openOrders(t, csvSink(root, Options{Format: TSV, Step: func(n string) {
		if n == "published" {
			for _, f := range filesBelow(root) {
				if strings.Contains(f, "/g2/") {
					t.Log("seen by who lists: ", f)
				}
			}
		}
	}}), writer.Replace)
	writeOrders(t, a, -1, batchtest.Row{1, "a"})
	writeOrders(t, b, -1, batchtest.Row{2, "b"})
	storeMust(t, a.Commit(t.Context(), "a"))
	t.Log(readOrders(t, root))
	storeMust(t, b.Commit(t.Context(), "b"))
	t.Log(readOrders(t, root))
}
