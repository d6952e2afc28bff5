package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An Amendment is a table some of whose rows are to be other ones at the sink.
type Amendment struct {
	Table *schema.Table // as it is at the sink
	Stock *schema.Table // of which the source reads rows: Table, or a part of it
	// Changes finds out which, and hands on what makes them what the source has, as a log's batches
	// without positions. It tells how many rows it was.
	Changes func(ctx context.Context, snap reader.Snapshot, emit func(*batch.Batch) error) error
}

// Amend brings rows of a table to what the source has, and leaves the others: what a is of is read
// as of a pinned point, the changes since the position that the table has held are applied over it,
// by key, and all of it is committed at once, with the position that these end at. Whoever follows
// the table is fenced and goes on from there. Feed, shape and opts are as in Backfill.
//
// A table that is right already is not committed to.
func Amend(ctx context.Context, src reader.Stock, feed reader.Feed, sink writer.Sink, a Amendment, shape func(*schema.Table) (*schema.Table, error), opts SnapshotOptions) error {
	log, err := increment(ctx, src, feed, shape, opts)
	if err != nil {
		return err
	}
	defer log.Close()
	return opts.unfenced(ctx, func() error {
		return (&amending{Amendment: a, src: src, sink: sink, log: log, opts: opts}).run(ctx)
	})
}

// An increments is the log that a table is followed by.
type increments interface {
	// Owns, Passed and Redone are as those of a Share.
	Owns(pos batch.Position) error
	Passed(held, from batch.Position) (bool, error)
	Redone(pos, was batch.Position) (batch.Position, error)
	// End is where the log ends now.
	End(ctx context.Context) (batch.Position, error)
	// Changes reads those of a table between a position that it has held and an End. Those from
	// before rows were read come too, as what may be there already.
	Changes(ctx context.Context, t *schema.Table, from, until batch.Position) (reader.Reader, error)
	Close() error
}

func increment(ctx context.Context, src reader.Stock, feed reader.Feed, shape func(*schema.Table) (*schema.Table, error), opts SnapshotOptions) (increments, error) {
	if feed != nil {
		share, err := feed.Take(ctx)
		if err != nil {
			return nil, err
		}
		return &topics{share, &fed{Stock: src, share: share, shape: shape, opts: opts}}, nil
	}
	log, ok := src.(interface {
		reader.Stock
		reader.Log
		reader.Ordered
	})
	if !ok {
		return nil, errors.New("the source has no log whose positions can be compared")
	}
	return &ownLog{log}, nil
}

// topics is a Share as an increments.
type topics struct {
	reader.Share
	fed *fed
}

func (s *topics) Redone(pos, was batch.Position) (batch.Position, error) {
	return s.Share.Redone(pos, was), nil
}

func (s *topics) Changes(ctx context.Context, t *schema.Table, from, until batch.Position) (reader.Reader, error) {
	return s.fed.changes(ctx, map[*schema.Table]batch.Position{t: s.Share.Redone(from, from)}, until)
}

// An ownLog is the source's own.
type ownLog struct {
	log interface {
		reader.Stock
		reader.Log
		reader.Ordered
	}
}

func (s *ownLog) Owns(pos batch.Position) error { return s.log.Owns(pos) }
func (s *ownLog) Close() error                  { return nil }

func (s *ownLog) Passed(held, from batch.Position) (bool, error) { return s.log.Passed(held, from) }

func (s *ownLog) Redone(pos, _ batch.Position) (batch.Position, error) { return s.log.Loosen(pos) }

func (s *ownLog) End(ctx context.Context) (batch.Position, error) { return s.log.Locate(ctx, "now") }

func (s *ownLog) Changes(ctx context.Context, t *schema.Table, from, until batch.Position) (reader.Reader, error) {
	from, err := s.log.Loosen(from)
	if err != nil {
		return nil, err
	}
	return s.log.Changes(ctx, map[*schema.Table]batch.Position{t: from}, until)
}

// An amending is one try of an Amend.
type amending struct {
	Amendment
	src  reader.Stock
	sink writer.Sink
	log  increments
	opts SnapshotOptions
	w    writer.Writer
	held batch.Position // what the table held before it was looked at
	at   batch.Position // how far what is staged has come behind that
	rows int64          // that are to be other ones
}

func (r *amending) run(ctx context.Context) (err error) {
	r.w, r.held, err = openWriter(ctx, r.sink, r.Table, writer.Amend)
	if r.w == nil {
		return err
	}
	defer func() {
		if e := r.w.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", r.Table, e)
		}
	}()
	if err != nil {
		return err
	}
	if r.held == "" {
		err := errors.New("it is not at the sink, or holds no position")
		return r.fails(hint.Wrap(err, "backfill without a part brings all of it there"))
	}
	if err := r.log.Owns(r.held); err != nil {
		return otherLog(r.Table.String(), err)
	}
	r.share()
	r.opts.step("position noted")
	if err := r.stock(ctx); err != nil || r.rows == 0 {
		return err
	}
	r.opts.step("stock read")
	until, err := r.log.End(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	if err := r.catchUp(ctx, until); err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	r.opts.step("caught up")
	return r.commit(ctx)
}

func (r *amending) fails(err error) error {
	return &schema.TableError{Table: r.Table.String(), Err: err}
}

// stock stages the rows that are to be other ones.
func (r *amending) stock(ctx context.Context) error {
	snap, err := r.opts.pin(ctx, r.src, []*schema.Table{r.Stock}, max(r.opts.Parallel, 1))
	if err != nil {
		return fmt.Errorf("pin a point of %s: %w", r.Table, err)
	}
	defer snap.Close()
	r.opts.step("point pinned")
	return r.Changes(ctx, snap, func(b *batch.Batch) error {
		r.rows += b.Rows.NumRows()
		return r.w.Write(ctx, b)
	})
}

// catchUp applies the changes that the table may have got meanwhile, for the commit comes behind
// them: a row that was read before one of them must not take its place.
func (r *amending) catchUp(ctx context.Context, until batch.Position) error {
	rd, err := r.log.Changes(ctx, r.Table, r.held, until)
	if err != nil {
		return err
	}
	defer rd.Close()
	r.at = r.held
	return reader.Each(ctx, rd, func(b *batch.Batch) error {
		r.at = cmp.Or(b.Pos, r.at)
		switch b.Table {
		case nil:
			return nil
		case r.Table:
			return r.w.Write(ctx, b)
		}
		return unasked(b.Table)
	})
}

// commit publishes what is staged, whatever others have committed since the table was looked at:
// changes that lie behind the position they have to bring again.
func (r *amending) commit(ctx context.Context) error {
	pos, err := r.log.Redone(r.at, r.held)
	if err != nil {
		return err
	}
	if err := r.w.Commit(ctx, pos); err != nil {
		return err
	}
	r.opts.Progress.Pinned(string(r.at))
	return nil
}

// share has others commit meanwhile, but for those that set the table back.
func (r *amending) share() {
	s, ok := r.w.(writer.Sharer)
	if !ok {
		return
	}
	s.Share(func(held, _, next batch.Position) (batch.Position, error) {
		passed, err := r.log.Passed(held, r.held)
		if err == nil && !passed {
			err = writer.ErrFenced
		}
		return next, err
	})
}
