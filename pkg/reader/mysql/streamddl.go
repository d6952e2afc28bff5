package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// query deals with a statement in the log.
func (r *stream) query(ctx context.Context, h binlog.Header, body []byte) error {
	q, err := binlog.ParseQuery(h.Type, body)
	if err != nil {
		return err
	}
	st := binlog.ParseStatement(q.DB, string(q.Query))
	if !r.tx.open { // a server without GTID events
		r.open(binlog.GTID{Anonymous: true, Time: int64(h.Time) * 1e6})
	}
	switch st.Kind {
	case binlog.Begin:
		r.tx.group = true
		return nil
	case binlog.Commit:
		return r.end(ctx)
	case binlog.Rollback:
		if err := r.undo(); err != nil {
			return err
		}
		return r.end(ctx)
	case binlog.Savepoint:
		r.savepoint(st.Text)
		return nil
	case binlog.RollbackTo:
		return r.rollbackTo(st.Text)
	case binlog.XAStart:
		r.tx.group, r.tx.xa, r.tx.spool = true, true, &spool{}
		return nil
	case binlog.XAEnd:
		return nil
	case binlog.XACommit:
		return r.xaDecide(ctx, st.Text, true)
	case binlog.XARollback:
		return r.xaDecide(ctx, st.Text, false)
	}
	if err := r.statement(ctx, q, st); err != nil {
		return err
	}
	if r.tx.group {
		return nil
	}
	return r.end(ctx)
}

// wanted returns the followed table of a name for which the transaction at hand
// is news, or nil.
func (r *stream) wanted(n binlog.Name) *followed {
	f := r.lookup(n)
	if f == nil || f.skip || r.tx.skip {
		return nil
	}
	return f
}

// living returns it if its rows matter too.
func (r *stream) living(n binlog.Name) *followed {
	f := r.wanted(n)
	if f == nil || f.forgone != nil {
		return nil
	}
	return f
}

// statement deals with a statement that changes tables.
func (r *stream) statement(ctx context.Context, q binlog.QueryEvent, st binlog.Statement) error {
	if err := r.ghostly(ctx, q, st); err != nil {
		return err
	}
	switch st.Kind {
	case binlog.EmptyTable:
		if f := r.living(st.Tables[0]); f != nil {
			return r.empty(f)
		}
	case binlog.DropTable:
		for _, n := range st.Tables {
			r.removed(r.wanted(n), "dropped")
		}
	case binlog.DropDatabase:
		for n := range r.tables {
			if n.DB == r.s.fold(st.Tables[0].DB) {
				r.removed(r.wanted(n), "dropped with its database")
			}
		}
	case binlog.CreateTable:
		r.turnedUp(st.Tables[0])
		if f := r.wanted(st.Tables[0]); f != nil && (f.gone || !st.IfNotExists) {
			return r.remade(ctx, f, q)
		}
	case binlog.AlterTable:
		if f := r.living(st.Tables[0]); f != nil {
			return r.forgo(ctx, r.evolve(ctx, f, q, st))
		}
	case binlog.RenameTable:
		return r.renamed(ctx, q, st)
	case binlog.ReplaceRows:
		return r.replaced(ctx, q, st)
	case binlog.ChangeRows:
		return r.unlogged(q)
	}
	return nil
}

