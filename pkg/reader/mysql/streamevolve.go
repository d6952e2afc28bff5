package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

// evolve follows a table as a statement of the log has left it. What the server says of it now may
// be of much later, so the statement itself is read; one that cannot be has the table be compared
// with that all the same.
func (r *stream) evolve(ctx context.Context, f *followed, q binlog.QueryEvent, st binlog.Statement) error {
	if !r.evolves(f) {
		return r.altered(ctx, f, q, st)
	}
	was, err := r.defined(ctx, f)
	if err != nil {
		return err
	}
	after, err := r.by(q).Alter(was, string(q.Query))
	if errors.Is(err, ddl.ErrUnknown) {
		return r.altered(ctx, f, q, st)
	}
	if err != nil {
		return err
	}
	if what := r.unlike(f, nil, was, after, st.Rewritten); what != "" && !f.t.IsChangelog() {
		return r.broken(f, q, fmt.Errorf("%s, which leaves no rows in the log", what), copyAnew)
	}
	if err := r.become(f, after.Table, left(after)); err != nil {
		return r.broken(f, q, err, copyAnew)
	}
	return nil
}

// left are the columns that an alteration has taken the names from.
func left(after *ddl.Alteration) []string {
	out := slices.Clone(after.Gone)
	for old, name := range after.Renamed {
		if !strings.EqualFold(old, name) {
			out = append(out, old)
		}
	}
	return out
}

// by is the server whose statement it is, as far as it matters to what a statement makes.
func (r *stream) by(q binlog.QueryEvent) ddl.Server {
	return ddl.Server{Maria: r.maria, CharsetOf: r.charsetOf, ImplicitTimestamps: q.ImplicitTimestamps(r.maria)}
}

// evolves reports whether a table is followed in other shapes than it was found in.
func (r *stream) evolves(f *followed) bool {
	return r.s.opts.Evolve && f.t.Whole == nil && f.t.Filter == ""
}

// remade follows a table as it is made anew, empty.
func (r *stream) remade(ctx context.Context, f *followed, q binlog.QueryEvent) error {
	if err := r.refound(ctx, f, q); err != nil {
		return err
	}
	f.gone, f.forgone = false, nil
	return r.empty(f)
}

// refound has a table be followed in the shape in which it is made anew.
func (r *stream) refound(ctx context.Context, f *followed, q binlog.QueryEvent) error {
	if !r.evolves(f) {
		_, err := r.shape(ctx, f, q)
		return err
	}
	charset, err := r.s.control.query(ctx, "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = "+literal(f.t.DB))
	if err != nil {
		return fmt.Errorf("ask for the character set of database %s: %w", f.t.DB, err)
	}
	name := "utf8mb4"
	if len(charset) > 0 {
		name = charset[0][0]
	}
	def, err := r.by(q).Create(string(q.Query), name, nil)
	if errors.Is(err, ddl.ErrUnknown) {
		_, err := r.shape(ctx, f, q)
		return err
	}
	if err == nil {
		if f.kept != nil { // what has gone may have come again, with other rows
			k := *f.kept
			k.Columns = slices.Clone(k.Columns)
			for i := range k.Columns {
				k.Columns[i].Gone = false
			}
			f.kept = &k
		}
		err = r.become(f, def, nil)
	}
	if err != nil {
		return r.broken(f, q, err, copyAnew)
	}
	return nil
}

// defined is a table as statements make it, up to where the log is read.
func (r *stream) defined(ctx context.Context, f *followed) (*ddl.Table, error) {
	if f.def != nil {
		return f.def, nil
	}
	t := f.t.AtSource()
	def := &ddl.Table{Charset: "utf8mb4"}
	for _, c := range t.Columns {
		if c.Meta == schema.NotMeta {
			def.Columns = append(def.Columns, c)
		}
	}
	for _, k := range append(slices.Clip(t.Key), t.RowKey...) {
		def.Key = append(def.Key, t.Columns[k].Name)
	}
	// The best that can be known: it may have been altered since.
	rows, err := r.s.control.query(ctx, `SELECT c.character_set_name FROM information_schema.tables t JOIN information_schema.collations c ON c.collation_name = t.table_collation
		WHERE t.table_schema = `+literal(t.DB)+` AND t.table_name = `+literal(t.Name))
	if err != nil {
		return nil, fmt.Errorf("ask for the character set of %s: %w", t, err)
	}
	if len(rows) > 0 {
		def.Charset = rows[0][0]
	}
	f.def = def
	return def, nil
}

// charsetOf is the character set of a collation: the part of its name before the first line.
func (r *stream) charsetOf(collation string) string {
	name, _, _ := strings.Cut(strings.ToLower(collation), "_")
	for _, c := range r.charsets.Collations {
		if c == name {
			return name
		}
	}
	return ""
}

