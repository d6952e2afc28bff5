package kept

import (
	"slices"
	"strings"
	"testing"
)

// columns reads "a int, b string null": those that may be null say so.
func columns(text string) (cs []Column) {
	for c := range strings.SplitSeq(text, ", ") {
		if f := strings.Fields(c); len(f) > 1 {
			cs = append(cs, Column{Name: f[0], Type: f[1], Nullable: len(f) > 2})
		}
	}
	return cs
}

var testTypes = Types{Widens: func(from, to string) bool { return from == to || from == "int" && to == "bigint" }}

func TestDiff(t *testing.T) {
	loose := Types{Same: func(have, want string) bool { return have == want || have == "text" && want == "string" }}
	for _, c := range []struct {
		types      Types
		have, want string
		spare      bool
		diff       string
	}{
		{testTypes, "a int, b int null", "a int, b int null", false, ""},
		{testTypes, "a int null", "a int", false, ""},
		{testTypes, "A int", "a int", false, ""},
		{testTypes, "a int", "a int null", false, "a: int not null at the sink, int at the source"},
		{testTypes, "a int", "a bigint", true, "a: int not null at the sink, bigint not null at the source"},
		{testTypes, "a int", "a int, b int", true, "b: not at the sink, int not null at the source"},
		{testTypes, "a int, b int null", "a int", true, ""},
		{testTypes, "a int, b int null", "a int", false, "b: int at the sink, not at the source"},
		{testTypes, "a int, b int", "a int", true, "b: int not null at the sink, not at the source"},
		{testTypes, "a int, b int", "a bigint", false, "a: int not null at the sink, bigint not null at the source; b: int not null at the sink, not at the source"},
		{testTypes, "a text", "a string", false, "a: text not null at the sink, string not null at the source"},
		{loose, "a text", "a string", false, ""},
		{loose, "a string", "a text", false, "a: string not null at the sink, text not null at the source"},
	} {
		if diff := c.types.Diff(columns(c.have), columns(c.want), c.spare); diff != c.diff {
			t.Errorf("%s and %s, spare %v: %q, want %q", c.have, c.want, c.spare, diff, c.diff)
		}
	}
}

func TestGrown(t *testing.T) {
	for _, c := range []struct {
		have, want string
		narrower   bool
		grown, err string
	}{
		{"a int", "a int", false, "a int", ""},
		{"a int", "a bigint", false, "a bigint", ""},
		{"a int", "a int null", false, "a int null", ""},
		{"a int null", "a int", false, "a int null", ""},
		{"A int", "a bigint", false, "A bigint", ""},
		{"a int, b int", "c int, a int", false, "a int, b int null, c int null", ""},
		{"a bigint", "a int null", true, "a bigint null", ""},
		{"a bigint", "a int", false, "", "column a holds bigint and cannot hold int"},
		{"a int", "a string", true, "", "column a holds int and cannot hold string"},
	} {
		have := columns(c.have)
		grown, err := testTypes.Grown(have, columns(c.want), c.narrower)
		if got := message(err); got != c.err || !slices.Equal(grown, columns(c.grown)) {
			t.Errorf("%s and %s, narrower %v: %v, %q; want %s, %q", c.have, c.want, c.narrower, grown, got, c.grown, c.err)
		}
		if !slices.Equal(have, columns(c.have)) {
			t.Errorf("%s has become %v", c.have, have)
		}
	}
}

func TestFindPrefersTheSameCase(t *testing.T) {
	have := columns("A int, a string")
	if c := Find(have, "a"); c != &have[1] {
		t.Errorf("a is %v", c)
	}
	if c := Find(have, "b"); c != nil {
		t.Errorf("b is %v", c)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
