package readertest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// script makes transactions of every kind, and calls after behind each.
func (k *logKit) script(after func()) {
	orders, lines := k.table("orders").Table, k.table("lines").Table
	for _, tx := range [][]Change{
		{{Table: orders, Row: batchtest.Row{int64(4), "four", nil}}},
		{{Table: orders, Old: batchtest.Row{int64(1), "one", "1.00"}, Row: batchtest.Row{int64(1), "uno", "1.00"}}},
		{{Table: orders, Old: batchtest.Row{int64(2), "two", nil}}},
		{{Table: orders, Old: batchtest.Row{int64(3), "three", "3.50"}, Row: batchtest.Row{int64(30), "three", "3.50"}}},
		{
			{Table: lines, Row: batchtest.Row{"a", int64(2), []byte{0, 255}}},
			{Table: orders, Row: batchtest.Row{int64(5), "five", "-5.55"}},
			{Table: lines, Old: batchtest.Row{"a", int64(1), []byte{1}}, Row: batchtest.Row{"b", int64(1), nil}},
			{Table: orders, Old: batchtest.Row{int64(5), "five", "-5.55"}},
		},
		{{Table: lines, Old: batchtest.Row{"b", int64(1), nil}}},
		{{Table: orders, Row: batchtest.Row{int64(2), "two again", "0.00"}}},
	} {
		k.apply(tx...)
		after()
	}
}

func (k *logKit) everyChange() {
	tables := k.listed()
	rows, start := k.contents(), k.locate("now")
	k.script(func() {})
	k.follow(from(tables, start), k.locate("now"), rows)
	k.same(rows)
}

// Only a key that changes has its old image told.
func (k *logKit) movedKey() {
	tables := k.listed()
	start := k.locate("now")
	orders := k.table("orders").Table
	k.apply(Change{Table: orders, Old: batchtest.Row{int64(1), "one", "1.00"}, Row: batchtest.Row{int64(1), "uno", nil}})
	k.apply(Change{Table: orders, Old: batchtest.Row{int64(2), "two", nil}, Row: batchtest.Row{int64(20), "two", nil}})
	k.apply(Change{Table: orders, Old: batchtest.Row{int64(3), "three", "3.50"}})
	rd, err := k.src.Changes(k.Context(), from(tables, start), k.locate("now"))
	if err != nil {
		k.Fatal(err)
	}
	defer rd.Close()
	var ops []batch.Op
	for {
		b, err := rd.Read(k.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			k.Fatal(err)
		}
		ops = append(ops, b.Ops...)
		b.Release()
	}
	want := []batch.Op{batch.After, batch.Before, batch.After, batch.Delete}
	if fmt.Sprint(ops) != fmt.Sprint(want) {
		k.Errorf("got ops %v, want %v", ops, want)
	}
}

func (k *logKit) everyType() {
	tables := k.listed()
	rows, start := k.contents(), k.locate("now")
	types := allTypes()
	var changes []Change
	for _, r := range types.Rows {
		changes = append(changes, Change{Table: types.Table, Row: r})
	}
	k.apply(changes...)
	k.follow(from(tables, start), k.locate("now"), rows)
	k.same(rows)
}

func (k *logKit) everyPosition() {
	tables := k.listed()
	rows, start := k.contents(), k.locate("now")
	k.script(func() {})
	end := k.locate("now")
	states := k.follow(from(tables, start), end, rows)
	if len(states) == 0 {
		k.Fatal("got no position")
	}
	for _, s := range states {
		k.follow(from(tables, s.pos), end, s.rows)
		k.same(s.rows)
	}
}

func (k *logKit) ownPositions() {
	tables := k.listed()
	positions := []batch.Position{k.locate("now")}
	states := []map[string][]batchtest.Row{k.contents()}
	k.script(func() {
		positions = append(positions, k.locate("now"))
		states = append(states, k.contents())
	})
	end := k.locate("now")
	for i := range positions {
		at := map[*schema.Table]batch.Position{}
		rows := map[string][]batchtest.Row{}
		for n, t := range tables {
			one := (i + 3*n) % len(positions)
			at[t] = positions[one]
			rows[t.Name] = states[one][t.Name]
		}
		k.follow(at, end, rows)
		k.same(rows)
	}
	// A table that is not asked for is left out.
	rows := map[string][]batchtest.Row{"orders": states[0]["orders"]}
	k.follow(from(tables[:1], positions[0]), end, rows)
	if d := batchtest.Diff(rows["orders"], k.table("orders").Rows); d != "" || len(rows) != 1 {
		k.Errorf("got %d tables, want 1; %s", len(rows), d)
	}
}

func (k *logKit) emptied() {
	tables := k.listed()
	rows, start := k.contents(), k.locate("now")
	orders := k.table("orders").Table
	k.apply(Change{Table: orders, Row: batchtest.Row{int64(9), "nine", nil}})
	k.apply(Change{Table: orders, Emptied: true})
	k.apply(Change{Table: orders, Row: batchtest.Row{int64(9), "nine again", nil}})
	for _, s := range k.follow(from(tables, start), k.locate("now"), rows) {
		rest := s.rows
		k.follow(from(tables, s.pos), k.locate("now"), rest)
		k.same(rest)
	}
	k.same(rows)
}

