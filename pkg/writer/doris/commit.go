package doris

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// Commit publishes what is staged.
func (w *Writer) Commit(ctx context.Context, pos batch.Position) error {
	err := w.gate.Err()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		if err = w.stageAll(ctx); err != nil {
			_ = w.gate.Fail(err)
		}
	}
	if err == nil {
		err = w.commit(ctx, pos)
	}
	if err != nil {
		return w.named("commit to", err)
	}
	return nil
}

// stageAll has Doris take all rows that have come.
func (w *Writer) stageAll(ctx context.Context) error {
	w.unloading.Lock()
	defer w.unloading.Unlock()
	if err := w.flushAll(ctx); err != nil {
		return err
	}
	w.folding.Lock()
	err := w.flushClearing(ctx)
	if err == nil {
		err = w.flushFold(ctx)
	}
	w.folding.Unlock()
	if err != nil {
		return err
	}
	w.dropFold()
	if w.fresh || !slices.Equal(w.have, w.columns) {
		if err := w.aim(ctx); err != nil {
			return err
		}
	}
	for _, label := range w.late {
		if err := w.sink.store.seen(ctx, w.db, label); err != nil {
			return err
		}
	}
	w.late = nil
	return nil
}

// seen waits until a load is visible: a table that takes another's place has to be whole, and rows
// that are to be taken out are to be found.
func (s *store) seen(ctx context.Context, db, label string) error {
	return s.patiently(ctx, func() (bool, error) {
		state, err := s.state(ctx, db, label)
		if err != nil {
			return !hint.IsTransient(err), err
		}
		return state != "COMMITTED", nil
	})
}

// maxTurns is how often a commit lets those of others go first.
const maxTurns = 100

// precommitTime is how long a load may wait for its commit: Doris gives it up after an hour,
// unless it is told otherwise.
const precommitTime = 50 * time.Minute

// early checks that what is precommitted can be committed yet.
func (w *Writer) early() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	age := time.Since(w.began)
	if len(w.staged) == 0 || age <= precommitTime {
		return nil
	}
	return hint.Wrap(fmt.Errorf("the first rows were loaded %s ago, and Doris gives up what waits for its commit for an hour", age.Round(time.Minute)),
		"add less at a time, or let --mode replace copy the table to one of its own, which takes any time")
}

