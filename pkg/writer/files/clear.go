package files

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Clearer = (*Writer)(nil)

// A clearing is of rows that go with the next commit. They are looked for right before it, as
// others may write files anew until then; of what was looked through, only such files have to be
// again.
type clearing struct {
	prefix []byte             // what their keys begin with, as appendKey writes them; nil if none go
	looked map[string]cleared // files of the table, by path
}

// A cleared is what has become of a file that was looked through.
type cleared struct {
	anew  bool
	files []file // that are staged in its place
}

// Clear takes rows of earlier commits away: the files that hold some are written anew without them.
func (w *Writer) Clear(ctx context.Context, key ...string) error {
	err := w.gate.Err()
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		err = w.clear(key)
	}
	if err != nil { // rows that are to go would stay
		return w.named("clear", w.gate.Fail(err))
	}
	return nil
}

func (w *Writer) clear(key []string) error {
	if len(key) > len(w.keyAt) {
		return &schema.TableError{Table: w.src.String(), Err: errors.New("rows of a table without such a key cannot be told from others")}
	}
	prefix := []byte{}
	for i, text := range key {
		if k := w.keyAt[i]; w.types[k].ID() != arrow.STRING {
			return w.keyError(k, "not a text, by which rows could be taken out")
		}
		prefix = append(binary.AppendUvarint(prefix, uint64(len(text))), text...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle)+len(w.staged) > 0 || w.foldsAlready() || w.clearing.prefix != nil {
		return errors.New("rows are staged already")
	}
	w.clearing = clearing{prefix, map[string]cleared{}}
	return nil
}

// clearCommitted writes the files of the table anew that hold rows that are to go. All others of
// this commit are finished.
func (w *Writer) clearCommitted(ctx context.Context) error {
	c := w.clearing
	if c.prefix == nil || w.emptied || w.replaces || w.fresh {
		return nil
	}
	for name := range c.looked {
		if !w.known.has([]string{name}) { // somebody else has written it anew
			w.notCleared(ctx, name)
		}
	}
	for _, f := range w.known.Files {
		if _, done := c.looked[f.Path]; done || slices.Contains(w.removed, f.Path) {
			continue
		}
		if err := w.clearFile(ctx, f); err != nil {
			return fmt.Errorf("take rows out: %w", err)
		}
	}
	return nil
}

// clearFile writes one of them anew, if it has such rows. What is staged in its place is kept apart
// from all else, to be given up alone.
func (w *Writer) clearFile(ctx context.Context, f file) error {
	n := len(w.staged)
	anew, err := w.rewriteKnown(ctx, f, superseded{prefix: w.clearing.prefix})
	if err == nil {
		err = w.finishAll(ctx)
	}
	w.mu.Lock()
	idle, written := w.idle, slices.Clone(w.staged[n:])
	w.idle, w.staged = nil, w.staged[:n]
	w.mu.Unlock()
	if err != nil {
		abortAll(idle)
		w.removeStaged(ctx, written)
		return err
	}
	w.clearing.looked[f.Path] = cleared{anew, written}
	return nil
}

// notCleared gives up what is staged in place of a file.
func (w *Writer) notCleared(ctx context.Context, name string) {
	w.removeStaged(ctx, w.clearing.looked[name].files)
	delete(w.clearing.looked, name)
}

// dropCleared gives up all of that: the table was emptied behind it.
func (w *Writer) dropCleared(ctx context.Context) {
	for name := range w.clearing.looked {
		w.notCleared(ctx, name)
	}
	w.clearing = clearing{}
}

// exchanged adds what takes the place of files whose rows are taken out, and these themselves.
func (c clearing) exchanged(added []file, removed []string, replaced bool) ([]file, []string) {
	if replaced {
		return added, removed
	}
	added, removed = slices.Clone(added), slices.Clone(removed)
	for name, l := range c.looked {
		if l.anew {
			added, removed = append(added, l.files...), append(removed, name)
		}
	}
	return added, removed
}