// still reads where nothing happens, then something does, then nothing again.
func (k *logKit) still() {
	tables := k.listed()
	rows := k.contents()
	rd, err := k.src.Changes(k.Context(), from(tables, k.locate("now")), "")
	if err != nil {
		k.Fatal(err)
	}
	defer rd.Close()
	read := func(want func(*batch.Batch) bool) batch.Position {
		k.Helper()
		for late := time.Now().Add(late); time.Now().Before(late); {
			b, err := rd.Read(k.Context())
			if err != nil {
				k.Fatal(err)
			}
			err = replay(b, rows)
			b.Release()
			if err != nil {
				k.Error(err)
			}
			if want(b) {
				return b.Pos
			}
		}
		k.Fatal("it does not come")
		return ""
	}
	read(func(b *batch.Batch) bool { return b.Table == nil && b.Pos != "" })
	k.apply(Change{Table: k.table("orders").Table, Row: batchtest.Row{int64(9), "nine", nil}})
	began := time.Now()
	pos := read(func(b *batch.Batch) bool { return len(rows["orders"]) == 4 && b.Pos != "" })
	if d := time.Since(began); d > 2*time.Second {
		k.Errorf("a change was held back for %s", d)
	}
	// Others may use the same server, so that it need not be the very end.
	if h, err := k.src.Headroom(k.Context(), pos); err != nil || h.Gone || !h.AtEnd && h.Behind > time.Minute {
		k.Errorf("at the end: got headroom %+v, %v", h, err)
	}
	read(func(b *batch.Batch) bool { return b.Table == nil && b.Pos != "" })
	k.same(rows)
}

// reached asks for an end that the position is at already.
func (k *logKit) reached() {
	tables := k.listed()
	rows, start := k.contents(), k.locate("now")
	k.follow(from(tables, start), start, rows)
	k.same(rows)
	k.script(func() {})
	end := k.locate("now")
	k.follow(from(tables, end), end, k.contents())
	// What is behind the end is left alone.
	want := k.contents()
	k.apply(Change{Table: k.table("orders").Table, Row: batchtest.Row{int64(9), "nine", nil}})
	k.follow(from(tables, start), end, rows)
	for name := range want {
		if d := batchtest.Diff(rows[name], want[name]); d != "" {
			k.Errorf("%s at the end asked for: %s", name, d)
		}
	}
}

// afterSnapshot pins a point, changes the source, and reads on from the point.
func (k *logKit) afterSnapshot() {
	tables := k.listed()
	k.script(func() {})
	snap, err := k.src.Pin(k.Context(), tables, 1)
	if err != nil {
		k.Fatal(err)
	}
	defer snap.Close()
	orders := k.table("orders").Table
	k.apply(Change{Table: orders, Row: batchtest.Row{int64(9), "nine", nil}})
	k.apply(Change{Table: orders, Old: batchtest.Row{int64(1), "uno", "1.00"}})
	stock := &kit{T: k.T, stock: k.src}
	rows := map[string][]batchtest.Row{}
	for _, t := range tables {
		rows[t.Name] = stock.readAll(snap, t)
	}
	k.follow(from(tables, snap.Position()), k.locate("now"), rows)
	k.same(rows)
}

func (k *logKit) big() {
	tables := k.listed()
	start := k.locate("now")
	orders := k.table("orders").Table
	var changes []Change
	for i := range 30_000 {
		changes = append(changes, Change{Table: orders, Row: batchtest.Row{int64(100 + i), "note", "1.00"}})
	}
	k.apply(changes...)
	rd, err := k.src.Changes(k.Context(), from(tables, start), k.locate("now"))
	if err != nil {
		k.Fatal(err)
	}
	defer rd.Close()
	batches, got := 0, int64(0)
	for {
		b, err := rd.Read(k.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			k.Fatal(err)
		}
		if b.Rows != nil {
			batches++
			got += b.Rows.NumRows()
		}
		b.Release()
	}
	if got != 30_000 || batches < 2 {
		k.Errorf("got %d rows in %d batches, want 30000 in several", got, batches)
	}
}

func (k *logKit) closedEarly() {
	tables := k.listed()
	start := k.locate("now")
	k.script(func() {})
	rd, err := k.src.Changes(k.Context(), from(tables, start), "")
	if err != nil {
		k.Fatal(err)
	}
	b, err := rd.Read(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	b.Release()
	if err := rd.Close(); err != nil {
		k.Errorf("close: %v", err)
	}

	rd, err = k.src.Changes(k.Context(), from(tables, k.locate("now")), "")
	if err != nil {
		k.Fatal(err)
	}
	ctx, cancel := context.WithCancel(k.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	for err == nil {
		b, err = rd.Read(ctx)
		if err == nil {
			b.Release()
		}
	}
	if ctx.Err() == nil {
		k.Errorf("got %v before the context was cancelled", err)
	}
	if err := rd.Close(); err != nil {
		k.Errorf("close after a cancelled read: %v", err)
	}
}
