package iceberg

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// CommitAll commits the writers' tables in one step. Only REST catalogs can, and
// not all of them. A table that does not exist yet is created first, empty and
// without a position, for the step is for tables that exist.
func (s *Sink) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	if err := s.cat.commitAll(ctx, nil); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	group := make([]*Writer, len(ws))
	for i, w := range ws {
		iw, ok := w.(*Writer)
		if !ok || iw.sink != s {
			return fmt.Errorf("%T is no writer of this sink", w)
		}
		group[i] = iw
	}
	if len(group) == 1 {
		return group[0].Commit(ctx, pos)
	}
	ctx = s.shared(ctx)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.opts.Parallel)
	for _, w := range group {
		g.Go(func() error { return w.of(w.finishAll(gctx)) })
	}
	err := g.Wait()
	if err == nil {
		s.step("files durable")
		err = s.commitAll(ctx, group, pos)
	}
	if err != nil {
		return advise(fmt.Errorf("commit %d tables: %w", len(group), err))
	}
	return nil
}

// of says which table of several an error is of.
func (w *Writer) of(err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", w.name(), err)
	}
	return err
}

// errDropped is a commit that is nowhere to be found, although the catalog has
// confirmed it.
var errDropped = errors.New("the catalog confirmed the commit and did not make it")

// commitAll is Writer.commit for several writers. Attempts go on with those that
// have not got there: a catalog may turn out to have kept its promise by halves.
// It is looked at even what was confirmed. Iceberg's own RESTCatalogAdapter, which
// catalogs are built on, drops a table's part in silence where another commit to
// the table comes between its check and its commit.
func (s *Sink) commitAll(ctx context.Context, ws []*Writer, pos batch.Position) error {
	pending := ws
	var last error
	confirmed, turns := false, 0
	for n := 0; n < s.retry.attempts; n++ {
		if n > 0 && !confirmed {
			if err := s.retry.wait(ctx, n-1); err != nil {
				return errors.Join(err, last)
			}
		}
		confirmed = false
		left, err := s.lookAll(ctx, pending, pos)
		switch {
		case err == nil:
		case transient(err):
			last = err
			continue
		default:
			return err
		}
		if pending = writers(left); len(pending) == 0 {
			return s.committedAll(ctx, ws)
		}
		o, err := s.tryAll(ctx, left)
		switch o {
		case conflict:
			n = yield(n, &turns, pending[0].merge != nil)
		case done:
			confirmed, err = true, errDropped
		case refused:
			return err
		}
		last = err
	}
	unknown := false
	for _, w := range pending {
		unknown = unknown || len(w.attempts) > 0
	}
	return s.gaveUp(unknown, pending[0].mode, last)
}

// A due writer has still to commit, onto the table as it is now.
type due struct {
	*Writer
	base *table.Table
	to   goal
}

func writers(all []due) []*Writer {
	ws := make([]*Writer, len(all))
	for i, d := range all {
		ws[i] = d.Writer
	}
	return ws
}

// lookAll looks at the tables of all writers and returns those that are still to
// be committed.
func (s *Sink) lookAll(ctx context.Context, ws []*Writer, pos batch.Position) (left []due, err error) {
	views := make([]view, len(ws))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, w := range ws {
		g.Go(func() (err error) {
			views[i], err = w.look(gctx)
			return w.of(err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, w := range ws {
		if l := views[i].landed; l != nil && len(w.staged) == 0 && l.asked == pos {
			continue
		}
		to, err := w.fence(views[i], pos)
		if err != nil {
			return nil, w.of(err)
		}
		left = append(left, due{w, views[i].tbl, to})
	}
	return left, nil
}

// tryAll sends one commit of all the writers' tables.
func (s *Sink) tryAll(ctx context.Context, ws []due) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return refused, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.retry.timeout)
	defer cancel()
	id := s.session.commitID(false, false)
	all := make([]prepared, len(ws))
	commits := make([]table.TableCommit, len(ws))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, w := range ws {
		g.Go(func() (err error) {
			base := w.base
			if base == nil {
				if base, err = w.bare(gctx); err != nil {
					return w.of(err)
				}
			}
			all[i], _, err = w.prepare(gctx, base, w.to, id)
			commits[i] = all[i].commit
			return w.of(err)
		})
	}
	if err := g.Wait(); err != nil {
		for i, w := range ws {
			w.removeMade(all[i].made)
		}
		return unsent(err), err
	}
	s.step("manifests written")
	for i, w := range ws {
		w.send(all[i])
	}
	s.step("commit sent")
	err := s.cat.commitAll(ctx, commits)
	o := judge(err)
	if o == done {
		s.step("commit landed")
	}
	found := o
	if o == done { // there it is, or it never will be
		found = conflict
	}
	for i, w := range ws {
		w.conclude(all[i], found)
	}
	return o, err
}

// bare creates the table empty and returns it.
func (w *Writer) bare(ctx context.Context) (*table.Table, error) {
	if err := w.createBare(ctx); err != nil {
		return nil, err
	}
	return w.sink.cat.LoadTable(ctx, w.ident)
}

// committedAll tidies up behind a commit that has landed.
func (s *Sink) committedAll(ctx context.Context, ws []*Writer) error {
	var errs []error
	for _, w := range ws {
		errs = append(errs, w.of(w.committed(ctx)))
	}
	return errors.Join(errs...)
}