// replaced ends tables whose rows are others now.
func (r *stream) replaced(ctx context.Context, q binlog.QueryEvent, st binlog.Statement) error {
	for _, n := range st.Tables {
		f := r.living(n)
		if f == nil {
			continue
		}
		err := r.broken(f, q, errors.New("its rows were replaced by a statement, which leaves no rows in the log"), copyAnew)
		if err = r.forgo(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// altered ends a table whose shape has changed, or whose values may have.
func (r *stream) altered(ctx context.Context, f *followed, q binlog.QueryEvent, st binlog.Statement) error {
	now, err := r.shape(ctx, f, q)
	if err != nil || now == nil {
		return err
	}
	if what := rewritten(f.t.AtSource(), now, st.Rewritten); what != "" {
		return r.broken(f, q, fmt.Errorf("%s, which leaves no rows in the log", what), copyAnew)
	}
	return nil
}

// empty notes that a table was emptied.
func (r *stream) empty(f *followed) error {
	if f.t.IsChangelog() {
		r.describe()
		if err := binlog.AppendTruncate(f.b, f.t, &r.meta); err != nil {
			return err
		}
		r.rows++
	} else {
		r.handOut(f)
		f.emptied = true
	}
	r.mark(f)
	// A table that is made and filled in one transaction: what was emptied is not
	// taken back if the rest of it does not come.
	r.tx.left = r.tx.left || r.tx.group
	return nil
}

// dropped notes that a table is no longer there. What it held stays at the sink.
func (r *stream) dropped(f *followed, how string) {
	if f != nil && !f.gone {
		f.gone = true
		r.s.warn(fmt.Sprintf("%s was %s at the source; its copy stays as it is", f.t, how))
	}
}

// removed notes that a table was dropped. If its copy is to go too it is followed no longer.
func (r *stream) removed(f *followed, how string) {
	if f == nil || !r.s.opts.Drops {
		r.dropped(f, how)
		return
	}
	r.handOut(f)
	f.b.Batch().Release()
	t := f.t
	r.out = append(r.out, &batch.Batch{Table: t, Dropped: true})
	r.since = time.Unix(0, 1) // with its position at once: what comes under the name is another table
	r.doomed = append(r.doomed, t.String())
	delete(r.tables, binlog.Name{DB: r.s.fold(t.DB), Table: r.s.fold(t.Name)})
	r.dirty = slices.DeleteFunc(r.dirty, func(o *followed) bool { return o == f })
	for id, of := range r.ids {
		if of.f == f {
			delete(r.ids, id)
		}
	}
	r.last = nil
}

// forgo keeps a table that can only be followed from a copy made anew, and of which there is nothing to
// copy any more: if copies go with their tables, how it went is all that matters, and the log tells it. If
// it tells that the table was not dropped, or nothing up to its end, the error comes then.
func (r *stream) forgo(ctx context.Context, err error) error {
	var te *schema.TableError
	if !r.s.opts.Drops || !errors.As(err, &te) || !te.Anew {
		return err
	}
	for _, f := range r.tables {
		if f.t.String() != te.Table {
			continue
		}
		now, e := r.s.shapeOf(ctx, f.t)
		if e != nil || now != nil {
			return err
		}
		r.s.warn(fmt.Sprintf("%v; it is not there any more, and rows of it are left out until the log tells that it was dropped", err))
		f.forgone = err
		return nil
	}
	return err
}

// turnedUp tells of a table that is not followed.
func (r *stream) turnedUp(n binlog.Name) {
	if !r.tx.skip && r.lookup(n) == nil {
		r.s.tell(n)
	}
}

// The remedies of a table that cannot be followed any further.
const (
	copyAnew  = "copy the table anew with snapshot --mode replace --tables %s and run the command again"
	allAnew   = "copy the tables anew with snapshot --mode replace and run the command again"
	dropFirst = "drop the table at the sink and run the command again, which copies it anew; in a topic, snapshot --mode replace does"
	goOn      = "run the command again, which goes on with the table as it is now"
)

// broken is the end of a table that cannot be followed any further.
func (r *stream) broken(f *followed, q binlog.QueryEvent, err error, remedy string) error {
	anew := false
	switch {
	case remedy == copyAnew && f.t.IsChangelog(): // a copy has no rows of changes
		remedy = dropFirst
	case remedy == copyAnew:
		remedy, anew = fmt.Sprintf(copyAnew, f.t), true
	}
	err = fmt.Errorf("%w: %q at %s:%d; everything before it is committed", err, shortQuery(q.Query), r.d.file, r.d.pos)
	return &schema.TableError{Table: f.t.String(), Err: hint.Wrap(err, "%s", remedy), Anew: anew}
}

func shortQuery(q []byte) string {
	text := strings.Join(strings.Fields(string(q)), " ")
	if len(text) > 120 {
		text = strings.ToValidUTF8(text[:120], "") + "…"
	}
	return text
}

// shape compares a table as it is at the source now, which it returns, with the
// one that is followed; nil is a table that is gone. A statement whose effect is
// gone by now is left to the table maps of
// the rows that came between.
func (r *stream) shape(ctx context.Context, f *followed, q binlog.QueryEvent) (*schema.Table, error) {
	now, err := r.s.shapeOf(ctx, f.t)
	if err != nil || now == nil {
		return nil, err
	}
	if d := difference(f.t.AtSource(), now); d != "" {
		return nil, r.broken(f, q, fmt.Errorf("the table has another shape now (%s)", d), copyAnew)
	}
	for i, c := range now.Columns {
		old := &f.t.AtSource().Columns[i]
		if (old.Type.Kind == schema.Enum || old.Type.Kind == schema.Set) && old.Native != c.Native {
			return nil, r.broken(f, q, fmt.Errorf("column %s has labels now that were not there before", c.Name), goOn)
		}
	}
	return now, nil
}

// shapeOf lists a table as it is now; it is nil if there is none.
func (s *Stock) shapeOf(ctx context.Context, t *schema.Table) (*schema.Table, error) {
	l := &listed{db: t.DB, name: t.Name}
	if err := s.listColumns(ctx, "", map[string]*listed{t.DB + "\x00" + t.Name: l}); err != nil {
		return nil, fmt.Errorf("list columns of %s: %w", t, err)
	}
	if len(l.columns) == 0 {
		return nil, nil
	}
	now := &schema.Table{DB: t.DB, Name: t.Name, Columns: l.columns}
	if t.IsChangelog() {
		return now, nil // whatever the key is
	}
	for _, k := range l.key {
		now.Key = append(now.Key, slices.IndexFunc(l.columns, func(c schema.Column) bool { return c.Name == k }))
	}
	return now, nil
}

// difference says how a table's shape differs from what it is now, or "".
func difference(t, now *schema.Table) string {
	if d := now.Since(t.Shape()); d != "" {
		return d
	}
	for i, c := range now.Columns {
		if c.Nullable && !t.Columns[i].Nullable {
			return "column " + c.Name + " may be NULL"
		}
	}
	return ""
}

// rewritten says which values of a table an ALTER TABLE may have changed, or "",
// where the table's shape now can be followed. That shape alone is no proof: a later
// statement may have brought it back, or a column was dropped and made again.
func rewritten(t, now *schema.Table, by []binlog.Rewrite) string {
	for _, w := range by {
		if w.Column == "" {
			return "values, or the key, may be others now"
		}
		i := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, w.Column) })
		if i < 0 {
			continue // it came and went
		}
		if c := &t.Columns[i]; plainType(w.Native) != plainType(now.Columns[i].Native) || w.NotNull && c.Nullable {
			return "the values of column " + c.Name + " may be others now"
		}
	}
	return ""
}

