package verify

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An unseeking stock does not find rows by their keys.
type unseeking struct{ reader.Stock }

func (s unseeking) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	snap, err := s.Stock.Pin(ctx, tables, parallel)
	return struct{ reader.Snapshot }{snap}, err
}

// An easy stock takes all keys for equal, and finds all rows by each.
type easy struct{ reader.Stock }

type easySnapshot struct{ reader.Snapshot }

func (s easy) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	snap, err := s.Stock.Pin(ctx, tables, parallel)
	return easySnapshot{snap}, err
}

func (s easySnapshot) Seek(ctx context.Context, t *schema.Table, _ arrow.RecordBatch) (reader.Reader, error) {
	return s.Open(ctx, reader.Split{Table: t})
}

// What differs is looked up at the source by its keys, with the same outcome as where all is read
// again, and where more rows come than were asked for.
func TestSought(t *testing.T) {
	shape := batchtest.Shape("d", "t", "a int key", "b varchar(9) key", "v int")
	var rows []batchtest.Row
	for i := range 6000 {
		rows = append(rows, batchtest.Row{i, fmt.Sprint("k", i%7), i})
	}
	there := clone(rows)[1000:]
	for i := range 1500 {
		there[i*2][2] = -1
	}
	for i := range 300 {
		there = append(there, batchtest.Row{7000 + i, "x", i}, batchtest.Row{5900, "k6", 5900 + i})
	}
	var want string
	for _, c := range []struct {
		name string
		wrap func(reader.Stock) reader.Stock
	}{
		{"read again", func(s reader.Stock) reader.Stock { return unseeking{s} }},
		{"sought", func(s reader.Stock) reader.Stock { return s }},
		{"sought easily", func(s reader.Stock) reader.Stock { return easy{s} }},
	} {
		var mu sync.Mutex
		ops := map[mem.Op]int{}
		db := mem.NewDB(batchtest.Table{Table: shape, Rows: rows})
		src := &mem.Stock{DB: db, Parts: 3, Fault: func(op mem.Op, _ *schema.Table) error {
			mu.Lock()
			defer mu.Unlock()
			ops[op]++
			return nil
		}}
		res, err := Run(t.Context(), c.wrap(src), &sink{rows: there, pos: "p"}, []*schema.Table{shape}, options())
		if err != nil {
			t.Fatal(err)
		}
		r := res[0]
		r.Took = 0
		if r.Missing != 1000 || r.Changed != 1500 || r.Extra != 300 || r.Doubled != 300 || r.SourceRows != 6000 || r.SinkRows != 5600 {
			t.Errorf("%s: %+v", c.name, r)
		}
		if got := told(r) + fmt.Sprint(r.SourceRows, r.SinkRows); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
		switch c.name {
		case "read again":
			if ops[mem.Splits] < 3 {
				t.Errorf("%s: %v", c.name, ops)
			}
		case "sought": // the first look, and the one that finds out what differs, read all
			if ops[mem.Splits] != 2 || ops[mem.Seek] < 3 {
				t.Errorf("%s: %v", c.name, ops)
			}
		}
		if n := db.InUse(); n > 0 {
			t.Errorf("%s: %d readers are left open", c.name, n)
		}
	}
}

// Rows are counted as they are once they are equal, though some alone were looked up.
func TestSoughtCounts(t *testing.T) {
	shape := batchtest.Shape("d", "t", "id int key")
	table := batchtest.Table{Table: shape, Rows: []batchtest.Row{{1}, {2}, {3}}}
	s := &sink{rows: []batchtest.Row{{1}, {9}}, pos: "p0"}
	looks := 0
	s.then = func() {
		if looks++; looks == 4 {
			s.rows, s.pos = table.Rows, "p1"
		}
	}
	if r := compare(t, table, s, func(o *Options) {
		o.Wait = time.Minute
		o.Reached = func(held, _ batch.Position) (bool, error) { return held == "p1", nil }
	}); r.Differs() || r.SourceRows != 3 || r.SinkRows != 3 {
		t.Errorf("got %+v", r)
	}
}

// Keys of all types are what they were once they have been encoded.
func TestKeyBatch(t *testing.T) {
	all := batchtest.AllTypes("d", "t")
	b := batchtest.Build(memory.DefaultAllocator, all.Table, all.Rows)
	defer b.Release()
	for i, c := range all.Table.Columns {
		if c.Type.Kind == schema.JSON || c.Type.Kind == schema.Vector { // of which there are no keys
			continue
		}
		table := schema.New("d", "t", []schema.Column{c, all.Table.Columns[0]}, []int{1, 0})
		rows := array.NewRecordBatch(table.Arrow, []arrow.Array{b.Rows.Column(i), b.Rows.Column(0)}, b.Rows.NumRows())
		e := newEncoder(table)
		if err := e.bind(table, rows); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for row := range int(rows.NumRows()) {
			_, id := e.encode(row)
			ids = append(ids, string(id))
		}
		keys, err := keyBatch(table, ids)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if !array.Equal(keys.Column(1), rows.Column(0)) || !array.Equal(keys.Column(0), rows.Column(1)) {
			t.Errorf("%s: got %v, want %v", c.Name, keys.Column(1), rows.Column(0))
		}
		if _, err := keyBatch(table, []string{ids[0][:len(ids[0])-1]}); err == nil {
			t.Errorf("%s: a key that is cut short is one", c.Name)
		}
		keys.Release()
		rows.Release()
	}
}
