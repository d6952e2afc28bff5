package literal

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// AppendDecimal appends v, which has scale digits behind the point.
func AppendDecimal(dst []byte, v decimal128.Num, scale int) []byte {
	low, high := v.LowBits(), v.HighBits()
	if high != int64(low)>>63 { // needs more than 64 bits
		return append(dst, v.ToString(int32(scale))...)
	}
	n := int64(low)
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	start := len(dst)
	dst = strconv.AppendUint(dst, u, 10)
	if scale == 0 {
		return dst
	}
	for len(dst)-start <= scale { // 5 with scale 2 is 0.05
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// AppendFloat appends the shortest text that reads back as v, of so many bits.
func AppendFloat(dst []byte, v float64, bits int) []byte {
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, bits)
}
