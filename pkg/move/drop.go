package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// buryTable removes the copy of a table that was dropped, whose last position is committed. One that
// has come under the name since, or does later, is another one.
func (f *tailer) buryTable(ctx context.Context, c *followed) error {
	if err := f.removeCopy(ctx, c.table.String(), c.pos); err != nil {
		return err
	}
	f.run.tables = slices.DeleteFunc(f.run.tables, func(t *schema.Table) bool { return t.String() == c.table.String() })
	if f.run.joins != nil {
		f.run.joins.want(c.table.String(), false) // if it is there: the log may have told of it already
	}
	return nil
}

// buryLeft removes copies that an earlier run, or attempt, was to remove and has not.
func (f *tailer) buryLeft(ctx context.Context) error {
	h, tells := f.src.(reader.Herald)
	if !f.opts.Drops || !tells || f.run.listed && f.run.joins == nil {
		return nil
	}
	m, err := f.opts.Selection.Matcher()
	if err != nil {
		return err
	}
	held, _, err := f.list(ctx)
	if err != nil {
		return err
	}
	for _, c := range held {
		db, name, ok := strings.Cut(c.Source, ".")
		if !ok || !m.Match(db, name) || !h.Doomed(c.Position, c.Source) || !f.owns(c) {
			continue
		}
		if err := f.removeCopy(ctx, c.Source, c.Position); err != nil {
			return err
		}
	}
	return nil
}

// removeCopy removes what the sink has of a table, if that is at a position.
func (f *tailer) removeCopy(ctx context.Context, source string, pos batch.Position) error {
	f.listed = false
	err := errors.ErrUnsupported
	if d, ok := f.sink.(writer.Dropper); ok {
		db, name, _ := strings.Cut(source, ".")
		err = d.Drop(ctx, db, name, pos)
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		f.opts.Warn(fmt.Sprintf("%s was dropped at the source; its rows stay: the sink cannot tell them from others", source))
		return nil
	case err != nil:
		return fmt.Errorf("remove the copy of %s, which was dropped: %w", source, err)
	}
	f.opts.Warn(source + " was dropped at the source, and its copy is removed")
	return nil
}
