package reader

import (
	"slices"
	"strings"
	"testing"
)

func TestMatcher(t *testing.T) {
	for _, test := range []struct {
		sel  Selection
		hit  string // "db/table", since either may hold dots
		miss string
	}{
		{Selection{}, "a/b c/d", ""},
		{Selection{DB: "shop"}, "shop/orders shop/a.b", "other/orders Shop/orders"},
		{Selection{Include: []string{"shop.orders"}}, "shop/orders", "shop/order shop/orders2 shops/orders shop/Orders"},
		{Selection{Include: []string{"shop.*"}}, "shop/orders shop/a.b", "shop2/orders"},
		{Selection{Include: []string{"*.orders"}}, "shop/orders other/orders", "shop/orders2"},
		{Selection{Include: []string{"sh?p.user_*"}}, "shop/user_1 ship/user_", "shop/users shp/user_1"},
		{Selection{Include: []string{"shop.a", "shop.b"}}, "shop/a shop/b", "shop/c"},

		// With a database at hand, its name may be left out or not.
		{Selection{DB: "shop", Include: []string{"orders"}}, "shop/orders", "other/orders"},
		{Selection{DB: "shop", Include: []string{"shop.orders"}}, "shop/orders", "other/orders"},
		{Selection{DB: "shop", Include: []string{"other.orders"}}, "other/orders", "shop/orders"},
		{Selection{DB: "shop", Include: []string{"*"}}, "shop/orders shop/a.b", "other/orders"},
		{Selection{DB: "shop", Include: []string{"*.orders"}}, "shop/orders other/orders shop/x.orders", "other/x"},

		// Names that hold dots.
		{Selection{Include: []string{"shop.a.b"}}, "shop/a.b shop.a/b", "shop/a shop/b"},
		{Selection{Include: []string{"my.db.*"}}, "my.db/orders my/db.x", "my/orders"},
		{Selection{DB: "shop", Include: []string{"a.b"}}, "shop/a.b a/b", "shop/b shop/a"},
		{Selection{DB: "shop", Include: []string{"a.*"}}, "shop/a.b shop/a.", "shop/a shop/ab"},
		{Selection{DB: "my.db", Include: []string{"my.db.orders"}}, "my.db/orders", "my/orders"},
		{Selection{DB: "my.db", Include: []string{"orders"}}, "my.db/orders", "my/db.x"},

		// Only * and ? are special, and a name that holds them matches itself.
		{Selection{Include: []string{"shop.a[1]"}}, "shop/a[1]", "shop/a1"},
		{Selection{Include: []string{`shop.a\*`}}, `shop/a\b shop/a\`, "shop/a*"},
		{Selection{Include: []string{"shop.what?*"}}, "shop/what?* shop/whatever", "shop/what"},
		{Selection{Include: []string{"größe.?"}}, "größe/漢 größe/é", "größe/ab"},

		// What is excluded is out, however it came in.
		{Selection{Include: []string{"shop.*"}, Exclude: []string{"shop.tmp_*"}}, "shop/orders", "shop/tmp_1"},
		{Selection{DB: "shop", Exclude: []string{"tmp_*", "other.x"}}, "shop/orders shop/x", "shop/tmp_1"},
		{Selection{Exclude: []string{"*.log", "sys.*"}}, "shop/orders", "shop/log sys/x"},
		{Selection{Include: []string{"shop.a"}, Exclude: []string{"shop.a"}}, "", "shop/a"},
	} {
		m, err := test.sel.Matcher()
		if err != nil {
			t.Errorf("%+v: %v", test.sel, err)
			continue
		}
		for names, want := range map[string]bool{test.hit: true, test.miss: false} {
			for _, name := range strings.Fields(names) {
				db, table, _ := strings.Cut(name, "/")
				if got := m.Match(db, table); got != want {
					t.Errorf("%+v: %s: got %v, want %v", test.sel, name, got, want)
				}
			}
		}
	}
}

func TestMatcherBadPattern(t *testing.T) {
	for _, sel := range []Selection{{Include: []string{""}}, {Exclude: []string{""}}, {DB: "shop", Include: []string{"orders", ""}}} {
		if _, err := sel.Matcher(); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("%+v: got %v, want an error that tells of the empty pattern", sel, err)
		}
	}
}

// TestMatcherTableAlone takes a pattern without a database for all databases,
// where none is named.
func TestMatcherTableAlone(t *testing.T) {
	for _, test := range []struct {
		only, db, table string
		want            bool
	}{
		{"", "shop", "a_tmp", true},
		{"", "other", "a_tmp", true},
		{"", "shop", "tmp_a", false},
		{"shop", "shop", "a_tmp", true},
		{"shop", "other", "a_tmp", false},
	} {
		m, err := Selection{DB: test.only, Include: []string{"*_tmp"}}.Matcher()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(test.db, test.table); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

func TestMatcherUnused(t *testing.T) {
	m, err := Selection{DB: "shop", Include: []string{"orders", "ordres", "tmp_*"}, Exclude: []string{"tmp_*", "none"}}.Matcher()
	if err != nil {
		t.Fatal(err)
	}
	// Of patterns to exclude only plain names count.
	if got, want := m.Unused(), []string{"orders", "ordres", "tmp_*", "none"}; !slices.Equal(got, want) {
		t.Errorf("at first: got %q, want %q", got, want)
	}
	m.Match("shop", "orders")
	m.Match("other", "ordres")
	m.Match("shop", "tmp_1") // excluded, but there is such a table
	if got, want := m.Unused(), []string{"ordres", "none"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pat, s string
		want   bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "ab", true},
		{"?", "", false},
		{"a*b*c", "abxbc", true},
		{"a*b*c", "abxbcd", false},
		{"*ab", "aab", true},
		{"*a?", "aaab", true},
		{"a*", "b", false},
		{"?*?", "a", false},
		{"?*?", "ab", true},
		{strings.Repeat("a*", 30) + "b", strings.Repeat("a", 5000), false}, // no exponential search
	} {
		if got := Glob(test.pat, test.s); got != test.want {
			t.Errorf("Glob(%.20q, %.20q): got %v, want %v", test.pat, test.s, got, test.want)
		}
	}
}