var typeParts = regexp.MustCompile(`^(\w+)(\(.*\))?(.*)$`)

var typeAliases = map[string]string{"integer": "int", "bool": "tinyint", "boolean": "tinyint", "dec": "decimal", "numeric": "decimal", "fixed": "decimal"}

// plainType writes a type without what does not matter to its values.
func plainType(native string) string {
	m := typeParts.FindStringSubmatch(native)
	if m == nil {
		return native
	}
	base, args, rest := m[1], m[2], strings.TrimSuffix(m[3], " zerofill")
	base = cmp.Or(typeAliases[base], base)
	switch {
	case slices.Contains([]string{"tinyint", "smallint", "mediumint", "int", "bigint", "year"}, base):
		args = "" // how wide it is printed
	case base == "decimal" && args == "":
		args = "(10,0)"
	case base == "decimal" && !strings.Contains(args, ","):
		args = strings.TrimSuffix(args, ")") + ",0)"
	}
	return base + args + rest
}

// unlogged deals with a statement whose rows are not in the log. Only if it
// clearly has to do with other databases it is of no interest.
func (r *stream) unlogged(q binlog.QueryEvent) error {
	if r.tx.skip || len(r.tables) == 0 {
		return nil
	}
	all := true
	dbs := map[string]bool{}
	for n, f := range r.tables {
		dbs[n.DB] = true
		all = all && f.skip
	}
	if all {
		return nil
	}
	if !dbs[r.s.fold(q.DB)] && !binlog.Mentions(string(q.Query), func(name string) bool { return dbs[r.s.fold(name)] }) {
		return nil
	}
	return hint.Wrap(fmt.Errorf("a statement at %s:%d may have changed followed tables and its rows are not in the log: %q", r.d.file, r.d.pos, shortQuery(q.Query)),
		"a session has set binlog_format to something else than ROW: find it, and copy the tables anew")
}
