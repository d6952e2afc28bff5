package iceberg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A sortOrder makes keys of rows: byte strings that sort as the rows are to.
type sortOrder struct {
	id     int
	fields []orderField
}

type orderField struct {
	column    int
	desc      bool
	nullsLast bool
}

// newSortOrder returns nil if the table has no order, or one that goes beyond
// columns as they are: a writer is free to leave rows unsorted.
func newSortOrder(order table.SortOrder, sc *iceberg.Schema, src *schema.Table) *sortOrder {
	o := &sortOrder{id: order.OrderID()}
	for _, f := range order.Fields() {
		if _, ok := f.Transform.(iceberg.IdentityTransform); !ok {
			return nil
		}
		source, _ := sc.FindFieldByID(f.SourceID())
		index := slices.IndexFunc(src.Columns, func(c schema.Column) bool { return c.Name == source.Name })
		if index < 0 {
			return nil
		}
		o.fields = append(o.fields, orderField{index, f.Direction == table.SortDESC, f.NullOrder == table.NullsLast})
	}
	if len(o.fields) == 0 {
		return nil
	}
	return o
}

// given reports whether rows that arrive in the order of the key are in this one.
// Of text the server's collation decides, which is another order than that of
// the bytes.
func (o *sortOrder) given(t *schema.Table) bool {
	if len(o.fields) > len(t.Key) {
		return false
	}
	for i, f := range o.fields {
		if f.column != t.Key[i] || f.desc || t.Columns[f.column].Arrow.ID() == arrow.STRING {
			return false
		}
	}
	return true
}

// sortKeys are the keys of some rows.
type sortKeys struct {
	data []byte
	ends []int
}

func (k *sortKeys) key(row int) []byte {
	if row == 0 {
		return k.data[:k.ends[0]]
	}
	return k.data[k.ends[row-1]:k.ends[row]]
}

// keys returns the keys of rows from..to-1.
func (o *sortOrder) keys(columns []arrow.Array, s span) (*sortKeys, error) {
	k := &sortKeys{ends: make([]int, 0, s.to-s.from)}
	add := make([]func([]byte, int) []byte, len(o.fields))
	for i, f := range o.fields {
		if add[i] = appendKey(columns[f.column]); add[i] == nil {
			return nil, fmt.Errorf("sort by %s", columns[f.column].DataType())
		}
	}
	for row := s.from; row < s.to; row++ {
		for i, f := range o.fields {
			if columns[f.column].IsNull(row) {
				if f.nullsLast {
					k.data = append(k.data, 2)
				} else {
					k.data = append(k.data, 0)
				}
				continue
			}
			k.data = append(k.data, 1)
			at := len(k.data)
			k.data = add[i](k.data, row)
			if f.desc {
				for j := range k.data[at:] {
					k.data[at+j] ^= 0xff
				}
			}
		}
		k.ends = append(k.ends, len(k.data))
	}
	return k, nil
}

// appendKey returns what appends a value of the column in a form that sorts as
// values do and that is never the beginning of another one.
func appendKey(col arrow.Array) func([]byte, int) []byte {
	be := binary.BigEndian
	switch a := col.(type) {
	case *array.Boolean:
		return func(b []byte, i int) []byte {
			if a.Value(i) {
				return append(b, 1)
			}
			return append(b, 0)
		}
	case *array.Int32:
		return func(b []byte, i int) []byte { return be.AppendUint32(b, uint32(a.Value(i))^1<<31) }
	case *array.Date32:
		return func(b []byte, i int) []byte { return be.AppendUint32(b, uint32(a.Value(i))^1<<31) }
	case *array.Int64:
		return func(b []byte, i int) []byte { return be.AppendUint64(b, uint64(a.Value(i))^1<<63) }
	case *array.Timestamp:
		return func(b []byte, i int) []byte { return be.AppendUint64(b, uint64(a.Value(i))^1<<63) }
	case *array.Float32:
		return func(b []byte, i int) []byte {
			v := math.Float32bits(a.Value(i))
			return be.AppendUint32(b, v^(uint32(int32(v)>>31)|1<<31))
		}
	case *array.Float64:
		return func(b []byte, i int) []byte {
			v := math.Float64bits(a.Value(i))
			return be.AppendUint64(b, v^(uint64(int64(v)>>63)|1<<63))
		}
	case *array.Decimal128:
		return func(b []byte, i int) []byte {
			v := a.Value(i)
			return be.AppendUint64(be.AppendUint64(b, uint64(v.HighBits())^1<<63), v.LowBits())
		}
	case *array.String:
		return func(b []byte, i int) []byte { return appendText(b, a.Value(i)) }
	case *array.Binary:
		return func(b []byte, i int) []byte { return appendText(b, a.ValueString(i)) }
	}
	return nil
}

// appendText marks the end by two zeros, and a zero within as none of them.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == 0 {
			b = append(b, 0xff)
		}
	}
	return append(b, 0, 0)
}

// A sortRef is a row and the first bytes of its key, which settle most
// comparisons.
type sortRef struct {
	prefix uint64
	key    []byte
	row    int32
}

func newSortRef(key []byte, row int) sortRef {
	var b [8]byte
	copy(b[:], key)
	return sortRef{binary.BigEndian.Uint64(b[:]), key, int32(row)} //nolint:gosec // rows of a batch
}

// sortRefs sorts rows by their keys, and as they are among equals.
func sortRefs(refs []sortRef) []int32 {
	slices.SortFunc(refs, func(a, b sortRef) int {
		switch {
		case a.prefix < b.prefix:
			return -1
		case a.prefix > b.prefix:
			return 1
		}
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return int(a.row) - int(b.row)
	})
	rows := make([]int32, len(refs))
	for i, r := range refs {
		rows[i] = r.row
	}
	return rows
}
