package shape

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A shaper makes the rows of one table, batch after batch. It is for one goroutine.
type shaper struct {
	p     *plan
	where *expr.Rows
	sets  []*expr.Rows // one for each column; nil for others
	pool  *batch.Pool
	own   int // columns that the source's table has

	rows  []int32    // of the batch at hand that are wanted, in order
	ops   []batch.Op // what becomes of them
	names []string   // of a changelog, and for _op: likewise
	gone  []bool     // those that stay as deleted ones
}

func (p *plan) shaper() *shaper {
	x := &shaper{p: p, sets: make([]*expr.Rows, len(p.cols)), pool: &batch.Pool{Limit: 8 << 20}, own: len(rows(p.base).Columns)}
	if p.where != nil {
		x.where = p.where.Rows()
	}
	for i, c := range p.cols {
		if c.set != nil {
			x.sets[i] = c.set.Rows()
		}
	}
	return x
}

func (x *shaper) reset() {
	x.rows, x.ops, x.names, x.gone = x.rows[:0], nil, x.names[:0], x.gone[:0]
}

// stock shapes rows of stock, all of which meet the condition.
func (x *shaper) stock(b *batch.Batch) (*batch.Batch, error) {
	x.reset()
	for i := range int(b.Rows.NumRows()) {
		x.keep(i, batch.Insert, schema.OpRead, false)
	}
	x.ops = nil
	return x.made(b)
}

// keep has row i be among those that come out.
func (x *shaper) keep(i int, op batch.Op, name string, gone bool) {
	x.rows = append(x.rows, int32(i))
	x.ops = append(x.ops, op)
	x.names = append(x.names, name)
	x.gone = append(x.gone, gone)
}

// next shapes a batch of a log; nil is one of which nothing is left.
func (x *shaper) next(b *batch.Batch) (*batch.Batch, error) {
	if b.Rows == nil {
		b.Table = x.p.t
		return b, nil
	}
	out, err := x.log(b)
	if err == nil && out.Table == nil && out.Pos == "" {
		return nil, nil //nolint:nilnil // as said
	}
	return out, err
}

// log shapes rows of a log.
func (x *shaper) log(b *batch.Batch) (out *batch.Batch, err error) {
	x.reset()
	if x.where != nil {
		x.where.Take(b.Rows)
	}
	switch {
	case x.p.t.IsChangelog():
		err = x.changes(b)
	case len(x.p.t.Key) == 0:
		err = x.inserts(b)
	default:
		err = x.fold(b)
	}
	if err != nil {
		b.Release()
		return nil, tableError(x.p.t, err)
	}
	if len(x.rows) == 0 && !b.Emptied {
		rest := &batch.Batch{Pos: b.Pos, Time: b.Time}
		b.Release()
		return rest, nil
	}
	return x.made(b)
}

// in reports whether the condition is true of a row.
func (x *shaper) in(i int) (bool, error) {
	if x.where == nil {
		return true, nil
	}
	return x.where.True(i)
}

// inserts are rows of a table without a key, of which there are no others.
func (x *shaper) inserts(b *batch.Batch) error {
	for i := range int(b.Rows.NumRows()) {
		in, err := x.in(i)
		if err != nil {
			return err
		}
		if in {
			x.keep(i, batch.Insert, schema.OpInsert, false)
		}
	}
	x.ops = nil
	return nil
}

// was is in for a row of which perhaps not all is known: of old rows whose key alone is known it
// is not known whether they were there.
func (x *shaper) was(i int, op batch.Op, whole bool) (bool, error) {
	if !whole && (op == batch.Before || op == batch.Delete) {
		return true, nil
	}
	return x.in(i)
}

