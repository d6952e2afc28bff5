// Package move runs data from a source to a sink. It knows the interfaces of
// reader and writer only.
package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// ErrIncomplete says that some tables of the run are whole at the sink and
// others are not. The causes are joined to it.
var ErrIncomplete = errors.New("incomplete")

// SnapshotOptions tell a Snapshot how to go about it.
type SnapshotOptions struct {
	Mode     writer.Mode // "" is Create
	Parallel int         // splits read at once; at least 1
	// Terms are whatever else makes rows differ that are read of one table: a run that
	// was stopped is gone on with by one of the same Terms only.
	Terms string
	// Restart has tables begun again that an earlier run has left unfinished.
	Restart bool
	// All has tables exchanged in Replace mode even if the run that is gone on with has
	// done so already.
	All      bool
	Progress *progress.Run    // may be nil
	Throttle *Throttle        // may be nil
	Warn     func(msg string) // may be nil
	// Tell is told at the start that stock of an earlier run is taken over; it may be nil.
	Tell func(msg string)
	// Abreast, if set, is waited for before a point is pinned that changes of a feed are applied behind:
	// until the source shows what the feed brings by then. A replica may be behind it.
	Abreast func(ctx context.Context) error
	// Step, if set, is called as a Backfill goes from one step to the next: "end of topics noted",
	// "point pinned", "stock read" and "caught up". Its commits have steps of the sink's.
	Step func(step string)
}

func (o *SnapshotOptions) step(name string) {
	if o.Step != nil {
		o.Step(name)
	}
}

// pin pins a point of a source that is abreast of the feed.
func (o *SnapshotOptions) pin(ctx context.Context, src reader.Stock, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	if o.Abreast != nil {
		if err := o.Abreast(ctx); err != nil {
			return nil, err
		}
	}
	return src.Pin(ctx, tables, parallel)
}

func (o *SnapshotOptions) warn(msg string) {
	if o.Warn != nil {
		o.Warn(msg)
	}
}

// Snapshot copies the stock of tables to the sink, all of it as of one point.
// A table becomes visible in one commit, once it is whole. A table that fails
// on its own account (a *schema.TableError) does not stop the others; any other
// error ends the run. In Create mode tables that already hold a position are
// whole from an earlier run and left alone. Of tables that an earlier run has left
// unfinished, what the sink has kept is not read again.
func Snapshot(ctx context.Context, src reader.Stock, sink writer.Sink, tables []*schema.Table, opts SnapshotOptions) error {
	return opts.Throttle.during(ctx, src, func(ctx context.Context) error {
		run := newSnapshot(src, sink, opts)
		return run.outcome(ctx, run.run(ctx, tables))
	})
}

// A snapshotRun is one Snapshot under way.
type snapshotRun struct {
	src  reader.Stock
	sink writer.Sink
	opts SnapshotOptions
	snap reader.Snapshot
	// loose says that no point was pinned: tables are committed after catchUp.
	loose    bool
	tag      string                  // of what is exchanged
	unlogged map[*schema.Table]error // tables that the log may miss changes of, and why
	opened   bool                    // all of todo has been looked at
	todo     []*tableCopy
}

func newSnapshot(src reader.Stock, sink writer.Sink, opts SnapshotOptions) *snapshotRun {
	opts.Mode = cmp.Or(opts.Mode, writer.Create)
	opts.Parallel = max(opts.Parallel, 1)
	return &snapshotRun{src: src, sink: sink, opts: opts}
}

// run returns what ended the run, if not its end did. What tables have failed of
// is with them.
func (r *snapshotRun) run(ctx context.Context, tables []*schema.Table) error {
	defer r.close()
	if err := r.open(ctx, tables); err != nil {
		return err
	}
	r.opened = true
	return r.copy(ctx)
}

// A tableCopy is one table of a snapshotRun.
type tableCopy struct {
	table  *schema.Table
	w      writer.Writer
	prog   *progress.Table
	keeper writer.Keeper // nil: stock of the table is not kept
	keeps  bool          // stock is being kept
	left   *resumption   // by an earlier run; nil: nothing
	todo   atomic.Int64  // splits not yet staged, and 1 while there may be more
	staged atomic.Bool   // waits for catchUp
	failed atomic.Pointer[schema.TableError]
	done   atomic.Bool
}

