package verify

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A seeking is a snapshot of a part, that finds rows of the whole by their keys.
type seeking struct {
	reader.Snapshot
	reader.Seeker
}

// An inPart is the condition that the second column is 1.
type inPart struct{ of *array.Int32 }

func (c *inPart) Take(b arrow.RecordBatch)   { c.of = b.Column(1).(*array.Int32) }
func (c *inPart) True(row int) (bool, error) { return c.of.Value(row) == 1, nil }

// A redone is what came of a Redo: rows by their keys, and how many changes that took.
type redone struct {
	rows    map[string][]string
	changes int
}

func (r *redone) put(row batchtest.Row) {
	k := fmt.Sprint(row[0])
	r.rows[k] = append(r.rows[k], fmt.Sprint(row))
}

// take applies changes.
func (r *redone) take(b *batch.Batch) error {
	rows, err := batchtest.Rows(b.Rows)
	for i, row := range rows {
		r.changes++
		delete(r.rows, fmt.Sprint(row[0]))
		if b.Ops[i] == batch.After {
			r.put(row)
		}
	}
	return err
}

func redo(t *testing.T, r *Redo, source, at []batchtest.Row, part bool) *redone {
	t.Helper()
	read := batchtest.Table{Table: r.Table}
	for _, row := range source {
		if !part || row[1] == 1 {
			read.Rows = append(read.Rows, row)
		}
	}
	if part {
		r.Within = func() Condition { return &inPart{} }
	}
	pin := func(table batchtest.Table) reader.Snapshot {
		snap, err := (&mem.Stock{DB: mem.NewDB(table)}).Pin(t.Context(), []*schema.Table{r.Table}, 2)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = snap.Close() })
		return snap
	}
	all := pin(batchtest.Table{Table: r.Table, Rows: source})
	out := &redone{rows: map[string][]string{}}
	for _, row := range at {
		out.put(row)
	}
	if err := r.Changes(t.Context(), &seeking{pin(read), all.(reader.Seeker)}, &sink{rows: at, pos: "p"}, out.take); err != nil {
		t.Fatal(err)
	}
	return out
}

// What differs in the part is what the source has afterwards, the rest is as it was, and what was
// right is not written, whether both sides are read once or several times.
func TestRedo(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key", "part int", "v int")
	var source []batchtest.Row
	for i := range 6000 {
		source = append(source, batchtest.Row{i, i % 3, i})
	}
	for name, c := range map[string]struct {
		change      func(rows []batchtest.Row) []batchtest.Row
		whole, part int    // changes that it takes
		left        string // the key of a row that is not of the part, and stays as it is
	}{
		"nothing": {func(rows []batchtest.Row) []batchtest.Row { return rows }, 0, 0, ""},
		"missing": {func(rows []batchtest.Row) []batchtest.Row { return slices.Delete(rows, 10, 13) }, 3, 1, "12"},
		"changed": {func(rows []batchtest.Row) []batchtest.Row { rows[1][2], rows[2][2] = -1, -1; return rows }, 2, 1, "2"},
		"extra": {func(rows []batchtest.Row) []batchtest.Row {
			return append(rows, batchtest.Row{9000, 1, 1}, batchtest.Row{9002, 2, 1})
		}, 2, 1, "9002"},
		"doubled":    {func(rows []batchtest.Row) []batchtest.Row { return append(rows, rows[4], rows[5]) }, 2, 1, "5"},
		"came in":    {func(rows []batchtest.Row) []batchtest.Row { rows[4][1] = 2; return rows }, 1, 1, ""},
		"went out":   {func(rows []batchtest.Row) []batchtest.Row { rows[5][1] = 1; return rows }, 1, 1, ""},
		"everything": {func([]batchtest.Row) []batchtest.Row { return nil }, 6000, 2000, "5"},
	} {
		want := redo(t, &Redo{Table: shape, Part: shape}, source, source, false) // changes nothing
		for _, part := range []bool{false, true} {
			for _, memory := range []int64{0, 1 << 30} {
				at := c.change(clone(source))
				got := redo(t, &Redo{Table: shape, Part: shape, Parallel: 2, Memory: memory}, source, at, part)
				was := (&redone{rows: map[string][]string{}})
				for _, row := range at {
					was.put(row)
				}
				changes := c.whole
				if part {
					changes = c.part
					if !slices.Equal(got.rows[c.left], was.rows[c.left]) {
						t.Errorf("%s: the row %s, not of the part, has become %v", name, c.left, got.rows[c.left])
					}
				}
				if got.changes != changes {
					t.Errorf("%s, part %v, memory %d: %d changes, want %d", name, part, memory, got.changes, changes)
				}
				for k, rows := range want.rows {
					if (!part || rows[0] == fmt.Sprint(batchtest.Row{atoi(k), 1, atoi(k)})) && !slices.Equal(got.rows[k], rows) {
						t.Errorf("%s, part %v, memory %d: row %s is %v, want %v", name, part, memory, k, got.rows[k], rows)
					}
				}
				if !part && len(got.rows) != len(want.rows) {
					t.Errorf("%s, memory %d: %d rows, want %d", name, memory, len(got.rows), len(want.rows))
				}
			}
		}
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// Some columns alone are compared: what differs in others stays, and so do rows that one side has alone.
func TestRedoOfColumns(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key", "a int", "b int")
	source := []batchtest.Row{{1, 1, 1}, {2, 2, 2}, {3, 3, 3}}
	got := redo(t, &Redo{Table: shape, Part: shape, Columns: []string{"b"}}, source, []batchtest.Row{{1, 7, 1}, {2, 7, 7}, {4, 4, 4}}, false)
	if text := fmt.Sprint(got.rows["1"], got.rows["2"], got.rows["3"], got.rows["4"]); text != "[1 | 7 | 1] [2 | 2 | 2] [] [4 | 4 | 4]" || got.changes != 1 {
		t.Errorf("%s after %d changes", text, got.changes)
	}
}
