package schema

import "testing"

func TestSince(t *testing.T) {
	table := func(key []int, columns ...[3]string) *Table {
		t := &Table{DB: "d", Name: "t", Key: key}
		for _, c := range columns {
			t.Columns = append(t.Columns, Column{Name: c[0], Native: c[1], Charset: c[2]})
		}
		return t
	}
	id, name := [3]string{"id", "int", ""}, [3]string{"name", "varchar(10)", "latin1"}
	old := table([]int{0}, id, name).Shape()
	for _, c := range []struct {
		now  *Table
		want string
	}{
		{table([]int{0}, id, name), ""},
		{table([]int{0}, id, [3]string{"name", "varchar(20)", "latin1"}), ""},
		{table([]int{0}, id, [3]string{"name", "varchar(9)", "latin1"}), "column name was varchar(10) latin1 and is varchar(9) latin1"},
		{table([]int{0}, id, [3]string{"name", "varchar(10)", "utf8mb4"}), "column name was varchar(10) latin1 and is varchar(10) utf8mb4"},
		{table([]int{0}, [3]string{"id", "int unsigned", ""}, name), "column id was int and is int unsigned"},
		{table([]int{1}, name, id), "column name where id was"},
		{table([]int{0}, id), "column name is gone"},
		{table([]int{0}, id, name, [3]string{"x", "int", ""}), "column x is new"},
		{table([]int{0, 1}, id, name), "its primary key was (id) and is (id, name)"},
		{table(nil, id, name), "its primary key was (id) and is ()"},
	} {
		if got := c.now.Since(old); got != c.want {
			t.Errorf("since %s, now %s: got %q, want %q", old, c.now.Shape(), got, c.want)
		}
	}
	if got := table(nil, id).Since(""); got != "" {
		t.Errorf("since nothing: got %q", got)
	}
	if got := table(nil, id).Since("{"); got == "" {
		t.Error("since what cannot be read: got nothing")
	}
	meta := table([]int{0}, id, name)
	meta.Columns = append(meta.Columns, Column{Name: "_op", Meta: NotMeta + 1})
	if got := meta.Since(old); got != "" {
		t.Errorf("with a column of the reader's own: got %q", got)
	}
}

func TestWidened(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"int", "int", true},
		{"int", "bigint", false},
		{"varchar(10)", "varchar(300)", true},
		{"varchar(10)", "varbinary(10)", false},
		{"varbinary(3)", "varbinary(4)", true},
		{"binary(3)", "binary(4)", false},
		{"char(3)", "char(4)", false},
		{"decimal(10,2)", "decimal(12,2)", false},
		{"enum('a','b')", "enum('a','b','c')", true},
		{"enum('a','b')", "enum('a','bc')", false},
		{"enum('a','b')", "enum('c','a','b')", false},
		{"enum('a','b')", "enum('a')", false},
		{"set('a')", "set('a','b')", true},
		{"varchar(10)", "varchar(10) unsigned", false},
	} {
		if got := Widened(c.from, c.to); got != c.want {
			t.Errorf("Widened(%q, %q) = %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

func TestKeySince(t *testing.T) {
	as := func(key []int, names ...string) *Table {
		var columns []Column
		for _, n := range names {
			columns = append(columns, Column{Name: n})
		}
		return &Table{DB: "d", Name: "t", Columns: columns, Key: key}
	}
	was := as([]int{0, 1}, "a", "b", "c")
	for _, c := range []struct {
		now  *Table
		want string
	}{
		{was, ""},
		{as([]int{0, 2}, "B", "new", "a"), ""},
		{as([]int{0}, "a", "b", "c"), "its primary key was (a, b) and is (a)"},
		{as([]int{0, 2}, "a", "b", "c"), "its primary key was (a, b) and is (a, c)"},
		{as(nil, "a", "b", "c"), "its primary key was (a, b) and is ()"},
	} {
		if got := c.now.KeySince(was.Shape()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := was.KeySince(""); got != "" {
		t.Errorf("of a shape that was not kept: got %q", got)
	}
}
