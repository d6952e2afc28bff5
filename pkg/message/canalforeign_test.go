package message

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A union is a Target as a sink is one: the tables there take all shapes that come.
type union struct {
	collector
	tables map[string]*schema.Table
	shapes int // that were told of
	log    bool
}

func (u *union) Rows(t *schema.Table) (*Rows, error) {
	u.shapes++
	want := t
	if u.log {
		var err error
		if want, err = schema.Changelog(t); err != nil {
			return nil, err
		}
	}
	if u.tables == nil {
		u.tables, u.rows = map[string]*schema.Table{}, map[string]*Rows{}
	}
	have := u.tables[t.String()]
	into := (*Changes)(nil)
	if have != nil {
		into = u.rows[t.String()].Into
		var err error
		if want, err = schema.Union(have, want); err != nil {
			return nil, err
		}
	}
	if want != have {
		next, err := NewChanges(want, mem)
		if err != nil {
			return nil, err
		}
		if into != nil {
			into.Over = true
			u.done = append(u.done, into.Batch())
		}
		into = next
	}
	r, err := NewRows(t, into)
	if err != nil {
		return nil, err
	}
	u.tables[t.String()], u.rows[t.String()] = want, r
	return r, nil
}

// texts returns the rows of a table as text, those of earlier shapes first.
func (u *union) texts(t testing.TB, table string) (texts []string) {
	t.Helper()
	all := u.done
	if r := u.rows[table]; r != nil {
		all = append(all, r.Into.Batch())
	}
	for _, b := range all {
		if b.Table.String() != table {
			continue
		}
		rows, err := batchtest.Rows(b.Rows)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			text := r.String()
			if b.Ops != nil {
				text = opNames[b.Ops[i]] + " " + text
			}
			texts = append(texts, text)
		}
	}
	return texts
}

var opNames = [...]string{"Insert", "Before", "After", "Delete"}

// shapeText returns a table's columns and their types.
func shapeText(t *schema.Table) string {
	var parts []string
	for _, c := range t.Columns {
		parts = append(parts, fmt.Sprintf("%s %s", c.Name, c.Arrow))
	}
	return strings.Join(parts, ", ")
}