// unlike says what of the rows that were there an alteration has changed, or "": of the columns that
// are handed out, but for those in gone.
func (r *stream) unlike(f *followed, gone []string, was *ddl.Table, after *ddl.Alteration, by []binlog.Rewrite) string {
	extent := r.s.opts.Extent
	if what := calledOtherwise(extent, was, after); what != "" {
		return what
	}
	if len(after.Filled) > 0 && extent != schema.Nothing {
		return fmt.Sprintf("column %s is new, and has a value in the rows that were there", after.Filled[0])
	}
	if !slices.Equal(was.Key, after.Key) {
		return fmt.Sprintf("its primary key was (%s) and is (%s)", strings.Join(was.Key, ", "), strings.Join(after.Key, ", "))
	}
	for _, w := range by {
		if w.Column == "" {
			return "values, or the key, may be others now"
		}
		i, j := was.Index(w.Column), after.Index(w.Column)
		if i < 0 || j < 0 { // it went, or came and went
			continue
		}
		if extent == schema.Nothing && (w.Dropped || !f.hands(was.Columns[i].Name) || slices.ContainsFunc(slices.Concat(gone, left(after)), func(name string) bool { return strings.EqualFold(name, w.Column) })) {
			continue
		}
		old, now := &was.Columns[i], &after.Columns[j]
		holds := plainType(old.Native) == plainType(now.Native) || schema.Takes(*now, *old)
		if !holds || w.Dropped || w.Computed || old.Charset != now.Charset || w.NotNull && old.Nullable {
			return "the values of column " + old.Name + " may be others now"
		}
	}
	return ""
}

// calledOtherwise says which column is so in a way that cannot be followed, or "".
func calledOtherwise(extent schema.Extent, was *ddl.Table, after *ddl.Alteration) string {
	for _, old := range slices.Sorted(maps.Keys(after.Renamed)) {
		name := after.Renamed[old]
		switch {
		case extent == schema.Everything:
			return fmt.Sprintf("column %s is called %s now", old, name)
		case extent == schema.Additions && !strings.EqualFold(old, name) && was.Index(name) >= 0:
			return fmt.Sprintf("column %s is called %s now, as another one was", old, name)
		}
	}
	return ""
}

// hands reports whether values of a column are handed out.
func (f *followed) hands(column string) bool {
	if f.kept == nil {
		return true
	}
	i := f.kept.Index(column)
	return i >= 0 && !f.kept.Columns[i].Gone
}

// become has a table be followed in another shape, without the columns that have left. What has come
// of the old one is handed out before, with the position up to which all tables are whole.
func (r *stream) become(f *followed, def *ddl.Table, left []string) error {
	next, err := r.shaped(f.t, def)
	if err != nil {
		return err
	}
	f.def = def
	if sameShape(f.t, next) && (len(left) == 0 || r.s.opts.Extent != schema.Nothing) {
		return nil
	}
	kept, err := r.keeps(f, next, left)
	if err != nil {
		return err
	}
	b, err := batch.NewBuilder(next, r.s.opts.alloc)
	if err != nil {
		return err
	}
	r.flush(time.Now())
	f.b.Batch().Release()
	f.t, f.kept, f.b, f.dec, f.mapBody, f.base = next, kept, b, nil, nil, 0
	// Told at once: a position behind the statement goes with the shape that it has left.
	r.out = append(r.out, &batch.Batch{Table: next})
	r.wait()
	return nil
}

// shaped is a table of other columns, in the form that the followed one has.
func (r *stream) shaped(t *schema.Table, def *ddl.Table) (*schema.Table, error) {
	columns := slices.Clone(def.Columns)
	var key []int
	for _, k := range def.Key {
		key = append(key, slices.IndexFunc(columns, func(c schema.Column) bool { return c.Name == k }))
	}
	for i := range columns {
		c := &columns[i]
		var err error
		if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		c.Arrow = c.Type.Arrow()
		c.Nullable = c.Nullable || r.s.zero == calendar.Null && c.Type.HasZero() && !slices.Contains(key, i)
	}
	next := schema.New(t.DB, t.Name, columns, key)
	next.Comment, next.Rows, next.Bytes = t.Comment, t.Rows, t.Bytes
	switch {
	case t.IsChangelog():
		return schema.Changelog(next)
	case t.IsImaged() && len(next.Key) == 0:
		return nil, errors.New("it has no primary key any more")
	case t.IsImaged():
		return schema.Imaged(next), nil
	}
	return next, nil
}

func sameShape(a, b *schema.Table) bool {
	return a.Shape() == b.Shape() && slices.EqualFunc(a.Columns, b.Columns, func(x, y schema.Column) bool { return x.Nullable == y.Nullable && x.Collation == y.Collation })
}
