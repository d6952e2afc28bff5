package message

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// An arrowLayout is how a column lies in the batch of a message.
type arrowLayout struct {
	kind  layout
	width int
}

// batch finds the columns of a batch and makes sure that they are whole. It returns the
// number of rows.
func (r *ArrowReader) batch(t *arrowShape, head, body []byte) (int, error) {
	f := &flat{buf: head}
	message := f.ref(0)
	if f.number(message, 1, 1, 0) != headerBatch {
		return 0, errors.New("there is none")
	}
	at := f.table(message, 2)
	if f.member(at, 3) != 0 {
		return 0, errors.New("its buffers are compressed")
	}
	n := f.number(at, 0, 8, 0)
	nodes, nodeCount := f.vector(at, 1, 16)
	buffers, bufferCount := f.vector(at, 2, 16)
	c := cutter{flat: f, body: body, nodes: nodes, nodesEnd: nodes + 16*nodeCount, buffers: buffers, buffersEnd: buffers + 16*bufferCount, rows: n}
	r.parts = r.parts[:0]
	for _, l := range t.layout {
		v, ok := c.column(l)
		if !ok || f.bad {
			return 0, fmt.Errorf("column %d is not whole", len(r.parts)+1)
		}
		r.parts = append(r.parts, v)
	}
	if c.nodes != c.nodesEnd || c.buffers != c.buffersEnd {
		return 0, errors.New("it has other columns than its schema")
	}
	return n, nil
}

// A cutter cuts the body of a batch into columns.
type cutter struct {
	*flat
	body                []byte
	nodes, nodesEnd     int
	buffers, buffersEnd int
	rows                int
}

// node takes the next node.
func (c *cutter) node() (length, nulls int) {
	if c.nodes == c.nodesEnd {
		c.bad = true
		return 0, 0
	}
	c.nodes += 16
	return c.count(c.nodes - 16), c.count(c.nodes - 8)
}

// buffer takes the next buffer, which must have so many bytes at least.
func (c *cutter) buffer(least int) []byte {
	if c.buffers == c.buffersEnd {
		c.bad = true
		return nil
	}
	c.buffers += 16
	from, n := c.count(c.buffers-16), c.count(c.buffers-8)
	if n < least || from > len(c.body)-n {
		c.bad = true
		return nil
	}
	return c.body[from : from+n]
}

// column takes the next column.
func (c *cutter) column(l arrowLayout) (v batch.Values, ok bool) {
	length, nulls := c.node()
	if length != c.rows {
		return v, false
	}
	v.N = c.rows
	mask := (c.rows + 7) / 8
	if valid := c.buffer(0); nulls > 0 {
		if len(valid) < mask {
			return v, false
		}
		v.Valid = valid[:mask]
	}
	switch l.kind {
	case packed:
		v.Data = c.buffer(mask)
	case fixed:
		v.Data = c.buffer(c.rows * l.width)
	default:
		v.Offsets = c.buffer(0)
		items := -1
		if l.kind == listed {
			c.buffer(0)
			var nulls int
			if items, nulls = c.node(); nulls != 0 {
				return v, false
			}
		}
		v.Data = c.buffer(max(items, 0) * l.width)
		return v, c.rows == 0 || ascend(v.Offsets, c.rows, len(v.Data)/l.width)
	}
	return v, true
}

// ascend reports whether there are offsets of so many values and none of them is less
// than the one before or more than most.
func ascend(offsets []byte, n, most int) bool {
	if len(offsets) < 4*(n+1) {
		return false
	}
	last, less := uint32(0), false
	for i := 0; i < 4*(n+1); i += 4 {
		o := binary.LittleEndian.Uint32(offsets[i:])
		less = less || o < last
		last = o
	}
	return !less && uint64(last) <= uint64(most)
}