// TestCanalUnsized has types that lack what is between parentheses, as TiCDC tells them.
func TestCanalUnsized(t *testing.T) {
	const head = `{"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT","es":5,"mysqlType":{"id":"int unsigned","n":"decimal","b":"bit","e":"enum","s":"set","v":"vector","at":"datetime"},"sqlType":{"id":4,"v":12,"n":3,"b":-7,"e":4,"s":-7,"at":93},"old":null,"data":[`
	u := &union{}
	r := NewCanalReader(u)
	for _, row := range []string{
		`{"id":"1","n":null,"b":null,"e":null,"s":null,"v":null,"at":null}`,
		`{"id":"4294967295","n":"-1234567890123456789012345.25","b":"18446744073709551615","e":"2","s":"3","v":"[1, -2.5]","at":"2026-01-02 03:04:05.123456"}`,
		`{"id":"2","n":"0.10","b":"0","e":"1","s":"0","v":"[]","at":"2026-01-02 03:04:05"}`,
	} {
		if err := r.Decode(nil, []byte(head+row+"]}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Decode(nil, []byte(head+`{"id":"3","n":"0.125","b":"1","e":"1","s":"1","v":"[1]","at":null}]}`)); err == nil || !strings.Contains(err.Error(), `column n: "0.125" is no decimal(38,2): it has more digits behind the point than that`) {
		t.Errorf("more digits than before: got %v", err)
	}
	if got, want := shapeText(u.tables["d.t"]), "id int64, v list<item: float32>, b decimal(20, 0), e utf8, s utf8, at timestamp[us], n decimal(38, 2)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := []string{
		"After 1 | NULL | NULL | NULL | NULL | NULL",
		`After 4294967295 | [1 -2.5] | "18446744073709551615" | "2" | "3" | "2026-01-02 03:04:05.123456" | "-1234567890123456789012345.25"`,
		`After 2 | [] | "0" | "1" | "0" | "2026-01-02 03:04:05.000000" | "0.10"`,
	}
	if got := u.texts(t, "d.t"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCanalShapes has columns come in any order, and deletes with the key alone: neither
// asks for the table's rows again.
func TestCanalShapes(t *testing.T) {
	u := &union{}
	r := NewCanalReader(u)
	const sql = `"sqlType":{"id":4,"a":12,"b":12}`
	for range 3 {
		for _, types := range []string{`{"id":"int","a":"text","b":"char"}`, `{"b":"char","id":"int","a":"text"}`} {
			for _, m := range []string{
				`{"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT",` + sql + `,"mysqlType":` + types + `,"old":null,"data":[{"id":"1","a":"x","b":"y"}]}`,
				`{"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"DELETE","sqlType":{"id":4},"mysqlType":{"id":"int"},"old":null,"data":[{"id":"1"}]}`,
			} {
				if err := r.Decode(nil, []byte(m)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got := shapeText(u.tables["d.t"]); got != "id int32, a utf8, b utf8" || u.shapes != 2 {
		t.Errorf("got %s, asked %d times, want 2", got, u.shapes)
	}
	if got := u.texts(t, "d.t"); len(got) != 12 || got[0] != `After 1 | "x" | "y"` || got[1] != "Delete 1 | NULL | NULL" {
		t.Errorf("got %q", got)
	}
}

// TestCanalSQLTypes has messages that tell no types but those of java.sql.Types.
func TestCanalSQLTypes(t *testing.T) {
	for _, types := range []string{`"mysqlType":null`, `"mysqlType":{}`, `"x":0`} {
		u := &union{}
		r := NewCanalReader(u)
		m := `{"data":[{"id":"1","n":"1.50","f":"0.5","d":"2026-01-02","at":"2026-01-02 03:04:05.5","t":"-01:00:00","b":"\u00ff","s":"x"}],"database":"d","isDdl":false,` + types +
			`,"old":null,"pkNames":["id"],"sqlType":{"id":-6,"n":3,"f":8,"d":91,"at":93,"t":92,"b":2004,"s":12},"table":"t","type":"insert"}`
		if err := r.Decode(nil, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if got, want := shapeText(u.tables["d.t"]), "id int64, n decimal(38, 2), f float64, d date32, at timestamp[us], t int64, b binary, s utf8"; got != want {
			t.Errorf("%s: got %s, want %s", types, got, want)
		}
		if got, want := strings.Join(u.texts(t, "d.t"), ";"), `After 1 | "1.50" | 0.5d | "2026-01-02" | "2026-01-02 03:04:05.500000" | -3600000000 | x'ff' | "x"`; got != want {
			t.Errorf("%s: got %s, want %s", types, got, want)
		}
	}
}

// TestForeignColumn has types as statements write them.
func TestForeignColumn(t *testing.T) {
	for _, c := range []struct {
		native, want string
		open         bool
	}{
		{"INT", "INT", false},
		{"INTEGER(11) UNSIGNED", "int(11) UNSIGNED", false},
		{"bigint(20)", "bigint(20)", false},
		{"NUMERIC(10, 2)", "decimal(10,2)", false},
		{"decimal unsigned", "decimal unsigned", true},
		{"DEC", "decimal", true},
		{"bool", "tinyint(1)", false},
		{"double precision", "double precision", false},
		{"bit", "bit(64)", false},
		{"bit(3)", "bit(3)", false},
		{"enum", "text", false},
		{"ENUM ( 'a b', 'it''s' , 'c\\\\'' )' )", "ENUM('a b','it''s','c\\\\'' )')", false},
		{"decimal (5,1) unsigned", "decimal(5,1) unsigned", false},
	} {
		got, open, err := foreignColumn("c", c.native)
		if err != nil || got.Native != c.want || open != c.open {
			t.Errorf("%s: got %q, open %v, %v, want %q, %v", c.native, got.Native, open, err, c.want, c.open)
		}
	}
	if _, _, err := foreignColumn("c", "interval"); err == nil {
		t.Error("a type that is not known: got no error")
	}
}

// TestResends has TiCDC send again what it has sent.
func TestResends(t *testing.T) {
	row := func(table string, ts int) string {
		return fmt.Sprintf(`{"id":0,"database":"d","table":%q,"pkNames":["id"],"isDdl":false,"type":"INSERT","es":1,"ts":2,"sql":"","sqlType":{"id":4},"mysqlType":{"id":"int"},"old":null,"data":[{"id":"%d"}],"_tidb":{"commitTs":%d}}`, table, ts, ts)
	}
	mark := func(ts int) string {
		return fmt.Sprintf(`{"id":0,"database":"","table":"","pkNames":null,"isDdl":false,"type":"TIDB_WATERMARK","es":1,"ts":2,"sql":"","sqlType":null,"mysqlType":null,"data":null,"old":null,"_tidb":{"watermarkTs":%d}}`, ts)
	}
	messages := []string{row("a", 5), row("a", 7), mark(8), row("a", 5), row("a", 7), mark(3), row("a", 6), row("a", 9), row("a", 8), row("b", 4), row("b", 6), row("b", 4)}
	for _, c := range []struct {
		told bool
		a, b string
	}{
		{false, "5 7 5 7 6 9 8", "4 6 4"},
		// Equal to the highest of the table, or to the watermark, is kept.
		{true, "5 7 7 9 8", "4 6"},
	} {
		u := &union{}
		r := NewCanalReader(u)
		if c.told {
			r.Partition(3)
		}
		for _, m := range messages {
			if err := r.Decode(nil, []byte(m)); err != nil {
				t.Fatal(err)
			}
		}
		for table, want := range map[string]string{"d.a": c.a, "d.b": c.b} {
			got := strings.ReplaceAll(strings.Join(u.texts(t, table), " "), "After ", "")
			if got != want {
				t.Errorf("%s, partition told %v: got %s, want %s", table, c.told, got, want)
			}
		}
	}
	// Another partition knows nothing of it.
	u := &union{}
	r := NewCanalReader(u)
	for i, m := range messages {
		r.Partition(i)
		if err := r.Decode(nil, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(u.texts(t, "d.a")) + len(u.texts(t, "d.b")); got != 10 {
		t.Errorf("each in a partition of its own: got %d rows, want 10", got)
	}
}
