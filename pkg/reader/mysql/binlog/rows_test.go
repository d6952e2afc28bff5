package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// smallTable has an INT key behind a VARCHAR; its rows are made by small.
func smallTable(t testing.TB) (*schema.Table, *TableMap) {
	table := tableOf(t, "varchar(10)", "int", "int unsigned")
	table.Columns[0].Nullable, table.Columns[1].Nullable = true, false
	table = schema.New("db", "t", table.Columns, []int{1})
	return table, &TableMap{Columns: []MapColumn{
		{Type: typeVarchar, Meta: 40, Name: "a"}, {Type: typeLong, Name: "b", SignKnown: true}, {Type: typeLong, Name: "c", SignKnown: true, Unsigned: true},
	}}
}

func small(a string, b, c byte) []byte {
	return append(append([]byte{0, byte(len(a))}, a...), b, 0, 0, 0, c, 0, 0, 0)
}

// event returns the body of an event of rows.
func event(typ EventType, images ...[]byte) []byte {
	body := []byte{0, 0, 0, 0, 0, 0, 0, 0}
	if typ >= WriteRowsV2 {
		body = append(body, 5, 0, 'x', 'y', 'z')
	}
	body = append(body, 3, 7)
	if typ == UpdateRowsV2 || typ == UpdateRowsV1 {
		body = append(body, 7)
	}
	return append(body, bytes.Join(images, nil)...)
}

// lines decodes events and returns the rows as text, an Op before each.
func lines(t *testing.T, table *schema.Table, m *TableMap, o Options, events ...func() (EventType, []byte)) []string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b, err := batch.NewBuilder(table, mem)
	if err != nil {
		t.Fatal(err)
	}
	o.ZeroDate = "null"
	d, err := NewDecoder(table, m, b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		typ, body := e()
		if _, err := d.Rows(typ, body, &Tx{Time: 5, GTID: "g", Pos: "log.1:00000000000000000099"}); err != nil {
			t.Fatal(err)
		}
	}
	got := b.Batch()
	defer got.Release()
	ops := d.TakeOps()
	var out []string
	for i := range int(got.Rows.NumRows()) {
		line := "plain"
		if ops != nil {
			line = [...]string{"insert", "before", "after", "delete"}[ops[i]]
		}
		key := ops != nil && (ops[i] == batch.Before || ops[i] == batch.Delete)
		for j, c := range got.Rows.Columns() {
			if !key || slices.Contains(table.Key, j) {
				line += " " + c.ValueStr(i)
			}
		}
		out = append(out, line)
	}
	return out
}

func of(typ EventType, images ...[]byte) func() (EventType, []byte) {
	return func() (EventType, []byte) { return typ, event(typ, images...) }
}

