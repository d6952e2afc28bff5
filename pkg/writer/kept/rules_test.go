package kept

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// of makes what a sink keeps of a table, whose types it names as Arrow does.
func of(src *schema.Table) Table {
	t := Table{Source: src.String(), Shape: src.Shape(), Filter: src.Filter}
	for _, c := range src.Columns {
		t.Columns = append(t.Columns, Column{c.Name, c.Arrow.String(), c.Nullable, c.Comment})
	}
	return t
}

func changes(t *testing.T, src *schema.Table) *schema.Table {
	t.Helper()
	log, err := schema.Changelog(src)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestGoesOn(t *testing.T) {
	const (
		c, a, e, f, x = writer.Create, writer.Append, writer.Evolve, writer.Follow, writer.Extend

		replace  = "--mode replace exchanges the content and the columns"
		evolve   = "--mode evolve adapts the columns, where that is possible, and adds the rows; --mode replace exchanges the content"
		anew     = "copy the table anew with snapshot --mode replace --tables shop.orders, then run the same command again"
		leave    = "leave the table out with --exclude, or write elsewhere, over there"
		alone    = "leave the table out with --exclude, or write its changes elsewhere, without --latest, over there"
		isLog    = "here holds a row for each change, and not the source's rows"
		isRows   = "here holds the source's rows, and not a row for each change"
		isShaped = "here has another shape than the source's table: "
	)
	orders := batchtest.Shape("shop", "orders", "id bigint key", "note varchar(20)")
	other := batchtest.Shape("shop", "other", "id bigint key", "note varchar(20)")
	wide := batchtest.Shape("shop", "orders", "id bigint key", "note varchar(20)", "more int")
	narrow := batchtest.Shape("shop", "orders", "id bigint key")
	rekeyed := batchtest.Shape("shop", "orders", "id bigint not null", "note varchar(20) key")
	float := batchtest.Shape("shop", "orders", "id double key", "note varchar(20)")
	keyless := batchtest.Shape("shop", "orders", "id bigint", "note varchar(20)")
	filtered := *orders
	filtered.Filter = "id > 3"
	added := of(orders)
	added.RowsAdded = "append"
	addedLog := of(changes(t, orders))
	addedLog.RowsAdded = "append"
	unknown := of(orders)
	unknown.Shape = ""

	for name, is := range map[string]struct {
		have        Table
		src         *schema.Table
		modes       []writer.Mode
		err, remedy string
	}{
		"the same":                {of(orders), orders, []writer.Mode{c, a, e, f, x}, "", ""},
		"the same changes":        {of(changes(t, orders)), changes(t, orders), []writer.Mode{c, a, e, f, x}, "", ""},
		"another table":           {of(other), orders, []writer.Mode{c, f, x}, "here was made from shop.other", "name another place for one of them over there"},
		"rows of another":         {of(other), orders, []writer.Mode{a, e}, "", ""},
		"rows to changes":         {of(changes(t, orders)), orders, []writer.Mode{c, a, e, f, x}, isLog, "tail and dump go on with it, without --latest; or write elsewhere, over there"},
		"changes to rows":         {of(orders), changes(t, orders), []writer.Mode{c, a, e, f, x}, isRows, "follow it with --latest, or write elsewhere, over there"},
		"changes, by a float":     {of(float), changes(t, float), []writer.Mode{f, x}, isRows, alone},
		"changes, by no key":      {of(keyless), changes(t, keyless), []writer.Mode{f, x}, isRows, alone},
		"a filter":                {of(orders), &filtered, []writer.Mode{c}, "here holds the rows without --where, and those where id > 3 are asked for", replace},
		"no filter":               {of(&filtered), orders, []writer.Mode{f}, "here holds the rows where id > 3, and those without --where are asked for", anew},
		"no filter, extended":     {of(&filtered), orders, []writer.Mode{x}, "here holds the rows where id > 3, and those without --where are asked for", leave},
		"rows of a filter":        {of(orders), &filtered, []writer.Mode{a, e}, "", ""},
		"rows added":              {added, orders, []writer.Mode{f}, "--mode append has added rows to those of here, which may be there twice", anew},
		"rows added, not in line": {added, orders, []writer.Mode{c, a, e}, "", ""},
		"rows added, by changes":  {addedLog, changes(t, orders), []writer.Mode{f, x}, "", ""},
		"a new column, created":   {of(orders), wide, []writer.Mode{c}, isShaped + "more: not at the sink, int32 at the source", replace},
		"a new column, appended":  {of(orders), wide, []writer.Mode{a}, isShaped + "more: not at the sink, int32 at the source", evolve},
		"a new column, followed":  {of(orders), wide, []writer.Mode{f}, isShaped + "more: not at the sink, int32 at the source", anew},
		"a new column, adapted":   {of(orders), wide, []writer.Mode{e, x}, "", ""},
		"a column less":           {of(orders), narrow, []writer.Mode{f}, isShaped + "note: utf8 at the sink, not at the source", anew},
		"a column less, extended": {of(orders), narrow, []writer.Mode{x}, "", ""},
		"another key":             {of(orders), rekeyed, []writer.Mode{x}, isShaped + "its primary key was (id) and is (note)", leave},
		"no shape was kept":       {unknown, orders, []writer.Mode{c, a, e, f, x}, "", ""},
	} {
		for _, mode := range is.modes {
			r := Rules{Types: testTypes, Mode: mode, Place: "here", Elsewhere: "over there"}
			err := r.GoesOn(is.have, is.src, of(is.src).Columns)
			if message(err) != is.err || is.remedy != "" && mode == is.modes[0] && hint.Of(err) != is.remedy {
				t.Errorf("%s, --mode %s: %q, %q; want %q, %q", name, mode, message(err), hint.Of(err), is.err, is.remedy)
			}
		}
	}
}

// A sink words what is its own.
func TestRemediesOfASink(t *testing.T) {
	orders := batchtest.Shape("shop", "orders", "id bigint key")
	r := Rules{
		Types: testTypes, Mode: writer.Extend, Place: "here", Elsewhere: "over there",
		Home: "folder", Anew: "remove its folder", Adapts: "where text allows it", RowsStay: true,
	}
	if got, want := r.Remedy(orders), "leave the table out with --exclude, or write elsewhere, over there; to begin anew here, remove its folder"; got != want {
		t.Errorf("extend: %q, want %q", got, want)
	}
	if got, want := hint.Of(r.SameSource(Table{Source: "shop.other"}, orders)), "name another folder for one of them over there"; got != want {
		t.Errorf("another source: %q, want %q", got, want)
	}
	log := changes(t, orders)
	if got, want := hint.Of(r.GoesOn(of(orders), log, of(log).Columns)), r.RowsAlone(); got != want {
		t.Errorf("rows that stay: %q, want %q", got, want)
	}
	r.Mode = writer.Append
	if got, want := r.Remedy(orders), "--mode evolve adapts the columns, where text allows it, and adds the rows; --mode replace exchanges the content"; got != want {
		t.Errorf("append: %q, want %q", got, want)
	}
}
