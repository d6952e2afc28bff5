package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
)

// beside returns what opens the source once more, for tables that are copied while the run goes
// on; nil where tables are followed only as they were found.
func (p *program) beside(o tailOptions, open ends, store storeOptions) func(context.Context) (move.Beside, error) {
	if !store.evolve || store.extent == schema.Nothing {
		return nil
	}
	store.serverID = 0 // another one: two of one id drive each other out
	return func(ctx context.Context) (move.Beside, error) {
		src, err := open.source(ctx, o.source, store)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
		}
		shaped, err := o.choose.wrap(src)
		if err != nil {
			return nil, errors.Join(err, src.Close())
		}
		if b, ok := shaped.(besideSource); ok {
			return turnUps{b, &o}, nil
		}
		return nil, errors.Join(fmt.Errorf("%s tells nothing of single tables", p.hide.redact(o.source)), src.Close())
	}
}

// A besideSource can be followed, and tells of single tables.
type besideSource interface {
	logSource
	reader.Herald
}

// turnUps are the tables of a source that turn up while a run goes on, as tail would have them.
type turnUps struct {
	besideSource
	o *tailOptions
}

// Table returns a table in the form that it is to have at the sink, or nil.
func (u turnUps) Table(ctx context.Context, name string) (*schema.Table, error) {
	sel := u.o.selection(u.DB())
	for at := range name {
		if name[at] != '.' { // names may hold dots too
			continue
		}
		db, table := name[:at], name[at+1:]
		t, err := u.Find(ctx, sel, db, table)
		if err != nil {
			return nil, err
		}
		if base := schema.GhostOf(table); t != nil && base != "" && !u.o.names(t) {
			of, err := u.Find(ctx, sel, db, base)
			if of != nil || err != nil {
				return nil, err
			}
		}
		if t == nil {
			continue
		}
		if t, err = u.o.asWanted(u.besideSource, t); err != nil || t == nil {
			return nil, err
		}
		if err := u.o.part.claim(t, &u.o.route); err != nil {
			return nil, err
		}
		return t, nil
	}
	return nil, nil
}

// former returns what gives tables that are no more at the source the form that they have at the
// sink; nil where that cannot be told.
func (o *tailOptions) former(src source) func(*schema.Table) (*schema.Table, error) {
	if _, shaped := src.(*shape.Source); !shaped && o.choose.columns.String() != "" {
		return nil
	}
	return func(t *schema.Table) (*schema.Table, error) { return o.asWanted(src, t) }
}

// withoutGhosts leaves tables out by which tools alter others, while these tools are at work or
// what they have left is not cleared away.
func (p *program) withoutGhosts(o tailOptions, tables []*schema.Table) []*schema.Table {
	there := map[string]bool{}
	for _, t := range tables {
		there[t.String()] = true
	}
	return slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool {
		base := schema.GhostOf(t.Name)
		if base == "" || !there[t.DB+"."+base] || o.names(t) {
			return false
		}
		p.console.warn(fmt.Sprintf("%s is left out: by its name it is a table by which gh-ost or pt-online-schema-change alters %s (--tables %s copies it all the same)", t, base, t))
		return true
	})
}

// names reports whether a table is selected by its very name.
func (o *tailOptions) names(t *schema.Table) bool {
	return slices.Contains(o.tables, t.String()) || slices.Contains(o.tables, t.Name)
}

// asWanted gives a table that has turned up the form that it is to have at the sink.
func (o *tailOptions) asWanted(src source, t *schema.Table) (*schema.Table, error) {
	name := t.String()
	unfit := func(err error) error {
		if te := (*schema.TableError)(nil); errors.As(err, &te) {
			return err
		}
		return &schema.TableError{Table: name, Err: err}
	}
	list, err := o.choose.columns.of("columns", src.DB(), t)
	if s, ok := src.(*shape.Source); ok && err == nil {
		where, e := o.choose.where.of("where", src.DB(), t)
		if e == nil {
			t, e = o.choose.shaped(s, t, where, list, src.DB())
		}
		if e != nil {
			return nil, unfit(e)
		}
	} else if err == nil && list != "" {
		var keep []string
		if keep, err = pickColumns(t, list); err == nil {
			t = t.Choose(keep)
		}
	}
	if err != nil {
		return nil, unfit(fmt.Errorf("--columns: %w", err))
	}
	shaped, refused, err := o.shape([]*schema.Table{t})
	if err != nil {
		return nil, unfit(err)
	}
	for _, f := range refused {
		return nil, unfit(hint.Wrap(errors.New(strings.TrimPrefix(f.Thing, "1 table ")+": "+f.Why), "%s", f.Remedy))
	}
	return shaped[0], nil
}
