// Package textvalue writes values of Arrow arrays as text, as far as formats of text agree on them.
package textvalue

import (
	"encoding/base64"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A Func appends the value of a row, which is not null.
type Func func(dst []byte, row int) []byte

// A Bind returns the Func of an array.
type Bind func(arrow.Array) Func

// A Float appends a floating-point number of 32 or 64 bits, for which formats differ in what is
// none of the usual.
type Float func(dst []byte, v float64, bits int) []byte

// Of returns how values of a type are written, without quotes: bytes in base64, and lists as
// JSON has them. It is nil for types that each format has a form of its own for, such as strings.
func Of(t arrow.DataType, float Float) Bind {
	switch t := t.(type) {
	case *arrow.Int32Type:
		return func(a arrow.Array) Func {
			v := a.(*array.Int32).Int32Values()
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v[i]), 10) }
		}
	case *arrow.Int64Type:
		return func(a arrow.Array) Func {
			v := a.(*array.Int64).Int64Values()
			return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, v[i], 10) }
		}
	case *arrow.Float32Type:
		return func(a arrow.Array) Func {
			v := a.(*array.Float32).Float32Values()
			return func(dst []byte, i int) []byte { return float(dst, float64(v[i]), 32) }
		}
	case *arrow.Float64Type:
		return func(a arrow.Array) Func {
			v := a.(*array.Float64).Float64Values()
			return func(dst []byte, i int) []byte { return float(dst, v[i], 64) }
		}
	case *arrow.Decimal128Type:
		scale := int(t.Scale)
		return func(a arrow.Array) Func {
			v := a.(*array.Decimal128)
			return func(dst []byte, i int) []byte { return literal.AppendDecimal(dst, v.Value(i), scale) }
		}
	case *arrow.Date32Type:
		return func(a arrow.Array) Func {
			v := a.(*array.Date32).Date32Values()
			return func(dst []byte, i int) []byte { return literal.AppendDate(dst, int64(v[i])) }
		}
	case *arrow.TimestampType:
		return func(a arrow.Array) Func {
			v := a.(*array.Timestamp).TimestampValues()
			return func(dst []byte, i int) []byte { return literal.AppendDateTime(dst, int64(v[i]), ' ', 6) }
		}
	case *arrow.BinaryType:
		return func(a arrow.Array) Func {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte { return base64.StdEncoding.AppendEncode(dst, v.Value(i)) }
		}
	case *arrow.ListType:
		return func(a arrow.Array) Func { return list(a.(*array.List), float) }
	}
	return nil
}

// list writes a VECTOR.
func list(v *array.List, float Float) Func {
	items := v.ListValues().(*array.Float32).Float32Values()
	return func(dst []byte, row int) []byte {
		from, to := v.ValueOffsets(row)
		dst = append(dst, '[')
		for i := from; i < to; i++ {
			if i > from {
				dst = append(dst, ',')
			}
			dst = float(dst, float64(items[i]), 32)
		}
		return append(dst, ']')
	}
}
