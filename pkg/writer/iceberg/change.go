package iceberg

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
)

// folds reports whether the rows of a batch are folded. Without Ops they may be
// stock, which needs none of it: it comes before any change of its commit, and
// in Follow and Extend mode with the first commit only. It does no harm to take changes for
// stock that come first: they are published so that what follows applies to them.
func (w *Writer) folds(b *batch.Batch) bool {
	return b.Ops != nil || w.fold != nil && (w.fold.active || w.follows() && w.pos != "")
}

// change stages a batch of changes.
func (w *Writer) change(ctx context.Context, b *batch.Batch) error {
	if err := w.settled(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	err := w.failed
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if b.Emptied {
		if err := w.empty(); err != nil {
			return err
		}
	}
	switch {
	case b.Rows == nil || b.Rows.NumRows() == 0:
		return nil
	case b.Ops == nil && w.fold == nil:
		return w.append(ctx, b)
	case w.fold == nil:
		return w.tableError(w.noKey())
	case b.Ops != nil && len(b.Ops) != int(b.Rows.NumRows()):
		return w.tableError(fmt.Errorf("a batch of %d rows with %d ops", b.Rows.NumRows(), len(b.Ops)))
	}
	f := w.fold
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.active {
		f.active = true
		w.sink.enlist(f)
	}
	if err = f.makeRoom(ctx, int(b.Rows.NumRows())); err == nil {
		if err = f.add(ctx, b); err == nil {
			err = f.relieve(ctx)
		}
	}
	if err != nil {
		w.fail(err)
	}
	return err
}

// fail notes that something was lost, so that nothing can be committed any more.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
}

// settled finds out about earlier commits: whether their rows are there or not
// decides on how changes are to be written.
func (w *Writer) settled(ctx context.Context) error {
	if len(w.attempts) == 0 {
		return nil
	}
	if _, err := w.look(ctx); err != nil {
		return err
	}
	if len(w.attempts) > 0 {
		err := errors.New("it is not known yet whether the last commit was accepted")
		return hint.Transient(hint.Wrap(err, "run the same command again a little later"))
	}
	return nil
}

// empty drops all that is staged and has the next commit exchange the content.
func (w *Writer) empty() error {
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	abortAll(idle)
	w.spreads.dropAll()
	w.dropFold()
	w.closing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	w.abandonStaged(true)
	_ = w.removeAbandoned() // else when the run ends
	w.replace = true
	if w.fold != nil {
		w.fold.active, w.fold.fresh, w.fold.dirty = true, true, true
		w.sink.enlist(w.fold)
	}
	return nil
}

// noKey tells why changes cannot be written.
func (w *Writer) noKey() error {
	if len(w.src.Key) == 0 {
		return errors.New("changes of rows in a table without a key")
	}
	return hint.Wrap(errors.New("the key has a floating-point or nullable column, by which Iceberg cannot delete rows"),
		"append its changes with --changelog, or leave the table out with --exclude")
}

func (w *Writer) finishFold(ctx context.Context) error {
	if w.fold == nil {
		return nil
	}
	w.fold.mu.Lock()
	defer w.fold.mu.Unlock()
	defer w.fold.account()
	return w.fold.finish(ctx)
}

// resetFold begins the next commit. All that the last one has folded is staged.
func (w *Writer) resetFold() {
	if w.fold != nil {
		w.fold.mu.Lock()
		defer w.fold.mu.Unlock()
		w.fold.reset()
	}
}

func (w *Writer) dropFold() {
	if w.fold != nil {
		w.sink.dismiss(w.fold)
		w.fold.mu.Lock()
		defer w.fold.mu.Unlock()
		w.fold.drop()
	}
}
