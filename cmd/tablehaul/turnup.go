package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// beside returns what opens the source once more, for tables that are copied while the run goes
// on; nil where tables are followed only as they were found.
func (p *program) beside(o tailOptions, open ends, store storeOptions) func(context.Context) (move.Beside, error) {
	if !store.evolve {
		return nil
	}
	store.serverID = 0 // another one: two of one id drive each other out
	return func(ctx context.Context) (move.Beside, error) {
		src, err := open.source(ctx, o.source, store)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
		}
		if b, ok := src.(besideSource); ok {
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
	sel := reader.Selection{Include: u.o.tables, Exclude: u.o.exclude, DB: u.DB()}
	for at := range name {
		if name[at] != '.' { // names may hold dots too
			continue
		}
		t, err := u.Find(ctx, sel, name[:at], name[at+1:])
		if err != nil {
			return nil, err
		}
		if t != nil {
			return u.o.asWanted(u.DB(), t)
		}
	}
	return nil, nil
}

// asWanted gives a table that has turned up the form that it is to have at the sink.
func (o *tailOptions) asWanted(db string, t *schema.Table) (*schema.Table, error) {
	unfit := func(err error) error { return &schema.TableError{Table: t.String(), Err: err} }
	list, err := o.choose.columns.of("columns", db, t)
	if err == nil && list != "" {
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
