package main

import (
	"errors"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
)

// wrapFeed returns the feed with its tables shaped, if any of them are to be.
func (o *chooseOptions) wrapFeed(f reader.Feed) (reader.Feed, error) {
	if len(o.set.entries) == 0 && len(o.meta) == 0 && o.softDelete == "" && o.where.String() == "" && o.columns.String() == "" {
		return f, nil
	}
	s, err := shape.WrapFeed(f)
	if err != nil {
		return nil, err // not a *shape.Feed that is nil
	}
	return s, nil
}

// made gives a table of topics the shape that was asked for.
func (o *dumpOptions) made(f *shape.Feed, t *schema.Table) (*schema.Table, error) {
	c := o.choose
	log := isLog(o.format.value)
	c.follows, c.changes = true, o.changelog || o.changes && !log
	unfit := func(err error) error { return &schema.TableError{Table: t.String(), Err: err} }
	if !c.changes && len(t.Key) > 0 {
		why := "messages of deleted rows need not tell more of them than their keys, nor the others when they were"
		if c.softDelete != "" || slices.ContainsFunc(c.meta, func(m string) bool { return m != "_db" && m != "_table" }) {
			return nil, unfit(hint.Wrap(errors.New("--soft-delete and --meta _op,_ts,_gtid: "+why), "--changelog has each change as a row, with these columns"))
		}
	}
	where, err := c.where.of("where", "", t)
	if err != nil {
		return nil, unfit(err)
	}
	list, err := c.columns.of("columns", "", t)
	if err != nil {
		return nil, unfit(err)
	}
	return c.shaped(f, t, where, list, "")
}
