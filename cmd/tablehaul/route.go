package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/route"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// routeOptions say under which names tables go to the sink.
type routeOptions struct {
	rules, shard []string
	distinct     bool
	routes       *route.Routes
}

func (o *routeOptions) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.rules, "route", nil, "send tables whose database.table a regular expression matches to another\none: `'shop_([0-9]+)\\.orders_([0-9]+) -> lake.orders'`; several that go to\nthe same are merged; repeatable, the first that matches counts; none\nhas tables keep their names that are merged at the sink already")
	f.StringSliceVar(&o.shard, "shard-columns", nil, "have two `columns` more in the tables of routes, and in their keys: the\nsource's database and table (default _db,_table)")
	f.Lookup("shard-columns").NoOptDefVal = "_db,_table"
	f.BoolVar(&o.distinct, "distinct-keys", false, "merge tables without such columns, as no two of them have a key in common,\nwhich is not checked")
}

// check reads the rules.
func (o *routeOptions) check(given func(flag string) bool) (err error) {
	if given("route") && len(o.rules) == 0 {
		return errors.New("--route is empty")
	}
	if o.distinct && (len(o.rules) == 0 || slices.Contains(o.rules, noRoute) || len(o.shard) > 0) {
		return errors.New("--distinct-keys is for tables that --route merges without --shard-columns")
	}
	if slices.Contains(o.rules, noRoute) {
		if len(o.rules)+len(o.shard) > 1 {
			return errors.New("--route none stands alone: it says that there are no routes")
		}
		o.routes = &route.Routes{Alone: true}
		return nil
	}
	if len(o.rules)+len(o.shard) == 0 {
		return nil
	}
	if o.routes, err = route.Parse(o.rules, o.shard); err != nil {
		return err
	}
	o.routes.Distinct = o.distinct
	return nil
}

// noRoute in the place of a rule says that tables keep their names, merged or not.
const noRoute = "none"

// given reports whether there are any.
func (o *routeOptions) given() bool { return o.routes != nil && !o.routes.Alone }

// takes refuses sinks that have no tables to merge in.
func (o *routeOptions) takes(p *program, sink string) error {
	if o.given() && p.stores.isTopic(sink) {
		return hint.Wrap(errors.New("--route is not for topics, which hold the changes of each table under its own name"), "dump with --route merges them on their way out of the topics")
	}
	return nil
}

// open has a sink opened whose tables have the names that routes give them.
func (o *routeOptions) open(open openSink) openSink {
	if o.routes == nil {
		return open
	}
	return func(ctx context.Context, sink string, store storeOptions) (writer.Sink, error) {
		s, err := open(ctx, sink, store)
		if err != nil {
			return nil, err
		}
		return route.NewSink(s, o.routes), nil
	}
}

// layout returns the layout of the tables at the sink, which are not the source's where routes
// make them.
func (o *routeOptions) layout(l *layoutOptions, db string, tables []*schema.Table) (func(*schema.Table) layout, error) {
	if !o.given() {
		return l.resolve(db, tables)
	}
	targets, err := o.routes.Fitting(tables) // what does not fit is told once it is known what the sink holds
	if err != nil {
		return nil, err
	}
	return l.resolve("", targets)
}
