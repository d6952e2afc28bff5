package message

import (
	"encoding/json"
	"slices"
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
	own := func(row string) string {
		return `,"ts":1772240523,"position":"binlog.000001:00000000000000004711:0000000` + row + `","gtid":"uuid:7"`
	}
	want := []string{
		head + `insert"` + own("0") + `,"data":{"id":1,"price":1.50,"at":"2026-01-02 03:04:05.678","tags":["a","b"],"raw":"AP8=","doc":{"x": [1]}}}`,
		head + `update"` + own("2") + `,"data":{"id":1,"price":2.50,"at":null,"tags":[],"raw":null,"doc":null},"old":{"price":1.50}}`,
		head + `delete"` + own("3") + `,"data":{"id":1,` + empty + `}`,
		head + `insert"` + own("4") + `,"data":{"id":2,` + empty + `}`,
		head + `delete"` + own("5") + `,"data":{"id":2,` + empty + `}`,
		head + `bootstrap-insert"` + own("6") + `,"data":{"id":3,` + empty + `}`,
		head + `table-truncate"` + own("7") + `}`,
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

// TestMaxwellTypes has every type be JSON.
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
	for _, r := range records {
		if !json.Valid(r.Value) || !json.Valid(r.Key) {
			t.Errorf("no JSON: %.300s", r.Value)
		}
	}
}