func (w *Writer) commit(ctx context.Context, pos batch.Position) error {
	if err := w.early(); err != nil {
		return w.gate.Fail(err)
	}
	if w.fresh {
		if there, err := w.sink.exists(ctx, w.db, w.target); err != nil || !there {
			return w.gate.Fail(hint.Transient(cmp.Or(err, fmt.Errorf("table %s, which was to take the place, is gone: another run took this one for dead", w.target))))
		}
	}
	w.sink.opts.Step("rows written")
	for range maxTurns {
		e, err := w.entry(pos)
		if err != nil {
			return err
		}
		w.unsure = e
		w.sink.opts.Step("commit sent")
		err = w.sink.store.claim(ctx, w.db, w.name, e)
		if errors.Is(err, errTaken) {
			w.unsure = nil
			if err := w.overtaken(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err // settle finds out, before anything else is done
		}
		w.sink.opts.Step("commit landed")
		return w.landed(ctx, e)
	}
	return hint.Transient(errors.New("other runs have committed again and again meanwhile"))
}

// entry says what the next commit is.
func (w *Writer) entry(pos batch.Position) (*state, error) {
	known := w.known
	if w.merge != nil {
		merged, err := w.merge(known.Position, w.mark, pos)
		if err != nil {
			return nil, w.gate.Fail(err)
		}
		pos = merged
	}
	st := &state{
		ID: kept.NewID(w.mode == writer.Replace && w.fresh, w.once), Committed: time.Now().UTC(), Position: pos, Tag: w.tag, Key: w.key, Generation: known.Generation, Layout: known.Layout,
		Table: kept.Table{Source: w.src.String(), Shape: w.src.Shape(), Filter: w.src.Filter, Columns: uncommented(w.columns)},
	}
	if w.fresh {
		st.Staged, st.Generation, st.Layout = w.target, w.target, w.layout
	} else {
		st.Loads, st.Cleared = w.staged, w.clearing.first
		if st.RowsAdded = known.RowsAdded; w.adds && len(w.staged) > 0 {
			st.RowsAdded = string(w.mode)
		}
	}
	st.follow(known)
	return st, nil
}

// overtaken is called when another run has committed first.
func (w *Writer) overtaken(ctx context.Context) error {
	st, err := w.sink.load(ctx, w.db, w.name)
	if err != nil {
		return err
	}
	was := w.known
	w.known = st
	switch {
	case st.Number == was.Number: // whatever has made it look so
		return nil
	case st.Number == 0:
		return w.gate.Fail(hint.Wrap(errors.New("what this program knows of the table was removed while it was written"), "run the same command again"))
	case w.supersedes:
		return nil
	case w.merge == nil:
		return w.gate.Fail(kept.Fenced(st.ID, "name another database for the other one in the sink's URL"))
	case w.fresh && was.Number > 0: // emptied, with what the others have committed
		return nil
	case w.fresh, st.Generation != w.aimed && len(w.staged) > 0, !slices.Equal(st.Columns, uncommented(w.columns)), w.once && st.Shape != was.Shape:
		return w.gate.Fail(hint.Transient(hint.Wrap(fmt.Errorf("%w: with other rows, or another shape", writer.ErrFenced), "run the same command again")))
	}
	return nil
}

// settle finds out what has become of a commit whose outcome is not known.
func (w *Writer) settle(ctx context.Context) error {
	w.settling.Lock()
	defer w.settling.Unlock()
	e := w.unsure
	if e == nil {
		return nil
	}
	// It may be on its way yet: to ask for it again is the one way to be sure.
	err := w.sink.store.claim(ctx, w.db, w.name, e)
	if errors.Is(err, errTaken) {
		w.unsure = nil
		return w.overtaken(ctx)
	}
	if err != nil {
		return err
	}
	st, err := w.sink.load(ctx, w.db, w.name)
	if err != nil {
		return err
	}
	if !st.knows(e.ID) {
		w.unsure = nil
		return w.gate.Fail(hint.Transient(errors.New("the commit is taken back, as what it was to bring is lost")))
	}
	return w.committed(ctx, e, st)
}

// landed shows what was committed.
func (w *Writer) landed(ctx context.Context, e *state) error {
	if err := w.sink.publish(ctx, w.db, w.name, e); err != nil {
		var lost *lostError
		if errors.As(err, &lost) {
			err = hint.Transient(err)
		}
		return err // the commit stands, or is taken back by whoever looks next
	}
	w.sink.unmarked(w.db, w.name, e)
	w.sink.opts.Step("published")
	return w.committed(ctx, e, e)
}

// committed readies the writer for the next commit. Where nobody else may commit, that follows
// this one, and not others.
func (w *Writer) committed(ctx context.Context, e, held *state) error {
	if w.merge == nil {
		held = e
	}
	w.mu.Lock()
	w.written.files.Add(w.pending.files)
	w.written.bytes.Add(w.pending.bytes)
	w.pending.files, w.pending.bytes = 0, 0
	// What others have committed since is not what this commit has left: merge is to find it out.
	w.known, w.mark, w.have = held, e.Position, w.columns
	part := w.part
	w.target, w.part, w.staged, w.late, w.began, w.tag, w.unsure = "", "", nil, nil, time.Time{}, "", nil
	w.fresh, w.supersedes = false, false
	w.mu.Unlock()
	w.dropFold()
	w.dropClearing()
	if err := w.sink.letGo(ctx, stage{w.db, w.name, part}); err != nil {
		w.sink.opts.Warn(fmt.Sprintf("%s: a row of %s stays until the next run: %v", w.place(), positions, err))
	}
	w.sink.opts.Step("tidied")
	return nil
}
