package message

import (
	"slices"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// encoded writes the changes of b in a format.
func encoded(t *testing.T, format string, b *batch.Batch) []Record {
	t.Helper()
	e, err := NewEncoder(format, b.Table, one, Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// readBack writes the changes of b in a format and reads them into a changelog or, if log is
// not set, into a table of the source's shape.
func readBack(t *testing.T, format string, b *batch.Batch, log bool) *union {
	t.Helper()
	records := encoded(t, format, b)
	u := &union{log: log}
	r, err := NewDecoder(format, u)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range records {
		if err := r.Decode(m.Key, m.Value); err != nil {
			t.Fatalf("%s: %v", m.Value, err)
		}
	}
	return u
}

// TestChangelog has every kind of change go there and back.
func TestChangelog(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id int key", "at datetime(3)", "doc json", "note varchar(20)")
	row := func(id int64, at any, note string) batchtest.Row { return batchtest.Row{id, at, `{"a": 1}`, note} }
	const at, pos = "2026-01-02 03:04:05.678000", "binlog.000001:00000000000000004711:0000000"
	none := batchtest.Row{nil, nil, nil, nil}
	b := logged(t, table, []string{"r", "c", "b", "u", "b", "u", "d", "t", "c"}, []batchtest.Row{
		row(7, nil, "stock"), row(1, at, "a\"b"), row(1, at, "a\"b"), row(1, nil, "a\"b"), row(1, nil, "x"), row(2, nil, "y"), row(2, nil, "y"), none, row(3, nil, ""),
	})
	told := func(r batchtest.Row, op, row string) batchtest.Row {
		return append(slices.Clone(r), op, "2026-02-28 01:02:03.456789Z", "uuid:7", pos+row)
	}
	stock := told(row(7, nil, "stock"), "r", "0")
	stock[5] = nil // which has no time
	// The update that changed the key is a delete and an insert, so that each lands in the partition of its key.
	log := []batchtest.Row{
		stock, told(row(1, at, "a\"b"), "c", "1"), told(row(1, at, "a\"b"), "b", "3"), told(row(1, nil, "a\"b"), "u", "3"),
		told(row(1, nil, "x"), "d", "4"), told(row(2, nil, "y"), "c", "5"), told(row(2, nil, "y"), "d", "6"), told(row(3, nil, ""), "c", "8"),
	}
	keyed := []batchtest.Row{row(7, nil, "stock"), row(1, at, "a\"b"), row(1, nil, "a\"b"), row(1, nil, "x"), row(2, nil, "y"), row(2, nil, "y"), row(3, nil, "")}
	ops := []batch.Op{batch.Insert, batch.Insert, batch.After, batch.Delete, batch.Insert, batch.Delete, batch.Insert}
	for _, format := range []string{"canal-json", "debezium-json", "maxwell-json"} {
		for _, isLog := range []bool{true, false} {
			u := readBack(t, format, b, isLog)
			if !slices.Equal(u.emptied, []string{"shop.orders uuid:7 1772240523456789"}) {
				t.Errorf("%s: emptied %v", format, u.emptied)
			}
			r := u.rows["shop.orders"]
			got := r.Into.Batch()
			want := log
			if !isLog {
				want = keyed
				if !slices.Equal(got.Ops, ops) {
					t.Errorf("%s: got ops %v, want %v", format, got.Ops, ops)
				}
			} else if got.Ops != nil || !slices.Equal(got.Table.RowKey, []int{0}) {
				t.Errorf("%s: got ops %v, row key %v", format, got.Ops, got.Table.RowKey)
			}
			rows, err := batchtest.Rows(got.Rows)
			if err != nil {
				t.Fatal(err)
			}
			if diff := batchtest.DiffOrdered(rows, want); diff != "" {
				t.Errorf("%s, changelog %v: %s", format, isLog, diff)
			}
		}
	}
}

// TestChangelogTypes has values of every type be a changelog's on both sides, of before and
// after an update.
func TestChangelogTypes(t *testing.T) {
	table := batchtest.AllTypes("shop", "types")
	var rows []batchtest.Row
	var ops []string
	for i := range table.Rows[1:] {
		before, after := slices.Clone(table.Rows[i]), slices.Clone(table.Rows[i+1])
		before[0] = after[0] // no change of the key
		rows, ops = append(rows, before, after), append(ops, schema.OpBefore, schema.OpUpdate)
	}
	b := logged(t, table.Table, ops, rows)
	for _, format := range []string{"canal-json", "debezium-json", "maxwell-json"} {
		got, err := batchtest.Rows(readBack(t, format, b, true).rows["shop.types"].Into.Batch().Rows)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i] = got[i][:len(table.Columns)]
		}
		if diff := batchtest.DiffOrdered(got, rows); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
}
