package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// statement deals with a statement that changes tables.
func (r *stream) statement(ctx context.Context, q binlog.QueryEvent, st binlog.Statement) error {
	switch st.Kind {
	case binlog.EmptyTable:
		if f := r.wanted(st.Tables[0]); f != nil {
			return r.empty(f)
		}
	case binlog.DropTable:
		for _, n := range st.Tables {
			r.dropped(r.wanted(n), "dropped")
		}
	case binlog.DropDatabase:
		for n := range r.tables {
			if n.DB == r.s.fold(st.Tables[0].DB) {
				r.dropped(r.wanted(n), "dropped with its database")
			}
		}
	case binlog.CreateTable:
		if f := r.wanted(st.Tables[0]); f != nil && (f.gone || !st.IfNotExists) {
			if err := r.shape(ctx, f, q); err != nil {
				return err
			}
			f.gone = false
			return r.empty(f)
		}
	case binlog.AlterTable:
		if f := r.wanted(st.Tables[0]); f != nil {
			return r.shape(ctx, f, q)
		}
	case binlog.RenameTable:
		return r.renamed(q, st)
	case binlog.ReplaceRows:
		for _, n := range st.Tables {
			if f := r.wanted(n); f != nil {
				return r.broken(f, q, errors.New("its rows were replaced by a statement, which leaves no rows in the log"))
			}
		}
	case binlog.ChangeRows:
		return r.unlogged(q)
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
	return nil
}

// dropped notes that a table is no longer there. What it held stays at the sink.
func (r *stream) dropped(f *followed, how string) {
	if f != nil && !f.gone {
		f.gone = true
		r.s.warn(fmt.Sprintf("%s was %s at the source; its copy stays as it is", f.t, how))
	}
}

func (r *stream) renamed(q binlog.QueryEvent, st binlog.Statement) error {
	for i := 0; i+1 < len(st.Tables); i += 2 {
		r.dropped(r.wanted(st.Tables[i]), "renamed")
		if f := r.wanted(st.Tables[i+1]); f != nil {
			return r.broken(f, q, errors.New("another table took its name"))
		}
	}
	return nil
}

// broken is the end of a table that cannot be followed any further.
func (r *stream) broken(f *followed, q binlog.QueryEvent, err error) error {
	err = fmt.Errorf("%w: %q at %s:%d; everything before it is committed", err, shortQuery(q.Query), r.d.file, r.d.pos)
	err = hint.Wrap(err, "copy the table anew with snapshot --mode replace, or drop it at the sink, and run the command again")
	return &schema.TableError{Table: f.t.String(), Err: err}
}

func shortQuery(q []byte) string {
	text := strings.Join(strings.Fields(string(q)), " ")
	if len(text) > 120 {
		text = strings.ToValidUTF8(text[:120], "") + "…"
	}
	return text
}

// shape compares a table as it is at the source now with the one that is
// followed. A statement whose effect is gone by now is left to the table maps of
// the rows that came between.
func (r *stream) shape(ctx context.Context, f *followed, q binlog.QueryEvent) error {
	now, err := r.s.shapeOf(ctx, f.t)
	if err != nil || now == nil {
		return err
	}
	if d := difference(f.t, now); d != "" {
		return r.broken(f, q, fmt.Errorf("the table has another shape now (%s)", d))
	}
	return nil
}

// shapeOf lists a table as it is now; it is nil if there is none.
func (s *Stock) shapeOf(ctx context.Context, t *schema.Table) (*listed, error) {
	l := &listed{db: t.DB, name: t.Name}
	if err := s.listColumns(ctx, "", map[string]*listed{t.DB + "\x00" + t.Name: l}); err != nil {
		return nil, fmt.Errorf("list columns of %s: %w", t, err)
	}
	if len(l.columns) == 0 {
		return nil, nil
	}
	return l, nil
}

// difference says how a table's shape differs from what was listed, or "".
func difference(t *schema.Table, now *listed) string {
	columns := slices.Clone(t.Columns)
	columns = slices.DeleteFunc(columns, func(c schema.Column) bool { return c.Meta != schema.NotMeta })
	for i, c := range now.columns {
		if i >= len(columns) {
			return "column " + c.Name + " is new"
		}
		if old := columns[i]; old.Name != c.Name {
			return fmt.Sprintf("column %s where %s was", c.Name, old.Name)
		} else if old.Native != c.Native || old.Charset != c.Charset {
			return fmt.Sprintf("column %s was %s and is %s", c.Name, strings.TrimSpace(old.Native+" "+old.Charset), strings.TrimSpace(c.Native+" "+c.Charset))
		} else if c.Nullable && !old.Nullable {
			return "column " + c.Name + " may be NULL"
		}
	}
	if n := len(now.columns); n < len(columns) {
		return "column " + columns[n].Name + " is gone"
	}
	var key []string
	for _, k := range t.Key {
		key = append(key, t.Columns[k].Name)
	}
	if !t.IsChangelog() && !slices.Equal(key, now.key) {
		return fmt.Sprintf("its primary key was (%s) and is (%s)", strings.Join(key, ", "), strings.Join(now.key, ", "))
	}
	return ""
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
