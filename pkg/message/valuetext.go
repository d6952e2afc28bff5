package message

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A valueFunc appends the value of a row, which is not null.
type valueFunc func(dst []byte, row int) []byte

// A bindFunc has a valueFunc read an array.
type bindFunc func(arrow.Array) valueFunc

// numbers returns how columns are written whose text is that of a number, nil for
// others.
func numbers(c schema.Column) bindFunc {
	switch c.Arrow.ID() {
	case arrow.INT32:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int32)
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v.Value(i)), 10) }
		}
	case arrow.INT64:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int64)
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, v.Value(i), 10) }
		}
	case arrow.FLOAT32:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Float32)
			return func(dst []byte, i int) []byte { return literal.AppendFloat(dst, float64(v.Value(i)), 32) }
		}
	case arrow.FLOAT64:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Float64)
			return func(dst []byte, i int) []byte { return literal.AppendFloat(dst, v.Value(i), 64) }
		}
	case arrow.DECIMAL128:
		scale := int(c.Arrow.(*arrow.Decimal128Type).Scale)
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Decimal128)
			return func(dst []byte, i int) []byte { return literal.AppendDecimal(dst, v.Value(i), scale) }
		}
	case arrow.BOOL:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Boolean)
			return func(dst []byte, i int) []byte {
				if v.Value(i) {
					return append(dst, '1')
				}
				return append(dst, '0')
			}
		}
	case arrow.STRING:
		if c.Type.Kind != schema.Decimal {
			return nil
		}
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return append(dst, v.Value(i)...) }
		}
	}
	return nil
}

// times returns how dates and times are written, nil for other columns. sep stands
// between date and time.
func times(c schema.Column, sep byte) bindFunc {
	digits := c.Type.Precision
	switch c.Type.Kind {
	case schema.Date:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Date32)
			return func(dst []byte, i int) []byte { return literal.AppendDate(dst, int64(v.Value(i))) }
		}
	case schema.DateTime, schema.Timestamp:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Timestamp)
			return func(dst []byte, i int) []byte { return literal.AppendDateTime(dst, int64(v.Value(i)), sep, digits) }
		}
	case schema.Time:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int64)
			return func(dst []byte, i int) []byte { return literal.AppendTime(dst, v.Value(i), digits) }
		}
	}
	return nil
}

// ordinals returns how ENUM and SET are written as a string with the number that MySQL
// stores: of the label, from 1 on, and as bits. The empty string of a value that was
// refused is 0. A label that is not among the type's is written itself: servers have a
// question mark in the type for letters beyond U+FFFF.
func ordinals(c schema.Column) bindFunc {
	index := make(map[string]uint64, len(c.Type.Labels))
	for i, l := range c.Type.Labels {
		index[l] = uint64(i + 1)
		if c.Type.Kind == schema.Set {
			index[l] = 1 << i
		}
	}
	number := func(dst []byte, n uint64) []byte {
		return append(strconv.AppendUint(append(dst, '"'), n, 10), '"')
	}
	return func(a arrow.Array) valueFunc {
		v := a.(*array.String)
		if c.Type.Kind == schema.Enum {
			return func(dst []byte, i int) []byte {
				label := v.Value(i)
				n, ok := index[label]
				if !ok && label != "" {
					return literal.AppendJSON(dst, label)
				}
				return number(dst, n)
			}
		}
		return func(dst []byte, i int) []byte {
			var bits uint64
			for label := range strings.SplitSeq(v.Value(i), ",") {
				bit, ok := index[label]
				if !ok && label != "" {
					return literal.AppendJSON(dst, v.Value(i))
				}
				bits |= bit
			}
			return number(dst, bits)
		}
	}
}

// floats appends the bytes of a VECTOR as MySQL stores them.
func floats(a *array.List, items *array.Float32, row int, dst []byte) []byte {
	from, to := a.ValueOffsets(row)
	for i := from; i < to; i++ {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(items.Value(int(i))))
	}
	return dst
}
