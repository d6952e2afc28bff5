package readertest

import (
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// next reads a batch, checks what holds for each, and returns its rows.
func (k *kit) next(r reader.Reader, s reader.Split) ([]batchtest.Row, error) {
	ctx, cancel := k.brief()
	defer cancel()
	b, err := r.Read(ctx)
	if err != nil {
		if b != nil {
			return nil, errors.Join(err, errors.New("a batch came with an error"))
		}
		return nil, err
	}
	defer b.Release()
	if err := checkBatch(b, s); err != nil {
		return nil, err
	}
	return batchtest.Rows(b.Rows)
}

func checkBatch(b *batch.Batch, s reader.Split) error {
	switch {
	case b.Table != s.Table:
		return errors.New("the batch is of another table than the split")
	case b.Rows.NumRows() == 0:
		return errors.New("the batch is empty")
	case !b.Rows.Schema().Equal(s.Table.Arrow):
		return fmt.Errorf("the batch has schema %s, want %s", b.Rows.Schema(), s.Table.Arrow)
	case b.Ops != nil:
		return errors.New("the batch has Ops, which stock has not")
	case b.Origin != s.Seq:
		return fmt.Errorf("the batch has Origin %d, want %d", b.Origin, s.Seq)
	case b.Bytes <= 0:
		return fmt.Errorf("the batch has %d bytes, want more", b.Bytes)
	}
	return nil
}

// everyRowOnce reads each table split after split. Where there is a key, the
// splits and the rows within them come in its order.
func (k *kit) everyRowOnce() {
	for _, parallel := range []int{1, 4} {
		tables := k.list()
		snap := k.pin(tables, parallel)
		if snap.Position() == "" {
			k.Error("the point has no position: a sink takes what is committed with it for unfinished")
		}
		for _, t := range tables {
			for i, s := range k.splits(snap, t) {
				if s.Seq != i || s.Table != t || s.Rows < 0 {
					k.Errorf("%s: got split %+v, want number %d and an estimate of at least 0", t, s, i)
				}
			}
			want := k.table(t.Name)
			diff := batchtest.DiffOrdered
			if want.Key == nil {
				diff = batchtest.Diff
			}
			if d := diff(k.readAll(snap, t), want.Rows); d != "" {
				k.Errorf("%s with %d readers: %s", t, parallel, d)
			}
		}
		k.close(snap)
	}
}

// plainSplits opens splits backwards, twice, and from their exported fields
// alone, as if they had been written down. The empty range is the whole table.
func (k *kit) plainSplits() {
	tables := k.list("pairs", "keyless")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	for _, t := range tables {
		splits := k.splits(snap, t)
		for range 2 {
			var rows []batchtest.Row
			for i := len(splits) - 1; i >= 0; i-- {
				more, err := k.read(snap, reader.Split{Table: t, Range: splits[i].Range, Seq: i})
				if err != nil {
					k.Fatalf("read %s %q: %v", t, splits[i].Range, err)
				}
				rows = append(rows, more...)
			}
			if d := batchtest.Diff(rows, k.table(t.Name).Rows); d != "" {
				k.Errorf("%s backwards: %s", t, d)
			}
		}
		rows, err := k.read(snap, reader.Split{Table: t})
		if err != nil {
			k.Fatalf("read %s whole: %v", t, err)
		}
		if d := batchtest.Diff(rows, k.table(t.Name).Rows); d != "" {
			k.Errorf("%s whole: %s", t, d)
		}
	}
}

// everyType compares value by value, so that a failure names the type.
func (k *kit) everyType() {
	tables := k.list("types")
	t := tables[0]
	snap := k.pin(tables, 1)
	defer k.close(snap)
	want := k.table(t.Name).Rows
	got := k.readAll(snap, t)
	if len(got) != len(want) {
		k.Fatalf("got %d rows, want %d", len(got), len(want))
	}
	for i, row := range want {
		for c, v := range row {
			if g, w := (batchtest.Row{got[i][c]}).String(), (batchtest.Row{v}).String(); g != w {
				k.Errorf("row %d, %s: got %s, want %s", i, t.Columns[c].Native, g, w)
			}
		}
	}
}

// bounded wants no batch over the bound, but for the row that it ends with.
func (k *kit) bounded() {
	if k.h.BatchBytes == 0 {
		k.Skip("the harness knows no bound")
	}
	tables := k.list("wide")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	most := 0
	for _, r := range k.table("wide").Rows {
		most = max(most, r.Size()+64) // a protocol's own bytes included
	}
	for _, s := range k.splits(snap, tables[0]) {
		r, err := k.open(snap, s)
		if err != nil {
			k.Fatalf("open: %v", err)
		}
		for {
			b, err := r.Read(k.Context())
			if err != nil {
				break // everyRowOnce has seen to it that this is the end
			}
			if limit := k.h.BatchBytes + most; b.Bytes > limit {
				k.Errorf("got a batch of %d rows and %d bytes, want at most %d", b.Rows.NumRows(), b.Bytes, limit)
			}
			b.Release()
		}
		k.close(r)
	}
}

// readersAtOnce reads all splits of all tables, four at a time, with twice as
// many callers as that.
func (k *kit) readersAtOnce() {
	tables := k.list()
	snap := k.pin(tables, 4)
	defer k.close(snap)
	for _, t := range tables {
		splits := k.splits(snap, t)
		rows := make([][]batchtest.Row, len(splits))
		var g errgroup.Group
		g.SetLimit(8)
		for i, s := range splits {
			g.Go(func() (err error) {
				rows[i], err = k.read(snap, s)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			k.Fatalf("read %s: %v", t, err)
		}
		var all []batchtest.Row
		for _, r := range rows {
			all = append(all, r...)
		}
		if d := batchtest.Diff(all, k.table(t.Name).Rows); d != "" {
			k.Errorf("%s: %s", t, d)
		}
	}
}
