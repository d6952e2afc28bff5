package message

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// arrowWriter writes the format arrow: a message is a whole stream of Arrow IPC, a schema
// and one batch of changes of a table, all for one partition, so that it can be read from
// any offset on. The columns are those of schema.Changelog. A changed key is a delete and
// an insert, and the row of before an update stands right before that of after.
// The format is Arrow's columnar format 1.x, "IPC streaming format".
type arrowWriter struct {
	keys       rowWriter // of the table as if its key were all it has
	table      *schema.Table
	partitions Partitions
	op         int // the place of the column
	one        bool

	head   []byte // what all messages begin with: the schema and the batch's header
	header headerWriter
	rowMin int   // bytes of a row, of which every value is empty
	long   []int // the columns whose values differ in length
	rowKey []byte

	// Of the batch at hand.
	columns  []source
	ops      []byte  // of each row, as they are written
	ordinals []int32 // 0, 1, 2, …
	parts    [][]int32
	text     []byte // scratch
}

// arrowMost is what a message has of bytes at most, if it has more than one change:
// brokers take 1,000,012 unless they are told otherwise.
const arrowMost = 900_000

// NewArrow returns an Encoder of the format arrow for a table that has the shape of
// schema.Changelog.
func NewArrow(t *schema.Table, p Partitions) (Encoder, error) {
	keyed := *t
	keyed.Columns, keyed.RowKey = nil, nil
	for i, k := range t.RowKey {
		keyed.Columns = append(keyed.Columns, t.Columns[k])
		keyed.RowKey = append(keyed.RowKey, i)
	}
	keys, err := newRowWriter(&keyed, p, Formats[0], canalValue)
	if err != nil {
		return nil, err
	}
	e := &arrowWriter{
		keys: keys, table: t, partitions: p, parts: make([][]int32, p.Count), one: p.Count == 1,
		op: slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Meta == schema.MetaOp }),
	}
	if e.op < 0 {
		return nil, fmt.Errorf("%s lacks columns of a changelog", t)
	}
	e.rowKey = keys.recordKey(nil, emptied)
	if e.head, err = schemaMessage(t); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	nodes, buffers := 0, 0
	for _, c := range t.Columns {
		s, err := newSource(c.Arrow)
		if err != nil {
			return nil, fmt.Errorf("column %s of %s: %w", c.Name, t, err)
		}
		e.columns = append(e.columns, s)
		n, b := s.shape()
		nodes += n
		buffers += b
		e.rowMin += s.least()
		if s.kind >= varying {
			e.long = append(e.long, len(e.columns)-1)
		}
	}
	e.header.batchHeader = batchHeader{len(e.head), nodes, buffers}
	e.head = append(e.head, e.header.template()...)
	return e, nil
}

// Encode implements Encoder.
func (e *arrowWriter) Encode(dst []Record, b *batch.Batch) ([]Record, error) {
	if b.Rows.NumRows() == 0 {
		return dst, nil
	}
	if err := e.divide(b); err != nil {
		return dst, err
	}
	for i := range e.columns {
		e.columns[i].bind(b.Rows.Column(i).Data())
	}
	for i := len(e.ordinals); i <= len(e.ops); i++ {
		e.ordinals = append(e.ordinals, int32(i))
	}
	e.columns[e.op] = source{kind: varying, width: 1, offs: e.ordinals, data: e.ops}
	for p, rows := range e.parts {
		for len(rows) > 0 {
			n, size := e.first(rows)
			dst = append(dst, Record{Key: e.rowKey, Value: e.message(rows[:n], size), Partition: int32(p)})
			rows = rows[n:]
		}
	}
	return dst, nil
}

// divide finds the rows of each partition and what is to be said of each row.
func (e *arrowWriter) divide(b *batch.Batch) error {
	meta, err := changesOf(e.table, b.Rows)
	if err != nil {
		return err
	}
	for i, k := range e.table.RowKey {
		e.keys.arrays[i] = b.Rows.Column(k)
		e.keys.values[i] = e.keys.binds[i](e.keys.arrays[i])
	}
	for p := range e.parts {
		e.parts[p] = e.parts[p][:0]
	}
	n := int(b.Rows.NumRows())
	e.ops = slices.Grow(e.ops[:0], n)
	for i := 0; i < n; i++ {
		switch op := meta.op.Value(i); op {
		case schema.OpRead, schema.OpInsert, schema.OpDelete, schema.OpUpdate: // the last without a row of before
			e.ops = append(e.ops, op...)
			e.put(e.partition(i), i)
		case schema.OpBefore:
			if i++; i == n || meta.op.Value(i) != schema.OpUpdate {
				return fmt.Errorf("%s: an update lacks its second row", e.table)
			}
			e.update(i)
		case schema.OpTruncate:
			e.ops = append(e.ops, op...)
			for p := range e.partitions.Count {
				e.put(p, i)
			}
		default:
			return fmt.Errorf("%s: a row has the op %q", e.table, op)
		}
	}
	return nil
}

func (e *arrowWriter) put(p int32, row int) { e.parts[p] = append(e.parts[p], int32(row)) }

// update puts an update whose row of after is at i.
func (e *arrowWriter) update(i int) {
	k := &e.keys
	k.read(&k.old, i-1)
	k.read(&k.fresh, i)
	if k.moved() {
		e.ops = append(e.ops, schema.OpDelete+schema.OpInsert...)
		e.put(e.partition(i-1), i-1)
		e.put(e.partition(i), i)
		return
	}
	e.ops = append(e.ops, schema.OpBefore+schema.OpUpdate...)
	p := e.partition(i)
	e.put(p, i-1)
	e.put(p, i)
}

// partition is that of a row, the same as in the formats in which a message is a row.
func (e *arrowWriter) partition(row int) int32 {
	if e.one {
		return 0
	}
	k := &e.keys
	k.read(&k.fresh, row)
	e.text = k.recordKey(e.text[:0], inserted)
	return e.partitions.Of(e.text)
}

// first is how many of the rows the next message has, and about how many bytes it has
// then, but never more.
func (e *arrowWriter) first(rows []int32) (n, size int) {
	size = len(e.head) + arrowPad*len(e.columns)
	for i, r := range rows {
		if e.ops[r] == schema.OpTruncate[0] {
			if i == 0 {
				return 1, size + e.rowMin // a message of its own
			}
			return i, size
		}
		row := e.rowMin
		for _, c := range e.long {
			offs := e.columns[c].offs
			row += int(offs[r+1]-offs[r]) * e.columns[c].width
		}
		cut := i
		if e.ops[r] == schema.OpUpdate[0] {
			cut-- // the row of before goes with it
		}
		if size+row > arrowMost && cut > 0 {
			return cut, size
		}
		size += row
	}
	return len(rows), size
}

// message makes the message of some rows, which ascend. Size is what first has told.
func (e *arrowWriter) message(rows []int32, size int) []byte {
	out := append(make([]byte, 0, size), e.head...)
	e.header.begin(len(out), len(rows))
	for i := range e.columns {
		out = e.columns[i].write(out, rows, &e.header)
	}
	e.header.end(out)
	return out
}

// IsArrow reports whether a message is of the format arrow, as far as its first bytes
// tell: no JSON begins so.
func IsArrow(value []byte) bool { return bytes.HasPrefix(value, continuation) }
