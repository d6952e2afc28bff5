package schema

import (
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	var cols []Column
	for _, name := range []string{"a", "b", "c", "d"} {
		typ, err := ParseMySQL("int")
		if err != nil {
			t.Fatal(err)
		}
		cols = append(cols, Column{Name: name, Native: "int", Type: typ, Arrow: typ.Arrow()})
	}
	whole := New("db", "t", cols, []int{2, 0})
	whole.Filter, whole.Rows = "a > 1", 7
	if got := whole.Choose([]string{"d", "c", "b", "a"}); got != whole {
		t.Errorf("all columns: got another table")
	}
	for _, c := range []struct {
		keep []string
		key  []int
	}{
		{[]string{"d", "c", "a"}, []int{1, 0}},
		{[]string{"b", "c"}, nil},
	} {
		got := whole.Choose(c.keep)
		want := slices.Sorted(slices.Values(c.keep))
		var names []string
		for _, col := range got.Columns {
			names = append(names, col.Name)
		}
		if !slices.Equal(names, want) || !slices.Equal(got.Key, c.key) || got.Arrow.NumFields() != len(want) {
			t.Errorf("%v: got columns %v with key %v, want %v with key %v", c.keep, names, got.Key, want, c.key)
		}
		if got.AtSource() != whole || got.Filter != whole.Filter || got.Rows != 7 {
			t.Errorf("%v: got %+v", c.keep, got)
		}
		if again := got.Choose(c.keep[:1]); again.AtSource() != whole {
			t.Errorf("chosen from what was chosen: the source's table is lost")
		}
		if log, err := Changelog(got); err != nil || log.AtSource() != whole || log.Filter != whole.Filter {
			t.Errorf("as a changelog: got %+v, %v", log, err)
		}
	}
}
