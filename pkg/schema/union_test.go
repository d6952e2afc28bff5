package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// unionTable reads a table from "id int key, name varchar(10) null".
func unionTable(t testing.TB, text string) *Table {
	t.Helper()
	var columns []Column
	var key []int
	for f := range strings.SplitSeq(text, "; ") {
		name, native, _ := strings.Cut(f, " ")
		native, isKey := strings.CutSuffix(native, " key")
		native, null := strings.CutSuffix(native, " null")
		typ, err := ParseMySQL(native)
		if err != nil {
			t.Fatal(err)
		}
		if isKey {
			key = append(key, len(columns))
		}
		columns = append(columns, Column{Name: name, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: null})
	}
	return New("d", "t", columns, key)
}

func unionText(t *Table) string {
	var parts []string
	for i, c := range t.Columns {
		s := c.Name + " " + c.Native
		if c.Nullable {
			s += " null"
		}
		for _, k := range t.Key {
			if k == i {
				s += " key"
			}
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func TestUnion(t *testing.T) {
	for _, c := range []struct{ have, more, want string }{
		{"id int key; a int", "id int key; a int", ""},
		{"id int key; a int", "a int; ID int key", ""},
		{"id int key; a int null", "id int key", ""},
		{"id int key; a bigint", "id int key; a smallint", ""},
		{"id int key; a int", "id int key", "id int key; a int null"},
		{"id int key; a int", "id int key; a int null", "id int key; a int null"},
		{"id int key; a int", "b text; id bigint key; A bigint", "id bigint key; a bigint; b text null"},
		{"x int key; y int key", "y int key; x int key", ""},
		{"id int key; a int", "id int key; b int; c int", "id int key; a int null; b int null; c int null"},
	} {
		have, more := unionTable(t, c.have), unionTable(t, c.more)
		u, err := Union(have, more)
		if err != nil {
			t.Errorf("%s with %s: %v", c.have, c.more, err)
			continue
		}
		if c.want == "" {
			if u != have {
				t.Errorf("%s with %s: got another table, %s", c.have, c.more, unionText(u))
			}
			continue
		}
		if got := unionText(u); got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.have, c.more, got, c.want)
		}
		if got := unionText(have); got != c.have {
			t.Errorf("%s has become %s", c.have, got)
		}
		for _, other := range []*Table{have, more, u} {
			if again, err := Union(u, other); err != nil || again != u {
				t.Errorf("%s again with %s: got another table, %v", unionText(u), unionText(other), err)
			}
		}
	}
}

// TestUnionTypes joins types, each way; "" has none that takes both.
func TestUnionTypes(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"tinyint", "int", "int"},
		{"tinyint unsigned", "tinyint", "int"},
		{"smallint unsigned", "tinyint unsigned", "smallint unsigned"},
		{"year", "tinyint", "int"},
		{"year", "smallint", "smallint"},
		{"int", "int unsigned", "bigint"},
		{"bit(8)", "smallint", "bigint"},
		{"bit(63)", "int", "bigint"},
		{"bit(3)", "bit(9)", "bit(9)"},
		{"bit(1)", "tinyint", ""},
		{"bit(1)", "bit(2)", ""},
		{"bit(64)", "bigint unsigned", "decimal(20,0)"},
		{"bigint", "bigint unsigned", ""},
		{"bigint", "decimal(20,0)", ""},
		{"bigint unsigned", "decimal(12,0)", "decimal(20,0)"},
		{"bigint unsigned", "decimal(30,0)", "decimal(30,0)"},
		{"decimal(10,2)", "decimal(12,2)", "decimal(12,2)"},
		{"decimal(10,2) unsigned", "decimal(10,2)", "decimal(10,2)"},
		{"decimal(10,2)", "decimal(10,3)", ""},
		{"decimal(38,2)", "decimal(39,2)", ""},
		{"decimal(40,2)", "decimal(39,3)", "decimal(41,3)"},
		{"decimal(40,2)", "varchar(10)", "longtext"},
		{"float", "double", "double"},
		{"float unsigned", "float", "float"},
		{"double(10,2)", "double", "double"},
		{"int", "double", ""},
		{"time", "bigint", ""},
		{"time", "time(3)", "time(3)"},
		{"datetime", "datetime(6)", "datetime(6)"},
		{"datetime", "timestamp", ""},
		{"date", "datetime", ""},
		{"date", "int", ""},
		{"varchar(10)", "varchar(20)", "varchar(20)"},
		{"varchar(10)", "char(20)", "longtext"},
		{"json", "longtext", "longtext"},
		{"enum('a')", "enum('a','b')", "enum('a','b')"},
		{"enum('a','b')", "enum('a','c')", "longtext"},
		{"varbinary(3)", "blob", "longblob"},
		{"point", "polygon", "geometry"},
		{"point", "blob", ""},
		{"blob", "text", ""},
		{"vector(3)", "vector(4)", "vector(4)"},
	} {
		for range 2 {
			c.a, c.b = c.b, c.a
			have, more := unionTable(t, "c "+c.a), unionTable(t, "c "+c.b)
			u, err := Union(have, more)
			var te *TableError
			switch {
			case c.want == "":
				if !errors.As(err, &te) || hint.Of(err) == "" || !strings.Contains(err.Error(), fmt.Sprintf("column c was %s and is %s", c.a, c.b)) {
					t.Errorf("%s with %s: got %v, want an error that names both, with a remedy", c.a, c.b, err)
				}
			case err != nil:
				t.Errorf("%s with %s: %v", c.a, c.b, err)
			default:
				got := u.Columns[0]
				if got.Native != c.want || got.Arrow.String() != u.Arrow.Field(0).Type.String() || got.Arrow.String() != got.Type.Arrow().String() {
					t.Errorf("%s with %s: got %s, %s, want %s", c.a, c.b, got.Native, got.Arrow, c.want)
				}
				if again, err := Union(u, more); err != nil || again != u {
					t.Errorf("%s with %s: not the same again, %v", got.Native, c.b, err)
				}
			}
		}
	}
}

