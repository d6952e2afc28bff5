package route

import (
	"maps"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestRules(t *testing.T) {
	for _, c := range []struct{ rules, table, want string }{
		{`shop_([0-9]+)\.orders_([0-9]+) -> lake.orders`, "shop_1.orders_22", "lake.orders"},
		{`shop_([0-9]+)\.orders_([0-9]+) -> lake.orders`, "shop_1.orders_22x", ""},
		{`shop_([0-9]+)\.orders_([0-9]+) -> lake.orders`, "xshop_1.orders_22", ""},
		{`(.*)\.(.*) -> $1.$2`, "a.b", "a.b"},
		{`(.*)\.(.*) -> ods.${1}_$2`, "a.b", "ods.a_b"},
		{`(?P<db>.*)\.(.*) -> ${db|lower}.${2|lower}`, "Shop.Orders", "shop.orders"},
		{`(.*)\.(.*) -> ${1|upper}.$2`, "shop.Orders", "SHOP.Orders"},
		{`a\.b -> x.y; (.*)\.(.*) -> $1.all`, "a.b", "x.y"},
		{`a\.b -> x.y; (.*)\.(.*) -> $1.all`, "a.c", "a.all"},
		{`a\.b|a\.c -> x.y`, "a.c", "x.y"},
		{`a\.(.*) -> x.$1`, "a.b.c\nd", "x.b.c\nd"},
	} {
		r, err := Parse(strings.Split(c.rules, "; "), nil)
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		db, name, _ := strings.Cut(c.table, ".")
		toDB, to, ok := r.Target(db, name)
		if got := toDB + "." + to; ok && got != c.want || !ok && c.want != "" {
			t.Errorf("%s: %s goes to %s, want %s", c.rules, c.table, got, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ rule, shard, want string }{
		{"a.b", "", "is no route"},
		{"-> a.b", "", "is no route"},
		{"a.b ->", "", "is no route"},
		{"(a.b -> c.d", "", "missing closing )"},
		{"a.b -> c", "", "names no database"},
		{"a.b -> $1.c", "", "no group 1"},
		{"a.(b) -> c.${1|camel}", "", `asks for "camel"`},
		{"a.b -> $.c", "", "names no group"},
		{"a.b -> ${x}.c", "", "no group x"},
		{"a.b -> c.d", "_db", "not the names of two columns"},
		{"a.b -> c.d", "x,X", "not the names of two columns"},
		{"", "_db,_table", "there is no route"},
	} {
		var rules, shard []string
		if c.rule != "" {
			rules = []string{c.rule}
		}
		if c.shard != "" {
			shard = strings.Split(c.shard, ",")
		}
		if _, err := Parse(rules, shard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.rule, err, c.want)
		}
	}
}

func TestTargets(t *testing.T) {
	one := batchtest.Shape("s_1", "t", "id int key", "note varchar(50)")
	two := batchtest.Shape("s_2", "t", "extra int", "id bigint key")
	other := batchtest.Shape("s_2", "other", "id int key")
	text := func(tables []*schema.Table) string {
		var b strings.Builder
		for _, t := range tables {
			b.WriteString(t.String() + "(")
			for i, c := range t.Columns {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(c.Name + " " + c.Native)
			}
			b.WriteString(") ")
		}
		return strings.TrimSpace(b.String())
	}
	rules := []string{`s_[0-9]\.t -> lake.t`}
	r, err := Parse(rules, []string{"_db", "_table"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Targets([]*schema.Table{one, two, other})
	if want := "lake.t(_db varchar(64), _table varchar(64), id bigint, note varchar(50), extra int) s_2.other(id int)"; err != nil || text(got) != want {
		t.Errorf("got %s, %v; want %s", text(got), err, want)
	}
	for _, c := range []struct {
		tables []*schema.Table
		shard  []string
		want   string
	}{
		{[]*schema.Table{one, two}, nil, "may have the key of one in s_1.t"},
		{[]*schema.Table{other}, nil, "is about none of the tables"},
		{[]*schema.Table{one}, []string{"Note", "x"}, "it has a column note of its own"},
		{[]*schema.Table{one, batchtest.Shape("lake", "t", "id int key")}, nil, "which is a table of the source too"},
		{[]*schema.Table{one, batchtest.Shape("s_3", "t", "id varchar(5) key")}, []string{"a", "b"}, "no type takes both"},
		{[]*schema.Table{one, batchtest.Shape("s_3", "t", "id int", "note varchar(50) key")}, []string{"a", "b"}, "its primary key"},
	} {
		r, err := Parse(rules, c.shard)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Targets(c.tables)
		if err == nil {
			var names []string
			for _, t := range c.tables {
				names = append(names, r.Named(t.String()))
			}
			err = r.Unused(names)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		} else if hint.Of(err) == "" {
			t.Errorf("%v has no remedy", err)
		}
	}
}

func TestPlaces(t *testing.T) {
	p := places{"a.x": {"p1", "s", false}, "b.x": {"p1", "s", false}, "c.x": {"<p2>", "s", false}, "d.x": {"p1", "s", true}}
	text, err := p.text([2]string{})
	if want := `{"merged":[{"at":"p1","shape":"s","tables":["a.x","b.x"]},{"at":"<p2>","shape":"s","tables":["c.x"]},{"at":"p1","shape":"s","redone":true,"tables":["d.x"]}]}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
	back, ok := parsePlaces(text)
	if !ok || !maps.Equal(back, p) {
		t.Errorf("got %v, %v back", back, ok)
	}
	if _, ok := parsePlaces(`{"server":"x"}`); ok {
		t.Error("the position of a table of no route is read as one")
	}
}
