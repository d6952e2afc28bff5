package move_test

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	wmem "github.com/tablehaul/tablehaul/pkg/writer/mem"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// A world is a source and a destination, and the program that runs between them
// as often as it takes.
type world struct {
	t      *testing.T
	db     *rmem.DB
	tables []*schema.Table // as the source lists them, by name
	dest   writertest.Harness
	sinks  []writer.Sink // to be closed in the end
	alloc  *memory.CheckedAllocator
}

// newWorld makes a source of tables whose batches hold a few rows each.
func newWorld(t *testing.T, dest writertest.Harness, tables ...batchtest.Table) *world {
	w := &world{t: t, db: rmem.NewDB(tables...), dest: dest}
	w.alloc = memory.NewCheckedAllocator(memory.DefaultAllocator)
	var err error
	if w.tables, err = w.stock().Tables(t.Context(), reader.Selection{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// stock opens the source anew.
func (w *world) stock() *rmem.Stock {
	return &rmem.Stock{DB: w.db, Alloc: w.alloc, BatchBytes: 60, Parts: 3}
}

// snapshot is one run of the program. Whatever comes of it, it must have given
// back what it took.
func (w *world) snapshot(src reader.Stock, sink writer.Sink, opts move.SnapshotOptions) error {
	w.t.Helper()
	err := move.Snapshot(w.t.Context(), src, sink, w.tables, opts)
	w.freed()
	return err
}

// open opens the destination anew. What was open before stays so until the end,
// as a crash would leave it.
func (w *world) open() writer.Sink {
	s := w.dest.Open(w.t)
	w.sinks = append(w.sinks, s)
	return s
}

// close closes the sinks that the test has opened.
func (w *world) close() {
	for _, s := range w.sinks {
		_ = s.Close()
	}
}

func (w *world) freed() {
	w.t.Helper()
	if n := w.db.InUse(); n != 0 {
		w.t.Errorf("got %d snapshots and readers still open after the run", n)
	}
	w.alloc.AssertSize(w.t, 0)
}

// visible returns what the destination shows of a table.
func (w *world) visible(t *schema.Table) []batchtest.Row {
	w.t.Helper()
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	var rows []batchtest.Row
	for _, rec := range w.dest.Rows(w.t, t) {
		more, err := batchtest.Rows(rec, names...)
		if err != nil {
			w.t.Errorf("read %s back: %v", t, err)
		}
		rows = append(rows, more...)
	}
	return rows
}

// want compares a table at the destination with rows.
func (w *world) want(t *schema.Table, rows []batchtest.Row) {
	w.t.Helper()
	if diff := batchtest.Diff(w.visible(t), rows); diff != "" {
		w.t.Errorf("%s: %s", t, diff)
	}
}

// shop is a small source with what tables differ in for the engine: columns, no
// key, no rows, and enough rows for several splits of several batches.
func shop() []batchtest.Table {
	orders := batchtest.Shape("shop", "orders", "id bigint key", "note varchar(50)")
	lines := batchtest.Shape("shop", "lines", "id varchar(50) key", "n int key", "price decimal(5,2)")
	events := batchtest.Shape("shop", "events", "n int")
	types := batchtest.Shape("shop", "types", "id int key", "at datetime(6)", "body varbinary(20)", "n bigint unsigned")
	empty := batchtest.Shape("shop", "empty", "id bigint key")
	return []batchtest.Table{
		{Table: types, Rows: batchtest.Fill(types, 6)},
		{Table: orders, Rows: batchtest.Fill(orders, 24)},
		{Table: lines, Rows: batchtest.Fill(lines, 10)},
		{Table: events, Rows: []batchtest.Row{{1}, {1}, {nil}, {1}}},
		{Table: empty},
	}
}

// content returns the rows of the table in tables.
func content(tables []batchtest.Table, t *schema.Table) []batchtest.Row {
	at := slices.IndexFunc(tables, func(o batchtest.Table) bool { return o.String() == t.String() })
	return tables[at].Rows
}

// inMemory is a destination in memory.
func inMemory(t *testing.T) (writertest.Harness, *wmem.State) {
	state := &wmem.State{}
	return writertest.Harness{
		Open: func(*testing.T) writer.Sink { return wmem.Sink{State: state} },
		Rows: func(_ *testing.T, table *schema.Table) []arrow.RecordBatch {
			return []arrow.RecordBatch{batchtest.Build(memory.DefaultAllocator, table, state.Rows(table)).Rows}
		},
	}, state
}
