package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// known returns tables in the shapes that they had at the positions which the sink holds of them:
// those in which the log has its rows from there on. A sink that does not tell has them as they
// are now.
func (f *tailer) known(ctx context.Context, tables []*schema.Table) ([]*schema.Table, error) {
	if !f.opts.Evolve {
		return tables, nil
	}
	held, ok, err := f.list(ctx)
	if err != nil || !ok {
		return tables, err
	}
	shapes := map[string]string{}
	for _, h := range held {
		shapes[h.Source] = h.Shape
	}
	for _, t := range f.tables {
		if _, ok := shapes[t.String()]; ok && t.Unfit != nil {
			f.going = true
		}
	}
	out := slices.Clone(tables)
	dropped, err := f.dropped(ctx, held)
	if err != nil {
		return nil, err
	}
	out = append(out, dropped...)
	for i, t := range tables {
		old, ok := shapes[t.String()]
		if plain := f.plain(t); !ok || plain.Whole != nil || plain.Filter != "" {
			continue
		}
		if err := f.unkept(t, old); err != nil {
			return nil, err
		}
		if old == "" || t.Shape() == old || f.opts.Extent != schema.Nothing && t.Since(old) == "" {
			f.alike[t] = true
			continue
		}
		was, err := f.formerly(t, old)
		if err != nil {
			return nil, err
		}
		out[i] = was
		f.former[was] = true
		f.replace(was)
	}
	return out, nil
}

// list returns what the sink holds, asked once an attempt and again once something of it was removed;
// false of a sink that does not tell.
func (f *tailer) list(ctx context.Context) (held []writer.Held, ok bool, err error) {
	l, ok := f.sink.(writer.Lister)
	if !ok || f.listed {
		return f.holds, ok, nil
	}
	if f.holds, err = l.List(ctx); err != nil {
		return nil, ok, fmt.Errorf("list what the sink holds: %w", err)
	}
	f.listed = true
	return f.holds, ok, nil
}

// dropped returns tables that the sink holds and the source has no longer, which were dropped since
// the last run: the log tells of what has changed before.
func (f *tailer) dropped(ctx context.Context, held []writer.Held) ([]*schema.Table, error) {
	h, ok := f.src.(reader.Herald)
	if !ok || f.opts.Form == nil || f.run.listed {
		return nil, nil
	}
	f.run.listed = true // which those are that are there now: the run's tables, from here on
	m, err := f.opts.Selection.Matcher()
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, t := range f.tables {
		there[t.String()] = true
	}
	var out []*schema.Table
	for _, c := range held {
		db, name, ok := strings.Cut(c.Source, ".")
		if !ok || there[c.Source] || c.Shape == "" || !m.Match(db, name) || h.Dropped(c.Position, c.Source) || !f.owns(c) {
			continue
		}
		if room, err := f.src.Headroom(ctx, c.Position); err != nil || room.Gone {
			if err != nil {
				return nil, err
			}
			continue
		}
		t, err := schema.FromShape(db, name, c.Shape)
		if err == nil && f.opts.Extent == schema.Nothing {
			t, err = t.KeptIn(c.Shape)
		}
		if err == nil {
			t, err = f.opts.Form(t)
		}
		if err != nil {
			continue // it is not as this run would have it: it stays as it is
		}
		out = append(out, t)
		f.former[t] = true
		f.replace(t)
	}
	return out, nil
}

// owns reports whether what the sink holds is of this source, and no other one of the run's sees to it.
func (f *tailer) owns(c writer.Held) bool {
	db, name, _ := strings.Cut(c.Source, ".")
	return f.src.Owns(c.Position) == nil && (f.opts.Mine == nil || f.opts.Mine(db, name))
}

// plain is what a table of rows that are made of others is made of.
func (f *tailer) plain(t *schema.Table) *schema.Table {
	if t.Base != nil {
		return t.Base
	}
	return t
}

