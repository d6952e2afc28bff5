package binlog

import (
	"math/bits"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A DECIMAL is stored as groups of nine digits in four bytes, the highest
// first, counted from the point: a shorter group stands at either end. The
// highest bit is set, and a negative number has all bits inverted.

// groupBytes is what a group of so many digits takes.
var groupBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

var groupPower = [10]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func decimalSize(precision, scale int) int {
	whole := max(precision-scale, 0)
	return whole/9*4 + groupBytes[whole%9] + scale/9*4 + groupBytes[scale%9]
}

// groups lists the digits of each group.
func groups(precision, scale int) (out []int) {
	whole := max(precision-scale, 0)
	if whole%9 > 0 {
		out = append(out, whole%9)
	}
	for range whole/9 + scale/9 {
		out = append(out, 9)
	}
	if scale%9 > 0 {
		out = append(out, scale%9)
	}
	return out
}

// eachGroup calls f with the digits of each group and their value, and returns
// whether the number is negative.
func eachGroup(v []byte, groups []int, f func(digits int, n uint64)) (negative bool, err error) {
	if len(v) == 0 {
		return false, errValue
	}
	var invert uint64
	if v[0]&0x80 == 0 {
		invert = 0xffffffff
	}
	first := uint64(0x80) // the sign bit, which is out of its place
	for _, digits := range groups {
		width := groupBytes[digits]
		n := (bigEndian(v[:width]) ^ first<<(8*(width-1)) ^ invert) & (1<<(8*width) - 1)
		if first = 0; n >= groupPower[digits] {
			return false, errValue
		}
		f(digits, n)
		v = v[width:]
	}
	return invert != 0, nil
}

func decimalAppend(precision, scale int, b *batch.Fixed[decimal128.Num]) appendFunc {
	groups := groups(precision, scale)
	if precision <= 18 { // fits into 64 bits
		return func(v []byte) error {
			n, err := smallDecimal(v, groups)
			b.Append(decimal128.FromI64(n))
			return err
		}
	}
	return func(v []byte) error {
		var hi, lo uint64
		negative, err := eachGroup(v, groups, func(digits int, n uint64) {
			over, low := bits.Mul64(lo, groupPower[digits])
			var carry uint64
			lo, carry = bits.Add64(low, n, 0)
			hi = hi*groupPower[digits] + over + carry
		})
		num := decimal128.New(int64(hi), lo)
		if negative {
			num = num.Negate()
		}
		b.Append(num)
		return err
	}
}

// smallDecimal reads up to 18 digits.
func smallDecimal(v []byte, groups []int) (int64, error) {
	var invert uint64
	if v[0]&0x80 == 0 {
		invert = 0xffffffff
	}
	first, sum := uint64(0x80), uint64(0)
	for _, digits := range groups {
		width := groupBytes[digits]
		n := (bigEndian(v[:width]) ^ first<<(8*(width-1)) ^ invert) & (1<<(8*width) - 1)
		if first = 0; n >= groupPower[digits] {
			return 0, errValue
		}
		sum = sum*groupPower[digits] + n
		v = v[width:]
	}
	if invert != 0 {
		return -int64(sum), nil
	}
	return int64(sum), nil
}

// decimalTextAppend writes a DECIMAL as the server prints it: ZEROFILL ones with
// zeros up to their declared digits.
func decimalTextAppend(c *schema.Column, b *batch.Bytes) appendFunc {
	var buf []byte
	width := 0
	if strings.Contains(strings.ToLower(c.Native), "zerofill") {
		if width = c.Type.Precision; c.Type.Scale > 0 {
			width++ // the point
		}
	}
	return func(v []byte) (err error) {
		if buf, err = appendDecimal(buf[:0], v, c.Type.Precision, c.Type.Scale); err != nil {
			return err
		}
		for len(buf) < width {
			buf = append([]byte{'0'}, buf...)
		}
		b.Append(buf)
		return nil
	}
}

// appendDecimal appends the text of a DECIMAL to dst: without leading zeros,
// with all fractional digits, and with a digit before the point.
func appendDecimal(dst, v []byte, precision, scale int) ([]byte, error) {
	if len(v) < decimalSize(precision, scale) {
		return dst, errValue
	}
	begin := len(dst)
	dst = append(dst, '-')
	whole, zero := precision-scale, true
	put := func(digits int, n uint64) {
		if whole == 0 && digits > 0 && n == 0 && len(dst) == begin+1 {
			dst = append(dst, '0')
		}
		for i := digits - 1; i >= 0; i-- {
			if whole == 0 {
				if len(dst) == begin+1 {
					dst = append(dst, '0')
				}
				dst = append(dst, '.')
			}
			c := byte('0' + n/groupPower[i]%10)
			zero = zero && c == '0'
			if c != '0' || len(dst) > begin+1 {
				dst = append(dst, c)
			}
			whole--
		}
	}
	negative, err := eachGroup(v, groups(precision, scale), put)
	if len(dst) == begin+1 {
		dst = append(dst, '0')
	}
	if !negative || zero {
		dst = append(dst[:begin], dst[begin+1:]...)
	}
	return dst, err
}