// TestUnionEvery joins every type with every other one: the way round makes no difference
// to the Arrow type, and what was joined takes both.
func TestUnionEvery(t *testing.T) {
	for _, a := range Examples() {
		for _, b := range Examples() {
			x, y := unionTable(t, "c "+a), unionTable(t, "c "+b)
			u, err := Union(x, y)
			v, err2 := Union(y, x)
			if (err == nil) != (err2 == nil) {
				t.Errorf("%s with %s: %v, the other way round %v", a, b, err, err2)
			}
			if err != nil || err2 != nil {
				continue
			}
			if p, q := u.Columns[0], v.Columns[0]; p.Arrow.String() != q.Arrow.String() {
				t.Errorf("%s with %s: got %s, the other way round %s", a, b, p.Arrow, q.Arrow)
			}
			for _, o := range []*Table{x, y, v} {
				if w, err := Union(u, o); err != nil || w.Columns[0].Arrow.String() != u.Columns[0].Arrow.String() {
					t.Errorf("%s with %s does not take %s: %v", a, b, o.Columns[0].Native, err)
				}
			}
		}
	}
}

func TestUnionKeys(t *testing.T) {
	for _, c := range []struct{ have, more, want string }{
		{"id int key", "id int", "its primary key was (id) and is ()"},
		{"id int; a int", "id int key; a int", "its primary key was () and is (id)"},
		{"id int key; a int", "id int; a int key", "its primary key was (id) and is (a)"},
		{"id int key; a int", "id int key; a int key", "its primary key was (id) and is (id, a)"},
		{"id int key", "a int key", "its primary key was (id) and is (a)"},
	} {
		have, more := unionTable(t, c.have), unionTable(t, c.more)
		_, err := Union(have, more)
		var te *TableError
		if !errors.As(err, &te) || te.Table != "d.t" || te.Err.Error() != c.want || hint.Of(err) == "" {
			t.Errorf("%s with %s: got %v, want %q and a remedy", c.have, c.more, err, c.want)
		}
		x, y := changelogOf(t, have), changelogOf(t, more)
		if _, err := Union(x, y); !errors.As(err, &te) || te.Err.Error() != c.want {
			t.Errorf("changes of %s with %s: got %v, want %q", c.have, c.more, err, c.want)
		}
	}
}

// TestUnionGuessed has a type that was guessed give way.
func TestUnionGuessed(t *testing.T) {
	for _, c := range []struct{ have, more, want string }{
		{"a datetime", "a longtext", "datetime"},
		{"a longtext", "a datetime", "longtext"},
		{"a int", "a bigint", "bigint"},
		{"a decimal(10,2)", "a double", "decimal(10,2)"},
	} {
		for _, guessed := range []int{0, 1} {
			have, more := unionTable(t, c.have), unionTable(t, c.more)
			[]*Table{have, more}[guessed].Columns[0].Guessed = true
			u, err := Union(have, more)
			if err != nil || u.Columns[0].Native != c.want {
				t.Errorf("%s with %s: got %v, %v, want %s", c.have, c.more, u, err, c.want)
			}
		}
	}
}

func changelogOf(t *testing.T, table *Table) *Table {
	t.Helper()
	c, err := Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUnionChangelogs has columns come before those that tell of the change.
func TestUnionChangelogs(t *testing.T) {
	have, more := unionTable(t, "id int key; a int"), unionTable(t, "b date; id bigint key; a int")
	x, y := changelogOf(t, have), changelogOf(t, more)
	u, err := Union(x, y)
	if err != nil {
		t.Fatal(err)
	}
	const meta = "; _op ; _ts  null; _gtid  null; _pos  null"
	if got, want := unionText(u), "id bigint null; a int null; b date null"+meta; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(u.RowKey) != 1 || u.RowKey[0] != 0 || u.Key != nil || !u.IsChangelog() {
		t.Errorf("got key %v, row key %v", u.Key, u.RowKey)
	}
	for _, o := range []*Table{x, y} {
		if again, err := Union(u, o); err != nil || again != u {
			t.Errorf("not the same again: %v", err)
		}
	}
	if _, err := Union(x, have); err == nil {
		t.Error("a changelog and its table: got no error")
	}
}

func BenchmarkUnion(b *testing.B) {
	have, more := unionTable(b, "id int key; a bigint; b varchar(10) null; c datetime; d decimal(10,2)"), unionTable(b, "id int key; a bigint; b varchar(10) null; c datetime; d decimal(10,2)")
	b.ReportAllocs()
	for range b.N {
		if u, _ := Union(have, more); u != have {
			b.Fatal("got another table")
		}
	}
}
