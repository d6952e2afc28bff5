package readertest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Source tells both stock and changes.
type Source interface {
	reader.Stock
	reader.Log
}

// A LogHarness is a source under test that holds the tables of RunLog.
type LogHarness struct {
	// Open opens the source. Batches come from alloc.
	Open func(t *testing.T, alloc memory.Allocator) Source
	// Apply makes changes in one transaction. Emptied comes alone.
	Apply func(t *testing.T, changes ...Change)
}

// A Change is one change of a table of the suite. Of an update Old is the row
// before it and Row the one after; an insert has no Old, a delete no Row.
type Change struct {
	Table    *schema.Table
	Old, Row batchtest.Row
	Emptied  bool
}

// RunLog runs the suite for logs, with a fresh LogHarness for each part.
func RunLog(t *testing.T, start func(t *testing.T, tables []batchtest.Table) LogHarness) {
	for _, part := range []struct {
		name string
		test func(k *logKit)
	}{
		{"every kind of change", (*logKit).everyChange},
		{"ops of a key that moves", (*logKit).movedKey},
		{"every type", (*logKit).everyType},
		{"read on from every position", (*logKit).everyPosition},
		{"tables at positions of their own", (*logKit).ownPositions},
		{"emptied", (*logKit).emptied},
		{"a log that stands still", (*logKit).still},
		{"an end that is reached", (*logKit).reached},
		{"a snapshot and what follows it", (*logKit).afterSnapshot},
		{"a big transaction", (*logKit).big},
		{"closed early", (*logKit).closedEarly},
	} {
		t.Run(strings.ReplaceAll(part.name, " ", "-"), func(t *testing.T) {
			tables := logTables()
			alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
			k := &logKit{T: t, h: start(t, tables), tables: tables}
			k.src = k.h.Open(t, alloc)
			part.test(k)
			if err := k.src.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if !t.Failed() {
				alloc.AssertSize(t, 0)
			}
		})
	}
}

// logTables are three tables, one of them of every type, which hold a few rows.
func logTables() []batchtest.Table {
	orders := batchtest.Shape(DB, "orders", "id bigint key", "note varchar(50)", "price decimal(5,2)")
	lines := batchtest.Shape(DB, "lines", "sku varchar(20) key", "n int key", "body varbinary(20)")
	types := allTypes()
	types.Rows = nil
	return []batchtest.Table{
		{Table: orders, Rows: []batchtest.Row{{int64(1), "one", "1.00"}, {int64(2), "two", nil}, {int64(3), "three", "3.50"}}},
		{Table: lines, Rows: []batchtest.Row{{"a", int64(1), []byte{1}}}},
		types,
	}
}

// A logKit is a test with an open source and a model of its tables.
type logKit struct {
	*testing.T
	h      LogHarness
	tables []batchtest.Table // as they are now
	src    Source
}

func (k *logKit) table(name string) *batchtest.Table {
	for i := range k.tables {
		if k.tables[i].Name == name {
			return &k.tables[i]
		}
	}
	panic(name)
}

// apply changes the source, and the model with it.
func (k *logKit) apply(changes ...Change) {
	k.Helper()
	own := map[*batchtest.Table]bool{}
	for _, c := range changes {
		t := k.table(c.Table.Name)
		if !own[t] {
			own[t], t.Rows = true, slices.Clone(t.Rows) // copies of the model keep theirs
		}
		switch {
		case c.Emptied:
			t.Rows = nil
			continue
		case c.Old != nil:
			t.Rows = slices.DeleteFunc(t.Rows, func(r batchtest.Row) bool { return r.String() == c.Old.String() })
		}
		if c.Row != nil {
			t.Rows = append(t.Rows, c.Row)
		}
	}
	k.h.Apply(k.T, changes...)
}

