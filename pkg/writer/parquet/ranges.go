package parquet

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// An intRange, floatRange or decimalRange follows the least and the greatest value.
type intRange struct {
	min, max int64
	any      bool
}

func (r *intRange) add(lo, hi int64) {
	if !r.any {
		*r = intRange{lo, hi, true}
		return
	}
	r.min, r.max = min(r.min, lo), max(r.max, hi)
}

type floatRange struct {
	min, max float64
	any      bool
}

func (r *floatRange) add(v float64) {
	switch {
	case v != v: // NaN is no bound
	case !r.any:
		*r = floatRange{v, v, true}
	case v < r.min:
		r.min = v
	case v > r.max:
		r.max = v
	}
}

type decimalRange struct {
	min, max decimal128.Num
	any      bool
}

func (r *decimalRange) add(v decimal128.Num) {
	switch {
	case !r.any:
		*r = decimalRange{v, v, true}
	case v.Less(r.min):
		r.min = v
	case r.max.Less(v):
		r.max = v
	}
}

// countValues takes the page at work into the chunk's statistics.
func (c *column) countValues(levels int) {
	var n int
	switch c.phys {
	case int32Type:
		if n = len(c.i32); n > 0 {
			lo, hi := extremes(c.i32)
			c.ints.add(int64(lo), int64(hi))
		}
	case int64Type:
		if n = len(c.i64); n > 0 {
			c.ints.add(extremes(c.i64))
		}
	case boolean:
		n = c.bools.n
	default:
		n = levels
		switch {
		case c.list:
			n = len(c.plainValues()) / 4
		case c.Nullable:
			n = c.def.ones
		}
	}
	c.nonNull += int64(n)
	c.nulls += int64(levels - n)
}

func extremes[T int32 | int64](v []T) (lo, hi T) {
	lo, hi = v[0], v[0]
	for _, x := range v[1:] {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}

// bounds returns the least and the greatest value of the chunk, encoded.
func (c *column) bounds() (bounds, bool) {
	exact := func(lo, hi []byte) (bounds, bool) { return bounds{lo, hi, true, true}, true }
	switch {
	case c.list: // the bounds of elements say nothing of lists
	case c.phys == int32Type && c.ints.any:
		return exact(int32Bytes(int32(c.ints.min)), int32Bytes(int32(c.ints.max)))
	case c.phys == int64Type && c.ints.any:
		return exact(int64Bytes(c.ints.min), int64Bytes(c.ints.max))
	case c.phys == float32s && c.floats.any:
		lo, hi := floatBounds(c.floats.min, c.floats.max)
		return exact(int32Bytes(int32(math.Float32bits(float32(lo)))), int32Bytes(int32(math.Float32bits(float32(hi)))))
	case c.phys == float64s && c.floats.any:
		lo, hi := floatBounds(c.floats.min, c.floats.max)
		return exact(int64Bytes(int64(math.Float64bits(lo))), int64Bytes(int64(math.Float64bits(hi))))
	case c.phys == fixedBytes && c.decimals.any:
		var lo, hi [16]byte
		bigEndian(&lo, c.decimals.min)
		bigEndian(&hi, c.decimals.max)
		return exact(lo[16-c.width:], hi[16-c.width:])
	case c.phys == boolean && (c.trueFalse[0] || c.trueFalse[1]):
		b := func(v bool) []byte {
			if v {
				return []byte{1}
			}
			return []byte{0}
		}
		return exact(b(!c.trueFalse[0]), b(c.trueFalse[1]))
	case c.phys == byteArray:
		return c.strings.bounds(c.text)
	}
	return bounds{}, false
}
