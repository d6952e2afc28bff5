package readertest

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// listed compares the tables with what the suite has declared.
func (k *kit) listed() {
	tables := k.list()
	if got, want := namesOf(tables), k.names(func(string) bool { return true }); !slices.Equal(got, want) {
		k.Fatalf("got tables %q, want %q", got, want)
	}
	for _, got := range tables {
		want := k.table(got.Name)
		if !slices.Equal(got.Key, want.Key) {
			k.Errorf("%s: got key %v, want %v", got, got.Key, want.Key)
		}
		if len(got.Columns) != len(want.Columns) || got.Arrow.NumFields() != len(want.Columns) {
			k.Errorf("%s: got %d columns and %d fields, want %d", got, len(got.Columns), got.Arrow.NumFields(), len(want.Columns))
			continue
		}
		for i, w := range want.Columns {
			c, f := got.Columns[i], got.Arrow.Field(i)
			if c.Name != w.Name || f.Name != w.Name {
				k.Errorf("%s: got column %q and field %q, want %q", got, c.Name, f.Name, w.Name)
			}
			if !arrow.TypeEqual(c.Arrow, w.Arrow) || !arrow.TypeEqual(f.Type, w.Arrow) {
				k.Errorf("%s.%s %s: got column %s and field %s, want %s", got, c.Name, c.Native, c.Arrow, f.Type, w.Arrow)
			}
			if w.Nullable && !c.Nullable || c.Nullable != f.Nullable {
				k.Errorf("%s.%s: got nullable column %v and field %v, want %v", got, c.Name, c.Nullable, f.Nullable, w.Nullable)
			}
		}
		if got.Rows < 0 || got.Bytes < 0 {
			k.Errorf("%s: got estimates %d and %d, want none below 0", got, got.Rows, got.Bytes)
		}
	}
}

func (k *kit) selected() {
	plain := func(name string) bool { return name != oddName }
	for _, test := range []struct {
		sel  reader.Selection
		want func(name string) bool
	}{
		{reader.Selection{DB: DB, Include: []string{"one"}}, func(n string) bool { return n == "one" }},
		{reader.Selection{Include: []string{DB + ".one"}}, func(n string) bool { return n == "one" }},
		{reader.Selection{Include: []string{DB + ".*"}}, func(string) bool { return true }},
		{reader.Selection{DB: DB, Include: []string{"mov*", "?ne", "one"}}, func(n string) bool {
			return n == "one" || strings.HasPrefix(n, "moving")
		}},
		{reader.Selection{DB: DB, Include: []string{oddName}}, func(n string) bool { return n == oddName }},
		{reader.Selection{DB: DB, Exclude: []string{"mov*", "readertest.one", "no such*"}}, func(n string) bool {
			return n != "one" && !strings.HasPrefix(n, "moving")
		}},
		{reader.Selection{DB: DB, Include: []string{"*"}, Exclude: []string{oddName}}, plain},
	} {
		got, err := k.stock.Tables(k.Context(), test.sel)
		if want := k.names(test.want); err != nil || !slices.Equal(namesOf(got), want) {
			k.Errorf("%+v: got %q, %v, want %q", test.sel, namesOf(got), err, want)
		}
	}
}

// unknownPattern wants a misspelt pattern told, even beside one that matches.
func (k *kit) unknownPattern() {
	for _, sel := range []reader.Selection{
		{DB: DB, Include: []string{"one", "onne"}},
		{DB: DB, Include: []string{"onne*"}},
		{DB: DB, Exclude: []string{"onne"}},
		{Include: []string{"no_such_db.onne"}},
	} {
		got, err := k.stock.Tables(k.Context(), sel)
		if err == nil || !strings.Contains(err.Error(), "onne") {
			k.Errorf("%+v: got %q, %v, want an error that names the pattern", sel, namesOf(got), err)
		}
	}
}

func namesOf(tables []*schema.Table) []string {
	var names []string
	for _, t := range tables {
		names = append(names, t.String())
	}
	return names
}
