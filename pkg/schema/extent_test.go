package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// described names a table's columns as tests do.
func described(t *schema.Table) string {
	var out []string
	for _, c := range t.Columns {
		text := c.Name + " " + c.Native
		if c.Gone {
			text += " gone"
		}
		if !c.Nullable {
			text += "!"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestKeep(t *testing.T) {
	first := batchtest.Shape("shop", "t", "id int key", "a int not null", "b varchar(10)")
	for name, is := range map[string]struct {
		now    []string
		left   []string
		want   string
		unkept string
	}{
		"the same":         {[]string{"id int key", "a int not null", "b varchar(10)"}, nil, "", ""},
		"a new column":     {[]string{"c int", "id int key", "a int not null", "b varchar(10)"}, nil, "id int!, a int!, b varchar(10)", "c"},
		"may be NULL":      {[]string{"id int key", "a bigint", "b varchar(10)"}, nil, "id int!, a int, b varchar(10)", ""},
		"longer":           {[]string{"id bigint key", "a int not null", "b text"}, nil, "id int!, a int!, b varchar(10)", ""},
		"one that goes":    {[]string{"id int key", "b varchar(10)"}, []string{"a"}, "id int!, a int gone, b varchar(10)", ""},
		"another of it":    {[]string{"id int key", "a date", "b varchar(10)"}, []string{"A"}, "id int!, a int gone, b varchar(10)", "a"},
		"another type":     {[]string{"id int key", "a date", "b varchar(10)"}, nil, "column a is date now, and was int, as it stays at the sink", ""},
		"in another order": {[]string{"b varchar(10)", "id int key", "a int not null"}, nil, "id int!, a int!, b varchar(10)", ""},
	} {
		now := batchtest.Shape("shop", "t", is.now...)
		k, err := first.Keep(now, is.left)
		switch {
		case err != nil:
			if err.Error() != is.want {
				t.Errorf("%s: %v, want %q", name, err, is.want)
			}
			continue
		case is.want == "":
			if k != now {
				t.Errorf("%s: it keeps %s", name, described(k))
			}
			continue
		}
		if got := described(k); got != is.want {
			t.Errorf("%s: %s, want %s", name, got, is.want)
		}
		if got := strings.Join(k.Unkept(), ","); got != is.unkept {
			t.Errorf("%s: unkept %q, want %q", name, got, is.unkept)
		}
		if k.Since(now.Shape()) != "" || k.KeySince(first.Shape()) != "" {
			t.Errorf("%s: its shape is not the source's: %s", name, k.Shape())
		}
		// What is kept with the position says it all again.
		was, err := schema.FromShape("shop", "t", k.Shape())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := was.KeptIn(k.Shape()); err != nil || got.Shape() != k.Shape() || !slices.Equal(got.Key, k.Key) {
			t.Errorf("%s: %v, %v; want %s", name, got, err, k.Shape())
		}
		log, err := schema.Changelog(k)
		if err != nil {
			t.Fatal(err)
		}
		if log.Now == nil || !log.Now.IsChangelog() || len(log.Columns) != len(k.Columns)+4 {
			t.Errorf("%s: its changelog has %s of %v", name, described(log), log.Now)
		}
	}
	// What has gone stays so.
	gone, err := first.Keep(batchtest.Shape("shop", "t", "id int key", "b varchar(10)"), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := gone.Keep(first, nil)
	if err != nil || described(again) != "id int!, a int gone, b varchar(10)" {
		t.Errorf("come again: %s, %v", described(again), err)
	}
}
