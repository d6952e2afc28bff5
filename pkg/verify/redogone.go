package verify

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// lookUp is how many keys are looked up at a time.
const lookUp = 1000

// leftOver takes rows of the sink away that the source has not, and gives those that it has
// outside of the part what the source has.
func (r *redoing) leftOver(ctx context.Context) error {
	seeker, ok := r.snap.(reader.Seeker)
	if !ok {
		return errors.New("the source does not find rows by their keys")
	}
	return r.scan(ctx, func(ctx context.Context, e *encoder, b arrow.RecordBatch, rows []int) error {
		var left []int
		for _, i := range rows {
			key, at := r.of(e, i)
			at.mu.Lock()
			if _, is := at.of[key]; is {
				left = append(left, i)
			}
			at.mu.Unlock()
		}
		for len(left) > 0 {
			some := left[:min(len(left), lookUp)]
			left = left[len(some):]
			keys := make([]bucketSum, len(some)) // before the encoder goes on
			for n, i := range some {
				keys[n], _ = r.of(e, i)
			}
			if err := r.missed(ctx, seeker, b, some, keys); err != nil {
				return err
			}
		}
		return nil
	})
}

// missed hands on what becomes of rows of a batch of the sink's.
func (r *redoing) missed(ctx context.Context, seeker reader.Seeker, b arrow.RecordBatch, rows []int, ids []bucketSum) error {
	some, err := pick(ctx, b, rows)
	if err != nil {
		return err
	}
	defer some.Release()
	keys := keysOf(r.Table, some)
	defer keys.Release()
	rd, err := seeker.Seek(ctx, r.Table, keys)
	if err != nil {
		return err
	}
	there, e := map[bucketSum]bool{}, r.encoder()
	err = reader.Each(ctx, rd, func(b *batch.Batch) error {
		if err := e.hash(r.Table, b.Rows); err != nil {
			return err
		}
		for i := range e.hasher.id {
			there[bucketSum{e.hasher.id[i], e.hasher.id2[i]}] = true
		}
		b.Rows.Retain()
		ops := make([]batch.Op, b.Rows.NumRows())
		for i := range ops {
			ops[i] = batch.After
		}
		return r.emit(&batch.Batch{Table: r.Table, Rows: b.Rows, Ops: ops})
	})
	if err := errors.Join(err, rd.Close()); err != nil {
		return err
	}
	var gone []int
	for i, id := range ids {
		if !there[id] {
			gone = append(gone, i)
		}
	}
	if r.Deleted == "" {
		return r.put(ctx, some, gone, batch.Delete)
	}
	marked := r.marked(some)
	defer marked.Release()
	return r.put(ctx, marked, gone, batch.After)
}

// keysOf returns the columns of the key.
func keysOf(t *schema.Table, b arrow.RecordBatch) arrow.RecordBatch {
	fields, columns := make([]arrow.Field, len(t.Key)), make([]arrow.Array, len(t.Key))
	for i, k := range t.Key {
		fields[i], columns[i] = t.Arrow.Field(k), b.Column(k)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.NumRows())
}

// gone returns what tells rows of a batch of the sink's that are marked as deleted.
func (r *Redo) gone(b arrow.RecordBatch) func(row int) bool {
	if i := r.Table.Index(r.Deleted); r.Deleted != "" && i >= 0 {
		if marks, ok := b.Column(i).(*array.Boolean); ok {
			return func(row int) bool { return marks.IsValid(row) && marks.Value(row) }
		}
	}
	return func(int) bool { return false }
}

// marked returns the rows of a batch as deleted ones.
func (r *Redo) marked(b arrow.RecordBatch) arrow.RecordBatch {
	marks := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer marks.Release()
	for range b.NumRows() {
		marks.Append(true)
	}
	column := marks.NewArray()
	defer column.Release()
	columns := append([]arrow.Array(nil), b.Columns()...)
	columns[r.Table.Index(r.Deleted)] = column
	return array.NewRecordBatch(b.Schema(), columns, b.NumRows())
}

// pick returns some rows of a batch, in a batch of their own.
func pick(ctx context.Context, b arrow.RecordBatch, rows []int) (arrow.RecordBatch, error) {
	if int64(len(rows)) == b.NumRows() {
		b.Retain()
		return b, nil
	}
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	next := 0
	for i := range int(b.NumRows()) {
		is := next < len(rows) && rows[next] == i
		if mask.Append(is); is {
			next++
		}
	}
	keep := mask.NewArray()
	defer keep.Release()
	return compute.FilterRecordBatch(ctx, b, keep, compute.DefaultFilterOptions())
}