// fold finds out what becomes of rows by their key: a change into the condition brings a row, one
// out of it takes it away. One that was outside before and after is nothing.
func (x *shaper) fold(b *batch.Batch) error {
	plain, whole := true, b.Table.IsImaged()
	for i, n := 0, int(b.Rows.NumRows()); i < n; i++ {
		op := batch.Insert
		if b.Ops != nil {
			op = b.Ops[i]
		}
		in, err := x.was(i, op, whole)
		if err != nil {
			return err
		}
		plain = plain && op == batch.Insert
		switch {
		case op == batch.Before && i+1 < n:
			i++
			after, err := x.in(i)
			if err != nil {
				return err
			}
			x.pair(b, i, in, after)
		case op == batch.Delete && in:
			x.delete(i)
		case op == batch.After && !in: // without an old row
			x.delete(i)
		case op == batch.Insert && in && x.p.spec.Deleted != "": // a row of its key may be there, as a deleted one
			plain = false
			x.keep(i, batch.After, schema.OpInsert, false)
		case in && op == batch.Insert:
			x.keep(i, op, schema.OpInsert, false)
		case in:
			x.keep(i, op, schema.OpUpdate, false)
		}
	}
	if plain {
		x.ops = nil
	}
	return nil
}

// delete has row i go, or stay as one that went.
func (x *shaper) delete(i int) {
	if x.p.spec.Deleted != "" {
		x.keep(i, batch.After, schema.OpDelete, true)
		return
	}
	x.keep(i, batch.Delete, schema.OpDelete, false)
}

// pair is an update whose new row is i, right behind the old one.
func (x *shaper) pair(b *batch.Batch, i int, before, after bool) {
	moved := before && after && x.moved(b.Rows, i)
	switch {
	case !before && !after:
	case before && !after:
		x.delete(i - 1)
	case moved && x.p.spec.Deleted != "":
		x.delete(i - 1)
		x.keep(i, batch.After, schema.OpUpdate, false)
	case moved:
		x.keep(i-1, batch.Before, schema.OpBefore, false)
		x.keep(i, batch.After, schema.OpUpdate, false)
	default: // also where it was outside before: stock of a later point may have it
		x.keep(i, batch.After, schema.OpUpdate, false)
	}
}

// moved reports whether the key of rows i-1 and i differs.
func (x *shaper) moved(rows arrow.RecordBatch, i int) bool {
	for _, k := range x.p.t.Key {
		c := rows.Column(x.p.cols[k].from)
		if !array.SliceEqual(c, int64(i-1), int64(i), c, int64(i), int64(i+1)) {
			return true
		}
	}
	return false
}

// changes are rows that say themselves what has happened to others.
func (x *shaper) changes(b *batch.Batch) error {
	ops, ok := b.Rows.Column(x.own).(*array.String)
	if !ok {
		return fmt.Errorf("%s has no column %s", x.p.base, schema.MetaOp.Column())
	}
	for i, n := 0, int(b.Rows.NumRows()); i < n; i++ {
		name := ops.Value(i)
		if name == schema.OpTruncate {
			x.keep(i, batch.Insert, name, false)
			continue
		}
		in, err := x.in(i)
		if err != nil {
			return err
		}
		switch {
		case name == schema.OpBefore && i+1 < n:
			i++
			after, err := x.in(i)
			if err != nil {
				return err
			}
			switch {
			case in && after:
				x.keep(i-1, batch.Insert, schema.OpBefore, false)
				x.keep(i, batch.Insert, schema.OpUpdate, false)
			case in:
				x.keep(i-1, batch.Insert, schema.OpDelete, false)
			case after:
				x.keep(i, batch.Insert, schema.OpInsert, false)
			}
		case in:
			x.keep(i, batch.Insert, name, false)
		case name == schema.OpUpdate: // of a row that may be there
			x.keep(i, batch.Insert, schema.OpDelete, false)
		}
	}
	x.ops = nil
	return nil
}

