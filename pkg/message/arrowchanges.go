package message

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// changes appends the n rows of the batch at hand. All that may be wrong with them is
// found before the first is appended.
func (r *ArrowReader) changes(t *arrowShape, n, size int) error {
	if letter := r.text(t, schema.MetaOp, 0); n == 1 && string(letter) == schema.OpTruncate {
		return r.to.Emptied(t.shape.DB, t.shape.Name, Change{
			Once: true, Micros: r.micros(t, 1), GTID: r.text(t, schema.MetaGTID, 0), Pos: r.text(t, schema.MetaPos, 0),
		})
	}
	if err := r.readOps(t, n); err != nil {
		return fmt.Errorf("%s: %w", t.shape, err)
	}
	for _, k := range t.shape.Key {
		if r.parts[k].Valid != nil {
			return fmt.Errorf("column %s of %s, which is of its key, has NULL", t.shape.Columns[k].Name, t.shape)
		}
	}
	if err := r.texts(t, n); err != nil {
		return err
	}
	rows := r.pick(t, n)
	if len(r.ops) == 0 {
		return nil
	}
	into := t.rows.Into
	for i, take := range t.take {
		take(&r.parts[i], rows)
	}
	for range r.ops {
		for _, c := range t.rows.rest {
			c.Null()
		}
	}
	if t.rows.log {
		for m, c := range into.Builder.Columns[len(own(into.Table)):] {
			c.Take(&r.parts[t.meta[m+1]], rows)
		}
	}
	if micros := r.micros(t, n); micros < t.rows.Loose && !t.rows.log {
		for i, op := range r.ops {
			if op == batch.Insert {
				r.ops[i] = batch.After
			}
		}
	}
	into.Builder.EndRows(len(r.ops), size)
	into.Ops = append(into.Ops, r.ops...)
	into.know()
	into.at(r.micros(t, n))
	return nil
}

// readOps reads what is said of each row.
func (r *ArrowReader) readOps(t *arrowShape, n int) error {
	r.ops = slices.Grow(r.ops[:0], n)
	update := false // the row before was that of before one
	for i := range n {
		op, letter := batch.Insert, r.text(t, schema.MetaOp, i)
		switch string(letter) {
		case schema.OpRead, schema.OpInsert:
		case schema.OpBefore:
			op = batch.Before
		case schema.OpUpdate:
			op = batch.After
		case schema.OpDelete:
			op = batch.Delete
		default:
			return fmt.Errorf("row %d has the op %.10q", i, letter)
		}
		if update && op != batch.After { // while a row may come that replaces any other
			return fmt.Errorf("row %d: an update lacks one of its rows", i)
		}
		update = op == batch.Before
		r.ops = append(r.ops, op)
	}
	if update {
		return fmt.Errorf("row %d: an update lacks one of its rows", n)
	}
	return nil
}

// pick drops the rows of before updates where those do not matter: none of them has
// changed the key. So it does those of changes that are covered. It returns nil where all
// rows stay.
func (r *ArrowReader) pick(t *arrowShape, n int) []int32 {
	old, covers := t.rows.Old(), t.rows.Covers
	if old && covers == nil {
		return nil
	}
	r.rows = r.rows[:0]
	for i, op := range r.ops {
		if op == batch.Before && !old || covers != nil && covers(r.text(t, schema.MetaGTID, i)) {
			continue
		}
		r.ops[len(r.rows)] = op
		r.rows = append(r.rows, int32(i))
	}
	if r.ops = r.ops[:len(r.rows)]; len(r.rows) == n {
		return nil
	}
	return r.rows
}

// valid reports whether a value of the batch at hand is not null.
func valid(v *batch.Values, row int) bool {
	return v.Valid == nil || v.Valid[row>>3]&(1<<(row&7)) != 0
}

// text is what a row of the batch at hand has in a column of texts; empty for null.
func (r *ArrowReader) text(t *arrowShape, m schema.Meta, row int) []byte {
	v := &r.parts[t.meta[m]]
	if !valid(v, row) {
		return nil
	}
	return v.Data[binary.LittleEndian.Uint32(v.Offsets[4*row:]):binary.LittleEndian.Uint32(v.Offsets[4*row+4:])]
}

// micros is the last time that the first n rows of the batch at hand tell.
func (r *ArrowReader) micros(t *arrowShape, n int) int64 {
	v := &r.parts[t.meta[schema.MetaTime]]
	for i := n - 1; i >= 0; i-- {
		if valid(v, i) {
			return int64(binary.LittleEndian.Uint64(v.Data[8*i:]))
		}
	}
	return 0
}