// listed returns the source's own tables, in the order of the model's.
func (k *logKit) listed() []*schema.Table {
	k.Helper()
	all, err := k.src.Tables(k.Context(), reader.Selection{DB: DB})
	if err != nil {
		k.Fatalf("list tables: %v", err)
	}
	var out []*schema.Table
	for _, t := range k.tables {
		i := slices.IndexFunc(all, func(o *schema.Table) bool { return o.Name == t.Name })
		if i < 0 {
			k.Fatalf("%s is not listed", t)
		}
		out = append(out, all[i])
	}
	return out
}

func (k *logKit) locate(where string) batch.Position {
	k.Helper()
	pos, err := k.src.Locate(k.Context(), where)
	if err != nil {
		k.Fatalf("locate %s: %v", where, err)
	}
	return pos
}

// A state is what tables hold, by name, with the place in the log.
type state struct {
	pos  batch.Position
	rows map[string][]batchtest.Row
}

// contents copies the model's rows.
func (k *logKit) contents() map[string][]batchtest.Row {
	m := map[string][]batchtest.Row{}
	for _, t := range k.tables {
		m[t.Name] = slices.Clone(t.Rows)
	}
	return m
}

// from gives all listed tables the same position.
func from(tables []*schema.Table, pos batch.Position) map[*schema.Table]batch.Position {
	m := map[*schema.Table]batch.Position{}
	for _, t := range tables {
		m[t] = pos
	}
	return m
}

// follow reads changes up to until and applies them to rows. It returns what
// the tables held at each position that came.
func (k *logKit) follow(at map[*schema.Table]batch.Position, until batch.Position, rows map[string][]batchtest.Row) []state {
	k.Helper()
	rd, err := k.src.Changes(k.Context(), at, until)
	if err != nil {
		k.Fatalf("open changes: %v", err)
	}
	defer rd.Close()
	var states []state
	for late := time.Now().Add(late); ; {
		b, err := rd.Read(k.Context())
		if err == io.EOF {
			return states
		}
		if err != nil {
			k.Fatalf("read changes: %v", err)
		}
		if time.Now().After(late) {
			k.Fatalf("the end %s does not come, but %s", until, b.Pos)
		}
		if err := replay(b, rows); err != nil {
			k.Error(err)
		}
		if b.Pos != "" {
			now := map[string][]batchtest.Row{}
			for name, r := range rows {
				now[name] = slices.Clone(r)
			}
			states = append(states, state{b.Pos, now})
		}
		b.Release()
	}
}

// replay applies a batch to rows, and complains of what no sink could apply.
func replay(b *batch.Batch, rows map[string][]batchtest.Row) error {
	if b.Table == nil {
		if b.Rows != nil || b.Pos == "" {
			return errors.New("a batch without a table must have a position and no rows")
		}
		return nil
	}
	name := b.Table.Name
	if b.Emptied {
		rows[name] = nil
	}
	if b.Rows == nil {
		return nil
	}
	changes, err := batchtest.Rows(b.Rows)
	if err != nil {
		return err
	}
	for i, c := range changes {
		op := batch.Insert
		if b.Ops != nil {
			op = b.Ops[i]
		}
		at := slices.IndexFunc(rows[name], func(r batchtest.Row) bool {
			return !slices.ContainsFunc(b.Table.Key, func(k int) bool { return fmt.Sprint(r[k]) != fmt.Sprint(c[k]) })
		})
		if op == batch.Before && (i+1 == len(changes) || b.Ops[i+1] != batch.After) {
			return fmt.Errorf("%s: an old image without a new one right after it", b.Table)
		}
		if op == batch.Insert && at >= 0 {
			return fmt.Errorf("%s: an insert of %v, which is there", b.Table, c)
		}
		if op != batch.Insert && at >= 0 {
			rows[name] = slices.Delete(slices.Clone(rows[name]), at, at+1)
		}
		if op == batch.Insert || op == batch.After {
			rows[name] = append(slices.Clip(rows[name]), c)
		}
	}
	return nil
}

// same compares what was read with the model.
func (k *logKit) same(got map[string][]batchtest.Row) {
	k.Helper()
	for _, t := range k.tables {
		if d := batchtest.Diff(got[t.Name], t.Rows); d != "" {
			k.Errorf("%s: %s", t, d)
		}
	}
}
