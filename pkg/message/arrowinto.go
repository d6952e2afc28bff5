package message

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// takeInto returns how values of a column get to their place, where it may have got a
// wider type, by the steps of schema.Union; nil if they cannot.
func takeInto(from, into schema.Column, col batch.Column) takeFunc {
	if sameValues(from.Arrow, into.Arrow) {
		return col.Take
	}
	a, b := from.Arrow.ID(), into.Arrow.ID()
	var wide func(dst, src []byte) []byte // of all the values
	switch {
	case a == arrow.INT32 && b == arrow.INT64:
		wide = func(dst, src []byte) []byte {
			for ; len(src) >= 4; src = src[4:] {
				dst = binary.LittleEndian.AppendUint64(dst, uint64(int32(binary.LittleEndian.Uint32(src))))
			}
			return dst
		}
	case a == arrow.FLOAT32 && b == arrow.FLOAT64:
		wide = func(dst, src []byte) []byte {
			for ; len(src) >= 4; src = src[4:] {
				v := float64(math.Float32frombits(binary.LittleEndian.Uint32(src)))
				dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
			}
			return dst
		}
	default:
		return nil
	}
	var scratch batch.Values
	return func(v *batch.Values, rows []int32) {
		scratch.N, scratch.Valid, scratch.Data = v.N, v.Valid, wide(scratch.Data[:0], v.Data[:4*v.N])
		col.Take(&scratch, rows)
	}
}

// sameValues reports whether a value of one type is the same bytes in the other.
func sameValues(a, b arrow.DataType) bool {
	if d, ok := a.(*arrow.Decimal128Type); ok {
		e, ok := b.(*arrow.Decimal128Type)
		return ok && d.Scale == e.Scale && d.Precision <= e.Precision
	}
	return arrow.TypeEqual(a, b)
}
