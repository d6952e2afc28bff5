package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A view is the table as the catalog shows it.
type view struct {
	tbl    *table.Table // nil if there is none
	landed *attempt     // an earlier one of ours that turned out to have landed; nil if none has
}

// position is the one that the table holds, "" if it holds none.
func (v view) position() batch.Position {
	if v.tbl == nil {
		return ""
	}
	return batch.Position(v.tbl.Properties()[positionProperty])
}

// look asks the catalog for the table and settles attempts of unknown outcome.
func (w *Writer) look(ctx context.Context) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, w.sink.retry.timeout)
	defer cancel()
	tbl, err := w.sink.cat.LoadTable(ctx, w.ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		if w.stale {
			w.pos, w.last, w.stale = "", "", false
		}
		return view{}, nil
	}
	if err != nil {
		return view{}, err
	}
	w.lease.offer(tbl)
	v := view{tbl: tbl, landed: w.settle(tbl)}
	if w.stale {
		w.stale = false
		w.pos, w.last = batch.Position(tbl.Properties()[positionProperty]), tbl.Properties()[commitProperty]
	}
	if !w.exists && w.isBare(tbl) && sameIDs(w.schema, tbl.Schema()) {
		// Ours, by a createBare whose reply was lost, or that of a run which was
		// quicker: who commits first decides.
		w.note(tbl)
		return v, w.storeOf(ctx, tbl)
	}
	return v, nil
}

// settle looks for attempts in the table's history. One that is there has
// published its files; the others never will, for each asserts the snapshot
// that the one has replaced.
func (w *Writer) settle(tbl *table.Table) *attempt {
	for i := len(w.attempts) - 1; i >= 0; i-- {
		a := w.attempts[i]
		if !hasCommit(tbl, a.id) {
			continue
		}
		w.note(tbl)
		w.pos, w.last = a.pos, a.id
		w.resetFold()
		w.written.add(w.staged[:a.staged])
		w.staged = w.staged[a.staged:]
		w.replace, w.told = false, true
		for j, other := range w.attempts {
			if j != i {
				w.removeMade(other.made)
			}
		}
		w.attempts = nil
		return &a
	}
	w.attempts = slices.DeleteFunc(w.attempts, func(a attempt) bool {
		if a.lost {
			w.removeMade(a.made)
		}
		return a.lost
	})
	return nil
}

// hasCommit reports whether a snapshot carries the commit id. The property
// names the last commit even when its snapshot has expired.
func hasCommit(tbl *table.Table, id string) bool {
	if tbl.Properties()[commitProperty] == id {
		return true
	}
	for _, s := range tbl.Metadata().Snapshots() {
		if s.Summary != nil && s.Summary.Properties[commitProperty] == id {
			return true
		}
	}
	return false
}

// fence checks that the table is still the one that this writer follows, and tells what a
// commit of pos brings it to.
func (w *Writer) fence(v view, pos batch.Position) (goal, error) {
	g := goal{asked: pos, pos: pos}
	if v.tbl == nil && w.exists && !w.ours {
		return g, w.tableError(hint.Wrap(errors.New("the table was dropped while it was written"), "run the same command again"))
	}
	err := w.overtaken(v)
	if err == nil && w.merge != nil {
		g.pos, err = w.merge(v.position(), w.pos, pos)
	}
	if err != nil {
		// For good: once the writer has asked for the position, it would follow the
		// other's commit, and what is staged does not.
		w.stale = true
		w.fail(err)
		return g, err
	}
	if v.tbl == nil {
		return g, nil
	}
	return g, w.byAnother(w.sameTable(v.tbl))
}

// overtaken checks that nobody has committed to the table since, unless that may be.
func (w *Writer) overtaken(v view) error {
	if v.tbl == nil {
		return nil
	}
	// Other programs leave both properties alone. The id alone would do, but for
	// tables that somebody has given a position by hand.
	pos, id := v.position(), v.tbl.Properties()[commitProperty]
	switch {
	case pos == w.pos && id == w.last || w.supersedes():
		return nil
	case id == "" && w.last != "":
		return w.tableError(hint.Wrap(errors.New("the tablehaul.… properties were removed from the table while it was written"), dropFirst))
	case w.once && v.tbl.Properties()[shapeProperty] != w.props[shapeProperty]:
		return hint.Transient(fmt.Errorf("%w: and has given it another shape", writer.ErrFenced))
	case w.merge != nil:
		return nil
	}
	return w.sink.session.fenced(id, w.sink.rest)
}

// sameTable checks that what is staged can go into the table as it is now.
func (w *Writer) sameTable(tbl *table.Table) error {
	if !w.exists || tbl.Metadata().TableUUID() != w.uuid {
		return w.tableError(hint.Wrap(errors.New("another table of that name was made while it was written"), "run the same command again"))
	}
	// Files carry the field ids that the columns had.
	if w.was.changed(tbl) || w.was == nil && !tbl.Schema().Equals(w.schema) && !sameIDs(w.schema, tbl.Schema()) {
		return w.tableError(hint.Wrap(errors.New("the table's columns were changed while it was written"), "run the same command again"))
	}
	if err := w.sameLayout(tbl); err != nil {
		return w.tableError(hint.Wrap(fmt.Errorf("the table's layout was changed while it was written: %w", err), "run the same command again"))
	}
	return w.fits(tbl)
}

// sameLayout checks that files go where they were meant for.
func (w *Writer) sameLayout(tbl *table.Table) error {
	now, want, sc := layoutOf(tbl.Metadata()), w.partitioned, w.schema
	if w.was != nil {
		want, sc = w.was.layout, w.was.schema
	}
	if err := now.same(want, sc); err != nil {
		return err
	}
	if w.fold != nil && w.fold.scoped && now.holding() > 1 {
		return errors.New("rows of a key may be in partitions of two kinds")
	}
	return nil
}

// supersedes reports whether the next commit takes the place of whatever others
// have committed meanwhile. Who was following the table finds out and follows it
// from there.
func (w *Writer) supersedes() bool { return w.mode == writer.Replace && w.replace && w.exists }