// A Reshaper is a source whose tables are made of another one's.
type Reshaper interface {
	// Reshape returns a table made of another Base, in the way in which t is.
	Reshape(t, base *schema.Table) (*schema.Table, error)
}

// unkept tells of columns that rows were written without while tables kept theirs: no row of then is
// written again for them.
func (f *tailer) unkept(t *schema.Table, shape string) error {
	if f.opts.Extent == schema.Nothing || !schema.Keeps(shape) {
		return nil
	}
	was, err := schema.FromShape(t.DB, t.Name, shape)
	if err == nil {
		was, err = was.KeptIn(shape)
	}
	if err != nil {
		return err
	}
	if names := was.Unkept(); len(names) > 0 && !f.run.unkept[t.String()] {
		f.run.unkept[t.String()] = true
		f.opts.Warn(fmt.Sprintf("%s was followed with --schema-change ignore, and columns are written from here on that were not: %s; rows from before have NULL there, or what they had before (snapshot --mode replace --tables %s copies the table anew)", t, progress.Some(names), t))
	}
	return nil
}

// formerly is a table in the shape that it had.
func (f *tailer) formerly(t *schema.Table, shape string) (*schema.Table, error) {
	keeps := f.opts.Extent == schema.Nothing
	if r, ok := f.src.(Reshaper); ok && t.Base != nil {
		was, err := formerly(t.Base, shape, keeps)
		if err != nil {
			return nil, err
		}
		return r.Reshape(t, was)
	}
	return formerly(t, shape, keeps)
}

// formerly is a table in the shape that it had, in the columns that rows had if these are kept.
func formerly(t *schema.Table, shape string, keeps bool) (*schema.Table, error) {
	was, err := schema.FromShape(t.DB, t.Name, shape)
	if err != nil {
		return nil, err
	}
	was = knownOf(t, was)
	if keeps {
		if was, err = was.KeptIn(shape); err != nil {
			return nil, err
		}
	}
	if t.IsChangelog() {
		return schema.ChangelogLike(was, t)
	}
	return was, nil
}

// knownOf gives a table what is known of it now, and no shape tells.
func knownOf(t, was *schema.Table) *schema.Table {
	was.Comment, was.Rows, was.Bytes = t.Comment, t.Rows, t.Bytes
	for i := range was.Columns {
		c := &was.Columns[i]
		if at := t.Index(c.Name); at >= 0 {
			c.Comment = t.Columns[at].Comment
			if c.Charset == t.Columns[at].Charset {
				c.Collation = t.Columns[at].Collation // as far as that can be known: no shape tells it
			}
		}
	}
	return was
}

// reshape opens a table anew that the log has got in another shape. What has come of the old
// one is committed first: the statement that has altered it was a transaction of its own.
func (f *tailer) reshape(ctx context.Context, t *schema.Table) (*followed, error) {
	i := slices.IndexFunc(f.all, func(c *followed) bool { return c.table.String() == t.String() })
	if i < 0 {
		return nil, fmt.Errorf("the log brings changes of %s, which was not asked for", t)
	}
	if f.inside {
		return nil, fmt.Errorf("the log brings %s in another shape in the middle of a transaction", t)
	}
	if err := f.part(ctx, f.all[i]); err != nil {
		return nil, err
	}
	f.replace(t)
	c, err := f.openTable(ctx, t, writer.Extend)
	if c == nil {
		return nil, f.unfit(err)
	}
	f.add(c)
	f.inside = true // the last boundary lies before the statement
	return c, err
}

// unfit marks tables that the sink cannot bring into another shape: a copy made anew has it.
func (f *tailer) unfit(err error) error {
	for _, te := range tableErrors(err) {
		if !errors.Is(te, writer.ErrUnlike) {
			continue
		}
		te.Anew = true
		if f.opts.Extent != schema.Everything {
			// The sink's remedy is for who has no other way.
			te.Err = hint.Wrap(errors.New(te.Err.Error()), "copy the table anew with snapshot --mode replace --tables %s, or follow it with --schema-change evolve, which does", te.Table)
		}
	}
	return err
}