// open readies every destination before a row is read, so that what cannot be written is
// known while nothing is lost yet. A table that the sink refuses leaves the others alone.
func (r *snapshotRun) open(ctx context.Context, tables []*schema.Table) error {
	r.opts.Progress.Phase("opening " + progress.Plural(int64(len(tables)), "table") + " at the sink")
	if err := r.askUnlogged(ctx, tables); err != nil {
		return err
	}
	copies := make([]*tableCopy, len(tables))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, t := range tables {
		c := &tableCopy{table: t}
		copies[i] = c
		g.Go(func() error { return c.check(r.openTable(gctx, c)) })
	}
	err := g.Wait()
	r.todo = copies
	r.skipExchanged()
	for _, c := range r.todo {
		c.prog = r.opts.Progress.Table(c.table.String(), c.table.Rows)
		if te := c.failed.Load(); te != nil {
			c.close()
			c.prog.Fail(te)
		} else if c.done.Load() {
			c.prog.Skip()
		}
	}
	return err
}

// openWriter opens a table at the sink and reads the position that it holds. The writer
// is nil only if it could not be opened.
func openWriter(ctx context.Context, sink writer.Sink, t *schema.Table, mode writer.Mode) (writer.Writer, batch.Position, error) {
	w, err := sink.Open(ctx, t, mode)
	if err != nil {
		return nil, "", fmt.Errorf("open %s at the sink: %w", t, err)
	}
	pos, err := w.Position(ctx)
	if err != nil {
		return w, "", fmt.Errorf("read position of %s: %w", t, err)
	}
	if pos.Merged() {
		return w, "", writer.OfRoutes(t)
	}
	return w, pos, nil
}

func (r *snapshotRun) openTable(ctx context.Context, c *tableCopy) (err error) {
	var pos batch.Position
	if c.w, pos, err = openWriter(ctx, r.sink, c.table, r.opts.Mode); err != nil {
		return err
	}
	r.look(c)
	if r.opts.Mode != writer.Create || pos == "" {
		return nil
	}
	if err := r.src.Owns(pos); err != nil {
		err = hint.Wrap(fmt.Errorf("it is at the sink, but not from this source: %w", err), "--mode replace --tables %s exchanges its content", c.table)
		return &schema.TableError{Table: c.table.String(), Err: err}
	}
	c.done.Store(true)
	return nil
}

