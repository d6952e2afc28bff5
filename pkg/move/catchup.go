package move

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// catchUp makes staged tables exact whose splits were read at points of their
// own: the changes from before the first split to after the last one are applied
// over them, and so all tables come to one point. What happened before a split
// was read happens to its rows a second time, in the same order, so that the
// last image of each key is the right one in the end.
func (r *snapshotRun) catchUp(ctx context.Context) error {
	if !slices.ContainsFunc(r.todo, func(c *tableCopy) bool { return c.staged.Load() }) {
		return nil
	}
	log, ok := r.src.(reader.Log)
	if !ok {
		return errors.New("a snapshot without a pinned point needs a source with a log")
	}
	r.opts.step("stock read")
	until, err := r.upTo(ctx, log)
	if err != nil {
		return err
	}
	r.opts.Progress.Phase("catching up")
	if r.loose {
		r.opts.Progress.Pinned(string(until))
	}
	for {
		err := r.replay(ctx, log, until)
		left := false
		for _, te := range tableErrors(err) {
			for _, c := range r.todo {
				if c.staged.Load() && c.table.String() == te.Table && c.failed.CompareAndSwap(nil, te) {
					left = true
					c.staged.Store(false)
					c.discard(ctx)
					c.prog.Fail(te)
				}
			}
		}
		if !left {
			if err != nil {
				return fmt.Errorf("catch up: %w", err)
			}
			break
		}
		// The others begin again: to apply a change twice does no harm.
	}
	r.opts.step("caught up")
	for _, c := range r.todo {
		if !c.staged.Load() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		pos := until
		if f, ok := log.(*fed); ok {
			from, err := r.since(log, c)
			if err == nil {
				pos, err = f.reached(from, until)
			}
			if err != nil {
				return err
			}
		}
		if err := r.commit(ctx, c, pos); err != nil {
			return err
		}
	}
	return nil
}

// upTo returns the point that tables are brought to: that of this run, if all that
// it has read shows just that one, else the end of the log.
func (r *snapshotRun) upTo(ctx context.Context, log reader.Log) (batch.Position, error) {
	pos := r.snap.Position()
	if loosened, err := log.Loosen(pos); err != nil {
		return "", err
	} else if loosened != pos {
		return pos, nil
	}
	pos, err := log.Locate(ctx, "now")
	if err != nil {
		return "", fmt.Errorf("find the end of the log: %w", err)
	}
	return pos, nil
}

// replay applies the changes up to until.
func (r *snapshotRun) replay(ctx context.Context, log reader.Log, until batch.Position) error {
	from := map[*schema.Table]batch.Position{}
	copies := map[*schema.Table]*tableCopy{}
	for _, c := range r.todo {
		if !c.staged.Load() {
			continue
		}
		copies[c.table] = c
		var err error
		if from[c.table], err = r.since(log, c); err != nil {
			return err
		}
	}
	if len(from) == 0 {
		return nil
	}
	rd, err := log.Changes(ctx, from, until)
	if err != nil {
		return err
	}
	defer rd.Close()
	return reader.Each(ctx, rd, func(b *batch.Batch) error {
		if c := copies[b.Table]; c != nil {
			return c.w.Write(ctx, b)
		}
		if b.Table != nil {
			return unasked(b.Table)
		}
		return nil
	})
}

// unasked is the error of a log that brings more than it was asked for.
func unasked(t *schema.Table) error {
	return fmt.Errorf("the log brings changes of %s, which was not asked for", t)
}

// since returns the point of what was read first of the table.
func (r *snapshotRun) since(log reader.Log, c *tableCopy) (batch.Position, error) {
	if c.left != nil {
		return log.Loosen(c.left.Position)
	}
	return r.snap.Position(), nil
}
