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

// encodeDebezium returns the messages of b, written at a time that does not pass.
func encodeDebezium(t testing.TB, b *batch.Batch, o Options) []Record {
	t.Helper()
	e, err := NewDebezium(b.Table, one, o)
	if err != nil {
		t.Fatal(err)
	}
	e.(*debezium).now = func() time.Time { return time.UnixMilli(1772240523999) }
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestDebeziumTypes has every type go there and back, with schemas and without, and with
// what this program alone tells taken away, as it is in messages of others.
func TestDebeziumTypes(t *testing.T) {
	table := batchtest.AllTypes("shop", "types")
	ops := slices.Repeat([]string{schema.OpInsert}, len(table.Rows))
	for _, o := range []Options{{}, {Schemas: true}} {
		records := encodeDebezium(t, logged(t, table.Table, ops, table.Rows), o)
		for _, foreign := range []bool{false, true} {
			if foreign && !o.Schemas {
				continue // the types of such are inferred
			}
			t.Run(fmt.Sprint("schemas ", o.Schemas, " foreign ", foreign), func(t *testing.T) {
				var c collector
				r := NewDebeziumReader(&c)
				for _, m := range records {
					if !json.Valid(m.Value) || !json.Valid(m.Key) {
						t.Fatalf("no JSON: %s", m.Value)
					}
					value := m.Value
					if foreign {
						value = []byte(strings.Replace(string(value), `"_tablehaul":`, `"other":`, 1))
					}
					if err := r.Decode(m.Key, value); err != nil {
						t.Fatal(err)
					}
				}
				got := c.rows["shop.types"]
				for i, f := range got.Into.Table.Columns {
					want := table.Columns[i]
					if f.Name != want.Name || f.Nullable != want.Nullable || !foreign && f.Native != want.Native {
						t.Errorf("column %d: got %+v, want %+v", i, f, want)
					}
					if f.Arrow.String() != want.Arrow.String() {
						t.Errorf("column %s, %s: got %s, want %s", f.Name, want.Native, f.Arrow, want.Arrow)
					}
				}
				rows, err := batchtest.Rows(got.Into.Builder.Batch().Rows)
				if err != nil {
					t.Fatal(err)
				}
				if diff := batchtest.DiffOrdered(rows, table.Rows); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestDebeziumChanges(t *testing.T) {
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
	records := encodeDebezium(t, b, Options{})
	message := func(op, letter string, row int, before, after string) string {
		return fmt.Sprintf(`{"source":{"version":"3.3.1.Final","connector":"mysql","name":"tablehaul","ts_ms":1772240523456,"snapshot":"%t","db":"shop","table":"orders",`+
			`"server_id":0,"gtid":"uuid:7","file":"binlog.000001","pos":4711,"row":%d},"op":"%s","ts_ms":1772240523999,`+
			`"_tablehaul":{"types":{"id":"int","at":"datetime(3)","note":"varchar(20)"},"keys":["id"],"op":"%s","us":1772240523456789,"gtid":"uuid:7","pos":"binlog.000001:00000000000000004711:%08d"},`+
			`"before":%s,"after":%s}`, op == "r", row, op, letter, row, before, after)
	}
	want := [][2]string{
		{`{"id":1}`, message("c", "c", 0, "null", `{"id":1,"at":1767323045678,"note":"a\"b"}`)},
		{`{"id":1}`, message("u", "u", 2, `{"id":1,"at":1767323045678,"note":"a\"b"}`, `{"id":1,"at":null,"note":"a\"b"}`)},
		{`{"id":1}`, message("d", "b", 3, `{"id":1,"at":null,"note":"x"}`, "null")},
		{`{"id":1}`, ""},
		{`{"id":2}`, message("c", "u", 4, "null", `{"id":2,"at":null,"note":"x"}`)},
		{`{"id":2}`, message("d", "d", 5, `{"id":2,"at":null,"note":"x"}`, "null")},
		{`{"id":2}`, ""},
		{`{"id":3}`, message("r", "r", 6, "null", `{"id":3,"at":null,"note":null}`)},
		{"", message("t", "t", 7, "null", "null")},
	}
	for i, r := range records {
		if i >= len(want) || string(r.Key) != want[i][0] || string(r.Value) != want[i][1] {
			t.Errorf("message %d: got\n%s\n%s\nwant\n%s", i+1, r.Key, r.Value, want[min(i, len(want)-1)])
		}
	}
	if n := len(records); n != len(want) {
		t.Errorf("got %d messages, want %d", n, len(want))
	}
	if n := len(encodeDebezium(t, b, Options{NoTombstones: true})); n != len(want)-2 {
		t.Errorf("without tombstones: got %d messages, want %d", n, len(want)-2)
	}
}

// TestDebeziumPartitions has the key of all formats decide on the partition, and a
// tombstone go where its delete went.
func TestDebeziumPartitions(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id int key", "note varchar(20)")
	b := logged(t, table, []string{"c", "d", "t"}, []batchtest.Row{{int64(1), nil}, {int64(1), nil}, {nil, nil}})
	var keys []string
	e, err := NewDebezium(b.Table, Partitions{Count: 3, Of: func(key []byte) int32 {
		keys = append(keys, string(key))
		return int32(len(keys))
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for _, r := range records {
		got = append(got, r.Partition)
	}
	if want := []int32{1, 2, 2, 0, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("got partitions %d, want %d", got, want)
	}
	if key := `{"database":"shop","table":"orders","pk.id":1}`; !slices.Equal(keys, []string{key, key}) {
		t.Errorf("got %q, want %q twice", keys, key)
	}
}

// FuzzDebezium feeds the reader what nobody would write.
func FuzzDebezium(f *testing.F) {
	table := batchtest.AllTypes("shop", "types")
	log, err := schema.Changelog(table.Table)
	if err != nil {
		f.Fatal(err)
	}
	var all []batchtest.Row
	for _, r := range table.Rows[:3] {
		all = append(all, append(slices.Clone(r), "c", nil, nil, nil))
	}
	b := batchtest.Build(memory.DefaultAllocator, log, all)
	for _, o := range []Options{{}, {Schemas: true}} {
		for _, r := range encodeDebezium(f, b, o) {
			f.Add(r.Key, r.Value[:min(len(r.Value), 20000)])
		}
	}
	fields := connectFieldText("id", "int32", "", "") + "," + connectFieldText("v", "bytes", nameDecimal, `"scale":"2"`)
	for _, m := range []foreign{
		{op: "c", after: `{"id":1,"v":"EtaH"}`, fields: fields}, {op: "u", before: `{"id":1}`, after: `{"id":2,"v":1.5}`}, {op: "d", before: `{"id":1}`}, {op: "t"},
	} {
		f.Add([]byte(`{"id":1}`), []byte(m.text()))
	}
	f.Fuzz(func(_ *testing.T, key, text []byte) {
		for _, isLog := range []bool{false, true} {
			r := NewDebeziumReader(&union{log: isLog})
			_ = r.Decode(key, text)
			_ = r.Decode(key, text) // the second has a table to fit into
		}
	})
}

func BenchmarkDebezium(b *testing.B) {
	table := batchtest.Shape("shop", "orders", "id int key", "customer int", "price decimal(10,2)", "at datetime", "note varchar(40)")
	log, err := schema.Changelog(table)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]batchtest.Row, 1000)
	for i := range rows {
		rows[i] = batchtest.Row{int64(i), int64(i * 7), "12345.67", "2026-01-02 03:04:05.000000", "some note of a usual length", "c", "2026-01-02 03:04:05.000000Z", "62f9a1b2-0000-11f1-9f83-02fc00000001:965", "binlog.000001:00000000000000004711:00000000"}
	}
	in := batchtest.Build(memory.DefaultAllocator, log, rows)
	for name, o := range map[string]Options{"plain": {}, "schemas": {Schemas: true}} {
		e, err := NewDebezium(log, one, o)
		if err != nil {
			b.Fatal(err)
		}
		var records []Record
		b.Run(name+"/write", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if records, err = e.Encode(records[:0], in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
			b.ReportMetric(float64(len(records[0].Value)), "B/row")
		})
		if records == nil {
			continue
		}
		for _, foreign := range []bool{false, true} {
			reader := "/read"
			if foreign {
				reader = "/read-foreign"
				for i, r := range records { // in the order that a connector has
					v := string(r.Value)
					source, rest, _ := strings.Cut(v[strings.Index(v, `"source":`):], `,"op"`)
					_, rows, _ := strings.Cut(rest, `,"before":`)
					head, _, _ := strings.Cut(v, `"source":`)
					records[i].Value = []byte(head + `"before":` + strings.TrimRight(rows, "}") + "}," + source + `,"op":"c","ts_ms":5}` + strings.Repeat("}", strings.Count(head, "payload")))
				}
			}
			b.Run(name+reader, func(b *testing.B) {
				var c collector
				r := NewDebeziumReader(&c)
				b.ReportAllocs()
				for range b.N {
					for _, m := range records {
						if err := r.Decode(m.Key, m.Value); err != nil {
							b.Fatal(err)
						}
					}
					c.rows["shop.orders"].Into.Builder.Batch().Release()
					c.rows["shop.orders"].Into.Ops = c.rows["shop.orders"].Into.Ops[:0]
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
			})
		}
	}
}