// made returns the rows that were kept of b, which it releases.
func (x *shaper) made(b *batch.Batch) (*batch.Batch, error) {
	defer b.Release()
	cols := make([]arrow.Array, 0, len(x.p.cols))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	all := len(x.rows) == int(b.Rows.NumRows())
	for i, c := range x.p.cols {
		if c.from >= 0 && all {
			a := b.Rows.Column(c.from)
			a.Retain()
			cols = append(cols, a)
			continue
		}
		a, err := x.column(b, i, c)
		if err != nil {
			return nil, tableError(x.p.t, err)
		}
		cols = append(cols, a)
	}
	out := *b
	out.Table, out.Ops = x.p.t, nil
	out.Rows = array.NewRecordBatch(x.p.t.Arrow, cols, int64(len(x.rows)))
	if x.ops != nil {
		out.Ops = append([]batch.Op(nil), x.ops...)
	}
	return &out, nil
}

// column makes one column of the rows that are kept.
func (x *shaper) column(b *batch.Batch, at int, c column) (arrow.Array, error) {
	to, err := batch.NewColumn(x.p.t.Columns[at].Arrow, x.memory())
	if err != nil {
		return nil, err
	}
	switch {
	case c.from >= 0:
		to.Take(values(b.Rows.Column(c.from)), x.places(b.Rows.Column(c.from)))
	case c.set != nil:
		r := x.sets[at]
		r.Take(b.Rows)
		for k, i := range x.rows {
			if x.names[k] == schema.OpTruncate {
				to.Null()
				continue
			}
			if err := r.Append(int(i), to); err != nil {
				return nil, err
			}
		}
	default:
		x.fill(b, to, c)
	}
	return batch.Array(to, len(x.rows)), nil
}

func (x *shaper) memory() memory.Allocator { return x.pool }

// fill makes a column of what is known of changes.
func (x *shaper) fill(b *batch.Batch, to batch.Column, c column) {
	what := c.meta
	if c.own != schema.NotMeta {
		what = c.own.Column()
	}
	switch what {
	case "_db", "_table":
		v := []byte(x.p.t.DB)
		if what == "_table" {
			v = []byte(x.p.t.Name)
		}
		for range x.rows {
			to.(*batch.Bytes).Append(v) //nolint:forcetypeassert // as made has it
		}
	case "_op":
		for _, name := range x.names {
			to.(*batch.Bytes).Append([]byte(name)) //nolint:forcetypeassert // likewise
		}
	case "deleted":
		for _, gone := range x.gone {
			to.(*batch.Bools).Append(gone) //nolint:forcetypeassert // likewise
		}
	default:
		x.told(b.Rows, to, what)
	}
}

// told takes a column of those that a log adds; stock has none.
func (x *shaper) told(rows arrow.RecordBatch, to batch.Column, name string) {
	// The source's own columns come first, and one of them may have such a name.
	at := rows.Schema().FieldIndices(name)
	if len(at) == 0 || at[len(at)-1] < x.own {
		for range x.rows {
			to.Null()
		}
		return
	}
	a := rows.Column(at[len(at)-1])
	if len(x.rows) > 0 {
		to.Take(values(a), x.places(a))
	}
}

// places are those of the rows in the buffers of an array.
func (x *shaper) places(a arrow.Array) []int32 {
	offset := int32(a.Data().Offset())
	if offset == 0 {
		return x.rows
	}
	out := make([]int32, len(x.rows))
	for i, r := range x.rows {
		out[i] = r + offset
	}
	return out
}

// values are the buffers of an array, from their beginning on.
func values(a arrow.Array) *batch.Values {
	d := a.Data()
	v := &batch.Values{N: d.Offset() + d.Len()}
	bufs := d.Buffers()
	if bufs[0] != nil && a.NullN() > 0 {
		v.Valid = bufs[0].Bytes()
	}
	switch {
	case len(d.Children()) > 0:
		v.Offsets, v.Data = bufs[1].Bytes(), d.Children()[0].Buffers()[1].Bytes()
	case len(bufs) > 2:
		v.Offsets, v.Data = bufs[1].Bytes(), bufs[2].Bytes()
	default:
		v.Data = bufs[1].Bytes()
	}
	return v
}
