package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A sink is rows, and a position.
type sink struct {
	mu   sync.Mutex
	rows []batchtest.Row
	pos  batch.Position
	then func() // before each Scan
}

func (s *sink) Scan(_ context.Context, t *schema.Table, parallel int, rows func(int, arrow.RecordBatch) error) (batch.Position, error) {
	if s.then != nil {
		s.then()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	half := len(s.rows) / 2
	for i, part := range [][]batchtest.Row{s.rows[half:], s.rows[:half]} {
		b := batchtest.Build(memory.DefaultAllocator, t, part)
		err := rows(i%parallel, b.Rows)
		b.Release()
		if err != nil {
			return "", err
		}
	}
	return s.pos, nil
}

func options() Options {
	return Options{Parallel: 2, Most: 10, Pause: time.Millisecond, Reached: func(batch.Position, batch.Position) (bool, error) { return true, nil }, Same: func(a, b batch.Position) bool { return a == b }}
}

// compare compares a table with what is at the sink.
func compare(t *testing.T, table batchtest.Table, s *sink, change func(o *Options)) Result {
	t.Helper()
	src := &mem.Stock{DB: mem.NewDB(table)}
	o := options()
	if change != nil {
		change(&o)
	}
	res, err := Run(t.Context(), src, s, []*schema.Table{table.Table}, o)
	if err != nil {
		t.Fatal(err)
	}
	return res[0]
}

func clone(rows []batchtest.Row) []batchtest.Row {
	out := make([]batchtest.Row, len(rows))
	for i, r := range rows {
		out[i] = slices.Clone(r)
	}
	return out
}

// Rows of every type are equal to themselves, in any order, and every value of every column is
// found that is another one.
func TestEveryType(t *testing.T) {
	table := batchtest.AllTypes("d", "t")
	rows := clone(table.Rows)
	slices.Reverse(rows)
	if r := compare(t, table, &sink{rows: rows, pos: "p"}, nil); r.Differs() || r.Err != nil || r.SourceRows != int64(len(rows)) || r.SinkRows != r.SourceRows {
		t.Errorf("the same rows: %+v", r)
	}
	for c, col := range table.Table.Columns[1:] {
		for i := range 3 {
			other := (i + 1) % len(table.Rows)
			if fmt.Sprint(table.Rows[i][c+1]) == fmt.Sprint(table.Rows[other][c+1]) {
				continue
			}
			rows := clone(table.Rows)
			rows[i][c+1] = table.Rows[other][c+1]
			r := compare(t, table, &sink{rows: rows, pos: "p"}, nil)
			if r.Changed != 1 || r.Missing+r.Extra+r.Doubled != 0 || len(r.Rows) != 1 || len(r.Rows[0].Columns) != 1 || r.Rows[0].Columns[0].Name != col.Name {
				t.Fatalf("column %s %s, row %d: %+v", col.Name, col.Native, i, r)
			}
		}
	}
}

// Each fault is found, and told as what it is.
func TestFaults(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key", "n int", "price decimal(10,3)", "note varchar(20)", "at timestamp(6)")
	rows := []batchtest.Row{
		{1, 5, "1.250", "Ada", "2026-01-01 00:00:00.000001"}, {2, -5, "2.345", nil, "2026-01-01 12:00:00.000000"}, {3, 7, "-3.000", "c", nil},
	}
	for name, c := range map[string]struct {
		plant func(rows []batchtest.Row) []batchtest.Row
		want  string
	}{
		"dropped":           {func(r []batchtest.Row) []batchtest.Row { return r[1:] }, "missing id=1"},
		"doubled":           {func(r []batchtest.Row) []batchtest.Row { return append(r, r[1]) }, "doubled id=2"},
		"doubled, another":  {func(r []batchtest.Row) []batchtest.Row { return append(r, batchtest.Row{2, 9, nil, nil, nil}) }, "doubled id=2"},
		"not there":         {func(r []batchtest.Row) []batchtest.Row { return append(r, batchtest.Row{9, 9, nil, nil, nil}) }, "extra id=9"},
		"altered":           {func(r []batchtest.Row) []batchtest.Row { r[0][3] = "Adb"; return r }, "changed id=1 note 'Ada' 'Adb'"},
		"sign":              {func(r []batchtest.Row) []batchtest.Row { r[1][1] = 5; return r }, "changed id=2 n '-5' '5'"},
		"truncated decimal": {func(r []batchtest.Row) []batchtest.Row { r[1][2] = "2.340"; return r }, "changed id=2 price '2.345' '2.340'"},
		"zone": {
			func(r []batchtest.Row) []batchtest.Row { r[1][4] = "2026-01-01 20:00:00.000000"; return r },
			"changed id=2 at '2026-01-01 12:00:00' '2026-01-01 20:00:00'",
		},
		"lost NULL":      {func(r []batchtest.Row) []batchtest.Row { r[1][3] = ""; return r }, "changed id=2 note NULL ''"},
		"case":           {func(r []batchtest.Row) []batchtest.Row { r[0][3] = "ADA"; return r }, "changed id=1 note 'Ada' 'ADA'"},
		"swapped values": {func(r []batchtest.Row) []batchtest.Row { r[0][1], r[2][1] = r[2][1], r[0][1]; return r }, "changed id=1 n '5' '7'; changed id=3 n '7' '5'"},
	} {
		r := compare(t, batchtest.Table{Table: shape, Rows: rows}, &sink{rows: c.plant(clone(rows)), pos: "p"}, nil)
		if got := told(r); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func told(r Result) string {
	text := func(v *string) string {
		if v == nil {
			return "NULL"
		}
		return "'" + *v + "'"
	}
	var out []string
	for _, d := range r.Rows {
		one := string(d.Kind)
		for _, v := range d.Key {
			one += " " + v.Column + "=" + *v.Text
		}
		for _, c := range d.Columns {
			one += fmt.Sprintf(" %s %s %s", c.Name, text(c.Source), text(c.Sink))
		}
		out = append(out, one)
	}
	return strings.Join(out, "; ")
}

// Of tables without a key rows are counted.
func TestWithoutKey(t *testing.T) {
	shape := batchtest.Shape("d", "t", "n int", "v varchar(5)")
	table := batchtest.Table{Table: shape, Rows: []batchtest.Row{{1, "a"}, {1, "a"}, {2, nil}}}
	if r := compare(t, table, &sink{rows: table.Rows, pos: "p"}, nil); r.Differs() {
		t.Errorf("the same: %+v", r)
	}
	r := compare(t, table, &sink{rows: []batchtest.Row{{1, "a"}, {2, nil}, {3, "x"}}, pos: "p"}, nil)
	if r.Doubled != 1 || r.Extra != 1 || r.Missing != 0 || r.Changed != 0 {
		t.Errorf("got %+v", r)
	}
}

// What is not yet at the sink is waited for; what stays away is told, and that the sink is behind.
func TestBehind(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key")
	table := batchtest.Table{Table: shape, Rows: []batchtest.Row{{1}, {2}}}
	s := &sink{rows: table.Rows[:1], pos: "p0"}
	looks := 0
	s.then = func() {
		if looks++; looks == 4 {
			s.rows, s.pos = table.Rows, "p1"
		}
	}
	behind := func(o *Options) {
		o.Wait = time.Minute
		o.Reached = func(held, _ batch.Position) (bool, error) { return held == "p1", nil }
	}
	if r := compare(t, table, s, behind); r.Differs() || r.Behind || looks < 4 {
		t.Errorf("a sink that comes later: %+v after %d looks", r, looks)
	}
	r := compare(t, table, &sink{rows: table.Rows[:1], pos: "p0"}, func(o *Options) { behind(o); o.Wait = 20 * time.Millisecond })
	if !r.Behind || r.Missing != 1 {
		t.Errorf("a sink that stays behind: %+v", r)
	}
	// One that cannot tell is given all of the time.
	began := time.Now()
	r = compare(t, table, &sink{rows: table.Rows[:1], pos: "p0"}, func(o *Options) {
		o.Wait = 50 * time.Millisecond
		o.Reached = func(batch.Position, batch.Position) (bool, error) { return false, errors.New("of another kind") }
	})
	if r.Behind || r.Missing != 1 || time.Since(began) < 50*time.Millisecond {
		t.Errorf("a sink that cannot tell: %+v after %s", r, time.Since(began))
	}
}

// Rows that are marked as deleted count for none; one that the source has is told.
func TestDeleted(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key", "v int", "_op varchar(1)", "_deleted bit(1)")
	table := batchtest.Table{Table: shape, Rows: []batchtest.Row{{1, 1, "r", false}, {2, 2, "r", false}, {3, 3, "r", false}}}
	soft := func(o *Options) { o.Deleted, o.Ignore = "_deleted", []string{"_op"} }
	live := []batchtest.Row{{1, 1, "u", false}, {2, 2, "r", nil}}
	for name, c := range map[string]struct {
		rows    []batchtest.Row
		want    string
		deleted int64
	}{
		"as it should be":        {[]batchtest.Row{{3, 3, "i", false}, {8, 8, "d", true}, {9, 9, "d", true}}, "", 2},
		"marked":                 {[]batchtest.Row{{3, 3, "d", true}, {9, 9, "d", true}}, "changed id=3 _deleted 'false' 'true'", 2},
		"marked, and another":    {[]batchtest.Row{{3, 4, "d", true}}, "changed id=3 v '3' '4' _deleted 'false' 'true'", 1},
		"not marked":             {[]batchtest.Row{{3, 3, "u", false}, {9, 9, "i", false}}, "extra id=9", 0},
		"not there":              {[]batchtest.Row{{9, 9, "d", true}}, "missing id=3", 1},
		"both, the marked first": {[]batchtest.Row{{3, 7, "d", true}, {3, 3, "u", false}}, "", 1},
		"both, another":          {[]batchtest.Row{{3, 4, "u", false}, {3, 3, "d", true}}, "changed id=3 v '3' '4'", 1},
	} {
		r := compare(t, table, &sink{rows: append(clone(live), c.rows...), pos: "p"}, soft)
		if got := told(r); got != c.want || r.Deleted != c.deleted || r.SinkRows != int64(len(c.rows)+2)-c.deleted {
			t.Errorf("%s: got %q (%+v), want %q", name, got, r, c.want)
		}
	}
	r := compare(t, table, &sink{rows: append(clone(live), batchtest.Row{3, 3, "d", true}, batchtest.Row{4, 4, "d", true}), pos: "p"}, func(o *Options) { soft(o); o.Sample, o.Seed = 0.9999999, 1 })
	if told(r) != "changed id=3 _deleted 'false' 'true'" || r.Deleted != 2 || r.SinkRows != 2 {
		t.Errorf("a sample: %+v", r)
	}
}

// More rows than can be held are counted.
func TestMany(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key")
	var rows []batchtest.Row
	for i := range 500 {
		rows = append(rows, batchtest.Row{i})
	}
	r := compare(t, batchtest.Table{Table: shape, Rows: rows}, &sink{pos: "p"}, func(o *Options) { o.Memory = 1000 })
	if r.Many == 0 || !r.Differs() {
		t.Errorf("got %+v", r)
	}
}

// What is not at the sink is an error of the table.
func TestNotThere(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key")
	if r := compare(t, batchtest.Table{Table: shape}, &sink{}, nil); r.Err == nil {
		t.Errorf("got %+v", r)
	}
}

// A table that cannot be read at the sink says nothing of others; what may pass ends the run.
func TestUnreadable(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key")
	src := &mem.Stock{DB: mem.NewDB(batchtest.Table{Table: shape})}
	bad := errors.New("the disk is on fire")
	res, err := Run(t.Context(), src, unreadable{bad}, []*schema.Table{shape}, options())
	if err != nil || len(res) != 1 || !errors.Is(res[0].Err, bad) {
		t.Errorf("got %+v, %v, want the error to be the table's", res, err)
	}
	late := hint.Transient(bad)
	if res, err := Run(t.Context(), src, unreadable{late}, []*schema.Table{shape}, options()); !errors.Is(err, bad) || len(res) > 0 {
		t.Errorf("got %+v, %v, want the run to end: it says nothing of the table", res, err)
	}
}

type unreadable struct{ err error }

func (u unreadable) Scan(context.Context, *schema.Table, int, func(int, arrow.RecordBatch) error) (batch.Position, error) {
	return "", u.err
}
