package main

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

func TestTopicTables(t *testing.T) {
	for _, c := range []struct {
		name             string
		include, exclude []string
		came             []string
		want             string
	}{
		{"all", nil, nil, []string{"a"}, ""},
		{"none matches", []string{"x", "y*"}, nil, []string{"b", "a", "b"}, "no table in the topics matches --tables x,y*; they have brought d.a, d.b"},
		{"nothing came", []string{"x"}, nil, nil, "no table in the topics matches --tables x"},
		{"one of two", []string{"a", "x"}, nil, []string{"a", "b"}, "no table in the topics matches --tables x; they have brought d.b"},
		{"one of two, which has not changed", []string{"a", "x"}, nil, []string{"a"}, ""},
		{"one that is left out does not turn up", []string{"a"}, []string{"x"}, []string{"a", "b"}, ""},
	} {
		tables, err := newTopicTables(reader.Selection{Include: c.include, Exclude: c.exclude})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.came {
			tables.match("d", name)
		}
		if got := tables.unused(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