func TestOps(t *testing.T) {
	table, m := smallTable(t)
	log, err := schema.Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	keyless := schema.New("db", "t", table.Columns, nil)
	bare, err := schema.Changelog(keyless)
	if err != nil {
		t.Fatal(err)
	}
	null := []byte{1, 9, 0, 0, 0, 8, 0, 0, 0}
	at := " 1970-01-01T00:00:00.000005Z g log.1:00000000000000000099:0000000"
	for _, c := range []struct {
		name   string
		table  *schema.Table
		upsert bool
		events []func() (EventType, []byte)
		want   []string
	}{
		{"inserts", table, false, []func() (EventType, []byte){of(WriteRowsV2, small("x", 1, 2), small("y", 3, 4)), of(WriteRowsV1, null)}, []string{"plain x 1 2", "plain y 3 4", "plain (null) 9 8"}},
		{"upserts", table, true, []func() (EventType, []byte){of(WriteRowsV2, small("x", 1, 2))}, []string{"after x 1 2"}},
		{"changes", table, false, []func() (EventType, []byte){
			of(WriteRowsV2, small("x", 1, 2)),
			of(UpdateRowsV2, small("x", 1, 2), small("longer", 1, 9), small("x", 3, 2), small("x", 4, 2)),
			of(DeleteRowsV1, null, small("x", 5, 5)),
			of(UpdateRowsV1, null, small("z", 9, 1)),
		}, []string{"insert x 1 2", "after longer 1 9", "before 3", "after x 4 2", "delete 9", "delete 5", "after z 9 1"}},
		{"keyless", keyless, false, []func() (EventType, []byte){of(WriteRowsV2, small("x", 1, 2))}, []string{"plain x 1 2"}},
		{"changelog", log, false, []func() (EventType, []byte){
			of(WriteRowsV2, small("x", 1, 2), small("y", 2, 2)), of(UpdateRowsV2, small("x", 1, 2), small("x", 1, 9)), of(DeleteRowsV1, null),
		}, []string{"plain x 1 2 c" + at + "0", "plain y 2 2 c" + at + "1", "plain x 1 2 b" + at + "0", "plain x 1 9 u" + at + "1", "plain (null) 9 8 d" + at + "0"}},
		{"changelog whose rows may be there", log, true, []func() (EventType, []byte){
			of(WriteRowsV2, small("x", 1, 2)), of(UpdateRowsV2, small("x", 1, 2), small("x", 1, 9), small("x", 1, 9), small("x", 3, 9)),
		}, []string{"plain x 1 2 u" + at + "0", "plain x 1 2 b" + at + "0", "plain x 1 9 u" + at + "1", "plain x 1 9 d" + at + "2", "plain x 3 9 u" + at + "3"}},
		{"keyless changelog", bare, true, []func() (EventType, []byte){of(WriteRowsV2, small("x", 1, 2))}, []string{"plain x 1 2 c" + at + "0"}},
	} {
		if got := lines(t, c.table, m, Options{Upsert: c.upsert}, c.events...); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

func TestTruncated(t *testing.T) {
	table, _ := smallTable(t)
	log, err := schema.Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.NewBuilder(log, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	if err := AppendTruncate(b, log, &Tx{Pos: "f:1"}); err != nil {
		t.Fatal(err)
	}
	got := b.Batch()
	defer got.Release()
	var row []string
	for _, c := range got.Rows.Columns() {
		row = append(row, c.ValueStr(0))
	}
	if got, want := fmt.Sprint(row), "[(null) (null) (null) t 1970-01-01T00:00:00Z (null) f:1:00000000]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := AppendTruncate(b, table, &Tx{}); err == nil {
		t.Error("a table that is no changelog took the row")
	}
}

// TestRefused wants errors of the table, with a remedy, for what must not be
// taken for something else.
func TestRefused(t *testing.T) {
	table, m := smallTable(t)
	keyless := schema.New("db", "t", table.Columns, nil)
	part := event(WriteRowsV2, small("x", 1, 2))
	part[14] = 3
	partAfter := event(UpdateRowsV2, small("x", 1, 2), small("x", 1, 3))
	partAfter[15] = 6
	nullKey := append([]byte{2, 1, 'x'}, 8, 0, 0, 0)
	for _, c := range []struct {
		name  string
		table *schema.Table
		typ   EventType
		body  []byte
		want  string
		hint  string
	}{
		{"image without columns", table, WriteRowsV2, part, "binlog_row_image", "FULL"},
		{"after image without columns", table, UpdateRowsV2, partAfter, "binlog_row_image", "FULL"},
		{"other event", table, 2, part, "no rows event", ""},
		{"NULL", table, WriteRowsV2, event(WriteRowsV2, nullKey), "listed as NOT NULL", ""},
		{"keyless delete", keyless, DeleteRowsV2, event(DeleteRowsV2, small("x", 1, 2)), "without a key", ""},
		{"keyless update", keyless, UpdateRowsV2, event(UpdateRowsV2, small("x", 1, 2), small("x", 1, 3)), "without a key", ""},
		{"cut short", table, WriteRowsV2, event(WriteRowsV2, small("x", 1, 2)[:9]), "cut short", ""},
		{"cut in the header", table, WriteRowsV2, part[:12], "cut short", ""},
		{"other columns", table, WriteRowsV2, append(make([]byte, 8), 2, 0, 4, 15), "4 columns", ""},
	} {
		b, err := batch.NewBuilder(c.table, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder(c.table, m, b, Options{ZeroDate: "null"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Rows(c.typ, c.body, &Tx{})
		var te *schema.TableError
		if !errors.As(err, &te) || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: got %v (hint %q), want an error of the table with %q", c.name, err, hint.Of(err), c.want)
		}
	}
}

func TestOtherShape(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *TableMap)
		want   string
	}{
		{"more columns", func(m *TableMap) { m.Columns = append(m.Columns, MapColumn{Type: typeLong}) }, "4 columns, 3 were listed"},
		{"other type", func(m *TableMap) { m.Columns[1].Type = typeLongLong }, "column b is bigint, it was listed as int"},
		{"other sign", func(m *TableMap) { m.Columns[1].Unsigned = true }, "column b is int unsigned, it was listed as int"},
		{"other name", func(m *TableMap) { m.Columns[2].Name = "d" }, "column 3 is d, it was listed as c"},
		{"bytes", func(m *TableMap) { m.Columns[0].Charset = 63 }, "column a is varchar(40) of bytes, it was listed as varchar(10)"},
	} {
		table, m := smallTable(t)
		c.change(m)
		b, err := batch.NewBuilder(table, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewDecoder(table, m, b, Options{})
		var te *schema.TableError
		if !errors.As(err, &te) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
