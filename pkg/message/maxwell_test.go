package message

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestMaxwell(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id int key", "price decimal(8,2)", "at datetime(3)", "tags set('a','b')", "raw varbinary(4)", "doc json")
	b := logged(t, table, []string{"c", "b", "u", "b", "u", "d", "r", "t"}, []batchtest.Row{
		{int64(1), "1.50", "2026-01-02 03:04:05.678000", "a,b", []byte{0, 255}, `{"x": [1]}`},
		{int64(1), "1.50", nil, "", nil, nil},
		{int64(1), "2.50", nil, "", nil, nil},
		{int64(1), nil, nil, nil, nil, nil},
		{int64(2), nil, nil, nil, nil, nil},
		{int64(2), nil, nil, nil, nil, nil},
		{int64(3), nil, nil, nil, nil, nil},
		{nil, nil, nil, nil, nil, nil},
	})
	e, err := NewMaxwell(b.Table, one)
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	const head, empty = `{"database":"shop","table":"orders","type":"`, `"price":null,"at":null,"tags":null,"raw":null,"doc":null}`
	own := func(op, row string) string {
		pos := "binlog.000001:00000000000000004711:0000000" + row
		own := `,"ts":1772240523,"position":"` + pos + `","gtid":"uuid:7","_tablehaul":{"op":"` + op + `","us":1772240523456789,"gtid":"uuid:7","pos":"` + pos + `"`
		if op == "t" {
			return own + "}"
		}
		return own + `,"types":{"id":"int","price":"decimal(8,2)","at":"datetime(3)","tags":"set('a','b')","raw":"varbinary(4)","doc":"json"},"keys":["id"]}`
	}
	want := []string{
		head + `insert"` + own("c", "0") + `,"data":{"id":1,"price":1.50,"at":"2026-01-02 03:04:05.678","tags":["a","b"],"raw":"AP8=","doc":{"x": [1]}}}`,
		head + `update"` + own("u", "2") + `,"data":{"id":1,"price":2.50,"at":null,"tags":[],"raw":null,"doc":null},"old":{"price":1.50}}`,
		head + `delete"` + own("b", "3") + `,"data":{"id":1,` + empty + `}`,
		head + `insert"` + own("u", "4") + `,"data":{"id":2,` + empty + `}`,
		head + `delete"` + own("d", "5") + `,"data":{"id":2,` + empty + `}`,
		head + `bootstrap-insert"` + own("r", "6") + `,"data":{"id":3,` + empty + `}`,
		head + `table-truncate"` + own("t", "7") + `}`,
	}
	for i, r := range records {
		if i >= len(want) || string(r.Value) != want[i] {
			t.Errorf("message %d: got\n%s\nwant\n%s", i+1, r.Value, want[min(i, len(want)-1)])
		}
	}
	if len(records) != len(want) {
		t.Errorf("got %d messages, want %d", len(records), len(want))
	}
	if got, want := string(records[1].Key), `{"database":"shop","table":"orders","pk.id":1}`; got != want {
		t.Errorf("got key %s, want %s", got, want)
	}
}

// TestMaxwellTypes has every type go there and back.
func TestMaxwellTypes(t *testing.T) {
	table := batchtest.AllTypes("shop", "types")
	b := logged(t, table.Table, slices.Repeat([]string{schema.OpInsert}, len(table.Rows)), table.Rows)
	e, err := NewMaxwell(b.Table, one)
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	u := &union{}
	r := NewMaxwellReader(u)
	for _, m := range records {
		if !json.Valid(m.Value) || !json.Valid(m.Key) {
			t.Errorf("no JSON: %.300s", m.Value)
		}
		if err := r.Decode(m.Key, m.Value); err != nil {
			t.Fatal(err)
		}
	}
	got := u.rows["shop.types"].Into
	for i, f := range got.Table.Columns {
		want := table.Columns[i]
		if f.Name != want.Name || f.Native != want.Native || f.Nullable != want.Nullable {
			t.Errorf("column %d: got %+v, want %+v", i, f, want)
		}
	}
	rows, err := batchtest.Rows(got.Builder.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(rows, table.Rows); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkMaxwell reads messages of this program's and, without what Maxwell does not tell,
// such as it writes.
func BenchmarkMaxwell(b *testing.B) {
	in := narrow(b, 1000)
	e, err := NewMaxwell(in.Table, one)
	if err != nil {
		b.Fatal(err)
	}
	own, err := e.Encode(nil, in)
	if err != nil {
		b.Fatal(err)
	}
	foreign := slices.Clone(own)
	for i := range foreign {
		v := string(own[i].Value)
		foreign[i].Value = []byte(v[:strings.Index(v, `,"_tablehaul"`)] + v[strings.Index(v, `,"data"`):])
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if own, err = e.Encode(own[:0], in); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/row")
		b.ReportMetric(float64(len(own[0].Value)), "B/row")
	})
	for name, records := range map[string][]Record{"read": own, "read foreign": foreign} {
		b.Run(name, func(b *testing.B) {
			var u union
			r := NewMaxwellReader(&u)
			b.ReportAllocs()
			for range b.N {
				for _, m := range records {
					if err := r.Decode(m.Key, m.Value); err != nil {
						b.Fatal(err)
					}
				}
				u.rows["shop.orders"].Into.Batch().Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/row")
		})
	}
}
