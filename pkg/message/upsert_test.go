package message

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// TestUpserts has rows in all formats of which some may be there already: the lake must not
// trust that their keys are free.
func TestUpserts(t *testing.T) {
	table := batchtest.Shape("shop", "orders", "id int key", "note varchar(50)")
	b := logged(t, table, []string{"r", "u", "d", "u", "b", "u"}, []batchtest.Row{{1, "a"}, {1, "b"}, {1, "b"}, {2, "b"}, {2, "b"}, {2, "c"}})
	for _, format := range Formats {
		e, err := NewEncoder(format, b.Table, one, Options{NoTombstones: true})
		if err != nil {
			t.Fatal(err)
		}
		records, err := e.Encode(nil, b)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		var c collector
		r, err := NewDecoder(format, &c)
		if err != nil { // it cannot be read
			t.Log(err)
			continue
		}
		for _, m := range records {
			if err := r.Decode(m.Key, m.Value); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
		}
		into := c.rows["shop.orders"].Into
		if want := []batch.Op{batch.Insert, batch.After, batch.Delete, batch.After, batch.After}; !slices.Equal(into.Ops, want) {
			t.Errorf("%s: got ops %v, want %v", format, into.Ops, want)
		}
		rows := into.Batch().Rows
		if got, want := fmt.Sprint(rows.Column(1)), `["a" "b" "b" "b" "c"]`; got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
}
