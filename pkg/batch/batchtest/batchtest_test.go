package batchtest_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

func TestRoundTrip(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	table := batchtest.AllTypes("db", "all")
	b := batchtest.Build(alloc, table.Table, table.Rows)
	got, err := batchtest.Rows(b.Rows)
	b.Release()
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(got, table.Rows); diff != "" {
		t.Error(diff)
	}
	if b.Bytes < 100_000 {
		t.Errorf("got %d bytes, want the long texts to count", b.Bytes)
	}
}

func TestRowsByName(t *testing.T) {
	shape := batchtest.Shape("db", "t", "id bigint unsigned key", "v varchar(20)")
	b := batchtest.Build(memory.DefaultAllocator, shape, []batchtest.Row{{"7", nil}})
	defer b.Release()
	rows, err := batchtest.Rows(b.Rows, "v", "id")
	if got, want := rows[0].String(), `NULL | "7"`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for _, columns := range [][]string{{"id"}, {"id", "w"}} {
		if _, err := batchtest.Rows(b.Rows, columns...); err == nil {
			t.Errorf("columns %v: got no error", columns)
		}
	}
}

// Values that are easily taken for each other must not look the same.
func TestRowString(t *testing.T) {
	seen := map[string]bool{}
	values := []any{
		nil, "", "NULL", "x''",
		[]byte{},
		[]byte("1"), int64(1), "1", float32(1), 1.0, 0.0, math.Copysign(0, -1),
		true, "true",
		[]float32{1},
		[]float32{},
	}
	for _, v := range values {
		text := batchtest.Row{v}.String()
		if seen[text] {
			t.Errorf("%T %v looks like another value: %s", v, v, text)
		}
		seen[text] = true
	}
}

func TestDiff(t *testing.T) {
	a, b, c := batchtest.Row{1}, batchtest.Row{2}, batchtest.Row{3}
	if got := batchtest.Diff([]batchtest.Row{a, b, b}, []batchtest.Row{b, a, b}); got != "" {
		t.Errorf("same rows: got %s", got)
	}
	got := batchtest.Diff([]batchtest.Row{a, a, b}, []batchtest.Row{a, b, c})
	if !strings.Contains(got, "1 too many: 1") || !strings.Contains(got, "1 missing: 3") {
		t.Errorf("got %s, want one 1 too many and one 3 missing", got)
	}
	if got := batchtest.DiffOrdered([]batchtest.Row{a, b}, []batchtest.Row{b, a}); !strings.Contains(got, "row 0") {
		t.Errorf("got %q, want row 0 to differ", got)
	}
	if got := batchtest.DiffOrdered([]batchtest.Row{a, b}, []batchtest.Row{a}); got == "" {
		t.Error("one row too many: got no difference")
	}
}

// The keys that Fill makes are in order and differ, whatever the key's shape.
func TestFillKeys(t *testing.T) {
	shape := batchtest.Shape("db", "t", "a varchar(20) key", "b int key")
	rows := batchtest.Fill(shape, 100)
	for i := 1; i < len(rows); i++ {
		a, b := rows[i-1], rows[i]
		if a[0].(string) > b[0].(string) || a[0] == b[0] && a[1].(int64) >= b[1].(int64) {
			t.Errorf("row %d: %s does not come after %s", i, b, a)
		}
	}
}
