package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An ArrowReader reads the format arrow. It is not for concurrent use.
type ArrowReader struct {
	to     Target
	tables map[string]*arrowShape
	last   *arrowShape // most messages are of the table of the one before
	name   []byte      // scratch

	parts []batch.Values // scratch: the columns of the message at hand
	rows  []int32        // scratch
	ops   []batch.Op     // scratch
}

// NewArrowReader returns an ArrowReader into to.
func NewArrowReader(to Target) *ArrowReader {
	return &ArrowReader{to: to, tables: make(map[string]*arrowShape)}
}

// An arrowShape is a table as messages of one schema have it.
type arrowShape struct {
	schema []byte // as it stands in messages
	shape  *schema.Table
	meta   [schema.MetaPos + 1]int
	layout []arrowLayout // of all columns
	rows   *Rows         // nil: they are not wanted
	take   []takeFunc    // of the source's columns
}

// A takeFunc appends values of a column, those at rows or all of them, to its place.
type takeFunc func(v *batch.Values, rows []int32)

// Decode implements Decoder.
func (r *ArrowReader) Decode(_, value []byte) error {
	if len(value) == 0 {
		return nil
	}
	head, _, rest, err := part(value)
	if err != nil {
		return fmt.Errorf("read its Arrow schema: %w", err)
	}
	t, err := r.table(head)
	if err != nil || t.rows == nil || t.rows.Skip != nil && t.rows.Skip() {
		return err
	}
	head, body, rest, err := part(rest)
	if err == nil && len(rest) > 0 && !bytes.Equal(rest, streamEnd) {
		err = errors.New("something comes behind it")
	}
	n := 0
	if err == nil {
		n, err = r.batch(t, head, body)
	}
	if err != nil {
		return fmt.Errorf("read its batch of %s: %w", t.shape, err)
	}
	if n == 0 {
		return nil
	}
	return r.changes(t, n, len(value))
}

// streamEnd may end a stream of Arrow IPC.
var streamEnd = append(continuation[:4:4], 0, 0, 0, 0)

// part takes the next part of a stream: what describes it, and its body.
func part(value []byte) (head, body, rest []byte, err error) {
	if len(value) < partHead || !IsArrow(value) {
		return nil, nil, nil, errors.New("it does not begin as a part of an Arrow IPC stream does")
	}
	n := uint64(binary.LittleEndian.Uint32(value[4:]))
	value = value[partHead:]
	if n > uint64(len(value)) {
		return nil, nil, nil, fmt.Errorf("%d bytes of %d are missing", n-uint64(len(value)), n)
	}
	head, value = value[:n], value[n:]
	f := flat{buf: head}
	size := f.number(f.ref(0), 3, 8, 0)
	if f.bad {
		return nil, nil, nil, errors.New("what describes it is no FlatBuffer")
	}
	if size > len(value) {
		return nil, nil, nil, fmt.Errorf("%d bytes of %d are missing", size-len(value), size)
	}
	return head, value[:size], value[size:], nil
}

// table returns the table that a schema tells of, whose shape may be another than it was.
func (r *ArrowReader) table(head []byte) (*arrowShape, error) {
	if t := r.last; t != nil && bytes.Equal(t.schema, head) && !t.over() {
		return t, nil
	}
	shape, meta, err := readSchema(head)
	if err != nil {
		return nil, err
	}
	r.name = append(append(append(r.name[:0], shape.DB...), 0), shape.Name...)
	t := r.tables[string(r.name)]
	if t == nil || !bytes.Equal(t.schema, head) || t.over() {
		t = &arrowShape{schema: bytes.Clone(head), shape: shape, meta: meta}
		if err := t.open(r.to); err != nil {
			return nil, err
		}
		r.tables[string(r.name)] = t
	}
	r.last = t
	return t, nil
}

// over reports whether the place of the table's rows is another by now.
func (t *arrowShape) over() bool { return t.rows != nil && t.rows.Into.Over }

// open asks where the table's rows go.
func (t *arrowShape) open(to Target) (err error) {
	if t.rows, err = to.Rows(t.shape); err != nil || t.rows == nil {
		return err
	}
	t.layout = make([]arrowLayout, len(t.shape.Columns)+len(t.meta)-1)
	for i, c := range t.shape.Columns {
		if t.layout[i].kind, t.layout[i].width, err = layoutOf(c.Arrow); err != nil {
			return err
		}
		into, col := t.rows.Column(i)
		take := takeInto(c, into, col)
		if take == nil {
			err := fmt.Errorf("column %s: a %s cannot be made a %s", c.Name, c.Native, into.Arrow)
			return &schema.TableError{Table: t.shape.String(), Err: err}
		}
		t.take = append(t.take, take)
	}
	for m := schema.MetaOp; m <= schema.MetaPos; m++ {
		l := &t.layout[t.meta[m]]
		if l.kind, l.width, err = layoutOf(m.Arrow()); err != nil {
			return err
		}
	}
	return nil
}
