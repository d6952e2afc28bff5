package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// What tail has brought to topics that others read it keeps there too: which tables, how far in the
// source's log, and when. Of topics that other programs fill nothing of this is known.

// broughtApart is how much later than a table's last commit those of others are that are brought beside it,
// if it is left behind: tables that do not change are committed to every few minutes.
const broughtApart = 15 * time.Minute

// brought returns what is known of the log's tables.
func (b *followedBy) brought(ctx context.Context, p *program) ([]writer.Held, error) {
	held, err := p.stores.feeds[scheme(b.log)].brought(ctx, b.log)
	if err != nil {
		return nil, fmt.Errorf("look at what is brought to %s: %w", p.hide.redact(b.log), err)
	}
	return held, nil
}

// unbrought warns of tables that the log does not bring: redone they are what the source has, and then
// stand still.
func (b *followedBy) unbrought(ctx context.Context, p *program, tables []*schema.Table, warn func(string)) error {
	held, err := b.brought(ctx, p)
	if err != nil || len(held) == 0 {
		return err
	}
	// A tail that runs may not have come to a statement yet, and commits tables now and then.
	newest := slices.MaxFunc(held, func(x, y writer.Held) int { return x.Committed.Compare(y.Committed) }).Committed
	for _, t := range tables {
		i := slices.IndexFunc(held, func(h writer.Held) bool { return h.Source == t.String() })
		var why string
		switch {
		case i < 0:
			why = "no tail has brought it there"
		case t.AtSource().Since(held[i].Shape) != "":
			why = "its tail has left it behind, or has not come to it yet that " + t.AtSource().Since(held[i].Shape)
		case newest.Sub(held[i].Committed) > broughtApart:
			why = "its tail has left it behind at " + held[i].Committed.Format(time.RFC3339)
		default:
			continue
		}
		warn(fmt.Sprintf("%s does not bring %s (%s): redone it is what the source has now, and stands still from then on if no tail brings it there (a table that was left behind is copied into the topics anew first: snapshot --mode replace)", p.hide.redact(b.log), t, why))
	}
	return nil
}

// abreastTime is how long a source may take to come to where the log is.
const abreastTime = time.Minute

// abreast returns what waits until the source has come to where the log has brought its tables. What a replica
// lacks that is behind would be in no row that is read, and lies before the changes that are applied to them.
func (b *followedBy) abreast(p *program, url string, src reader.Stock, tables []*schema.Table, phase func(string)) func(context.Context) error {
	return func(ctx context.Context) error {
		held, err := b.brought(ctx, p)
		if err != nil {
			return err
		}
		left := map[batch.Position]string{}
		for _, h := range held {
			if slices.ContainsFunc(tables, func(t *schema.Table) bool { return t.String() == h.Source }) {
				left[h.Position] = h.Source
			}
		}
		for began := time.Now(); ; {
			table, why := "", error(nil)
			for pos, name := range left {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := src.Owns(pos); err != nil {
					table, why = name, err
				} else {
					delete(left, pos)
				}
			}
			late := time.Since(began) > abreastTime
			switch {
			case why == nil:
				return nil
			case late && hint.IsTransient(why):
				return why
			case late:
				err := fmt.Errorf("%s is not where %s has brought %s: %w", p.hide.redact(url), p.hide.redact(b.log), table, why)
				return hint.Wrap(err, "a replica that lags has older rows than the topics, and without GTIDs that cannot be told: name the server that tail reads, wait until the replica has caught up, or leave the table out with --exclude")
			}
			phase("waiting for the source, which is behind the topics")
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
			}
		}
	}
}
