package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestPerTable(t *testing.T) {
	t.Parallel()
	orders, users := schema.New("shop", "orders", nil, nil), schema.New("shop", "users", nil, nil)
	tables := []*schema.Table{orders, users}
	for _, c := range []struct {
		set           []string
		orders, users string
		wrong         bool
	}{
		{set: nil},
		{set: []string{"id > 5"}, orders: "id > 5", users: "id > 5"},
		{set: []string{"orders: id > 5"}, orders: "id > 5"},
		{set: []string{"shop.user*: id > 5", "shop.orders:a"}, orders: "a", users: "id > 5"},
		{set: []string{"all of them", "users: others"}, orders: "all of them", users: "others"},
		{set: []string{"users: others", "all of them"}, orders: "all of them", users: "others"},
		{set: []string{"users: others", "all of them", "*ers: some"}, orders: "some", users: "others"},
		{set: []string{"ord*: a", "*ers: b"}, wrong: true},
		{set: []string{"ord*: a", "*ers: b", "shop.orders: c"}, orders: "c", users: "b"},
		{set: []string{"orders: a", "shop.orders: b"}, wrong: true},
		{set: []string{"at > '2026-01-01 10:00:00'"}, orders: "at > '2026-01-01 10:00:00'", users: "at > '2026-01-01 10:00:00'"},
		{set: []string{"at='10:00'"}, orders: "at='10:00'", users: "at='10:00'"},
		{set: []string{"order: id > 5"}, wrong: true},
	} {
		var p perTable
		for _, s := range c.set {
			if err := p.Set(s); err != nil {
				t.Fatalf("Set(%q): %v", s, err)
			}
		}
		got, err := p.resolve("where", "shop", tables)
		if (err != nil) != c.wrong {
			t.Errorf("%q: error %v, want one: %v", c.set, err, c.wrong)
		}
		if got[orders] != c.orders || got[users] != c.users {
			t.Errorf("%q: %q and %q, want %q and %q", c.set, got[orders], got[users], c.orders, c.users)
		}
	}
	for _, set := range [][2]string{{"a", "b"}, {"orders: a", "orders:b"}} {
		var p perTable
		if err := errors.Join(p.Set(set[0]), p.Set(set[1])); err != nil {
			t.Fatal(err)
		}
		if err := p.check("sort"); err == nil || !strings.Contains(err.Error(), "two --sort are meant for ") {
			t.Errorf("check of %q: %v", set, err)
		}
	}
	for _, s := range []string{"", " ", "orders:", "orders: "} {
		if err := new(perTable).Set(s); err == nil {
			t.Errorf("Set(%q) is no error", s)
		}
	}
}
