package message

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A row is the texts of one row's values, one behind the other.
type row struct {
	text []byte
	ends []int // of each column's, in text
}

func (r *row) value(i int) []byte {
	start := 0
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.text[start:r.ends[i]]
}

// A kind is what a change does to a row.
type kind int

const (
	inserted kind = iota
	updated
	deleted
	emptied // the table: there is no row
)

// A rowWriter has the rows of one table's changes as the texts of their values. What
// formats that write a row as a JSON object have in common.
type rowWriter struct {
	table      *schema.Table
	partitions Partitions
	columns    []schema.Column
	key        []int
	binds      []bindFunc
	names      [][]byte // "name":

	// Of the batch at hand.
	values     []valueFunc
	arrays     []arrow.Array
	meta       changes
	old, fresh row

	keyHead []byte // of a record's key
	limit   int    // Options.Limit
}

func (w *rowWriter) bound(limit int) { w.limit = limit }

// newRowWriter makes a rowWriter whose columns are written as format, of the name, has
// them.
func newRowWriter(t *schema.Table, p Partitions, name string, format func(schema.Column) bindFunc) (rowWriter, error) {
	w := rowWriter{table: t, partitions: p, columns: own(t), key: t.RowKey}
	for _, c := range w.columns {
		bind := format(c)
		if bind == nil {
			return w, &schema.TableError{Table: t.String(), Err: fmt.Errorf("column %s: %s has no %s", c.Name, name, c.Native)}
		}
		w.binds = append(w.binds, bind)
		w.names = append(w.names, append(literal.AppendJSON(nil, c.Name), ':'))
	}
	w.values = make([]valueFunc, len(w.columns))
	w.arrays = make([]arrow.Array, len(w.columns))
	w.keyHead = literal.AppendJSON(append(literal.AppendJSON([]byte(`{"database":`), t.DB), `,"table":`...), t.Name)
	return w, nil
}

// each calls f for each change of b, in order: what it does, and the place of its row
// in the batch, whose values are in fresh. An update has those of before in old. One of
// the key is two changes, so that each lands in the partition of its key.
func (w *rowWriter) each(b *batch.Batch, f func(k kind, i int)) (err error) {
	if w.meta, err = changesOf(w.table, b.Rows); err != nil {
		return err
	}
	for i := range w.columns {
		w.arrays[i] = b.Rows.Column(i)
		w.values[i] = w.binds[i](w.arrays[i])
	}
	n := int(b.Rows.NumRows())
	for i := 0; i < n; i++ {
		switch op := w.meta.op.Value(i); op {
		case schema.OpRead, schema.OpInsert:
			w.read(&w.fresh, i)
			f(inserted, i)
		case schema.OpDelete:
			w.read(&w.fresh, i)
			f(deleted, i)
		case schema.OpBefore:
			if i++; i == n || w.meta.op.Value(i) != schema.OpUpdate {
				return fmt.Errorf("%s: an update lacks its second row", w.table)
			}
			w.read(&w.old, i-1)
			w.read(&w.fresh, i)
			if !w.moved() {
				f(updated, i)
				break
			}
			w.old, w.fresh = w.fresh, w.old
			f(deleted, i-1)
			w.old, w.fresh = w.fresh, w.old
			f(inserted, i)
		case schema.OpUpdate:
			// A row of which one may be there already: an update that had changed nothing is
			// what readers of all formats take for one, be there a row or not.
			w.read(&w.fresh, i)
			w.read(&w.old, i)
			f(updated, i)
		case schema.OpTruncate:
			f(emptied, i)
		default:
			return fmt.Errorf("%s: a row has the op %q", w.table, op)
		}
	}
	return nil
}

// read writes the values of a row.
func (w *rowWriter) read(r *row, i int) {
	r.text, r.ends = r.text[:0], r.ends[:0]
	for c, value := range w.values {
		if w.arrays[c].IsNull(i) {
			r.text = append(r.text, "null"...)
		} else {
			r.text = value(r.text, i)
		}
		r.ends = append(r.ends, len(r.text))
	}
}

// moved reports whether the key of old is another than that of fresh.
func (w *rowWriter) moved() bool {
	for _, k := range w.key {
		if !bytes.Equal(w.old.value(k), w.fresh.value(k)) {
			return true
		}
	}
	return false
}

// object appends a row's values, or, if there is another, those that differ from its.
func (w *rowWriter) object(b []byte, r, other *row) []byte {
	b = append(b, '{')
	start := len(b)
	for c, name := range w.names {
		v := r.value(c)
		if other != nil && bytes.Equal(v, other.value(c)) {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(append(b, name...), v...)
	}
	return append(b, '}')
}

// shortened reports whether the message of a change, of that size, is too large and is to be written
// again: of a row that is deleted its key is enough, with which fresh is left then.
func (w *rowWriter) shortened(k kind, size int, key func(b []byte) []byte) bool {
	if k != deleted || len(w.key) == 0 || w.limit == 0 || size <= w.limit/2 || size+len(key(nil)) <= w.limit {
		return false
	}
	var short row
	for c := range w.columns {
		if slices.Contains(w.key, c) {
			short.text = append(short.text, w.fresh.value(c)...)
		} else {
			short.text = append(short.text, "null"...)
		}
		short.ends = append(short.ends, len(short.text))
	}
	w.fresh = short
	return true
}

// keyOf appends the key of a record of the row at hand.
func (w *rowWriter) keyOf(b []byte) []byte { return w.recordKey(b, deleted) }

// records appends the message of a change of the row at hand.
func (w *rowWriter) records(dst []Record, a *arena, k kind, value []byte) []Record {
	r := Record{Key: a.end(w.recordKey(a.begin(), k)), Value: value}
	if k != emptied {
		r.Partition = w.partitions.Of(r.Key)
		return append(dst, r)
	}
	for ; r.Partition < w.partitions.Count; r.Partition++ {
		dst = append(dst, r)
	}
	return dst
}

// recordKey appends the key of a record, as Maxwell writes it: that of fresh, or, of a
// table without a key or that was emptied, the table's alone.
func (w *rowWriter) recordKey(b []byte, k kind) []byte {
	b = append(b, w.keyHead...)
	if k != emptied {
		for _, c := range w.key {
			b = append(append(b, `,"pk.`...), w.names[c][1:]...)
			b = append(b, w.fresh.value(c)...)
		}
	}
	return append(b, '}')
}
