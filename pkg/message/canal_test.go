package message

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// logged returns rows of t as a changelog has them.
func logged(t *testing.T, table *schema.Table, ops []string, rows []batchtest.Row) *batch.Batch {
	t.Helper()
	log, err := schema.Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]batchtest.Row, len(rows))
	for i, r := range rows {
		all[i] = append(slices.Clone(r), ops[i], "2026-02-28 01:02:03.456789Z", "uuid:7", fmt.Sprintf("binlog.000001:%020d:%08d", 4711, i))
	}
	return batchtest.Build(memory.DefaultAllocator, log, all)
}

func encode(t *testing.T, b *batch.Batch) []Record {
	t.Helper()
	e, err := NewCanal(b.Table, one)
	if err != nil {
		t.Fatal(err)
	}
	e.(*canal).now = func() time.Time { return time.UnixMilli(1772240523999) }
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// one is the only partition.
var one = Partitions{Count: 1, Of: func([]byte) int32 { return 0 }}

// A collector is a Target that keeps all.
type collector struct {
	log   bool          // as a changelog
	shape *schema.Table // that tables have here, if it is another one

	rows    map[string]*Rows
	emptied []string
	done    []*batch.Batch // of shapes that are over
}

var mem = memory.DefaultAllocator

func (c *collector) Rows(t *schema.Table) (*Rows, error) {
	shape := t
	if c.shape != nil {
		shape = c.shape
	}
	if c.log {
		var err error
		if shape, err = schema.Changelog(shape); err != nil {
			return nil, err
		}
	}
	into, err := NewChanges(shape, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	into.Micros = new(int64)
	r, err := NewRows(t, into)
	if err != nil {
		return nil, err
	}
	if c.rows == nil {
		c.rows = map[string]*Rows{}
	}
	c.rows[t.String()] = r
	return r, nil
}

func (c *collector) Emptied(db, table string, change Change) error {
	c.emptied = append(c.emptied, fmt.Sprintf("%s.%s %s %d", db, table, change.GTID, change.Micros))
	return nil
}

// TestCanalTypes has every type go there and back.
func TestCanalTypes(t *testing.T) {
	table := batchtest.AllTypes("shop", "types")
	ops := slices.Repeat([]string{schema.OpInsert}, len(table.Rows))
	records := encode(t, logged(t, table.Table, ops, table.Rows))
	var c collector
	r := NewCanalReader(&c)
	for _, m := range records {
		if !json.Valid(m.Value) || !json.Valid(m.Key) {
			t.Fatalf("no JSON: %s", m.Value)
		}
		if err := r.Decode(nil, m.Value); err != nil {
			t.Fatal(err)
		}
	}
	got := c.rows["shop.types"]
	for i, f := range got.Into.Table.Columns {
		want := table.Columns[i]
		if f.Name != want.Name || f.Native != want.Native || f.Nullable != want.Nullable {
			t.Errorf("column %d: got %+v, want %+v", i, f, want)
		}
	}
	rows, err := batchtest.Rows(got.Into.Builder.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(rows, table.Rows); diff != "" {
		t.Error(diff)
	}
}

func TestCanalChanges(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id int key", "at datetime(3)", "note varchar(20)")
	b := logged(t, table, []string{"c", "b", "u", "b", "u", "d", "r", "t"}, []batchtest.Row{
		{int64(1), "2026-01-02 03:04:05.678000", "a\"b"},
		{int64(1), "2026-01-02 03:04:05.678000", "a\"b"},
		{int64(1), nil, "a\"b"},
		{int64(1), nil, "x"},
		{int64(2), nil, "x"},
		{int64(2), nil, "x"},
		{int64(3), nil, nil},
		{nil, nil, nil},
	})
	records := encode(t, b)
	const head, types = `"database":"shop","table":"orders","pkNames":["id"],"isDdl":false,"type":`, `"es":1772240523456,"ts":1772240523999,"sql":"","sqlType":{"id":4,"at":93,"note":12},"mysqlType":{"id":"int","at":"datetime(3)","note":"varchar(20)"},`
	own := func(op string, row int) string {
		return fmt.Sprintf(`"_tablehaul":{"op":"%s","us":1772240523456789,"gtid":"uuid:7","pos":"binlog.000001:00000000000000004711:%08d"}}`, op, row)
	}
	want := []string{
		`{"id":1,` + head + `"INSERT",` + types + `"old":null,"data":[{"id":"1","at":"2026-01-02 03:04:05.678","note":"a\"b"}],` + own("c", 0),
		`{"id":2,` + head + `"UPDATE",` + types + `"old":[{"at":"2026-01-02 03:04:05.678"}],"data":[{"id":"1","at":null,"note":"a\"b"}],` + own("u", 2),
		`{"id":3,` + head + `"DELETE",` + types + `"old":null,"data":[{"id":"1","at":null,"note":"x"}],` + own("b", 3),
		`{"id":4,` + head + `"INSERT",` + types + `"old":null,"data":[{"id":"2","at":null,"note":"x"}],` + own("u", 4),
		`{"id":5,` + head + `"DELETE",` + types + `"old":null,"data":[{"id":"2","at":null,"note":"x"}],` + own("d", 5),
		`{"id":6,` + head + `"INSERT",` + types + `"old":null,"data":[{"id":"3","at":null,"note":null}],` + own("r", 6),
		`{"id":7,"database":"shop","table":"orders","pkNames":["id"],"isDdl":true,"type":"TRUNCATE","es":1772240523456,"ts":1772240523999,"sql":"TRUNCATE TABLE ` + "`shop`.`orders`" + `","sqlType":null,"mysqlType":null,"old":null,"data":null,` + own("t", 7),
	}
	for i, r := range records {
		if i >= len(want) || string(r.Value) != want[i] {
			t.Errorf("message %d: got\n%s\nwant\n%s", i+1, r.Value, want[min(i, len(want)-1)])
		}
	}
	if got, want := string(records[1].Key), `{"database":"shop","table":"orders","pk.id":"1"}`; got != want {
		t.Errorf("got key %s, want %s", got, want)
	}
	if n := len(records); n != len(want) {
		t.Errorf("got %d messages, want %d", n, len(want))
	}
}

// TestCanalForeign reads what others write.
func TestCanalForeign(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// Canal: members in the order of the alphabet, an update that has changed the key.
		{
			`{"data":[{"id":"5","v":"a"}],"database":"d","es":1,"id":2,"isDdl":false,"mysqlType":{"id":"bigint(20)","v":"varchar(8)"},"old":[{"id":"4"}],"pkNames":["id"],"sql":"","sqlType":{"id":-5,"v":12},"table":"t","ts":3,"type":"UPDATE"}`,
			"[Before After] 4 | \"a\"; 5 | \"a\"",
		},
		// Several rows in one message, and a column that comes with a type and no value.
		{
			`{"data":[{"id":"1"},{"id":"2","v":null}],"database":"d","isDdl":false,"mysqlType":{"id":"int","v":"text"},"old":null,"pkNames":["id"],"table":"t","type":"INSERT"}`,
			"[After After] 1 | NULL; 2 | NULL",
		},
		// TiCDC: old has all columns.
		{
			`{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"UPDATE","es":1,"ts":2,"sql":"","sqlType":{"c":4,"id":4},"mysqlType":{"c":"int","id":"int"},"old":[{"c":"9","id":"2"}],"data":[{"c":"0","id":"2"}],"_tidb":{"commitTs":429918007904436226}}`,
			"[After] 0 | 2",
		},
		{`{"id":0,"database":"","table":"","pkNames":null,"isDdl":false,"type":"TIDB_WATERMARK","es":1,"ts":2,"sql":"","sqlType":null,"mysqlType":null,"data":null,"old":null,"_tidb":{"watermarkTs":429918007904436226}}`, ""},
		{`{"id":0,"database":"d","table":"","pkNames":null,"isDdl":true,"type":"QUERY","es":1,"ts":2,"sql":"drop database d","sqlType":null,"mysqlType":null,"data":null,"old":null}`, ""},
	} {
		var col collector
		if err := NewCanalReader(&col).Decode(nil, []byte(c.text)); err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := ""
		if r := col.rows["d.t"]; r != nil {
			var ops, rows []string
			for _, op := range r.Into.Ops {
				ops = append(ops, [...]string{"Insert", "Before", "After", "Delete"}[op])
			}
			all, err := batchtest.Rows(r.Into.Builder.Batch().Rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range all {
				rows = append(rows, row.String())
			}
			got = fmt.Sprintf("%v %s", ops, strings.Join(rows, "; "))
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// TestCanalBad has messages between good ones that cannot be read: nothing of them stays.
func TestCanalBad(t *testing.T) {
	const head, tail = `{"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT","mysqlType":{"id":"int","v":"date"},"old":null,"data":[`, `]}`
	const good = head + `{"id":"1","v":"2026-02-28"}` + tail
	for _, bad := range []string{
		"[]", `{}`, `{"type":"BOOTSTRAP"}`, head, head + tail, head + `{"id":"x"}` + tail, head + `{"id":"1","v":"28.02.2026"}` + tail,
		head + `{"id":"1"},{"id":"2","v":"2026-02-28"},{"id":"3000000000"}` + tail, head + `{"id":"1"}` + tail + "x", head + `{"id":"1","v":[]}` + tail,
		head + `{"id":"1"}],"_tidb":{"commitTs":1,"onlyHandleKey":true}}`,
		`{"database":"d","table":"other","pkNames":["id"],"type":"INSERT","mysqlType":{"id":"int"},"data":[{"id":"1"},{"id":"?"}]}`,
		`{"database":"d","table":"t","pkNames":["none"],"type":"INSERT","mysqlType":{"id":"int"},"data":[{"id":"1"}]}`,
		`{"database":"d","table":"u","pkNames":[],"type":"INSERT","mysqlType":{"id":"no type"},"data":[{"id":"1"}]}`,
	} {
		var c collector
		r := NewCanalReader(&c)
		for i := range 2 {
			if err := r.Decode(nil, []byte(good)); err != nil {
				t.Fatal(err)
			}
			if err := r.Decode(nil, []byte(bad)); err == nil {
				t.Errorf("%s: got no error", bad)
			}
			rows := c.rows["d.t"]
			if got := rows.Into.Builder.Rows(); got != i+1 || len(rows.Into.Ops) != i+1 || rows.Into.Builder.Bytes() != got*len(good) {
				t.Errorf("%s: got %d rows, %d ops, %d bytes, want %d rows of %d bytes", bad, got, len(rows.Into.Ops), rows.Into.Builder.Bytes(), i+1, len(good))
			}
			if o := c.rows["d.other"]; o != nil && (o.Into.Builder.Rows() != 0 || len(o.Into.Ops) != 0) {
				t.Errorf("%s: rows of another table stay", bad)
			}
		}
		got, err := batchtest.Rows(c.rows["d.t"].Into.Builder.Batch().Rows)
		if err != nil {
			t.Fatal(err)
		}
		row := batchtest.Row{int64(1), "2026-02-28"}
		if diff := batchtest.DiffOrdered(got, []batchtest.Row{row, row}); diff != "" {
			t.Errorf("%s: %s", bad, diff)
		}
	}
}

// FuzzCanal feeds the reader what nobody would write.
func FuzzCanal(f *testing.F) {
	table := batchtest.AllTypes("shop", "types")
	log, err := schema.Changelog(table.Table)
	if err != nil {
		f.Fatal(err)
	}
	e, err := NewCanal(log, one)
	if err != nil {
		f.Fatal(err)
	}
	var all []batchtest.Row
	for _, r := range table.Rows[:3] {
		all = append(all, append(slices.Clone(r), "c", nil, nil, nil))
	}
	records, err := e.Encode(nil, batchtest.Build(memory.DefaultAllocator, log, all))
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range records {
		f.Add(r.Value[:min(len(r.Value), 6000)])
	}
	f.Add([]byte(`{"data":[{"id":"5","v":"a"}],"database":"d","isDdl":false,"mysqlType":{"id":"bigint(20)","v":"varchar(8)"},"old":[{"id":"4"}],"pkNames":["id"],"table":"t","type":"UPDATE"}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		var c collector
		r := NewCanalReader(&c)
		_ = r.Decode(nil, text)
		_ = r.Decode(nil, text) // the second has a table to fit into
	})
}

// narrow is n inserts of a usual, small table.
func narrow(b *testing.B, n int) *batch.Batch {
	b.Helper()
	table := batchtest.Shape("shop", "orders", "id int key", "customer int", "price decimal(10,2)", "at datetime", "note varchar(40)")
	log, err := schema.Changelog(table)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]batchtest.Row, n)
	for i := range rows {
		rows[i] = batchtest.Row{int64(i), int64(i * 7), "12345.67", "2026-01-02 03:04:05.000000", "some note of a usual length", "c", "2026-01-02 03:04:05.000000Z", "62f9a1b2-0000-11f1-9f83-02fc00000001:965", "binlog.000001:00000000000000004711:00000000"}
	}
	return batchtest.Build(memory.DefaultAllocator, log, rows)
}

func BenchmarkCanal(b *testing.B) {
	in := narrow(b, 1000)
	e, err := NewCanal(in.Table, one)
	if err != nil {
		b.Fatal(err)
	}
	var records []Record
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if records, err = e.Encode(records[:0], in); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/row")
		b.ReportMetric(float64(len(records[0].Value)), "B/row")
	})
	b.Run("read", func(b *testing.B) {
		var c collector
		r := NewCanalReader(&c)
		b.ReportAllocs()
		for range b.N {
			for _, m := range records {
				if err := r.Decode(nil, m.Value); err != nil {
					b.Fatal(err)
				}
			}
			c.rows["shop.orders"].Into.Builder.Batch().Release()
			c.rows["shop.orders"].Into.Ops = c.rows["shop.orders"].Into.Ops[:0]
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/row")
	})
}

// TestCanalLabels has labels that the type, as the server prints it, does not show.
func TestCanalLabels(t *testing.T) {
	table := batchtest.Shape("shop", "labels", "id int key", "e enum('a','?')", "s set('a','?')")
	want := []batchtest.Row{{int64(1), "🚀", "a,🚀"}, {int64(2), "a", "a"}, {int64(3), "", ""}}
	var c collector
	r := NewCanalReader(&c)
	for _, m := range encode(t, logged(t, table, []string{"c", "c", "c"}, want)) {
		if err := r.Decode(nil, m.Value); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := batchtest.Rows(c.rows["shop.labels"].Into.Builder.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(rows, want); diff != "" {
		t.Error(diff)
	}
}