// copy pins the point, then lets workers take splits as the planner finds them.
func (r *snapshotRun) copy(ctx context.Context) error {
	pending, tables := r.pending()
	if len(pending) == 0 {
		return nil
	}
	err := r.reach(ctx, pending)
	if err != nil {
		return err
	}
	r.tellResumed(pending)
	r.opts.Progress.Phase("pinning one point for " + progress.Plural(int64(len(tables)), "table"))
	if r.snap, err = r.src.Pin(ctx, tables, r.opts.Parallel); err != nil {
		return fmt.Errorf("pin a consistent point: %w", err)
	}
	if l, ok := r.snap.(reader.Loose); ok && l.Loose() {
		r.loose = true
	} else {
		r.opts.Progress.Pinned(string(r.snap.Position()))
	}
	r.opts.Progress.Phase("reading")
	// The largest first: a big table begun last would keep one worker busy
	// while the others have nothing left.
	slices.SortStableFunc(pending, func(a, b *tableCopy) int { return cmp.Compare(b.table.Bytes, a.table.Bytes) })

	type task struct {
		c *tableCopy
		s reader.Split
	}
	tasks := make(chan task)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(tasks)
		for _, c := range pending {
			c.todo.Store(1) // planning holds the table open
			splits, err := r.splits(gctx, c)
			if err := c.check(wrap("plan", c, err)); err != nil {
				return err
			}
			c.todo.Add(int64(len(splits)))
			for _, s := range splits {
				select {
				case tasks <- task{c, s}:
				case <-gctx.Done():
					return gctx.Err()
				}
			}
			if err := r.finish(gctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	for range r.opts.Parallel {
		g.Go(func() error {
			for t := range tasks {
				if t.c.failed.Load() == nil {
					if err := t.c.check(r.copySplit(gctx, t.c, t.s)); err != nil {
						return err
					}
				}
				if err := r.finish(gctx, t.c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return r.catchUp(ctx)
}

// pending returns what is neither whole nor refused.
func (r *snapshotRun) pending() (copies []*tableCopy, tables []*schema.Table) {
	for _, c := range r.todo {
		if !c.done.Load() && c.failed.Load() == nil {
			copies = append(copies, c)
			tables = append(tables, c.table)
		}
	}
	return copies, tables
}

// check keeps an error that concerns the table alone with the table, and
// passes any other on. That a table was cut short by the end of the run is no
// failure of its own, however its reader puts it.
func (c *tableCopy) check(err error) error {
	var te *schema.TableError
	if errors.As(err, &te) && !errors.Is(err, context.Canceled) {
		c.failed.CompareAndSwap(nil, te)
		return nil
	}
	return err
}

// wrap says what was done to which table. A table's own error names it already,
// and so do those of sinks.
func wrap(verb string, c *tableCopy, err error) error {
	var te *schema.TableError
	if err == nil || errors.As(err, &te) {
		return err
	}
	return fmt.Errorf("%s %s: %w", verb, c.table, err)
}

func (r *snapshotRun) copySplit(ctx context.Context, c *tableCopy, s reader.Split) error {
	leave, err := r.opts.Throttle.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	rd, err := r.snap.Open(ctx, s)
	if err != nil {
		return wrap("read", c, err)
	}
	defer rd.Close()
	rd = r.opts.Throttle.reader(rd)
	c.prog.Begin()
	for {
		b, err := rd.Read(ctx)
		// Not errors.Is: a connection that breaks off reports an io.EOF too,
		// within its own words, and the split would pass for whole.
		if err == io.EOF { //nolint:errorlint // as said
			return c.whole(ctx, s)
		}
		if err != nil {
			return wrap("read", c, err)
		}
		rows, bytes := b.Rows.NumRows(), int64(b.Bytes)
		err = c.w.Write(ctx, b)
		b.Release()
		if err != nil {
			return err
		}
		c.prog.Add(rows, bytes)
	}
}

// finish commits the table if nothing of it is left to do.
func (r *snapshotRun) finish(ctx context.Context, c *tableCopy) error {
	if c.todo.Add(-1) > 0 {
		return nil
	}
	if te := c.failed.Load(); te != nil {
		c.discard(ctx)
		c.prog.Fail(te)
		return nil
	}
	// A cancelled run commits nothing, even if its last row has arrived.
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.loose || c.left != nil {
		c.staged.Store(true)
		return nil
	}
	return r.commit(ctx, c, r.snap.Position())
}

// commit publishes a table that is whole.
func (r *snapshotRun) commit(ctx context.Context, c *tableCopy, pos batch.Position) error {
	// Staged files and buffers go with the table, not with the run.
	defer c.close()
	err := c.w.Commit(ctx, pos)
	if err == nil {
		c.done.Store(true)
		if n, ok := c.w.(writer.Counter); ok {
			c.prog.Wrote(n.Written())
		}
		c.prog.Done()
		return nil
	}
	if err := c.check(err); err != nil {
		return err
	}
	c.discard(ctx)
	c.prog.Fail(c.failed.Load())
	return nil
}

// outcome joins what ended the run and what its tables died of.
func (r *snapshotRun) outcome(ctx context.Context, err error) error {
	errs := []error{err}
	whole := 0
	for _, c := range r.todo {
		if te := c.failed.Load(); te != nil {
			errs = append(errs, te)
		}
		if c.done.Load() {
			whole++
		}
	}
	err = errors.Join(errs...)
	// If not all have been looked at, how many are whole is not known.
	if err == nil || whole == 0 || !r.opened || ctx.Err() != nil {
		return interrupted(ctx, err)
	}
	return fmt.Errorf("%w: %d of %d tables are whole: %w", ErrIncomplete, whole, len(r.todo), err)
}

// interrupted sees to it that the error of a cancelled run tells so. What such
// a run dies of may be anything, for one a connection closed under it.
func interrupted(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

func (r *snapshotRun) close() {
	for _, c := range r.todo {
		c.close()
	}
	if r.snap != nil {
		r.snap.Close()
	}
}

// close abandons what the table has staged and neither committed nor kept. Errors
// are dropped: leftovers are discarded by the next Open.
func (c *tableCopy) close() {
	if c.w != nil {
		_ = c.w.Close()
		c.w = nil
	}
}
