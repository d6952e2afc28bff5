package mysql

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

// A ghost is a table that a tool, gh-ost or pt-online-schema-change, makes beside a followed one,
// alters, fills with its rows and puts in its place in the end. The rows are then the followed
// table's, which the log has brought already, in another shape: it is as if the table had been
// altered at that moment.
type ghost struct {
	of  *followed
	def *ddl.Table
	// left are columns of the table that the ghost has not.
	left []string
	why  string // what keeps the table from being followed as the ghost; "" if nothing
}

// ghostly deals with a statement about tables that tools make.
func (r *stream) ghostly(ctx context.Context, q binlog.QueryEvent, st binlog.Statement) error {
	if !r.s.opts.Evolve {
		return nil
	}
	switch st.Kind {
	case binlog.CreateTable:
		return r.ghostMade(ctx, q, st.Tables[0])
	case binlog.AlterTable:
		if g := r.ghosts[st.Tables[0]]; g != nil {
			g.alter(r, q, st)
		}
		for name, g := range r.ghosts { // what it was made like is no more
			if g.of == r.lookup(st.Tables[0]) {
				delete(r.ghosts, name)
			}
		}
	case binlog.DropTable, binlog.EmptyTable, binlog.ReplaceRows:
		for _, n := range st.Tables {
			delete(r.ghosts, n)
		}
	default:
		r.triggers(q)
	}
	return nil
}

// ghostMade notes a ghost, or the traces of gh-ost: a table in which it keeps what it is about.
func (r *stream) ghostMade(ctx context.Context, q binlog.QueryEvent, n binlog.Name) error {
	delete(r.ghosts, n)
	base := schema.GhostOf(n.Table)
	f := r.lookup(binlog.Name{DB: n.DB, Table: base})
	if base == "" || f == nil || !r.evolves(f) {
		return nil
	}
	if n.Table == "_"+base+"_ghc" {
		r.tools[f] = true
		return nil
	}
	was, err := r.defined(ctx, f)
	if err != nil {
		return err
	}
	def, err := r.by(q).Create(string(q.Query), was.Charset, func(db, name string) *ddl.Table {
		if r.lookup(binlog.Name{DB: cmp.Or(db, q.DB), Table: name}) != f {
			return nil
		}
		return was
	})
	if err != nil {
		return nil //nolint:nilerr // it is no ghost that could be followed: the table is copied once it is in its place
	}
	g := &ghost{of: f, def: def}
	if !slices.EqualFunc(was.Columns, def.Columns, sameColumn) || !slices.Equal(was.Key, def.Key) {
		g.why = "a table of other columns took its place"
	}
	r.ghosts[n] = g
	return nil
}

func sameColumn(a, b schema.Column) bool {
	return a.Name == b.Name && plainType(a.Native) == plainType(b.Native) && a.Charset == b.Charset && (a.Nullable || !b.Nullable)
}

// unique finds a unique index among the clauses of a statement: tools leave rows out that it has
// no room for.
var unique = regexp.MustCompile(`(?i)\bunique\b`)

// alter applies an ALTER TABLE to a ghost.
func (g *ghost) alter(r *stream, q binlog.QueryEvent, st binlog.Statement) {
	after, err := r.by(q).Alter(g.def, string(q.Query))
	switch {
	case g.why != "":
	case err != nil:
		g.why = err.Error()
	case unique.Match(q.Query):
		g.why = "rows may have been left out, for which a unique index has no room"
	default:
		g.why = r.unlike(g.of, g.left, g.def, after, st.Rewritten)
	}
	if err == nil {
		g.def, g.left = after.Table, append(g.left, left(after)...)
	}
}

// trigger is one of pt-online-schema-change's, which have its ghost follow a table.
var trigger = regexp.MustCompile("(?is)\\bTRIGGER\\s+(?:`[^`]+`\\.)?`?pt_osc_\\w+`?\\s.*?\\bON\\s+`([^`]+)`\\.`([^`]+)`")

// triggers notes the traces of pt-online-schema-change.
func (r *stream) triggers(q binlog.QueryEvent) {
	if !bytes.Contains(q.Query, []byte("pt_osc_")) {
		return
	}
	if m := trigger.FindSubmatch(q.Query); m != nil {
		if f := r.lookup(binlog.Name{DB: string(m[1]), Table: string(m[2])}); f != nil {
			r.tools[f] = true
		}
	}
}

// swapped follows a table as the ghost that takes its place, and reports whether it could. Only
// if a tool has left its traces it is known that the ghost had all rows: others may put an empty
// table of such a name in another's place.
func (r *stream) swapped(f *followed, q binlog.QueryEvent, from binlog.Name) (bool, error) {
	g := r.ghosts[from]
	delete(r.ghosts, from)
	if g == nil || g.of != f || !r.tools[f] {
		return false, nil
	}
	delete(r.tools, f)
	if g.why != "" && !f.t.IsChangelog() {
		return true, r.broken(f, q, fmt.Errorf("%s, which leaves no rows in the log", g.why), copyAnew)
	}
	if err := r.become(f, g.def, g.left); err != nil {
		return true, r.broken(f, q, err, copyAnew)
	}
	f.gone, f.forgone = false, nil
	return true, nil
}

// renamed deals with tables that have got other names, all at once.
func (r *stream) renamed(ctx context.Context, q binlog.QueryEvent, st binlog.Statement) error {
	takes := func(n binlog.Name) bool {
		for i := 1; i < len(st.Tables); i += 2 {
			if st.Tables[i] == n {
				return true
			}
		}
		return false
	}
	for i := 0; i+1 < len(st.Tables); i += 2 {
		from, to := st.Tables[i], st.Tables[i+1]
		if f := r.wanted(from); f != nil && !takes(from) {
			if f.forgone != nil { // it is not dropped
				return f.forgone
			}
			r.dropped(f, "renamed")
		}
		r.turnedUp(to)
		f := r.wanted(to)
		if f == nil {
			continue
		}
		if ok, err := r.swapped(f, q, from); ok || err != nil {
			if err := r.forgo(ctx, err); err != nil {
				return err
			}
			continue
		}
		if err := r.forgo(ctx, r.broken(f, q, errors.New("another table took its name"), copyAnew)); err != nil {
			return err
		}
	}
	return nil
}
